"""Reading a layer of an ArcGIS FeatureServer (https://developers.arcgis.com/rest/services-reference/)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from rtm_pipeline.errors import ConfigError, SchemaError, SourceError
from rtm_pipeline.sources.headers import match_headers, merge_requests, near, some_names
from rtm_pipeline.sources.portals.answers import Answer, Passing, RefusedError, shortened
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
from rtm_pipeline.sources.spec import ArcGISSource, ColumnRequest

__all__ = ["read_arcgis"]

PAGE_ROWS = 2_000
_PASSING_CODES = (429, 500, 502, 503, 504)
_TOKEN_CODES = (498, 499)


@dataclass(frozen=True, slots=True)
class _Description:
    """What a server says of a layer."""

    fields: tuple[str, ...]
    object_id: str
    page_rows: int
    version: str | None


@dataclass(frozen=True, slots=True)
class _ArcGISFeed:
    spec: ArcGISSource
    path: str
    fields: tuple[str, ...]
    object_id: str
    order_by: str
    geometry: bool
    endpoint: Endpoint
    transport: Transport

    @property
    def where(self) -> str:
        return _where(self.spec)

    @property
    def signature(self) -> str:
        asked = [self.spec.url, self.fields, self.object_id, self.order_by, self.spec.where, self.geometry]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()

    @property
    def catches_up(self) -> bool:
        return False

    def state(self) -> FeedState:
        described = _describe(self.spec, self.path, self.endpoint, self.transport)
        refuse_gone((self.object_id, *self.fields), described.fields, where=self.where)
        said = self._ask({"returnCountOnly": "true", "f": "json"}).value
        count = said.get("count") if isinstance(said, dict) else None
        if not isinstance(count, int) or count < 0:
            raise SourceError(f"{self.where}: the server does not tell how many rows it has.")
        return FeedState(count, None, described.version)

    def page(self, offset: int, limit: int, since: str | None) -> Page:
        answer = self._page(
            {
                "outFields": ",".join(dict.fromkeys((self.object_id, *self.fields))),
                "orderByFields": self.order_by,
                "resultOffset": str(offset),
                "resultRecordCount": str(limit),
                "returnGeometry": "true" if self.geometry else "false",
                "outSR": "4326",
                "f": "geojson",
            }
        )
        rows, shapes, more = self._features(answer.value)
        if more and not rows:
            raise SourceError(
                f"{self.where}: the server says that more rows are there (exceededTransferLimit) and sends none."
            )
        keys = [text_of(row.get(self.object_id)) for row in rows]
        if any(key is None for key in keys):
            raise SourceError(
                f"{self.where}: the server sends rows without {self.object_id}, so they can't be told apart."
            )
        absent = sorted({name for row in rows for name in self.fields if name not in row})
        if absent:
            raise SchemaError(
                f"{self.where}: the server sends rows without {some_names(absent)}: the layer was changed while it was "
                "read. Run again; if fields were renamed, add their new names under the source's aliases."
            )
        columns = {name: [text_of(row.get(name)) for row in rows] for name in self.fields}
        geometry = wkb_of_geojson(shapes, where=self.where) if self.geometry else None
        return Page(page_table([str(key) for key in keys], columns, geometry), answer.n_bytes)

    def _page(self, params: Mapping[str, str]) -> Answer:
        try:
            return self._ask(params)
        except RefusedError:
            self.state()  # says so if a field is gone, which is why the server refuses
            raise

    def _ask(self, params: Mapping[str, str]) -> Answer:
        return self.transport.get_json(
            self.endpoint,
            f"{self.path}/query",
            {"where": self.spec.where, **params},
            where=self.where,
            check=lambda value: _refuse_errors(value, self.spec),
        )

    def _features(self, value: object) -> tuple[list[Mapping[str, object]], list[object], bool]:
        features = value.get("features") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(features, list):
            raise SourceError(f"{self.where}: the server sends something other than features; does it offer geojson?")
        rows: list[Mapping[str, object]] = []
        shapes: list[object] = []
        for feature in features:
            row = feature.get("properties") if isinstance(feature, dict) else None
            if not isinstance(row, dict):
                raise SourceError(f"{self.where}: the server sends features without properties.")
            rows.append(row)
            shapes.append(feature.get("geometry"))
        about = value.get("properties")
        more = value.get("exceededTransferLimit") or (isinstance(about, dict) and about.get("exceededTransferLimit"))
        return rows, shapes, bool(more)


def read_arcgis(
    spec: ArcGISSource,
    request: Sequence[ColumnRequest],
    *,
    transport: Transport,
    now: datetime,
    geometry: bool = False,
    state_dir: Path | None = None,
    page_rows: int = PAGE_ROWS,
) -> SourceRead:
    """Read a layer; only declared fields are asked for.

    Parameters
    ----------
    spec : ArcGISSource
    request : sequence of ColumnRequest
    transport : Transport
    now : datetime
        Time of the reading, with its time zone.
    geometry : bool
        Whether its geometry is wanted, in EPSG:4326.
    state_dir : Path, optional
        Where pages are kept, for resuming.
    page_rows : int
        Rows of a page, at most as many as the server gives.

    Returns
    -------
    SourceRead
        Values are text; dates are milliseconds since 1970, as the server sends them.

    Raises
    ------
    ConfigError
        If the address is not that of a layer.
    SchemaError
        If a required field is missing, or the fields change while they are read.
    SourceError
        If the server does not give all rows.
    """
    wanted = merge_requests(request, spec.aliases, source=spec.name, geometry=geometry)
    endpoint, path = _address(spec, transport)
    described = _describe(spec, path, endpoint, transport)
    where = _where(spec)
    match = match_headers(wanted, described.fields, where=where)
    fields = asked_columns(match, described.fields)
    feed = _ArcGISFeed(spec, path, fields, described.object_id, _order(spec, described), geometry, endpoint, transport)
    store = PullStore(state_dir, feed.signature) if state_dir else None
    rows = max(2, min(page_rows, described.page_rows))
    pulled = pull(feed, page_rows=rows, now=now, full_every=timedelta(0), store=store)
    name = f"{endpoint.host}{path}"
    return source_read([PulledSet(name, pulled, match, described.fields)], spec.null_values, geometry=geometry)


def _address(spec: ArcGISSource, transport: Transport) -> tuple[Endpoint, str]:
    parts = urlsplit(spec.url)
    plain = spec.allow_http or parts.netloc in transport.allow_http_hosts
    if parts.scheme != "https" and not (parts.scheme == "http" and plain):
        raise ConfigError(f"Source {spec.name!r}: its url on {parts.hostname} must begin with https://.")
    path = parts.path.rstrip("/")
    if parts.query or parts.username or not path.rsplit("/", 1)[-1].isdigit():
        raise ConfigError(
            f"Source {spec.name!r}: its url on {parts.hostname} is not the address of a layer; it ends in the layer's "
            "number, as in https://host/arcgis/rest/services/NAME/FeatureServer/0, without user, password or query."
        )
    token = Secret.from_env(spec.token_env)
    # In a header, a token does not get into the logs of proxies, as it would in the address.
    headers = {"X-Esri-Authorization": token.after("Bearer ")} if token else {}
    return Endpoint(parts.netloc, headers, parts.scheme == "http", spec.requests_per_second), path


def _where(spec: ArcGISSource) -> str:
    parts = urlsplit(spec.url)
    return f"Source {spec.name!r}, {parts.netloc}{parts.path}"


def _order(spec: ArcGISSource, described: _Description) -> str:
    if spec.order_by == described.object_id:
        return described.object_id
    if spec.order_by not in described.fields:
        if spec.order_by == "OBJECTID":  # the usual name of the object id; this layer has another
            return described.object_id
        raise SchemaError(
            f"{_where(spec)}: there is no field {spec.order_by!r} to order by. Fields: {some_names(described.fields)}."
            f"{near(spec.order_by, described.fields)}"
        )
    return f"{spec.order_by},{described.object_id}"


def _describe(spec: ArcGISSource, path: str, endpoint: Endpoint, transport: Transport) -> _Description:
    where = _where(spec)
    said = transport.get_json(
        endpoint, path, {"f": "json"}, where=where, check=lambda value: _refuse_errors(value, spec)
    ).value
    try:
        if not isinstance(said, dict):
            raise TypeError
        fields = [(str(field["name"]), field.get("type")) for field in said["fields"]]
        ids = [name for name, kind in fields if kind == "esriFieldTypeOID"]
        object_id = str(said.get("objectIdField") or ids[0])
        most = int(said.get("maxRecordCount") or PAGE_ROWS)
    except (KeyError, TypeError, ValueError, IndexError):
        raise SourceError(
            f"{where}: the server does not describe the layer; is it a table or a feature layer?"
        ) from None
    about = said.get("editingInfo")
    version = text_of(about.get("lastEditDate")) if isinstance(about, dict) else None
    return _Description(tuple(name for name, _ in fields), object_id, most, version)


def _refuse_errors(value: object, spec: ArcGISSource) -> None:
    """ArcGIS answers with status 200 and an ``error``."""
    error = value.get("error") if isinstance(value, dict) else None
    if not isinstance(error, dict):
        return
    code = error.get("code")
    said = str(error.get("message") or "without a message")
    token = Secret.from_env(spec.token_env)
    said = shortened(token.redact(said) if token else said)
    if code in _PASSING_CODES:
        raise Passing(f"the server answers with error {code}: {said}")
    hint = " Look at the token." if code in _TOKEN_CODES else ""
    status = code if isinstance(code, int) else 200
    raise RefusedError(f"{_where(spec)}: the server answers with error {code}: {said}.{hint}", status)


def arcgis_mark(spec: ArcGISSource, transport: Transport) -> str:
    """What changes when rows of the layer do: when it was last edited, or else how many rows it has; none is read."""
    endpoint, path = _address(spec, transport)
    described = _describe(spec, path, endpoint, transport)
    if described.version is not None:
        return described.version
    object_id = described.object_id
    return f"{_ArcGISFeed(spec, path, (), object_id, object_id, False, endpoint, transport).state().count} rows"
