"""Commands that look into releases: explain, compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtm_pipeline.cli.app import AsJson, Config, ConfigDir, Output, app, say
from rtm_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from rtm_pipeline.orchestration.steps.place_past import PlacePast
    from rtm_pipeline.publication.lookup.place_rating import Part, PlaceRating, Standing
    from rtm_pipeline.publication.lookup.run_comparison import RunComparison
    from rtm_pipeline.publication.release.reading import ReleaseFolder

__all__: list[str] = []

MOST_FACTORS = 20


# A western longitude begins with a minus, which would else be taken for an option.
@app.command(context_settings={"ignore_unknown_options": True})
def explain(
    config: Config,
    lat: Annotated[str, typer.Argument(help="Latitude, degrees (WGS84).")],
    lon: Annotated[str, typer.Argument(help="Longitude, degrees (WGS84); negative in the west.")],
    release: Annotated[str | None, typer.Option("--release", help="Run id or folder. Default: the latest.")] = None,
    output: Output = None,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Why is a place rated so?

    Score, forecast, rank, factors and their distances, and the past.
    """
    from rtm_pipeline.config.load import find_config, load_config
    from rtm_pipeline.orchestration.paths import Paths
    from rtm_pipeline.orchestration.releases import find_release, latest_release
    from rtm_pipeline.orchestration.steps.place_past import past_json, past_of
    from rtm_pipeline.publication.lookup.place_rating import rate_place

    paths = Paths.resolve(config_dir=config_dir, output=output)
    city = load_config(find_config(config, paths.config_dir)).city.name
    found = find_release(paths, release, city) if release else latest_release(paths, city)
    rating = rate_place(found, _degrees(lat, "LAT"), _degrees(lon, "LON"))
    past = past_of(found, rating, paths)
    say(json.dumps(rating.as_json() | {"past": past_json(past)}, indent=2) if as_json else _rating_text(rating, past))


