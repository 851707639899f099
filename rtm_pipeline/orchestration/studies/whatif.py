"""What if: treat these sites, demolish these buildings, take a kind of 311 request away; see what changes.

Two answers that must not be mixed up. The *benefit* is what studies say the work prevents. The *change of the
surfaces* is what the model would say of a landscape without these features: an association, never an effect. Nothing
here is stored among the artifacts or released; a result lies in a folder of its own.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rtm_pipeline.errors import ConfigError, StaleArtifactError
from rtm_pipeline.layers.layer import Layer, LayerResult
from rtm_pipeline.orchestration.artifacts import ArtifactStore
from rtm_pipeline.orchestration.settings import Settings
from rtm_pipeline.orchestration.step import Step, StepContext, StepResult, recipes, stale_inputs
from rtm_pipeline.orchestration.steps.factors import NIGHTLY, VINTAGES, factor_pair, factor_step
from rtm_pipeline.orchestration.steps.ingest import PLACE, layer_step
from rtm_pipeline.orchestration.steps.model import TERRAIN
from rtm_pipeline.orchestration.steps.night import steps_of
from rtm_pipeline.orchestration.steps.priorities import PRIORITIES
from rtm_pipeline.orchestration.steps.surface import FORECAST
from rtm_pipeline.orchestration.studies.whatif_result import WhatIfResult, write_result

if TYPE_CHECKING:
    from rtm_pipeline.orchestration.paths import Paths

__all__ = ["WhatIf", "WhatIfResult", "parse_site", "run_whatif"]

ENDS = ("greening", "repair", "demolition")
"""Work after which a site is no vacant lot or dilapidated building any more; a mown lot stays vacant."""


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What to try.

    Attributes
    ----------
    treat : tuple of (str, str)
        Site and kind of work; an empty work takes the one that is recommended there.
    demolish : tuple of str
        Buildings.
    without_311 : tuple of str
        Categories of requests that are taken away, as if they had never been recorded.
    """

    treat: tuple[tuple[str, str], ...] = ()
    demolish: tuple[str, ...] = ()
    without_311: tuple[str, ...] = ()

    @property
    def work(self) -> dict[str, str]:
        """Site -> kind of work.

        Raises
        ------
        ConfigError
            A site is named twice.
        """
        pairs = [*self.treat, *((name, "demolition") for name in self.demolish)]
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ConfigError("A site is named twice: it can get one kind of work only.")
        return found


def parse_site(text: str) -> tuple[str, str]:
    """``SITE`` or ``SITE=work``."""
    site, _, work = text.partition("=")
    return site.strip(), work.strip()


def run_whatif(city: str, paths: Paths, request: WhatIf) -> WhatIfResult:
    """Compute what would change against the last run of a city.

    Raises
    ------
    ConfigError
        Nothing is asked, or a site, work or category is unknown.
    StaleArtifactError
        There is no complete run to compare with.
    """
    if not (request.treat or request.demolish or request.without_311):
        raise ConfigError("Nothing to try: name sites to treat, buildings to demolish or 311 categories to leave out.")
    store = ArtifactStore(paths.artifacts, city)
    settings = _settings(store, city)
    steps = steps_of(settings.city)
    base = _base(store, steps, settings)
    done = _treat(base, settings, request.work)
    changed, other = _changed(base, settings, request, done)
    after = _replay(base, other, changed, paths, bool(request.without_311))
    digest = hashlib.sha256(
        json.dumps([settings.config, settings.as_of.isoformat(), request.work, request.without_311]).encode()
    ).hexdigest()[:12]
    folder = paths.local_state / "artifacts" / city / "whatif" / f"{settings.as_of.isoformat()}-{digest}"
    return write_result(folder, settings, base, after, done, {"work": request.work, "without_311": request.without_311})


def _settings(store: ArtifactStore, city: str) -> Settings:
    try:
        value = store.load("settings").value
    except StaleArtifactError:
        raise StaleArtifactError(f"There is no run of {city} to compare with. Run `rtm run {city}` first.") from None
    if not isinstance(value, Settings):
        raise StaleArtifactError("The stored settings are not settings. Run the night again.")
    return value


def _base(store: ArtifactStore, steps: Mapping[str, Step], settings: Settings) -> dict[str, Any]:
    """The values of the last run that a what-if needs, refused unless they belong together."""
    names = [PLACE, VINTAGES, TERRAIN, FORECAST, *([PRIORITIES] if PRIORITIES in steps else [])]
    names += [name for step in names for name in steps[step].inputs]
    wanted = list(dict.fromkeys([*names, *(layer_step(name) for name in settings.city.layers)]))
    probe = Step("whatif", tuple(wanted), lambda city, as_of: None, lambda context, inputs: StepResult(None), "", "")
    stale = stale_inputs(probe, steps, recipes(steps, settings), store)
    if stale:
        raise StaleArtifactError(
            f"The last run of {settings.city.name} is not complete or was made by other code ({', '.join(stale[:4])}). "
            f"Run `rtm run {settings.city.name}` first."
        )
    return {name: store.load(name).value for name in wanted}


