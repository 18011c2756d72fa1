"""Engines of SQLAlchemy 2 whose statements are about the active key.

    engine = create_engine("postgresql+psycopg://app@router:6432/app")
    shoal.sqlalchemy.follow_active_key(engine)       # async engines: engine.sync_engine

    with shoal.with_key(tenant_id), Session(engine) as session:
        session.scalars(select(User))                # rows of tenant_id only, from one shard

Without an active key statements are about all keys.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event

from .scope import current_key
from .session import set_key_sql

_UNKNOWN = object()
_APPLIED = "shoal.key"  # in Connection.info: what the server connection was told last


def follow_active_key(engine: Engine) -> Engine:
    """Brings the active key onto each connection before its statements, when it has changed.

    What was said inside a transaction is undone with it, so that after each rollback, also to a
    savepoint, it is said again.
    """

    def forget(connection: Connection, *_: Any) -> None:
        connection.info[_APPLIED] = _UNKNOWN

    def apply(connection: Connection, *_: Any) -> None:
        key = current_key()
        wanted = None if key is None else str(key)
        if connection.info.get(_APPLIED, _UNKNOWN) == wanted:
            return
        cursor = connection.connection.cursor()
        try:
            cursor.execute(set_key_sql(key))
        finally:
            cursor.close()
        connection.info[_APPLIED] = wanted

    for name in ("begin", "rollback", "rollback_savepoint"):
        event.listen(engine, name, forget)
    event.listen(engine, "before_cursor_execute", apply)
    return engine
