"""The oracle: runs a statement on Shoal and on plain PostgreSQL and judges the two answers.

Verdicts: equal, refused (numbered), different. The Shoal side goes first; whatever it did not do is
undone on PostgreSQL, so that one refusal does not make all later statements of a file differ.
"""

from __future__ import annotations

import dataclasses
import re

from .sides import Outcome, Side

FIRST_USER_OID = 16384
EQUAL, REFUSED, DIFFERENT = "equal", "refused", "different"
# Statements that cannot stand in a transaction block, so that their effect cannot be undone; and
# those whose only effect is on the transaction, which _align repairs.
NO_TRANSACTION = re.compile(
    r"\s*(vacuum|create\s+(unique\s+)?index\s+concurrently|drop\s+index\s+concurrently|reindex|"
    r"create\s+database|drop\s+database|alter\s+system|prepare\s+transaction)\b",
    re.IGNORECASE,
)
TRANSACTION = re.compile(
    r"\s*(commit|end|rollback|abort|begin|start\s+transaction|savepoint|release|lock|declare|fetch|"
    r"set|show)\b",
    re.IGNORECASE,
)
READS = re.compile(r"\s*(select|with|values|table|show|explain)\b|\s*\(", re.IGNORECASE)
WRITES_INSIDE = re.compile(
    r"\b(insert\s+into|update|delete\s+from|merge\s+into|nextval|setval)\b", re.IGNORECASE
)
# Placement calls answer what they like; only their success counts.
PLACEMENT = re.compile(
    r"\s*select\s+(\*\s+from\s+)?(shoal\.\w+|create_distributed_table|"
    r"create_reference_table|create_distributed_function)\s*\(",
    re.IGNORECASE,
)


@dataclasses.dataclass
class Judged:
    verdict: str
    why: str = ""
    postgres: str = ""
    shoal: str = ""
    refusal: str = ""


def is_read(sql: str) -> bool:
    return bool(READS.match(sql)) and not WRITES_INSIDE.search(sql)


def is_ordered(sql: str) -> bool:
    """Whether the outermost query has an ORDER BY: one that stands outside all parentheses."""
    depth = 0
    pattern = r"'(?:[^']|'')*'|\"[^\"]*\"|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/|[()]|\border\s+by\b"
    for token in re.finditer(pattern, sql, re.IGNORECASE | re.DOTALL):
        text = token.group(0)
        if text == "(":
            depth += 1
        elif text == ")":
            depth -= 1
        elif depth == 0 and text[0] in "oO":
            return True
    return False


def _sorted(rows: list[tuple]) -> list[tuple]:
    return sorted(rows, key=lambda row: tuple((v is None, v or b"") for v in row))


def differ(postgres: Outcome, shoal: Outcome, ordered: bool, binary: bool) -> str:
    """The first thing in which two answers differ, in words; empty when they are equal."""
    if postgres.kind != shoal.kind:
        return f"kind: {postgres.kind} / {shoal.kind}"
    if postgres.status != shoal.status:
        return f"transaction status: {postgres.status} / {shoal.status}"
    if postgres.kind in ("error", "lost"):
        same = postgres.sqlstate == shoal.sqlstate
        return "" if same else f"SQLSTATE: {postgres.sqlstate} / {shoal.sqlstate}"
    if postgres.tag != shoal.tag:
        return f"tag: {postgres.tag} / {shoal.tag}"
    if postgres.names != shoal.names:
        return f"names: {postgres.names} / {shoal.names}"
    skip = set()
    for at, (left, right) in enumerate(zip(postgres.types, shoal.types)):
        user_type = left[0] >= FIRST_USER_OID and right[0] >= FIRST_USER_OID
        if user_type and binary:
            skip.add(at)  # binary arrays and composites carry OIDs, which are each server's own
        if (left != right and not user_type) or (user_type and left[1] != right[1]):
            return f"type of {postgres.names[at]}: {left} / {right}"
    left_rows, right_rows = postgres.rows, shoal.rows
    if skip:
        keep = [c for c in range(len(postgres.names)) if c not in skip]
        left_rows = [tuple(row[c] for c in keep) for row in left_rows]
        right_rows = [tuple(row[c] for c in keep) for row in right_rows]
    if not ordered:
        left_rows, right_rows = _sorted(left_rows), _sorted(right_rows)
    if left_rows != right_rows:
        same_bag = _sorted(left_rows) == _sorted(right_rows)
        return "order of rows" if same_bag else f"rows ({len(left_rows)} / {len(right_rows)})"
    return ""


