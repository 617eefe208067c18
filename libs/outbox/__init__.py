"""The transactional outbox: messages written with the facts they tell, published by a relay."""

from libs.outbox.outbox import OutboxMessage, oldest_unpublished_s, put
from libs.outbox.relay import Relay

__all__ = ["OutboxMessage", "Relay", "oldest_unpublished_s", "put"]
