"""Random SQL with one right answer: queries and writes over sharded, reference and single tables.

Everything here must be deterministic on PostgreSQL itself: LIMIT only under an order of all output
columns, windows whose value does not depend on the order of ties, aggregates with their own total
order, numerics of one scale (1.0 and 1.00 are equal but not the same text). No expression raises
an error that depends on the order of evaluation.

Constants are marked, so that `render` can write them as literals or as parameters.
"""

from __future__ import annotations

import dataclasses
import functools
import random
import re

KEYS = [1, 2, 3, 4, 5, 6, 7, -3, 100]
TENANTS = ["acme", "Acme", "bolt", "", "émile", "zz"]
TEXTS = ["a", "A", "b", "Bb", "é", "z z", "10", "9", ""]
DATES = ["2024-01-01", "2024-02-29", "2023-12-31", "2025-06-15"]
NUMBERS = ["0.00", "1.50", "2.25", "-3.10", "99.99"]

# name -> (columns, key column, kind)
TABLES = {
    "a": (
        {
            "k": "int",
            "id": "int",
            "x": "int",
            "y": "int",
            "t": "text",
            "n": "numeric",
            "b": "bool",
            "d": "date",
        },
        "k",
        "sharded",
    ),
    "b": (
        {"k": "int", "id": "int", "x": "int", "y": "int", "t": "text", "n": "numeric"},
        "k",
        "sharded",
    ),
    "c": ({"k": "int", "id": "int", "x": "int", "t": "text", "b": "bool"}, "k", "sharded"),
    "e": ({"s": "text", "id": "int", "x": "int", "t": "text"}, "s", "sharded"),
    "r1": ({"id": "int", "x": "int", "t": "text"}, None, "reference"),
    "r2": ({"id": "int", "y": "int", "n": "numeric"}, None, "reference"),
    "h": ({"id": "int", "k": "int", "x": "int", "t": "text"}, None, "single"),
}
SQL_TYPES = {
    "int": "int",
    "bigint": "bigint",
    "text": "text",
    "numeric": "numeric(10,4)",
    "bool": "boolean",
    "date": "date",
}


def mark(value, sql_type: str) -> str:
    return f"\x01{'' if value is None else value}\x02{sql_type}\x03"


def render(text: str, chooser: random.Random | None) -> tuple[str, list | None]:
    """Constants as literals, or, where the chooser says so, as parameters."""
    sql, parameters, _ = render_typed(text, chooser)
    return sql, parameters


def render_typed(text: str, chooser: random.Random | None) -> tuple[str, list | None, list[str]]:
    """The same, with the parameters' types. A type with `?` is left to the server to find.

    One constant is written in one way throughout: what an aggregate takes and what it sorts by stay
    the same expression when other values are bound."""
    parameters: list = []
    types: list[str] = []

    @functools.cache
    def written(value: str, sql_type: str) -> str:
        bare, sql_type = sql_type.endswith("?"), sql_type.rstrip("?")
        if chooser and chooser.random() < 0.5 and sql_type != "bool":
            parameters.append(None if chooser.random() < 0.04 else value)
            types.append(sql_type)
            cast = "" if bare else f"::{SQL_TYPES.get(sql_type, sql_type)}"
            return f"${len(parameters)}{cast}"
        if sql_type in ("text",):
            return "'" + value.replace("'", "''") + "'"
        if sql_type == "date":
            return f"date '{value}'"
        return f"({value})" if value.startswith("-") else value

    sql = re.sub("\x01([^\x02]*)\x02([^\x03]*)\x03", lambda m: written(*m.groups()), text)
    return sql, parameters or None, types


def other_values(types: list[str], chance: random.Random) -> list:
    """Parameters for the same text once more: a plan that was kept must not keep the old ones."""
    pools = {
        "int": KEYS + [0, 1, 2, 3, 10],
        "bigint": [0, 1, 5, 20],
        "text": TENANTS + TEXTS,
        "numeric": NUMBERS,
        "date": DATES,
    }
    return [None if chance.random() < 0.1 else str(chance.choice(pools[t])) for t in types]


