"""Which installed programs are taken."""

from pathlib import Path

import pytest

from deploy.native.discover import POSTGRES_PROGRAMS, find_postgres, find_rabbitmq


@pytest.fixture(autouse=True)
def _nothing_on_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("deploy.native.discover.PATH_TOO", (str(tmp_path / "empty"),))


def _install(root: Path, folder: str, *programs: str) -> Path:
    place = root / folder
    place.mkdir(parents=True)
    for program in programs:
        (place / program).touch()
    return place


def test_the_newest_postgresql_is_taken(tmp_path: Path) -> None:
    _install(tmp_path, "usr/lib/postgresql/15/bin", *POSTGRES_PROGRAMS)
    newest = _install(tmp_path, "usr/lib/postgresql/17/bin", *POSTGRES_PROGRAMS)
    assert find_postgres(tmp_path) == newest


def test_a_client_alone_is_no_server(tmp_path: Path) -> None:
    _install(tmp_path, "usr/lib/postgresql/17/bin", "psql")
    assert find_postgres(tmp_path) is None


def test_a_postgresql_without_multiranges_is_not_taken(tmp_path: Path) -> None:
    _install(tmp_path, "usr/lib/postgresql/13/bin", *POSTGRES_PROGRAMS)
    assert find_postgres(tmp_path) is None


def test_rabbitmq_is_taken_from_its_own_folder(tmp_path: Path) -> None:
    own = "usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/sbin"
    scripts = _install(tmp_path, own, "rabbitmq-server", "rabbitmq-env")
    assert find_rabbitmq(tmp_path) == scripts
