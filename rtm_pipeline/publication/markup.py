"""Text from sources and configuration, made harmless for XML, HTML and QGIS expressions.

A label or a neighborhood's name may hold anything: markup, quotes, control characters that no XML parser accepts.
"""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

__all__ = ["plain", "xml_attribute", "xml_text"]

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
