"""What every write gives back."""

import msgspec

from services.user.domain.person import Person, Tombstone


class Written(msgspec.Struct, frozen=True):
    """The state after the write; ``is_replay`` when it happened at an earlier request."""

    state: Person | Tombstone
    is_replay: bool = False
