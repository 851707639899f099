"""From a text to a root: a local folder, or a bucket."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from rtm_pipeline.errors import ConfigError

__all__ = ["is_remote", "local_copy", "modified_at", "remove_tree", "root_of"]


def root_of(place: Path | str) -> Path:
    """An absolute local folder, or a bucket for ``s3://BUCKET/PREFIX``.

    Keys, region and endpoint of a bucket come from where AWS's own tools take them (``AWS_ACCESS_KEY_ID``,
    ``AWS_ENDPOINT_URL``, a profile, the role of the machine); no configuration holds them.

    Raises
    ------
    ConfigError
        The scheme is none of ours, the bucket has no name, or the extra ``s3`` is not installed.
    """
    text = str(place)
    if "://" not in text:
        return Path(place).absolute()
    scheme, _, rest = text.partition("://")
    if scheme == "file" and rest.startswith("/"):
        return Path(rest)
    if scheme != "s3" or not rest.partition("/")[0]:
        raise ConfigError(f"The output {text!r} is neither a folder nor s3://BUCKET/PREFIX.")
    try:
        import s3fs  # noqa: F401 - universal-pathlib would fail later, with a message that names no remedy
        from upath import UPath
    except ImportError:
        raise ConfigError(f"{text} needs the extra 's3': pip install 'rtm_pipeline[s3]'.") from None
    # Listings are not cached: another process may have written since.
    return cast(Path, UPath(text.rstrip("/"), use_listings_cache=False))


def is_remote(path: Path) -> bool:
    """Whether a path lies in a bucket."""
    return not isinstance(path, Path)


def modified_at(path: Path) -> float:
    """When a file was last written, seconds since 1970 by the clock of where it lies."""
    if not is_remote(path):
        return path.stat().st_mtime
    info: dict[str, Any] = cast(Any, path).fs.info(str(path), refresh=True)
    return float(info["LastModified"].timestamp())


def remove_tree(folder: Path) -> None:
    """Remove a folder and all that is in it; one that is not there is no error."""
    if is_remote(folder):
        file_system = cast(Any, folder).fs
        if file_system.exists(str(folder)):
            file_system.rm(str(folder), recursive=True)
        return
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def local_copy(path: Path) -> Iterator[Path]:
    """A file as programs want it that read local disks only; a copy is removed afterwards."""
    if not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="rtm-") as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(path.read_bytes())
        yield copy
