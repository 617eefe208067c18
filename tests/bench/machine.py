"""On what a measurement was made."""

import os
import platform
import subprocess
from importlib import metadata
from typing import Any

_PACKAGES = ("asyncpg", "aio-pika", "faststream", "litestar", "msgspec", "tzdata")


def describe_machine() -> dict[str, Any]:
    """Return commit, cores, Python and the packages that matter."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return {
        "commit": commit.stdout.strip(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {package: metadata.version(package) for package in _PACKAGES},
    }
