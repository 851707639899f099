"""A QGIS project that opens styled from any folder: ``rtm.qgz``, written by hand, with relative paths only.

What QGIS needs and does not say (found by trying 3.22): layer ids longer than 10 characters, the renderer inside every
``<maplayer>``, the project's CRS in full, and ``ProjectionsEnabled``.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rtm_pipeline.grid.spec import GridSpec
from rtm_pipeline.publication.markup import xml_attribute, xml_text

__all__ = ["ProjectGroup", "ProjectLayer", "write_project"]

_FIXED_TIME = (2000, 1, 1, 0, 0, 0)  # a zip entry needs one; the clock's would change the bytes


@dataclass(frozen=True, slots=True)
class ProjectLayer:
    """One layer of the project.

    Attributes
    ----------
    name : str
        For people.
    source : str
        Relative to the project, ``./forecast.tif`` or ``./priorities.gpkg|layername=zones``.
    style : str
        XML that stands inside ``<maplayer>``: the pipe of a raster, the elements of a vector layer.
    geometry : str or None
        ``Point`` or ``Polygon``; None for a raster, ``table`` for a table without a place.
    visible : bool
        Whether it is shown when the project opens.
    labeled : bool
    abstract : str
        What it is, for the layer's properties.
    """

    name: str
    source: str
    style: str
    geometry: str | None
    visible: bool = False
    labeled: bool = False
    abstract: str = ""

    @property
    def id(self) -> str:
        """Unique and always the same for the same source."""
        stem = "".join(c if c.isascii() and c.isalnum() else "_" for c in self.source.split("/", 1)[-1])
        return f"{stem}_{hashlib.sha256(self.source.encode()).hexdigest()[:32]}"

    @property
    def provider(self) -> str:
        """QGIS data provider."""
        return "gdal" if self.geometry is None else "ogr"


@dataclass(frozen=True, slots=True)
class ProjectGroup:
    """Layers under one heading, the topmost first."""

    name: str
    layers: Sequence[ProjectLayer]
    expanded: bool = True


def write_project(path: Path, title: str, groups: Sequence[ProjectGroup], spec: GridSpec) -> None:
    """Write the project.

    Parameters
    ----------
    path : Path
        ``rtm.qgz``, in the folder that the layers' sources are relative to.
    title : str
    groups : sequence of ProjectGroup
        The topmost first; empty ones are left out.
    spec : GridSpec
        CRS and extent.
    """
    info = zipfile.ZipInfo(f"{path.stem}.qgs", date_time=_FIXED_TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    info.create_system = 3
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, project_xml(title, [group for group in groups if group.layers], spec))


def project_xml(title: str, groups: Sequence[ProjectGroup], spec: GridSpec) -> str:
    """The project file's text."""
    srs = _spatial_reference(spec.crs)
    layers = [layer for group in groups for layer in group.layers]
    order = "".join(f"<item>{layer.id}</item>" for layer in layers)
    return "\n".join(
        [
            "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>",
            f'<qgis projectname={xml_attribute(title)} version="3.22.0-Bialowieza">',
            '<homePath path=""/>',
            f"<title>{xml_text(title)}</title>",
            f"<projectCrs>{srs}</projectCrs>",
            "<layer-tree-group><customproperties/>",
            *(_tree_group(group) for group in groups),
            f'<custom-order enabled="0">{order}</custom-order></layer-tree-group>',
            f'<mapcanvas name="theMapCanvas" annotationsVisible="1"><units>{_units(spec)}</units>{_extent(spec)}'
            f"<rotation>0</rotation><destinationsrs>{srs}</destinationsrs></mapcanvas>",
            "<projectlayers>",
            *(_map_layer(layer, srs) for layer in layers),
            "</projectlayers>",
            "<layerorder>" + "".join(f'<layer id="{layer.id}"/>' for layer in layers) + "</layerorder>",
            '<properties><Paths><Absolute type="bool">false</Absolute></Paths><SpatialRefSys>'
            '<ProjectionsEnabled type="int">1</ProjectionsEnabled></SpatialRefSys></properties>',
            f'<ProjectViewSettings UseProjectScales="0"><DefaultViewExtent {_bounds(spec)}>{srs}</DefaultViewExtent>'
            "</ProjectViewSettings>",
            "</qgis>\n",
        ]
    )


def _tree_group(group: ProjectGroup) -> str:
    shown = any(layer.visible for layer in group.layers)
    layers = "".join(
        f'<layer-tree-layer id="{layer.id}" name={xml_attribute(layer.name)} source={xml_attribute(layer.source)}'
        f' providerKey="{layer.provider}" checked="{_checked(layer.visible)}" expanded="{int(layer.visible)}"'
        ' legend_exp="" legend_split_behavior="0"><customproperties/></layer-tree-layer>\n'
        for layer in group.layers
    )
    return (
        f'<layer-tree-group name={xml_attribute(group.name)} checked="{_checked(shown)}"'
        f' expanded="{int(group.expanded)}"><customproperties/>\n{layers}</layer-tree-group>'
    )


def _map_layer(layer: ProjectLayer, srs: str) -> str:
    kind = 'type="raster"'
    if layer.geometry == "table":
        kind = 'type="vector" geometry="No geometry"'
    elif layer.geometry is not None:
        kind = f'type="vector" geometry="{layer.geometry}" labelsEnabled="{int(layer.labeled)}"'
    encoding = ' encoding="UTF-8"' if layer.provider == "ogr" else ""
    return (
        f'<maplayer {kind} hasScaleBasedVisibilityFlag="0" autoRefreshEnabled="0">\n'
        f"<id>{layer.id}</id>\n<datasource>{xml_text(layer.source)}</datasource>\n"
        f"<layername>{xml_text(layer.name)}</layername>\n<abstract>{xml_text(layer.abstract)}</abstract>\n"
        f"<srs>{srs}</srs>\n<provider{encoding}>{layer.provider}</provider>\n{layer.style}\n</maplayer>"
    )


def _spatial_reference(crs: str) -> str:
    from pyproj import CRS

    system = CRS.from_user_input(crs)
    authority, _, code = crs.partition(":")
    return (
        f'<spatialrefsys nativeFormat="Wkt"><wkt>{xml_text(system.to_wkt())}</wkt>'
        f"<srsid>0</srsid><srid>{code if authority == 'EPSG' else 0}</srid><authid>{xml_text(crs)}</authid>"
        f"<description>{xml_text(system.name)}</description><geographicflag>false</geographicflag></spatialrefsys>"
    )


def _units(spec: GridSpec) -> str:
    if 0.3 < spec.unit_m < 0.31:
        return "feet"
    return "meters"


def _extent(spec: GridSpec) -> str:
    return (
        f"<extent><xmin>{spec.west_u!r}</xmin><ymin>{spec.south_u!r}</ymin>"
        f"<xmax>{spec.east_u!r}</xmax><ymax>{spec.north_u!r}</ymax></extent>"
    )


def _bounds(spec: GridSpec) -> str:
    return f'xmin="{spec.west_u!r}" ymin="{spec.south_u!r}" xmax="{spec.east_u!r}" ymax="{spec.north_u!r}"'


def _checked(visible: bool) -> str:
    return "Qt::Checked" if visible else "Qt::Unchecked"
