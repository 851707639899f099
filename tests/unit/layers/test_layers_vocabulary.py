from __future__ import annotations

import pyarrow as pa
import pytest

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.layers.columns import TextColumns
from rtm_pipeline.layers.spec import Categories
from rtm_pipeline.layers.vocabulary import Categorized, categorize

NAMES = {
    "open_to_entry": ("Vacant Structure Open to Entry", "Prop/Build/Construct-Dangerous Building-Open to entry"),
    "dangerous": ("Dangerous Building*", "Prop/Build/Construct-Dangerous Building-*"),
}


def found(spec: Categories, *columns: list[str | None]) -> Categorized:
    table = pa.table({name: pa.array(values, pa.string()) for name, values in zip(spec.columns, columns, strict=True)})
    return categorize(spec, TextColumns(table))


def test_two_vocabularies_become_one() -> None:
    values = [
        "Vacant Structure Open to Entry",
        "Prop/Build/Construct-Dangerous Building-Open to entry",
        "Prop/Build/Construct-Dangerous Building-On list",
        "dangerous building emergency",
        "Trash",
        "Trash",
        None,
    ]
    result = found(Categories(("type",), NAMES), values)
    assert result.names == ("open_to_entry", "dangerous")
    assert result.codes.tolist() == [0, 0, 1, 1, -1, -1, -1]
    assert result.unmapped == {"Trash": 2, "(missing)": 1}
    assert result.unused == ()


def test_exact_before_prefix_and_longer_before_shorter() -> None:
    spec = Categories(("c",), {"a": ("B*",), "b": ("Bo*",), "c": ("Board",)})
    assert found(spec, ["Board", "Boarded", "Broken", "Bo"]).codes.tolist() == [2, 1, 0, 1]


def test_columns_are_joined() -> None:
    spec = Categories(("kind", "detail"), {"entry": ("Dangerous / Open", "Open")})
    result = found(spec, ["Dangerous", "Dangerous", None], ["Open", None, "Open"])
    assert result.codes.tolist() == [0, -1, 0]


def test_other_is_a_category_of_its_own() -> None:
    spec = Categories(("c",), {"a": ("x",)}, other="other")
    result = found(spec, ["x", "y", None])
    assert result.names == ("a", "other")
    assert result.codes.tolist() == [0, 1, 1]


def test_case_and_padding() -> None:
    assert found(Categories(("c",), {"a": ("X",)}, ignore_case=False), ["x", "X"]).codes.tolist() == [-1, 0]
    assert found(Categories(("c",), {"a": ("01*",)}, pad=6), ["10000", "115400"]).codes.tolist() == [0, -1]


def test_values_that_no_row_has_are_told() -> None:
    assert found(Categories(("c",), {"a": ("x", "renamed"), "b": ("gone*",)}), ["x"]).unused == ("renamed", "gone*")


def test_one_value_in_two_categories_is_refused() -> None:
    with pytest.raises(ConfigError, match="stands under both 'a' and 'b'"):
        Categories(("c",), {"a": ("x",), "b": (" X ",)})
