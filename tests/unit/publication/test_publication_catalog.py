"""The public catalog and manifest, and the sources' terms carried through."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import pystac
import pytest
import shapely

from rtm_pipeline.publication.catalog.stac import item_json
from rtm_pipeline.publication.content import ReleaseContent, SourceCredit
from rtm_pipeline.publication.provenance import sources_text


def test_catalog_and_item_are_valid_stac(written) -> None:
    """Core schemas only: those of the extensions are on the network."""
    from pystac.validation.stac_validator import JsonSchemaSTACValidator

    validator = JsonSchemaSTACValidator()
    item = json.loads((written.public / "item.json").read_text())
    catalog = json.loads((written.public / "catalog.json").read_text())
    for stac, kind in ((item, pystac.STACObjectType.ITEM), (catalog, pystac.STACObjectType.CATALOG)):
        validator.validate_core(stac, kind, stac["stac_version"])
    with pytest.raises(pystac.STACValidationError):
        validator.validate_core({**item, "bbox": "everywhere"}, pystac.STACObjectType.ITEM, item["stac_version"])


def test_pystac_walks_from_the_catalog_to_every_file(written) -> None:
    catalog = pystac.Catalog.from_file(str(written.public / "catalog.json"))
    (item,) = catalog.get_items()
    assert item.id == written.content.run_id
    for asset in item.assets.values():
        assert (written.public / asset.href).resolve().is_file() or asset.get_absolute_href(), asset.href
    hrefs = {asset.href.removeprefix("./") for asset in item.assets.values()}
    files = {path.name for path in written.public.iterdir() if path.is_file()}
    assert hrefs == files - {"catalog.json", "item.json", "manifest.json"}
    raster = item.assets["risk_terrain.tif"]
    assert raster.media_type == pystac.MediaType.COG
    assert raster.extra_fields["bands"][0]["nodata"] == -9999


def test_the_item_says_where_and_when(written) -> None:
    item = json.loads((written.public / "item.json").read_text())
    outline = shapely.geometry.shape(item["geometry"])
    assert outline.is_valid
    assert outline.bounds == pytest.approx(item["bbox"])
    assert -91 < item["bbox"][0] < item["bbox"][2] < -90.9
    assert item["properties"]["datetime"] == "2024-01-01T06:00:00Z", "midnight in Chicago"
    assert item["properties"]["start_datetime"] == "2023-01-01T06:00:00Z"
    assert item["properties"]["proj:code"] == "EPSG:3436"
    west, south, east, north = item["properties"]["proj:bbox"]
    assert (east - west, north - south) == (30 * 250, 40 * 250)


def test_the_public_manifest_has_the_digest_of_every_public_file(written) -> None:
    manifest = json.loads((written.public / "manifest.json").read_text())
    found = {
        path.relative_to(written.public).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in written.public.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert manifest["files"] == found
    assert manifest["edition"] == "public"


def test_terms_and_disclaimers_are_carried_through(written) -> None:
    text = (written.public / "SOURCES.txt").read_text()
    for credit in written.content.credits:
        assert credit.attribution in text
    assert "As is, no warranty." in text
    assert "CC-BY-4.0" in text
    assert "Rates places, not persons." in text
    assert "Restricted edition" in (written.restricted / "SOURCES.txt").read_text()


def test_a_dangerous_address_is_no_link(content: ReleaseContent, tmp_path) -> None:
    bad = dataclasses.replace(
        content,
        credits=(SourceCredit("police", "P", "javascript:alert(1)"), SourceCredit("registry", "R", "https://a.b")),
    )
    links = [link for link in item_json(bad, tmp_path, ())["links"] if link["rel"] == "license"]
    assert links == [{"rel": "license", "href": "https://a.b"}]


def test_a_line_break_in_a_term_forges_no_entry(content: ReleaseContent) -> None:
    forged = dataclasses.replace(content, credits=(SourceCredit("police", "A\n\nregistry\n  license: CC0"),))
    assert "\n  license: CC0" not in sources_text(forged, "public")
