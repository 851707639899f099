"""What a source is: where its rows are, and which of its columns may be kept.

A source gives rows, never meaning. Only the columns that some layer declares are read into a snapshot; the names
of the others are recorded so that drift is seen, their values are never written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

__all__ = ["ArcGISSource", "ColumnRequest", "FileSource", "SocrataSource", "Source", "host_of"]


@dataclass(frozen=True, slots=True)
class ColumnRequest:
    """One column that the layers on a source need.

    Attributes
    ----------
    name : str
        The name by which layers speak of it; the snapshot uses it.
    alternatives : tuple of str
        Other headers under which the same column appears (another year, another file).
    required : bool
        Whether a file without it is an error. A column that is not required is null where it is absent.
    """

    name: str
    alternatives: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True, slots=True)
class FileSource:
    """Files of one kind, found by a path or a glob relative to the data folder.

    Attributes
    ----------
    path : str
        Relative path or glob; never absolute, never with ``..``.
    expect_files : int, optional
        How many files the glob must find.
    format : str
        ``auto`` (by the ending), ``csv``, ``vector`` (anything pyogrio reads: GeoJSON, GeoPackage, Shapefile,
        File Geodatabase) or ``parquet`` (Parquet and GeoParquet). ``.gz`` and ``.zip`` around them are opened.
    sheet : str, optional
        The layer inside a GeoPackage or geodatabase that has several.
    encoding : str, optional
        Text encoding of CSV; by default UTF-8 (a BOM is dropped), else Windows-1252, decided file by file.
    decimal : str
        Mark before the decimals of numbers in CSV, ``.`` or ``,``.
    null_values : tuple of str
        Spellings of "missing" beside the empty text; blanks around a value never count.
    aliases : mapping of str to tuple of str
        Column name -> other headers for it.
    crs : str, optional
        CRS of a vector file that does not say its own.
    origin : str
        Who made the rows: ``resident``, ``registry``, ``inspector`` or ``police``.
    attribution, terms_url, license, disclaimer : str, optional
        As the provider words them; carried through to every release.
    """

    name: str
    path: str
    expect_files: int | None = None
    format: str = "auto"
    sheet: str | None = None
    encoding: str | None = None
    delimiter: str = ","
    decimal: str = "."
    null_values: tuple[str, ...] = ()
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    crs: str | None = None
    origin: str | None = None
    attribution: str | None = None
    terms_url: str | None = None
    license: str | None = None
    disclaimer: str | None = None


@dataclass(frozen=True, slots=True)
class SocrataSource:
    """A data set of a Socrata portal, or several that continue one another (a set a year).

    Attributes
    ----------
    host : str
        Host name of the portal; always read by https.
    datasets : tuple of str
        Four-by-four ids, read in this order into one source.
    where : str, optional
        SoQL filter applied by the portal.
    updated_column : str
        Column for incremental pulls, ``:updated_at`` by default.
    token_env : str, optional
        Name of the environment variable that holds the application token.
    full_every_days : int
        After so many days everything is read again; on the nights between only what changed.
    allow_http : bool
        Whether the host may be read without encryption; for a portal on one's own machine.
    requests_per_second : float, optional
        At most so many requests are sent to the host.
    """

    name: str
    host: str
    datasets: tuple[str, ...]
    where: str | None = None
    updated_column: str = ":updated_at"
    token_env: str | None = None
    full_every_days: int = 7
    allow_http: bool = False
    requests_per_second: float | None = None
    null_values: tuple[str, ...] = ()
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    origin: str | None = None
    attribution: str | None = None
    terms_url: str | None = None
    license: str | None = None
    disclaimer: str | None = None


@dataclass(frozen=True, slots=True)
class ArcGISSource:
    """A layer of an ArcGIS FeatureServer.

    Attributes
    ----------
    url : str
        Address of the layer; ends in its number, as in ``https://.../FeatureServer/0``.
    where : str
        SQL filter applied by the server.
    order_by : str
        Field by which pages are ordered; the layer's object id is added where it is another.
    token_env : str, optional
        Name of the environment variable that holds the token.
    allow_http : bool
        Whether the host may be read without encryption; for a server on one's own machine.
    requests_per_second : float, optional
        At most so many requests are sent to the host.
    """

    name: str
    url: str
    where: str = "1=1"
    order_by: str = "OBJECTID"
    token_env: str | None = None
    allow_http: bool = False
    requests_per_second: float | None = None
    null_values: tuple[str, ...] = ()
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    origin: str | None = None
    attribution: str | None = None
    terms_url: str | None = None
    license: str | None = None
    disclaimer: str | None = None


Source = FileSource | SocrataSource | ArcGISSource


def host_of(source: Source) -> str | None:
    """Host (with port) of the portal that a source is read from; None for files."""
    if isinstance(source, SocrataSource):
        return source.host
    return urlsplit(source.url).netloc if isinstance(source, ArcGISSource) else None
