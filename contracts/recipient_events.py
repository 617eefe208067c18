"""What the dispatcher tells the world about who may not be mailed at all."""

from typing import Annotated
from uuid import UUID

import msgspec

RECIPIENT_BLOCKS_CHANGED = "recipient.blocks_changed.v1"

EVERY_KIND = "*"
"""Stands for all kinds where a block names one."""


class RecipientBlocksChanged(msgspec.Struct, frozen=True, kw_only=True):
    """All that keeps mail from one person, as of ``revision``; empty where nothing does.

    ``blocks`` maps a kind, or ``*`` for every kind, to the reason word: ``unsubscribed``, or the
    reason for which the address is suppressed. A consumer keeps the highest ``revision`` it has
    seen per person and ignores the rest.
    """

    person_id: UUID
    revision: Annotated[int, msgspec.Meta(ge=1, description="The highest wins.")]
    blocks: dict[str, str]
