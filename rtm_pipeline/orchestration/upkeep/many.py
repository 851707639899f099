"""Many cities one after the other, or spread over a Dask cluster: one run a city, and none stops another.

With a Dagster server the run queue does this. Without one, or for cities by the hundred on any scheduler that Dask
speaks with, this does; the numbers are the same, because a city is run by the same function.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rtm_pipeline.errors import RtmError

__all__ = ["CityNight", "run_cities"]


@dataclass(frozen=True, slots=True)
class CityNight:
    """How the night of one city ended.

    Attributes
    ----------
    config : str
        File of the configuration.
    city : str
        Slug; empty if the configuration is broken.
    ok : bool
    exit_code : int
        As `rtm run` would end.
    run_id, release : str
        Of the release; empty without one.
    problems : tuple of str
        Why it failed.
    seconds, cpu_seconds : float
        By the wall, and of the processor.
    peak_mb : float
        Largest memory of the process until then; with several cities in one process, of the largest so far.
    """

    config: str
    city: str
    ok: bool
    exit_code: int
    run_id: str = ""
    release: str = ""
    problems: tuple[str, ...] = ()
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def run_cities(
    configs: Sequence[Path], *, config_dir: Path, output: str, data_dir: Path | None, client: Any = None
) -> Iterator[CityNight]:
    """Run cities; yields each as it ends.

    Parameters
    ----------
    configs : sequence of Path
    config_dir, output, data_dir
        As in `Paths.resolve`; workers of a cluster must see them under the same names, or ``output`` in a bucket.
    client : distributed.Client, optional
        Where to run them; here, one after the other, without one.
    """
    tasks = [(str(path), str(config_dir), output, str(data_dir) if data_dir else None) for path in configs]
    if client is None:
        yield from (_run_one(*task) for task in tasks)
        return
    from distributed import as_completed

    # A run is not repeated by Dask: what is lost with a worker is told, and the next night makes it good.
    futures = [client.submit(_run_one, *task, pure=False, retries=0) for task in tasks]
    names = dict(zip((future.key for future in futures), configs, strict=True))
    for future in as_completed(futures):
        if future.status == "finished":
            yield future.result()
        else:
            yield CityNight(str(names[future.key]), "", False, 1, problems=(f"the worker was lost: {future.status}",))


def _run_one(config: str, config_dir: str, output: str, data_dir: str | None) -> CityNight:
    from rtm_pipeline.orchestration.process import prepare_process

    prepare_process()
    from rtm_pipeline.config.load import load_config
    from rtm_pipeline.orchestration.paths import Paths
    from rtm_pipeline.orchestration.run import run_city
    from rtm_pipeline.orchestration.steps.release import RELEASE

    began, cpu = time.perf_counter(), time.process_time()
    name = ""
    try:
        loaded = load_config(Path(config))
        name = loaded.city.name
        report = run_city(loaded, Paths.resolve(config_dir=config_dir, output=output, data_dir=data_dir))
        facts: dict[str, Any] = {"ok": report.ok, "exit_code": 0}
        if report.ok:
            release = report.value(RELEASE)
            facts |= {"run_id": release.run_id, "release": release.path}
        else:
            facts["exit_code"] = max((failure.exit_code for failure in report.failures), default=1)
            facts["problems"] = tuple(f"{failure.step}: {failure.message}" for failure in report.failures)
    except RtmError as error:
        facts = {"ok": False, "exit_code": error.exit_code, "problems": (str(error),)}
    except Exception as error:  # one city must not end the night of the others
        facts = {"ok": False, "exit_code": 1, "problems": (f"unexpected {type(error).__name__}: {error}",)}
    return CityNight(
        config,
        name,
        seconds=round(time.perf_counter() - began, 2),
        cpu_seconds=round(time.process_time() - cpu, 2),
        peak_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        **facts,
    )
