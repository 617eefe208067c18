"""While the provider is out of reach nothing is claimed, and nobody's attempt is used up."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from contracts.user_events import UserRegistered
from libs.clock import FrozenClock, SystemClock
from libs.postgres.types import Pool
from services.dispatcher.adapters.pauses import pause_provider, read_pause_left_s
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.deliver_requests import deliver_requests
from services.dispatcher.app.project_contacts import project_contacts
from services.dispatcher.app.provider_gate import DrainingError
from services.dispatcher.domain.delivery import Accepted, Deferred, Unknown
from tests.support.deliveries import FakeProvider, a_person, a_request, published, steps, told


async def paused(pool: Pool, pause_s: float) -> None:
    async with pool.acquire() as connection:
        await pause_provider(connection, "smtp", pause_s=pause_s)


async def test_paused_provider_is_left_alone_and_the_request_returned_in_the_end(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    await paused(pool, 60)
    await deliver_requests(courier, [a_request(ada.id)], gate_wait_s=0.05)
    [returned] = await published(pool)
    assert (returned.data.reason, provider.calls) == ("unavailable", 0)
    assert await steps(pool, ada.id) == []


async def test_request_goes_out_when_the_pause_is_over(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    await paused(pool, 0.2)
    await deliver_requests(courier, [a_request(ada.id)])
    assert len(provider.mails) == 1


async def test_draining_process_gives_a_waiting_request_back(
    courier: Courier, pool: Pool, ada: UserRegistered
) -> None:
    await paused(pool, 60)
    with pytest.raises(DrainingError):
        await deliver_requests(courier, [a_request(ada.id)], is_draining=lambda: True)
    assert await published(pool) == []


@pytest.mark.edge_case("EC-API-006")
async def test_what_one_dispatcher_is_told_to_wait_all_of_them_wait(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    provider.answer = lambda _: Deferred("rate_limited", 429, 30.0)
    await deliver_requests(courier, [a_request(ada.id)])
    async with pool.acquire() as connection:
        assert 29 < await read_pause_left_s(connection, "smtp") <= 30


async def test_shorter_pause_does_not_end_a_longer_one(pool: Pool) -> None:
    await paused(pool, 60)
    await paused(pool, 1)
    async with pool.acquire() as connection:
        assert await read_pause_left_s(connection, "smtp") > 50


async def test_breaker_opens_after_trouble_and_nothing_more_is_claimed(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    provider.answer = lambda _: Deferred("unreachable")
    for release in (1, 2, 3):
        await deliver_requests(courier, [a_request(ada.id, release=release)])
    await deliver_requests(courier, [a_request(ada.id, release=4)], gate_wait_s=0)
    assert provider.calls == 3
    assert (await published(pool))[-1].data.reason == "unavailable"


async def test_breaker_closes_after_a_probe_that_succeeds(
    courier: Courier, provider: FakeProvider, ada: UserRegistered
) -> None:
    provider.answer = lambda _: Unknown("timed_out") if provider.calls > 99 else Deferred("down")
    for release in (1, 2, 3):
        await deliver_requests(courier, [a_request(ada.id, release=release)])
    provider.answer = lambda mail: Accepted(mail.message_id)
    async with asyncio.timeout(10):
        await deliver_requests(courier, [a_request(ada.id, release=4)])
    assert (len(provider.mails), courier.guard.state) == (1, "closed")


async def test_slow_down_is_no_trouble(
    courier: Courier, provider: FakeProvider, ada: UserRegistered
) -> None:
    provider.answer = lambda _: Deferred("try_later", 450)
    for release in range(1, 6):
        await deliver_requests(courier, [a_request(ada.id, release=release)])
    assert (provider.calls, courier.guard.state) == (5, "closed")


@pytest.mark.parametrize(
    ("attempts", "pause_s", "shortest", "longest"),
    [(0, None, 1.5, 2), (3, None, 12, 16), (0, 40.0, 40, 40)],
    ids=["first", "fourth", "provider wants longer"],
)
def test_delay_grows_and_lasts_as_long_in_reality_at_any_rate(
    attempts: int, pause_s: float | None, shortest: float, longest: float, clock: FrozenClock
) -> None:
    class FastClock(SystemClock):
        rate = 600.0

    courier = Courier(
        pool=None,  # type: ignore[arg-type]
        clock=FastClock(),
        provider=FakeProvider(),
        guard=None,  # type: ignore[arg-type]
        greetings=None,  # type: ignore[arg-type]
        lease_s=1,
    )
    delay = courier.retry_at(clock.now(), attempts=attempts, pause_s=pause_s) - clock.now()
    assert timedelta(seconds=shortest * 600) <= delay <= timedelta(seconds=longest * 600)


@pytest.mark.edge_case("EC-W-016")
async def test_attempts_are_counted_from_our_own_events(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    patient = replace(courier, clock=_RunningClock(courier.clock.now()))
    provider.answer = lambda _: Deferred("try_later", 450)
    for release in (1, 5, 9):
        await deliver_requests(patient, [a_request(ada.id, release=release)])
    delays = [event.data.retry_at - courier.clock.now() for event in await published(pool)]
    seconds = [delay.total_seconds() for delay in delays]
    assert [1.5 <= seconds[0] <= 2, 3 <= seconds[1] <= 4, 6 <= seconds[2] <= 8] == [True] * 3


class _RunningClock(FrozenClock):
    rate = 1.0


@pytest.mark.edge_case("EC-API-009")
async def test_moment_that_has_passed_already_keeps_nobody_waiting(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    patient = replace(courier, clock=_RunningClock(courier.clock.now()))
    provider.answer = lambda _: Deferred("rate_limited", 429, 0.0)
    await deliver_requests(patient, [a_request(ada.id)])
    [deferred] = await published(pool)
    assert deferred.data.retry_at == patient.clock.now()
    async with pool.acquire() as connection:
        assert await read_pause_left_s(connection, "smtp") == 0


@pytest.mark.edge_case("EC-API-007")
async def test_provider_that_takes_its_last_mail_for_now_is_left_alone_by_all(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    provider.answer = lambda mail: Accepted(mail.message_id, 30.0)
    await deliver_requests(courier, [a_request(ada.id)])
    async with pool.acquire() as connection:
        assert 29 < await read_pause_left_s(connection, "smtp") <= 30
    assert [event.type for event in await published(pool)] == ["delivery.accepted.v1"]


@pytest.mark.parametrize(
    ("left", "attempts", "pause_s", "delay_s"),
    [
        (timedelta(hours=40), 20, None, (2700, 3600)),
        (timedelta(minutes=30), 20, None, (1740, 1740)),
        (timedelta(minutes=30), 0, 1790.0, (1790, 1790)),
        (timedelta(seconds=30), 0, None, (1.5, 2)),
    ],
    ids=["far from its end", "last chance", "provider's word counts", "too late for a last chance"],
)
async def test_last_attempt_is_made_while_it_is_of_use(
    courier: Courier,
    left: timedelta,
    attempts: int,
    pause_s: float | None,
    delay_s: tuple[float, float],
) -> None:
    now = courier.clock.now()
    patient = replace(courier, clock=_RunningClock(now))
    retry_at = patient.retry_at(now, attempts=attempts, pause_s=pause_s, expires_at=now + left)
    shortest_s, longest_s = delay_s
    assert shortest_s <= (retry_at - now).total_seconds() <= longest_s


async def test_provider_in_trouble_is_probed_with_one_mail(
    courier: Courier, provider: FakeProvider, pool: Pool
) -> None:
    people = [a_person() for _ in range(4)]
    await project_contacts(pool, [told(person) for person in people])
    provider.answer = lambda _: Deferred("unreachable")
    for person in people[:3]:
        await deliver_requests(courier, [a_request(person.id)])
    assert courier.guard.is_open()
    sizes: list[int] = []
    provider.answer = lambda mail: Accepted(mail.message_id)
    provider.before_call = lambda: _note_size(provider, sizes)
    again = [a_request(person.id, release=2) for person in people]
    async with asyncio.timeout(10):
        await deliver_requests(courier, again)
    assert (sizes, len(provider.mails), courier.guard.state) == ([0, 1], 4, "closed")


async def _note_size(provider: FakeProvider, sizes: list[int]) -> None:
    sizes.append(len(provider.mails))
