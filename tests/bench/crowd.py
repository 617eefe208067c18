"""A crowd of one birthday, spread over the zones of the world as people are."""

import csv
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

_WEIGHTS = Path(__file__).with_name("zone_weights.csv")


def zone_counts(size: int) -> dict[str, int]:
    """Return how many of ``size`` people live in each zone, by rounded populations in millions.

    Every zone has at least one; the largest takes what rounding leaves.
    """
    with _WEIGHTS.open(encoding="utf-8") as lines:
        weights = {row["zone"]: float(row["millions"]) for row in csv.DictReader(lines)}
    total = sum(weights.values())
    counts = {zone: max(1, int(size * weight / total)) for zone, weight in weights.items()}
    largest = max(counts, key=counts.__getitem__)
    counts[largest] += size - sum(counts.values())
    if counts[largest] < 1:
        raise ValueError(f"{size} people are too few for {len(counts)} zones")
    return counts


def zones_in_order(size: int, *, seed: int = 1) -> list[str]:
    """Return the zone of each of ``size`` people, mixed as imports are."""
    zones = [zone for zone, count in zone_counts(size).items() for _ in range(count)]
    random.Random(seed).shuffle(zones)
    return zones


def lines(zones: Sequence[str], *, birthday: str) -> Iterator[bytes]:
    """Yield one import line per person."""
    for number, zone in enumerate(zones):
        person = {
            "first_name": "Ada",
            "last_name": f"Number {number}",
            "email": f"ada{number}@example.com",
            "timezone": zone,
            "birthday": birthday,
            "external_id": f"day-{number}",
        }
        yield json.dumps(person).encode() + b"\n"
