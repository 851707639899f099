"""Whatever a portal says, it is rows or one clear error; whatever happens while it is read, no row is lost."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from rtm_pipeline.errors import RtmError, SourceError
from rtm_pipeline.sources.portals.answers import Answer
from rtm_pipeline.sources.portals.arcgis import read_arcgis
from rtm_pipeline.sources.portals.feed import KEY, FeedState, Page
from rtm_pipeline.sources.portals.json_text import parse, text_of
from rtm_pipeline.sources.portals.pull import pull
from rtm_pipeline.sources.portals.pull_store import PullStore
from rtm_pipeline.sources.portals.socrata import read_socrata
from rtm_pipeline.sources.portals.transport import Transport
from rtm_pipeline.sources.spec import ArcGISSource, ColumnRequest, SocrataSource

NOW = datetime(2024, 5, 1, tzinfo=UTC)
NAMES = ("a", ":id", "n", "stamp", "count", "features", "properties", "OBJECTID", "error", "code", "columns", "fields",
         "fieldName", "dataTypeName", "name", "type", "objectIdField", "geometry", "maxRecordCount")  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["a", ":id", "3", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=10,
)
VIEW = {"columns": [{"fieldName": "a", "dataTypeName": "text"}], "rowsUpdatedAt": 1}
LAYER = {"fields": [{"name": "OBJECTID", "type": "esriFieldTypeOID"}, {"name": "a", "type": "x"}]}


class Scripted(Transport):
    """Answers what the script says, then the last of it for ever."""

    def __init__(self, *values: object) -> None:
        super().__init__(retries=1, backoff_s=0.0, sleep=lambda _: None)
        self.values = list(values)

    def _once(self, *_args, **_kwargs) -> Answer:
        value = self.values.pop(0) if len(self.values) > 1 else self.values[0]
        data = json.dumps(value).encode()
        return Answer(parse(data), len(data))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 3), st.lists(JSON, min_size=1, max_size=4))
def test_socrata_answers_of_any_kind(honest, rest):
    script = [VIEW, VIEW, [{"n": "1", "stamp": "2024"}]][:honest]
    with contextlib.suppress(RtmError):
        read_socrata(
            SocrataSource("s", "h", ("ab12-cd34",)), (ColumnRequest("a"),), transport=Scripted(*script, *rest), now=NOW
        )


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 3), st.lists(JSON, min_size=1, max_size=4), st.booleans())
def test_arcgis_answers_of_any_kind(honest, rest, geometry):
    script = [LAYER, LAYER, {"count": 1}][:honest]
    with contextlib.suppress(RtmError):
        read_arcgis(
            ArcGISSource("s", "https://h/FeatureServer/0"),
            (ColumnRequest("a"),),
            transport=Scripted(*script, *rest),
            now=NOW,
            geometry=geometry,
        )


class Living:
    """A data set in which rows come, go and change between any two requests, by a script."""

    where, signature = "living", "living"

    def __init__(self, n: int, script: list[tuple[int, str, int]], *, catches_up: bool) -> None:
        self.rows = {f"k{i:03d}": (0, "0") for i in range(n)}
        self.catches_up = catches_up
        self.script = sorted(script, key=lambda step: step[0])
        self.requests, self.clock, self.version = 0, 0, 0
        self.cuts: set[int] = set()

    def _live(self) -> None:
        self.requests += 1
        if self.requests in self.cuts:
            raise TimeoutError
        while self.script and self.script[0][0] <= self.requests:
            _, what, which = self.script.pop(0)
            self.clock += 1
            self.version += 1
            keys = sorted(self.rows)
            if what == "insert":
                self.rows[f"k{which:03d}x{self.clock}"] = (self.clock, "new")
            elif keys and what == "delete":
                del self.rows[keys[which % len(keys)]]
            elif keys:
                self.rows[keys[which % len(keys)]] = (self.clock, f"v{self.clock}")

    def state(self) -> FeedState:
        self._live()
        stamp = f"{max((at for at, _ in self.rows.values()), default=0):06d}" if self.catches_up else None
        return FeedState(len(self.rows), stamp, str(self.version))

    def page(self, offset: int, limit: int, since: str | None) -> Page:
        self._live()
        keys = sorted(key for key, (at, _) in self.rows.items() if since is None or at >= int(since))
        keys = keys[offset : offset + limit]
        return Page(
            pa.table(
                {KEY: pa.array(keys, pa.string()), "a": pa.array([self.rows[key][1] for key in keys], pa.string())}
            ),
            1,
        )


@settings(max_examples=250, deadline=None)
@given(
    st.integers(0, 14),
    st.integers(2, 6),
    st.booleans(),
    st.lists(
        st.tuples(st.integers(1, 25), st.sampled_from(["insert", "delete", "update"]), st.integers(0, 20)), max_size=8
    ),
)
def test_rows_that_come_and_go_are_all_there_or_it_fails(n, page_rows, catches_up, script):
    feed = Living(n, script, catches_up=catches_up)
    try:
        pulled = pull(feed, page_rows=page_rows, now=NOW, full_every=timedelta(days=7))
    except SourceError:
        assert script  # only a portal in motion may fail
        return
    found = dict(zip(pulled.table.column(KEY).to_pylist(), pulled.table.column("a").to_pylist(), strict=True))
    assert found == {key: value for key, (_, value) in feed.rows.items()}


class Memory(PullStore):
    """A store that forgets with the process."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"), "living")
        object.__setattr__(self, "kept", {})

    def begin(self, state, now):
        return self.kept.setdefault("begun", state), self.kept.setdefault("pages", [])

    def add(self, at, page):
        self.kept["pages"].insert(at, page)

    def clear(self):
        self.kept.pop("begun", None)
        self.kept.pop("pages", None)

    def base(self):
        return self.kept.get("base")

    def set_base(self, base):
        self.kept["base"] = base
        self.clear()


@settings(max_examples=250, deadline=None)
@given(
    st.integers(0, 14),
    st.integers(2, 6),
    st.lists(
        st.tuples(st.integers(1, 40), st.sampled_from(["insert", "delete", "update", "cut"]), st.integers(0, 20)),
        max_size=8,
    ),
)
def test_nights_that_are_cut_or_find_changes_lose_nothing(n, page_rows, script):
    feed = Living(n, [step for step in script if step[1] != "cut"], catches_up=True)
    cuts = {at for at, what, _ in script if what == "cut"}
    store = Memory()
    for night in range(5):
        feed.cuts = cuts
        try:
            now = NOW + timedelta(hours=night)
            pulled = pull(feed, page_rows=page_rows, now=now, full_every=timedelta(days=7), store=store)
        except (SourceError, TimeoutError):
            continue
        found = dict(zip(pulled.table.column(KEY).to_pylist(), pulled.table.column("a").to_pylist(), strict=True))
        assert found == {key: value for key, (_, value) in feed.rows.items()}


@given(st.floats(allow_nan=False, allow_infinity=False), st.text())
def test_numbers_and_texts_survive(number, text):
    written = json.dumps([number, {"x": number, "t": text}, text])
    values = parse(written.encode())
    assert isinstance(values, list)
    assert text_of(values[0]) == json.dumps(number)
    assert json.loads(str(text_of(values[1]))) == {"x": number, "t": text}
    assert text_of(values[2]) == text
