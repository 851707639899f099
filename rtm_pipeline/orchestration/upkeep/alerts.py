"""Telling people: a webhook and a command. Neither may fail a night, and no secret may get into a log.

The address of the webhook comes from the environment only, since whoever knows it can post. The command gets the text
on standard input and runs without a shell.
"""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtm_pipeline.config.operations import AlertsSpec

__all__ = ["FAILURE", "LOST_VERDICT", "STALE", "Alert", "send"]

logger = logging.getLogger(__name__)

FAILURE, STALE, LOST_VERDICT = "failure", "stale", "lost_verdict"
_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person should know.

    Attributes
    ----------
    kind : str
        ``failure``, ``stale`` or ``lost_verdict``.
    city : str
        Slug.
    title : str
        One line.
    text : str
        What happened and what to do.
    """

    kind: str
    city: str
    title: str
    text: str


def send(alert: Alert, spec: AlertsSpec, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Send an alert over every hook that is configured.

    Returns
    -------
    tuple of str
        What could not be sent and why, without addresses; it is logged too, and never raised.
    """
    if alert.kind not in spec.on:
        return ()
    environ = os.environ if environ is None else environ
    alert = replace(alert, title=" ".join(alert.title.split()))  # a line break would begin another header of a mail
    problems = []
    address = environ.get(spec.webhook_env, "")
    if address:
        problems += _post(alert, address, spec.webhook_env)
    if spec.command:
        problems += _call(alert, spec.command)
    for problem in problems:
        logger.error("The alert '%s' was not sent: %s", alert.title, problem)
    return tuple(problems)


def _post(alert: Alert, address: str, variable: str) -> list[str]:
    import requests

    # At its finest level urllib3 logs the path of every request, which is what makes the address a secret.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
    try:
        # "text" is what Slack, Mattermost and Teams' workflows show; the other keys are for programs.
        body = asdict(alert) | {"text": f"{alert.title}\n{alert.text}"}
        answer = requests.post(address, json=body, timeout=_TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:  # its message holds the address
        return [f"the webhook of {variable} did not answer ({type(error).__name__})"]
    if not 200 <= answer.status_code < 300:
        return [f"the webhook of {variable} answered with status {answer.status_code}"]
    return []


def _call(alert: Alert, command: tuple[str, ...]) -> list[str]:
    named = {"{title}": alert.title, "{city}": alert.city, "{kind}": alert.kind}
    arguments = [command[0]]
    for argument in command[1:]:
        for name, value in named.items():
            argument = argument.replace(name, value)
        arguments.append(argument)
    text = f"{alert.title}\n\n{alert.text}\n"
    try:
        done = subprocess.run(  # noqa: S603 - named by the city's own configuration, no shell
            arguments, input=text, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return [f"the command {command[0]} did not run ({type(error).__name__})"]
    return [f"the command {command[0]} ended with {done.returncode}"] if done.returncode else []