def _treat(base: Mapping[str, Any], settings: Settings, work: Mapping[str, str]) -> dict[str, str]:
    """Site -> work with the recommended work filled in, checked against the inventory."""
    if not work:
        return {}
    if PRIORITIES not in base:
        raise ConfigError("Sites can be treated only where programs are configured.")
    result = base[PRIORITIES]
    model, names = result.model, [kind.name for kind in result.model.kinds]
    at = model.sites.index_of(list(work), "what-if list")
    filled = {}
    for position, (site, name) in zip(at.tolist(), work.items(), strict=True):
        action = int(result.values.action[position])
        if not name and action < 0:
            raise ConfigError(f"No work is recommended at {site}; say which, as {site}=greening.")
        filled[site] = name or names[action]
        if filled[site] not in names:
            raise ConfigError(f"There is no work called {filled[site]!r}; the kinds are {', '.join(names)}.")
    return filled


def _changed(
    base: Mapping[str, Any], settings: Settings, request: WhatIf, work: Mapping[str, str]
) -> tuple[dict[str, Any], Settings]:
    """Layers as they would be, and the settings without the factors of what is taken away."""
    changed: dict[str, Any] = {}
    plan = settings.city.programs
    ended = {site for site, name in work.items() if name in ENDS}
    for sites in plan.sites if plan is not None else ():
        result: LayerResult = base[layer_step(sites.layer)]
        layer = changed.get(layer_step(sites.layer), result).layer
        changed[layer_step(sites.layer)] = replace(result, layer=_end(layer, sites.id, ended, settings))
    if not ended:
        changed = {}
    config: dict[str, Any] = json.loads(json.dumps(settings.config))
    if request.without_311:
        changed |= _without(base, settings, request.without_311)
        config["factors"] = _factors_without(config, changed, set(request.without_311))
    # replicates say how sure a model is; what changes does not depend on them
    config.setdefault("model", {})["bootstrap"] = {"refits": 0, "selections": 0}
    return changed, replace(settings, config=config)


def _end(layer: Layer, column: str, ended: set[str], settings: Settings) -> Layer:
    """The layer with these sites gone from the run's day on; its past stays as it was."""
    from rtm_pipeline.priorities.sites import column_texts

    gone = np.isin(column_texts(layer, column), np.array(sorted(ended), dtype=np.str_))
    day = np.datetime64(datetime.combine(settings.as_of, time()), "s")
    return replace(layer, until=np.where(gone, day, layer.until))


def _without(base: Mapping[str, Any], settings: Settings, categories: tuple[str, ...]) -> dict[str, Any]:
    """Layers of requests without the rows of some categories."""
    from rtm_pipeline.layers.vintage import select_rows

    known: list[str] = []
    changed = {}
    for name, spec in settings.city.layers.items():
        result: LayerResult = base[layer_step(name)]
        if spec.kind != "requests" or not result.layer.category_names:
            continue
        known += result.layer.category_names
        codes = [at for at, one in enumerate(result.layer.category_names) if one in categories]
        if codes:
            changed[layer_step(name)] = replace(
                result, layer=select_rows(result.layer, ~np.isin(result.layer.category, codes))
            )
    strange = [name for name in categories if name not in known]
    if strange:
        raise ConfigError(f"There is no 311 category {', '.join(strange)}; there are: {', '.join(known) or 'none'}.")
    return changed


def _factors_without(config: Mapping[str, Any], changed: Mapping[str, Any], gone: set[str]) -> dict[str, Any]:
    kept = {}
    for name, factor in config["factors"].items():
        categories = factor.get("categories") or []
        if layer_step(factor["layer"]) not in changed or not gone & set(categories):
            kept[name] = factor
        elif left := [one for one in categories if one not in gone]:
            kept[name] = {**factor, "categories": left}
    return kept


def _replay(
    base: Mapping[str, Any], settings: Settings, changed: Mapping[str, Any], paths: Paths, again: bool
) -> dict[str, Any]:
    """The values that follow from changed layers: factors, model, forecast; with ``again``, the priorities too."""
    if not changed:
        return dict(base)
    values = {**base, **changed}
    steps = steps_of(settings.city)
    place, vintages = values[PLACE], values[VINTAGES]
    for name, spec in settings.city.factors.items():
        if layer_step(spec.layer) in changed:  # a factor that lost a category lies on such a layer as well
            layer = values[layer_step(spec.layer)].layer
            pair = factor_pair(layer, place, spec, vintages.nightly.known_at, vintages.as_of, assume_history=True)
            values[factor_step(name)] = {NIGHTLY: pair}
    with tempfile.TemporaryDirectory() as scratch:
        context = StepContext(settings, Path(scratch), Path(scratch), "whatif")
        for name in (TERRAIN, FORECAST, *((PRIORITIES,) if again and PRIORITIES in steps else ())):
            values[name] = steps[name].run(context, {key: values[key] for key in steps[name].inputs}).value
    return values
