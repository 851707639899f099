"""Where things lie: the one place that turns names into folders."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.orchestration.process import cache_folder
from rtm_pipeline.storage.roots import is_remote, root_of

__all__ = ["Paths"]


@dataclass(frozen=True, slots=True)
class Paths:
    """Folders of an installation.

    Attributes
    ----------
    output : Path
        Root of releases, snapshots, artifacts and history: a folder, or a bucket (see `storage`).
    data_dir : Path, optional
        Where file sources are, for all cities; by default ``RTM_DATA_DIR`` (a folder named like the city inside it
        comes first), else ``./data/CITY`` if it is there, else the folder of the configuration.
    config_dir : Path
        Where configurations are.
    """

    output: Path
    config_dir: Path
    data_dir: Path | None = None

    @classmethod
    def resolve(
        cls,
        *,
        config_dir: Path | str | None = None,
        output: Path | str | None = None,
        data_dir: Path | str | None = None,
    ) -> Paths:
        """Arguments first, then environment, then the defaults."""
        configs = Path(config_dir or os.environ.get("RTM_CONFIG_DIR") or "configs")
        root = root_of(output or os.environ.get("RTM_OUTPUT") or "output")
        return cls(root, configs.absolute(), Path(data_dir).absolute() if data_dir else None)

    def data_for(self, city: str, config_path: Path) -> Path:
        """The folder against which a city's file sources resolve.

        Raises
        ------
        ConfigError
            The folder that was named does not exist.
        """
        if self.data_dir is not None:
            if not self.data_dir.is_dir():
                raise ConfigError(f"The data folder {self.data_dir} (--data-dir) does not exist.")
            return self.data_dir
        named = os.environ.get("RTM_DATA_DIR")
        if named:
            root = Path(named).absolute()
            if not root.is_dir():
                raise ConfigError(f"The data folder {root} (RTM_DATA_DIR) does not exist.")
            return root / city if (root / city).is_dir() else root
        usual = Path("data", city).absolute()
        return usual if usual.is_dir() else config_path.absolute().parent

    @property
    def releases(self) -> Path:
        """Releases of all cities."""
        return self.output / "releases"

    @property
    def snapshots(self) -> Path:
        """Snapshots of all cities."""
        return self.output / "snapshots"

    @property
    def artifacts(self) -> Path:
        """Values between assets, of all cities."""
        return self.output / "artifacts"

    @property
    def history(self) -> Path:
        """What outlives single nights, of all cities."""
        return self.output / "history"

    @property
    def local_state(self) -> Path:
        """A local folder for what can't lie in a bucket (Dagster's own records): the output, or else the cache."""
        return self.cache if is_remote(self.output) else self.output

    @property
    def locks(self) -> Path:
        """Locks of local outputs; outside the output root, which may be a share."""
        return self.cache / "locks"

    @property
    def cache(self) -> Path:
        """Scratch, compiled kernels and locks: ``RTM_CACHE_DIR``."""
        return cache_folder()
