"""What the inbox does wrong on purpose, settable while it runs."""

import random
import time
from typing import Annotated, Literal

import msgspec

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=-1)]

Before = Literal["take", "unavailable", "throttle", "error", "drop"]
After = Literal["answer", "error", "hang", "drop"]


class Faults(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Every fault that can be ordered. A count of -1 means every time until it is set again.

    Counts are per request (an SMTP transaction, a single HTTP mail or a whole batch), except
    ``refuse_next``, which counts mails.
    """

    latency_ms: tuple[Seconds, Seconds] = (0.0, 0.0)  # before every answer, uniformly between
    unavailable_for_s: Seconds = 0.0  # 503 (SMTP 421), nothing taken; counts from the order
    throttle_next: Count = 0  # 429 (SMTP 450) with Retry-After, nothing taken
    error_before_accept: Count = 0  # 500 (SMTP 451), nothing taken
    drop_before_accept: Count = 0  # the whole mail is read, then the connection is cut
    error_after_accept: Count = 0  # taken, yet answered 500 (SMTP 451)
    hang_after_accept: Count = 0  # taken, never answered
    drop_after_accept: Count = 0  # taken, then the connection is cut
    refuse_next: Count = 0  # permanently: 400, Postmark error 406, SMTP 550
    refuse_to: tuple[str, ...] = ()  # addresses refused permanently, always
    retry_after_s: Seconds = 1.0  # what Retry-After says
    search_delay_s: Seconds = 0.0  # a mail is found by look-ups only after this long
    vendor_failures: Share = 0.0  # share of POST /send-email answered 429, 500 or 503, not taken
    vendor_latency_ms: tuple[Seconds, Seconds] = (0.0, 0.0)  # more, for POST /send-email only


class FaultBox:
    """Holds the ordered faults and uses them up."""

    def __init__(self, faults: Faults, *, seed: int = 1) -> None:
        self.faults = faults
        self._random = random.Random(seed)
        self._unavailable_until = 0.0
        self._arm(faults.unavailable_for_s)

    def order(self, changes: bytes) -> Faults:
        """Change the faults named in the JSON object ``changes`` and return all of them.

        Raises:
            msgspec.ValidationError: a name is unknown or a value is out of its bounds.
        """
        ordered = msgspec.json.decode(changes, type=dict[str, object])
        merged = msgspec.to_builtins(self.faults) | ordered
        self.faults = msgspec.convert(merged, Faults)
        if "unavailable_for_s" in ordered:
            self._arm(self.faults.unavailable_for_s)
        return self.faults

    def before(self) -> Before:
        """Say what becomes of a request before anything of it is taken."""
        if time.monotonic() < self._unavailable_until:
            return "unavailable"
        if self._use("throttle_next"):
            return "throttle"
        if self._use("error_before_accept"):
            return "error"
        return "drop" if self._use("drop_before_accept") else "take"

    def after(self) -> After:
        """Say what becomes of the answer to a request that was taken."""
        if self._use("error_after_accept"):
            return "error"
        if self._use("hang_after_accept"):
            return "hang"
        return "drop" if self._use("drop_after_accept") else "answer"

    def refuses(self, address: str) -> bool:
        """Say whether a mail to ``address`` is refused for good."""
        return address in self.faults.refuse_to or self._use("refuse_next")

    def vendor_failure(self) -> int | None:
        """Return the status with which the vendor fails this time, None where it does not."""
        share = self.faults.vendor_failures
        failed = share > 0 and self._random.random() < share
        return self._random.choice((429, 500, 503)) if failed else None

    def delay_s(self, *, vendor: bool = False) -> float:
        """Return how long to wait before the answer."""
        more = self._between(self.faults.vendor_latency_ms) if vendor else 0.0
        return more + self._between(self.faults.latency_ms)

    def _between(self, bounds_ms: tuple[float, float]) -> float:
        lowest, highest = bounds_ms
        return self._random.uniform(lowest, highest) / 1000 if highest else 0.0

    def _use(self, name: str) -> bool:
        left: int = getattr(self.faults, name)
        if left > 0:
            setattr(self.faults, name, left - 1)
        return left != 0

    def _arm(self, unavailable_for_s: float) -> None:
        self._unavailable_until = time.monotonic() + unavailable_for_s