@dataclasses.dataclass
class Select:
    """One query block or a set operation; what can be left out stands in lists."""

    items: list[tuple[str, str]] = dataclasses.field(default_factory=list)  # expression, type
    source: str = ""
    where: list[str] = dataclasses.field(default_factory=list)
    group: str = ""
    having: list[str] = dataclasses.field(default_factory=list)
    distinct: str = ""
    tail: str = ""
    ctes: list[tuple[str, str]] = dataclasses.field(
        default_factory=list
    )  # "name(columns) AS", query
    columns: list[tuple[str, str]] = dataclasses.field(default_factory=list)  # what FROM offers
    arms: list["Select"] = dataclasses.field(default_factory=list)
    operator: str = ""

    def types(self) -> list[str]:
        return self.arms[0].types() if self.arms else [t for _, t in self.items]

    def sql(self) -> str:
        head = ("WITH " + ", ".join(f"{n} ({q})" for n, q in self.ctes) + " ") if self.ctes else ""
        if self.arms:
            body = f" {self.operator} ".join(f"({arm.sql()})" for arm in self.arms)
            return head + body + self.tail
        items = ", ".join(f"{expr} AS c{i}" for i, (expr, _) in enumerate(self.items, 1))
        text = f"SELECT {self.distinct}{items}"
        text += f" FROM {self.source}" if self.source else ""
        text += " WHERE " + " AND ".join(self.where) if self.where else ""
        text += f" GROUP BY {self.group}" if self.group else ""
        text += " HAVING " + " AND ".join(self.having) if self.having else ""
        return head + text + self.tail

    def smaller(self):
        """Variants of this query with one part left out, for finding the part that matters."""
        yield from self.arms
        if self.tail:
            yield dataclasses.replace(self, tail="")
        for name in ("where", "having", "ctes"):
            parts = getattr(self, name)
            for i in range(len(parts)):
                yield dataclasses.replace(self, **{name: parts[:i] + parts[i + 1 :]})
        if self.distinct:
            yield dataclasses.replace(self, distinct="")
        if not self.tail and len(self.items) > 1:
            for i in range(len(self.items)):
                yield dataclasses.replace(self, items=self.items[:i] + self.items[i + 1 :])


class Scope:
    """Columns that can be named: (text, type), with those of outer queries apart."""

    def __init__(self, columns: list[tuple[str, str]], outer: "Scope | None" = None):
        self.columns = columns
        self.outer = outer

    def of_type(self, sql_type: str) -> list[str]:
        return [c for c, t in self.columns if t == sql_type]


