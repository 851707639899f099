"""Dagster's own records: those of ``DAGSTER_HOME``, or none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from rtm_pipeline.errors import ConfigError

__all__ = ["named_instance", "recording_instance"]


@contextmanager
def named_instance() -> Iterator[dg.DagsterInstance | None]:
    """The instance of ``DAGSTER_HOME``; None where it is not set.

    Raises
    ------
    ConfigError
        Its settings are wrong, or its database does not answer.
    """
    home = os.environ.get("DAGSTER_HOME")
    if not home:
        yield None
        return
    try:
        instance = dg.DagsterInstance.get()
    except Exception as error:  # whatever storage the settings name; its words may hold the login
        raise ConfigError(
            f"Dagster's records in DAGSTER_HOME ({home}) can't be reached ({type(error).__name__}). Start the database "
            "that its dagster.yaml names and look at the login, or unset DAGSTER_HOME: cities run without it too."
        ) from None
    with instance:
        yield instance


@contextmanager
def recording_instance() -> Iterator[dg.DagsterInstance]:
    """The instance of ``DAGSTER_HOME``, or one that forgets with the process."""
    with named_instance() as named:
        if named is not None:
            yield named
            return
    with dg.DagsterInstance.ephemeral() as passing:
        yield passing
