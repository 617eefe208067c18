"""The world outside: a mail provider with a memory, told beforehand how to answer."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from services.dispatcher.adapters.providers.provider import FindError, Found, Missing, Traits
from services.dispatcher.domain.delivery import Accepted, Deferred, Refused, Result, Unknown
from services.dispatcher.domain.greeting import Mail
from tests.model.mortal import ProcessDied

Answer = Literal[
    "accept", "refuse", "defer", "unknown_taken", "unknown_lost", "die_before", "die_after"
]
ANSWERS: tuple[Answer, ...] = (
    "accept",
    "refuse",
    "defer",
    "unknown_taken",
    "unknown_lost",
    "die_before",
    "die_after",
)


class ModelProvider:
    """Answers mails as ``answers`` says, then accepts. ``taken`` are the mails that went out."""

    def __init__(self, *, can_find: bool) -> None:
        self.traits = Traits(name="smtp", timeout_s=0.0, can_find=can_find)
        self.answers: deque[Answer] = deque()
        self.taken: list[Mail] = []
        self.refused: set[str] = set()
        self.is_silent = False
        self.unknown = 0
        self.judge: Callable[[Mail], Awaitable[None]] | None = None

    async def deliver(self, mails: Sequence[Mail], *, start_before_s: float) -> list[Result]:  # noqa: ARG002
        """Answer every mail; leases here have no length, so no call comes too late."""
        return [await self._answer(mail) for mail in mails]

    async def _answer(self, mail: Mail) -> Result:
        answer = self.answers.popleft() if self.answers else "accept"
        if answer == "die_before":
            raise ProcessDied
        self.unknown += answer.startswith("unknown")
        if answer == "unknown_lost":
            return Unknown("timed_out")
        if answer == "defer":
            return Deferred("try_later")
        if answer == "refuse":
            self.refused.add(mail.occurrence)
            return Refused("recipient_refused")
        if self.judge is not None:
            await self.judge(mail)
        self.taken.append(mail)
        if answer == "die_after":
            raise ProcessDied
        return Unknown("timed_out") if answer == "unknown_taken" else Accepted(mail.message_id)

    async def find(self, *, occurrence: str, message_id: str) -> Found | Missing:
        """Look among the mails that were taken."""
        if self.is_silent:
            raise FindError("the model's provider is silent")
        return Found(message_id) if self.has(occurrence) else Missing()

    def has(self, occurrence: str) -> bool:
        """Tell whether the mail of ``occurrence`` went out."""
        return any(mail.occurrence == occurrence for mail in self.taken)

    async def close(self) -> None:
        """Nothing to give back."""
