"""What a run shows while it works: a live line on a terminal, nothing when piped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from rtm_pipeline.cli.durations import StepDurations, words

if TYPE_CHECKING:
    from rtm_pipeline.orchestration.run import StepEvent

__all__ = ["Progress", "counted"]


class Progress:
    """A bar over the steps of a run, with what is left by the last run's times.

    Quiet where standard error is no terminal.

    Parameters
    ----------
    title : str
        What runs.
    durations : StepDurations
        Kept for the next run's estimate also where nothing is shown.
    quiet : bool
        Show nothing.
    """

    def __init__(self, title: str, durations: StepDurations, *, quiet: bool = False) -> None:
        self._title, self._durations = title, durations
        self._live = sys.stderr.isatty() and not quiet

    def __enter__(self) -> Progress:
        if self._live:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            self._progress = Bar(
                TextColumn("{task.fields[title]}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]}"),
                TextColumn("{task.fields[step]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.start()
            self._task = self._progress.add_task("run", total=None, title=self._title, step="starting", left="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._progress.stop()

    def on_event(self, event: StepEvent) -> None:
        """Move the bar on when a step ends, name the step that runs."""
        if event.state == "started":
            self._durations.started(event.step)
        elif event.state == "done":
            self._durations.ended(event.step)
        if not self._live:
            return
        if event.state == "started":
            self._progress.update(self._task, total=event.total, step=event.step.replace("_", " "))
        else:
            self._progress.advance(self._task)
        self._progress.update(self._task, left=words(self._durations.remaining()))


@contextmanager
def counted(title: str, *, quiet: bool = False) -> Iterator[Callable[[object], None]]:
    """A live count of what is being worked on; the callable is told of each as it begins. Quiet when piped."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    console, done = Console(stderr=True), 0
    with console.status(title) as status:

        def listen(what: object) -> None:
            nonlocal done
            done += 1
            status.update(f"{title}: {done}, {what}")

        yield listen
