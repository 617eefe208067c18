"""What a person at the terminal meets: targets, one sentence per failure, locks, containers."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deploy.native import packages
from deploy.native.errors import CannotContinueError
from deploy.native.instance import ROOT

BIN = Path(sys.executable).parent


def _native(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "deploy.native", *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_without_a_target_lists_every_target() -> None:
    told = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True)
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    listed = {line.split()[0] for line in told.stdout.splitlines()[1:]}
    assert listed == set(phony.group(1).split())


def test_ci_runs_the_command_of_the_readme() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_a_failure_is_one_sentence(tmp_path: Path) -> None:
    done = _native("--folder", str(tmp_path), "up", USER_DATABASE_URL="postgresql://db/user")
    assert done.returncode == 1
    assert done.stderr.startswith("jubilee: PLANNER_DATABASE_URL")
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = _native("--folder", str(tmp_path / "file" / "below"), "down")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_stopping_what_never_ran_says_so(tmp_path: Path) -> None:
    done = _native("--folder", str(tmp_path / "new"), "down")
    assert (done.returncode, done.stdout) == (0, "jubilee: nothing was running\n")


@pytest.mark.parametrize("name", ["runtime", "dev"])
def test_a_lock_pins_hashes_and_names_no_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.lock").read_text()
    assert "://" not in text
    assert "file:" not in text
    pins = re.findall(r"^[\w.\[\]-]+==.*?(?=^\w|\Z)", text, re.MULTILINE | re.DOTALL)
    assert pins
    assert all("--hash=sha256:" in pin for pin in pins)


def test_the_compose_file_holds_to_its_schema() -> None:
    check = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run(
        [*check, str(ROOT / "docker-compose.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_every_service_waits_for_its_own_migration() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for service in ("user", "planner", "dispatcher"):
        assert services[f"{service}-migrate"]["command"] == [f"services.{service}", "migrate"]
        waits = services[service]["depends_on"][f"{service}-migrate"]
        assert waits == {"condition": "service_completed_successfully"}


def test_our_image_is_built_and_never_pulled() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ours = {name: one for name, one in services.items() if one["image"] == "jubilee"}
    assert {one["pull_policy"] for one in ours.values()} == {"never"}
    assert [name for name, one in ours.items() if "build" in one] == ["keys"]


def test_containers_are_reached_from_this_machine_only() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_dockerfile_satisfies_the_linter() -> None:
    done = subprocess.run(
        [str(BIN / "hadolint"), str(ROOT / "deploy" / "docker" / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_an_engine_asked_for_and_absent_is_one_sentence_and_can_be_forgotten(
    tmp_path: Path,
) -> None:
    folder = str(tmp_path / "new")
    done = _native("--folder", folder, "up", JUBILEE_USE_DOCKER="1", PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("jubilee: JUBILEE_USE_DOCKER is set, but")
    assert len(done.stderr.splitlines()) == 1
    assert _native("--folder", folder, "reset").returncode == 0


def test_who_may_not_install_is_given_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_way_to_root", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(CannotContinueError) as caught:
        packages.install(["python3.11-venv"], otherwise="do without", soon=packages.SERVICES)
    assert str(caught.value).splitlines() == [
        (
            "python3.11-venv is missing, and installing takes root, or sudo without a password."
            " Do it once yourself:"
        ),
        "  sudo apt-get install --no-install-recommends python3.11-venv postgresql rabbitmq-server",
        "or do without",
    ]
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(CannotContinueError, match="no apt-get to install it with: do without"):
        packages.install(["postgresql"], otherwise="do without")
