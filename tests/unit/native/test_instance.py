"""What an instance remembers of its servers."""

from pathlib import Path

import pytest

from deploy.native.daemons import Daemon
from deploy.native.errors import CannotContinueError
from deploy.native.instance import Instance, State


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    state = State(daemons={"postgres": Daemon(17, "4711")}, completed=["initdb"])
    state.port("postgres")
    state.secret("postgres")
    Instance(tmp_path).write(state)
    assert Instance(tmp_path).read() == state


@pytest.mark.parametrize("text", ["", "{", "[]", '{"daemons": {"postgres": 1}}', '{"novel": 1}'])
def test_a_state_that_cannot_be_read_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    assert Instance(tmp_path).read() == State()


def test_ports_and_passwords_once_given_stay() -> None:
    state = State()
    assert state.port("epmd") == state.port("epmd") != state.port("rabbitmq")
    assert state.secret("user") == state.secret("user") != state.secret("planner")


def test_a_folder_in_use_is_refused_to_the_second(tmp_path: Path) -> None:
    with (
        Instance(tmp_path).locked("in-use", wait=False),
        pytest.raises(CannotContinueError, match="another command is using"),
        Instance(tmp_path).locked("in-use", wait=False),
    ):
        pass


def test_forgetting_leaves_other_instances_inside_the_folder_alone(tmp_path: Path) -> None:
    outer, inner = Instance(tmp_path), Instance(tmp_path / "test")
    inner.write(State())
    outer.write(State())
    outer.forget(logs=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["test"]
    assert (inner.folder / "state.json").exists()
