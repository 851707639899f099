"""How the files of a release are found together: the QGIS project and the STAC catalog."""
