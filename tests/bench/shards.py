"""Simulates the routing of people to shards: ranges of a hash, as engines that shard keep them."""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from uuid import UUID

TOKENS = 2**32

Bounds = tuple[int, ...]
"""The first token of each shard, in order; the first is 0."""


def token_of(person_id: UUID) -> int:
    """Return where in the hash's range a person falls; for ever the same."""
    return int.from_bytes(hashlib.blake2b(person_id.bytes, digest_size=4).digest())


def equal_shards(count: int) -> Bounds:
    """Return ``count`` shards of equal width."""
    return tuple(TOKENS * number // count for number in range(count))


def shard_of(person_id: UUID, bounds: Bounds) -> int:
    """Return the first token of the shard that keeps a person: a name that splitting keeps."""
    return bounds[bisect_right(bounds, token_of(person_id)) - 1]


def split(bounds: Bounds, first_token: int) -> Bounds:
    """Cut one shard in two halves: the lower keeps its name."""
    place = bounds.index(first_token)
    end = bounds[place + 1] if place + 1 < len(bounds) else TOKENS
    return (*bounds[: place + 1], (first_token + end) // 2, *bounds[place + 1 :])


def by_shard(people: Sequence[UUID], bounds: Bounds) -> dict[int, list[UUID]]:
    """Split a batch of people by the shard that keeps each; their order stays."""
    parts: dict[int, list[UUID]] = {}
    for person_id in people:
        parts.setdefault(shard_of(person_id, bounds), []).append(person_id)
    return parts
