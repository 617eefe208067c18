"""Whatever dies between two steps of a delivery: nothing is lost, nothing goes out twice."""

import asyncio
from dataclasses import replace
from functools import partial

import asyncpg
import msgspec
import pytest

from contracts.kinds import KINDS
from contracts.user_events import UserRegistered
from libs.clock import monotonic_s
from libs.postgres.types import Pool
from services.dispatcher.app import send_claims as send_claims_module
from services.dispatcher.app.claim_requests import Claimed, claim_requests
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.deliver_requests import deliver_requests
from services.dispatcher.app.record_outcomes import record_outcomes
from services.dispatcher.app.send_claims import send_claims
from services.dispatcher.app.settle_by_hand import Decision, NotUnknownError, settle_by_hand
from services.dispatcher.app.settle_unknown import record_lapsed_claims, settle_unknown
from services.dispatcher.domain.delivery import Accepted, Deferred, Result, Unknown
from tests.support.deliveries import NINE, TODAY, FakeProvider, a_request, published, steps


@pytest.fixture
def dying(courier: Courier) -> Courier:
    """Return a dispatcher whose leases have passed as soon as it claims: it died at once."""
    return replace(courier, lease_s=0.0)


@pytest.fixture
def provider() -> FakeProvider:
    """Return a provider that can be asked at once after a lease."""
    return FakeProvider(timeout_s=0.0)


async def claimed_by(courier: Courier, person: UserRegistered) -> Claimed:
    claimed = await claim_requests(courier, [a_request(person.id)])
    assert claimed is not None
    return claimed


async def settled(courier: Courier) -> None:
    await record_lapsed_claims(courier.pool, now=courier.clock.now())
    await settle_unknown(courier)


