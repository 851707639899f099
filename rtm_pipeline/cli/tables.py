"""Commands that work on any table: fit, accuracy, areas."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtm_pipeline.cli.app import AsJson, app, say
from rtm_pipeline.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

__all__: list[str] = []

_DROPPED_SHOWN = 10

Table = Annotated[Path, typer.Argument(help="A Parquet or CSV file.")]


def _read(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    if not path.is_file():
        raise ConfigError(f"There is no file {path}.")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            table = pyarrow.parquet.read_table(path)
        else:
            table = pyarrow.csv.read_csv(path)
        names = table.column_names
    except UnicodeDecodeError:
        raise ConfigError(f"{path} can't be read as a table: its header is not UTF-8. Save it as UTF-8.") from None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise ConfigError(f"{path} can't be read as a table: {error}.") from None
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{path} has several columns of the name {', '.join(map(repr, twice[:5]))}. Rename them.")
    if table.num_rows == 0:
        raise ConfigError(f"{path} has a header but no rows.")
    return table


def _numbers(table: pa.Table, name: str, option: str) -> Any:
    import numpy as np
    import pyarrow as pa

    if name not in table.column_names:
        from rtm_pipeline.config.problems import did_you_mean

        near = did_you_mean(name, table.column_names)
        raise ConfigError(f"{option}: the table has no column '{name}'.{near} It has: {', '.join(table.column_names)}.")
    column = table.column(name)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type)):
        raise ConfigError(f"{option}: the column '{name}' holds {column.type}; numbers are expected.")
    return column.cast(pa.float64(), safe=False).fill_null(float("nan")).to_numpy().astype(np.float64)


@app.command()
def fit(
    table: Table,
    count: Annotated[str, typer.Option("--count", help="Column with the number of incidents.")],
    exposure: Annotated[str | None, typer.Option("--exposure", help="Column with the exposure; 1 without.")] = None,
    factor_of: Annotated[
        str | None,
        typer.Option("--factor-of", help="Regular expression; its first group in a column's name is the risk factor."),
    ] = None,
    family: Annotated[str, typer.Option(help="auto, poisson, nb1 or nb2.")] = "auto",
    direction: Annotated[str, typer.Option(help="aggravating, protective or both.")] = "aggravating",
    no_screen: Annotated[bool, typer.Option("--no-screen", help="Leave the penalized screening out.")] = False,
    refits: Annotated[int, typer.Option(help="Bootstrap refits of the final model.", min=0)] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of folds and bootstrap.", min=0)] = 0,
    out: Annotated[Path | None, typer.Option("--json", help="Write the model here as JSON.")] = None,
) -> None:
    """Fit a risk terrain model to a table of 0/1 columns."""
    from rtm_pipeline.model.engine import fit_rtm
    from rtm_pipeline.model.report import model_report
    from rtm_pipeline.model.spec import BootstrapSpec, ModelSpec
    from rtm_pipeline.model.table import design_from_table

    for option, value, allowed in (
        ("--family", family, ("auto", "poisson", "nb1", "nb2")),
        ("--direction", direction, ("aggravating", "protective", "both")),
    ):
        if value not in allowed:
            raise ConfigError(f"{option}: found {value!r}; allowed: {', '.join(allowed)}.")
    _writable(out)
    rows = _read(table)
    counts = _numbers(rows, count, "--count")
    weights = _numbers(rows, exposure, "--exposure") if exposure else None
    names = [name for name in rows.column_names if name not in (count, exposure)]
    columns = {name: _numbers(rows, name, "variable") for name in names}
    design = design_from_table(columns, counts, weights, factor_of=_pattern(factor_of))
    spec = ModelSpec(
        family=family,
        direction=direction,
        screen=not no_screen,
        seed=seed,
        bootstrap=BootstrapSpec(refits=refits, selections=0),
    )
    report = model_report(fit_rtm(design, spec, block_id=None))
    if out is not None:
        out.write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    say(_model_text(report))


def _writable(out: Path | None) -> None:
    """Refuse before the work what could not be written after it."""
    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        found = "is a folder" if out.is_dir() else f"lies in {out.absolute().parent}, which does not exist"
        raise ConfigError(f"--json: {out} {found}. Give the path of a file in a folder that exists.")


def _pattern(text: str | None) -> str | None:
    if text is not None:
        try:
            re.compile(text)
        except re.error as error:
            raise ConfigError(f"--factor-of: {text!r} is not a regular expression: {error}.") from None
    return text


def _model_text(report: dict[str, Any]) -> str:
    lines = [
        f"{report['family']}, {report['n_events']:,} incidents in {report['n_cells']:,} rows, BIC {report['bic']:.2f}",
        f"{'variable':<40} {'coefficient':>12} {'SE':>8} {'RRV':>8}",
        f"{'(intercept)':<40} {report['intercept']:>12.5f}",
    ]
    for term in report["terms"]:
        lines.append(f"{term['variable']:<40} {term['coefficient']:>12.5f} {term['se']:>8.5f} {term['rrv']:>8.4f}")
    if not report["terms"]:
        lines.append("no variable was selected")
    lines += report["notes"]
    shown = report["dropped"][:_DROPPED_SHOWN]
    lines += [f"left out: {item['variable']}: {item['reason']}" for item in shown]
    if len(report["dropped"]) > len(shown):
        lines.append(f"left out: {len(report['dropped']) - len(shown)} more (--json tells all)")
    return "\n".join(lines)


@app.command()
def accuracy(
    table: Table,
    observed: Annotated[str, typer.Option("--observed", help="Column with the incidents of the judged period.")],
    score: Annotated[str, typer.Option("--score", help="Column with the score that ranks the rows.")],
    exposure: Annotated[str | None, typer.Option("--exposure", help="Column with the share of area.")] = None,
    in_incidents: Annotated[bool, typer.Option(help="The score is in expected incidents: tell the RRI too.")] = False,
    as_json: AsJson = False,
) -> None:
    """PAI, PEI, RRI and hit rate of a score in a table.

    With the bounds that ties leave open.
    """
    from rtm_pipeline.evaluation.accuracy import table_accuracy

    rows = _read(table)
    found = table_accuracy(
        _numbers(rows, observed, "--observed"),
        _numbers(rows, score, "--score"),
        exposure=_numbers(rows, exposure, "--exposure") if exposure else None,
        in_incidents=in_incidents,
    )
    say(json.dumps(found, indent=2, allow_nan=False) if as_json else _accuracy_text(found))


def _accuracy_text(found: dict[str, Any]) -> str:
    lines = [
        f"{found['n_events']:,.0f} incidents in {found['n_cells']:,} rows, {found['distinct_values']:,} distinct",
        *([f"{found['without_score']:,} rows without a score rank last"] if found["without_score"] else []),
        f"{'share':>7} {'PAI':>8} {'from':>8} {'to':>8} {'PEI':>7} {'hit rate':>9}",
    ]
    for share, pai in found["pai"].items():
        if pai is None:
            lines.append(f"{float(share):>7.1%}   no row or no incident")
            continue
        pei, hits = found["pei"][share], found["hit_rate"][share]
        lines.append(
            f"{float(share):>7.1%} {pai['expected']:>8.3f} {pai['min']:>8.3f} {pai['max']:>8.3f} "
            f"{pei['expected']:>7.3f} {hits['expected']:>9.3f}"
        )
    return "\n".join(lines)


@app.command()
def areas(
    table: Annotated[Path, typer.Argument(help="Counts: a row an area, a column a period (Parquet or CSV).")],
    raster: Annotated[Path, typer.Option("--raster", help="GeoTIFF, such as restricted/forecast.tif of a release.")],
    polygons: Annotated[Path, typer.Option("--areas", help="Polygons of the areas, in any format that GDAL reads.")],
    name: Annotated[str, typer.Option("--name", help="Column of the polygons with the areas' names.")],
    by: Annotated[str, typer.Option("--by", help="Column of the counts with the areas' names.")] = "area",
    baselines: Annotated[
        list[str] | None,
        typer.Option("--baseline", help="An earlier period that ranks them too. May be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rank correlation of a surface with counts by area.

    Beside it that of earlier counts; says nothing of calibration.
    """
    from rtm_pipeline.publication.lookup.area_totals import raster_by_area

    rows = _read(table)
    if by not in rows.column_names:
        raise ConfigError(f"--by: the table has no column '{by}'. It has: {', '.join(rows.column_names)}.")
    periods = [column for column in rows.column_names if column != by]
    rules = list(baselines or ())
    for rule in rules:
        _numbers(rows, rule, "--baseline")
    totals = raster_by_area(raster, polygons, name)
    names = [str(value) for value in rows.column(by).to_pylist()]
    found = _area_ranks(rows, names, totals, periods, rules)
    found |= {
        "without_polygon": sorted(set(names) - set(totals)),
        "without_counts": sorted(set(totals) - set(names)),
    }
    say(json.dumps(found, indent=2, allow_nan=False) if as_json else _areas_text(found))


