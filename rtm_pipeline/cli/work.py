"""Commands from surface to work: plan, whatif, helped, evidence."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtm_pipeline.cli.app import AsJson, Config, ConfigDir, Output, app, say
from rtm_pipeline.cli.arguments import date_of, load_city
from rtm_pipeline.cli.releases import current_release
from rtm_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from rtm_pipeline.orchestration.paths import Paths
    from rtm_pipeline.orchestration.registers.history import CityHistory, KeptPlan

__all__: list[str] = []

plan_app = typer.Typer(help="Dated work lists, which later nights score.", no_args_is_help=True)
evidence_app = typer.Typer(help="The effect registry, and what results propose.", no_args_is_help=True)
app.add_typer(plan_app, name="plan")
app.add_typer(evidence_app, name="evidence")

Plan = Annotated[str | None, typer.Option("--plan", help="Id of the plan. Default: the latest.")]
By = Annotated[str, typer.Option("--by", help="Who says so.")]
On = Annotated[str | None, typer.Option("--on", help="Day, as 2026-01-31. Default: today in the city.")]


def _history(config: str, config_dir: Path | None, output: str | None) -> tuple[CityHistory, Paths, str, date]:
    from rtm_pipeline.orchestration.registers.history import CityHistory
    from rtm_pipeline.orchestration.settings import local_today

    loaded, paths = load_city(config, config_dir, output, None, None)
    city = loaded.city
    return CityHistory(paths.output, city.name), paths, city.name, local_today(city.timezone)


def _plan_of(history: CityHistory, plan_id: str | None) -> KeptPlan:
    plans = history.plans()
    if not plans:
        raise ConfigError("No plan has been frozen yet. Use `rtm plan freeze`.")
    if plan_id is None:
        return plans[-1]
    for kept in plans:
        if kept.plan.plan_id == plan_id:
            return kept
    raise ConfigError(f"There is no plan {plan_id}. There are: {', '.join(kept.plan.plan_id for kept in plans)}.")


@plan_app.command("freeze")
def plan_freeze(
    config: Config,
    output: Output = None,
    config_dir: ConfigDir = None,
    run: Annotated[str | None, typer.Option("--run", help="Run id of the release. Default: the current one.")] = None,
    on: Annotated[str | None, typer.Option("--on", help="Date of the plan. Default: the release's day.")] = None,
    site: Annotated[list[str] | None, typer.Option("--site", help="Take these sites, not the funded ones.")] = None,
    randomize_line: Annotated[
        bool, typer.Option("--randomize-line", help="Draw the order of near-equal sites at the funding line.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Seed of the draw. Default: from the release's id.", min=0)] = None,
    tolerance: Annotated[float, typer.Option(help="Relative distance from the line that counts as equal.")] = 0.05,
    as_json: AsJson = False,
) -> None:
    """Freeze the funded sites as a dated work list."""
    from rtm_pipeline.orchestration.locks import city_lock
    from rtm_pipeline.orchestration.registers.plans import plan_of_release

    history, paths, city, today = _history(config, config_dir, output)
    release, known = current_release(paths, city, run)
    day = date_of(on, "--on") or known
    if not known <= day <= max(known, today):
        raise ConfigError(
            f"--on: {day} lies before what the release knows ({known}) or in the future; a plan is frozen in between."
        )
    drawn = (seed if seed is not None else int(release.name[-8:], 16)) if randomize_line else None
    kept = plan_of_release(release, frozen_on=day, site_ids=site or None, draw_seed=drawn, tolerance=tolerance)
    with city_lock(paths.locks, city, paths.output):
        path = history.keep_plan(kept)
    facts = {
        "plan_id": kept.plan.plan_id,
        "sites": len(kept.plan.sites),
        "expected_around": kept.expected,
        "draws": [{"action": one.action, "seed": one.draw.seed, "sites": len(one.draw.site_id)} for one in kept.draws],
        "path": str(path),
    }
    if as_json:
        say(json.dumps(facts, indent=2))
        return
    say(f"Plan {facts['plan_id']}: {facts['sites']} sites, frozen on {kept.plan.frozen_on}")
    for one in kept.draws:
        say(f"  drawn at the line of {one.action}: {len(one.draw.site_id)} near-equal sites, seed {one.draw.seed}")
    say(f"  {path}")


@plan_app.command("status")
def plan_status(
    config: Config,
    output: Output = None,
    config_dir: ConfigDir = None,
    plan: Plan = None,
    on: On = None,
    as_json: AsJson = False,
) -> None:
    """Show the plans, and the sites of one with their status."""
    from rtm_pipeline.orchestration.registers.plans import plan_rows

    history, _, _, today = _history(config, config_dir, output)
    kept = _plan_of(history, plan)
    rows = plan_rows(kept, date_of(on, "--on") or today)
    if as_json:
        say(json.dumps({"plans": [one.plan.plan_id for one in history.plans()], "sites": rows}, indent=2))
        return
    say("plans: " + ", ".join(one.plan.plan_id for one in history.plans()))
    say(f"{'rank':>4}  {'site':<16} {'work':<12} {'status':<10} {'cost (USD)':>10}  neighborhood")
    for row in rows:
        cost = "-" if row["cost_usd"] is None else f"{row['cost_usd']:,.0f}"
        place = str(row["neighborhood"])
        say(f"{row['rank']:>4}  {row['site_id']:<16} {row['action']:<12} {row['status']:<10} {cost:>10}  {place}")


@plan_app.command("update")
def plan_update(
    config: Config,
    site: Annotated[str, typer.Argument(help="Id of the site.")],
    status: Annotated[str, typer.Argument(help="inspected, ordered or done.")],
    by: By,
    output: Output = None,
    config_dir: ConfigDir = None,
    plan: Plan = None,
    on: On = None,
    note: Annotated[str, typer.Option(help="What else should be known.")] = "",
) -> None:
    """Report what happened to a site of a plan. Sites that are done enter the register of treated sites."""
    from rtm_pipeline.orchestration.locks import city_lock
    from rtm_pipeline.priorities.plans.plan import StatusEntry

    history, paths, city, today = _history(config, config_dir, output)
    with city_lock(paths.locks, city, paths.output):
        kept = _plan_of(history, plan)
        day = date_of(on, "--on") or today
        if day > today:
            raise ConfigError(f"--on: {day} lies in the future; report what has happened.")
        history.add_status(kept, StatusEntry(kept.plan.plan_id, site, status, day, by, note))
    say(f"Plan {kept.plan.plan_id}: site {site} is {status} ({day}, {by}).")


@app.command()
def whatif(
    config: Config,
    output: Output = None,
    config_dir: ConfigDir = None,
    treat: Annotated[list[str] | None, typer.Option("--treat", help="SITE or SITE=work. May be repeated.")] = None,
    treat_file: Annotated[
        Path | None, typer.Option("--treat-file", help="CSV with the columns site and, if wanted, work.")
    ] = None,
    demolish: Annotated[list[str] | None, typer.Option("--demolish", help="A building. May be repeated.")] = None,
    without_311: Annotated[
        list[str] | None, typer.Option("--without-311", help="A category of requests to leave out. May be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What would change: sites treated, a 311 category left out.

    Against the last run; nothing is released.
    """
    from rtm_pipeline.orchestration.locks import city_lock
    from rtm_pipeline.orchestration.studies.whatif import WhatIf, parse_site, run_whatif
    from rtm_pipeline.orchestration.studies.whatif_result import whatif_text

    _, paths, city, _ = _history(config, config_dir, output)
    named = [parse_site(text) for text in treat or ()]
    named += _sites_of(treat_file) if treat_file is not None else []
    request = WhatIf(tuple(named), tuple(demolish or ()), tuple(without_311 or ()))
    with city_lock(paths.locks, city, paths.output):
        result = run_whatif(city, paths, request)
    say(json.dumps(result.facts, indent=2) if as_json else whatif_text(result.facts, result.folder))