def _degrees(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{what}: {text!r} is not a number of degrees, such as 39.05 or -94.58.") from None


def _rating_text(rating: PlaceRating, past: PlacePast | str) -> str:
    from rtm_pipeline.grid.crs import resolve_crs

    where = f", {rating.neighborhood}" if rating.neighborhood else ""
    in_feet = resolve_crs(rating.crs).unit_m < 0.5
    lines = [
        f"{rating.lat:g} {rating.lon:g}{where}: cell at row {rating.row}, column {rating.col} "
        f"({rating.x_u:,.1f}, {rating.y_u:,.1f} in {rating.crs})",
        f"release {rating.run_id}, as of {rating.as_of}",
        "",
        f"  risk terrain  {_standing_text(rating.risk_terrain, f'{rating.risk_terrain.value:.2f} x the lowest')}",
    ]
    if rating.forecast is not None:
        value = f"{rating.forecast.value:.3g} {rating.forecast.unit}"
        lines.append(f"  forecast      {_standing_text(rating.forecast, value)}")
    if rating.interval is not None:
        lines.append(f"                rate between {rating.interval[0]:.3g} and {rating.interval[1]:.3g} (90 %)")
    if rating.p_top5 is not None:
        lines.append(f"                among the top 5 % of cells with probability {rating.p_top5:.2f}")
    lines += ["", "  why the risk terrain is so: factors (those of the model first)"]
    for factor in rating.factors[:MOST_FACTORS]:
        distance = "none near" if factor.distance_m is None else _length_text(factor.distance_m, in_feet)
        told = "not in the model"
        if factor.rrv is not None:
            told = f"x {factor.rrv if factor.holds else 1.0:.2f}  {factor.variable}"
            told += " holds here" if factor.holds else f" does not hold here (else x {factor.rrv:.2f})"
        lines.append(f"    {factor.label[:28]:<28} nearest {distance:>{16 if in_feet else 9}}   {told}")
    if rating.forecast_parts:
        lines += ["", "  what makes up the forecast (the product)"]
        lines += [f"    {_part_text(part)}" for part in _telling(rating.forecast_parts)]
    return "\n".join([*lines, "", *_past_text(past, in_feet)])


def _length_text(meters: float, in_feet: bool) -> str:
    """A length in the unit of the city's grid; names of variables hold meters, so these stand beside feet."""
    return f"{meters / 0.3048:,.0f} ft ({meters:,.0f} m)" if in_feet else f"{meters:,.0f} m"


def _standing_text(standing: Standing, value: str) -> str:
    ranks = f"{standing.rank_first:,}"
    if standing.rank_last > standing.rank_first:
        ranks += f" to {standing.rank_last:,} (a tie)"
    return f"{value}; tier {standing.tier_label}; rank {ranks} of {standing.of:,}"


def _telling(parts: tuple[Part, ...]) -> list[Part]:
    """The background, then what moves the product most."""
    moving = [part for part in parts if part.unit == "multiplier"]
    rest = [part for part in parts if part.unit != "multiplier"]
    return rest + sorted(moving, key=lambda part: -max(part.value, 1 / max(part.value, 1e-12)))


def _part_text(part: Part) -> str:
    return f"x {part.value:<7.3g} {part.name}" if part.unit == "multiplier" else f"  {part.value:<7.3g} {part.name}"


def _past_text(past: PlacePast | str, in_feet: bool) -> list[str]:
    if isinstance(past, str):
        return [f"  past: not told, {past}"]
    lines = [f"  past: {past.unit}s in the cell, and within {_length_text(past.nearby_m, in_feet)} of its center"]
    for window, here, nearby in zip(past.windows, past.here, past.nearby, strict=True):
        lines.append(f"    {window:<26}{here:>6,}{nearby:>8,}")
    return lines


@app.command()
def compare(
    run_a: Annotated[str, typer.Argument(help="Run id, CITY/latest, or the folder of a release.")],
    run_b: Annotated[str, typer.Argument(help="What it is compared with.")],
    output: Output = None,
    to: Annotated[Path | None, typer.Option("--to", help="Folder for the map of the difference.")] = None,
    as_json: AsJson = False,
) -> None:
    """What differs between two releases?

    Settings, sources, model, accuracy, ranks, and a map of the difference.
    """
    from rtm_pipeline.orchestration.paths import Paths
    from rtm_pipeline.orchestration.releases import find_release
    from rtm_pipeline.publication.lookup.run_comparison import compare_releases

    paths = Paths.resolve(output=output)
    a, b = find_release(paths, run_a), find_release(paths, run_b)
    found = compare_releases(a, b)
    folder = to or Path("comparisons") / f"{a.run_id}_{b.run_id}"
    files = _write_maps(a, b, folder)
    (folder / "comparison.json").write_text(json.dumps(found.as_json(), indent=2) + "\n", encoding="utf-8")
    if as_json:
        say(json.dumps(found.as_json() | {"files": files}, indent=2))
        return
    say(_comparison_text(found))
    say("\n".join(["", "  written:", *(f"    {file}" for file in [*files, str(folder / "comparison.json")])]))


def _write_maps(a: ReleaseFolder, b: ReleaseFolder, folder: Path) -> list[str]:
    from rtm_pipeline.publication.lookup.difference_map import draw_difference, write_difference
    from rtm_pipeline.publication.lookup.run_comparison import difference_of

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--to: the folder {folder} can't be made: {error.strerror or error}.") from None
    files = []
    for surface, unit in (("risk_terrain", "relative risk score"), ("forecast", "incidents")):
        found = difference_of(a, b, surface)
        if found is not None:
            grid, change = found
            title = f"{surface.replace('_', ' ').capitalize()}: {b.run_id} minus {a.run_id}"
            write_difference(folder / f"{surface}_change.tif", grid, change, a, b, unit)
            draw_difference(folder / f"{surface}_change.png", grid, change, title, unit)
            files += [str(folder / f"{surface}_change.{ending}") for ending in ("tif", "png")]
    return files


def _comparison_text(found: RunComparison) -> str:
    lines = [
        f"{side}  {run['city']} {run['run_id']}, as of {run['as_of']}" for side, run in (("A", found.a), ("B", found.b))
    ]
    if found.a["as_of"] != found.b["as_of"]:
        lines.append("   of different days: each knows only what was known before its own")
    lines += ["", "  settings that differ" if found.settings else "  settings: the same"]
    lines += [f"    {item['key']}: {item['a']} -> {item['b']}" for item in found.settings[:12]]
    other = [item for item in found.sources if not item["same"]]
    lines += ["", "  sources that differ" if other else "  sources: the same"]
    lines += [f"    {item['source']}: {_count(item['rows_a'])} -> {_count(item['rows_b'])} rows" for item in other]
    model = found.model
    lines += [
        "",
        f"  model: {model['family_a']} -> {model['family_b']}, BIC {model['bic_a']:.1f} -> {model['bic_b']:.1f}",
    ]
    for term in model["terms"]:
        lines.append(f"    {term['variable']:<44} RRV {_rrv(term['rrv_a'])} -> {_rrv(term['rrv_b'])}")
    accuracy = found.accuracy
    lines += ["", f"  accuracy: {accuracy['verdict_a']} -> {accuracy['verdict_b']}"]
    if accuracy["reason"]:
        lines.append(f"    not comparable: {accuracy['reason']}")
    for item in accuracy["pai"]:
        told = f"{_rrv(item['a'])} -> {_rrv(item['b'])}"
        lines.append(f"    {item['surface']:<14} PAI at {float(item['share']):>4.0%}  {told}")
    lines.append("")
    for name, change in found.surfaces.items():
        label = name.replace("_", " ")
        if isinstance(change, str):
            lines.append(f"  {label}: {change}")
            continue
        kept = ", ".join(f"{share:.0%} of the top {float(top):.0%}" for top, share in change.kept_of_top.items())
        ranks = "-" if change.rank_correlation is None else f"{change.rank_correlation:.3f}"
        lines.append(f"  {label}: rank correlation {ranks} over {change.cells:,} cells; kept {kept}")
    return "\n".join(lines)


def _rrv(value: float | None) -> str:
    return "    -" if value is None else f"{value:5.2f}"


def _count(value: int | None) -> str:
    return "none" if value is None else f"{value:,}"
