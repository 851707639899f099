"""HTML that can't be broken by the text it shows: every value is escaped where it enters, once.

Only `tag`, `join` and `raw` make `Html`; whatever else is put into an element is text. Attributes that could run code
(``on...``, ``style``, addresses with strange schemes) are refused, so that a page works under a strict
Content-Security-Policy.
"""

from __future__ import annotations

import html as _html
import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from rtm_pipeline.errors import PublishError

__all__ = ["Child", "Html", "join", "json_block", "raw", "tag"]

VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})
_NAME = re.compile(r"^[a-zA-Z][a-zA-Z0-9-]*$")
_ADDRESS = re.compile(
    r"^(?:https?://|mailto:|tel:|#|data:image/png;base64,|data:,$|(?![a-zA-Z][a-zA-Z0-9+.-]*:)[^/\\])"
)
_ADDRESSES = frozenset({"href", "src", "xlink:href"})


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Child = str | Html | int | float | None


def raw(markup: str) -> Html:
    """Take markup as it is; only for markup that this package wrote itself."""
    return Html(markup)


def escaped(value: Child) -> Html:
    """A value as text; None is nothing."""
    if value is None:
        return Html("")
    if isinstance(value, Html):
        return value
    return Html(_html.escape(str(value), quote=True))


def join(children: Iterable[Child], between: str = "") -> Html:
    """Children one after the other, each escaped unless it is markup."""
    return Html(between.join(escaped(child) for child in children))


def tag(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Html:
    """One element.

    Parameters
    ----------
    name : str
    *children
        Markup, or text that is escaped.
    **attributes
        ``class_`` stands for ``class``, ``for_`` for ``for``, ``aria_label`` for ``aria-label``; True is an attribute
        without a value, False and None leave it out.

    Raises
    ------
    PublishError
        An attribute could run code.
    """
    opening = name
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        attribute = _attribute(key)
        if attribute in _ADDRESSES and not _ADDRESS.match(str(value)):
            raise PublishError(
                f"A page would link to {str(value)[:60]!r}; only http, https, mailto, tel and relative do."
            )
        opening += f" {attribute}" if value is True else f' {attribute}="{_html.escape(str(value), quote=True)}"'
    return Html(f"<{opening}>") if name in VOID else Html(f"<{opening}>{join(children)}</{name}>")


def json_block(identity: str, value: Any) -> Html:
    """A block of data that scripts of the page read; nothing in it can end the block or start markup.

    Raises
    ------
    PublishError
        The value is not plain, or has a number that JSON can't say (NaN).
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    except (TypeError, ValueError) as error:
        raise PublishError(f"The data block {identity!r} of a page is not plain JSON: {error}.") from None
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return tag("script", raw(text), type="application/json", id=identity)


@cache
def _attribute(key: str) -> str:
    """The name of an attribute; those that could run code are refused."""
    name = key.removesuffix("_")
    if name not in ("viewBox", "preserveAspectRatio"):
        name = name.replace("_", "-")
    if not _NAME.match(name) or name.lower().startswith("on") or name.lower() == "style":
        raise PublishError(f"Pages must not use the attribute {name!r}: it could run code or is barred by the CSP.")
    return name
