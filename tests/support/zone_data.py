"""A second real release of the zone data: the one that the pinned pytz carries."""

from importlib import resources

from libs.localtime import ZoneData

OLDER_RELEASE = "2022a"
OLDER_FOLDER = resources.files("pytz").joinpath("zoneinfo")


def older_zone_data() -> ZoneData:
    """Return release 2022a: Mexico, Iran, Jordan, Syria and Greenland changed their rules later."""
    return ZoneData(OLDER_RELEASE, OLDER_FOLDER)
