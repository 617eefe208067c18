"""What comes during a batch goes together after it, and nobody pays for a neighbour."""

import asyncio
from collections.abc import Sequence

import pytest

from libs.runtime.gathering import BESIDE_MAX, CrowdedError, Gathering


class SevereError(Exception):
    """A batch that failed as a whole, of which nothing was done."""


class AwayError(Exception):
    """What everybody needs is not there."""


class Table:
    """Answers by ten times the item, one batch whenever it is let; 13 spoils its whole batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.is_away = False
        self._may_answer = asyncio.Semaphore(0)

    def let(self, batches: int = 1) -> None:
        """Have so many batches answered."""
        for _ in range(batches):
            self._may_answer.release()

    async def answer_all(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append([*items])
        await self._may_answer.acquire()
        if self.is_away:
            raise AwayError
        if 13 in items:
            raise SevereError
        return [LookupError(item) if item < 0 else item * 10 for item in items]


def a_gathering(
    table: Table, *, waiting_max: int = 8, patience_s: float = 60
) -> Gathering[int, int]:
    return Gathering(
        table.answer_all,
        batch_max=4,
        waiting_max=waiting_max,
        severable=(SevereError,),
        patience_s=patience_s,
    )


async def asked(gathering: Gathering[int, int], *items: int) -> list[asyncio.Task[int]]:
    """Ask for each item, and return once the gathering has seen them all."""
    tasks = [asyncio.create_task(gathering.ask(item)) for item in items]
    for _ in range(4):
        await asyncio.sleep(0)
    return tasks


async def test_a_lone_item_waits_for_nobody() -> None:
    table = Table()
    table.let()
    assert await a_gathering(table).ask(1) == 10
    assert table.batches == [[1]]


async def test_what_comes_during_a_batch_goes_together_after_it_in_order() -> None:
    table = Table()
    gathering = a_gathering(table)
    first = await asked(gathering, 1)
    others = await asked(gathering, 2, 3, 4, 5, 6)
    assert table.batches == [[1]]
    table.let(3)
    assert await asyncio.gather(*first, *others) == [10, 20, 30, 40, 50, 60]
    assert table.batches == [[1], [2, 3, 4, 5], [6]]


async def test_an_idle_gathering_begins_anew() -> None:
    table = Table()
    gathering = a_gathering(table)
    for item in (1, 2, 3):
        table.let()
        assert await gathering.ask(item) == item * 10
    assert table.batches == [[1], [2], [3]]


async def test_each_gets_an_answer_of_its_own_be_it_an_error() -> None:
    table = Table()
    gathering = a_gathering(table)
    tasks = await asked(gathering, 1, -2, 3)
    table.let(2)
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [answers[0], type(answers[1]), answers[2]] == [10, LookupError, 30]


async def test_an_item_that_spoils_its_batch_fails_alone() -> None:
    table = Table()
    gathering = a_gathering(table)
    tasks = await asked(gathering, 1, 2, 13, 4)
    table.let(9)
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in answers] == [int, int, SevereError, int]
    assert table.batches == [[1, 2, 13, 4], [1], [2], [13], [4]]


async def test_what_is_away_for_one_tried_alone_is_away_for_the_rest() -> None:
    table = Table()
    gathering = a_gathering(table)
    tasks = await asked(gathering, 1, 13, 3, 4)
    table.let(2)
    await tasks[0]
    table.is_away = True
    table.let()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in answers] == [int, AwayError, AwayError, AwayError]


async def test_everybody_who_waits_is_told_what_is_away_and_who_comes_later_asks_again() -> None:
    table = Table()
    gathering = a_gathering(table)
    table.is_away = True
    tasks = [*await asked(gathering, 1), *await asked(gathering, 2, 3, 4, 5, 6)]
    table.let()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(one) for one in answers} == {AwayError}
    assert table.batches == [[1]]
    table.is_away = False
    table.let()
    assert await gathering.ask(7) == 70


async def test_what_would_wait_too_long_is_refused() -> None:
    table = Table()
    gathering = a_gathering(table, waiting_max=3)
    tasks = [*await asked(gathering, 1), *await asked(gathering, 2, 3, 4)]
    with pytest.raises(CrowdedError):
        await gathering.ask(5)
    table.let(2)
    assert await asyncio.gather(*tasks) == [10, 20, 30, 40]


async def test_who_goes_away_while_waiting_is_left_out() -> None:
    table = Table()
    gathering = a_gathering(table)
    first = await asked(gathering, 1)
    gone, kept = await asked(gathering, 2, 3)
    gone.cancel()
    table.let(2)
    assert await asyncio.gather(*first, kept) == [10, 30]
    assert table.batches == [[1], [3]]


async def test_who_goes_away_during_the_batch_loses_their_own_answer_only() -> None:
    table = Table()
    gathering = a_gathering(table)
    gone, kept = await asked(gathering, 1, 2)
    gone.cancel()
    table.let()
    assert await kept == 20
    assert table.batches == [[1, 2]]


async def test_batch_that_is_held_up_is_overtaken() -> None:
    table = Table()
    gathering = a_gathering(table, patience_s=0)
    held_up = await asked(gathering, 1)
    while len(table.batches) < 2:
        await asked(gathering, 2)
    table.let(9)
    assert await asyncio.gather(*held_up) == [10]


async def test_few_batches_are_under_way_at_once() -> None:
    table = Table()
    gathering = a_gathering(table, patience_s=0, waiting_max=100)
    tasks = [task for item in range(100, 150) for task in await asked(gathering, item)]
    assert len(table.batches) == BESIDE_MAX
    table.let(50)
    assert await asyncio.gather(*tasks) == [item * 10 for item in range(100, 150)]


async def test_nobody_waits_for_ever_when_the_process_ends() -> None:
    table = Table()
    gathering = a_gathering(table)
    (task,) = await asked(gathering, 1)
    for worker in asyncio.all_tasks() - {task, asyncio.current_task()}:
        worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
