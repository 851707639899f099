"""QGIS styles of vector layers, as XML: symbols, labels, aliases and map tips. No program is needed to write them.

The same XML stands in the ``layer_styles`` table of a GeoPackage and in the layers of a project; QGIS 3.22 and later
read it. Text that comes from a source enters only as attribute values, and map tips escape it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from rtm_pipeline.publication.markup import xml_attribute, xml_text

__all__ = ["Label", "Look", "Rule", "fill", "marker", "qml", "single", "style_elements"]

INK = "#222222"


@dataclass(frozen=True, slots=True)
class Rule:
    """One class of a layer.

    Attributes
    ----------
    label : str
    symbol : str
        From `marker` or `fill`.
    condition : str
        QGIS expression; empty: all.
    from_scale : int
        Denominator of the smallest scale at which it is drawn: 25000 leaves it out where more of the city than that is
        seen; 0: always drawn.
    """

    label: str
    symbol: str
    condition: str = ""
    from_scale: int = 0


@dataclass(frozen=True, slots=True)
class Label:
    """What stands on the map.

    Attributes
    ----------
    column : str
    size : float
        Points.
    condition : str
        QGIS expression; empty: all.
    prefix : str
        Put before the value.
    from_scale : int
        As of a rule.
    """

    column: str
    size: float = 8.0
    condition: str = ""
    prefix: str = ""
    from_scale: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """How one layer is shown.

    Attributes
    ----------
    rules : sequence of Rule
        A feature is drawn once for every rule that it fits.
    label : Label, optional
    title : str
        Column that names a feature.
    tips : sequence of str
        Columns of the map tip.
    order : str
        Expression by which features are drawn, the largest first; empty: any order.
    rounded : collection of str
        Columns of numbers that map tips show with three digits after the point.
    """

    rules: Sequence[Rule]
    label: Label | None
    title: str
    tips: Sequence[str]
    order: str = ""
    rounded: Collection[str] = ()


def marker(
    shape: str, color: str, size_mm: float, *, edge: str = INK, edge_mm: float = 0.2, hollow: bool = False
) -> str:
    """A point symbol: ``circle``, ``square``, ``diamond``, ``cross2`` ..."""
    layer = _symbol_layer(
        "SimpleMarker",
        {
            "name": shape,
            "color": _rgba(color, 0 if hollow else 255),
            "outline_color": _rgba(edge),
            "outline_width": f"{edge_mm:g}",
            "outline_width_unit": "MM",
            "outline_style": "solid",
            "size": f"{size_mm:g}",
            "size_unit": "MM",
            "scale_method": "diameter",
        },
    )
    return _symbol("marker", layer)


def fill(color: str | None, *, edge: str = INK, edge_mm: float = 0.3, dash: str = "solid", opacity: float = 1.0) -> str:
    """A polygon symbol; without a color only the outline is drawn."""
    layer = _symbol_layer(
        "SimpleFill",
        {
            "color": _rgba(color or "#ffffff", round(255 * opacity)),
            "style": "solid" if color else "no",
            "outline_color": _rgba(edge),
            "outline_width": f"{edge_mm:g}",
            "outline_width_unit": "MM",
            "outline_style": dash,
            "joinstyle": "round",
        },
    )
    return _symbol("fill", layer)


def single(symbol: str, label: str) -> tuple[Rule, ...]:
    """All features alike."""
    return (Rule(label, symbol),)


def style_elements(look: Look, aliases: Mapping[str, str]) -> str:
    """Renderer, labels, aliases and map tip, as they stand inside ``<qgis>`` and inside ``<maplayer>``."""
    return "\n".join(
        [
            _renderer(look),
            _labeling(look.label),
            _aliases(aliases),
            f"<previewExpression>{xml_text(_quoted(look.title))}</previewExpression>",
            f"<mapTip>{xml_text(_map_tip(look, aliases))}</mapTip>",
        ]
    )


def qml(look: Look, aliases: Mapping[str, str]) -> str:
    """A whole style document."""
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        f'<qgis version="3.22.0" styleCategories="Symbology|Labeling|Fields|MapTips" '
        f'labelsEnabled="{1 if look.label else 0}">\n{style_elements(look, aliases)}\n</qgis>\n'
    )


def _renderer(look: Look) -> str:
    rules, symbols = [], []
    for at, rule in enumerate(look.rules):
        condition = f" filter={xml_attribute(rule.condition)}" if rule.condition else ""
        label = xml_attribute(rule.label)
        rules.append(f'<rule key="{{{_key(at)}}}" symbol="{at}" label={label}{condition}{_scale(rule.from_scale)}/>')
        symbols.append(rule.symbol.replace('name="?"', f'name="{at}"', 1))
    ordered = f'<orderby><orderByClause asc="0" nullsFirst="0">{xml_text(look.order)}</orderByClause></orderby>'
    return (
        f'<renderer-v2 type="RuleRenderer" forceraster="0" symbollevels="0" enableorderby="{int(bool(look.order))}">\n'
        f'<rules key="{{{_key(99)}}}">\n' + "\n".join(rules) + "\n</rules>\n"
        "<symbols>\n" + "\n".join(symbols) + "\n</symbols>\n" + (ordered if look.order else "") + "</renderer-v2>"
    )


def _scale(from_scale: int) -> str:
    return f' scalemaxdenom="{from_scale}" scalemindenom="1"' if from_scale else ""


def _key(number: int) -> str:
    """A rule's identifier: fixed, so that files are the same every night."""
    return f"00000000-0000-4000-8000-{number:012d}"


