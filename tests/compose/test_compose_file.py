import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from common.settings import ProvisionSettings, Settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
SERVICES: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]
SECRETS: dict[str, Any] = YAML().load(ROOT / "docker-compose.secrets.yml")
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
LASTING = {name: service for name, service in SERVICES.items() if name != "migrate"}
BASE_IMAGES = {"python:3.13-slim", "postgres:18", "apache/kafka:4.1.0"}
BY_THE_IMAGE = {"API_HOST", "API_PORT", "ESI_SIM_HOST", "ESI_SIM_PORT"}


def settings_of(name: str) -> set[str]:
    """The variables that a service of the compose file reads."""
    if name == "migrate":
        return {field.upper() for field in ProvisionSettings.model_fields}
    module = import_module(f"{OURS[name]['build']['args']['SERVICE']}.settings")
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Settings)]
    return {field.upper() for kind in kinds for field in kind.model_fields}


def test_only_the_three_base_images_are_used() -> None:
    run = {service["image"] for service in SERVICES.values() if "image" in service}
    built_on = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))

    assert run | built_on == BASE_IMAGES


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts_tells_its_health_restarts_and_has_time_to_stop(name: str) -> None:
    service = LASTING[name]

    assert "test" in service.get("healthcheck", {}) or ("build" in service and "\nHEALTHCHECK " in DOCKERFILE)
    assert service["restart"] == "unless-stopped"
    assert service["stop_grace_period"] == "30s"


@pytest.mark.parametrize("name", OURS)
def test_what_is_built_here_runs_with_no_more_rights_than_it_needs(name: str) -> None:
    service = OURS[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "\nUSER " in DOCKERFILE


@pytest.mark.parametrize("name", OURS)
def test_a_service_can_be_given_all_its_settings_and_nothing_that_it_does_not_read(name: str) -> None:
    assert set(OURS[name]["environment"]) == settings_of(name) - BY_THE_IMAGE


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_be_scaled_and_needs_nothing_of_the_engine(name: str) -> None:
    assert not {"container_name", "ulimits", "privileged", "network_mode"} & set(SERVICES[name])


@pytest.mark.parametrize("name", SERVICES)
def test_a_port_is_published_to_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_with_passwords_from_files_none_is_left_in_the_environment(name: str) -> None:
    passwords = {setting for setting in SERVICES[name].get("environment", {}) if setting.endswith("_PASSWORD")}
    from_files = SECRETS["services"].get(name, {"environment": {}, "secrets": []})
    environment = from_files["environment"]
    files = {value for value in environment.values() if isinstance(value, str)}

    assert set(environment) == passwords | {f"{setting}_FILE" for setting in passwords}
    assert all(environment[setting].tag.value == "!reset" for setting in passwords)
    assert files == {f"/run/secrets/{secret}" for secret in from_files["secrets"]}


def test_the_dockerfile_asks_for_no_other_frontend() -> None:
    assert "syntax=" not in DOCKERFILE


def test_every_version_in_the_lock_has_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    versions = [line for line in lock.splitlines() if "==" in line and not line.lstrip().startswith("#")]

    assert versions
    assert all("--hash=sha256:" in line for line in versions)
