"""Sites on the map of the restricted edition: the best lots and buildings, with reasons in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rtm_pipeline.publication.content import ReleaseContent
from rtm_pipeline.publication.facts.night import Facts
from rtm_pipeline.publication.facts.sites import SITE_KINDS, SITE_ROWS, shown_sites, site_values
from rtm_pipeline.publication.markup import plain

__all__ = ["site_points"]


def site_points(content: ReleaseContent, facts: Facts) -> dict[str, Any] | None:
    """Places and texts of the sites shown, by kind; None where there is no table of sites."""
    from pyproj import Transformer

    kinds = []
    to_degrees = Transformer.from_crs(content.grid.spec.crs, "EPSG:4326", always_xy=True)
    for name, title in SITE_KINDS.items():
        table = facts.tables.get(name)
        if table is None or table.num_rows == 0:
            continue
        rows = shown_sites(table)
        lon, lat = to_degrees.transform(rows.column("x").to_numpy(), rows.column("y").to_numpy())
        kinds.append(
            {
                "kind": name,
                "title": title,
                "all": table.num_rows,
                "lon": np.round(lon, 6).tolist(),
                "lat": np.round(lat, 6).tolist(),
                "funded": rows.column("funded").to_pylist(),
                "sites": [_site(row, content) for row in rows.to_pylist()],
            }
        )
    return {"rows": list(SITE_ROWS), "kinds": kinds} if kinds else None


def _site(row: Mapping[str, Any], content: ReleaseContent) -> list[str]:
    """Title, then values in the order of `SITE_ROWS`."""
    place = row.get("address") or row["site_id"]
    return [plain(str(value)) for value in (place, *site_values(row))]
