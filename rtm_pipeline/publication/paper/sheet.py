"""A sheet of paper to set text, tables and plots on: one column of positions in inches from the top left."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["BRAND", "INK", "MUTED", "Column", "Sheet"]

WIDTH_IN, HEIGHT_IN = 8.5, 11.0
INK, MUTED, BRAND, LINE = "#1d1b22", "#5b5866", "#3b0f51", "#d5d1dc"
_POINTS = 72.0
_LEADING = 1.32
_LETTER = 0.505  # mean width of a letter, in its size


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table on paper: where it begins, how wide it is (inches), what stands above it."""

    title: str
    x: float
    width: float
    right: bool = False


class Sheet:
    """A letter page under construction.

    Every text is set as it is: no markup, no mathematics, whatever a source wrote into it.
    """

    def __init__(self) -> None:
        from matplotlib.backends.backend_pdf import FigureCanvasPdf
        from matplotlib.figure import Figure

        self.figure: Any = Figure(figsize=(WIDTH_IN, HEIGHT_IN), facecolor="white")
        FigureCanvasPdf(self.figure)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 9.0,
        color: str = INK,
        weight: str = "normal",
        align: str = "left",
    ) -> None:
        """Set one line; ``y`` is its top."""
        self.figure.text(
            x / WIDTH_IN,
            1.0 - y / HEIGHT_IN,
            text,
            fontsize=size,
            color=color,
            weight=weight,
            ha=align,
            va="top",
            parse_math=False,
        )

    def paragraph(
        self,
        x: float,
        y: float,
        width: float,
        text: str,
        *,
        size: float = 9.0,
        color: str = INK,
        weight: str = "normal",
        most: int | None = None,
    ) -> float:
        """Set text in lines of some width (inches); at most ``most`` lines; returns where the next thing may begin."""
        lines = wrapped(text, width, size, bold=weight != "normal")
        if most is not None and len(lines) > most:
            lines = [*lines[: most - 1], lines[most - 1][:-1].rstrip() + "\u2026"]
        for line in lines:
            self.text(x, y, line, size=size, color=color, weight=weight)
            y += size * _LEADING / _POINTS
        return y

    def heading(self, x: float, y: float, text: str) -> float:
        """Set a heading; returns where the next thing may begin."""
        self.text(x, y, text, size=12.0, color=BRAND, weight="bold")
        return y + 0.26

    def box(self, x: float, y: float, width: float, height: float, *, color: str, edge: str | None = None) -> None:
        """A filled rectangle behind what is set later."""
        from matplotlib.patches import Rectangle

        self.figure.patches.append(
            Rectangle(
                (x / WIDTH_IN, 1.0 - (y + height) / HEIGHT_IN),
                width / WIDTH_IN,
                height / HEIGHT_IN,
                transform=self.figure.transFigure,
                facecolor=color,
                edgecolor=edge or color,
                linewidth=0.8,
                zorder=-1,
            )
        )

    def rule(self, x: float, y: float, width: float, *, color: str = LINE, weight: float = 0.6) -> None:
        """A thin line across."""
        from matplotlib.lines import Line2D

        at = 1.0 - y / HEIGHT_IN
        self.figure.lines.append(
            Line2D(
                [x / WIDTH_IN, (x + width) / WIDTH_IN],
                [at, at],
                transform=self.figure.transFigure,
                color=color,
                linewidth=weight,
            )
        )

    def table(self, y: float, columns: Sequence[Column], rows: Sequence[Sequence[str]], *, size: float = 7.8) -> float:
        """Set a table whose cells are one line each, cut where they are too long; returns the next position."""
        left = columns[0].x
        width = columns[-1].x + columns[-1].width - left
        row = size * 1.62 / _POINTS
        for column in columns:
            self._cell(column, y, column.title, size, MUTED, "bold")
        y += row
        self.rule(left, y - 0.03, width, color=MUTED)
        for cells in rows:
            for column, cell in zip(columns, cells, strict=True):
                self._cell(column, y, cell, size, INK, "normal")
            y += row
            self.rule(left, y - 0.03, width)
        return y + 0.08

    def axes(self, x: float, y: float, width: float, height: float) -> Any:
        """Axes of a plot; ``y`` is their top."""
        return self.figure.add_axes(
            (x / WIDTH_IN, 1.0 - (y + height) / HEIGHT_IN, width / WIDTH_IN, height / HEIGHT_IN)
        )

    def _cell(self, column: Column, y: float, text: str, size: float, color: str, weight: str) -> None:
        lines = wrapped(text, column.width - 0.05, size, bold=weight != "normal")
        shown = lines[0] if lines else ""
        if len(lines) > 1:
            shown = shown[: max(1, len(shown) - 1)].rstrip() + "\u2026"
        at = column.x + column.width - 0.05 if column.right else column.x
        self.text(at, y, shown, size=size, color=color, weight=weight, align="right" if column.right else "left")


def wrapped(text: str, width: float, size: float, *, bold: bool = False) -> list[str]:
    """Lines of about this width in inches."""
    letters = max(4, int(width * _POINTS / (size * _LETTER * (1.1 if bold else 1.0))))
    return textwrap.wrap(" ".join(text.split()), letters, break_long_words=True)
