"""Django's PostgreSQL back end, whose sessions are about the active key."""

from __future__ import annotations

from typing import Any, Optional

from django.db.backends.postgresql import base

from ...scope import current_key
from ...session import set_key_sql


class _Unknown:
    """What a new or rolled back session was told: nothing that could be relied on."""


class DatabaseWrapper(base.DatabaseWrapper):
    """Before a statement the session is told the active key, when it has changed since the last.

    What was said inside a transaction is undone with it, so that after each rollback, also to a
    savepoint, it is said again. Statements without an active key are about all keys; which models
    may do without is the business of shoal.django.ShardRouter.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._key_told: Any = _Unknown
        self.execute_wrappers.append(self._tell_key)

    def _tell_key(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        key = current_key()
        wanted: Optional[str] = None if key is None else str(key)
        if self._key_told != wanted:
            with self.wrap_database_errors, self.connection.cursor() as cursor:
                cursor.execute(set_key_sql(key))
            self._key_told = wanted
        return execute(sql, params, many, context)

    def connect(self) -> None:
        self._key_told = _Unknown
        super().connect()

    def _rollback(self) -> None:
        try:
            super()._rollback()
        finally:
            self._key_told = _Unknown

    def _savepoint_rollback(self, sid: str) -> None:
        try:
            super()._savepoint_rollback(sid)  # a statement, before which the key may be told
        finally:
            self._key_told = _Unknown
