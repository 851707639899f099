"""What a run shows while it works: a live line on a terminal, nothing when piped."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtm_pipeline.orchestration.run import StepEvent

__all__ = ["Progress"]


class Progress:
    """A bar over the steps of a run. Quiet where standard error is no terminal."""

    def __init__(self, title: str, *, quiet: bool = False) -> None:
        self._title = title
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
                TextColumn("{task.fields[step]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.start()
            self._task = self._progress.add_task("run", total=None, title=self._title, step="starting")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._progress.stop()

    def on_event(self, event: StepEvent) -> None:
        """Move the bar on when a step ends, name the step that runs."""
        if not self._live:
            return
        if event.state == "started":
            self._progress.update(self._task, total=event.total, step=event.step.replace("_", " "))
        else:
            self._progress.advance(self._task)
