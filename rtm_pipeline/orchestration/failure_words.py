"""Which of the errors that Dagster chains together is the one that people should read."""

from __future__ import annotations

from typing import Any

from rtm_pipeline import errors

__all__ = ["first_known", "known_kinds"]


def known_kinds(base: type[errors.RtmError] = errors.RtmError) -> dict[str, type[errors.RtmError]]:
    """Name -> class, of all kinds of our errors: rooms have their own beside the common ones."""
    found = {base.__name__: base}
    for kind in base.__subclasses__():
        found |= known_kinds(kind)
    return found


def first_known(error: Any) -> Any:
    """The first error of a chain that is ours, or its root; None for None.

    Parameters
    ----------
    error : dagster SerializableErrorInfo or None
    """
    known = known_kinds()
    while error is not None and error.cls_name not in known and error.cause is not None:
        error = error.cause
    return error
