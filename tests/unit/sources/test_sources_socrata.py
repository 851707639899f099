"""Socrata: every row exactly once, or one clear error; whatever the portal does."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime, timedelta

import pytest
import shapely
from fakes import portal as fake
from fakes.portal import Dataset, FakePortal

from rtm_pipeline.errors import ConfigError, RtmError, SchemaError, SourceError
from rtm_pipeline.sources.portals.socrata import read_socrata, soql_text
from rtm_pipeline.sources.portals.transport import Transport
from rtm_pipeline.sources.read import read_source
from rtm_pipeline.sources.snapshots.snapshot import SnapshotStore
from rtm_pipeline.sources.spec import ColumnRequest, SocrataSource

NOW = datetime(2024, 5, 1, 7, tzinfo=UTC)
SET = "ab12-cd34"
COLUMNS = [("number", "text"), ("opened", "calendar_date"), ("place", "point"), ("owner", "text"), ("amount", "number")]
REQUEST = tuple(ColumnRequest(name) for name in ("number", "opened", "place", "amount"))
N = 23


def made_row(i: int) -> dict:
    row = {
        "number": f"n{i:04d}",
        "opened": f"20{10 + i % 14}-{1 + i % 12:02d}-05T00:00:00.000",
        "place": {"type": "Point", "coordinates": [-94.5 - i / 1000, 39.25]},
        "owner": "CANARY",
        "amount": str(i),
    }
    return {name: value for name, value in row.items() if not (name == "amount" and i % 5 == 0)}


@pytest.fixture
def portal():
    with FakePortal() as portal:
        portal.datasets[SET] = Dataset(list(COLUMNS))
        portal.datasets[SET].insert(*[made_row(i) for i in range(N)])
        yield portal


def transport(portal: FakePortal, **more) -> Transport:
    settings = {"backoff_s": 0.001, "retries": 3, "read_timeout_s": 5.0, "allow_http_hosts": {portal.host}}
    return Transport(**{**settings, **more})


def read(portal, request=REQUEST, *, now=NOW, page_rows=5, geometry=False, state_dir=None, sender=None, **spec):
    source = SocrataSource("src", portal.host, spec.pop("datasets", (SET,)), **spec)
    way = sender or transport(portal)
    try:
        return read_socrata(
            source, request, transport=way, now=now, geometry=geometry, state_dir=state_dir, page_rows=page_rows
        )
    finally:
        way.close()


def numbers(result) -> list[str]:
    return sorted(result.table.column("number").to_pylist())


def expected(portal) -> list[str]:
    return sorted(row["number"] for row in portal.datasets[SET].rows)


def test_rows_and_values(portal):
    result = read(portal)
    assert numbers(result) == expected(portal) == [f"n{i:04d}" for i in range(N)]
    by_number = {row["number"]: row for row in result.table.to_pylist()}
    assert by_number["n0003"]["place"] == '{"coordinates":[-94.503,39.25],"type":"Point"}'
    assert by_number["n0003"]["amount"] == "3"
    assert by_number["n0005"]["amount"] is None
    assert result.table.column("_row").to_pylist() == list(range(1, N + 1))
    assert result.files[0].path == f"{portal.host}/{SET}"
    assert result.files[0].dropped == ("owner",)
    assert result.files[0].notes == ("all rows read",)


def test_only_declared_columns_are_asked_for(portal):
    read(portal)
    for request in portal.asked("page"):
        assert request.query["$select"] == ":id,number,opened,place,amount"
        assert request.query["$order"] == ":id"
    assert not any("owner" in str(request.query) for request in portal.requests)


def test_rows_are_ordered_by_date_then_values_whatever_the_ids(portal):
    first = read(portal)
    dates = first.table.column("opened").to_pylist()
    assert dates == sorted(dates)
    assert first.part_by == ("opened", 7)
    rows = [{k: v for k, v in row.items() if not k.startswith(":")} for row in portal.datasets[SET].rows]
    portal.datasets[SET].rows = []
    portal.datasets[SET].insert(*reversed(rows))
    assert read(portal).table.equals(first.table)


def test_numbers_keep_their_digits(portal):
    raw = b'[{":id":"a","number":1.50,"amount":12345678901234567890,"place":{"b":0.10,"a":1},"opened":true}]'

    def answer(_portal, request):
        return fake.Reply(raw) if request.kind == "page" else None

    portal.datasets[SET].rows = portal.datasets[SET].rows[:1]
    portal.faults.append(answer)
    (row,) = read(portal).table.to_pylist()
    assert (row["number"], row["amount"], row["opened"]) == ("1.50", "12345678901234567890", "true")
    assert row["place"] == '{"a":1,"b":0.1}'


def test_empty_data_set(portal):
    portal.datasets[SET].rows = []
    assert read(portal).table.num_rows == 0


@pytest.mark.parametrize("n", [1, 2, 4, 5, 6, 9, 10, 11])
@pytest.mark.parametrize("page_rows", [2, 5, 50])
def test_page_borders(portal, n, page_rows):
    portal.datasets[SET].rows = portal.datasets[SET].rows[:n]
    assert numbers(read(portal, page_rows=page_rows)) == expected(portal)


def test_portal_that_gives_smaller_pages_than_asked(portal):
    portal.page_cap = 3
    assert numbers(read(portal, page_rows=10)) == expected(portal)


def test_compressed_answers(portal):
    portal.gzip = True
    assert numbers(read(portal)) == expected(portal)


# ---- years that differ -------------------------------------------------------------------------------------------


def test_data_sets_with_other_headers(portal):
    portal.datasets["zz99-zz99"] = Dataset([("report", "text"), ("report_date", "calendar_date"), ("age", "number")])
    portal.datasets["zz99-zz99"].insert({"report": "r1", "report_date": "2023-01-02T00:00:00.000", "age": "40"})
    request = (
        ColumnRequest("number", ("report",)),
        ColumnRequest("opened"),
        ColumnRequest("place", required=False),
    )
    result = read(portal, request, datasets=(SET, "zz99-zz99"), aliases={"opened": ("report_date",)})
    assert result.table.num_rows == N + 1
    last = result.table.to_pylist()[-1]
    assert (last["number"], last["opened"], last["place"]) == ("r1", "2023-01-02T00:00:00.000", None)
    assert (last["_file"], last["_row"]) == (1, 1)
    assert result.files[1].renamed == (("number", "report"), ("opened", "report_date"))
    assert result.files[1].absent == ("place",)
    assert result.files[1].dropped == ("age",)


def test_missing_column_names_data_set_and_near_one(portal):
    with pytest.raises(SchemaError, match=rf"{SET}: the required column 'numbre'.*Did you mean 'number'"):
        read(portal, (ColumnRequest("numbre"),))


def test_filter_is_the_portals(portal):
    portal.datasets[SET].predicates["(amount > 9)"] = lambda row: int(row.get("amount", 0)) > 9
    result = read(portal, where="amount > 9")
    assert numbers(result) == [f"n{i:04d}" for i in range(10, N) if i % 5]


def test_native_geometry(portal):
    portal.datasets[SET].rows[0].pop("place")
    result = read(portal, (ColumnRequest("number"),), geometry=True)
    shapes = {
        row["number"]: None if row["geometry"] is None else shapely.from_wkb(row["geometry"])
        for row in result.table.to_pylist()
    }
    assert shapes["n0000"] is None
    assert (shapes["n0003"].x, shapes["n0003"].y) == (-94.503, 39.25)
    assert result.crs == "EPSG:4326"
    portal.datasets[SET].columns.append(("other", "polygon"))
    with pytest.raises(SchemaError, match=r"'place', 'other'"):
        read(portal, (ColumnRequest("number"),), geometry=True)


# ---- faults ------------------------------------------------------------------------------------------------------

PASSING = {
    "429 with Retry-After": fake.times(2, fake.status(429, Retry_After="0")),
    "500": fake.times(2, fake.status(500)),
    "503 on the count": fake.times(2, fake.status(503), "count"),
    "502 on the description": fake.times(2, fake.status(502), "describe"),
    "html with 200": fake.times(1, fake.html),
    "html in place of the count": fake.times(1, fake.html, "count"),
    "broken off": fake.times(1, fake.truncated(), after=1),
    "broken off in chunks": fake.times(1, fake.truncated(chunked=True), after=1),
    "cut json of honest length": fake.times(1, fake.truncated(honest_length=True), after=1),
    "cut to nothing": fake.times(1, fake.truncated(0.0, honest_length=True), after=1),
}


@pytest.mark.parametrize("name", PASSING)
def test_faults_that_pass(portal, name):
    portal.faults.append(PASSING[name])
    assert numbers(read(portal)) == expected(portal)


LASTING = {
    "429": (fake.status(429, Retry_After="0"), "status 429, 4 times in a row"),
    "500": (fake.status(500), "status 500, 4 times"),
    "html": (fake.html, "web page titled 'Scheduled maintenance'"),
    "truncated": (fake.truncated(), "broke off"),
    "truncated json": (fake.truncated(honest_length=True), "JSON that can't be read"),
    "403": (fake.status(403), "status 403: no.*token"),
    "400": (fake.status(400), "status 400: no"),
    "not rows": (fake.body({"rows": []}), "other than rows"),
    "rows without id": (fake.body([{"number": "1"}]), "without their id"),
    "too long a wait": (fake.status(429, Retry_After="86400"), "wait 86,400 s"),
}


@pytest.mark.parametrize("name", LASTING)
def test_faults_that_last(portal, name):
    fault, text = LASTING[name]
    portal.faults.append(fake.times(10**6, fault, after=1))
    with pytest.raises(SourceError, match=text) as caught:
        read(portal)
    assert caught.value.exit_code == 3
    assert "'src'" in str(caught.value)
    assert SET in str(caught.value)


def test_retry_after_is_waited_for(portal):
    waits: list[float] = []
    portal.faults.append(fake.times(1, fake.status(429, Retry_After="7")))
    read(portal, sender=transport(portal, sleep=waits.append))
    assert waits == [7.0]


def test_retry_after_as_a_date(portal):
    waits: list[float] = []
    at = datetime.now(UTC) + timedelta(seconds=30)
    portal.faults.append(fake.times(1, fake.status(503, Retry_After=at.strftime("%a, %d %b %Y %H:%M:%S GMT"))))
    portal.faults.append(fake.times(1, fake.status(503, Retry_After="soon"), after=1))
    read(portal, sender=transport(portal, sleep=waits.append))
    assert 20 < waits[0] <= 30
    assert waits[1] < 1


def test_waits_grow_and_are_bounded(portal):
    waits: list[float] = []
    portal.faults.append(fake.times(10, fake.status(500)))
    sender = transport(portal, sleep=waits.append, backoff_s=1.0, backoff_max_s=5.0, retries=6)
    with pytest.raises(SourceError):
        read(portal, sender=sender)
    assert len(waits) == 6
    assert 0 < waits[0] <= 1
    assert 2 <= waits[1] <= 3
    assert 4 <= waits[2] <= 5
    assert max(waits) == 5.0


def test_stall_is_not_waited_for(portal):
    portal.faults.append(fake.times(1, fake.stall(2.0)))
    assert numbers(read(portal, sender=transport(portal, read_timeout_s=0.2))) == expected(portal)
    portal.faults.append(fake.times(10, fake.stall(0.5)))
    with pytest.raises(SourceError, match=r"does not answer within 0.1 s"):
        read(portal, sender=transport(portal, read_timeout_s=0.1, retries=1))


def test_drip_is_not_waited_for(portal):
    portal.faults.append(fake.times(10, fake.drip(0.05)))
    with pytest.raises(SourceError, match=r"not there after 0.2 s"):
        read(portal, sender=transport(portal, answer_timeout_s=0.2, retries=1))


@pytest.mark.parametrize("fault", [fake.huge, fake.huge_by_its_header])
def test_ten_gigabytes_are_not_taken(portal, fault):
    portal.faults.append(fake.times(1, fault))
    with pytest.raises(SourceError, match="not read on"):
        read(portal, sender=transport(portal, max_bytes=1_000_000))


def test_nobody_listens(portal):
    sender = transport(portal, allow_http_hosts={"127.0.0.1:9"}, retries=1)
    source = SocrataSource("src", "127.0.0.1:9", (SET,))
    with pytest.raises(SourceError, match=r"no connection to 127\.0\.0\.1:9"):
        read_socrata(source, REQUEST, transport=sender, now=NOW)


# ---- rows that move ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page_rows", [5, 50])
def test_rows_of_pages_in_other_order(portal, page_rows):
    portal.faults.append(fake.shuffled())
    assert numbers(read(portal, page_rows=page_rows)) == expected(portal)


def test_portal_without_order_gives_all_or_an_error(portal):
    for seed in range(6):
        portal.faults[:] = [fake.unordered(seed)]
        try:
            assert numbers(read(portal)) == expected(portal)
        except SourceError as error:
            assert "23 rows were promised" in str(error)  # noqa: PT017 - either way is right, nothing else is


@pytest.mark.parametrize("by", [-9, -1, 1, 50])
def test_wrong_counts_are_an_error(portal, by):
    portal.faults.append(fake.wrong_count(by))
    with pytest.raises(SourceError, match=rf"{N + by} rows were promised and {N} came, in 3 readings"):
        read(portal)


@pytest.mark.parametrize("page", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("place", ["first", "last", "middle"])
def test_rows_inserted_while_paging(portal, page, place):
    ids = {"first": "row-!", "last": "row-z", "middle": "row-000007a"}
    data = portal.datasets[SET]
    portal.faults.append(fake.before_page(page, lambda: data.insert(made_row(900), ids=[ids[place]])))
    assert numbers(read(portal)) == expected(portal)


@pytest.mark.parametrize("page", [2, 3, 5, 6])
@pytest.mark.parametrize("victims", [("row-000001",), ("row-000022",), ("row-000001", "row-000012", "row-000013")])
def test_rows_deleted_while_paging(portal, page, victims):
    portal.faults.append(fake.before_page(page, lambda: portal.datasets[SET].delete(*victims)))
    assert numbers(read(portal)) == expected(portal)


@pytest.mark.parametrize("page", [2, 3, 5, 6])
def test_rows_inserted_and_deleted_so_that_the_count_stays(portal, page):
    def swap():
        portal.datasets[SET].delete("row-000001")
        portal.datasets[SET].insert(made_row(901), ids=["row-z"])

    portal.faults.append(fake.before_page(page, swap))
    assert numbers(read(portal)) == expected(portal)


def test_rows_updated_while_paging_are_the_new_ones(portal):
    portal.faults.append(fake.before_page(4, lambda: portal.datasets[SET].update("row-000001", amount="new")))
    result = read(portal)
    assert {r["number"]: r["amount"] for r in result.table.to_pylist()}["n0001"] == "new"
    assert numbers(result) == expected(portal)


def test_a_portal_that_never_rests_is_an_error(portal):
    def restless(portal, request):
        if request.kind == "count":
            portal.datasets[SET].insert(made_row(len(portal.datasets[SET].rows)))

    portal.faults.append(restless)
    with pytest.raises(SourceError, match="kept changing while it was read, in 3 readings"):
        read(portal)


@pytest.mark.parametrize("page", [1, 2, 4])
def test_schema_renamed_while_paging(portal, page):
    portal.faults.append(fake.before_page(page, lambda: portal.datasets[SET].rename("opened", "opened_on")))
    with pytest.raises((SchemaError, SourceError), match=r"no-such-column.*opened|'opened'"):
        read(portal)


def test_renamed_columns_sent_regardless_of_what_was_asked(portal):
    def careless(portal, request):
        if request.kind != "page":
            return None
        rows = json.loads(portal.honest(request).body)
        return fake.body([{("seen" if k == "opened" else k): v for k, v in row.items()} for row in rows])(
            portal, request
        )

    portal.faults.append(careless)
    with pytest.raises(SchemaError, match=r"'seen'.*'opened'"):
        read(portal)


def test_schema_change_between_count_and_description(portal):
    portal.faults.append(fake.times(1, lambda p, _: p.datasets[SET].rename("opened", "opened_on"), "describe", after=2))
    with pytest.raises(SchemaError, match=r"'opened'.*gone"):
        read(portal)


def test_portal_that_does_not_tell_the_latest_change(portal, tmp_path):
    def terse(portal, request):
        if "max(" in request.query.get("$select", ""):
            return fake.status(400)(portal, request)
        return None

    portal.faults.append(terse)
    for _ in range(2):
        result = read(portal, state_dir=tmp_path)
        assert numbers(result) == expected(portal)
        assert result.files[0].notes == ("all rows read",)
    portal.faults.append(fake.before_page(3, lambda: portal.datasets[SET].delete("row-000001")))
    assert numbers(read(portal)) == expected(portal)


# ---- nights ------------------------------------------------------------------------------------------------------


def test_second_night_asks_only_for_changes(portal, tmp_path):
    data = portal.datasets[SET]
    data.clock += 10 * 86_400  # so that the overlap does not reach back to the first rows
    data.insert(made_row(76), ids=["row-76"])
    first = read(portal, state_dir=tmp_path)
    data.insert(made_row(77), ids=["row-77"])
    data.update("row-000003", amount="changed")
    portal.requests.clear()
    second = read(portal, state_dir=tmp_path, now=NOW + timedelta(days=1))
    assert all(":updated_at >=" in request.query["$where"] for request in portal.asked("page"))
    assert numbers(second) == expected(portal)
    assert {r["number"]: r["amount"] for r in second.table.to_pylist()}["n0003"] == "changed"
    assert "3 rows changed since" in second.files[0].notes[0]
    assert second.table.num_rows == first.table.num_rows + 1
    assert read(portal).table.equals(second.table)


def test_overlap_takes_rows_that_were_dated_back(portal, tmp_path):
    data = portal.datasets[SET]
    read(portal, state_dir=tmp_path)
    late = made_row(88)
    data.rows.append({":id": "row-88", ":updated_at": data.rows[-1][":updated_at"], **late})
    data.version += 1
    assert numbers(read(portal, state_dir=tmp_path)) == expected(portal)


def test_quiet_night_gives_the_same_digest(portal, tmp_path):
    store = SnapshotStore(tmp_path / "snapshots")
    nights = [
        store.put("kc", "requests", read(portal, state_dir=tmp_path / "state", now=NOW + timedelta(days=d)), NOW)
        for d in range(3)
    ]
    assert len({night.digest for night in nights}) == 1
    assert store.table(nights[-1]).num_rows == N


def test_deletions_lead_to_a_full_reading(portal, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    read(portal, state_dir=tmp_path)
    portal.datasets[SET].delete("row-000004", "row-000005")
    portal.datasets[SET].insert(made_row(5555), ids=["row-new"])
    result = read(portal, state_dir=tmp_path, now=NOW + timedelta(days=1))
    assert numbers(result) == expected(portal)
    assert result.files[0].notes == ("all rows read",)
    assert "does not add up" in caplog.text


def test_everything_is_read_again_after_some_days(portal, tmp_path):
    read(portal, state_dir=tmp_path, full_every_days=7)
    for day, how in ((6, "rows changed"), (7, "all rows read"), (13, "rows changed"), (14, "all rows read")):
        result = read(portal, state_dir=tmp_path, now=NOW + timedelta(days=day), full_every_days=7)
        assert how in result.files[0].notes[0], day


def test_clock_that_jumped_back_reads_everything(portal, tmp_path):
    read(portal, state_dir=tmp_path)
    result = read(portal, state_dir=tmp_path, now=NOW - timedelta(days=400))
    assert result.files[0].notes == ("all rows read",)


def test_other_columns_or_filter_read_everything(portal, tmp_path):
    read(portal, state_dir=tmp_path)
    fewer = read(portal, REQUEST[:2], state_dir=tmp_path)
    assert fewer.files[0].notes == ("all rows read",)
    assert fewer.columns == ("number", "opened")


@pytest.mark.parametrize("cut_after", [1, 2, 4])
def test_cut_pull_goes_on_where_it_was_cut(portal, tmp_path, cut_after):
    portal.faults.append(fake.times(10**6, fake.status(500), after=cut_after))
    with pytest.raises(SourceError):
        read(portal, state_dir=tmp_path)
    portal.faults.clear()
    portal.requests.clear()
    assert numbers(read(portal, state_dir=tmp_path, now=NOW + timedelta(hours=1))) == expected(portal)
    offsets = [int(request.query["$offset"]) for request in portal.asked("page")]
    assert min(offsets) == 4 * cut_after
    assert not list(tmp_path.rglob("page-*"))


@pytest.mark.parametrize("change", ["insert", "delete", "update"])
def test_data_that_changed_between_cut_and_resumption(portal, tmp_path, change):
    portal.faults.append(fake.times(10**6, fake.status(500), after=3))
    with pytest.raises(SourceError):
        read(portal, state_dir=tmp_path)
    portal.faults.clear()
    data = portal.datasets[SET]
    if change == "insert":
        data.insert(made_row(70), ids=["row-!"])
    elif change == "delete":
        data.delete("row-000001")
    else:
        data.update("row-000001", amount="new")
    result = read(portal, state_dir=tmp_path)
    assert numbers(result) == expected(portal)
    assert read(portal).table.equals(result.table)


def test_damaged_or_old_pages_are_not_used(portal, tmp_path):
    portal.faults.append(fake.times(10**6, fake.status(500), after=3))
    with pytest.raises(SourceError):
        read(portal, state_dir=tmp_path)
    portal.faults.clear()
    pages = sorted(tmp_path.rglob("page-*"))
    assert len(pages) == 3
    pages[1].write_bytes(b"junk")
    portal.requests.clear()
    assert numbers(read(portal, state_dir=tmp_path)) == expected(portal)
    assert min(int(request.query["$offset"]) for request in portal.asked("page")) == 4
    portal.faults.append(fake.times(10**6, fake.status(500), after=3))
    with pytest.raises(SourceError):
        read(portal, REQUEST[:2], state_dir=tmp_path)
    portal.faults.clear()
    portal.requests.clear()
    read(portal, REQUEST[:2], state_dir=tmp_path, now=NOW + timedelta(days=2))
    assert min(int(request.query["$offset"]) for request in portal.asked("page")) == 0


@pytest.mark.parametrize("harm", ["base.json", "base-*.parquet"])
def test_damaged_base_is_read_anew(portal, tmp_path, harm):
    read(portal, state_dir=tmp_path)
    for path in tmp_path.rglob(harm):
        path.write_bytes(b"{")
    result = read(portal, state_dir=tmp_path)
    assert numbers(result) == expected(portal)
    assert result.files[0].notes == ("all rows read",)


def test_undeclared_values_are_not_in_the_state(portal, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    read(portal, state_dir=tmp_path)
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"CANARY" not in stored
    assert "CANARY" not in caplog.text


# ---- who may be asked --------------------------------------------------------------------------------------------


def test_only_https_unless_the_configuration_says_otherwise(portal):
    with pytest.raises(SourceError, match=r"connection|certificate|answer"):
        read(portal, sender=Transport(retries=0, backoff_s=0.001, read_timeout_s=2.0))
    assert portal.requests == []
    assert read(portal, sender=Transport(), allow_http=True).table.num_rows == N


@pytest.mark.parametrize(
    "target", ["http://evil.example/x", "https://127.0.0.1/x", "//evil.example/x", "http://127.0.0.1:1/x", "file:///x"]
)
def test_redirect_to_another_host_is_refused(portal, target):
    portal.faults.append(fake.times(1, fake.redirect(target)))
    with pytest.raises(SourceError, match="not the configured host"):
        read(portal)


def test_redirect_within_the_host_is_followed_but_not_in_circles(portal):
    def moved(portal, request):
        if "moved" in request.query:
            return portal.honest(request)
        if request.kind != "page":
            return None
        query = "&".join(f"{k}={v}" for k, v in request.query.items())
        return fake.redirect(f"{request.path}?{query}&moved=1")(portal, request)

    portal.faults.append(moved)
    assert numbers(read(portal)) == expected(portal)
    portal.faults[:] = [fake.redirect("/resource/again.json")]
    with pytest.raises(SourceError, match="circles"):
        read(portal)


@pytest.mark.parametrize("host", ["data.kcmo.org/x", "user@host", "https://data.kcmo.org", "a b", ""])
def test_host_is_a_host(portal, host):
    source = SocrataSource("src", host, (SET,))
    with pytest.raises(ConfigError, match="no host name"):
        read_socrata(source, REQUEST, transport=transport(portal), now=NOW)


def test_data_set_ids(portal):
    for datasets in ((), ("../../x",), ("AB12-CD34",)):
        with pytest.raises(ConfigError, match="ids like"):
            read(portal, datasets=datasets)


def test_unknown_data_set(portal):
    with pytest.raises(SourceError, match=r"404.*Cannot find view.*still exists"):
        read(portal, datasets=("no00-no00",))


def test_token_is_sent_and_shown_nowhere(portal, monkeypatch, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("PORTAL_TOKEN", "CANARY-TOKEN-123\n")
    read(portal, token_env="PORTAL_TOKEN", state_dir=tmp_path)  # noqa: S106
    assert all(request.headers["X-App-Token"] == "CANARY-TOKEN-123" for request in portal.requests)
    errors = []
    for fault in (
        fake.body([{"number": "1"}]),
        fake.status(500),
        lambda _p, r: fake.Reply(json.dumps({"message": f"bad token {r.headers['X-App-Token']}"}).encode(), 403),
        fake.redirect("https://elsewhere.example/"),
        fake.html,
    ):
        portal.faults[:] = [fault]
        with pytest.raises(RtmError) as caught:
            read(portal, token_env="PORTAL_TOKEN")  # noqa: S106
        errors += [repr(caught.value), *traceback.format_exception(caught.value)]
    assert "bad token ***" in str(errors)
    assert "CANARY-TOKEN" not in str(errors)
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert "CANARY-TOKEN" not in caplog.text
    assert b"CANARY-TOKEN" not in stored


def test_odd_token_is_refused_without_telling_it(portal, monkeypatch):
    monkeypatch.setenv("PORTAL_TOKEN", "CANARY\r\nX-Evil: 1")
    with pytest.raises(ConfigError, match="PORTAL_TOKEN") as caught:
        read(portal, token_env="PORTAL_TOKEN")  # noqa: S106
    assert "CANARY" not in str(caught.value)


def test_soql_text_doubles_quotes():
    assert soql_text("O'Brien' OR '1'='1") == "'O''Brien'' OR ''1''=''1'"


def test_one_entrance(portal, tmp_path):
    source = SocrataSource("src", portal.host, (SET,))
    sender = transport(portal)
    result = read_source(source, REQUEST, data_dir=tmp_path, transport=sender, state_dir=tmp_path / "s", now=NOW)
    assert numbers(result) == expected(portal)
    routed = transport(portal, routes={"data.kcmo.org": portal.host})
    far = SocrataSource("src", "data.kcmo.org", (SET,))
    assert read_source(far, REQUEST, data_dir=tmp_path, transport=routed).files[0].path == f"data.kcmo.org/{SET}"
