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


def test_a_wrong_word_leads_to_the_help_that_knows_the_right_ones(rtm: Command) -> None:
    assert "Try 'rtm evidence --help'." in rtm("evidence", "list", "oxbow").err
    assert "Try 'rtm run --help'." in rtm("run", "oxbow", "--sett", "a=b").err
    assert "Try 'rtm --help'." in rtm("runn").err
