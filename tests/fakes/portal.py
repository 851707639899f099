"""A Socrata portal and an ArcGIS server on loopback, with every fault that real ones have shown.

The rows are made; the protocol is that of the real services as far as the readers use it. Faults are put into
``portal.faults``: each looks at a request and may answer in the portal's place, or change the data first.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

JSON = "application/json"


@dataclass
class Dataset:
    """A Socrata data set: rows are dicts with the system fields ``:id`` and ``:updated_at``."""

    columns: list[tuple[str, str]]
    rows: list[dict[str, Any]] = field(default_factory=list)
    version: int = 1
    clock: int = 0
    made: int = 0
    tells_version: bool = True
    predicates: dict[str, Callable[[dict[str, Any]], bool]] = field(default_factory=dict)

    def insert(self, *rows: dict[str, Any], ids: list[str] | None = None) -> None:
        for at, row in enumerate(rows):
            new = ids[at] if ids else f"row-{self.made:06d}"  # never that of a row that was deleted
            self.made += 1
            self.rows.append({":id": new, ":updated_at": self._tick(), **row})
        self.version += 1

    def update(self, key: str, **values: Any) -> None:
        for row in self.rows:
            if row[":id"] == key:
                row.update(values)
                row[":updated_at"] = self._tick()
        self.version += 1

    def delete(self, *keys: str) -> None:
        self.rows = [row for row in self.rows if row[":id"] not in keys]
        self.version += 1

    def rename(self, old: str, new: str) -> None:
        self.columns = [(new if name == old else name, kind) for name, kind in self.columns]
        for row in self.rows:
            if old in row:
                row[new] = row.pop(old)

    def _tick(self) -> str:
        self.clock += 1
        return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(1_700_000_000 + self.clock))


@dataclass
class Layer:
    """An ArcGIS layer: rows are (properties, GeoJSON geometry or None)."""

    fields: list[tuple[str, str]]
    rows: list[tuple[dict[str, Any], Any]] = field(default_factory=list)
    object_id: str = "OBJECTID"
    max_record_count: int = 1000
    edited: int | None = 1_700_000_000_000


@dataclass(frozen=True)
class Request:
    path: str
    query: dict[str, str]
    headers: dict[str, str]

    @property
    def kind(self) -> str:
        """``describe``, ``count`` or ``page``."""
        if self.path.startswith("/api/views/"):
            return "describe"
        if "count(" in self.query.get("$select", "") or "returnCountOnly" in self.query:
            return "count"
        if self.path.startswith("/resource/") or self.path.endswith("/query"):
            return "page"
        return "describe"


@dataclass
class Reply:
    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    stall_s: float = 0.0
    cut_at: int | None = None
    drip_s: float | None = None
    endless: bool = False
    chunked: bool = False


Fault = Callable[["FakePortal", Request], "Reply | None"]


class FakePortal:
    """Serves data sets and layers until it is left as a context."""

    def __init__(self) -> None:
        self.datasets: dict[str, Dataset] = {}
        self.layers: dict[str, Layer] = {}
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.page_cap: int | None = None
        self.gzip = False
        self._lock = threading.Lock()

    def __enter__(self) -> FakePortal:
        portal = self

        class Handler(_Handler):
            fake = portal

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def asked(self, kind: str) -> list[Request]:
        return [request for request in self.requests if request.kind == kind]

    def answer(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            for fault in self.faults:
                reply = fault(self, request)
                if reply is not None:
                    return reply
            return self.honest(request)

    def honest(self, request: Request) -> Reply:
        if match := re.fullmatch(r"/api/views/([\w-]+)\.json", request.path):
            return self._view(match[1])
        if match := re.fullmatch(r"/resource/([\w-]+)\.json", request.path):
            return self._resource(match[1], request.query)
        for path, layer in self.layers.items():
            if request.path == path:
                return _json(_described(layer))
            if request.path == f"{path}/query":
                return self._query(layer, request.query)
        return _json({"error": True, "message": "Not found"}, 404)

    def _view(self, name: str) -> Reply:
        if name not in self.datasets:
            return _json({"code": "not_found", "error": True, "message": "Cannot find view"}, 404)
        data = self.datasets[name]
        columns = [{"fieldName": column, "dataTypeName": kind} for column, kind in data.columns]
        return _json({"id": name, "columns": columns, "rowsUpdatedAt": data.version if data.tells_version else None})

    def _resource(self, name: str, query: dict[str, str]) -> Reply:
        if name not in self.datasets:
            return _json({"code": "dataset.missing", "error": True, "message": "Not found"}, 404)
        data = self.datasets[name]
        rows = [row for row in data.rows if _holds(data, row, query.get("$where", ""))]
        select = query["$select"]
        if select.startswith("count("):
            stamps = [row[":updated_at"] for row in rows]
            told = {"stamp": max(stamps)} if stamps and "max(" in select else {}
            return _json([{"n": str(len(rows)), **told}])
        names = select.split(",")
        known = {column for column, _ in data.columns} | {":id", ":updated_at"}
        if missing := [column for column in names if column not in known]:
            text = f"Query coordinator error: query.soql.no-such-column; No such column: {missing[0]}; position: Map()"
            return _json({"message": text, "errorCode": "query.soql.no-such-column"}, 400)
        if query.get("$order") == ":id":
            rows = sorted(rows, key=lambda row: row[":id"])
        offset, limit = int(query.get("$offset", 0)), int(query.get("$limit", 1000))
        rows = rows[offset : offset + min(limit, self.page_cap or limit)]
        return _json([{key: row[key] for key in names if row.get(key) is not None} for row in rows])

    def _query(self, layer: Layer, query: dict[str, str]) -> Reply:
        if query.get("returnCountOnly") == "true":
            return _json({"count": len(layer.rows)})
        names = query["outFields"].split(",")
        known = {name for name, _ in layer.fields}
        if not set(names) <= known:
            return _json({"error": {"code": 400, "message": "Invalid query parameters", "details": ["outFields"]}})
        rows = sorted(layer.rows, key=lambda row: [row[0][name] for name in query["orderByFields"].split(",")])
        offset = int(query.get("resultOffset", 0))
        most = min(int(query.get("resultRecordCount", 10**9)), layer.max_record_count)
        shapes = query.get("returnGeometry") == "true"
        features = [
            {
                "type": "Feature",
                "id": row[layer.object_id],
                "geometry": shape if shapes else None,
                "properties": {name: row[name] for name in names},
            }
            for row, shape in rows[offset : offset + most]
        ]
        more = {"exceededTransferLimit": True} if offset + most < len(rows) else {}
        return _json({"type": "FeatureCollection", "features": features, "properties": more})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer waits for a delayed acknowledgment
    fake: FakePortal

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        reply = self.fake.answer(Request(parts.path, query, dict(self.headers)))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        if reply.stall_s:
            time.sleep(reply.stall_s)
        body, headers = reply.body, {"Content-Type": JSON, **reply.headers}
        if self.fake.gzip:
            body = gzip.compress(body)
            headers["Content-Encoding"] = "gzip"
        self.send_response(reply.status)
        if reply.chunked or reply.endless:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers.setdefault("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.endless:
            self._send_endless()
        elif reply.drip_s is not None:
            for at in range(len(body)):
                self.wfile.write(body[at : at + 1])
                time.sleep(reply.drip_s)
        elif reply.chunked:
            half = body[: reply.cut_at]
            self.wfile.write(f"{len(half):x}\r\n".encode() + half + b"\r\n")
            self.wfile.write(b"" if reply.cut_at is not None else b"0\r\n\r\n")
        else:
            self.wfile.write(body[: reply.cut_at])
        if reply.cut_at is not None or reply.endless or reply.drip_s is not None:
            self.close_connection = True

    def _send_endless(self) -> None:
        block = b" " * 65_536
        for _ in range(10 * 1024 * 16):  # ten gigabytes, if anyone takes them
            self.wfile.write(f"{len(block):x}\r\n".encode() + block + b"\r\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _json(value: object, status: int = 200) -> Reply:
    return Reply(json.dumps(value).encode(), status)


def _described(layer: Layer) -> dict[str, Any]:
    fields = [{"name": name, "type": kind} for name, kind in layer.fields]
    edited = {"editingInfo": {"lastEditDate": layer.edited}} if layer.edited else {}
    return {
        "fields": fields,
        "objectIdField": layer.object_id,
        "maxRecordCount": layer.max_record_count,
        "supportedQueryFormats": "JSON, geoJSON",
        **edited,
    }


def _holds(data: Dataset, row: dict[str, Any], where: str) -> bool:
    for term in filter(None, where.split(" AND ")):
        if match := re.fullmatch(r":updated_at >= '([^']*)'", term):
            if not row[":updated_at"] >= match[1]:
                return False
        elif not data.predicates[term](row):
            return False
    return True


# ---- faults ------------------------------------------------------------------------------------------------------


def times(n: int, fault: Fault, kind: str = "page", *, after: int = 0) -> Fault:
    """``fault`` on ``n`` requests of a kind, after the first ``after`` of them."""
    seen = 0

    def limited(portal: FakePortal, request: Request) -> Reply | None:
        nonlocal seen
        if request.kind != kind:
            return None
        seen += 1
        return fault(portal, request) if after < seen <= after + n else None

    return limited


def status(code: int, **headers: str) -> Fault:
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _portal, _request: Reply(b'{"error": true, "message": "no"}', code, said)


def html(_portal: FakePortal, _request: Request) -> Reply:
    page = b"<!DOCTYPE html><html><head><title>Scheduled maintenance</title></head></html>"
    return Reply(page, headers={"Content-Type": "text/html"})


def truncated(share: float = 0.5, *, honest_length: bool = False, chunked: bool = False) -> Fault:
    """The body breaks off; with ``honest_length`` the header agrees with what is sent."""

    def cut(portal: FakePortal, request: Request) -> Reply:
        reply = portal.honest(request)
        at = int(len(reply.body) * share)
        return Reply(reply.body[:at]) if honest_length else Reply(reply.body, cut_at=at, chunked=chunked)

    return cut


def stall(seconds: float) -> Fault:
    def slow(portal: FakePortal, request: Request) -> Reply:
        reply = portal.honest(request)
        reply.stall_s = seconds
        return reply

    return slow


def drip(seconds: float) -> Fault:
    return lambda portal, request: Reply(portal.honest(request).body, drip_s=seconds)


def huge(_portal: FakePortal, _request: Request) -> Reply:
    return Reply(b"", endless=True)


def huge_by_its_header(_portal: FakePortal, _request: Request) -> Reply:
    return Reply(b"[", headers={"Content-Length": str(10 * 1024**3)}, cut_at=1)


def redirect(target: str) -> Fault:
    return lambda _portal, _request: Reply(b"", 302, {"Location": target})


def arcgis_error(code: int, message: str = "Unable to complete operation.") -> Fault:
    return lambda _portal, _request: _json({"error": {"code": code, "message": message, "details": []}})


def body(value: object) -> Fault:
    return lambda _portal, _request: _json(value)


def shuffled(seed: int = 1) -> Fault:
    """Rows of every page in another order."""
    import random

    shuffle = random.Random(seed).shuffle

    def mixed(portal: FakePortal, request: Request) -> Reply | None:
        if request.kind != "page":
            return None
        value = json.loads(portal.honest(request).body)
        shuffle(value["features"] if isinstance(value, dict) else value)
        return _json(value)

    return mixed


def unordered(seed: int = 1) -> Fault:
    """The portal ignores ``$order``: each request sees the rows in another order."""
    import random

    shuffle = random.Random(seed).shuffle

    def mixed(portal: FakePortal, request: Request) -> Reply | None:
        if request.kind != "page" or not request.path.startswith("/resource/"):
            return None
        name = request.path.split("/")[-1].removesuffix(".json")
        shuffle(portal.datasets[name].rows)
        return portal.honest(Request(request.path, {**request.query, "$order": ""}, {}))

    return mixed


def wrong_count(by: int) -> Fault:
    def lie(portal: FakePortal, request: Request) -> Reply | None:
        if request.kind != "count":
            return None
        value = json.loads(portal.honest(request).body)
        if isinstance(value, list):
            value[0]["n"] = str(int(value[0]["n"]) + by)
        else:
            value["count"] += by
        return _json(value)

    return lie


def before_page(n: int, change: Callable[[], object]) -> Fault:
    """Change the data once, just before page ``n`` (from 1) is answered."""

    def changed(_portal: FakePortal, _request: Request) -> None:
        change()

    return times(1, changed, after=n - 1)


@contextlib.contextmanager
def fake_portal() -> Iterator[FakePortal]:
    with FakePortal() as portal:
        yield portal
