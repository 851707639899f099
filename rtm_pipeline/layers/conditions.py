"""Tests on the columns of a row, declared: which rows pass is told by `rtm_pipeline.layers.filters`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rtm_pipeline.errors import ConfigError

__all__ = ["Condition", "Filter"]


@dataclass(frozen=True, slots=True)
class Condition:
    """A test on one column. The value is padded first (``pad``), then all tests that are given must hold.

    Attributes
    ----------
    column : str
    isin : tuple of str
        Equal to one of these (blanks around them never count).
    prefix : tuple of str
        Begins with one of these.
    pattern : str, optional
        Regular expression (Python's), searched anywhere in the value.
    minimum, maximum : float, optional
        Bounds of the value as a number, both included; a value that is no number fails.
    is_null : bool, optional
        True: must be missing. False: must be there.
    negate : bool
        The outcome of the tests on the value is turned around; a missing value then passes, unless ``is_null`` says
        otherwise. Beside ``is_null`` alone it turns that around.
    pad : int, optional
        Fill with zeros on the left to this width, as for UCR codes that lost theirs.
    ignore_case : bool
    """

    column: str
    isin: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    is_null: bool | None = None
    negate: bool = False
    pad: int | None = None
    ignore_case: bool = False

    def __post_init__(self) -> None:
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ConfigError(
                    f"The pattern {self.pattern!r} for column {self.column!r} is not a regular expression: {error}."
                ) from error

    @property
    def tests_value(self) -> bool:
        """Whether there is a test beside that for a missing value."""
        bounded = self.minimum is not None or self.maximum is not None
        return bool(self.isin or self.prefix or bounded or self.pattern is not None)


@dataclass(frozen=True, slots=True)
class Filter:
    """Alternatives of conditions: a row passes if **any** group holds, a group if **all** its conditions do."""

    groups: tuple[tuple[Condition, ...], ...]
