"""Markdown that shows text as it is: what a source wrote can't become markup, a link or a table's border."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rtm_pipeline.publication.markup import plain

__all__ = ["bullets", "cell", "table"]

_SPECIAL = re.compile(r"([\\`*_\[\]|~#])")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def cell(value: str) -> str:
    """Text on one line, every character of Markdown and HTML that means something made harmless."""
    text = " ".join(plain(value).replace("\u00a0", " ").replace("\u2009", " ").split())
    for character, name in _HTML.items():
        text = text.replace(character, name)
    return _SPECIAL.sub(r"\\\1", text)


def bullets(items: Sequence[str]) -> str:
    """A list; each item is plain text."""
    return "\n".join(f"- {cell(item)}" for item in items)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of plain texts."""
    lines = [f"| {' | '.join(cell(head) for head in heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(cell(value) for value in row)} |" for row in rows]
    return "\n".join(lines)
