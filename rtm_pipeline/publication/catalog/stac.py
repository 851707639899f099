"""The catalog of the public edition: a STAC catalog with one item, and a manifest of its files.

References
----------
SpatioTemporal Asset Catalog 1.1.0, with the projection (2.0.0) and file (2.1.0) extensions.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rtm_pipeline import __version__
from rtm_pipeline.publication.content import PUBLIC, ReleaseContent
from rtm_pipeline.publication.provenance import (
    DISCLAIMER,
    attributions,
    barred_sources,
    horizon_words,
    layers_behind_terrain,
)
from rtm_pipeline.publication.rasters.surfaces import Surface
from rtm_pipeline.publication.release.store import write_json

__all__ = ["write_catalog", "write_public_manifest"]

STAC_VERSION = "1.1.0"
EXTENSIONS = (
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
)
OWN = frozenset({"catalog.json", "item.json", "manifest.json"})
_TYPES = {
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
    ".gpkg": "application/geopackage+sqlite3",
    ".html": "text/html",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".md": "text/markdown",
    ".txt": "text/plain",
    ".json": "application/json",
    ".qml": "application/xml",
    ".xml": "application/xml",
    ".dbf": "application/vnd.dbf",
}
_ROLES = {".tif": "data", ".gpkg": "data", ".png": "overview", ".qml": "style"}


def write_catalog(content: ReleaseContent, folder: Path, surfaces: tuple[Surface, ...]) -> None:
    """Write ``catalog.json`` and ``item.json`` for the files that lie in the folder now.

    Parameters
    ----------
    content : ReleaseContent
    folder : Path
        The public edition, complete but for these files and its manifest.
    surfaces : tuple of Surface
        Those that it carries.
    """
    write_json(folder / "item.json", item_json(content, folder, surfaces))
    write_json(folder / "catalog.json", catalog_json(content))


def write_public_manifest(content: ReleaseContent, folder: Path) -> None:
    """Write ``manifest.json`` of the public edition: what it is, and the digest of every other file. No clock times."""
    window = content.vintage.outcome
    terrain = barred_sources(content, PUBLIC, layers_behind_terrain(content))
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / "manifest.json")
    write_json(
        folder / "manifest.json",
        {
            "run_id": content.run_id,
            "edition": PUBLIC,
            "city": content.city,
            "label": content.label,
            "as_of": content.as_of.isoformat(),
            "windows": {
                "fit": [window.start.isoformat(), window.end.isoformat()],
                "factors_known_at": content.vintage.known_at.isoformat(),
                "applied_at": content.as_of.isoformat(),
            },
            "crs": content.grid.spec.crs,
            "cell_size_m": content.grid.spec.cell_size_m,
            "model_version": f"rtm_pipeline {__version__}",
            "withheld": {"risk_terrain": list(terrain)} if terrain else {},
            "disclaimer": DISCLAIMER,
            "files": {path.relative_to(folder).as_posix(): _sha256(path) for path in files},
        },
    )


def catalog_json(content: ReleaseContent) -> dict[str, Any]:
    """A catalog of one item, with relative links only: it may lie anywhere."""
    return {
        "type": "Catalog",
        "stac_version": STAC_VERSION,
        "id": f"rtm-{content.city}",
        "title": f"Risk terrain of {content.label}",
        "description": f"Risk terrain modeling of {content.name_of(content.outcome)} in {content.label}. {DISCLAIMER}",
        "links": [
            {"rel": "root", "href": "./catalog.json", "type": "application/json"},
            {"rel": "item", "href": "./item.json", "type": "application/geo+json", "title": content.run_id},
        ],
    }


def item_json(content: ReleaseContent, folder: Path, surfaces: tuple[Surface, ...]) -> dict[str, Any]:
    """The release as a STAC item."""
    geometry, bbox = _footprint(content)
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": list(EXTENSIONS),
        "id": content.run_id,
        "geometry": geometry,
        "bbox": bbox,
        "properties": _properties(content),
        "links": [
            {"rel": "root", "href": "./catalog.json", "type": "application/json"},
            {"rel": "parent", "href": "./catalog.json", "type": "application/json"},
            {"rel": "related", "href": "./manifest.json", "type": "application/json", "title": "Digests of the files"},
            *_license_links(content),
        ],
        "assets": {
            path.name: _asset(path, surfaces)
            for path in sorted(folder.iterdir())
            if path.is_file() and path.name not in OWN
        },
    }


def _properties(content: ReleaseContent) -> dict[str, Any]:
    spec, window = content.grid.spec, content.vintage.outcome
    outcome = content.name_of(content.outcome)
    licenses = {credit.license for credit in content.credits}
    only = next(iter(licenses)) if len(licenses) == 1 else None
    return {
        "title": f"Risk terrain of {content.label}, as of {content.as_of}",
        "description": f"Where features of the landscape raise the risk of {outcome}, from incidents of {window}. "
        f"{content.statements.get('risk_terrain', '')} {DISCLAIMER}",
        "datetime": _utc(content, content.as_of),
        "start_datetime": _utc(content, window.start),
        "end_datetime": _utc(content, window.end),
        "gsd": round(spec.cell_size_m, 6),
        "license": only or "other",
        "providers": [{"name": name, "roles": ["producer"]} for name in attributions(content)],
        "proj:code": spec.crs,
        "proj:shape": [spec.n_rows, spec.n_cols],
        "proj:bbox": [spec.west_u, spec.south_u, spec.east_u, spec.north_u],
        "proj:transform": [spec.cell_size_u, 0.0, spec.west_u, 0.0, -spec.cell_size_u, spec.north_u],
        "rtm:city": content.city,
        "rtm:outcome": outcome,
        "rtm:horizon": horizon_words(content),
        "rtm:model_version": f"rtm_pipeline {__version__}",
    }


def _asset(path: Path, surfaces: tuple[Surface, ...]) -> dict[str, Any]:
    asset: dict[str, Any] = {
        "href": f"./{path.name}",
        "type": _TYPES.get(path.suffix, "application/octet-stream"),
        "roles": [_ROLES.get(path.suffix, "metadata")],
        "file:size": path.stat().st_size,
        "file:checksum": f"1220{_sha256(path)}",  # a multihash: sha2-256, 32 bytes
    }
    surface = next((found for found in surfaces if f"{found.spec.name}.tif" == path.name), None)
    if surface is not None:
        asset |= {"title": surface.spec.title, "description": surface.spec.meaning, "bands": [_band(surface)]}
    return asset


def _band(surface: Surface) -> dict[str, Any]:
    import numpy as np

    values = surface.values[surface.values > 0] if surface.classed else surface.values[np.isfinite(surface.values)]
    numbers = values.astype(np.float32).astype(np.float64)
    band: dict[str, Any] = {
        "name": surface.spec.name,
        "description": surface.spec.meaning,
        "unit": surface.unit,
        "data_type": "uint8" if surface.classed else "float32",
        "nodata": 0 if surface.classed else -9999,
    }
    if numbers.size:
        band["statistics"] = {
            "minimum": float(numbers.min()),
            "maximum": float(numbers.max()),
            "mean": float(numbers.mean()),
            "stddev": float(numbers.std()),
            "count": int(numbers.size),
        }
    return band


def _footprint(content: ReleaseContent) -> tuple[dict[str, Any], list[float]]:
    """The study area in degrees, as finely as its cells."""
    import shapely
    from pyproj import Transformer

    spec = content.grid.spec
    transformer = Transformer.from_crs(spec.crs, "EPSG:4326", always_xy=True)
    outline = shapely.simplify(content.area, spec.cell_size_u / 2)
    degrees = shapely.transform(outline, transformer.transform, interleaved=False)
    degrees = shapely.set_precision(degrees, 1e-6)
    oriented = shapely.orient_polygons(degrees)
    bbox = [round(value, 6) for value in shapely.total_bounds(oriented).tolist()]
    return dict(shapely.geometry.mapping(oriented)), bbox


def _license_links(content: ReleaseContent) -> list[dict[str, str]]:
    """Terms of the sources; only addresses that a browser may safely follow."""
    urls = dict.fromkeys(c.terms_url for c in content.credits if c.terms_url and c.terms_url.startswith("https://"))
    return [{"rel": "license", "href": url} for url in urls]


def _utc(content: ReleaseContent, day: date) -> str:
    """Local midnight that begins the day, in UTC."""
    moment = datetime.combine(day, time(), ZoneInfo(content.timezone)).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
