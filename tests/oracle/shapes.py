"""Statement shapes that the grammar of query blocks does not reach: LATERAL, chains of outer joins,
recursion, nested set operations, quantified comparisons, views, functions, and writes that read.

The rules of grammar.py hold here too: one right answer on PostgreSQL itself.
"""

from __future__ import annotations

import random

from .grammar import KEYS, Grammar, Select, mark, setup

OBJECTS = [
    "CREATE VIEW va AS SELECT k, id, x, t FROM a WHERE x IS NOT NULL",
    "CREATE VIEW vg AS SELECT k, count(*)::int AS id, max(x) AS x, min(t) AS t FROM b GROUP BY k",
    "CREATE VIEW vt AS SELECT sum(x)::int AS k, count(*)::int AS id, max(y) AS x, t FROM a"
    " GROUP BY t",
    "CREATE VIEW vu AS SELECT k, id, x, t FROM a UNION ALL SELECT k, id, x, t FROM c",
    "CREATE FUNCTION dbl(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2'",
    "CREATE FUNCTION tag(text) RETURNS text LANGUAGE sql STABLE AS 'SELECT lower($1) || ''!'''",
    "CREATE FUNCTION up(v int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN v + 1; END $$",
    "CREATE FUNCTION total() RETURNS bigint LANGUAGE sql STABLE AS"
    " 'SELECT count(*) FROM public.a'",
]
KEYED = ["a", "b", "c", "va", "vu"]  # relations with k, id, x, t; k is the shard key
ALIKE = [*KEYED, "vg", "vt", "h"]  # relations with these columns, whatever they are


def objects(chance: random.Random) -> list[str]:
    return setup(chance) + OBJECTS


class Text:
    """A query that is not made smaller."""

    def __init__(self, text: str):
        self.text = text
        self.ctes: list = []

    def sql(self) -> str:
        return self.text

    def smaller(self):
        return iter(())


