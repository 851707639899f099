"""A secret is shown by no way of turning things into text."""

from __future__ import annotations

import copy
import html
import json
import logging
import pickle
import traceback
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus

import pytest
from fakes import portal as fake

from rtm_pipeline.errors import ConfigError, SourceError
from rtm_pipeline.sources.portals.arcgis import read_arcgis
from rtm_pipeline.sources.portals.transport import Transport
from rtm_pipeline.sources.secret import Secret
from rtm_pipeline.sources.spec import ArcGISSource


def test_it_is_hidden_everywhere():
    secret = Secret("CANARY")
    texts = [str(secret), repr(secret), f"{secret}", f"{secret!r:>10}", f"{secret}", str([secret]), f"{secret:>8}"]
    assert "CANARY" not in "".join(texts)
    assert secret.reveal() == "CANARY"
    assert secret.redact("a CANARY b") == "a *** b"
    for leak in (pickle.dumps, json.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            leak(secret)


def test_environment(monkeypatch):
    monkeypatch.delenv("X_TOKEN", raising=False)
    assert Secret.from_env(None) is None
    assert Secret.from_env("X_TOKEN") is None
    monkeypatch.setenv("X_TOKEN", "  abc\n")
    found = Secret.from_env("X_TOKEN")
    assert found is not None
    assert found.reveal() == "abc"
    monkeypatch.setenv("X_TOKEN", "a\nb")
    with pytest.raises(ConfigError, match="X_TOKEN"):
        Secret.from_env("X_TOKEN")


NASTY = 'a+b/c=$^.*(x)"<&%41 \\ z'


def test_it_is_found_in_every_way_of_writing_it():
    secret = Secret(NASTY).after("Bearer ")
    assert secret.reveal() == f"Bearer {NASTY}"
    for form in (NASTY, quote(NASTY), quote(NASTY, safe=""), quote_plus(NASTY), html.escape(NASTY), json.dumps(NASTY)):
        assert "***" in secret.redact(f"token {form} is wrong")
        assert "b/c=" not in secret.redact(form)
        assert "x)" not in secret.redact(form)


def told(reply: fake.Reply, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> str:
    """Everything that is said of a server that answers so: the message, those it was made from, and the log."""
    monkeypatch.setenv("SHOPS_TOKEN", NASTY)
    caplog.set_level(logging.DEBUG)
    with fake.FakePortal() as portal:
        portal.faults = [lambda _portal, _request: reply]
        source = ArcGISSource("shops", f"http://{portal.host}/x/FeatureServer/0", token_env="SHOPS_TOKEN")  # noqa: S106
        way = Transport(allow_http_hosts={portal.host}, retries=1, backoff_s=0.001, sleep=lambda _: None)
        with pytest.raises(SourceError) as caught:
            read_arcgis(source, [], transport=way, now=datetime(2024, 1, 1, tzinfo=UTC))
        way.close()
        assert any(f"Bearer {NASTY}" in request.headers.values() for request in portal.requests)
    return "".join(traceback.format_exception(caught.value)) + caplog.text


@pytest.mark.parametrize("pad", ["", "x" * 65, "x" * 190])
@pytest.mark.parametrize("how", ["refusal", "error with 200", "error code", "title", "redirect", "passing error"])
def test_a_portal_that_repeats_its_token_gets_it_into_no_message(
    how: str, pad: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The padding lets the token lie across the place where long words of a portal are cut off."""
    said = f"{pad}{NASTY} is no token"
    replies = {
        "refusal": fake.Reply(json.dumps({"message": said}).encode(), 403),
        "error with 200": fake.Reply(json.dumps({"error": {"code": 499, "message": said}}).encode()),
        "error code": fake.Reply(json.dumps({"error": {"code": said, "message": "x"}}).encode()),
        "title": fake.Reply(f"<html><title>{said.replace('<', '&lt;')}</title>".encode()),
        "redirect": fake.Reply(b"", 302, {"Location": f"https://{quote(NASTY, safe='')}@evil.example/"}),
        "passing error": fake.Reply(json.dumps({"error": {"code": 503, "message": said}}).encode()),
    }
    text = told(replies[how], monkeypatch, caplog)
    assert "a+b" not in text
    assert quote("a+b", safe="") not in text
