"""A secret is shown by no way of turning things into text."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from rtm_pipeline.errors import ConfigError
from rtm_pipeline.sources.secret import Secret


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
