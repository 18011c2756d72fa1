"""A pool of asyncpg whose connections are about the active key of whoever borrows them.

    pool = await shoal.asyncpg.create_pool(DATABASE_URL)

    with shoal.with_key(tenant_id):
        async with pool.acquire() as connection:     # its statements are about tenant_id
            ...

Borrowed without an active key, a connection is about all keys.
"""

from __future__ import annotations

from typing import Any, Optional

import asyncpg

from .scope import current_key
from .session import set_key_sql


async def _take_key(connection: Any) -> None:
    if current_key() is not None:
        await connection.execute(set_key_sql(current_key()))


async def _drop_key(connection: Any) -> None:
    await connection.execute(set_key_sql(None))
    reset_query = connection.get_reset_query()
    if reset_query:
        await connection.execute(reset_query)


def create_pool(dsn: Optional[str] = None, **options: Any) -> Any:
    """As asyncpg.create_pool(); `setup` and `reset` of your own are called, too."""
    setup, reset = options.pop("setup", None), options.pop("reset", None)

    async def on_acquire(connection: Any) -> None:
        await _take_key(connection)
        if setup is not None:
            await setup(connection)

    async def on_release(connection: Any) -> None:
        if reset is not None:
            await reset(connection)
        await _drop_key(connection)

    return asyncpg.create_pool(dsn, setup=on_acquire, reset=on_release, **options)
