"""Files that were cut or garbled on their way are read, or refused with one clear error; never a traceback."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtm_pipeline.errors import RtmError
from rtm_pipeline.sources.files.files import read_files
from rtm_pipeline.sources.spec import ColumnRequest, FileSource

CSV = b"id,place\n" + b"".join(b"%d,somewhere\n" % i for i in range(50))


def _parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"id": [str(i) for i in range(50)], "place": ["x"] * 50}), sink)
    return bytes(sink.getvalue())


def _geojson() -> bytes:
    features = [
        {"type": "Feature", "properties": {"id": i}, "geometry": {"type": "Point", "coordinates": [i, i]}}
        for i in range(20)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def _zip() -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("f.csv", CSV)
    return body.getvalue()


FILES = {
    "f.csv": CSV,
    "f.csv.gz": gzip.compress(CSV, mtime=0),
    "f.zip": _zip(),
    "f.parquet": _parquet(),
    "f.geojson": _geojson(),
}


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage(name, tmp_path, data):
    content = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    (tmp_path / name).write_bytes(content[:cut] if data.draw(st.booleans()) else content)
    with contextlib.suppress(RtmError):
        read = read_files(FileSource("s", name), (ColumnRequest("id"),), data_dir=tmp_path)
        assert read.table.num_rows == read.files[0].rows


@pytest.mark.parametrize("name", [name for name in FILES if name != "f.csv"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_cut_container_is_never_read_as_fewer_rows(name, tmp_path, data):
    content = FILES[name]
    (tmp_path / name).write_bytes(content)
    whole = read_files(FileSource("s", name), (ColumnRequest("id"),), data_dir=tmp_path).table
    (tmp_path / name).write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with contextlib.suppress(RtmError):
        assert read_files(FileSource("s", name), (ColumnRequest("id"),), data_dir=tmp_path).table.equals(whole)
