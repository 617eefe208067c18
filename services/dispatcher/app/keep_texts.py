"""Keeps every process writing from the texts that operators chose last."""

import logging

from libs.postgres.types import Connection, Pool
from services.dispatcher.adapters import templates
from services.dispatcher.domain.greeting import Greetings
from services.dispatcher.domain.texts import Texts

logger = logging.getLogger(__name__)


async def keep_texts(pool: Pool, greetings: Greetings) -> bool:
    """Adopt the texts that hold now; tell whether they are others than before."""
    async with pool.acquire() as connection:
        as_of = await templates.read_texts_as_of(connection)
        if as_of == greetings.texts.as_of:
            return False
        texts = await read_texts(connection, greetings, as_of=as_of)
    greetings.adopt(texts)
    logger.info("texts.adopted", extra={"as_of": as_of})
    return True


async def read_texts(connection: Connection, greetings: Greetings, *, as_of: int) -> Texts:
    """Return the texts as of a choice: always the same ones."""
    if as_of == greetings.texts.as_of:
        return greetings.texts
    chosen = await templates.list_chosen_texts(connection, as_of=as_of)
    return Texts(greetings.kinds, chosen, as_of=as_of)
