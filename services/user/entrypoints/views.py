"""What clients send and get."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from libs.localtime import aliased_zone
from services.user.adapters.reading import HistoryEntry
from services.user.domain.person import Person, Tombstone

Name = Annotated[
    str,
    Meta(
        min_length=1,
        description="1 to 100 characters in any script; no control characters.",
        examples=["Ada"],
    ),
]
PlaceName = Annotated[str, Meta(min_length=1, description="Up to 100 characters.")]
DateText = Annotated[
    str,
    Meta(
        pattern=r"^([0-9]{4}|-)-[0-9]{2}-[0-9]{2}$",
        description="`YYYY-MM-DD` from 1900-01-01 to today, or `--MM-DD` without the year.",
        examples=["1990-06-14", "--02-29"],
    ),
]


class PersonDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said about a person. An anniversary lies after the birthday."""

    first_name: Name
    last_name: Name
    email: Annotated[
        str,
        Meta(
            max_length=254,
            description="Unique among living people, compared without regard to case.",
            examples=["ada@example.com"],
        ),
    ]
    timezone: Annotated[
        str,
        Meta(
            max_length=64,
            description="An IANA name or alias, in any case.",
            examples=["Europe/London"],
        ),
    ]
    birthday: DateText | None = None
    anniversary: DateText | None = None
    locale: Annotated[
        str, Meta(max_length=35, description="A BCP 47 language tag.", examples=["pt-BR"])
    ] = "en"
    leap_day: Annotated[
        Literal["feb28", "mar1"],
        Meta(description="When someone born on 29 February is greeted in common years."),
    ] = "feb28"
    opt_outs: Annotated[
        tuple[str, ...],
        Meta(description="The kinds this person does not want.", examples=[["anniversary"]]),
    ] = ()
    external_id: (
        Annotated[str, Meta(max_length=128, description="The client's own id, unique.")] | None
    ) = None
    location_city: PlaceName | None = None
    location_country: PlaceName | None = None


class Links(msgspec.Struct, frozen=True, rename={"self_": "self"}):
    """Where more is told: occurrences and their explanation by the planner's API."""

    self_: str
    history: str
    occurrences: str
    explanation: str


class PersonView(PersonDocument, frozen=True, kw_only=True):
    """A person. ``version`` is also the ETag."""

    id: UUID
    version: Annotated[int, Meta(ge=1)]
    canonical_timezone: Annotated[
        str,
        Meta(
            description="The zone that `timezone` is another name of, itself where it is none.",
            examples=["Europe/London"],
        ),
    ]
    created_at: datetime
    changed_at: datetime
    links: Links


class ExportedPerson(PersonDocument, frozen=True, kw_only=True):
    """A person as exports tell of them, without links."""

    id: UUID
    version: Annotated[int, Meta(ge=1)]
    created_at: datetime
    changed_at: datetime


class ErasedView(msgspec.Struct, frozen=True):
    """What remains of an erased person."""

    id: UUID
    version: int
    status: Literal["erased"]
    links: Links


class EventView(msgspec.Struct, frozen=True):
    """One thing that happened to a person; of an erased one only that it happened."""

    version: int
    type: str
    recorded_at: datetime
    changed: Annotated[tuple[str, ...], Meta(description="Names of the fields that changed.")]
    caller: Annotated[str | None, Meta(description="Id of the API key that asked for it.")]


def links_of(person_id: UUID, *, planner_url: str) -> Links:
    """Return where more is told about a person; two of them begin with the planner's address."""
    return _links(str(person_id), planner_url=planner_url)


def _links(person_id: str, *, planner_url: str) -> Links:
    base = f"/v1/users/{person_id}"
    planned = f"{planner_url}{base}"
    return Links(
        base, f"{base}/history", f"{planned}/occurrences", f"{planned}/explain?kind=birthday"
    )


def link_header(person_id: UUID, *, planner_url: str) -> str:
    """Return the links for answers without a body (RFC 8288)."""
    links = msgspec.structs.asdict(links_of(person_id, planner_url=planner_url))
    return ", ".join(f'<{path}>; rel="{rel.rstrip("_")}"' for rel, path in links.items())


def link_template(*, planner_url: str) -> str:
    """Return the links of anybody's id, for answers about many (RFC 9652)."""
    links = _links("{id}", planner_url=planner_url)
    named = msgspec.structs.asdict(links)
    return ", ".join(f'"{path}"; rel="{rel.rstrip("_")}"' for rel, path in named.items())


def person_view(person: Person, *, planner_url: str) -> PersonView:
    """Return ``person`` as clients see them."""
    fields: dict[str, Any] = msgspec.structs.asdict(person.profile)
    return PersonView(
        id=person.id,
        version=person.version,
        canonical_timezone=aliased_zone(person.profile.timezone),
        created_at=person.created_at,
        changed_at=person.changed_at,
        links=links_of(person.id, planner_url=planner_url),
        **fields,
    )


def exported_person(person: Person) -> ExportedPerson:
    """Return ``person`` as exports tell of them."""
    fields: dict[str, Any] = msgspec.structs.asdict(person.profile)
    return ExportedPerson(
        id=person.id,
        version=person.version,
        created_at=person.created_at,
        changed_at=person.changed_at,
        **fields,
    )


def erased_view(tombstone: Tombstone, *, planner_url: str) -> ErasedView:
    """Return what remains of an erased person."""
    links = links_of(tombstone.id, planner_url=planner_url)
    return ErasedView(tombstone.id, tombstone.version, "erased", links)


def event_view(entry: HistoryEntry) -> EventView:
    """Return one line of a history."""
    return EventView(entry.version, entry.type, entry.recorded_at, entry.changed, entry.caller)
