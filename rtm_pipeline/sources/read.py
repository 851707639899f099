"""The one entrance to the outside world: any source in, its declared columns out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rtm_pipeline.sources.files.files import read_files
from rtm_pipeline.sources.portals.arcgis import read_arcgis
from rtm_pipeline.sources.portals.socrata import read_socrata
from rtm_pipeline.sources.portals.transport import Transport
from rtm_pipeline.sources.source_read import SourceRead
from rtm_pipeline.sources.spec import ColumnRequest, FileSource, SocrataSource, Source

__all__ = ["read_source"]


def read_source(
    spec: Source,
    request: Sequence[ColumnRequest],
    *,
    data_dir: Path,
    geometry: bool = False,
    transport: Transport | None = None,
    state_dir: Path | None = None,
    now: datetime | None = None,
) -> SourceRead:
    """Read a source, whatever its kind.

    Parameters
    ----------
    spec : FileSource, SocrataSource or ArcGISSource
    request : sequence of ColumnRequest
        The columns that the layers on this source declare; nothing else is kept.
    data_dir : Path
        Folder to which the paths of file sources are relative.
    geometry : bool
        Whether a layer wants the source's native geometry.
    transport : Transport, optional
        How portals are asked; by default https with the usual patience.
    state_dir : Path, optional
        Folder of this source for what a pull has got so far, so that a cut night goes on where it was cut and the
        next reads only what changed. Without one everything is read. Files need none.
    now : datetime, optional
        Time of the reading, with its time zone; by default the clock's.

    Raises
    ------
    ConfigError, SourceError, SchemaError
        As the reader of its kind says.
    """
    if isinstance(spec, FileSource):
        return read_files(spec, request, data_dir=data_dir, geometry=geometry)
    own = transport is None
    transport = transport or Transport()
    now = now or datetime.now(UTC)
    try:
        if isinstance(spec, SocrataSource):
            return read_socrata(spec, request, transport=transport, now=now, geometry=geometry, state_dir=state_dir)
        return read_arcgis(spec, request, transport=transport, now=now, geometry=geometry, state_dir=state_dir)
    finally:
        if own:
            transport.close()
