"""What must be set in a process before numpy and numba are imported."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from rtm_pipeline.errors import ConfigError

__all__ = ["cache_folder", "prepare_process", "turns_folder"]

# One thread: sums of several would depend on how many there are. Numba's own threads are not meant.
_BLAS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


# Drivers of GDAL whose "files" are descriptions of other files, programs or addresses. Sources that are such are
# refused before GDAL sees them (`sources.files.vector_head`); that it doesn't know them is the second lock.
_OGR_SKIP = "OGR_VRT,GDALG,ADBC,AmigoCloud,Carto,CSW,EEDA,Elasticsearch,GPSBabel,HTTP,NGW,OAPIF,OGCAPI,PLSCENES,WFS"


def cache_folder() -> Path:
    """Folder of scratch, compiled kernels and locks: ``RTM_CACHE_DIR``, else one of this user in the temporary folder.

    Every process that may write to the same output must have the same one, because the locks lie in it.
    """
    named = os.environ.get("RTM_CACHE_DIR")
    return Path(named).absolute() if named else Path(tempfile.gettempdir()) / f"rtm_pipeline-{os.getuid()}"


def turns_folder() -> Path:
    """Folder in which the runs of this machine share their turns at portals with a limit."""
    return cache_folder() / "turns"


def prepare_process() -> None:
    """Give BLAS one thread, compiled kernels a folder that is this user's own, and GDAL no driver that leads elsewhere.

    ``NUMBA_CACHE_DIR``, where it is set already, is kept.

    Raises
    ------
    ConfigError
        The folder can't be made, or another user owns it or may write to it, whose compiled code must not be run.
    """
    for name in _BLAS:
        os.environ[name] = "1"
    os.environ.setdefault("OGR_SKIP", _OGR_SKIP)
    os.environ.setdefault("GML_DOWNLOAD_SCHEMA", "NO")
    cache = cache_folder()
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = cache.stat()
    except OSError as error:
        raise ConfigError(
            f"The cache folder {cache} can't be made ({error.strerror}). Set RTM_CACHE_DIR to one that can be written."
        ) from None
    if found.st_uid not in (os.getuid(), 0):
        raise ConfigError(
            f"The cache folder {cache} belongs to another user (uid {found.st_uid}). Set RTM_CACHE_DIR to one of your "
            "own."
        )
    if found.st_mode & stat.S_IWOTH:  # such as a link of this name to /var/tmp that another user has made
        raise ConfigError(
            f"Everybody may write to the cache folder {cache}, and compiled code is run from it. Set RTM_CACHE_DIR to "
            f"a folder of your own, or take the right away: chmod o-w {cache}."
        )
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache / "numba"))
