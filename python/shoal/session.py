"""Connections to the router that are about one key: SET shoal.key now, the former one at the end."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Optional

from .scope import current_key

_ACTIVE: Any = object()


def set_key_sql(key: object) -> str:
    """The statement that makes a session about the key; None is about all keys."""
    if key is None:
        return "RESET shoal.key"
    text = str(key)
    if text == "":
        raise ValueError("a shard key must not be empty")
    quoted = "'" + text.replace("'", "''") + "'"
    if "\\" in quoted:
        quoted = "E" + quoted.replace("\\", "\\\\")
    return "SET shoal.key = " + quoted


def _in_transaction(connection: Any) -> bool:
    asked = getattr(connection, "is_in_transaction", None)  # asyncpg
    if asked is not None:
        return bool(asked())
    info: Any = getattr(connection, "info", None)
    if not hasattr(info, "transaction_status"):
        raise TypeError("session_key takes connections of psycopg, psycopg2 and asyncpg")
    return bool(info.transaction_status != 0)  # libpq's PQTRANS_IDLE


class session_key:
    """Every statement of the connection is about one key inside:

        with shoal.session_key(connection, 42): ...         psycopg, psycopg2
        async with shoal.session_key(connection, 42): ...   psycopg's AsyncConnection, asyncpg

    Without a key it is the active one (with_key); it is an error if there is none. Scopes nest: the
    key that was there before is back afterwards.

    A transaction that was begun inside ends with the scope: it is committed, or rolled back on an
    error. One that was begun before must not be rolled back inside, which would undo the SET.
    """

    __slots__ = ("_connection", "_key", "_back", "_outer")

    def __init__(self, connection: Any, key: object = _ACTIVE) -> None:
        self._key = current_key() if key is _ACTIVE else key
        if self._key is None:
            raise ValueError("session_key needs a key, or an active one: see with_key")
        set_key_sql(self._key)  # complains now
        self._connection = connection
        self._back = ""  # what brings back the key that was there before
        self._outer = False  # the scope began inside a transaction

    # ---- with

    def _run(self, sql: str) -> Any:
        cursor = self._connection.cursor()
        try:
            cursor.execute(sql)
            return cursor.fetchone() if cursor.description else None
        finally:
            cursor.close()

    def _end_transaction(self, error: Optional[BaseException]) -> None:
        if _in_transaction(self._connection):
            if error is None:
                self._connection.commit()
            else:
                self._connection.rollback()

    def __enter__(self) -> Any:
        self._outer = _in_transaction(self._connection)
        self._back = set_key_sql(self._run("SHOW shoal.key")[0] or None)
        self._run(set_key_sql(self._key))
        if not self._outer:  # so that no ROLLBACK inside undoes it
            self._end_transaction(None)
        return self._connection

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if not self._outer:
            self._end_transaction(error)
        try:
            self._run(self._back)
        except Exception:
            # A failed transaction around this scope will be rolled back, and the SET with it.
            if error is None or not self._outer:
                raise
        else:
            if not self._outer:
                self._end_transaction(None)

    # ---- async with

    async def _arun(self, sql: str) -> Any:
        if hasattr(self._connection, "fetchrow"):  # asyncpg
            return await self._connection.fetchrow(sql)
        cursor = await self._connection.execute(sql)
        return await cursor.fetchone() if cursor.description else None

    async def _aend_transaction(self, error: Optional[BaseException]) -> None:
        if not _in_transaction(self._connection):
            return
        if hasattr(self._connection, "fetchrow"):
            # asyncpg begins none by itself: somebody has left a transaction() open.
            await self._connection.execute("ROLLBACK")
            if error is None:
                raise RuntimeError("a transaction that is begun in session_key must end in it")
        elif error is None:
            await self._connection.commit()
        else:
            await self._connection.rollback()

    async def __aenter__(self) -> Any:
        self._outer = _in_transaction(self._connection)
        self._back = set_key_sql((await self._arun("SHOW shoal.key"))[0] or None)
        await self._arun(set_key_sql(self._key))
        if not self._outer:
            await self._aend_transaction(None)
        return self._connection

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        try:
            if not self._outer:
                await self._aend_transaction(error)
        finally:
            try:
                await self._arun(self._back)
            except Exception:
                if error is None or not self._outer:
                    raise
            else:
                if not self._outer:
                    await self._aend_transaction(None)
