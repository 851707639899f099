"""The command line. Arguments in, one clear message or a short summary out; the work is elsewhere.

Heavy libraries are imported inside the commands, so that ``rtm --help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from typer.core import TyperGroup

from rtm_pipeline import __version__
from rtm_pipeline.errors import RtmError

if TYPE_CHECKING:
    import click

__all__ = [
    "AsJson",
    "Config",
    "ConfigDir",
    "DataDir",
    "Output",
    "Set",
    "Verbose",
    "app",
    "fail",
    "main",
    "say",
]

# As a city's people come to need them: begin, check, run, look, try, work, keep it going, without a city.
ORDER = (
    *("new-city", "check", "run", "ui"),
    *("explain", "compare", "backtest", "stability", "zone-trial", "whatif"),
    *("plan", "helped", "evidence"),
    *("status", "nights", "maintain"),
    *("fit", "accuracy", "areas", "schema"),
)


class _InOrder(TyperGroup):
    """The commands in `ORDER`, whatever the modules that register them; any other after them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands as ``rtm --help`` shows them."""
        names = super().list_commands(ctx)
        return [name for name in ORDER if name in names] + [name for name in names if name not in ORDER]


app = typer.Typer(
    name="rtm",
    cls=_InOrder,
    help="Risk terrain modeling for cities: where greening a lot or abating a building should come first.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Config = Annotated[str, typer.Argument(help="A name in the folder of configurations, or the path of a YAML file.")]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", help="Folder of the city's files. Default: RTM_DATA_DIR, ./data/CITY, or where the YAML is."
    ),
]
Output = Annotated[
    str | None,
    typer.Option("--output", help="Folder or s3://BUCKET/... of releases. Default: RTM_OUTPUT or ./output."),
]
ConfigDir = Annotated[Path | None, typer.Option("--config-dir", help="Folder of configurations. Default: ./configs.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="Change one setting, as model.family=nb2. May be repeated.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print machine-readable JSON.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Show detail.")]


_CONTROL = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}
_CONTROL |= dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd")  # which turn the direction


def main() -> None:
    """Entry point: errors become one message and an exit code, never a traceback."""
    from rtm_pipeline.orchestration.process import prepare_process

    try:
        prepare_process()
        code = app(standalone_mode=False)
    except RtmError as error:
        fail(str(error), error.exit_code)
    except typer.Abort:
        fail("Stopped.", 130)
    except KeyboardInterrupt:
        fail("Stopped.", 130)
    except Exception as error:
        usage = getattr(error, "format_message", None)
        if usage is not None:
            fail(f"{usage()} Try '{_command_of(error)} --help'.", 2)
        if os.environ.get("RTM_DEBUG"):
            raise
        fail(f"Unexpected {type(error).__name__}: {error}. Set RTM_DEBUG=1 to see where, and please report it.", 1)
    # Outside its standalone mode typer hands the code of an Exit back instead of leaving.
    sys.exit(code if isinstance(code, int) else 0)


def _command_of(error: Exception) -> str:
    """The command that a wrong request was made to, such as ``rtm plan``: its help names what it knows."""
    names: list[str] = []
    context = getattr(error, "ctx", None)
    while context is not None and context.parent is not None:
        names.insert(0, str(context.info_name))
        context = context.parent
    return " ".join(["rtm", *names])


def fail(message: str, code: int) -> NoReturn:
    """Print one message and leave."""
    print(f"rtm: {_visible(message)}", file=sys.stderr)  # noqa: T201
    sys.exit(code)


def say(text: str = "") -> None:
    """Print to standard output."""
    print(_visible(text))  # noqa: T201


def _visible(text: str) -> str:
    """Without control characters: a name in a source must not steer the terminal or hide what stands here."""
    return text.translate(_CONTROL)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        say(f"rtm_pipeline {__version__}")
        raise typer.Exit
