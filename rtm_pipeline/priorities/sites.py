"""Candidate sites: vacant lots and dilapidated buildings, with what decides whether they may be worked on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from rtm_pipeline.errors import ConfigError, SchemaError
from rtm_pipeline.layers.layer import Layer

__all__ = [
    "TARGETS",
    "OwnerRule",
    "Sites",
    "column_texts",
    "join_sites",
    "make_sites",
    "owner_types",
    "sites_from_layer",
]

TARGETS = ("lot", "building")
OWNERS = ("city", "land_bank", "public", "private", "unknown")


@dataclass(frozen=True, slots=True)
class OwnerRule:
    """Rows whose ``column`` has one of ``values`` belong to an owner of this type; the first rule that fits wins.

    Owner types are ``city``, ``land_bank``, ``public``, ``private`` and ``unknown``; a name never gets through.
    """

    column: str
    values: tuple[str, ...]
    owner: str

    def __post_init__(self) -> None:
        if self.owner not in OWNERS:
            raise ConfigError(f"An owner type is one of {', '.join(OWNERS)}; found {self.owner!r}.")


@dataclass(frozen=True, slots=True)
class Sites:
    """Sites in ascending order of their id, so that no result depends on the order of a source's rows.

    Attributes
    ----------
    site_id : ndarray of str, shape (n,)
        Unique.
    x, y : ndarray of float64, shape (n,)
        CRS units.
    target : ndarray of int8, shape (n,)
        Index into `TARGETS`.
    neighborhood, district : ndarray of int32, shape (n,)
        Index into the city's lists; -1 for none.
    owner, status, address : ndarray of str, shape (n,)
        Owner type, the source's status of the site, and its address (restricted edition only).
    eligible : ndarray of bool, shape (n,)
        Stands as a vacant lot or dilapidated building: it counts among the sites of its place.
    selectable : ndarray of bool, shape (n,)
        May be worked on now (ownership, legal authority, permits); a subset of ``eligible``.
    reason : ndarray of str, shape (n,)
        Why not eligible or not selectable; empty where it is both.
    excluded : mapping of str to int
        Sites left out, by reason.
    """

    site_id: NDArray[np.str_]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    target: NDArray[np.int8]
    neighborhood: NDArray[np.int32]
    district: NDArray[np.int32]
    owner: NDArray[np.str_]
    status: NDArray[np.str_]
    address: NDArray[np.str_]
    eligible: NDArray[np.bool_]
    selectable: NDArray[np.bool_]
    reason: NDArray[np.str_]
    excluded: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.x.size)

    def index_of(self, ids: Sequence[str], what: str = "site list") -> NDArray[np.int64]:
        """Positions of the ids; ConfigError that names those which are not there."""
        wanted = np.asarray(list(ids), dtype=np.str_)
        if wanted.size == 0:
            return np.empty(0, dtype=np.int64)
        at = np.minimum(np.searchsorted(self.site_id, wanted), max(len(self) - 1, 0))
        missing = wanted if len(self) == 0 else wanted[self.site_id[at] != wanted]
        if missing.size:
            shown = ", ".join(str(name) for name in missing[:5])
            raise ConfigError(
                f"The {what} names {missing.size} sites that are not in the inventory: {shown}. "
                "Mend the id; take it off the list where the site is gone."
            )
        return at.astype(np.int64)

    def with_exclusions(self, rules: Sequence[tuple[str, NDArray[np.bool_], bool]]) -> Sites:
        """Leave sites out, each counted once under the first reason that applies.

        Parameters
        ----------
        rules : sequence of (reason, mask, standing)
            ``standing`` True: the site still stands as blight and counts among the sites of its place, it may only
            not be worked on (no legal authority, a permit). False: it is no such site (a garden, greened already).
        """
        eligible, selectable = self.eligible.copy(), self.selectable.copy()
        reason = self.reason.astype(object)
        counts = dict(self.excluded)
        for name, mask, standing in rules:
            hit = np.asarray(mask, dtype=bool) & (selectable if standing else eligible)
            selectable &= ~hit
            if not standing:
                eligible &= ~hit
            new = hit & (reason == "")
            reason[new] = name
            counts[name] = counts.get(name, 0) + int(new.sum())
        return replace(self, eligible=eligible, selectable=selectable, reason=reason.astype(np.str_), excluded=counts)


def make_sites(
    site_id: Sequence[str] | NDArray[np.str_],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    target: NDArray[np.int8],
    *,
    neighborhood: NDArray[np.int32] | None = None,
    district: NDArray[np.int32] | None = None,
    owner: Sequence[str] | NDArray[np.str_] | None = None,
    status: Sequence[str] | NDArray[np.str_] | None = None,
    address: Sequence[str] | NDArray[np.str_] | None = None,
) -> Sites:
    """Sites from plain arrays of one length, sorted by id.

    Raises
    ------
    SchemaError
        An id comes twice, a coordinate is not finite, an owner type or target is unknown, or lengths differ.
    """
    ids = np.asarray(site_id, dtype=np.str_)
    n = ids.size
    columns: dict[str, NDArray[np.generic]] = {
        "x": np.asarray(x, dtype=np.float64),
        "y": np.asarray(y, dtype=np.float64),
        "target": np.asarray(target, dtype=np.int8),
        "neighborhood": np.full(n, -1, np.int32) if neighborhood is None else np.asarray(neighborhood, np.int32),
        "district": np.full(n, -1, np.int32) if district is None else np.asarray(district, np.int32),
        "owner": np.full(n, "unknown") if owner is None else np.asarray(owner, dtype=np.str_),
        "status": np.full(n, "") if status is None else np.asarray(status, dtype=np.str_),
        "address": np.full(n, "") if address is None else np.asarray(address, dtype=np.str_),
    }
    wrong = {name: values.shape for name, values in columns.items() if values.shape != (n,)}
    if wrong:
        raise SchemaError(f"Every column of the sites must have {n} rows, like site_id; found {wrong}.")
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    twice = ids[1:][ids[1:] == ids[:-1]]
    if twice.size:
        shown = ", ".join(str(name) for name in np.unique(twice)[:5])
        raise SchemaError(f"Site ids must be unique; {twice.size} repeat: {shown}. Give the layer a `key`.")
    bad = ~(np.isfinite(columns["x"].astype(float)) & np.isfinite(columns["y"].astype(float)))
    if bad.any():
        raise SchemaError(f"{int(bad.sum())} sites have no finite coordinates, such as {np.asarray(site_id)[bad][0]}.")
    if n and not np.isin(columns["target"], np.arange(len(TARGETS))).all():
        raise SchemaError(f"The target of a site is an index into {TARGETS}.")
    strange = np.setdiff1d(columns["owner"], np.array(OWNERS))
    if strange.size:
        raise SchemaError(f"Owner types are {', '.join(OWNERS)}; found {', '.join(map(str, strange[:3]))}.")
    data = {name: values[order] for name, values in columns.items()}
    return Sites(
        site_id=ids,
        eligible=np.ones(n, bool),
        selectable=np.ones(n, bool),
        reason=np.full(n, "", dtype="<U1"),
        **data,  # type: ignore[arg-type]
    )


def join_sites(parts: Sequence[Sites]) -> Sites:
    """Sites of several layers; an id that comes twice stays with the first.

    Their exclusions are made afterwards: parts with exclusions of their own are refused.
    """
    if any(part.excluded for part in parts):
        raise ConfigError("Join sites first, then leave some out.")

    def column(name: str) -> NDArray[np.generic]:
        return np.concatenate([getattr(part, name) for part in parts])

    first = np.sort(np.unique(column("site_id"), return_index=True)[1])
    names = ("site_id", "x", "y", "target", "neighborhood", "district", "owner", "status", "address")
    data = {name: column(name)[first] for name in names}
    return make_sites(**data)


def sites_from_layer(
    layer: Layer,
    *,
    site_id: str,
    target: str,
    rows: NDArray[np.intp],
    neighborhood: NDArray[np.int32] | None = None,
    district: NDArray[np.int32] | None = None,
    owners: Sequence[OwnerRule] = (),
    status: str | None = None,
    address: str | None = None,
) -> Sites:
    """Sites of a layer, each id once (the first row that has it).

    Parameters
    ----------
    layer : Layer
        A layer of sites; its ``attributes`` hold the columns named below.
    site_id : str
        Attribute with the stable id (a parcel number). Where it is empty, the row's place in its source stands for it.
    target : str
        ``lot`` or ``building``.
    rows : ndarray of int, shape (m,)
        Which rows are sites (stand at the date in question, lie in the city).
    neighborhood, district : ndarray of int32, shape (m,), optional
        Of these rows.
    owners : sequence of OwnerRule
    status, address : str, optional
        Attributes.
    """
    if target not in TARGETS:
        raise ConfigError(f"Sites are of the targets {', '.join(TARGETS)}; layer {layer.name!r} is given {target!r}.")
    ids = column_texts(layer, site_id)[rows]
    numbers = layer.attributes.column("_row").to_numpy()[rows]
    ids = np.where(ids == "", np.char.add(f"{layer.name}-row-", numbers.astype(np.str_)), ids)
    first = np.sort(np.unique(ids, return_index=True)[1])
    at = rows[first]
    return make_sites(
        ids[first],
        layer.x[at],
        layer.y[at],
        np.full(at.size, TARGETS.index(target), np.int8),
        neighborhood=None if neighborhood is None else neighborhood[first],
        district=None if district is None else district[first],
        owner=owner_types(layer, owners)[at],
        status=None if status is None else column_texts(layer, status)[at],
        address=None if address is None else column_texts(layer, address)[at],
    )


def column_texts(layer: Layer, column: str) -> NDArray[np.str_]:
    """A kept column as text, shape (len(layer),); empty where there is no value.

    Raises
    ------
    ConfigError
        The layer does not keep the column.
    """
    if column not in layer.attributes.column_names:
        raise ConfigError(
            f"Layer {layer.name!r} has no attribute {column!r}; declare it under `keep`. It has: "
            f"{', '.join(layer.attributes.column_names)}."
        )
    values = layer.attributes.column(column).to_pylist()
    return np.array(["" if value is None else str(value) for value in values], dtype=np.str_)


def owner_types(layer: Layer, rules: Sequence[OwnerRule]) -> NDArray[np.str_]:
    """Owner type of every row, shape (len(layer),): by the first rule that fits, else ``unknown``."""
    owner = np.full(len(layer), "unknown", dtype="<U9")
    for rule in rules:
        hit = np.isin(column_texts(layer, rule.column), np.array(rule.values, dtype=np.str_))
        owner[hit & (owner == "unknown")] = rule.owner
    return owner
