"""A whole page in one file: it asks the network for nothing, and its policy lets it ask for nothing.

Scripts and styles stand inside and are allowed by their SHA-256 in the Content-Security-Policy; there is no
``unsafe-inline``, no inline handler and no ``style`` attribute. MapLibre runs under this policy as it is: its worker
comes from a ``blob:``, its pictures from ``data:``.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from rtm_pipeline.errors import PublishError
from rtm_pipeline.publication.html.tags import Html, raw, tag

__all__ = ["Page", "render_page", "template", "vendored"]

_NO_ICON = "data:,"  # else browsers ask the server for one


@dataclass(frozen=True, slots=True)
class Page:
    """What a page is made of.

    Attributes
    ----------
    title, description : str
        Plain text.
    body : Html
    styles, scripts : tuple of str
        Texts written by this package or vendored; scripts run in this order, after the body.
    data : tuple of Html
        Blocks made by `rtm_pipeline.publication.html.tags.json_block`.
    with_map : bool
        Whether workers and pictures from ``blob:`` are allowed.
    """

    title: str
    description: str
    body: Html
    styles: tuple[str, ...]
    scripts: tuple[str, ...] = ()
    data: tuple[Html, ...] = ()
    with_map: bool = False


def render_page(page: Page) -> str:
    """The page as one text.

    Raises
    ------
    PublishError
        A script or style would end its element early.
    """
    for text in (*page.styles, *page.scripts):
        low = text.lower()
        if "</script" in low or "</style" in low or "<!--" in low:
            raise PublishError("A script or style of a page contains the end of its own element and can't be inlined.")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy(page)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="description", content=page.description),
        tag("title", page.title),
        tag("link", rel="icon", href=_NO_ICON),
        *(tag("style", raw(style)) for style in page.styles),
    )
    body = tag("body", page.body, *page.data, *(tag("script", raw(script)) for script in page.scripts))
    return "<!DOCTYPE html>\n" + tag("html", head, "\n", body, lang="en") + "\n"


def policy(page: Page) -> str:
    """The Content-Security-Policy of a page."""
    rules = {
        "default-src": "'none'",
        "script-src": _hashes(page.scripts),
        "style-src": _hashes(page.styles),
        "img-src": "data: blob:" if page.with_map else "data:",
        "connect-src": "data: blob:" if page.with_map else "'none'",
        "worker-src": "blob:" if page.with_map else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


@cache
def template(name: str) -> str:
    """A style or script of this package."""
    return resources.files("rtm_pipeline.publication.html").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def vendored(name: str) -> str:
    """A vendored style or script, without the line that points to a source map (nothing is to be asked for)."""
    text = resources.files("rtm_pipeline.publication.html").joinpath("vendor", name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if "sourceMappingURL=" not in line]
    return "\n".join(lines) + "\n"


def _hashes(texts: tuple[str, ...]) -> str:
    return " ".join(f"'sha256-{_digest(text)}'" for text in texts) or "'none'"


@cache
def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