def _area_ranks(
    rows: pa.Table, names: list[str], totals: dict[str, float], periods: list[str], rules: list[str]
) -> dict[str, Any]:
    """Rank agreement of the surface and of each earlier period with every other period."""
    import numpy as np

    from rtm_pipeline.evaluation.areas import rank_agreement

    surfaces = {"surface": np.array([totals.get(name, np.nan) for name in names])}
    known = np.isfinite(surfaces["surface"])
    surfaces |= {rule: np.where(known, _numbers(rows, rule, "--baseline"), np.nan) for rule in rules}
    found: dict[str, Any] = {}
    for period in periods:
        if period in rules:
            continue
        counts = _numbers(rows, period, "column")
        found[period] = {
            label: {"correlation": item.correlation, "low": item.low, "high": item.high, "areas": item.areas}
            for label, values in surfaces.items()
            for item in (rank_agreement(values, counts),)
        }
    return {"interval_level": 0.95, "periods": found}


def _areas_text(found: dict[str, Any]) -> str:
    periods = found["periods"]
    labels = list(next(iter(periods.values()), {}))
    lines = [
        "rank correlation (Spearman) with the counts of each period, 95 % interval",
        f"{'period':<10}{'areas':>7}" + "".join(f"{label:>26}" for label in labels),
    ]
    for period, items in periods.items():
        cells = "".join(f"{_rank_text(items[label]):>26}" for label in labels)
        lines.append(f"{period:<10}{items[labels[0]]['areas']:>7}{cells}")
    for key, words in (("without_polygon", "counted, but no polygon"), ("without_counts", "polygon without counts")):
        if found[key]:
            lines.append(
                f"{len(found[key])} areas left out ({words}): {', '.join(found[key][:8])}"
                + (" ..." if len(found[key]) > 8 else "")
            )
    return "\n".join(lines)


def _rank_text(item: dict[str, Any]) -> str:
    if item["correlation"] is None:
        return "-"
    return f"{item['correlation']:.3f} ({item['low']:.3f} to {item['high']:.3f})"