class Pair:
    """Plain PostgreSQL and Shoal, holding the same data."""

    def __init__(self, postgres: Side, shoal: Side):
        self.postgres = postgres
        self.shoal = shoal

    def judge(
        self,
        sql: str,
        mode: str = "simple",
        parameters: list | None = None,
        copy_data: bytes | None = None,
        ordered: bool | None = None,
    ) -> Judged:
        """Runs one statement on both sides. mode: simple, text, binary (the latter two
        extended)."""

        def run(side: Side) -> list[Outcome]:
            if copy_data is not None or (mode == "simple" and parameters is None):
                return side.simple(sql, copy_data)
            return side.extended(sql, parameters or [], mode == "binary")

        answers = run(self.shoal)
        failed = any(a.kind in ("error", "lost") for a in answers)
        undo = failed and not is_read(sql)
        expected = self._run_undone(sql, run) if undo else run(self.postgres)
        judged = self._compare(sql, expected, answers, mode, ordered)
        if self.postgres.status != self.shoal.status:
            self._align()
        return judged

    def _compare(self, sql, expected, answers, mode, ordered) -> Judged:
        refusal = next((a.refusal for a in answers if a.refusal), "")
        why = ""
        if PLACEMENT.match(sql) and answers and _placed(answers[-1]):
            failed = expected[-1].kind != "rows"
            why = f"PostgreSQL: {expected[-1].brief()}" if failed else ""
        elif len(expected) != len(answers):
            why = f"number of results: {len(expected)} / {len(answers)}"
        else:
            ordered = is_ordered(sql) if ordered is None else ordered
            for left, right in zip(expected, answers):
                why = why or differ(left, right, ordered, mode == "binary")
        if not why:
            return Judged(EQUAL, refusal=refusal, postgres=_brief(expected))
        verdict = REFUSED if refusal else DIFFERENT
        return Judged(verdict, why, _brief(expected), _brief(answers), refusal)

    def _run_undone(self, sql, run) -> list[Outcome]:
        """Runs on PostgreSQL what failed on Shoal and takes its effect back."""
        if NO_TRANSACTION.match(sql):
            return [Outcome("command", tag="(not run on PostgreSQL)", status=self.postgres.status)]
        inside = self.postgres.in_transaction
        if self.postgres.status == "INERROR" or TRANSACTION.match(sql):
            return run(self.postgres)
        self.postgres.simple("SAVEPOINT oracle_undo" if inside else "BEGIN")
        expected = run(self.postgres)
        if expected[-1].kind not in ("error", "lost"):
            deferred = self.postgres.simple("SET CONSTRAINTS ALL IMMEDIATE")[-1]
            if deferred.kind == "error":
                expected[-1] = deferred
        failed = expected[-1].kind == "error"
        self.postgres.simple("ROLLBACK TO oracle_undo" if inside else "ROLLBACK")
        if inside and failed:
            self.postgres.simple("SELECT 1/0")
        expected[-1].status = self.postgres.status
        return expected

    def _align(self) -> None:
        """Brings both transactions to one state after an answer that was not equal."""
        if self.shoal.status == "IDLE":
            self.postgres.simple("ROLLBACK")
        elif self.shoal.status == "INERROR" and self.postgres.status == "INTRANS":
            self.postgres.simple("SELECT 1/0")
        else:
            self.postgres.simple("ROLLBACK")
            self.shoal.simple("ROLLBACK")


def _placed(answer: Outcome) -> bool:
    """A keyspace cannot be dropped: the one that an earlier run of the file made is as good."""
    kept = answer.sqlstate == "42710" and answer.message.startswith("keyspace ")
    return answer.kind == "rows" or kept


def _brief(outcomes: list[Outcome]) -> str:
    return " | ".join(o.brief() for o in outcomes)
