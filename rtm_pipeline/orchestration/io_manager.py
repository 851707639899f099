"""How values travel between assets: through the artifact store, and only if they belong together."""

# No `from __future__ import annotations` here: see assets.py.

from collections.abc import Mapping
from typing import Any

import dagster as dg

from rtm_pipeline.errors import StaleArtifactError
from rtm_pipeline.orchestration.artifacts import ArtifactStore
from rtm_pipeline.orchestration.assets import SETTINGS
from rtm_pipeline.orchestration.paths import Paths
from rtm_pipeline.orchestration.settings import Settings
from rtm_pipeline.orchestration.step import Step, recipes, stale_inputs

__all__ = ["ArtifactIOManager"]

MANY = 6  # more assets than a person wants to pick by hand


class ArtifactIOManager(dg.IOManager):
    """Stores what a step made; refuses to hand a consumer inputs made under other settings than it runs with."""

    def __init__(self, paths: Paths, steps: Mapping[str, Mapping[str, Step]]) -> None:
        self._paths = paths
        self._steps = steps
        self._stores: dict[str, ArtifactStore] = {}
        self._checked: set[str] = set()
        self._recipes: dict[tuple[str, str], Mapping[str, str]] = {}

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Store a value with its recipe and the digests of its inputs."""
        city, name = context.asset_key.path
        store = self._store(city)
        if name == SETTINGS:
            saved = store.save(name, obj, recipe=SETTINGS, inputs={})
        else:
            steps = self._steps[city]
            inputs = {parent: header.content for parent in steps[name].inputs if (header := store.header(parent))}
            saved = store.save(name, obj, recipe=self._wanted(store, city)[name], inputs=inputs)
        context.add_output_metadata({"stored": dg.MetadataValue.path(str(store.path(name))), "digest": saved.content})

    def load_input(self, context: dg.InputContext) -> Any:
        """The value of an upstream asset.

        Raises
        ------
        StaleArtifactError
            Some input of the consumer was made under other settings or from other data; the message names what to
            rerun, in order.
        """
        city, name = context.asset_key.path
        store = self._store(city)
        consumer = context.op_def.name.removeprefix(f"{city}__")
        if consumer not in self._checked:
            self._refuse_stale(store, city, consumer)
            self._checked.add(consumer)
        return store.load(name).value

    def _refuse_stale(self, store: ArtifactStore, city: str, consumer: str) -> None:
        steps = self._steps[city]
        stale = stale_inputs(steps[consumer], steps, self._wanted(store, city), store)
        if stale:
            names = ", ".join(stale)
            all_at_once = f" Or launch the job {city}_nightly, which makes all." if len(stale) > MANY else ""
            raise StaleArtifactError(
                f"{consumer} can't run: {names} {'was' if len(stale) == 1 else 'were'} made under other settings or "
                f"from other data than now. Materialize {'it' if len(stale) == 1 else 'them'} first, in this order."
                f"{all_at_once}"
            )

    def _wanted(self, store: ArtifactStore, city: str) -> Mapping[str, str]:
        """Recipes under the stored settings; worked out once, since every step asks for them."""
        settings = self._settings(store)
        key = (city, store.load(SETTINGS).header.content)
        if key not in self._recipes:
            self._recipes = {key: recipes(self._steps[city], settings)}
        return self._recipes[key]

    def _settings(self, store: ArtifactStore) -> Settings:
        value = store.load(SETTINGS).value
        if not isinstance(value, Settings):
            raise StaleArtifactError("The stored settings are not settings. Materialize settings again.")
        return value

    def _store(self, city: str) -> ArtifactStore:
        if city not in self._stores:
            self._stores[city] = ArtifactStore(self._paths.artifacts, city)
        return self._stores[city]
