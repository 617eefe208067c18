"""Forgets what has served."""

from datetime import timedelta

from services.user.adapters.keys import prune_keys
from services.user.adapters.store import Store

_KEYS_PER_STEP = 1000


async def forget_old_keys(store: Store, *, older_than: timedelta) -> bool:
    """Forget a bounded number of old idempotency keys; True when there may be more."""
    return await prune_keys(store, older_than=older_than, limit=_KEYS_PER_STEP) == _KEYS_PER_STEP
