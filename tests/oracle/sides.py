"""One side of a comparison: a connection that runs statements and reports everything a client sees.

Uses libpq directly (psycopg.pq), so that names, type OIDs, tags, SQLSTATEs and the transaction
status come as the server sent them. Every wait has a limit: a side that hangs becomes an error
outcome.
"""

from __future__ import annotations

import dataclasses
import re
import select
import subprocess
import time

from psycopg import pq

TIMEOUT_S = 30.0
DIAG = pq.DiagnosticField
STATUS = pq.ExecStatus
SESSION = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET client_min_messages = 'error'"


@dataclasses.dataclass
class Outcome:
    """What one statement answered. kind: rows, command, copy, empty, error, lost."""

    kind: str
    names: list[str] = dataclasses.field(default_factory=list)
    types: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    rows: list[tuple] = dataclasses.field(default_factory=list)
    tag: str = ""
    sqlstate: str = ""
    message: str = ""
    detail: str = ""
    status: str = ""

    @property
    def refusal(self) -> str:
        """SHnnnn when the statement was refused, otherwise empty."""
        found = re.match(r"SH\d{4}", self.detail)
        return found.group(0) if self.kind == "error" and found else ""

    def brief(self) -> str:
        if self.kind in ("error", "lost"):
            return f"{self.kind} {self.sqlstate}: {self.message} {self.detail}".strip()
        if self.kind in ("rows", "copy"):
            rows = [tuple(_text(v) for v in row) for row in self.rows]
            shown = "; ".join(str(r) for r in rows[:12])
            more = f" ... ({len(rows)} rows)" if len(rows) > 12 else ""
            return f"{self.tag} {self.names} {shown}{more}"
        return f"{self.kind} {self.tag}"


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "backslashreplace")