class Grammar:
    """Makes statements from one seeded source of chance."""

    def __init__(self, chance: random.Random):
        self.chance = chance
        self.next_alias = 0
        self.next_id = 1000
        self.ctes: list[tuple[str, list[tuple[str, str]]]] = []

    # -- small words -------------------------------------------------------------------------------
    def maybe(self, share: float) -> bool:
        return self.chance.random() < share

    def pick(self, options):
        return self.chance.choice(options)

    def alias(self) -> str:
        self.next_alias += 1
        return f"q{self.next_alias}"

    def constant(self, sql_type: str, key: bool = False) -> str:
        values = {
            "int": KEYS if key else [0, 1, 2, 3, 5, 7, 10, -3],
            "bigint": [0, 1, 5, 20],
            "text": TENANTS if key else TEXTS,
            "numeric": NUMBERS,
            "date": DATES,
            "bool": ["true", "false"],
        }[sql_type]
        return mark(self.pick(values), sql_type)

    # -- expressions -------------------------------------------------------------------------------
    def column(self, scope: Scope, sql_type: str) -> str | None:
        options = scope.of_type(sql_type)
        if scope.outer and self.maybe(0.25):
            options = scope.outer.of_type(sql_type) or options
        return self.pick(options) if options else None

    def expression(self, scope: Scope, sql_type: str, depth: int = 2) -> str:
        column = self.column(scope, sql_type)
        if column and (depth <= 0 or self.maybe(0.6)):
            return column
        if depth <= 0 or self.maybe(0.15):
            return self.constant(sql_type)
        return self.compound(scope, sql_type, depth - 1)

    def compound(self, scope: Scope, sql_type: str, depth: int) -> str:
        make = lambda t: self.expression(scope, t, depth)
        if self.maybe(0.15):
            return (
                f"CASE WHEN {self.condition(scope, depth)} THEN {make(sql_type)} ELSE"
                f" {make(sql_type)} END"
            )
        if self.maybe(0.2):
            return f"coalesce({make(sql_type)}, {self.constant(sql_type)})"
        if sql_type == "int":
            return self.pick(
                [
                    lambda: f"({make('int')} + {make('int')})",
                    lambda: f"length({make('text')})",
                    lambda: f"({make('int')} % 3)",
                    lambda: f"abs({make('int')})",
                    lambda: f"nullif({make('int')}, {self.constant('int')})",
                    lambda: f"greatest({make('int')}, {make('int')})",
                ]
            )()
        if sql_type == "bigint":
            return f"({make('int')})::bigint"
        if sql_type == "text":
            return self.pick(
                [
                    lambda: f"lower({make('text')})",
                    lambda: f"({make('text')} || {make('text')})",
                    lambda: f"({make('int')})::text",
                    lambda: f"upper({make('text')})",
                ]
            )()
        if sql_type == "numeric":
            return self.pick(
                [
                    lambda: f"({make('numeric')} + {make('numeric')})::numeric(10,4)",
                    lambda: f"({make('int')})::numeric(10,4)",
                ]
            )()
        if sql_type == "date":
            return f"({make('date')} + {self.constant('int')})"
        return f"({self.condition(scope, depth)})"

    def condition(self, scope: Scope, depth: int = 2) -> str:
        roll = self.chance.random()
        sql_type = self.pick(["int", "int", "int", "text", "numeric"])
        left = self.expression(scope, sql_type, min(depth, 1))
        if depth > 0 and roll < 0.1:
            return f"({self.condition(scope, depth - 1)} OR {self.condition(scope, depth - 1)})"
        if depth > 0 and roll < 0.15:
            return f"NOT ({self.condition(scope, depth - 1)})"
        if depth > 1 and roll < 0.32:
            return self.subquery_condition(scope, depth - 1)
        if roll < 0.4:
            return f"{left} IS {self.pick(['NULL', 'NOT NULL'])}"
        if roll < 0.5:
            values = [self.constant(sql_type) for _ in range(self.chance.randint(1, 3))]
            if self.maybe(0.1):
                values.append("NULL")
            return f"{left} {self.pick(['IN', 'NOT IN'])} ({', '.join(values)})"
        if roll < 0.55:
            return f"{left} BETWEEN {self.constant(sql_type)} AND {self.constant(sql_type)}"
        if roll < 0.6:
            return (
                f"({left} = {self.constant(sql_type)}) IS"
                f" {self.pick(['TRUE', 'FALSE', 'UNKNOWN', 'NOT TRUE'])}"
            )
        if roll < 0.65:
            return (
                f"{left} IS {self.pick(['', 'NOT '])}DISTINCT FROM"
                f" {self.expression(scope, sql_type, 0)}"
            )
        operator = self.pick(["=", "<>", "<>", "<", "<=", ">=", ">"])
        right = self.expression(scope, sql_type, 0) if self.maybe(0.5) else self.constant(sql_type)
        return f"{left} {operator} {right}"

    def key_condition(self, scope: Scope) -> str | None:
        """A condition on what looks like a shard key."""
        keys = [(c, t) for c, t in scope.columns if c.endswith((".k", ".s"))]
        if not keys:
            return None
        column, sql_type = self.pick(keys)
        value = lambda: self.constant(sql_type, key=True)
        return self.pick(
            [
                lambda: f"{column} = {value()}",
                lambda: f"{column} = {value()}",
                lambda: f"{value()} = {column}",
                lambda: f"{column} IN ({value()}, {value()})",
                lambda: f"{column} = ANY (ARRAY[{value()}, {value()}])",
                lambda: f"({column} = {value()} OR {column} = {value()})",
                lambda: f"{column} <> {value()}",
            ]
        )()

    def subquery_condition(self, scope: Scope, depth: int) -> str:
        kind = self.pick(["exists", "not exists", "in", "not in", "scalar"])
        if kind == "scalar":
            inner = self.block(scope, depth, ["int"], aggregate=True)
            return (
                f"{self.expression(scope, 'int', 0)} {self.pick(['=', '<', '>='])} ({inner.sql()})"
            )
        if "exists" in kind:
            inner = self.block(scope, depth, [self.pick(["int", "text"])], correlate=True)
            return f"{kind.upper()} ({inner.sql()})"
        sql_type = self.pick(["int", "text"])
        inner = self.block(scope, depth, [sql_type], correlate=self.maybe(0.4))
        left = self.expression(scope, sql_type, 0)
        keys = [c for c, t in scope.columns if t == sql_type and c.endswith((".k", ".s"))]
        if keys and self.maybe(0.5):
            left = self.pick(keys)
        return f"{left} {kind.upper()} ({inner.sql()})"

    # -- FROM --------------------------------------------------------------------------------------
    def relation(self, scope: Scope | None, depth: int) -> tuple[str, list[tuple[str, str]]]:
        alias = self.alias()
        if self.ctes and self.maybe(0.4):
            name, columns = self.pick(self.ctes)
            return f"{name} AS {alias}", [(f"{alias}.{c}", t) for c, t in columns]
        if depth > 0 and self.maybe(0.2):
            inner = self.query(None, depth - 1)
            names = self.rename(inner.types())
            return f"({inner.sql()}) AS {alias}({', '.join(names)})", [
                (f"{alias}.{c}", t) for c, t in zip(names, inner.types())
            ]
        if self.maybe(0.04):
            rows = ", ".join(
                f"({self.constant('int', True)}, {self.constant('text')})" for _ in range(3)
            )
            return f"(VALUES {rows}) AS {alias}(k, t)", [
                (f"{alias}.k", "int"),
                (f"{alias}.t", "text"),
            ]
        table = self.pick(["a", "a", "b", "b", "c", "e", "r1", "r2", "h"])
        columns = TABLES[table][0]
        return f"{table} AS {alias}", [(f"{alias}.{c}", t) for c, t in columns.items()]

    def rename(self, types: list[str]) -> list[str]:
        """Output names of a derived table: sometimes the key's name, for whatever column."""
        names = [f"f{i}" for i in range(len(types))]
        if "int" in types and self.maybe(0.6):
            names[self.pick([i for i, t in enumerate(types) if t == "int"])] = "k"
        return names

    def source(self, scope: Scope | None, depth: int) -> tuple[str, list[tuple[str, str]]]:
        text, columns = self.relation(scope, depth)
        for _ in range(self.pick([0, 0, 1, 1, 1, 2])):
            right, more = self.relation(scope, depth)
            kind = self.pick(
                [
                    "JOIN",
                    "JOIN",
                    "JOIN",
                    "LEFT JOIN",
                    "LEFT JOIN",
                    "RIGHT JOIN",
                    "FULL JOIN",
                    "CROSS JOIN",
                ]
            )
            if kind == "CROSS JOIN":
                # A product of many rows says nothing; one side is made small.
                right = f"(SELECT * FROM {right} WHERE {self.small(more)}) AS {self.alias()}"
                alias = right.rsplit(" ", 1)[1]
                more = [(f"{alias}.{c.split('.')[1]}", t) for c, t in more]
                text = f"{text} CROSS JOIN {right}"
            else:
                text = f"{text} {kind} {right} ON {self.on(columns, more, kind)}"
            columns = columns + more
        return text, columns

    def small(self, columns: list[tuple[str, str]]) -> str:
        ints = [c for c, t in columns if t == "int"]
        return f"{self.pick(ints)} = {self.constant('int')}" if ints else "false"

    def on(self, left, right, kind: str) -> str:
        pairs = [(l, r) for l, lt in left for r, rt in right if lt == rt and lt in ("int", "text")]
        keys = [(l, r) for l, r in pairs if l.endswith((".k", ".s")) and r.endswith((".k", ".s"))]
        if not pairs:
            return "true" if kind != "FULL JOIN" else "false"
        parts = []
        if keys and self.maybe(0.65):
            parts.append("%s = %s" % self.pick(keys))
        if not parts or self.maybe(0.3):
            parts.append("%s = %s" % self.pick(pairs))
        if kind != "FULL JOIN" and self.maybe(0.25):
            parts.append(self.condition(Scope(left + right), 0))
        if kind != "FULL JOIN" and self.maybe(0.15):
            parts.append(self.key_condition(Scope(self.pick([left, right]))) or "true")
        return " AND ".join(parts)

    # -- query blocks ------------------------------------------------------------------------------
    def block(
        self,
        outer: Scope | None,
        depth: int,
        types: list[str],
        aggregate: bool = False,
        correlate: bool = False,
    ) -> Select:
        """One block with the wanted output types."""
        source, columns = self.source(None, depth)
        scope = Scope(columns, outer)
        select = Select(source=source, where=self.conjuncts(scope, depth), columns=columns)
        if correlate and outer:
            pairs = [
                (l, r)
                for l, lt in columns
                for r, rt in outer.columns
                if lt == rt and lt in ("int", "text")
            ]
            keys = [
                (l, r) for l, r in pairs if l.endswith((".k", ".s")) and r.endswith((".k", ".s"))
            ]
            if keys and self.maybe(0.7):
                select.where.append("%s = %s" % self.pick(keys))
            elif pairs:
                select.where.append("%s = %s" % self.pick(pairs))
        inner = Scope(columns)
        if aggregate:
            select.items = [(self.aggregate(inner, t), t) for t in types]
        else:
            select.items = [(self.expression(inner, t, 1), t) for t in types]
        return select

    def conjuncts(self, scope: Scope, depth: int) -> list[str]:
        parts = []
        if self.maybe(0.25) and (condition := self.key_condition(scope)):
            parts.append(condition)
        for _ in range(self.pick([0, 0, 1, 1, 2])):
            parts.append(self.condition(scope, depth))
        return parts

    def aggregate(self, scope: Scope, sql_type: str) -> str:
        argument = lambda t: self.expression(scope, t, 1)
        distinct = "DISTINCT " if self.maybe(0.2) else ""
        filtered = f" FILTER (WHERE {self.condition(scope, 0)})" if self.maybe(0.15) else ""
        if sql_type == "int":
            return self.pick(
                [
                    lambda: f"min({argument('int')}){filtered}",
                    lambda: f"max({argument('int')}){filtered}",
                    lambda: f"count({distinct}{argument('int')})::int",
                ]
            )()
        if sql_type == "bigint":
            return self.pick(
                [
                    lambda: f"count(*){filtered}",
                    lambda: f"count({distinct}{argument('text')}){filtered}",
                    lambda: f"sum({distinct}{argument('int')}){filtered}",
                ]
            )()
        if sql_type == "numeric":
            return self.pick(
                [
                    lambda: f"round(avg({distinct}{argument('int')}){filtered}, 4)::numeric(18,4)",
                    lambda: f"sum({argument('numeric')}){filtered}::numeric(18,4)",
                    lambda: f"max({argument('numeric')}){filtered}::numeric(18,4)",
                    lambda: f"round(stddev({argument('int')}){filtered}, 4)::numeric(18,4)",
                ]
            )()
        if sql_type == "bool":
            return f"{self.pick(['bool_and', 'bool_or'])}({argument('bool')}){filtered}"
        if sql_type == "text":
            value = argument("text")
            return self.pick(
                [
                    f"min({value}){filtered}",
                    f"max({value}){filtered}",
                    f"string_agg({value}, ',' ORDER BY {value}){filtered}",
                ]
            )
        return f"{self.pick(['min', 'max'])}({argument('date')}){filtered}"

    def some_types(self) -> list[str]:
        return [
            self.pick(["int", "int", "int", "text", "text", "numeric", "bool", "date"])
            for _ in range(self.chance.randint(1, 4))
        ]

    def output(self, expression: str, sql_type: str) -> tuple[str, str]:
        """Numerics get one scale, so that equal values are one text."""
        return (f"({expression})::numeric(18,4)" if sql_type == "numeric" else expression), sql_type

    def query(self, outer: Scope | None, depth: int) -> Select:
        roll = self.chance.random()
        if depth > 0 and roll < 0.14:
            return self.set_operation(depth - 1)
        if roll < 0.34:
            return self.grouped(depth)
        if roll < 0.44:
            types = [
                self.pick(["int", "bigint", "numeric", "text", "bool"])
                for _ in range(self.chance.randint(1, 3))
            ]
            return self.block(outer, depth, types, aggregate=True)
        if roll < 0.54:
            return self.windowed(depth)
        select = self.block(outer, depth, self.some_types())
        select.items = [self.output(e, t) for e, t in select.items]
        if depth > 1 and self.maybe(0.12):
            inner = self.block(
                Scope(select.columns), 1, ["int"], aggregate=True, correlate=self.maybe(0.8)
            )
            select.items.append((f"({inner.sql()})", "int"))
        if self.maybe(0.12):
            select.distinct = "DISTINCT "
        elif self.maybe(0.05):
            select.distinct = "DISTINCT ON (1) "
            select.tail = " ORDER BY " + ", ".join(str(i) for i in range(1, len(select.items) + 1))
            return select
        self.ordered(select)
        return select

    def ordered(self, select: Select) -> None:
        """Sometimes an order over all columns, and only then LIMIT and OFFSET."""
        if not self.maybe(0.35):
            return
        count = len(select.types())
        positions = self.chance.sample(range(1, count + 1), count)
        terms = [
            f"{p}{self.pick(['', '', ' DESC', ' NULLS FIRST', ' DESC NULLS LAST'])}"
            for p in positions
        ]
        select.tail = " ORDER BY " + ", ".join(terms)
        if self.maybe(0.5):
            select.tail += f" LIMIT {self.pick([0, 1, 3, 5, 8, 20])}"
        if self.maybe(0.25):
            select.tail += f" OFFSET {self.chance.randint(0, 4)}"

    def grouped(self, depth: int) -> Select:
        source, columns = self.source(None, depth)
        scope = Scope(columns)
        select = Select(source=source, where=self.conjuncts(scope, depth), columns=columns)
        plain = [(c, t) for c, t in columns if t in ("int", "text", "bool", "date")] or columns
        keys = self.chance.sample(plain, min(len(plain), self.chance.randint(1, 2)))
        shard_keys = [(c, t) for c, t in plain if c.endswith((".k", ".s"))]
        if shard_keys and self.maybe(0.4):
            keys[0] = self.pick(shard_keys)
        keys = list(dict.fromkeys(keys))
        select.group = ", ".join(c for c, _ in keys)
        if self.maybe(0.12):
            kind = self.pick(["ROLLUP", "CUBE"])
            select.group = f"{kind} ({select.group})"
        wanted = [
            self.pick(["int", "bigint", "numeric", "text"])
            for _ in range(self.chance.randint(1, 2))
        ]
        select.items = list(keys) + [self.output(self.aggregate(scope, t), t) for t in wanted]
        if self.maybe(0.3):
            select.having = [
                f"{self.aggregate(scope, 'bigint')} > {mark(self.pick([0, 1, 2, 5]), 'bigint')}"
            ]
        self.ordered(select)
        return select

    def windowed(self, depth: int) -> Select:
        source, columns = self.source(None, depth)
        scope = Scope(columns)
        select = Select(source=source, where=self.conjuncts(scope, depth), columns=columns)
        plain = [(c, t) for c, t in columns if t in ("int", "text")] or columns
        select.items = [(c, t) for c, t in self.chance.sample(plain, min(2, len(plain)))]
        partition = f"PARTITION BY {self.pick(plain)[0]} " if self.maybe(0.7) else ""
        order = f"ORDER BY {self.pick(plain)[0]}{self.pick(['', ' DESC'])}"
        over = f"OVER ({partition}{order})" if self.maybe(0.8) else f"OVER ({partition.strip()})"
        ranked = [("rank()", "bigint"), ("dense_rank()", "bigint")] if "ORDER" in over else []
        function, sql_type = self.pick(
            ranked
            + [
                ("count(*)", "bigint"),
                (f"sum({self.expression(scope, 'int', 0)})", "bigint"),
                (f"max({self.expression(scope, 'int', 0)})", "int"),
                (f"min({self.expression(scope, 'text', 0)})", "text"),
            ]
        )
        select.items.append((f"{function} {over}", sql_type))
        self.ordered(select)
        return select

    def set_operation(self, depth: int) -> Select:
        types = [self.pick(["int", "int", "text"]) for _ in range(self.chance.randint(1, 2))]
        arms = []
        for _ in range(self.pick([2, 2, 3])):
            arm = self.block(None, depth, types)
            keys = [c for c, t in arm.columns if t == types[0] and c.endswith((".k", ".s"))]
            if keys and self.maybe(0.6):
                arm.items[0] = (self.pick(keys), types[0])
            arms.append(arm)
        operator = self.pick(
            [
                "UNION",
                "UNION",
                "UNION ALL",
                "UNION ALL",
                "INTERSECT",
                "EXCEPT",
                "INTERSECT ALL",
                "EXCEPT ALL",
            ]
        )
        select = Select(arms=arms, operator=operator)
        self.ordered(select)
        return select

    def select(self) -> Select:
        """A whole statement, sometimes with CTEs."""
        self.next_alias, self.ctes = 0, []
        made = []
        if self.maybe(0.15):
            for i in range(self.pick([1, 1, 2])):
                inner = self.query(None, 1)
                names = self.rename(inner.types())
                how = self.pick(["AS", "AS", "AS", "AS MATERIALIZED"])
                made.append((f"w{i}({', '.join(names)}) {how}", inner.sql()))
                self.ctes.append((f"w{i}", list(zip(names, inner.types()))))
        statement = self.query(None, 2)
        statement.ctes = made + statement.ctes
        self.ctes = []
        return statement

    # -- writes ------------------------------------------------------------------------------------
    def fresh_id(self) -> int:
        self.next_id += 1
        return self.next_id

    def row(self, table: str) -> list[str]:
        columns, key, _ = TABLES[table]
        values = []
        for name, sql_type in columns.items():
            if name == "id":
                values.append(mark(self.fresh_id(), "int"))
            elif name == key:
                values.append(self.constant(sql_type, key=True))
            else:
                values.append("NULL" if self.maybe(0.2) else self.constant(sql_type))
        return values

    def write(self) -> tuple[str, str]:
        """One INSERT, UPDATE or DELETE and the table it changes."""
        self.next_alias, self.ctes = 0, []
        table = self.pick(["a", "a", "b", "b", "c", "e", "r1", "h"])
        columns, key, kind = TABLES[table]
        scope = Scope([(f"{table}.{c}", t) for c, t in columns.items()])
        returning = f" RETURNING {', '.join(columns)}" if self.maybe(0.4) else ""
        roll = self.chance.random()
        if roll < 0.4:
            rows = ", ".join(
                f"({', '.join(self.row(table))})" for _ in range(self.pick([1, 1, 2, 4]))
            )
            return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {rows}{returning}", table
        if roll < 0.55:
            return self.insert_select(table, returning), table
        if roll < 0.8:
            return self.update(table, scope, returning), table
        where = [
            f"{table}.id % 7 = {mark(self.chance.randint(0, 6), 'int')}",
            *self.conjuncts(scope, 1),
        ]
        return f"DELETE FROM {table} WHERE {' AND '.join(where)}{returning}", table

    def insert_select(self, table: str, returning: str) -> str:
        columns = TABLES[table][0]
        other = self.pick([t for t in TABLES if set(columns) <= set(TABLES[t][0])] or [table])
        first = self.fresh_id()
        self.next_id += 1000
        chosen = [f"o.id + {mark(first, 'int')}" if c == "id" else f"o.{c}" for c in columns]
        limit = mark(self.chance.randint(0, 6), "int")
        return (
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(chosen)} FROM {other} AS"
            f" o WHERE o.id < 1000 AND o.id % 7 = {limit}{returning}"
        )

    def update(self, table: str, scope: Scope, returning: str) -> str:
        columns, key, _ = TABLES[table]
        free = [c for c in columns if c not in ("id", key)]
        target = self.pick(free)
        # Values stay small, so that no later statement overflows.
        bound = {"int": "({}) % 100", "numeric": "({}) % 100.00", "text": "left({}, 12)"}
        value = bound.get(columns[target], "{}").format(self.expression(scope, columns[target], 1))
        where = self.conjuncts(scope, 1)
        source = ""
        if self.maybe(0.3) and columns[target] == "int":
            other = self.pick(["a", "b", "r1"])
            join = (
                "s.id = {0}.id" if other == "r1" or key != "k" else "s.id = {0}.id AND s.k = {0}.k"
            )
            if other == "r1" or key == "k":
                source = f" FROM {other} AS s"
                where.insert(0, join.format(table))
                value = f"coalesce(s.x, {mark(0, 'int')}) + {mark(1, 'int')}"
                returning = ""
        clause = " WHERE " + " AND ".join(where) if where else ""
        return f"UPDATE {table} SET {target} = {value}{source}{clause}{returning}"


def setup(chance: random.Random) -> list[str]:
    """Statements that make the tables and fill them: NULLs, ties, keys without partners."""
    statements = []
    for name, (columns, key, kind) in TABLES.items():
        primary = f"{key}, id" if key else "id"
        types = {**SQL_TYPES, "numeric": "numeric(8,2)"}
        body = ", ".join(f"{c} {types[t]}" for c, t in columns.items())
        statements.append(f"CREATE TABLE {name} ({body}, PRIMARY KEY ({primary}))")
        if kind == "sharded":
            statements.append(f"SELECT create_distributed_table('{name}', '{key}')")
        elif kind == "reference":
            statements.append(f"SELECT create_reference_table('{name}')")
    grammar = Grammar(chance)
    for name in TABLES:
        grammar.next_id = 0
        rows = []
        for _ in range(30 if TABLES[name][2] == "sharded" else 6):
            rows.append("(" + ", ".join(grammar.row(name)) + ")")
        statements.append(render(f"INSERT INTO {name} VALUES {', '.join(rows)}", None)[0])
    return statements
