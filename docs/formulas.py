"""Formulas drawn by matplotlib when the site is built, so that the pages need no network and no LaTeX."""

from __future__ import annotations

import base64
import html
import io
from functools import cache
from typing import Any

from docutils import nodes

__all__ = ["setup"]

_POINTS = 12.0


@cache
def _image(formula: str, points: float) -> tuple[str, float]:
    """An SVG as data URI, and how far it reaches below the line, in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import math_to_image

    buffer = io.BytesIO()
    text = formula.replace(r"\lVert", r"\Vert").replace(r"\rVert", r"\Vert").replace(r"\tfrac", r"\frac")
    depth = math_to_image(f"${text}$", buffer, prop=FontProperties(size=points), format="svg")
    return f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}", float(depth)


def _tag(formula: str, points: float, style: str) -> str:
    source, depth = _image(" ".join(formula.split()), points)
    told = html.escape(formula, quote=True)
    return f'<img class="math" src="{source}" alt="{told}" style="vertical-align: -{depth:.1f}pt; {style}">'


def _inline(self: Any, node: nodes.Element) -> None:
    self.body.append(_tag(node.astext(), _POINTS, ""))
    raise nodes.SkipNode


def _block(self: Any, node: nodes.Element) -> None:
    self.body.append(
        f'<div class="math">{_tag(node.astext(), _POINTS + 2, "max-width: 100%; margin: 0.6em 1.5em")}</div>'
    )
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, Any]:
    """Register the renderer ``mathtext``."""
    app.add_html_math_renderer("mathtext", inline_renderers=(_inline, None), block_renderers=(_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
