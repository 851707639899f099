"""Reading data sets of a Socrata portal (SODA 2, https://dev.socrata.com/docs/endpoints.html)."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rtm_pipeline.errors import ConfigError, SchemaError, SourceError
from rtm_pipeline.sources.headers import HeaderMatch, match_headers, merge_requests, some_names
from rtm_pipeline.sources.portals.answers import RefusedError
from rtm_pipeline.sources.portals.columns import asked_columns, refuse_gone
from rtm_pipeline.sources.portals.feed import FeedState, Page
from rtm_pipeline.sources.portals.geometry import wkb_of_geojson
from rtm_pipeline.sources.portals.json_text import text_of
from rtm_pipeline.sources.portals.pull import pull
from rtm_pipeline.sources.portals.pull_store import PullStore
from rtm_pipeline.sources.portals.table import PulledSet, page_table, source_read
from rtm_pipeline.sources.portals.transport import Endpoint, Transport
from rtm_pipeline.sources.secret import Secret
from rtm_pipeline.sources.source_read import SourceRead
from rtm_pipeline.sources.spec import ColumnRequest, SocrataSource

__all__ = ["read_socrata", "soql_text"]

logger = logging.getLogger(__name__)

PAGE_ROWS = 20_000
_ID = ":id"
_DATASET = re.compile(r"^[a-z0-9]{4}-[a-z0-9]{4}$")
_FIELD = re.compile(r"^:?@?[a-z_][a-z0-9_]*$")
# Changes are asked for from a while before the last one seen: a portal may date rows before it shows them.
_OVERLAP = timedelta(hours=6)
_SHAPES = ("point", "multipoint", "line", "multiline", "polygon", "multipolygon")


@dataclass(frozen=True, slots=True)
class _Description:
    """What a portal says of a data set: its fields with their types, and a mark that changes with its rows."""

    fields: tuple[str, ...]
    types: Mapping[str, str]
    version: str | None


@dataclass(frozen=True, slots=True)
class _SocrataFeed:
    spec: SocrataSource
    dataset: str
    fields: tuple[str, ...]
    shape: str | None
    endpoint: Endpoint
    transport: Transport

    @property
    def where(self) -> str:
        return _where(self.spec, self.dataset)

    @property
    def signature(self) -> str:
        asked = [self.spec.host, self.dataset, self.fields, self.shape, self.spec.where, self.spec.updated_column]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()

    @property
    def catches_up(self) -> bool:
        return True

    def state(self) -> FeedState:
        described = _describe(self.spec, self.dataset, self.endpoint, self.transport)
        refuse_gone(self._asked(), described.fields, where=self.where)
        count, stamp = self._count()
        return FeedState(count, stamp, described.version)

    def _count(self) -> tuple[int, str | None]:
        latest = f"count(*) as n, max({self.spec.updated_column}) as stamp"
        try:
            rows = self._rows({"$select": latest, **self._filter(None)})[0]
        except RefusedError as error:
            if error.status != 400:
                raise
            # Without the latest change everything is read every night, but it is read.
            logger.info("%s: the portal does not tell the latest change (%s)", self.where, self.spec.updated_column)
            rows = self._rows({"$select": "count(*) as n", **self._filter(None)})[0]
        try:
            (row,) = rows
            return int(str(text_of(row["n"]))), text_of(row.get("stamp"))
        except (ValueError, KeyError, TypeError):
            raise SourceError(f"{self.where}: the portal does not tell how many rows it has.") from None

    def page(self, offset: int, limit: int, since: str | None) -> Page:
        params = {
            "$select": ",".join((_ID, *self._asked())),
            "$order": _ID,
            "$limit": str(limit),
            "$offset": str(offset),
            **self._filter(since),
        }
        try:
            rows, n_bytes = self._rows(params)
        except RefusedError as error:
            if error.status == 400:
                self.state()  # says so if a column is gone, which is why the portal refuses
            raise
        self._check_fields(rows)
        keys = [row.get(_ID) for row in rows]
        if not all(isinstance(key, str) and key for key in keys):
            raise SourceError(
                f"{self.where}: the portal sends rows without their id ({_ID}), so they can't be told apart."
            )
        columns = {name: [text_of(row.get(name)) for row in rows] for name in self.fields}
        shapes = wkb_of_geojson([row.get(self.shape) for row in rows], where=self.where) if self.shape else None
        return Page(page_table([str(key) for key in keys], columns, shapes), n_bytes)

    def _check_fields(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Missing values are absent from a row, so a renamed column shows only by its new name."""
        seen = {name for row in rows for name in row}
        strange, absent = seen - {_ID, *self._asked()}, set(self._asked()) - seen
        if strange and absent:
            raise SchemaError(
                f"{self.where}: the portal sends {some_names(sorted(strange))}, which was not asked for, and nowhere "
                f"{some_names(sorted(absent))}: the data set was changed while it was read. Run again; if columns were "
                "renamed, add their new names under the source's aliases."
            )

    def _asked(self) -> tuple[str, ...]:
        extra = (self.shape,) if self.shape and self.shape not in self.fields else ()
        return (*self.fields, *extra)

    def _filter(self, since: str | None) -> dict[str, str]:
        terms = [f"({self.spec.where})"] if self.spec.where else []
        if since is not None:
            terms.append(f"{self.spec.updated_column} >= {soql_text(_earlier(since))}")
        return {"$where": " AND ".join(terms)} if terms else {}

    def _rows(self, params: Mapping[str, str]) -> tuple[list[Mapping[str, object]], int]:
        answer = self.transport.get_json(self.endpoint, f"/resource/{self.dataset}.json", params, where=self.where)
        if not isinstance(answer.value, list) or not all(isinstance(row, dict) for row in answer.value):
            raise SourceError(f"{self.where}: the portal sends something other than rows.")
        return answer.value, answer.n_bytes


