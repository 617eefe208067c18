"""The version a service's API names is the version of the package."""

import tomllib
from pathlib import Path

import pytest

from services.dispatcher.entrypoints import api as dispatcher
from services.planner.entrypoints import api as planner
from services.user.entrypoints import api as user

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


@pytest.mark.parametrize("version", [user.VERSION, planner.VERSION, dispatcher.VERSION])
def test_every_api_bears_the_version_of_the_package(version: str) -> None:
    assert version == tomllib.loads(PYPROJECT.read_text())["project"]["version"]
