"""Tables that screen readers can walk: captions, headers with scope; wide ones scroll, by keyboard too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rtm_pipeline.publication.html.tags import Child, Html, tag

__all__ = ["Head", "facts_list", "table"]


@dataclass(frozen=True, slots=True)
class Head:
    """One column.

    Attributes
    ----------
    text : str
    number : bool
        Aligned to the right.
    note : str
        A second, smaller line: unit or meaning.
    wide : bool
        Whether it holds phrases, for which a narrow column is too tall.
    """

    text: str
    number: bool = False
    note: str = ""
    wide: bool = False

    @property
    def look(self) -> str | None:
        """Class of its cells."""
        return "n" if self.number else "w" if self.wide else None


def table(
    caption: str,
    heads: Sequence[Head],
    rows: Sequence[Sequence[Child]],
    *,
    identity: str | None = None,
    row_ids: Sequence[str] | None = None,
    hide_caption: bool = False,
    tall: bool = False,
) -> Html:
    """A table whose first column names its rows.

    Parameters
    ----------
    caption : str
    heads : sequence of Head
    rows : sequence of sequence
        One cell a head; text is escaped.
    identity : str, optional
    row_ids : sequence of str, optional
        Ids of the rows, for links to them.
    hide_caption : bool
        Whether only screen readers get the caption, where a heading says the same.
    tall : bool
        Whether a long table scrolls in a window of its own (on paper it is whole).
    """
    head = tag("tr", *(_head(item) for item in heads))
    body = []
    for at, row in enumerate(rows):
        first, *rest = row
        cells = [tag("th", first, scope="row")]
        pairs = zip(rest, heads[1:], strict=True)
        cells += [tag("td", cell, class_=item.look) for cell, item in pairs]
        body.append(tag("tr", *cells, id=row_ids[at] if row_ids else None))
    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption, class_="hidden" if hide_caption else None),
            tag("thead", head),
            tag("tbody", *body),
            id=identity,
        ),
        class_="scroll tall" if tall else "scroll",
        role="region",
        aria_label=caption,
        tabindex="0",
    )


def facts_list(pairs: Sequence[tuple[str, Child]]) -> Html:
    """Names and values, one under the other."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs), class_="facts")


def _head(item: Head) -> Html:
    note = tag("small", item.note) if item.note else None
    return tag("th", item.text, note, scope="col", class_=item.look)
