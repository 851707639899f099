"""What an operator copies out of deploy/ loads, and says the same in every place."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.city import ROOT

DEPLOY = ROOT / "deploy"
PG = {
    "DAGSTER_PG_USER": "rtm",
    "DAGSTER_PG_PASSWORD": "made",
    "DAGSTER_PG_HOST": "127.0.0.1",
    "DAGSTER_PG_PORT": "5432",
    "DAGSTER_PG_DB": "rtm",
}


def load(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def variables() -> dict[str, str]:
    lines = [line for line in (DEPLOY / "rtm.env").read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_the_instance_is_one_that_dagster_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster._config import process_config
    from dagster._core.instance.config import dagster_instance_config_schema

    for name, value in PG.items():
        monkeypatch.setenv(name, value)
    settings = load("dagster.yaml")
    checked = process_config(dagster_instance_config_schema(), settings)
    assert checked.success, checked.errors
    assert settings["telemetry"] == {"enabled": False}
    assert settings["nux"] == {"enabled": False}
    assert settings["run_retries"]["retry_on_asset_or_op_failure"] is False
    (limit,) = settings["concurrency"]["runs"]["tag_concurrency_limits"]
    assert limit == {"key": "city", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
    text = (DEPLOY / "dagster.yaml").read_text() + (DEPLOY / "workspace.yaml").read_text()
    assert set(re.findall(r"env: (\w+)", text)) <= set(variables())


def test_the_workspace_names_the_location(monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster._core.workspace.load import location_origins_from_yaml_paths

    monkeypatch.setenv("RTM_CODE_HOST", "127.0.0.1")
    monkeypatch.setenv("RTM_CODE_PORT", "4000")
    (origin,) = location_origins_from_yaml_paths([str(DEPLOY / "workspace.yaml")])
    assert origin.location_name == "rtm_pipeline"


def commands() -> list[list[str]]:
    units = sorted((DEPLOY / "systemd").glob("*.service"))
    found = [line.partition("=")[2].split() for unit in units for line in unit.read_text().splitlines()
             if line.startswith(("ExecStart=", "ExecStartPost="))]  # fmt: skip
    found.append(load("docker/compose.yaml")["services"]["daemon"]["command"])
    found.append(load("docker/compose.yaml")["services"]["viewer"]["command"])
    docker = (DEPLOY / "docker" / "Dockerfile").read_text()
    found.append(re.findall(r'"([^"]+)"', docker[docker.rindex("CMD [") :]))
    return found


@lru_cache
def help_of(*program: str) -> str:
    command = [str(Path(sys.executable).parent / program[0]), *program[1:], "--help"]
    environment = os.environ | {"COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


@pytest.mark.acceptance
def test_every_option_of_every_command_exists() -> None:
    for command in commands():
        words = [word for word in command[1:3] if re.fullmatch(r"[a-z][a-z-]+", word)]
        name = Path(command[0]).name
        program = (name, *(words[:1] if name == "rtm" else words))
        for option in [word for word in command if word.startswith("--")]:
            assert option in help_of(*program), (program, option)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_units_are_ones_that_systemd_accepts(tmp_path: Path) -> None:
    for unit in (DEPLOY / "systemd").iterdir():
        text = unit.read_text().replace("/opt/rtm/.venv/bin/", f"{Path(sys.executable).parent}/")
        (tmp_path / unit.name).write_text(text)
    names = [str(path) for path in tmp_path.iterdir()]
    done = subprocess.run(["systemd-analyze", "verify", *names], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if "rtm-" in line]
    assert told == []


def test_containers_and_units_have_the_same_environment() -> None:
    known = set(variables())
    compose = load("docker/compose.yaml")
    docker = (DEPLOY / "docker" / "Dockerfile").read_text()
    given = set(compose["x-rtm"]["environment"]) | set(re.findall(r"\b([A-Z_]+)=", docker))
    assert known <= given
    assert "RTM_ALERT_WEBHOOK" not in variables()  # a secret has no place in a file of the project
    published = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_image_copies_only_what_is_there() -> None:
    for line in (DEPLOY / "docker" / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY"):
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source


def test_the_helm_values_give_a_launcher_that_dagster_accepts() -> None:
    k8s = pytest.importorskip("dagster_k8s", reason="the extra 'k8s' is not installed")
    from dagster._config import process_config

    values = load("kubernetes/values.yaml")
    launcher = values["runLauncher"]["config"]["k8sRunLauncher"]
    config = {
        "service_account_name": "rtm",
        "image_pull_policy": launcher["imagePullPolicy"],
        "resources": launcher["resources"],
        "run_k8s_config": {"job_spec_config": launcher["runK8sConfig"]["jobSpecConfig"]},
        "instance_config_map": "rtm-instance",
        "dagster_home": "/opt/dagster/dagster_home",
        "postgres_password_secret": values["global"]["postgresqlSecretName"],
    }
    checked = process_config(k8s.K8sRunLauncher.config_type(), config)
    assert checked.success, checked.errors
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    assert deployment["dagsterApiGrpcArgs"][-1] == "rtm_pipeline"
    assert {"name": "RTM_UNATTENDED", "value": "1"} in deployment["env"]
    (cache,) = [item["value"] for item in deployment["env"] if item["name"] == "RTM_CACHE_DIR"]
    mounts = [mount["mountPath"] for mount in deployment["volumeMounts"]]
    assert str(Path(cache).parent) in mounts  # a folder in an emptyDir: everybody may write to that itself
    queue = values["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert queue["tagConcurrencyLimits"] == load("dagster.yaml")["concurrency"]["runs"]["tag_concurrency_limits"]
    assert values["dagsterDaemon"]["runRetries"]["retryOnAssetOrOpFailure"] is False


def test_the_proxy_is_one_that_nginx_accepts_and_lets_nobody_in_without_a_login(tmp_path: Path) -> None:
    text = (DEPLOY / "nginx" / "rtm.conf").read_text()
    for server in re.split(r"(?m)^server \{", text)[1:]:
        assert re.search(r"(?m)^    auth_basic +\"", server)
        assert "listen 443 ssl" in server
    (public,) = re.findall(r"location /public/ \{.*?\}", text, flags=re.DOTALL)
    assert text.count("auth_basic off") == public.count("auth_basic off") == 1
    assert "releases" not in text  # the restricted edition lies beside the public one there
    if shutil.which("nginx") is None or shutil.which("openssl") is None:
        pytest.skip("nginx is not installed")
    key = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=rtm.example.org"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run([*key, *files], capture_output=True, check=True)
    whole = f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; {text} }}"
    (tmp_path / "nginx.conf").write_text(whole.replace("/etc/nginx/rtm/", f"{tmp_path}/"))
    done = subprocess.run(
        ["nginx", "-t", "-c", str(tmp_path / "nginx.conf")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_without_a_server_nothing_asks_for_its_database() -> None:
    """rtm.env names a DAGSTER_HOME whose settings want Postgres; the units of single nights must not see it."""
    for name in ("rtm-night@.service", "rtm-status@.service"):
        assert "UnsetEnvironment=DAGSTER_HOME" in (DEPLOY / "systemd" / name).read_text()


def test_the_environment_is_taken_as_it_stands(tmp_path: Path) -> None:
    """As systemd takes it: a password may hold what a shell would expand."""
    script = (DEPLOY / "rtm-env").read_text()
    (tmp_path / "rtm.env").write_text('# a comment\nDAGSTER_PG_PASSWORD=pa$HOME `id` "x" #1\n\nRTM_OUTPUT=/x y')
    script = script.replace("/etc/rtm/rtm.env", str(tmp_path / "rtm.env")).replace("cd /var/lib/rtm", "cd /")
    script = script.replace("exec runuser -u rtm -- ", "exec ")
    command = [sys.executable, "-c", "import os; print(os.environ['DAGSTER_PG_PASSWORD'], os.environ['RTM_OUTPUT'])"]
    done = subprocess.run(["sh", "-c", script, "rtm-env", *command], capture_output=True, text=True, check=True)
    assert done.stdout == 'pa$HOME `id` "x" #1 /x y\n'
