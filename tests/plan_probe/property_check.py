"""Random statements over small random data: the planner's claims against PostgreSQL.

Schemas s1..s4 of one temporary server play the shards, schema public the unsharded database. Each
statement is planned by plan_probe; the plan is carried out over the schemas as its recipe says, and
the answer is compared with what the statement gives on the whole. The first difference is printed
with its seed. Only answers that do not depend on luck are generated (no LIMIT without a total
order).

    property_check.py [--count N] [--seed S] [--probe build/release/plan_probe]
"""

from __future__ import annotations

import argparse
import collections
import functools
import json
import pathlib
import random
import subprocess
import sys

import asyncio

import asyncpg

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.support.postgres import Server  # noqa: E402

SHARDS = ["s1", "s2", "s3", "s4"]
TABLES = {
    "orders": (
        "tenant_id int4 NOT NULL, id int8, x int4, note text, created timestamptz, kind text,"
        " PRIMARY KEY (tenant_id, id)"
    ),
    "users": (
        "tenant_id int4 NOT NULL, id int8, name text, amount numeric, k int4, flag bool,"
        " PRIMARY KEY (tenant_id, id)"
    ),
    "lines": "tenant_id int8 NOT NULL, order_id int8, qty int4",
    "pairs": "a int4 NOT NULL, b int4 NOT NULL, x int4",
    "ranges": "z int4 NOT NULL, x int4",
    "ref": "k int4 PRIMARY KEY, x int4, y numeric",
    "note": "id int4, k int4, x int4",
}
# name -> (keyspace, key columns); the rest is whole everywhere (ref) or on s1 (note)
KEYS = {
    "orders": ("ints", ["tenant_id"]),
    "users": ("ints", ["tenant_id"]),
    "lines": ("ints", ["tenant_id"]),
    "pairs": ("pairs", ["a", "b"]),
    "ranges": ("zones", ["z"]),
}
# integer columns, the key first: enough for joins and conditions
COLUMNS = {
    "orders": ["tenant_id", "id", "x"],
    "users": ["tenant_id", "id", "k"],
    "lines": ["tenant_id", "order_id", "qty"],
    "pairs": ["a", "b", "x"],
    "ranges": ["z", "x"],
    "ref": ["k", "x"],
    "note": ["id", "k", "x"],
}


