from __future__ import annotations

import pyarrow as pa
import pytest

from rtm_pipeline.errors import ConfigError, SchemaError
from rtm_pipeline.layers.columns import TextColumns
from rtm_pipeline.layers.conditions import Condition, Filter
from rtm_pipeline.layers.filters import passes

CODES = ["31111", "115400", "10000", None, "Homicide", "Justifiable Homicide"]


def holds(condition: Condition, values: list[str | None]) -> list[bool]:
    columns = TextColumns(pa.table({"c": pa.array(values, pa.string())}))
    return [bool(value) for value in passes(Filter(((condition,),)), columns)]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Condition("c", isin=(" 31111 ", "10000")), [True, False, True, False, False, False]),
        (Condition("c", prefix=("01", "03"), pad=6), [True, False, True, False, False, False]),
        (Condition("c", prefix=("01", "03")), [False] * 6),
        (Condition("c", pattern=r"^(?!Just).*icide"), [False, False, False, False, True, False]),
        (Condition("c", pattern="homicide"), [False] * 6),
        (Condition("c", pattern="homicide", ignore_case=True), [False, False, False, False, True, True]),
        (Condition("c", isin=("HOMICIDE",), ignore_case=True), [False, False, False, False, True, False]),
        (Condition("c", prefix=("JUST",), ignore_case=True), [False, False, False, False, False, True]),
        (Condition("c", minimum=10000, maximum=31111), [True, False, True, False, False, False]),
        (Condition("c", minimum=31112), [False, True, False, False, False, False]),
        # a missing value fails a test, and passes it turned around
        (Condition("c", isin=("10000",), negate=True), [True, True, False, True, True, True]),
        (Condition("c", isin=("10000",), negate=True, is_null=False), [True, True, False, False, True, True]),
        (Condition("c", is_null=True), [False, False, False, True, False, False]),
        (Condition("c", is_null=False), [True, True, True, False, True, True]),
        (Condition("c", is_null=True, negate=True), [True, True, True, False, True, True]),
        # all tests of a condition must hold
        (Condition("c", prefix=("1",), maximum=20000), [False, False, True, False, False, False]),
    ],
)
def test_conditions(condition: Condition, expected: list[bool]) -> None:
    assert holds(condition, CODES) == expected


def test_groups_are_alternatives_of_conditions() -> None:
    columns = TextColumns(pa.table({"a": ["1", "1", "2", "2"], "b": ["x", "y", "x", "y"]}))
    wanted = Filter(
        (
            (Condition("a", isin=("1",)), Condition("b", isin=("x",))),
            (Condition("a", isin=("2",)), Condition("b", isin=("y",))),
        )
    )
    assert passes(wanted, columns).tolist() == [True, False, False, True]
    assert passes(Filter(()), columns).tolist() == [False] * 4


def test_no_rows_and_no_values() -> None:
    assert holds(Condition("c", isin=("x",)), []) == []
    assert holds(Condition("c", isin=("x",), negate=True), [None, None]) == [True, True]


def test_a_missing_column_is_named_with_what_is_alike() -> None:
    columns = TextColumns(pa.table({"Descripton": ["x"]}), "Layer 'crime'")
    with pytest.raises(SchemaError, match=r"Layer 'crime' needs the column\(s\) 'Description'.*mean 'Descripton'"):
        passes(Filter(((Condition("Description", isin=("x",)),),)), columns)


def test_a_wrong_pattern_is_refused_with_its_column() -> None:
    with pytest.raises(ConfigError, match=r"'\(' for column 'c' is not a regular expression"):
        Condition("c", pattern="(")


def test_numbers_tell_missing_from_unreadable() -> None:
    values = [" 1.5", "-2e3", None, "N/A", "inf", "nan", "1,000"]
    numbers = TextColumns(pa.table({"n": pa.array(values, pa.string())})).numbers("n")
    assert numbers.values[:2].tolist() == [1.5, -2000.0]
    assert numbers.missing.tolist() == [False, False, True, False, False, False, False]
    assert numbers.unreadable.tolist() == [False, False, False, True, True, True, True]


def test_identity_of_several_columns() -> None:
    table = pa.table({"a": ["1", "1", None, None, "1"], "b": ["x", "y", "x", None, "x"]})
    numbers = TextColumns(table).identity(("a", "b"))
    assert numbers[0] == numbers[4]
    assert len({*numbers.tolist()}) == 4
    assert numbers.tolist().count(-1) == 1
    assert numbers[3] == -1