class Side:
    """A connection to PostgreSQL or to a router. Reconnects when the connection is lost.

    `revive` is a command that starts a dead server again, so that one crash costs one statement.
    """

    def __init__(self, dsn: str, sabotage: bool = False, revive: list[str] | None = None):
        self.dsn = dsn
        self.revive = revive
        self.sabotage = sabotage
        self.conn: pq.PGconn | None = None
        self.connect()

    def connect(self) -> None:
        self.close()
        self.conn = pq.PGconn.connect(self.dsn.encode())
        if self.conn.status != pq.ConnStatus.OK and self.revive:
            self.conn.finish()
            subprocess.run(self.revive, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
            self.conn = pq.PGconn.connect(self.dsn.encode())
        if self.conn.status != pq.ConnStatus.OK:
            raise ConnectionError(f"{self.dsn}: {self.conn.error_message.decode().strip()}")
        self.conn.notice_handler = lambda _: None
        self.simple(SESSION)

    def close(self) -> None:
        if self.conn is not None:
            self.conn.finish()
            self.conn = None

    @property
    def in_transaction(self) -> bool:
        return self.conn.transaction_status == pq.TransactionStatus.INTRANS

    @property
    def status(self) -> str:
        return pq.TransactionStatus(self.conn.transaction_status).name

    def simple(self, sql: str, copy_data: bytes | None = None) -> list[Outcome]:
        """Runs a text, possibly of several statements, by the simple protocol."""
        return self._collect(lambda: self.conn.send_query(sql.encode()), copy_data, False, sql)

    def extended(self, sql: str, parameters: list[str | None], binary: bool) -> list[Outcome]:
        """Runs one statement by Parse, Bind, Describe, Execute; parameters are untyped text."""
        values = [None if p is None else p.encode() for p in parameters]
        send = lambda: self.conn.send_query_params(sql.encode(), values, result_format=int(binary))
        return self._collect(send, None, binary, sql)

    def _collect(self, send, copy_data, binary, sql) -> list[Outcome]:
        outcomes: list[Outcome] = []
        deadline = time.monotonic() + TIMEOUT_S
        try:
            send()
            while (result := self._next_result(deadline)) is not None:
                outcomes.append(self._outcome(result, copy_data, deadline))
        except (
            Exception
        ) as error:  # libpq's own exceptions differ by cause; all mean a lost connection
            said = f"{type(error).__name__}: {error}"
            outcomes.append(Outcome("lost", sqlstate="LOST", message=said))
            self.connect()
        if self.conn.status != pq.ConnStatus.OK:
            if not (outcomes and outcomes[-1].kind == "lost"):
                outcomes.append(Outcome("lost", sqlstate="LOST", message="connection closed"))
            self.connect()
        if outcomes:
            outcomes[-1].status = self.status
            if self.sabotage:
                self._lose_a_row(sql)
        return outcomes

    def _next_result(self, deadline: float):
        while self.conn.is_busy():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no answer within {TIMEOUT_S:.0f} s")
            if select.select([self.conn.socket], [], [], left)[0]:
                self.conn.consume_input()
        return self.conn.get_result()

    def _outcome(self, result, copy_data, deadline) -> Outcome:
        status = result.status
        tag = (result.command_status or b"").decode()
        if status == STATUS.TUPLES_OK:
            columns = range(result.nfields)
            return Outcome(
                "rows",
                tag=tag,
                names=[result.fname(c).decode() for c in columns],
                types=[(result.ftype(c), result.fmod(c)) for c in columns],
                rows=[
                    tuple(result.get_value(r, c) for c in columns) for r in range(result.ntuples)
                ],
            )
        if status == STATUS.COMMAND_OK:
            return Outcome("command", tag=tag)
        if status == STATUS.EMPTY_QUERY:
            return Outcome("empty")
        if status == STATUS.COPY_IN:
            self.conn.put_copy_data(copy_data or b"")
            self.conn.put_copy_end(None)
            final = self._next_result(deadline)
            return self._outcome(final, None, deadline)
        if status == STATUS.COPY_OUT:
            lines = []
            while True:
                size, data = self.conn.get_copy_data(0)
                if size < 0:
                    break
                lines.append((bytes(data),))
            final = self._outcome(self._next_result(deadline), None, deadline)
            return (
                dataclasses.replace(final, kind="copy", rows=lines)
                if final.kind == "command"
                else final
            )
        field = lambda name: (result.error_field(name) or b"").decode("utf-8", "replace")
        return Outcome(
            "error",
            sqlstate=field(DIAG.SQLSTATE),
            message=field(DIAG.MESSAGE_PRIMARY),
            detail=field(DIAG.MESSAGE_DETAIL),
        )

    def _lose_a_row(self, sql: str) -> None:
        """The positive control: a side that loses the first row of every table it is given."""
        found = re.match(r"\s*(?:insert\s+into|copy)\s+([\w.]+)", sql, re.IGNORECASE)
        if found:
            table = found.group(1)
            self.conn.exec_(
                f"DELETE FROM {table} WHERE ctid = (SELECT min(ctid) FROM {table})".encode()
            )


# Everything a user made, in an order in which it can be dropped. Runs on both sides.
USER_OBJECTS = """
SELECT c FROM (
  SELECT 1 AS n, format('DROP %s IF EXISTS %I.%I CASCADE',
           CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
                        WHEN 'S' THEN 'SEQUENCE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END,
           nspname, relname) AS c,
         CASE relkind WHEN 'v' THEN 1 WHEN 'm' THEN 2 WHEN 'p' THEN 3 WHEN 'r' THEN 4 ELSE 5
         END AS k
  FROM pg_class r JOIN pg_namespace s ON s.oid = r.relnamespace
  WHERE relkind IN ('v', 'm', 'r', 'p', 'S', 'c') AND NOT relispartition
    AND pg_get_userbyid(relowner) = current_user
    AND nspname NOT IN ('pg_catalog', 'information_schema', 'shoal') AND nspname !~ '^pg_'
  UNION ALL
  SELECT 2, format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::regprocedure), 0
  FROM pg_proc p JOIN pg_namespace s ON s.oid = p.pronamespace
  WHERE pg_get_userbyid(proowner) = current_user AND nspname !~ '^pg_'
    AND nspname NOT IN ('pg_catalog', 'information_schema', 'shoal')
  UNION ALL
  SELECT 3, format('DROP TYPE IF EXISTS %I.%I CASCADE', nspname, typname), 0
  FROM pg_type t JOIN pg_namespace s ON s.oid = t.typnamespace
  WHERE typtype IN ('e', 'd') AND nspname NOT IN ('pg_catalog', 'information_schema', 'shoal')
    AND nspname !~ '^pg_'
  UNION ALL
  SELECT 4, format('DROP SCHEMA IF EXISTS %I CASCADE', nspname), 0 FROM pg_namespace
  WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'shoal', 'public') AND nspname !~ '^pg_'
) AS objects ORDER BY n, k, c
"""


def clean(side: Side) -> list[str]:
    """Drops everything a user made; returns the errors."""
    side.connect()
    found = side.simple(USER_OBJECTS)[-1]
    if found.kind != "rows":
        return [f"listing objects: {found.brief()}"]
    failed = []
    for (command,) in found.rows:
        outcome = side.simple(command.decode())[-1]
        if outcome.kind != "command":
            failed.append(f"{command.decode()}: {outcome.brief()}")
    return failed
