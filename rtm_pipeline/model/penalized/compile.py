"""How inner loops are compiled.

numba keeps machine code on disk and recognizes it by the content of the *one* file that the function stands in. A file
of compiled loops therefore uses no constant and no compiled function of another file: sizes are passed in.

Imports numba: import this module inside functions only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.extending import intrinsic

__all__ = ["kernel", "operation"]

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` to machine code that runs without the interpreter's lock and is kept on disk."""
    return cast("F", numba.njit(nogil=True, cache=True)(function))


def operation(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make an operation for compiled loops from a function that returns its signature and its code."""
    return cast("Callable[..., Any]", intrinsic(function))
