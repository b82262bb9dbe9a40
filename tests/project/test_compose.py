"""compose.yaml gives its containers as little as they need."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kit.server import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SECRETS = {"SECRET_KEY", "DATABASE_PASSWORD", "OPENAI_API_KEY", "EMAIL_URL", "JWT_SECRET", "METRICS_TOKEN"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_can_neither_change_its_image_nor_gain_rights_nor_take_all_memory(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "no-new-privileges:true" in service["security_opt"]
    assert re.search(r"\d+[mg]\}?$", service["mem_limit"])
    assert not service.get("privileged")


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_are_files_and_none_has_a_default(name: str) -> None:
    environment = SERVICES[name]["environment"]
    assert not SECRETS & environment.keys()
    assert "POSTGRES_PASSWORD" not in environment
    for variable, value in environment.items():
        if variable.endswith("_FILE"):
            secret = value.removeprefix("/run/secrets/")
            assert secret in SERVICES[name]["secrets"]
            assert COMPOSE["secrets"][secret] == {"file": f"secrets/{secret}"}
        else:
            assert "://chatbot:" not in str(value)


def test_versions_of_images_are_exact() -> None:
    taken = [SERVICES["db"]["image"], *re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)]
    assert len(taken) == 3
    for image in taken:
        assert re.search(r":\d+\.\d+(\.\d+)?-", image), image


def test_the_secrets_are_made_once_and_read_by_every_user_of_the_containers(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    script = shutil.copy(ROOT / "bin" / "secrets", tmp_path / "bin")
    subprocess.run([script], check=True)
    folder = tmp_path / "secrets"
    made = {file.name: file.read_text() for file in folder.iterdir()}
    assert made.keys() == COMPOSE["secrets"].keys()
    assert {name for name, text in made.items() if text} == {"secret_key", "database_password"}
    for name in ("secret_key", "database_password"):
        assert re.fullmatch(r"[A-Za-z0-9]{60}\n", made[name])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o644}
    (folder / "openai_api_key").write_text("mine")
    subprocess.run([script], check=True)
    assert {file.name: file.read_text() for file in folder.iterdir()} == made | {"openai_api_key": "mine"}


def test_no_secret_gets_into_the_image_or_the_repository() -> None:
    assert "secrets/" in (ROOT / ".gitignore").read_text().split()
    assert "!secrets" not in (ROOT / ".dockerignore").read_text()