def _labeling(label: Label | None) -> str:
    if label is None:
        return ""
    value = f"'{label.prefix}' || {_quoted(label.column)}" if label.prefix else _quoted(label.column)
    settings = (
        "<settings>\n"
        f'<text-style fieldName={xml_attribute(value)} isExpression="1" fontFamily="Sans Serif"'
        f' fontSize="{label.size:g}" fontSizeUnit="Point" textColor="{_rgba(INK)}" textOpacity="1" allowHtml="0"'
        ' namedStyle="Regular">'
        f'<text-buffer bufferDraw="1" bufferSize="0.8" bufferSizeUnits="MM" bufferColor="{_rgba("#ffffff")}"'
        ' bufferOpacity="0.9"/></text-style>\n'
        '<placement placement="0" centroidWhole="0" centroidInside="1" dist="1" distUnits="MM" priority="5"/>\n'
        '<rendering obstacle="0" drawLabels="1" displayAll="0" fitInPolygonOnly="0"/>\n'
        "</settings>"
    )
    condition = f" filter={xml_attribute(label.condition)}" if label.condition else ""
    rule = f'<rule key="{{{_key(97)}}}"{condition}{_scale(label.from_scale)}>\n{settings}\n</rule>'
    return f'<labeling type="rule-based">\n<rules key="{{{_key(98)}}}">{rule}</rules>\n</labeling>'


def _aliases(aliases: Mapping[str, str]) -> str:
    entries = "".join(
        f'<alias index="{at}" field={xml_attribute(column)} name={xml_attribute(alias)}/>'
        for at, (column, alias) in enumerate(aliases.items(), start=1)  # 0 is the feature's number
    )
    return f"<aliases>{entries}</aliases>"


def _map_tip(look: Look, aliases: Mapping[str, str]) -> str:
    """HTML whose values are escaped by the expression that puts them in."""
    lines = [f"<b>[% {_escaping(_quoted(look.title))} %]</b>"]
    for column in look.tips:
        value = f"round({_quoted(column)}, 3)" if column in look.rounded else _quoted(column)
        lines.append(f"{xml_text(aliases.get(column, column))}: [% {_escaping(value)} %]")
    return "<br>".join(lines)


def _escaping(expression: str) -> str:
    value = f"coalesce(to_string({expression}),'not known')"
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        value = f"replace({value},'{character}','{entity}')"
    return value


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _symbol(kind: str, layer: str) -> str:
    return f'<symbol type="{kind}" name="?" alpha="1" clip_to_extent="1" force_rhr="0">{layer}</symbol>'


def _symbol_layer(kind: str, properties: Mapping[str, str]) -> str:
    options = "".join(f'<Option type="QString" name="{name}" value="{value}"/>' for name, value in properties.items())
    return f'<layer class="{kind}" enabled="1" locked="0" pass="0"><Option type="Map">{options}</Option></layer>'


def _rgba(color: str, alpha: int = 255) -> str:
    return f"{int(color[1:3], 16)},{int(color[3:5], 16)},{int(color[5:7], 16)},{alpha}"
