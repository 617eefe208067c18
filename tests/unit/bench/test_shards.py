from uuid import UUID

from libs.ids import new_id
from tests.bench.shards import by_shard, equal_shards, shard_of, split

# Ids as they are given out: ordered by time, so that neighbours differ in few bits.
PEOPLE = [new_id() for _ in range(64_000)]
SHARDS = equal_shards(32)


def places(bounds: tuple[int, ...]) -> dict[UUID, int]:
    return {person_id: shard_of(person_id, bounds) for person_id in PEOPLE}


def test_people_are_spread_evenly() -> None:
    sizes = [len(part) for part in by_shard(PEOPLE, SHARDS).values()]
    # Two thousand each; five standard deviations of chance are 220.
    assert len(sizes) == len(SHARDS)
    assert max(abs(size - 2_000) for size in sizes) < 220


def test_splitting_a_shard_moves_half_of_its_people_and_nobody_else() -> None:
    before, after = places(SHARDS), places(split(SHARDS, SHARDS[7]))
    moved = [person_id for person_id in PEOPLE if before[person_id] != after[person_id]]
    assert {before[person_id] for person_id in moved} == {SHARDS[7]}
    assert 850 < len(moved) < 1_150


def test_splitting_every_shard_gives_equal_shards_again() -> None:
    bounds = SHARDS
    for first_token in SHARDS:
        bounds = split(bounds, first_token)
    assert bounds == equal_shards(64)


def test_a_batch_is_split_without_losing_or_doubling_anybody() -> None:
    parts = by_shard(PEOPLE[:500], SHARDS)
    assert sorted(person for part in parts.values() for person in part) == sorted(PEOPLE[:500])


def test_a_person_stays_where_it_is() -> None:
    person_id = UUID("018f3c5e-7d10-7000-8000-000000000001")
    assert shard_of(person_id, SHARDS) == shard_of(UUID(str(person_id)), equal_shards(32))
