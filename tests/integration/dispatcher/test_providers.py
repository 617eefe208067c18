"""One suite for every provider: what all of them promise, each on a real local server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.clock import monotonic_s
from services.dispatcher.adapters.providers.provider import FindError, Found, Missing
from services.dispatcher.domain.delivery import Accepted, Deferred
from tests.integration.dispatcher.providers import Subject, a_mail, a_subject


@pytest.fixture(params=["smtp", "vendor", "postmark", "file", "fake"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    """Yield each provider in turn."""
    async with a_subject(request.param, tmp_path) as subject:
        yield subject


def soon() -> float:
    return monotonic_s() + 60


async def test_mails_are_taken_once_and_answered_in_order(subject: Subject) -> None:
    mails = [a_mail(number) for number in range(40)]
    results = await subject.provider.deliver(mails, start_before_s=soon())
    assert all(isinstance(result, Accepted) and result.message_id for result in results)
    assert len(results) == 40
    assert sorted(subject.arrived()) == sorted(mail.recipient for mail in mails)


async def test_batches_larger_than_a_request_are_taken_whole(subject: Subject) -> None:
    mails = [a_mail(number) for number in range(620)]
    results = await subject.provider.deliver(mails, start_before_s=soon())
    assert (len(results), len(subject.arrived())) == (620, 620)


async def test_no_mails_is_no_call(subject: Subject) -> None:
    assert await subject.provider.deliver([], start_before_s=soon()) == []


async def test_nothing_starts_after_the_last_moment(subject: Subject) -> None:
    results = await subject.provider.deliver([a_mail(1), a_mail(2)], start_before_s=monotonic_s())
    assert results == [Deferred("lease_short")] * 2
    assert subject.arrived() == []


async def test_provider_that_can_be_asked_knows_what_it_took(subject: Subject) -> None:
    mail, other = a_mail(1), a_mail(2)
    await subject.provider.deliver([mail], start_before_s=soon())
    if not subject.provider.traits.can_find:
        with pytest.raises(FindError):
            await subject.provider.find(occurrence=mail.occurrence, message_id=mail.message_id)
        return
    found = await subject.provider.find(occurrence=mail.occurrence, message_id=mail.message_id)
    missing = await subject.provider.find(occurrence=other.occurrence, message_id=other.message_id)
    assert isinstance(found, Found)
    assert missing == Missing()


async def test_provider_takes_more_after_a_pause(subject: Subject) -> None:
    for number in range(3):
        await subject.provider.deliver([a_mail(number)], start_before_s=soon())
    assert len(subject.arrived()) == 3
