"""Whether a source has changed, told without reading it."""

from __future__ import annotations

import json
from pathlib import Path

from rtm_pipeline.sources.files.paths import find_files, stamp_of
from rtm_pipeline.sources.portals.arcgis import arcgis_mark
from rtm_pipeline.sources.portals.socrata import socrata_marks
from rtm_pipeline.sources.portals.transport import Transport
from rtm_pipeline.sources.spec import FileSource, SocrataSource, Source

__all__ = ["probe_source"]


def probe_source(spec: Source, *, data_dir: Path, transport: Transport) -> str:
    """A text that differs once the source has: names, sizes and times of files, or the portal's own marks.

    Of a portal that does not tell when rows were changed the number of rows is the mark: changes of their values are
    not noticed there, and wait for the next scheduled night.

    Raises
    ------
    RtmError
        Files are missing, or the portal does not answer.
    """
    if isinstance(spec, FileSource):
        return json.dumps([stamp_of(file.path) for file in find_files(spec, data_dir)])
    if isinstance(spec, SocrataSource):
        return json.dumps(socrata_marks(spec, transport))
    return json.dumps(arcgis_mark(spec, transport))
