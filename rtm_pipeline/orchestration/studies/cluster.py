"""A Dask cluster for many independent pieces of work: settings, grids, cities. An extra; nothing needs it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rtm_pipeline.errors import ConfigError

__all__ = ["cluster_client"]


@contextmanager
def cluster_client(scheduler: str) -> Iterator[Any]:
    """A `dask.distributed.Client`.

    Parameters
    ----------
    scheduler : str
        Address of a running scheduler, or ``local``: worker processes on this machine, one thread each.

    Raises
    ------
    ConfigError
        The extra is not installed, or the scheduler does not answer.
    """
    if importlib.util.find_spec("distributed") is None:
        raise ConfigError("Work on a Dask cluster needs the extra 'dask': pip install 'rtm_pipeline[dask]'.")
    from distributed import Client, LocalCluster

    from rtm_pipeline.model.workers import available_threads

    if scheduler == "local":
        with (
            LocalCluster(n_workers=available_threads(), threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        raise ConfigError(f"The Dask scheduler at {scheduler!r} does not answer: {error}.") from error
    with client:
        yield client
