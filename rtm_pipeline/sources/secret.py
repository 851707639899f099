"""Tokens that don't get into logs, tables or error messages by accident."""

from __future__ import annotations

import os
from typing import NoReturn

from rtm_pipeline.errors import ConfigError

__all__ = ["Secret"]

_HIDDEN = "***"


class Secret:
    """A text that is shown as ``***`` and can't be pickled; `reveal` gives it to the one place that sends it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

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
        """The text itself."""
        return self._value

    def redact(self, text: str) -> str:
        """``text`` with the secret, wherever it stands in it, hidden."""
        return text.replace(self._value, _HIDDEN) if self._value else text

    def __repr__(self) -> str:
        return _HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return _HIDDEN

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not stored")
