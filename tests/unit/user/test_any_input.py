"""Whatever comes in, the rules answer: a profile or refusals, never a crash."""

from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.user.adapters.columns import search_columns
from services.user.adapters.publication import message_of
from services.user.domain.errors import FieldError, Invalid
from services.user.domain.person import register_person
from services.user.domain.profile import Profile, parse_profile
from services.user.entrypoints.ndjson import read_line
from tests.support.people import NOW, RULES, a_document

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(Profile.__struct_fields__)
TEXTS = (
    st.text(max_size=120)
    | st.from_regex(r"[0-9-]{4}-[0-9]{2}-[0-9]{2}", fullmatch=True)
    | st.text(max_size=60).map(lambda text: f"ada@{text}.com")
)


@settings(max_examples=300)
@given(st.dictionaries(FIELDS | st.text(), JSON | TEXTS))
def test_any_document_is_judged(document: dict[str, Any]) -> None:
    assert isinstance(parse_profile(document, RULES), Profile | Invalid)


@settings(max_examples=500)
@given(FIELDS, TEXTS)
def test_what_is_accepted_is_accepted_again(name: str, text: str) -> None:
    """Reading a person and sending them back changes nothing."""
    profile = parse_profile(a_document(**{name: text}), RULES)
    if isinstance(profile, Profile):
        kept = {field: getattr(profile, field) for field in Profile.__struct_fields__}
        again = parse_profile({**kept, "opt_outs": list(profile.opt_outs)}, RULES)
        assert again == profile


@settings(max_examples=200)
@given(st.text(max_size=20), st.emails())
def test_what_is_accepted_can_be_stored_and_told(name: str, email: str) -> None:
    profile = parse_profile(a_document(last_name=name, email=email), RULES)
    if isinstance(profile, Profile):
        columns = msgspec.structs.astuple(search_columns(profile))
        assert not any("\0" in column for column in columns if isinstance(column, str))
        change = register_person(UUID(int=1), profile, NOW)
        assert message_of(change, recorded_at=NOW, traceparent=None).startswith(b'{"specversion"')


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_line_is_read(text: bytes) -> None:
    assert isinstance(read_line(text), dict | FieldError)


@given(st.dictionaries(st.text(), st.text() | st.lists(st.text(), max_size=2), max_size=4))
def test_line_is_read_as_it_was_written(document: dict[str, Any]) -> None:
    read = read_line(msgspec.json.encode(document))
    assert read == document or isinstance(read, FieldError)
