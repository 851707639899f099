"""What the public edition may tell of 311."""

from __future__ import annotations

import pyarrow as pa

from rtm_pipeline.publication.public_evidence import public_evidence


def test_kinds_and_bands_with_little_behind_them_are_empty():
    table = pa.table(
        {
            "category": ["dumping", "rare", "weeds"],
            "requests": [900, 3, 40],
            "incidents_0_76m": [12, 50, 4],
            "rate_ratio_0_76m": [2.0, 3.0, 4.0],
            "rate_ratio_low_0_76m": [1.0, 2.0, 3.0],
            "rate_ratio_high_0_76m": [3.0, 4.0, 5.0],
            "incidents_76_152m": [9, 60, 5],
            "rate_ratio_76_152m": [1.5, 2.5, None],
            "rate_ratio_low_76_152m": [1.0, 2.0, None],
            "rate_ratio_high_76_152m": [2.0, 3.0, None],
            "rrv": [1.4, None, None],
        }
    ).replace_schema_metadata({"a": "b"})
    found = public_evidence(table)
    assert found.schema.equals(table.schema)
    rows = {row["category"]: row for row in found.to_pylist()}
    assert rows["dumping"] == table.to_pylist()[0]
    assert all(value is None for name, value in rows["rare"].items() if "m" in name[-1:] and "_" in name)
    assert rows["rare"]["requests"] == 3
    assert rows["weeds"]["incidents_0_76m"] is None
    assert rows["weeds"]["rate_ratio_0_76m"] is None
    assert rows["weeds"]["incidents_76_152m"] == 5
