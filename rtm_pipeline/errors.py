"""The errors that users meet: one class for each kind of thing that can be wrong.

Every message says what is wrong, where, what was found, what was expected and what to do next.
The command line turns the class into an exit code, so a new kind of error belongs here and nowhere else.
"""

from __future__ import annotations

__all__ = [
    "ConfigError",
    "GridError",
    "ModelError",
    "PublishError",
    "RtmError",
    "SchemaError",
    "SourceError",
    "StaleArtifactError",
    "StorageError",
]


class RtmError(Exception):
    """Base of all errors that a user can act on.

    Attributes
    ----------
    exit_code : int
        What the command line exits with: 2 for a wrong request, 3 for data that failed, 1 otherwise.
    """

    exit_code: int = 1


class ConfigError(RtmError):
    """The request is wrong: configuration, arguments, or a file that is not where it is said to be."""

    exit_code = 2


class SourceError(RtmError):
    """A source could not be read whole: missing files, truncated records, a portal that does not deliver."""

    exit_code = 3


class SchemaError(RtmError):
    """A source was read but does not have the shape that the configuration declares."""

    exit_code = 3


class GridError(RtmError):
    """The study area or the grid can't be made: no area, wrong CRS, exclusion of everything."""

    exit_code = 3


class ModelError(RtmError):
    """The data can't support the model that was asked for."""

    exit_code = 3


class PublishError(RtmError):
    """A release could not be written or verified; what was current stays current."""

    exit_code = 3


class StaleArtifactError(RtmError):
    """A stored value was made under other settings or from other inputs than its consumer needs."""

    exit_code = 3


class StorageError(RtmError):
    """State can't be written: a full or read-only disk, a bucket that refuses; what stood there is unchanged."""
