"""`rtm fit` and `rtm accuracy` on tables that no one should give them: a message that says what and where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.city import Command

RNG = np.random.default_rng(0)
N = 400


def table(path: Path, **columns: object) -> Path:
    """A CSV with the factors a and b, the count y and the score s, and what is given instead of them."""
    values = {"a": RNG.integers(0, 2, N), "b": RNG.integers(0, 2, N), "y": RNG.poisson(1.0, N), "s": RNG.random(N)}
    values |= columns  # type: ignore[arg-type]
    values = {name: value for name, value in values.items() if value is not None}
    rows = zip(*(np.asarray(value).tolist() for value in values.values()), strict=True)
    path.write_text("\n".join([",".join(values), *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def one(value: object, rest: float = 1.0) -> list[object]:
    return [value, *[rest] * (N - 1)]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"y": one("nan")}, "count of cell 0 is missing or infinite: nan (1 such cells of 400)"),
        ({"y": one(-1)}, "count of cell 0 is negative: -1 (1"),
        ({"y": one(0.5)}, "count of cell 0 is not a whole number: 0.5"),
        ({"y": [10**18] * N}, "count of cell 0 is too large: 1e+18"),
        ({"y": [0] * N}, "There are no incidents in any of the 400 cells"),
        ({"y": ["x"] * N}, "the column 'y' holds string"),
        ({"a": one("nan")}, "Column 'a' must hold only 0 and 1; found nan in row 0"),
        ({"a": ["x"] * N}, "the column 'a' holds string"),
    ],
)
def test_a_bad_value_is_named_with_its_place(
    tmp_path: Path, rtm: Command, columns: dict[str, object], message: str
) -> None:
    answer = rtm("fit", table(tmp_path / "t.csv", s=None, **columns), "--count", "y", "--refits", "0")
    assert answer.code != 0
    assert message in " ".join(answer.err.split())
    assert "Traceback" not in answer.err
    assert "np.float64" not in answer.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,a,y\n1,0,2\n0,1,1\n", "several columns of the name 'a'"),
        (b"a,y\n", "a header but no rows"),
        ("\xe4,y\n1,2\n".encode("latin-1"), "its header is not UTF-8"),
        (b"", "can't be read as a table"),
        (b"a;y\n1;2\n", "no column 'y'"),
    ],
)
@pytest.mark.parametrize("command", [("fit", "--count", "y"), ("accuracy", "--observed", "y", "--score", "a")])
def test_a_bad_file_is_named(
    tmp_path: Path, rtm: Command, content: bytes, message: str, command: tuple[str, ...]
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    answer = rtm(command[0], path, *command[1:])
    assert answer.code != 0
    assert message in " ".join(answer.err.split())
    assert "Traceback" not in answer.err


def test_a_place_that_can_not_be_written_is_refused_before_the_work(tmp_path: Path, rtm: Command) -> None:
    path = table(tmp_path / "t.csv", s=None)
    for out, message in ((tmp_path, "is a folder"), (tmp_path / "no" / "model.json", "does not exist")):
        answer = rtm("fit", path, "--count", "y", "--json", out)
        assert answer.code != 0
        assert message in " ".join(answer.err.split())
        assert "intercept" not in answer.out


def test_a_factor_that_divides_perfectly_is_told(tmp_path: Path, rtm: Command) -> None:
    """Its estimate is infinite, so it can't enter; a model without it and without a word would say: no relation."""
    a = RNG.integers(0, 2, N)
    told = "a: all incidents lie on one side, which is no chance"
    path = table(tmp_path / "t.csv", a=a, y=3 * a, s=None)
    assert told in rtm("fit", path, "--count", "y", "--refits", "0").out
    path = table(tmp_path / "t.csv", a=a, y=3 * (1 - a), s=None)
    assert told not in rtm("fit", path, "--count", "y", "--refits", "0").out  # protective was not asked for
    assert told in rtm("fit", path, "--count", "y", "--refits", "0", "--direction", "both").out
    heap = table(tmp_path / "t.csv", a=a, y=[int(50 * (n == 7)) for n in range(N)], s=None)
    answer = rtm("fit", heap, "--count", "y", "--refits", "0", "--direction", "both")
    assert answer.code == 0
    assert "no chance" not in answer.out  # one cell divides any column


def test_what_was_left_out_is_told(tmp_path: Path, rtm: Command) -> None:
    answer = rtm("fit", table(tmp_path / "t.csv", b=[1] * N, s=None), "--count", "y", "--refits", "0")
    assert answer.code == 0
    assert "left out: b: it is 1 in every cell" in answer.out


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"e": one(0)}, "exposure of cell 0 is not positive and finite: 0 (1 such cells of 400)"),
        ({"e": [-1.0] * N}, "exposure of cell 0 is not positive and finite: -1"),
        ({"e": one("inf")}, "exposure of cell 0 is not positive and finite: inf"),
        ({"y": one("inf"), "e": [1.0] * N}, "Observed counts must have a finite sum"),
        ({"y": [1.7e308] * N, "e": [1.0] * N}, "Observed counts must have a finite sum"),
        ({"y": one(-1), "e": [1.0] * N}, "Observed counts can't be negative or missing; found -1.0 in cell 0"),
        ({"s": one(-0.5), "e": [1.0] * N}, "A score in expected incidents can't be negative; found -0.5"),
    ],
)
def test_accuracy_refuses_what_it_can_not_judge(
    tmp_path: Path, rtm: Command, columns: dict[str, object], message: str
) -> None:
    command = ("--observed", "y", "--score", "s", "--exposure", "e", "--in-incidents")
    answer = rtm("accuracy", table(tmp_path / "t.csv", **columns), *command)
    assert answer.code != 0
    assert message in " ".join(answer.err.split())
    assert "Traceback" not in answer.err


def test_rows_without_a_score_are_counted(tmp_path: Path, rtm: Command) -> None:
    path = table(tmp_path / "t.csv", s=one("nan", 0.5))
    assert "1 rows without a score rank last" in rtm("accuracy", path, "--observed", "y", "--score", "s").out
    found = rtm("accuracy", path, "--observed", "y", "--score", "s", "--json").json
    assert found["without_score"] == 1
