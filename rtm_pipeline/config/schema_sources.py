"""The ``sources`` section: where rows come from."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, StringConstraints

from rtm_pipeline.config.fields import RelativePath, Strict, Text, TextList

__all__ = [
    "ArcGISSourceModel",
    "FileSourceModel",
    "Host",
    "Origin",
    "PortalModel",
    "SocrataSourceModel",
    "SourceModel",
    "portal_of",
]

Origin = Literal["resident", "registry", "inspector", "police"]
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]+(:[0-9]{1,5})?$")]
DatasetId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{4}-[a-z0-9]{4}$")]
EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]


class _SourceBase(Strict):
    null_values: TextList = ()
    """Spellings of "missing" beside the empty text."""
    aliases: dict[str, TextList] = {}
    """Column name -> other headers under which the same column appears."""
    optional: TextList = ()
    """Columns that may be absent from a file or data set."""
    origin: Origin | None = None
    """Who made the rows: resident, registry, inspector or police."""
    attribution: str | None = None
    """Credit line that the publisher asks for."""
    terms_url: str | None = None
    """Where the publisher's terms stand."""
    license: str | None = None
    """SPDX identifier or name of the license."""
    disclaimer: str | None = None
    """What the publisher asks to be said wherever its data are shown."""


class FileSourceModel(_SourceBase):
    """Files in the data folder."""

    kind: Literal["file"]
    """Files in the data folder."""
    path: RelativePath
    """Path or glob, relative to the data folder."""
    expect_files: int | None = Field(default=None, ge=1)
    """How many files the glob must find."""
    format: Literal["auto", "csv", "vector", "parquet"] = "auto"
    """auto goes by the file's ending."""
    sheet: str | None = None
    """The layer inside a GeoPackage or geodatabase that has several."""
    encoding: str | None = None
    """Text encoding of a CSV; found out by default."""
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1, strip_whitespace=False)] = ","
    """Character between the fields of a CSV."""
    decimal: Literal[".", ","] = "."
    """Mark before the decimals of numbers in a CSV; with a comma, dots between thousands are dropped."""
    crs: str | None = None
    """CRS of a vector file that does not say its own."""


class SocrataSourceModel(_SourceBase):
    """Data sets of a Socrata portal."""

    kind: Literal["socrata"]
    """A Socrata portal (data.CITY.gov and the like)."""
    host: Host
    """Host of the portal, such as data.kcmo.org."""
    dataset: Annotated[
        tuple[DatasetId, ...],
        BeforeValidator(
            lambda v: v if isinstance(v, list | tuple) else [v], json_schema_input_type=DatasetId | list[DatasetId]
        ),
    ]
    """Four-by-four id, or several that continue one another."""
    where: Text | None = None
    """SoQL filter that the portal applies."""
    updated_column: str = ":updated_at"
    """Column by which only changed rows are asked for."""
    token_env: EnvironmentName | None = None
    """Environment variable with the application token."""
    full_every_days: int = Field(default=7, ge=1)
    """Days after which everything is read anew, to see deletions."""


class ArcGISSourceModel(_SourceBase):
    """A layer of an ArcGIS FeatureServer."""

    kind: Literal["arcgis"]
    """An ArcGIS server."""
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s?#@]+/[0-9]+$")]
    """URL of the layer, ending in its number: https://.../FeatureServer/0."""
    where: Text = "1=1"
    """SQL filter that the server applies."""
    order_by: str = "OBJECTID"
    """Unique column by which pages are cut."""
    token_env: EnvironmentName | None = None
    """Environment variable with the access token."""


class PortalModel(Strict):
    """How one host may be asked; by default by https only, and as fast as it answers."""

    allow_http: bool = False
    """Whether it may be read without encryption; for a portal on one's own machine."""
    requests_per_second: float | None = Field(default=None, gt=0, le=1000)
    """At most so many requests are sent to it, by all runs of this machine together."""


SourceModel = Annotated[FileSourceModel | SocrataSourceModel | ArcGISSourceModel, Field(discriminator="kind")]


def portal_of(source: FileSourceModel | SocrataSourceModel | ArcGISSourceModel) -> str | None:
    """Host (with port) that a source is read from; None for files."""
    if isinstance(source, SocrataSourceModel):
        return source.host
    return urlsplit(source.url).netloc if isinstance(source, ArcGISSourceModel) else None