class Shapes(Grammar):
    """The grammar, with one statement in four of another shape."""

    def select(self) -> Select | Text:
        if self.maybe(0.75):
            return super().select()
        self.next_alias, self.ctes = 0, []
        shape = self.pick(
            [
                self.lateral,
                self.chain,
                self.using,
                self.scalars,
                self.nested_sets,
                self.best_of,
                self.recursive,
                self.quantified,
                self.sets,
                self.twice,
                self.functions,
                self.series,
                self.ungrouped,
                self.several_windows,
            ]
        )
        return Text(shape())

    # -- parts -------------------------------------------------------------------------------------
    def limit(self) -> str:
        text = f" LIMIT {mark(self.pick([0, 1, 2, 5, 9]), 'int')}" if self.maybe(0.6) else ""
        return text + (f" OFFSET {mark(self.pick([0, 1, 3]), 'int')}" if self.maybe(0.3) else "")

    def key(self) -> str:
        return mark(self.pick(KEYS), "int")

    def number(self) -> str:
        return self.constant("int")

    def link(self, left: str, right: str) -> str:
        """A join condition between two relations of KEYED, mostly with the key in it."""
        return self.pick(
            [
                f"{left}.k = {right}.k",
                f"{left}.k = {right}.k AND {left}.x = {right}.x",
                f"{right}.k = {left}.k AND {left}.id < {right}.id",
                f"{left}.k = {right}.k AND {right}.k = {self.key()}",
                f"{left}.k = {right}.k AND {right}.x > {self.number()}",
                f"{left}.id = {right}.id",
                f"{left}.k = {right}.x",
            ]
        )

    def filters(self, alias: str) -> str:
        return self.pick(
            [
                "true",
                "true",
                f"{alias}.k = {self.key()}",
                f"{alias}.k IN ({self.key()}, {self.key()})",
                f"{alias}.x > {self.number()}",
                f"{alias}.t <> {self.constant('text')}",
                f"{alias}.x IS NOT NULL",
                f"({alias}.k = {self.key()} OR {alias}.x = {self.number()})",
                f"{alias}.k IS NOT DISTINCT FROM {self.key()}",
            ]
        )

    def one(self) -> str:
        return self.pick(ALIKE)

    # -- queries -----------------------------------------------------------------------------------
    def lateral(self) -> str:
        inner = self.pick(
            [
                "SELECT count(*) AS v, max(i.x) AS w",
                "SELECT sum(i.x) AS v, min(i.t) AS w",
                "SELECT i.id AS v, i.x AS w",
            ]
        )
        tail = (
            f" ORDER BY i.id, i.x, i.k, i.t LIMIT {self.pick([1, 2])}" if "i.id" in inner else ""
        )
        body = (
            f"{inner} FROM {self.one()} AS i WHERE {self.link('o', 'i')}"
            f" AND {self.filters('i')}{tail}"
        )
        join = self.pick(["CROSS JOIN LATERAL ({})", "LEFT JOIN LATERAL ({})"]).format(body)
        on = " AS l ON " + self.pick(["true", "o.x > 1"]) if "LEFT" in join else " AS l"
        return (
            f"SELECT o.k, o.id, l.v, l.w FROM {self.one()} AS o {join}{on}"
            f" WHERE {self.filters('o')}"
        )

    def chain(self) -> str:
        """Three or four relations under outer joins, sometimes in parentheses."""
        kind = lambda: self.pick(["LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "JOIN", "FULL JOIN"])
        first, second = kind(), kind()
        equal = "p.k = q.k"
        source = f"{self.one()} AS p {first} {self.one()} AS q ON {self._on(first, equal, 'q')}"
        if self.maybe(0.5):
            on = self._on(second, self.pick(["q.k = r.k", "p.k = r.k", "q.id = r.id"]), "r")
            source += f" {second} {self.one()} AS r ON {on}"
        else:
            inner = self._on(second, "q.k = r.k", "r")
            on = self._on(first, self.pick([equal, "p.k = r.k"]), "q")
            source = (
                f"{self.one()} AS p {first} ({self.one()} AS q {second} {self.one()} AS r"
                f" ON {inner}) ON {on}"
            )
        where = self.filters(self.pick("pqr"))
        output = self.pick(
            [
                "p.k, p.id, q.id, r.id",
                "count(*), count(q.id), sum(r.x)",
                "DISTINCT q.k, r.k",
                "q.k, count(*) AS n",
                "coalesce(p.k, q.k) AS k, r.t",
            ]
        )
        group = " GROUP BY q.k" if "AS n" in output else ""
        return f"SELECT {output} FROM {source} WHERE {where}{group}"

    def _on(self, kind: str, equal: str, alias: str) -> str:
        if kind == "FULL JOIN":
            return equal
        return self.pick([equal, equal, f"{equal} AND {self.filters(alias)}"])

    def using(self) -> str:
        kinds = ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]
        source = f"{self.pick(KEYED)} AS p {self.pick(kinds)} {self.pick(KEYED)} AS q USING (k)"
        if self.maybe(0.5):
            source += f" {self.pick(kinds)} {self.pick(KEYED)} AS r USING (k)"
        output = self.pick(["k, p.id, q.id", "k, count(*)", "count(DISTINCT k)", "DISTINCT k"])
        group = " GROUP BY k" if "count(*)" in output else ""
        where = self.pick(["true", f"k = {self.key()}", f"q.x > {self.number()}", "k < 5"])
        return f"SELECT {output} FROM {source} WHERE {where}{group}"

    def scalars(self) -> str:
        def one() -> str:
            inner = f"FROM {self.one()} AS i WHERE {self.link('o', 'i')} AND {self.filters('i')}"
            return self.pick(
                [
                    f"(SELECT max(i.x) {inner})",
                    f"(SELECT count(*) {inner})",
                    f"(SELECT i.id {inner} ORDER BY i.id, i.x LIMIT 1)",
                    f"ARRAY(SELECT i.id {inner} ORDER BY i.id)",
                    f"EXISTS (SELECT {inner})",
                    f"(SELECT string_agg(i.t, ',' ORDER BY i.t, i.id) {inner})",
                    f"o.x IN (SELECT i.x {inner})",
                ]
            )

        order = f" ORDER BY {one()} NULLS FIRST, o.k, o.id, o.t, o.x{self.limit()}"
        tail = order if self.maybe(0.3) else ""
        return (
            f"SELECT o.k, o.id, {one()}, {one()} FROM {self.one()} AS o"
            f" WHERE {self.filters('o')}{tail}"
        )

    def nested_sets(self) -> str:
        def arm(depth: int) -> str:
            if depth > 0 and self.maybe(0.5):
                operator = self.pick(["UNION", "UNION ALL", "EXCEPT", "INTERSECT", "EXCEPT ALL"])
                return f"({arm(depth - 1)} {operator} {arm(depth - 1)})"
            columns = self.pick(["s.k, s.x", "s.k, s.x", "s.id, s.x", "s.k, count(*)::int"])
            group = " GROUP BY s.k" if "count" in columns else ""
            return (
                f"(SELECT {columns} FROM {self.one()} AS s WHERE {self.filters('s')}{group}"
                + (f" ORDER BY 1, 2{self.limit()}" if self.maybe(0.25) else "")
                + ")"
            )

        body = f"{arm(1)} {self.pick(['UNION', 'UNION ALL', 'EXCEPT', 'INTERSECT'])} {arm(1)}"
        if self.maybe(0.4):
            return body + f" ORDER BY 1 NULLS FIRST, 2{self.limit()}"
        u = self.pick(["SELECT u.k, count(*) FROM ({}) u(k, v) GROUP BY u.k",
                       "SELECT count(*), sum(u.v) FROM ({}) u(k, v)",
                       "SELECT u.k, u.v, j.id FROM ({}) u(k, v) JOIN b AS j ON j.k = u.k",
                       "SELECT o.id FROM a AS o WHERE (o.k, o.x) IN ({})"])
        return u.format(body)

    def best_of(self) -> str:
        """The first rows of each group, by DISTINCT ON or by a window."""
        by = self.pick(["k", "k", "x", "t"])
        source = f"FROM {self.pick(KEYED[:3])} AS s WHERE {self.filters('s')}"
        if self.maybe(0.5):
            return (
                f"SELECT DISTINCT ON (s.{by}) s.{by}, s.k, s.id {source}"
                f" ORDER BY s.{by}, s.id DESC, s.k{self.limit()}"
            )
        rank = f"row_number() OVER (PARTITION BY s.{by} ORDER BY s.x DESC NULLS LAST, s.id, s.k)"
        return (
            f"SELECT w.k, w.id, w.r FROM (SELECT s.k, s.id, {rank} AS r {source}) AS w"
            f" WHERE w.r <= {self.pick([1, 2])}" + self.pick(["", f" AND w.k = {self.key()}"])
        )

    def recursive(self) -> str:
        step = self.pick(["s.k = r.k AND s.id > r.id", "s.id = r.id + 1", "s.k = r.k"])
        union = self.pick(["UNION", "UNION ALL"])
        deeper = " AND r.d < 3" if union == "UNION ALL" else " AND r.d < 4"
        return (
            f"WITH RECURSIVE r(k, id, d) AS (SELECT s.k, s.id, 1 FROM {self.pick(KEYED[:3])} AS s"
            f" WHERE {self.filters('s')} {union} SELECT s.k, s.id, r.d + 1 FROM"
            f" {self.pick(KEYED[:3])} AS s JOIN r ON {step} AND s.id % 5 = 0{deeper})"
            f" SELECT {self.pick(['d, count(*)', 'd, max(id)'])} FROM r GROUP BY d"
        )

    def quantified(self) -> str:
        inner = f"FROM {self.one()} AS i WHERE {self.filters('i')}"
        linked = f"{inner} AND {self.link('o', 'i')}"
        test = self.pick(
            [
                f"o.k = ANY (SELECT i.k {inner})",
                f"o.k <> ALL (SELECT i.k {inner})",
                f"o.x >= ALL (SELECT i.x {linked} AND i.x IS NOT NULL)",
                f"o.x > ANY (SELECT i.x {linked})",
                f"(o.k, o.x) IN (SELECT i.k, i.x {inner})",
                f"(o.k, o.x) NOT IN (SELECT i.k, i.x {inner})",
                f"(o.x, o.t) = (SELECT max(i.x), min(i.t) {linked})",
                f"o.k NOT IN (SELECT i.k {linked})",
                f"NOT (o.k IN (SELECT i.k {inner}) AND o.x > 1)",
                f"(o.k IN (SELECT i.k {inner})) IS NOT TRUE",
            ]
        )
        return f"SELECT o.k, o.id FROM {self.one()} AS o WHERE {test} AND {self.filters('o')}"

    def sets(self) -> str:
        """Grouping sets of all kinds."""
        keys = self.pick([("s.k", "s.x"), ("s.k", "s.t"), ("s.t", "s.x"), ("s.k % 3", "s.t")])
        first, second = keys
        group = self.pick(
            [
                f"GROUPING SETS (({first}, {second}), ({first}))",
                f"GROUPING SETS (({first}), ({second}), ())",
                f"ROLLUP ({first}, {second})",
                f"{first}, CUBE ({second})",
                f"GROUPING SETS (({first}), ROLLUP ({second}))",
            ]
        )
        return (
            f"SELECT {first}, {second}, count(*), sum(s.id), grouping({first}, {second}) FROM"
            f" {self.pick(KEYED[:3])} AS s WHERE {self.filters('s')} GROUP BY {group}"
            + self.pick(["", " HAVING count(*) > 2"])
        )

    def twice(self) -> str:
        """A WITH query that is read more than once, or reads another."""
        made = self.pick(["", "MATERIALIZED ", "NOT MATERIALIZED "])
        first = f"w AS {made}(SELECT k, id, x FROM {self.one()} AS s WHERE {self.filters('s')})"
        body = self.pick(
            [
                "SELECT p.id, q.id FROM w p JOIN w q ON p.k = q.k AND p.id < q.id",
                "SELECT (SELECT count(*) FROM w), (SELECT max(x) FROM w WHERE k = 3)",
                "SELECT k, id FROM w UNION ALL SELECT k, x FROM w WHERE x > 1",
                "SELECT o.id FROM a AS o WHERE EXISTS (SELECT FROM w WHERE w.k = o.k)"
                " AND o.id NOT IN (SELECT id FROM w)",
                f"SELECT * FROM w WHERE k = {self.key()} UNION SELECT * FROM w WHERE x = 2",
            ]
        )
        if self.maybe(0.4):
            first += ", v AS (SELECT k, count(*) AS n FROM w GROUP BY k)"
            body = "SELECT w.id, v.n FROM w LEFT JOIN v ON v.k = w.k"
        return f"WITH {first} {body}"

    def functions(self) -> str:
        alias = f"{self.one()} AS s"
        return self.pick(
            [
                f"SELECT s.k, dbl(s.x), tag(s.t) FROM {alias} WHERE {self.filters('s')}",
                f"SELECT dbl(s.k) AS d, sum(up(s.x)) FROM {alias} GROUP BY dbl(s.k)",
                f"SELECT s.id FROM {alias} WHERE s.k = dbl({self.pick([1, 2, 3])})",
                f"SELECT tag(s.t), count(*) FROM {alias} GROUP BY 1 ORDER BY 1",
                f"SELECT count(*) FROM {alias} WHERE up(s.x) > {self.number()}",
                f"SELECT total(), count(*) FROM {alias}",
                "SELECT up(3), dbl(4), tag('A')",
                "SELECT h.id, up(h.x), total() FROM h",
            ]
        )

    def series(self) -> str:
        return self.pick(
            [
                f"SELECT g, count(s.id) FROM generate_series(0, 8) g LEFT JOIN {self.one()} AS s"
                " ON s.k = g GROUP BY g",
                f"SELECT s.id, g FROM {self.pick(KEYED)} AS s, generate_series(1, s.x % 3) g"
                f" WHERE {self.filters('s')}",
                f"SELECT s.id, u FROM {self.pick(KEYED)} AS s, unnest(ARRAY[s.k, s.x]) u"
                f" WHERE {self.filters('s')}",
                f"SELECT unnest(ARRAY[s.k, s.x]) AS u, count(*) FROM {self.one()} AS s GROUP BY 1",
                f"SELECT v.c, s.id FROM (VALUES ({self.key()}), ({self.key()}), (NULL)) v(c)"
                f" LEFT JOIN {self.pick(KEYED)} AS s ON s.k = v.c",
                f"SELECT (SELECT count(*) FROM {self.one()} AS s WHERE s.k = g) FROM"
                " generate_series(1, 5) g",
            ]
        )

    def ungrouped(self) -> str:
        source = f"FROM {self.one()} AS s WHERE {self.filters('s')}"
        return self.pick(
            [
                f"SELECT count(*) {source} HAVING count(*) > {self.pick([0, 3, 90])}",
                f"SELECT 1 AS one {source} HAVING max(s.x) > {self.number()}",
                f"SELECT count(DISTINCT s.k), count(DISTINCT s.x), sum(DISTINCT s.x) {source}",
                f"SELECT count(*) FILTER (WHERE s.k = {self.key()}), max(s.x) {source}",
                f"SELECT array_agg(s.id ORDER BY s.x DESC NULLS LAST, s.id, s.k) {source}",
                "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY s.x), mode() WITHIN GROUP"
                f" (ORDER BY s.t) {source}",
                f"SELECT s.t, avg(s.x), stddev(s.x) {source} GROUP BY s.t ORDER BY s.t",
                f"SELECT s.x % 2 AS p, count(*), min(s.t), max(s.t) {source} GROUP BY p"
                f" ORDER BY p NULLS FIRST{self.limit()}",
            ]
        )

    def several_windows(self) -> str:
        over = lambda: self.pick(
            [
                "(PARTITION BY s.k ORDER BY s.id, s.x, s.t)",
                "(PARTITION BY s.t ORDER BY s.id, s.k, s.x)",
                "(ORDER BY s.id, s.k, s.x, s.t)",
                "(PARTITION BY s.k)",
                "(PARTITION BY s.k, s.x)",
                "()",
                "(PARTITION BY s.k ORDER BY s.id, s.x, s.t ROWS BETWEEN 1 PRECEDING AND 1"
                " FOLLOWING)",
                "(ORDER BY s.id RANGE BETWEEN 3 PRECEDING AND CURRENT ROW)",
            ]
        )
        first, second = f"sum(s.x) OVER {over()}", f"count(*) OVER {over()}"
        if self.maybe(0.4):
            first = f"count(s.x) FILTER (WHERE s.x > 1) OVER {over()}"
        source = f"FROM {self.pick(KEYED[:3])} AS s WHERE {self.filters('s')}"
        if self.maybe(0.3):
            return f"SELECT q.a, max(q.b) FROM (SELECT {first} AS a, {second} AS b {source}) q" \
                " GROUP BY q.a"
        return f"SELECT s.k, s.id, {first}, {second} {source}"

    # -- writes ------------------------------------------------------------------------------------
    def write(self) -> tuple[str, str]:
        if self.maybe(0.6):
            return super().write()
        self.next_alias, self.ctes = 0, []
        shape = self.pick(
            [
                self.upsert,
                self.linked_update,
                self.linked_delete,
                self.merge,
                self.grouped_insert,
                self.moved_rows,
                self.computed_insert,
                self.home_write,
            ]
        )
        return shape()

    def returning(self) -> str:
        return self.pick(["", " RETURNING *", " RETURNING k, id, x + 1 AS n", " RETURNING id"])

    def upsert(self) -> tuple[str, str]:
        rows = ", ".join(
            f"({self.key()}, {mark(self.chance.randint(1, 40), 'int')}, {self.number()})"
            for _ in range(self.pick([1, 1, 2]))
        )
        action = self.pick(
            [
                "DO NOTHING",
                "DO UPDATE SET x = excluded.x",
                "DO UPDATE SET x = (b.x + excluded.x) % 50",
            ]
        )
        if action != "DO NOTHING":  # a row must not be met twice
            rows = rows.split("), (")[0].rstrip(")") + ")"
        return (
            f"INSERT INTO b (k, id, x) VALUES {rows} ON CONFLICT (k, id) {action}"
            f"{self.returning()}",
            "b",
        )

    def linked_update(self) -> tuple[str, str]:
        where = self.pick([f"a.k = {self.key()}", "a.x > 1", "true", f"a.x = {self.number()}"])
        text = self.pick(
            [
                "UPDATE a SET x = (SELECT max(b.x) FROM b WHERE b.k = a.k) WHERE {w}",
                "UPDATE a SET y = s.n FROM (SELECT k, count(*)::int AS n FROM b GROUP BY k) s"
                " WHERE s.k = a.k AND {w}",
                "UPDATE a SET x = x + 1 WHERE {w} AND EXISTS (SELECT FROM c WHERE c.k = a.k)",
                "UPDATE a SET x = b.x FROM b WHERE b.k = a.k AND b.id = a.id AND {w}",
                "UPDATE a SET t = c.t, x = b.x FROM b JOIN c ON c.k = b.k AND c.id = b.id"
                " WHERE b.k = a.k AND b.id = a.id AND {w}",
                "UPDATE a SET x = (SELECT count(*) FROM h) WHERE {w}",
            ]
        )
        after = self.pick(["", " RETURNING a.k, a.id, a.x"])
        return text.format(w=where) + after, "a"

    def linked_delete(self) -> tuple[str, str]:
        where = f"c.id % 6 = {mark(self.chance.randint(0, 5), 'int')}"
        text = self.pick(
            [
                "DELETE FROM c USING b WHERE b.k = c.k AND b.id = c.id AND {w}",
                "DELETE FROM c WHERE EXISTS (SELECT FROM a WHERE a.k = c.k) AND {w}",
                "DELETE FROM c WHERE c.k IN (SELECT k FROM b WHERE x > 2) AND {w}",
                "DELETE FROM c WHERE c.x NOT IN (SELECT x FROM b WHERE b.k = c.k AND x > 0)"
                " AND {w}",
                f"DELETE FROM c USING a WHERE a.k = c.k AND a.k = {self.key()} AND {{w}}",
            ]
        )
        return text.format(w=where) + self.pick(["", " RETURNING c.k, c.id"]), "c"

    def merge(self) -> tuple[str, str]:
        matched = self.pick(["UPDATE SET x = s.x", "DELETE", "DO NOTHING"])
        source = self.pick(["a", f"(SELECT * FROM a WHERE k = {self.key()})"])
        insert = f" WHEN NOT MATCHED THEN INSERT (k, id, x) VALUES (s.k, s.id + {{n}}, s.x)"
        fresh = mark(self.fresh_id(), "int")
        self.next_id += 1000
        return (
            f"MERGE INTO b USING {source} AS s ON b.k = s.k AND b.id = s.id AND"
            f" s.id % 4 = {self.pick([0, 1, 2])} WHEN MATCHED THEN {matched}"
            + (insert.format(n=fresh) if self.maybe(0.3) else ""),
            "b",
        )

    def grouped_insert(self) -> tuple[str, str]:
        first = self.fresh_id()
        self.next_id += 1000
        text = self.pick(
            [
                "INSERT INTO b (k, id, x) SELECT k, {n}, count(*) FROM a GROUP BY k",
                "INSERT INTO b (k, id, x) SELECT k, {n} + max(id), sum(x) % 20 FROM c"
                " WHERE x > 1 GROUP BY k",
                "INSERT INTO b (k, id, t) SELECT x % 5, {n} + row_number() OVER (ORDER BY k, id),"
                " t FROM a WHERE x IS NOT NULL AND id < 1000",
                "INSERT INTO b (k, id, x) SELECT g % 4, {n} + g, g FROM generate_series(1, 6) g",
                "INSERT INTO b (k, id, x, t) SELECT k, {n} + id, x, 'u' FROM"
                " (SELECT k, id, x FROM a WHERE id % 9 = 1 UNION SELECT k, id, x FROM c"
                " WHERE id % 9 = 1) u WHERE id < 1000",
            ]
        )
        return text.format(n=mark(first, "int")) + self.returning(), "b"

    def moved_rows(self) -> tuple[str, str]:
        key, part = self.key(), mark(self.chance.randint(0, 6), "int")
        text = self.pick(
            [
                f"WITH d AS (DELETE FROM c WHERE k = {key} AND id % 7 = {part} RETURNING *)"
                " SELECT count(*), max(id) FROM d",
                f"WITH u AS (UPDATE c SET x = 0 WHERE k = {key} AND id % 7 = {part} RETURNING *)"
                f" SELECT u.id, b.id FROM u JOIN b ON b.k = {key}",
                f"WITH u AS (UPDATE c SET x = 1 WHERE k = {key} RETURNING id) SELECT count(*)"
                f" FROM c WHERE k = {key} AND x = 1",
            ]
        )
        return text, "c"

    def computed_insert(self) -> tuple[str, str]:
        rows = ", ".join(
            f"({self.pick([1, 2, 3])} + {self.pick([0, 1, 4])}, {mark(self.fresh_id(), 'int')},"
            f" dbl({self.pick([1, 2])}), upper('q'))"
            for _ in range(self.pick([1, 2, 3]))
        )
        return f"INSERT INTO a (k, id, x, t) VALUES {rows}{self.returning()}", "a"

    def home_write(self) -> tuple[str, str]:
        text = self.pick(
            [
                "UPDATE h SET x = (SELECT count(*) FROM r1)",
                "INSERT INTO h (id, k, x) SELECT {n} + id, k, x FROM a WHERE id < 4",
                "INSERT INTO h (id, k, x) SELECT {n}, k, count(*) FROM b WHERE k = 3 GROUP BY k",
                "INSERT INTO h (id, x) VALUES ({n}, (SELECT count(*) FROM r1))",
                "UPDATE h SET t = tag(t) WHERE id % 2 = 0",
                "DELETE FROM h WHERE id > 1000 AND x IN (SELECT x FROM r1)",
            ]
        )
        fresh = mark(self.fresh_id(), "int")
        self.next_id += 1000
        return text.format(n=fresh), "h"