def _sites_of(path: Path) -> list[tuple[str, str]]:
    """Sites and work of a CSV file."""
    from rtm_pipeline.priorities.register_rows import is_blank, register_rows

    if not path.is_file():
        raise ConfigError(f"--treat-file: there is no file {path}.")
    rows = [row for row in register_rows(path, ("site",), f"--treat-file: {path.name}") if not is_blank(row)]
    found = [((row.get("site") or "").strip(), (row.get("work") or "").strip()) for row in rows]
    missing = [number for number, (site, _) in enumerate(found, start=1) if not site]
    if not found or missing:
        where = f"row {missing[0]}" if missing else "no rows"
        raise ConfigError(f"--treat-file: {path.name}, {where}: a column 'site' (and maybe 'work') is needed.")
    return found


@app.command()
def helped(
    config: Config,
    output: Output = None,
    config_dir: ConfigDir = None,
    run: Annotated[str | None, typer.Option("--run", help="Run id of the release. Default: the current one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Did finished work help, against matched controls?

    Or against a randomized order; as of the current release.
    """
    facts = _programs(config, output, config_dir, run)["did_it_help"]
    say(json.dumps(facts, indent=2) if as_json else _helped_text(facts))


def _programs(config: str, output: str | None, config_dir: Path | None, run: str | None) -> dict[str, Any]:
    _, paths, city, _ = _history(config, config_dir, output)
    release, _ = current_release(paths, city, run)
    path = release / "restricted" / "programs.json"
    if not path.is_file():
        raise ConfigError(f"The release {release.name} has no programs: configure `programs` and run the night.")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _helped_text(facts: dict[str, Any]) -> str:
    lines = [f"{'program':<14}{'year':>5}  {'design':<11}{'pairs':>6}{'WDD':>9}{'SE':>8}{'rings':>8}  change (95 %)"]
    for row in facts["estimates"]:
        change = row["note"]
        if row["relative_change"] is not None:
            change = f"{row['relative_change']:+.1%} ({row['low']:+.1%} to {row['high']:+.1%})"
        lines.append(
            f"{row['program']:<14}{row['year']:>5}  {row['design']:<11}{row['n_pairs']:>6}{row['wdd']:>+9.1f}"
            f"{row['wdd_se']:>8.2f}{row['ring']:>+8.1f}  {change}"
        )
        refused = sum(row["refused"].values())
        if refused:
            lines.append(f"    {refused} treated sites refused: " + "; ".join(row["refused"]))
    if not facts["estimates"]:
        lines.append("nothing could be evaluated yet")
    lines += [f"waits: {text}" for text in facts["waiting"]]
    lines += [f"proposed: {row['key']} (see `rtm evidence show`)" for row in facts["proposals"]]
    return "\n".join(lines)


@evidence_app.command("show")
def evidence_show(config: Config, output: Output = None, config_dir: ConfigDir = None, as_json: AsJson = False) -> None:
    """Effects in use, entries that people accepted, and what the current release proposes."""
    from rtm_pipeline.priorities.effects.evidence import load_registry

    history, _, _, _ = _history(config, config_dir, output)
    facts = _programs(config, output, config_dir, None)
    found = {
        "in_use": facts["work"]["work"],
        "accepted": history.evidence(),
        "proposals": facts["did_it_help"]["proposals"],
        "shipped": sorted(load_registry().effects),
    }
    if as_json:
        say(json.dumps(found, indent=2))
        return
    for row in found["in_use"]:
        say(f"in use    {row['name']:<12} {row['effect_key']:<28} {-row['reduction']:+.1%}  {row['source']}")
    for key, row in found["accepted"].get("effects", {}).items():
        say(f"accepted  {row['intervention']:<12} {key:<28} {row['relative_change']:+.1%}  {row['note']}")
    for row in found["proposals"]:
        fields = row["fields"]
        say(
            f"proposed  {row['work']:<12} {row['key']:<28} {row['measured']:+.1%} "
            f"({fields['low']:+.1%} to {fields['high']:+.1%}), in use {row['in_use']:+.1%}, pooled {row['pooled']:+.1%}"
        )


@evidence_app.command("accept")
def evidence_accept(
    config: Config,
    key: Annotated[str, typer.Argument(help="Key of the proposal.")],
    by: By,
    use: Annotated[bool, typer.Option("--use", help="Use it where the configuration names none.")] = False,
    output: Output = None,
    config_dir: ConfigDir = None,
    on: On = None,
) -> None:
    """Accept a proposal of the current release into the city's registry; it names who did."""
    from rtm_pipeline.orchestration.locks import city_lock
    from rtm_pipeline.priorities.effects.proposals import Proposal, accept

    history, paths, city, today = _history(config, config_dir, output)
    proposals = {row["key"]: row for row in _programs(config, output, config_dir, None)["did_it_help"]["proposals"]}
    if key not in proposals:
        raise ConfigError(f"There is no proposal {key}. There are: {', '.join(proposals) or 'none'}.")
    row = proposals[key]
    proposal = Proposal(**{name: row[name] for name in Proposal.__dataclass_fields__})
    override: dict[str, Any] = accept(proposal, by=by, on=date_of(on, "--on") or today)
    if use:
        override["defaults"] = {row["work"]: {"effect": key}}
    with city_lock(paths.locks, city, paths.output):
        history.accept(override)
    say(f"Accepted {key} by {by}{'; ' + row['work'] + ' uses it from the next night on' if use else ''}.")
