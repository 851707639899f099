"""Any rows, written in any of the ways that programs write CSV, are read back the same; a cut never looks whole."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtm_pipeline.errors import RtmError, SourceError
from rtm_pipeline.sources.files import csv_table
from rtm_pipeline.sources.headers import merge_requests
from rtm_pipeline.sources.spec import ColumnRequest, FileSource

NAMES = ("id", "place", "when", "what", "note")
PLAIN = st.text(st.sampled_from("ab1 .,;\"'\n\r\t-é’€/|"), max_size=8)
ANY = st.text(st.characters(codec="cp1252", exclude_categories=("Cc", "Cs")), max_size=12)
VALUE = st.one_of(PLAIN, ANY)


@st.composite
def files(draw):
    """(column names, rows, bytes, byte positions at which records end)."""
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    rows = draw(st.lists(st.tuples(*[VALUE] * len(names)), max_size=12))
    ending = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "cp1252"]))
    last = draw(st.booleans()) and bool(rows)
    text, ends = ",".join(names) + ending, []
    bom = 3 if encoding == "utf-8-sig" else 0
    codec = "utf-8" if bom else encoding
    ends.append(len(text.encode(codec)) + bom)
    for at, row in enumerate(rows):
        fields = [_field(value, draw(st.booleans()), len(row) == 1) for value in row]
        text += ",".join(fields) + ("" if last and at == len(rows) - 1 else ending)
        if draw(st.integers(0, 9)) == 0:
            text += "" if last and at == len(rows) - 1 else ending
        ends.append(len(text.encode(codec)) + bom)
    return names, rows, text.encode(encoding), ends


def _field(value: str, quoted: bool, alone: bool) -> str:
    if quoted or any(mark in value for mark in ',"\n\r') or (alone and not value.strip()):
        return '"' + value.replace('"', '""') + '"'
    return value


def _read(data: bytes, names: tuple[str, ...]):
    wanted = merge_requests([ColumnRequest(name) for name in names], {}, source="s")
    return csv_table.read_csv(data, wanted, FileSource("s", "f.csv"), where="f.csv")


def _clean(value: str) -> str | None:
    return value.strip() or None


@settings(max_examples=200, deadline=None)
@given(files())
def test_rows_are_read_back(case):
    names, rows, data, _ = case
    result = _read(data, names)
    expected = [tuple(_clean(value) for value in row) for row in rows]
    found = [tuple(row[name] for name in names) for row in result.table.to_pylist()]
    assert found == expected
    assert not any(result.table.column("_malformed").to_pylist())


@settings(max_examples=200, deadline=None)
@given(files(), st.data())
def test_any_columns_in_any_order(case, data):
    names, rows, content, _ = case
    wanted = tuple(data.draw(st.permutations(names)))[: data.draw(st.integers(1, len(names)))]
    result = _read(content, wanted)
    found = [tuple(row[name] for name in wanted) for row in result.table.to_pylist()]
    assert found == [tuple(_clean(row[names.index(name)]) for name in wanted) for row in rows]
    assert set(result.match.dropped) == set(names) - set(wanted)


@settings(max_examples=300, deadline=None)
@given(files(), st.data())
def test_a_cut_is_never_silent(case, data):
    names, rows, content, ends = case
    at = data.draw(st.integers(0, len(content)))
    try:
        result = _read(content[:at], names)
    except SourceError:
        return
    except RtmError:
        assert at < ends[0]  # cut within the header
        return
    whole = sum(end <= at for end in ends[1:])
    found = [row for row in result.table.to_pylist() if not row["_malformed"]]
    assert result.table.num_rows >= whole
    for row, expected in zip(found[:whole], rows, strict=False):
        assert tuple(row[name] for name in names) == tuple(_clean(value) for value in expected)
    if len(names) > 1 and result.table.num_rows == whole and whole < len(rows):
        # Nothing of the next record was seen: only its blank beginning, or nothing, may lie before the cut.
        assert not content[max((end for end in ends if end <= at), default=at) : at].strip(b" \t\r\n\x1a\xa0\xc2")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_bring_a_traceback(data):
    for content in (data, b"id,place\n" + data):
        with contextlib.suppress(RtmError):
            _read(content, ("id", "place"))


@settings(max_examples=200, deadline=None)
@given(files())
def test_both_ways_of_reading_agree(case):
    names, _, data, _ = case
    fast = _read(data, names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_table, "is_clean", lambda *_: False)
        careful = _read(data, names)
    assert fast.table.to_pylist() == careful.table.to_pylist()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(["a,b\n", '1,"x\ny"\n', '"q,1\n', 'x"y,2\n', "1\n", "1,2,3\n", "\n", '"",""\n', '"a" b,c\n'])
    )
)
def test_every_line_is_in_some_row(lines):
    """However broken the quotes, whole plain rows are there, and so is the last."""
    try:
        result = _read(("id,place\n" + "".join(lines) + "zz,end\n").encode(), ("id", "place"))
    except SourceError:
        assert '"q,1\n' in lines  # only a quote that is never closed may end the reading
        return
    rows = result.table.to_pylist()
    assert (rows[-1]["id"], rows[-1]["place"]) == ("zz", "end")
    if '"q,1\n' not in lines:
        assert sum((row["id"], row["place"]) == ("a", "b") for row in rows) == lines.count("a,b\n")
