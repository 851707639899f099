"""Every shape for which formats are proposed is read by them."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from rtm_pipeline.layers.dates import read_times
from rtm_pipeline.layers.value_shapes import formats_hint, shapes_of

VALUES = [
    "31.12.2021 23:59",
    "1.2.2023",
    "12/31/2021 11:59:00 PM",
    "12/31/2021",
    "2021/12/31 23:59:10.5",
    "31-Dec-2021",
    "Dec 31, 2021",
    "12-31-2021 23:59",
    "1640995140000",
    "1640995140",
]


@pytest.mark.parametrize("value", VALUES)
def test_the_proposal_reads_what_it_was_made_from(value: str) -> None:
    values = pa.array([value])
    hint = formats_hint(shapes_of(values))
    assert hint is not None
    written = hint.removeprefix("formats: ").split(" (or")[0]
    formats = [written[1:-1]] if "epoch" in written else json.loads(written)
    found = read_times(values, tuple(formats), "UTC")
    assert not np.isnat(found).any()
    assert str(found[0])[:4] in ("2021", "2023")


def test_nothing_is_proposed_for_what_is_no_date() -> None:
    assert formats_hint(shapes_of(pa.array(["soon", "12:30"]))) is None
