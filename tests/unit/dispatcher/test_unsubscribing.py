"""Links that end mails: known again without being kept, and made by nobody else."""

import base64
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.ids import new_id
from services.dispatcher.domain.unsubscribing import UnsubscribeLinks, Unsubscribing

NEW, OLD, OTHER = b"n" * 32, b"o" * 32, b"x" * 32
LINKS = UnsubscribeLinks("https://mail.jubilee.example/unsubscribe/", [NEW, OLD])

KINDS = st.from_regex(r"\A[a-z][a-z0-9_]{0,39}\Z")


@given(st.uuids(), KINDS)
def test_link_is_read_back_and_always_the_same(person_id: UUID, kind: str) -> None:
    url = LINKS.url(person_id, kind)
    base, _, token = url.rpartition("/")
    assert base == "https://mail.jubilee.example/unsubscribe"
    assert LINKS.read(token) == Unsubscribing(person_id, kind)
    assert LINKS.url(person_id, kind) == url
    assert len(token) <= 96


def test_link_made_with_an_older_key_still_works() -> None:
    person_id = new_id()
    token = UnsubscribeLinks("https://x.example", [OLD]).token(person_id, "birthday")
    assert LINKS.read(token) == Unsubscribing(person_id, "birthday")


def test_link_made_with_another_key_is_nobodys() -> None:
    token = UnsubscribeLinks("https://x.example", [OTHER]).token(new_id(), "birthday")
    assert LINKS.read(token) is None


@given(st.integers(0, 60 * 8), st.text(max_size=100))
def test_changed_link_is_nobodys(bit: int, text: str) -> None:
    token = LINKS.token(UUID(int=7), "birthday")
    packed = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    bit %= len(packed) * 8
    packed[bit // 8] ^= 1 << bit % 8
    assert LINKS.read(base64.urlsafe_b64encode(packed).decode().rstrip("=")) is None
    assert LINKS.read(text) is None


@pytest.mark.parametrize("ending", ["=", "==", "A", " ", "\n", "%00"])
def test_link_has_one_spelling(ending: str) -> None:
    assert LINKS.read(LINKS.token(new_id(), "birthday") + ending) is None


def test_link_says_nothing_of_the_person_but_an_opaque_id() -> None:
    token = LINKS.token(UUID(int=7), "birthday")
    packed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert packed[:16] == UUID(int=7).bytes
    assert packed[32:] == b"birthday"
