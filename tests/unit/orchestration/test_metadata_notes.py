"""Facts about a layer beside its asset: tables where they are told by year or value, not a program's dictionaries."""

from __future__ import annotations

import dagster as dg

from rtm_pipeline.orchestration.metadata import note_value


def test_what_is_told_by_year_is_a_table() -> None:
    found = note_value({"2022": {"rows": 7, "share": 0.123456}, "2023": {"rows": 8, "share": 1.0}})
    assert isinstance(found, dg.TableMetadataValue)
    assert [dict(record.data) for record in found.records] == [
        {"of": "2022", "rows": 7, "share": 0.1235},
        {"of": "2023", "rows": 8, "share": 1.0},
    ]


def test_what_is_counted_by_value_is_a_table_and_the_rest_words() -> None:
    found = note_value({"99/99/9999": 3})
    assert isinstance(found, dg.TableMetadataValue)
    assert [dict(record.data) for record in found.records] == [{"of": "99/99/9999", "rows": 3}]
    assert note_value(12) == "12"
    assert note_value({}) == "{}"
