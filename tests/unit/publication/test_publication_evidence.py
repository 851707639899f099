"""What the public edition may tell of 311."""

from __future__ import annotations

import pyarrow as pa

from rtm_pipeline.publication.editions.public_evidence import public_evidence


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


def test_the_report_tells_it_in_words_a_meeting_can_read(written):
    page = (written.restricted / "report.html").read_text()
    part = page[page.index('id="evidence-311"') :]
    part = part[: part.index("</section>")]
    for words in (
        "illegal dumping",
        "\u221225 %",
        "2.5 (1.9 to 3.3)",
        "within 250 ft (76 m)",
        "250 to 500 ft",
        "1.4",
        "60",
    ):
        assert words in part.replace("\u00a0", " ")
    assert "rate_ratio" not in part
    assert "illegal_dumping" not in part