class Probe:
    def __init__(self, path: str):
        self.process = subprocess.Popen(
            [path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, line: str) -> str:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the probe died of: {line}")
        return answer.strip()

    def plan(self, sql: str) -> dict:
        return json.loads(self.ask(sql))

    def place(self, keyspace: str, *values) -> str:
        return self.ask(f"#place {keyspace} " + " ".join(str(v) for v in values))


# ---- data ----------------------------------------------------------------------------------------


def maybe(rng: random.Random, value):
    return None if rng.random() < 0.2 else value


def rows_of(table: str, rng: random.Random) -> list[tuple]:
    small = lambda: rng.randrange(1, 6)  # noqa: E731
    out = []
    for i in range(rng.randrange(4, 14)):
        match table:
            case "orders":
                out.append(
                    (small(), i, maybe(rng, small()), maybe(rng, rng.choice("aBc")), None, "k")
                )
            case "users":
                amount = maybe(rng, rng.choice(["1.0", "1.00", "2.5", "3"]))
                out.append(
                    (
                        small(),
                        i,
                        rng.choice("aBc"),
                        amount,
                        maybe(rng, small()),
                        maybe(rng, rng.random() < 0.5),
                    )
                )
            case "lines":
                out.append((small(), maybe(rng, small()), maybe(rng, small())))
            case "pairs":
                out.append((small(), small(), maybe(rng, small())))
            case "ranges":
                out.append((rng.choice([50, 120, 220, 320, 1, 2]), maybe(rng, small())))
            case "ref":
                out.append((i + 1, maybe(rng, small()), maybe(rng, "1.5")))
            case "note":
                out.append((i, maybe(rng, small()), maybe(rng, small())))
    return out


def literal(value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else f"'{value}'"


async def load(connection, probe: Probe, rng: random.Random) -> None:
    script = []
    for schema in ["public", *SHARDS]:
        script += [f"DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema};"]
        for table, columns in TABLES.items():
            if table != "note" or schema in ("public", "s1"):
                script.append(f"CREATE TABLE {schema}.{table} ({columns});")
    for table in TABLES:
        for row in rows_of(table, rng):
            if table in KEYS:
                keyspace, key = KEYS[table]
                homes = [probe.place(keyspace, *row[: len(key)])]
            else:
                homes = SHARDS if table == "ref" else ["s1"]
            values = ", ".join(literal(v) for v in row)
            script += [f"INSERT INTO {s}.{table} VALUES ({values});" for s in ["public", *homes]]
    await connection.execute("\n".join(script))


# ---- statements ----------------------------------------------------------------------------------


class Writer:
    """One random query. Columns are all integers, named c1, c2, ... at every level."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.aliases = 0

    def alias(self) -> str:
        self.aliases += 1
        return f"t{self.aliases}"

    def pick(self, *choices):
        return self.rng.choice(choices)

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def table(self) -> str:
        return self.rng.choices(
            ["orders", "users", "lines", "pairs", "ranges", "ref", "note"],
            [6, 6, 4, 1, 0.5, 3, 0.2],
        )[0]

    def source(self, depth: int, ctes: list) -> tuple[str, list[str], bool]:
        """A FROM item, its columns (qualified, keys first), whether USING may name tenant_id."""
        a = self.alias()
        if ctes and self.chance(0.4):
            name, columns = self.rng.choice(ctes)
            return f"{name} {a}", [f"{a}.{c}" for c in columns], False
        if depth > 0 and self.chance(0.3):
            query, n = self.query(depth - 1, [], ctes)
            return f"({query}) {a}", [f"{a}.c{i + 1}" for i in range(n)], False
        t = self.table()
        return f"{t} {a}", [f"{a}.{c}" for c in COLUMNS[t]], t in ("orders", "users", "lines")

    def on(self, left: list[str], right: list[str]) -> str:
        """Mostly links of keys, sometimes near misses."""
        conditions = []
        first = lambda cs: cs[0] if self.chance(0.88) else self.rng.choice(cs)  # noqa: E731
        conditions.append(f"{first(left)} = {first(right)}")
        if self.chance(0.35):
            conditions.append(self.condition(left + right))
        if self.chance(0.15):
            conditions.append(
                f"{self.rng.choice(left)} {self.pick('=', '<', '<=')} {self.rng.choice(right)}"
            )
        return self.rng.choices([" AND ", " OR "], [9, 1])[0].join(conditions)

    def tree(self, depth: int, outer: list[str], ctes: list) -> tuple[str, list[str]]:
        text, columns, key = self.source(depth, ctes)
        for _ in range(self.rng.choices([0, 1, 2], [6, 5, 1])[0]):
            kind = self.rng.choices(
                ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"], [5, 4, 1, 1.5]
            )[0]
            if depth > 0 and self.chance(0.12) and kind in ("JOIN", "LEFT JOIN"):
                query, n = self.query(depth - 1, columns + outer, ctes, simple=True)
                a = self.alias()
                on = self.pick("true", columns[0] + " > 1")
                text = f"{text} {kind} LATERAL ({query}) {a} ON {on}"
                columns = columns + [f"{a}.c{i + 1}" for i in range(n)]
                key = False
                continue
            other, theirs, also = self.source(depth, ctes)
            if key and also and self.chance(0.3) and "JOIN" not in text:
                text = f"{text} {kind} {other} USING (tenant_id)"
                columns = ["tenant_id"] + columns + theirs
                key = False
                continue
            if kind == "FULL JOIN":
                one = columns[0] if self.chance(0.8) else self.rng.choice(columns)
                two = theirs[0] if self.chance(0.8) else self.rng.choice(theirs)
                on = f"{one} = {two}"
            else:
                on = self.on(columns, theirs)
            if self.chance(0.15):
                inner = f"({text})" if " JOIN " in text else text
                text, columns = f"{other} {kind} {inner} ON {on}", theirs + columns
            else:
                text, columns = f"{text} {kind} {other} ON {on}", columns + theirs
            key = False
        return text, columns

    def number(self) -> str:
        return self.pick("1", "2", "3", "4", "5", "50", "120", "NULL", "2.0", "'3'", "2.5")

    def condition(self, columns: list[str]) -> str:
        c, d = (
            self.rng.choice(columns[:4] if self.chance(0.6) else columns),
            self.rng.choice(columns),
        )
        n = self.number
        return self.pick(
            lambda: f"{c} = {n()}",
            lambda: f"{c} = {n()}",
            lambda: f"{c} = {d}",
            lambda: f"{c} = {d}",
            lambda: f"{c} IN ({n()}, {n()})",
            lambda: f"{c} IS NOT NULL",
            lambda: f"{c} IS NULL",
            lambda: f"{c} <> {n()}",
            lambda: f"NOT ({c} = {n()})",
            lambda: f"({c} = {n()}) IS NOT FALSE",
            lambda: f"({c} = {n()} OR {d} = {n()})",
            lambda: f"{c} BETWEEN {n()} AND 4",
            lambda: f"{c} = ANY(ARRAY[1, 2])",
            lambda: f"({c}, {d}) = (1, 2)",
            lambda: f"{c} < {d}",
            lambda: f"{c} IS NOT DISTINCT FROM {d}",
            lambda: f"coalesce({c}, 1) = {d}",
            lambda: f"({c}, {d}) IN ((1, 1), (2, 3))",
            lambda: f"{c} = ALL(ARRAY[2])",
            lambda: f"{c} + 0 = {d}",
        )()

    def subquery_condition(self, columns: list[str], depth: int, ctes: list) -> str:
        c = columns[0] if self.chance(0.7) else self.rng.choice(columns)
        query, n = self.query(depth - 1, columns, ctes, simple=True)
        a = self.alias()
        inside = f"(SELECT {a}.c{self.rng.randrange(n) + 1} FROM ({query}) {a})"
        linked = f"(SELECT 1 FROM ({query}) {a} WHERE {a}.c1 = {c})"
        t = self.pick("orders", "users", "lines", "ref")
        b = self.alias()
        k = COLUMNS[t][0] if self.chance(0.8) else self.rng.choice(COLUMNS[t])
        direct = (
            f"(SELECT {b}.{k} FROM {t} {b}"
            + (
                f" WHERE {self.condition([f'{b}.{x}' for x in COLUMNS[t]])}"
                if self.chance(0.4)
                else ""
            )
            + ")"
        )
        return self.pick(
            f"EXISTS {linked}",
            f"NOT EXISTS {linked}",
            f"{c} IN {inside}",
            f"{c} NOT IN {inside}",
            f"{c} IN {direct}",
            f"{c} NOT IN {direct}",
            f"{c} IN {direct}",
            f"({c} IN {direct}) IS NOT TRUE",
            f"({c} = 1 OR EXISTS {linked})",
            f"{c} = (SELECT max({a}.c1) FROM ({query}) {a} WHERE {a}.c1 = {c})",
            f"{c} >= ALL {direct}",
        )

    def query(
        self, depth: int, outer: list[str], ctes: list, simple: bool = False
    ) -> tuple[str, int]:
        if depth > 0 and not simple and self.chance(0.3):
            n = self.rng.randrange(1, 3)
            left, right = self.block(0, [], ctes, n), self.block(0, [], ctes, n)
            op = self.pick(
                "UNION",
                "UNION ALL",
                "INTERSECT",
                "EXCEPT",
                "EXCEPT ALL",
                "INTERSECT ALL",
                "UNION ALL",
            )
            columns = ", ".join(f"c{i + 1}" for i in range(n))
            return f"SELECT {columns} FROM (({left}) {op} ({right})) {self.alias()}", n
        n = self.rng.randrange(1, 4)
        return self.block(depth, outer, ctes, n, simple), n

    def block(self, depth: int, outer: list[str], ctes: list, n: int, simple: bool = False) -> str:
        text, columns = self.tree(depth, outer, ctes)
        where = []
        if outer and self.chance(0.75):
            o = outer[0] if self.chance(0.8) else self.rng.choice(outer)
            where.append(f"{columns[0] if self.chance(0.85) else self.rng.choice(columns)} = {o}")
        for _ in range(self.rng.choices([0, 1, 2], [4, 4, 2])[0]):
            where.append(self.condition(columns))
        if depth > 0 and self.chance(0.3):
            where.append(self.subquery_condition(columns, depth, ctes))
        condition = f" WHERE {' AND '.join(where)}" if where else ""
        firsts = [c for c in columns if c.rsplit(".", 1)[-1] in ("tenant_id", "a", "z", "c1")]

        def pick() -> str:
            if self.chance(0.4):
                return columns[0]
            return self.rng.choice(firsts if firsts and self.chance(0.5) else columns)

        shape = self.rng.choices(
            ["plain", "group", "distinct", "window", "total", "limit"], [12, 5, 2, 3, 1, 0.5]
        )[0]
        if shape == "group":
            keys = [pick() for _ in range(self.rng.randrange(1, 3))]
            items = [f"{keys[0]} AS c1"]
            for i in range(1, n):
                items.append(
                    f"{self.aggregate(pick)} AS c{i + 1}"
                    if self.chance(0.7)
                    else f"{self.rng.choice(keys)} AS c{i + 1}"
                )
            by = ", ".join(keys)
            if self.chance(0.2):
                by = f"GROUPING SETS (({', '.join(keys)}), ({keys[0]}))"
            elif self.chance(0.1):
                by = f"ROLLUP ({by})"
            having = f" HAVING {self.aggregate(pick)} > 1" if self.chance(0.2) else ""
            return f"SELECT {', '.join(items)} FROM {text}{condition} GROUP BY {by}{having}"
        if shape == "total":
            items = [f"{self.aggregate(pick)} AS c{i + 1}" for i in range(n)]
            return f"SELECT {', '.join(items)} FROM {text}{condition}"
        items = []
        for i in range(n):
            r = self.rng.random()
            c = pick()
            if r < 0.7:
                items.append(c)
            elif r < 0.78:
                items.append(f"coalesce({c}, {pick()})")
            elif r < 0.84:
                items.append(f"nullif({c}, {pick()})")
            elif r < 0.9 or depth == 0:
                items.append(f"{c} + 1")
            else:
                query, _ = self.query(0, columns, ctes, simple=True)
                a = self.alias()
                items.append(f"(SELECT count(*) FROM ({query}) {a})::int")
        if shape == "window":
            over = f"PARTITION BY {pick()}" + (f", {pick()}" if self.chance(0.3) else "")
            f = self.pick(
                f"count(*) OVER ({over})",
                f"max({pick()}) OVER ({over})",
                f"min({columns[0]}) OVER ({over})",
                f"dense_rank() OVER ({over} ORDER BY {pick()})",
                f"sum({pick()}) OVER ({over})",
            )
            items[-1] = f"({f})::int"
        items = [f"{e} AS c{i + 1}" for i, e in enumerate(items)]
        tail = ""
        if shape == "limit":
            order = ", ".join(str(i + 1) for i in range(n))
            tail = f" ORDER BY {order} LIMIT {self.rng.randrange(0, 6)}"
            if self.chance(0.4):
                tail += f" OFFSET {self.rng.randrange(1, 3)}"
        word = "SELECT DISTINCT" if shape == "distinct" else "SELECT"
        return f"{word} {', '.join(items)} FROM {text}{condition}{tail}"

    def aggregate(self, pick) -> str:
        return (
            self.pick(
                "count(*)",
                f"count({pick()})",
                f"sum({pick()})",
                f"min({pick()})",
                f"max({pick()})",
                f"count(DISTINCT {pick()})",
                f"sum({pick()}) FILTER (WHERE {pick()} = 2)",
                f"max({pick()}) - min({pick()})",
            )
            + "::int"
        )

    def analytic(self) -> str:
        """Aggregates as people write them, at the top: averages, ratios, HAVING, ORDER BY."""
        text, columns = self.tree(self.pick(0, 0, 1), [], [])
        pick = lambda: columns[0] if self.chance(0.4) else self.rng.choice(columns)  # noqa: E731
        where = ""
        if self.chance(0.5):
            conditions = [self.condition(columns) for _ in range(self.rng.randrange(1, 3))]
            where = f" WHERE {' AND '.join(conditions)}"
        if self.chance(0.2):
            where += (" AND " if where else " WHERE ") + self.subquery_condition(columns, 1, [])
        call = lambda: self.pick(  # noqa: E731
            f"avg({pick()})",
            f"sum({pick()})",
            f"count({pick()})",
            "count(*)",
            f"min({pick()})",
            f"max({pick()})",
            f"sum({pick()}) / count(*)",
            f"avg({pick()}) FILTER (WHERE {pick()} > 1)",
            f"sum({pick()} * 2)",
            f"count(DISTINCT {pick()})",
            f"bool_or({pick()} > 2)",
            f"coalesce(sum({pick()}), 0) + 1",
            f"sum(count(*)) OVER ()",
            f"stddev({pick()})",
        )
        keys = [self.pick(pick(), pick(), f"{pick()} % 2") for _ in range(self.rng.randrange(0, 3))]
        items = keys + [call() for _ in range(self.rng.randrange(1, 4))]
        sql = f"SELECT {', '.join(items)} FROM {text}{where}"
        if keys:
            sql += f" GROUP BY {', '.join(self.pick(k, str(i + 1)) for i, k in enumerate(keys))}"
        if self.chance(0.3):
            sql += f" HAVING {self.pick('count(*)', f'sum({pick()})', f'max({pick()})')} > 1"
        if self.chance(0.4):
            order = list(range(1, len(items) + 1))
            self.rng.shuffle(order)
            sql += " ORDER BY " + ", ".join(f"{i}{self.pick('', ' DESC')}" for i in order)
            if self.chance(0.4):
                sql += f" LIMIT {self.rng.randrange(1, 5)}"
        return sql

    def statement(self) -> str:
        if self.chance(0.25):
            return self.analytic()
        ctes = []
        text = []
        if self.chance(0.25):
            for i in range(self.rng.randrange(1, 3)):
                query, n = self.query(1, [], list(ctes))
                name = f"w{i + 1}"
                word = self.pick("", "", "", "MATERIALIZED ", "NOT MATERIALIZED ")
                text.append(f"{name} AS {word}({query})")
                ctes.append((name, [f"c{j + 1}" for j in range(n)]))
        query, n = self.query(self.rng.choices([0, 1, 2], [2, 5, 1])[0], [], ctes)
        if self.chance(0.3) and " LIMIT " not in query.rsplit(")", 1)[-1]:
            order = list(range(1, n + 1))
            self.rng.shuffle(order)
            query += " ORDER BY " + ", ".join(
                str(i) + self.pick("", " DESC", " NULLS FIRST", " DESC NULLS LAST") for i in order
            )
            if self.chance(0.5):
                query += f" LIMIT {self.rng.randrange(0, 8)} OFFSET {self.rng.randrange(0, 3)}"
        return (f"WITH {', '.join(text)} " if text else "") + query


# ---- carrying out a plan -------------------------------------------------------------------------


def compare_rows(order, a, b) -> int:
    for column, descending, nulls_first in order:
        x, y = a[column], b[column]
        if x == y:
            continue
        if x is None or y is None:
            return -1 if (x is None) == nulls_first else 1
        return (-1 if x < y else 1) * (-1 if descending else 1)
    return 0


def combine(kinds, rows, ungrouped):
    groups = collections.OrderedDict()
    if ungrouped:
        groups[()] = [0 if k == 1 else None for k in kinds]
    for row in rows:
        key = tuple(v for v, k in zip(row, kinds) if k == 0)
        into = groups.setdefault(
            key, [v if k == 0 else (0 if k == 1 else None) for v, k in zip(row, kinds)]
        )
        for i, (value, kind) in enumerate(zip(row, kinds)):
            if kind == 0 or value is None:
                continue
            old = into[i]
            into[i] = (
                value
                if old is None
                else {
                    1: lambda: old + value,
                    2: lambda: old + value,
                    3: lambda: min(old, value),
                    4: lambda: max(old, value),
                    5: lambda: old and value,
                    6: lambda: old or value,
                }[kind]()
            )
    return [tuple(r) for r in groups.values()]


async def on_schema(connection, schema: str, sql: str):
    await connection.execute(f"SET search_path = {schema}")
    return [tuple(r) for r in await connection.fetch(sql.replace('"public".', f'"{schema}".'))]


async def run_pull(connection, plan: dict):
    for step in plan["steps"]:
        await connection.execute("SET search_path = s1")
        like = step["like"].replace('"public".', '"s1".')
        await connection.execute(f'CREATE TEMP TABLE "{step["table"]}" AS {like} WITH NO DATA')
        if step["keys"]:
            keys = ", ".join(f'"{k}"' for k in step["keys"])
            await connection.execute(
                f'ALTER TABLE pg_temp."{step["table"]}" ADD PRIMARY KEY ({keys})'
            )
        for shard in step["shards"]:
            rows = await on_schema(connection, shard, step["sql"])
            if rows:
                await connection.copy_records_to_table(
                    step["table"], records=rows, schema_name="pg_temp"
                )
    return await on_schema(connection, "s1", plan["sql"])


async def run_plan(connection, plan: dict):
    if plan["kind"] == "forward":
        return await on_schema(connection, plan["shards"][0], plan["sql"])
    if plan["kind"] == "pull":
        try:
            return await run_pull(connection, plan)
        finally:
            for step in plan["steps"]:
                await connection.execute(f'DROP TABLE IF EXISTS pg_temp."{step["table"]}"')
    rows = []
    for shard in plan["shards"]:
        part = await on_schema(connection, shard, plan["sql"])
        if plan["order"] and not plan["combine"]:
            for a, b in zip(part, part[1:]):
                if compare_rows(plan["order"], a, b) > 0:
                    raise AssertionError(f"{shard} sends rows out of the merge's order: {a} {b}")
        rows += part
    if plan["combine"]:
        rows = combine(plan["combine"], rows, plan["ungrouped"])
    if plan["order"]:
        rows.sort(key=functools.cmp_to_key(lambda a, b: compare_rows(plan["order"], a, b)))
    if plan["distinct"]:
        rows = [
            r
            for i, r in enumerate(rows)
            if i == 0 or compare_rows(plan["order"], rows[i - 1], r) != 0
        ]
    rows = rows[plan["offset"] :]
    if plan["limit"] is not None:
        rows = rows[: plan["limit"]]
    if plan["hidden"]:
        rows = [r[: -plan["hidden"]] for r in rows]
    return rows


def bag(rows):
    return sorted((tuple(map(repr, r)) for r in rows))


async def attempt(coroutine):
    try:
        return await coroutine
    except asyncpg.PostgresError as e:
        return e


def same(expected, got, ordered: bool) -> bool:
    if isinstance(expected, Exception) or isinstance(got, Exception):
        # Whether a division or a second row is reached may depend on the plan.
        return isinstance(expected, Exception) and isinstance(got, Exception)
    return expected == got if ordered else bag(expected) == bag(got)


async def check(args) -> int:
    probe = Probe(args.probe)
    counts = collections.Counter()
    refusals = collections.Counter()
    rejected = collections.Counter()
    with Server("probe", icu=False) as server:
        connection = await asyncpg.connect(
            host="127.0.0.1",
            port=server.port,
            user="postgres",
            database="postgres",
            statement_cache_size=0,
        )
        await connection.execute("SET statement_timeout = '20s'; SET enable_mergejoin = on")
        for i in range(args.count):
            seed = args.seed * 1_000_003 + i
            rng = random.Random(seed)
            if i % 25 == 0:
                await load(connection, probe, rng)
            sql = Writer(rng).statement()
            expected = await attempt(on_schema(connection, "public", sql))
            if isinstance(
                expected,
                (
                    asyncpg.PostgresSyntaxError,
                    asyncpg.GroupingError,
                    asyncpg.UndefinedColumnError,
                    asyncpg.AmbiguousColumnError,
                    asyncpg.DatatypeMismatchError,
                    asyncpg.UndefinedFunctionError,
                    asyncpg.FeatureNotSupportedError,
                    asyncpg.InvalidColumnReferenceError,
                    asyncpg.InvalidTextRepresentationError,
                ),
            ):
                counts["rejected by PostgreSQL"] += 1
                rejected[str(expected)[:60]] += 1
                continue
            plan = probe.plan(sql)
            counts[plan["kind"]] += 1
            if plan["kind"] == "error":
                refusals[plan["detail"][:60] or plan["message"][:60]] += 1
                if not plan["detail"].startswith("SH") and not isinstance(expected, Exception):
                    counts["different"] += 1
                    if counts["different"] <= 5:
                        print(f"WRONG ERROR {plan}\n  {sql}\n  seed {args.seed} statement {i}")
                continue
            if plan["kind"] == "other":
                continue
            ordered = " ORDER BY " in sql.rsplit(")", 1)[-1]
            got = await attempt(run_plan(connection, plan))
            if same(expected, got, ordered):
                continue
            # PostgreSQL contradicts itself on merge joins over grouping sets.
            await connection.execute("SET enable_mergejoin = off")
            again = await attempt(on_schema(connection, "public", sql))
            retry = await attempt(run_plan(connection, plan))
            await connection.execute("SET enable_mergejoin = on")
            if not same(expected, again, ordered) and same(again, retry, ordered):
                counts["PostgreSQL contradicts itself"] += 1
                continue
            counts["different"] += 1
            if args.stop:
                break
            if counts["different"] <= 5:
                print(
                    f"DIFFERENT (seed {args.seed} statement {i}):\n  {sql}\n"
                    f"  expected {expected!r}\n  got      {got!r}"
                )
                print("  plan " + json.dumps(plan, indent=1))
        await connection.close()
    print(dict(counts))
    if args.verbose:
        for reason, n in rejected.most_common(12):
            print(f"  rejected {n}: {reason}")
    for reason, n in refusals.most_common(12):
        print(f"  refused {n}: {reason}")
    return 1 if counts["different"] else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--stop", action="store_true", help="end at the first difference")
    parser.add_argument("--probe", default="build/release/plan_probe")
    return asyncio.run(check(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
