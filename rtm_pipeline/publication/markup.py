"""Text from sources and configuration, made harmless for XML, HTML and QGIS expressions.

A label or a neighborhood's name may hold anything: markup, quotes, control characters that no XML parser accepts.
"""

from __future__ import annotations

import re
import unicodedata
from xml.sax.saxutils import escape, quoteattr

__all__ = ["document_id", "plain", "xml_attribute", "xml_text"]

# What XML 1.0 forbids even when escaped, and surrogates that UTF-8 can't carry.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def plain(text: str) -> str:
    """Without characters that XML forbids."""
    return _FORBIDDEN.sub("", text)


def xml_text(text: str) -> str:
    """Escaped for element content, in XML as in HTML."""
    return escape(plain(text), {'"': "&quot;", "'": "&#39;"})


def xml_attribute(text: str) -> str:
    """Escaped and quoted for an attribute."""
    return quoteattr(plain(text))


def document_id(text: str, taken: set[str] | None = None, *, fallback: str = "item") -> str:
    """A short id of letters, digits and hyphens, fit for file names and fragments; unique among ``taken``."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower().replace("'", "")
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-") or fallback
    if taken is None:
        return slug
    found, number = slug, 2
    while found in taken:
        found, number = f"{slug}-{number}", number + 1
    taken.add(found)
    return found
