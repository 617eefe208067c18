import os
from pathlib import Path

import msgspec
import pytest

from libs.httpapi import keys as module
from libs.httpapi.keys import ApiKey, KeysFile, load_api_keys, new_key
from libs.runtime.process import StartupError


def write(path: Path, *keys: ApiKey, changed_s: int = 1) -> str:
    path.write_bytes(msgspec.json.encode(KeysFile(list(keys))))
    os.utime(path, (changed_s, changed_s))
    return str(path)


def test_a_key_is_stored_without_its_secret(tmp_path: Path) -> None:
    key, token = new_key("demo", ["users:read"])
    path = write(tmp_path / "keys.json", key)
    keys = load_api_keys(path, env="production", variable="USER_API_KEYS_FILE")
    caller = keys.find_caller(token)
    assert caller is not None
    assert (caller.key_id, caller.scopes) == ("demo", frozenset({"users:read"}))
    assert token.partition(".")[2] not in Path(path).read_text()


def test_outside_of_production_a_key_is_made_and_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    keys = load_api_keys(None, env="development", variable="USER_API_KEYS_FILE")
    token = capsys.readouterr().err.split()[-1]
    assert keys.find_caller(token) is not None
    assert keys.find_caller(token + "x") is None


def test_production_needs_a_file() -> None:
    with pytest.raises(StartupError, match="USER_API_KEYS_FILE is not set"):
        load_api_keys(None, env="production", variable="USER_API_KEYS_FILE")


@pytest.mark.parametrize("text", ["{", '{"keys": [{"id": "a"}]}', '{"keys": [{"id": "a b"}]}'])
def test_a_malformed_file_is_refused_at_start(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(StartupError, match="malformed"):
        load_api_keys(str(path), env="test", variable="X")


def test_a_missing_file_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="cannot read"):
        load_api_keys(str(tmp_path / "none.json"), env="test", variable="X")


def test_a_key_taken_out_of_the_file_stops_working(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RELOAD_AFTER_S", 0.0)
    (first, first_token), (second, second_token) = new_key("first"), new_key("second")
    path = write(tmp_path / "keys.json", first)
    keys = load_api_keys(path, env="test", variable="X")
    assert keys.find_caller(first_token) is not None
    write(tmp_path / "keys.json", second, changed_s=2)
    assert keys.find_caller(first_token) is None
    assert keys.find_caller(second_token) is not None


def test_a_file_that_becomes_unreadable_leaves_the_keys_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RELOAD_AFTER_S", 0.0)
    key, token = new_key("first")
    path = write(tmp_path / "keys.json", key)
    keys = load_api_keys(path, env="test", variable="X")
    Path(path).write_text("{")
    assert keys.find_caller(token) is not None
