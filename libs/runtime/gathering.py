"""Lets what arrives while a batch is under way go together as the next one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

PATIENCE_S: Final = 0.25
"""A batch that takes longer is held up by something of its own: the next one goes beside it."""
TURNS: Final = 3
"""Turns of the event loop between two batches: what has arrived on a socket is asked by then."""
BESIDE_MAX: Final = 4
"""Batches under way at once, when one after the other is held up."""


class CrowdedError(Exception):
    """So many wait already that one more would wait too long; nothing was done."""


class _Asked(Generic[Item, Answer]):
    __slots__ = ("answer", "is_alone", "item")

    def __init__(self, item: Item, answer: asyncio.Future[Answer]) -> None:
        self.item = item
        self.answer = answer
        self.is_alone = False


class Gathering(Generic[Item, Answer]):
    """Has many items answered by one call, without making any of them wait for company.

    A lone item goes at once. Those that come while a batch is under way go together after it, in
    the order in which they came, ``batch_max`` at a time; there is no timer to wait for. What
    comes beyond ``waiting_max`` is refused.

    ``answer_all`` returns an answer for each item, in their order; an exception among the answers
    is raised to whoever asked. Where it fails as a whole with one of ``severable``, which must
    mean that nothing was done, every item of the batch is tried by itself, so that only those fail
    that would have failed alone. Any other failure is told to the whole batch and to everybody who
    waits: what they need is away.

    Who is cancelled while waiting is left out; who is cancelled later misses the answer only.
    """

    def __init__(
        self,
        answer_all: Callable[[Sequence[Item]], Awaitable[Sequence[Answer | Exception]]],
        *,
        batch_max: int,
        waiting_max: int,
        severable: tuple[type[Exception], ...] = (),
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._answer_all = answer_all
        self._batch_max = batch_max
        self._waiting_max = waiting_max
        self._severable = severable
        self._patience_s = patience_s
        self._waiting: deque[_Asked[Item, Answer]] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._turn = 0
        self._is_idle = True

    async def ask(self, item: Item) -> Answer:
        """Return the answer to ``item``.

        Raises:
            CrowdedError: too many wait.
            and what ``answer_all`` raised, or answered, for this item.
        """
        if len(self._waiting) >= self._waiting_max:
            raise CrowdedError
        asked = _Asked[Item, Answer](item, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._is_idle:
            self._begin()
        return await asked.answer

    def _begin(self) -> None:
        """Start a worker; one that is at work already ends after its batch."""
        self._turn += 1
        self._is_idle = False
        # A task of its own, outside the trace of the first who asks: it works for all of them.
        worker = asyncio.get_running_loop().create_task(self._work(self._turn), context=Context())
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)

    async def _work(self, turn: int) -> None:
        while turn == self._turn and (batch := self._take_batch()):
            overtaking = self._overtake_later(turn)
            try:
                await self._answer(batch)
            except asyncio.CancelledError:
                for asked in (*batch, *self._take_everybody()):
                    asked.answer.cancel()  # the process ends
                raise
            finally:
                overtaking.cancel()
            for _ in range(TURNS):
                await asyncio.sleep(0)
        if turn == self._turn:
            self._is_idle = True

    def _take_batch(self) -> list[_Asked[Item, Answer]]:
        batch: list[_Asked[Item, Answer]] = []
        while self._waiting and len(batch) < self._batch_max:
            if batch and self._waiting[0].is_alone:
                break
            asked = self._waiting.popleft()
            if not asked.answer.done():
                batch.append(asked)
            if asked.is_alone and batch:
                break
        return batch

    def _overtake_later(self, turn: int) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._patience_s, self._overtake, turn)

    def _overtake(self, turn: int) -> None:
        if turn == self._turn and len(self._workers) < BESIDE_MAX:
            self._begin()

    async def _answer(self, batch: Sequence[_Asked[Item, Answer]]) -> None:
        items = [asked.item for asked in batch]
        # Whatever it fails with must be told to those who wait, so it is taken as an answer.
        (answers,) = await asyncio.gather(self._answer_all(items), return_exceptions=True)
        if not isinstance(answers, BaseException):
            for asked, answer in zip(batch, answers, strict=True):
                _tell(asked, answer)
        elif len(batch) > 1 and isinstance(answers, self._severable):
            self._sever(batch)
        else:
            is_away = not isinstance(answers, self._severable)
            for asked in (*batch, *(self._take_everybody() if is_away else ())):
                _tell(asked, answers)

    def _sever(self, batch: Sequence[_Asked[Item, Answer]]) -> None:
        for asked in batch:
            asked.is_alone = True
        self._waiting.extendleft(reversed(batch))

    def _take_everybody(self) -> list[_Asked[Item, Answer]]:
        waiting = [*self._waiting]
        self._waiting.clear()
        return waiting


def _tell(asked: _Asked[Item, Answer], answer: Answer | BaseException) -> None:
    if asked.answer.done():
        return
    if isinstance(answer, BaseException):
        asked.answer.set_exception(answer)
    else:
        asked.answer.set_result(answer)
