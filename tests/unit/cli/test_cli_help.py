"""`rtm --help` shows the way that a city's people go, each command in a whole sentence."""

from __future__ import annotations

from support.city import Command

from rtm_pipeline.cli.app import ORDER


def test_the_commands_stand_in_the_order_in_which_they_are_needed(rtm: Command) -> None:
    lines = rtm("--help").out.split("Commands:\n")[1].splitlines()
    shown = [line.split()[0] for line in lines if line.startswith("  ") and line.strip()]
    assert shown == list(ORDER)
    assert shown[:3] == ["new-city", "check", "run"]
    assert not [line for line in lines if line.endswith("...")]