async def test_death_between_claim_and_call_is_found_and_the_mail_goes_out_once(
    dying: Courier, courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    await claimed_by(dying, ada)
    await deliver_requests(courier, [a_request(ada.id)])
    assert provider.calls == 0
    await settled(courier)
    assert [(event.type, event.data.reason) for event in await published(pool)] == [
        ("delivery.unknown.v1", "no_outcome"),
        ("delivery.deferred.v1", "never_arrived"),
    ]
    await deliver_requests(courier, [a_request(ada.id, release=2)])
    assert len(provider.mails) == 1


async def test_death_between_call_and_outcome_is_found_and_not_sent_again(
    dying: Courier, courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    claimed = await claimed_by(dying, ada)
    await provider.deliver(
        [courier.greetings.render(claimed.claims[0], claimed.text_of(claimed.claims[0]))],
        start_before_s=monotonic_s() + 1,
    )
    await settled(courier)
    assert [step[1:3] for step in await steps(pool, ada.id)] == [
        (0, "attempted"),
        (1, "unknown"),
        (2, "accepted"),
    ]
    await deliver_requests(courier, [a_request(ada.id, release=2)])
    assert len(provider.mails) == 1
    assert (await published(pool))[-1].type == "delivery.accepted.v1"


async def test_claim_under_way_is_left_alone(
    courier: Courier, pool: Pool, ada: UserRegistered
) -> None:
    await claimed_by(courier, ada)
    await settled(courier)
    assert await steps(pool, ada.id) == [(1, 0, "attempted", None)]


@pytest.mark.edge_case("EC-API-001", "EC-API-015")
async def test_time_out_of_the_provider_is_settled_by_asking(
    dying: Courier, pool: Pool, ada: UserRegistered
) -> None:
    claimed = await claimed_by(dying, ada)
    await record_outcomes(dying, claimed, [Unknown("timed_out")])
    assert await settle_unknown(dying) == 1
    assert [step[2:] for step in await steps(pool, ada.id)] == [
        ("attempted", None),
        ("unknown", "timed_out"),
        ("deferred", "never_arrived"),
    ]


async def test_provider_that_does_not_answer_is_asked_again(
    dying: Courier, courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    await claimed_by(dying, ada)
    provider.is_answering = False
    await settled(courier)
    assert len(await steps(pool, ada.id)) == 2
    provider.is_answering = True
    assert await settle_unknown(courier) == 1
    assert len(provider.asked) == 2


async def test_missing_does_not_count_before_the_longest_call_could_have_ended(
    dying: Courier, pool: Pool, ada: UserRegistered
) -> None:
    slow = FakeProvider(timeout_s=60.0)
    await claimed_by(dying, ada)
    await settled(replace(dying, provider=slow))
    assert (slow.asked, len(await steps(pool, ada.id))) == ([], 2)


async def test_mail_nobody_can_ask_about_waits_for_an_operator(
    dying: Courier, pool: Pool, ada: UserRegistered
) -> None:
    mute = replace(dying, provider=FakeProvider(can_find=False, timeout_s=0.0))
    await claimed_by(mute, ada)
    await settled(mute)
    assert [step[1] for step in await steps(pool, ada.id)] == [0, 1]


async def test_kind_that_promises_at_least_once_is_sent_again(
    dying: Courier, pool: Pool, ada: UserRegistered
) -> None:
    insistent = msgspec.structs.replace(KINDS["birthday"], promise="at_least_once")
    mute = replace(
        dying,
        provider=FakeProvider(can_find=False, timeout_s=0.0),
        kinds={"birthday": insistent},
    )
    await claimed_by(mute, ada)
    await settled(mute)
    assert (await steps(pool, ada.id))[-1] == (1, 2, "deferred", "sent_again")
    assert await pool.fetchval("SELECT holder_day FROM greeted") is None


@pytest.mark.parametrize(
    ("keys_live_s", "settlement"),
    [(86_400.0, (1, 2, "deferred", "repeated")), (100.0, None)],
    ids=["key lives", "key may be gone"],
)
@pytest.mark.edge_case("EC-API-001")
async def test_provider_that_honours_keys_is_sent_the_same_again_while_they_live(
    dying: Courier,
    pool: Pool,
    ada: UserRegistered,
    keys_live_s: float,
    settlement: tuple[int, int, str, str] | None,
) -> None:
    provider = FakeProvider(can_find=False, timeout_s=0.0, keys_live_s=keys_live_s)
    mute = replace(dying, provider=provider)
    await claimed_by(mute, ada)
    await settled(mute)
    assert (await steps(pool, ada.id))[2:] == ([settlement] if settlement else [])
    assert (await pool.fetchval("SELECT holder_day FROM greeted") is None) == bool(settlement)


@pytest.mark.parametrize(
    ("days_ago", "provider_name", "end"),
    [
        (0, "smtp", (2, 1, "accepted", None)),
        (2, "smtp", (2, 1, "unknown", "key_expired")),
        (0, "vendor", (2, 1, "unknown", "key_expired")),
    ],
    ids=["key lives", "key died while the planner was away", "key of another provider"],
)
async def test_repeat_that_comes_too_late_for_its_key_is_left_to_an_operator(
    courier: Courier,
    pool: Pool,
    ada: UserRegistered,
    days_ago: int,
    provider_name: str,
    end: tuple[int, int, str, str | None],
) -> None:
    mute = FakeProvider(can_find=False, timeout_s=0.0, keys_live_s=86_400.0)
    sending = replace(courier, provider=mute)
    await pool.executemany(
        "INSERT INTO delivery_events (local_day, person_id, kind, release, step, type, reason,"
        " period, due_at, expires_at, recorded_at, retry_at, lease_until, provider, texts_as_of)"
        " VALUES ($1, $2, 'birthday', 1, $3, $4, $5, '2026-01-01', $6, $6, $6, $6,"
        " clock_timestamp() - make_interval(days => $7), $8, 0)",
        [
            (TODAY, ada.id, step, type_name, reason, NINE, days_ago, provider_name)
            for step, type_name, reason in (
                (0, "attempted", None),
                (1, "unknown", "no_outcome"),
                (2, "deferred", "repeated"),
            )
        ],
    )
    await deliver_requests(sending, [a_request(ada.id, release=2)])
    assert (await steps(pool, ada.id))[-1] == end
    assert len(mute.mails) == (end[2] == "accepted")
    await settled(replace(sending, lease_s=0.0))
    assert (await steps(pool, ada.id))[-1] == end
    if end[2] == "unknown":
        assert await pool.fetchval("SELECT holder_day FROM greeted") == TODAY
        occurrence = (TODAY, ada.id, "birthday")
        await settle_by_hand(pool, sending.greetings, occurrence, "resend", now=NINE)
        await deliver_requests(sending, [a_request(ada.id, release=3)])
        assert len(mute.mails) == 1


@pytest.mark.parametrize(
    ("decision", "outcome", "holder"),
    [("accepted", "accepted", TODAY), ("resend", "deferred", None)],
    ids=["accepted", "resend"],
)
async def test_operator_settles_an_unknown_mail_once(
    dying: Courier,
    pool: Pool,
    ada: UserRegistered,
    decision: Decision,
    outcome: str,
    holder: object,
) -> None:
    await claimed_by(dying, ada)
    await record_lapsed_claims(pool, now=dying.clock.now())
    occurrence = (TODAY, ada.id, "birthday")
    settle = partial(settle_by_hand, pool, dying.greetings, occurrence, decision)
    await settle(now=dying.clock.now())
    assert (await steps(pool, ada.id))[-1] == (1, 2, outcome, "operator")
    assert (await published(pool))[-1].type == f"delivery.{outcome}.v1"
    assert await pool.fetchval("SELECT holder_day FROM greeted") == holder
    with pytest.raises(NotUnknownError):
        await settle(now=dying.clock.now())


@pytest.mark.parametrize(
    ("result", "outcome"),
    [(Accepted("id-1"), "accepted"), (Deferred("unreachable"), "deferred")],
    ids=["accepted", "deferred"],
)
async def test_outcome_that_comes_after_unknown_settles_it(
    dying: Courier, pool: Pool, ada: UserRegistered, result: Result, outcome: str
) -> None:
    claimed = await claimed_by(dying, ada)
    await record_lapsed_claims(pool, now=dying.clock.now())
    await record_outcomes(dying, claimed, [result])
    assert (await steps(pool, ada.id))[-1][1:3] == (2, outcome)
    assert (await published(pool))[-1].type == f"delivery.{outcome}.v1"


async def test_outcome_that_comes_after_the_settlement_is_kept_out(
    dying: Courier, pool: Pool, ada: UserRegistered
) -> None:
    claimed = await claimed_by(dying, ada)
    await settled(dying)
    before = await steps(pool, ada.id), await published(pool)
    await record_outcomes(dying, claimed, [Accepted("id-1")])
    assert (await steps(pool, ada.id), await published(pool)) == before


async def test_second_unknown_is_no_settlement(
    dying: Courier, pool: Pool, ada: UserRegistered
) -> None:
    claimed = await claimed_by(dying, ada)
    await record_lapsed_claims(pool, now=dying.clock.now())
    await record_outcomes(dying, claimed, [Unknown("timed_out")])
    assert [step[1] for step in await steps(pool, ada.id)] == [0, 1]


async def test_recording_outcomes_twice_publishes_them_once(
    courier: Courier, pool: Pool, ada: UserRegistered
) -> None:
    claimed = await claimed_by(courier, ada)
    for _ in range(2):
        await record_outcomes(courier, claimed, [Accepted("id-1")])
    assert len(await published(pool)) == 1


async def test_frozen_process_does_not_call_after_its_lease(
    dying: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    claimed = await claimed_by(dying, ada)
    results = await send_claims(dying, claimed)
    assert results == [Deferred("lease_short")]
    await record_outcomes(dying, claimed, results)
    assert (provider.mails, (await steps(pool, ada.id))[-1][2]) == ([], "deferred")


async def test_many_settlers_settle_each_once(
    dying: Courier, courier: Courier, pool: Pool, ada: UserRegistered
) -> None:
    await claimed_by(dying, ada)
    await asyncio.gather(*(settled(courier) for _ in range(5)))
    assert [step[1] for step in await steps(pool, ada.id)] == [0, 1, 2]
    assert len(await published(pool)) == 2


async def test_outcome_and_lapse_at_the_same_time_do_not_wait_for_each_other_in_a_circle(
    dying: Courier, pool: Pool, ada: UserRegistered
) -> None:
    for release in range(1, 8):
        claimed = await claim_requests(dying, [a_request(ada.id, release=release)])
        assert claimed is not None
        await asyncio.gather(
            record_lapsed_claims(pool, now=dying.clock.now()),
            record_outcomes(dying, claimed, [Deferred("unreachable")]),
        )
    types = [step[2] for step in await steps(pool, ada.id) if step[1] > 0]
    assert types.count("deferred") == 7
    assert await pool.fetchval("SELECT count(*) FROM open_claims") == 0


async def test_no_mail_goes_out_while_nobody_can_say_that_the_lease_holds(
    courier: Courier,
    provider: FakeProvider,
    pool: Pool,
    ada: UserRegistered,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(*_: object) -> float:
        raise asyncpg.ConnectionDoesNotExistError

    claimed = await claimed_by(courier, ada)
    with monkeypatch.context() as patch:
        patch.setattr(send_claims_module, "_lease_left_s", away)
        patch.setattr(send_claims_module, "LEASE_LOOK_WITHIN_S", 0.05)
        results = await send_claims(courier, claimed)
    await record_outcomes(courier, claimed, results)
    assert provider.mails == []
    assert [event.type for event in await published(pool)] == ["delivery.deferred.v1"]
    await deliver_requests(courier, [a_request(ada.id, release=2)])
    assert len(provider.mails) == 1
