"""Asks QGIS what it sees; run by the system's Python, which has the bindings. Prints one JSON value.

Usage: qgis_probe.py REQUEST.json, where the request holds lists of ``rasters`` (paths), ``layers`` (path, layer name),
``projects`` (paths), ``maps`` (sources or a project, extent, size, points to look at) and ``tips`` (path, layer name).
Everything is inside main(), and the project is cleared before the end: QGIS crashes at exit otherwise.
"""

import json
import sys
from pathlib import Path

from qgis.core import (
    Qgis,
    QgsApplication,
    QgsExpression,
    QgsExpressionContext,
    QgsExpressionContextUtils,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor


def about_raster(layer):
    renderer = layer.renderer()
    return {
        "valid": layer.isValid(),
        "crs": layer.crs().authid(),
        "renderer": renderer.type() if renderer else None,
        "legend": [[label, color.name()] for label, color in (renderer.legendSymbologyItems() if renderer else [])],
    }


def about_vector(layer):
    renderer = layer.renderer()
    labeling = layer.labeling()
    return {
        "valid": layer.isValid(),
        "crs": layer.crs().authid(),
        "features": layer.featureCount(),
        "renderer": renderer.type() if renderer else None,
        "legend": [item.label() for item in renderer.legendSymbolItems()] if renderer else [],
        "labels": bool(layer.labelsEnabled() and labeling),
        "label_fields": [labeling.settings(key).fieldName for key in labeling.subProviders() if key]
        if labeling
        else [],
        "aliases": {field.name(): field.alias() for field in layer.fields()},
        "map_tip": layer.mapTipTemplate(),
        "title": layer.displayExpression(),
    }


def tip_texts(layer):
    """The map tip of every feature, as QGIS would show it."""
    found = []
    for feature in layer.getFeatures():
        context = QgsExpressionContext(QgsExpressionContextUtils.globalProjectLayerScopes(layer))
        context.setFeature(feature)
        found.append(QgsExpression.replaceExpressionText(layer.mapTipTemplate(), context))
    return found


def open_source(source, layer_name=None):
    if layer_name is None:
        return QgsRasterLayer(source, "raster")
    return QgsVectorLayer(f"{source}|layername={layer_name}", layer_name, "ogr")


def render(request):
    project = QgsProject()
    if "project" in request:
        project.read(request["project"])
        root = project.layerTreeRoot()
        layers = [node.layer() for node in root.findLayers() if node.isVisible()]
    else:
        layers = [open_source(*source) for source in request["sources"]]
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(layers[0].crs())
    settings.setExtent(QgsRectangle(*request["extent"]))
    settings.setOutputSize(QSize(*request["size"]))
    settings.setBackgroundColor(QColor(255, 255, 255))
    settings.setFlag(QgsMapSettings.Antialiasing, False)
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    if request.get("save"):
        image.save(request["save"])
    west, south, east, north = request["extent"]
    width, height = request["size"]
    colors = []
    for x, y in request.get("points", []):
        column = int((x - west) / (east - west) * width)
        row = int((north - y) / (north - south) * height)
        colors.append(QColor(image.pixel(column, row)).name())
    project.clear()
    return colors


def about_project(path):
    project = QgsProject()
    read = project.read(path)
    found = {"read": read, "crs": project.crs().authid(), "title": project.title(), "layers": {}}
    for layer in project.mapLayers().values():
        about = about_vector if isinstance(layer, QgsVectorLayer) else about_raster
        found["layers"][layer.name()] = about(layer)
    found["visible"] = [n.layer().name() for n in project.layerTreeRoot().findLayers() if n.isVisible() and n.layer()]
    found["groups"] = [group.name() for group in project.layerTreeRoot().findGroups()]
    project.clear()
    return found


def main():
    request = json.loads(Path(sys.argv[1]).read_text())
    application = QgsApplication([], False)
    application.initQgis()
    answer = {
        "version": Qgis.QGIS_VERSION,
        "rasters": {path: about_raster(open_source(path)) for path in request.get("rasters", [])},
        "layers": {name: about_vector(open_source(path, name)) for path, name in request.get("layers", [])},
        "projects": {path: about_project(path) for path in request.get("projects", [])},
        "maps": [render(item) for item in request.get("maps", [])],
        "tips": {name: tip_texts(open_source(path, name)) for path, name in request.get("tips", [])},
    }
    print(json.dumps(answer))
    QgsProject.instance().clear()
    application.exitQgis()


main()
