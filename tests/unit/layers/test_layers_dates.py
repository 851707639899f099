from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.layers.dates import end_of_period, read_hours, read_times

ZONE = "America/Chicago"


def times(values: list[str], *formats: str) -> list[str | None]:
    found = read_times(pa.array(values, pa.string()), formats, ZONE)
    return [None if np.isnat(value) else str(value) for value in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2018-01-05", "2018-01-05T00:00:00"),
        ("2018-01", "2018-01-01T00:00:00"),
        ("20180105", "2018-01-05T00:00:00"),
        ("2018-09-02T18:15:00.000", "2018-09-02T18:15:00"),
        ("2018-09-02 18:15", "2018-09-02T18:15:00"),
        # an instant becomes the city's wall clock: 6 hours behind in winter, 5 in summer
        ("2018-01-01T05:29:06Z", "2017-12-31T23:29:06"),
        ("2018-07-01T05:00:00Z", "2018-07-01T00:00:00"),
        ("2018-07-01T05:00:00+02:00", "2018-06-30T22:00:00"),
        ("2018-07-01T00:00:00-0500", "2018-07-01T00:00:00"),
        # both passes through the hour that daylight saving repeats, and an hour that it leaves out, floating
        ("2018-11-04T06:30:00Z", "2018-11-04T01:30:00"),
        ("2018-11-04T07:30:00Z", "2018-11-04T01:30:00"),
        ("2018-03-11T02:30:00", "2018-03-11T02:30:00"),
        # no date
        ("2018", None),
        ("1514764800000", None),
        ("2018-02-30", None),
        ("2018-13-01", None),
        ("yesterday", None),
    ],
)
def test_iso(text: str, expected: str | None) -> None:
    assert times([text], "iso") == [expected]


def test_the_first_format_that_fits_wins() -> None:
    texts = ["5/10/2017 13:30", "05/10/2017 03:30 PM", "5/10/17 13:30", "2017-05-10", "2/30/2017 10:00", "x"]
    formats = ("%m/%d/%Y %H:%M", "%m/%d/%Y %I:%M %p", "%m/%d/%y %H:%M", "iso")
    assert times(texts, *formats) == [
        "2017-05-10T13:30:00",
        "2017-05-10T15:30:00",
        "2017-05-10T13:30:00",
        "2017-05-10T00:00:00",
        None,
        None,
    ]
    assert times(["3/4/2017"], "%d/%m/%Y", "%m/%d/%Y") == ["2017-04-03T00:00:00"]
    assert times(["3/14/2017"], "%d/%m/%Y", "%m/%d/%Y") == ["2017-03-14T00:00:00"]


def test_two_digit_years_need_their_own_format() -> None:
    assert times(["1/2/17"], "%m/%d/%Y") == [None]
    assert times(["1/2/2017"], "%m/%d/%y") == [None]
    assert times(["1/2/68", "1/2/69"], "%m/%d/%y") == ["2068-01-02T00:00:00", "1969-01-02T00:00:00"]


def test_a_z_that_lies_is_read_as_local_by_a_pattern() -> None:
    assert times(["2018-01-01T05:29:06Z"], "%Y-%m-%dT%H:%M:%SZ") == ["2018-01-01T05:29:06"]
    assert times(["2018-01-01T05:29:06Z"], "%Y-%m-%dT%H:%M:%S%z") == ["2017-12-31T23:29:06"]


def test_epochs_are_instants() -> None:
    assert times(["1514764800000", "1514764800000.0", "nan", "1e300", "x"], "epoch_ms") == [
        "2017-12-31T18:00:00",
        "2017-12-31T18:00:00",
        None,
        None,
        None,
    ]
    assert times(["1530403200", "-3600"], "epoch_s") == ["2018-06-30T19:00:00", "1969-12-31T17:00:00"]


def test_a_wrong_pattern_is_said_by_name() -> None:
    with pytest.raises(ConfigError, match=r"'%Q' is not a date format"):
        times(["x"], "%Q")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("23", 23 * 3600),
        ("3.0", 3 * 3600),
        ("24", -1),
        ("13:05", 13 * 3600 + 300),
        ("1305", 13 * 3600 + 300),
        ("305", 3 * 3600 + 300),
        ("10:16 AM", 10 * 3600 + 960),
        ("12:00 AM", 0),
        ("12:30 p.m.", 12 * 3600 + 1800),
        ("1:05:09", 3909),
        ("13:00 PM", -1),
        ("-1", -1),
        ("noon", -1),
        ("13:75", -1),
    ],
)
def test_hours(text: str, seconds: int) -> None:
    assert read_hours(pa.array([text])).tolist() == [seconds]


def test_a_period_is_known_at_its_end() -> None:
    moment = np.array(["2018-12-31T10:00", "2019-01-01T00:00", "NaT"], "datetime64[s]")
    assert end_of_period(moment).astype(str).tolist() == ["2019-01-01T00:00:00", "2019-01-02T00:00:00", "NaT"]
    assert end_of_period(moment, "month").astype(str).tolist() == ["2019-01-01T00:00:00", "2019-02-01T00:00:00", "NaT"]
    assert end_of_period(moment, "year").astype(str).tolist() == ["2019-01-01T00:00:00", "2020-01-01T00:00:00", "NaT"]
