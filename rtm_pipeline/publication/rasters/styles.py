"""Files beside a raster that make GIS programs show it as it is meant: QGIS styles, category names, attribute tables.

A palette inside a GeoTIFF opens in QGIS with a legend of 256 entries, and rasterio has no API for raster attribute
tables, so these companions are written by hand: ``.qml`` (QGIS), ``.aux.xml`` (GDAL) and ``.vat.dbf`` (Esri).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import PublishError
from rtm_pipeline.publication.markup import xml_attribute, xml_text

__all__ = ["RasterClass", "class_sizes", "paletted_renderer", "shaded_renderer", "write_attribute_table", "write_qml"]


@dataclass(frozen=True, slots=True)
class RasterClass:
    """One entry of a legend.

    Attributes
    ----------
    value : float
        The pixel value of a classed raster; the upper bound of the class in a continuous one.
    label : str
    color : str
        ``#rrggbb``.
    """

    value: float
    label: str
    color: str

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green, blue, 0 to 255."""
        return int(self.color[1:3], 16), int(self.color[3:5], 16), int(self.color[5:7], 16)


def write_qml(path: Path, renderer: str) -> None:
    """Write the QGIS style file of a raster around its renderer."""
    path.write_text(
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.22.0" styleCategories="Symbology" hasScaleBasedVisibilityFlag="0">\n'
        f"  <pipe>\n{renderer}\n  </pipe>\n  <blendMode>0</blendMode>\n</qgis>\n",
        encoding="utf-8",
    )


def paletted_renderer(classes: Sequence[RasterClass]) -> str:
    """Renderer XML for a raster of classes."""
    entries = "\n".join(
        f'        <paletteEntry value="{c.value:g}" color="{c.color}" alpha="255" label={xml_attribute(c.label)}/>'
        for c in classes
    )
    return (
        '    <rasterrenderer type="paletted" band="1" opacity="1" alphaBand="-1" nodataColor="">\n'
        f"      <colorPalette>\n{entries}\n      </colorPalette>\n    </rasterrenderer>"
    )


def shaded_renderer(classes: Sequence[RasterClass], low: float, high: float, *, band: int = 1) -> str:
    """Renderer XML for one band of a continuous raster, shown in classes.

    Parameters
    ----------
    classes : sequence of RasterClass
        ``value`` is the upper bound, included; infinite for the last.
    low, high : float
        Least and greatest value of the band.
    band : int
        Number of the band, from 1.
    """
    items = "\n".join(
        f'          <item value="{c.value!r}" color="{c.color}" alpha="255" label={xml_attribute(c.label)}/>'
        for c in sorted(classes, key=lambda c: c.value)
    )
    return (
        f'    <rasterrenderer type="singlebandpseudocolor" band="{band}" opacity="1" alphaBand="-1" nodataColor=""'
        f' classificationMin="{low!r}" classificationMax="{high!r}">\n'
        "      <rastershader>\n"
        '        <colorrampshader colorRampType="DISCRETE" classificationMode="1" clip="0"'
        f' minimumValue="{low!r}" maximumValue="{high!r}">\n{items}\n'
        "        </colorrampshader>\n      </rastershader>\n    </rasterrenderer>"
    )


def class_sizes(values: NDArray[np.generic], classes: Sequence[RasterClass]) -> list[int]:
    """Number of cells of each class."""
    return [int(np.count_nonzero(values == c.value)) for c in classes]


def write_attribute_table(raster: Path, classes: Sequence[RasterClass], counts: Sequence[int]) -> None:
    """Write ``.aux.xml`` and ``.vat.dbf`` beside a raster of classes: value, count, label, color.

    Raises
    ------
    PublishError
        The table could not be written.
    """
    _write_aux_xml(raster, classes, counts)
    _write_dbf(raster, classes, counts)


_FIELDS = (("VALUE", 0, 5), ("COUNT", 0, 1), ("LABEL", 2, 2), ("RED", 0, 6), ("GREEN", 0, 7), ("BLUE", 0, 8))


def _write_aux_xml(raster: Path, classes: Sequence[RasterClass], counts: Sequence[int]) -> None:
    top = int(max(c.value for c in classes))
    names = {int(c.value): c.label for c in classes}
    categories = "".join(f"<Category>{xml_text(names.get(value, ''))}</Category>" for value in range(top + 1))
    fields = "".join(
        f'<FieldDefn index="{i}"><Name>{name}</Name><Type>{kind}</Type><Usage>{usage}</Usage></FieldDefn>'
        for i, (name, kind, usage) in enumerate(_FIELDS)
    )
    rows = "".join(
        f'<Row index="{i}"><F>{c.value:g}</F><F>{count}</F><F>{xml_text(c.label)}</F>'
        + "".join(f"<F>{part}</F>" for part in c.rgb)
        + "</Row>"
        for i, (c, count) in enumerate(zip(classes, counts, strict=True))
    )
    text = (
        '<PAMDataset>\n  <PAMRasterBand band="1">\n'
        f"    <CategoryNames>{categories}</CategoryNames>\n"
        f'    <GDALRasterAttributeTable tableType="thematic">{fields}{rows}</GDALRasterAttributeTable>\n'
        "  </PAMRasterBand>\n</PAMDataset>\n"
    )
    raster.with_name(raster.name + ".aux.xml").write_text(text, encoding="utf-8")


def _write_dbf(raster: Path, classes: Sequence[RasterClass], counts: Sequence[int]) -> None:
    import pandas as pd
    import pyogrio

    table = pd.DataFrame(
        {
            "VALUE": np.array([c.value for c in classes], np.int32),
            "COUNT": np.array(counts, np.int32),
            "LABEL": [c.label for c in classes],
            "RED": np.array([c.rgb[0] for c in classes], np.int32),
            "GREEN": np.array([c.rgb[1] for c in classes], np.int32),
            "BLUE": np.array([c.rgb[2] for c in classes], np.int32),
        }
    )
    target = raster.with_name(raster.name + ".vat.dbf")
    try:
        pyogrio.write_dataframe(
            table, target, driver="ESRI Shapefile", layer_options={"DBF_DATE_LAST_UPDATE": "2000-01-01"}
        )
    except pyogrio.errors.DataSourceError as error:
        raise PublishError(f"{target.name} could not be written: {error}.") from None
    raster.with_name(raster.name + ".vat.cpg").unlink(missing_ok=True)
