"""Tokens that don't get into logs, tables or error messages by accident."""

from __future__ import annotations

import json
import os
from html import escape
from typing import NoReturn
from urllib.parse import quote, quote_plus

from rtm_pipeline.errors import ConfigError

__all__ = ["Secret"]

_HIDDEN = "***"


class Secret:
    """A text that is shown as ``***`` and can't be pickled; `reveal` gives it to the one place that sends it."""

    __slots__ = ("_before", "_value")

    def __init__(self, value: str, before: str = "") -> None:
        self._value = value
        self._before = before

    @classmethod
    def from_env(cls, name: str | None) -> Secret | None:
        """Secret in an environment variable; None if no variable is named or it is not set.

        Raises
        ------
        ConfigError
            If it holds letters that can't stand in a request, such as a line break in its middle.
        """
        value = os.environ.get(name, "").strip() if name else ""
        if not value:
            return None
        if not (value.isascii() and value.isprintable()):
            raise ConfigError(
                f"The token in the environment variable {name} holds letters that no token has. Set it again."
            )
        return cls(value)

    def reveal(self) -> str:
        """The text itself, with what goes before it in a header."""
        return self._before + self._value

    def after(self, before: str) -> Secret:
        """The same secret as a header wants it, such as after ``Bearer``; hidden is what it was."""
        return Secret(self._value, before)

    def redact(self, text: str) -> str:
        """``text`` with the secret hidden wherever it stands in it, also as addresses, HTML and JSON write it."""
        if not self._value:
            return text
        forms = {
            self._value,
            quote(self._value, safe=""),
            quote(self._value),
            quote_plus(self._value),
            escape(self._value),
            json.dumps(self._value)[1:-1],
        }
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, _HIDDEN)
        return text

    def __repr__(self) -> str:
        return _HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return _HIDDEN

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not stored")
