"""A second real release of the zone data: the one that the pinned pytz carries."""

from importlib import resources
from pathlib import Path

from libs.localtime import ZoneData

OLDER_RELEASE = "2022a"
OLDER_VERSION = "2022.1"
OLDER_FOLDER = resources.files("pytz").joinpath("zoneinfo")


def older_zone_data() -> ZoneData:
    """Return release 2022a: Mexico, Iran, Jordan, Syria and Greenland changed their rules later."""
    return ZoneData(OLDER_RELEASE, OLDER_FOLDER)


def make_older_package(folder: Path) -> str:
    """Put a tzdata package of that release into ``folder``; return the version it has.

    A process that finds ``folder`` on its path before ours is one from before an upgrade.
    """
    package = folder / "tzdata"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "zoneinfo").symlink_to(str(OLDER_FOLDER), target_is_directory=True)
    facts = folder / f"tzdata-{OLDER_VERSION}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: tzdata\nVersion: {OLDER_VERSION}\n", encoding="utf-8"
    )
    return OLDER_VERSION
