"""Where things lie: the one place that turns names into folders."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rtm_pipeline.errors import ConfigError

__all__ = ["Paths"]


@dataclass(frozen=True, slots=True)
class Paths:
    """Folders of an installation.

    Attributes
    ----------
    output : Path
        Root of releases, snapshots, artifacts and history.
    data_dir : Path, optional
        Where file sources are, for all cities; by default ``RTM_DATA_DIR`` (a folder named like the city inside it
        comes first), else the folder of the configuration.
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
        root = Path(output or os.environ.get("RTM_OUTPUT") or "output")
        return cls(root.absolute(), configs.absolute(), Path(data_dir).absolute() if data_dir else None)

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
        return config_path.absolute().parent

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
    def locks(self) -> Path:
        """Locks; outside the output root, which may be a share or a bucket."""
        return self.cache / "locks"

    @property
    def cache(self) -> Path:
        """Scratch, compiled kernels and locks: ``RTM_CACHE_DIR``."""
        named = os.environ.get("RTM_CACHE_DIR")
        return Path(named).absolute() if named else Path(tempfile.gettempdir()) / f"rtm_pipeline-{os.getuid()}"