def read_socrata(
    spec: SocrataSource,
    request: Sequence[ColumnRequest],
    *,
    transport: Transport,
    now: datetime,
    geometry: bool = False,
    state_dir: Path | None = None,
    page_rows: int = PAGE_ROWS,
) -> SourceRead:
    """Read all data sets of a source; only declared columns are asked for.

    Parameters
    ----------
    spec : SocrataSource
    request : sequence of ColumnRequest
    transport : Transport
    now : datetime
        Time of the reading, with its time zone.
    geometry : bool
        Whether the one column of shapes that each data set has is wanted as native geometry.
    state_dir : Path, optional
        Where pages and the rows of earlier nights are kept, for resuming and for reading only changes.
    page_rows : int
        Rows of a page.

    Returns
    -------
    SourceRead
        One ``FileRead`` a data set. Values are text as the portal writes them; location objects are JSON.

    Raises
    ------
    ConfigError
        If the source is not well declared.
    SchemaError
        If a required column is missing, or the columns change while they are read.
    SourceError
        If the portal does not give all rows.
    """
    wanted = merge_requests(request, spec.aliases, source=spec.name, geometry=geometry)
    endpoint = _endpoint(spec)
    if not spec.datasets or not all(_DATASET.match(dataset) for dataset in spec.datasets):
        raise ConfigError(
            f"Source {spec.name!r}: data sets have ids like 'ab12-cd34'; found {some_names(spec.datasets)}."
        )
    sets = []
    for dataset in spec.datasets:
        where = _where(spec, dataset)
        described = _describe(spec, dataset, endpoint, transport)
        match = match_headers(wanted, described.fields, where=where)
        shape = _shape_of(described, where) if geometry else None
        fields = _fields_of(match, described, where)
        feed = _SocrataFeed(spec, dataset, fields, shape, endpoint, transport)
        store = PullStore(state_dir / dataset, feed.signature) if state_dir else None
        every = timedelta(days=spec.full_every_days)
        pulled = pull(feed, page_rows=page_rows, now=now, full_every=every, store=store)
        sets.append(PulledSet(f"{spec.host}/{dataset}", pulled, match, described.fields))
    return source_read(sets, spec.null_values, geometry=geometry)


def soql_text(text: str) -> str:
    """SoQL literal of a text: in single quotes, those within doubled."""
    return "'" + text.replace("'", "''") + "'"


def _where(spec: SocrataSource, dataset: str) -> str:
    return f"Source {spec.name!r}, {spec.host}/{dataset}"


def _describe(spec: SocrataSource, dataset: str, endpoint: Endpoint, transport: Transport) -> _Description:
    where = _where(spec, dataset)
    said = transport.get_json(endpoint, f"/api/views/{dataset}.json", {}, where=where).value
    try:
        if not isinstance(said, dict):
            raise TypeError
        columns = [(str(column["fieldName"]), str(column["dataTypeName"])) for column in said["columns"]]
    except (KeyError, TypeError):
        raise SourceError(f"{where}: the portal does not describe the data set; is it a table?") from None
    version = text_of(said.get("rowsUpdatedAt"))
    return _Description(tuple(name for name, _ in columns), dict(columns), version)


def _fields_of(match: HeaderMatch, described: _Description, where: str) -> tuple[str, ...]:
    fields = asked_columns(match, described.fields)
    odd = [name for name in fields if not _FIELD.match(name)]
    if odd:
        raise SchemaError(f"{where}: the portal names columns in a way that can't be asked for: {some_names(odd)}.")
    return fields


def _shape_of(described: _Description, where: str) -> str:
    shapes = [name for name, kind in described.types.items() if kind in _SHAPES and not name.startswith(":@")]
    if len(shapes) != 1:
        raise SchemaError(
            f"{where}: native geometry needs one column of shapes; found {some_names(shapes)}. Declare the layer's "
            "geometry by its column instead, as in geometry: {kind: geojson, columns: [the_geom]}."
        )
    return shapes[0]


def _earlier(stamp: str) -> str:
    """``stamp`` less the overlap; as it is if it is no time that we can read."""
    try:
        time = datetime.fromisoformat(stamp)
    except ValueError:
        return stamp
    earlier = time - _OVERLAP
    if time.tzinfo is None:
        return earlier.isoformat(timespec="milliseconds")
    return earlier.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def socrata_marks(spec: SocrataSource, transport: Transport) -> tuple[str, ...]:
    """What changes when rows of its data sets do, one mark each: one small request a data set, no rows.

    Of a data set that does not tell when its rows were last changed: how many there are, and the latest change of one.
    """
    endpoint = _endpoint(spec)
    return tuple(_mark(spec, dataset, endpoint, transport) for dataset in spec.datasets)


def _mark(spec: SocrataSource, dataset: str, endpoint: Endpoint, transport: Transport) -> str:
    version = _describe(spec, dataset, endpoint, transport).version
    if version is not None:
        return version
    count, stamp = _SocrataFeed(spec, dataset, (), None, endpoint, transport)._count()
    return f"{count} rows, {stamp}"


def _endpoint(spec: SocrataSource) -> Endpoint:
    token = Secret.from_env(spec.token_env)
    return Endpoint(spec.host, {"X-App-Token": token} if token else {}, spec.allow_http, spec.requests_per_second)
