"""Writes around the planner's rules: upserts of several rows, sources in another keyspace, keys
that are set, outer joins inside FROM, MERGE of every source, and WITH queries that write.

What Shoal refuses here costs nothing; what it answers must be PostgreSQL's answer.
"""

from __future__ import annotations

from .grammar import mark
from .rules_shapes import RulesShapes


class RulesWrites(RulesShapes):
    """The shapes of queries, with one write in three of these."""

    def write(self) -> tuple[str, str]:
        if self.maybe(0.66):
            return super().write()
        self.next_alias, self.ctes = 0, []
        shape = self.pick(
            [
                self.several_upserts,
                self.upsert_from_a_query,
                self.from_another_keyspace,
                self.set_the_key,
                self.update_from_outer_joins,
                self.update_by_subqueries,
                self.delete_by_subqueries,
                self.merge_of_any_source,
                self.with_writes,
                self.reference_writes,
            ]
        )
        return shape()

    def ids(self) -> str:
        """An offset that gives a thousand fresh ids."""
        first = self.fresh_id()
        self.next_id += 1000
        return mark(first, "int")

    def several_upserts(self) -> tuple[str, str]:
        ids = self.chance.sample(range(1, 41), self.pick([1, 2, 3, 4]))
        keys = ["k"] * len(ids)
        rows = ", ".join(
            f"({self.key()}, {mark(i, 'int')}, {self.pick([self.number(), 'NULL'])})"
            for i, _ in zip(ids, keys)
        )
        action = self.pick(
            [
                "NOTHING",
                "UPDATE SET x = excluded.x",
                "UPDATE SET k = excluded.k, id = excluded.id, x = excluded.x, t = 'up'",
                "UPDATE SET x = coalesce(b.x, 0) + 1, t = excluded.t",
                "UPDATE SET (x, t) = (excluded.x, 'both')",
                f"UPDATE SET x = 5 WHERE b.x IS DISTINCT FROM {self.number()}",
            ]
        )
        target = self.pick(["(k, id)", "(id, k)", "ON CONSTRAINT b_pkey"])
        returning = self.pick(["", "", " RETURNING k, id, x", " RETURNING *"])
        return f"INSERT INTO b (k, id, x) VALUES {rows} ON CONFLICT {target} DO {action}{returning}", "b"

    def upsert_from_a_query(self) -> tuple[str, str]:
        source = self.pick(
            [
                "SELECT k, id, x FROM a WHERE id % 5 = 1",
                "SELECT k, id, max(x) FROM c GROUP BY k, id",
                "SELECT k, min(id), count(*) FROM a GROUP BY k",
                "SELECT x % 4, id, 1 FROM a WHERE x IS NOT NULL",
                f"SELECT k, id, x FROM a WHERE {self.key_test('a')}",
                "SELECT DISTINCT ON (k, id) k, id, x FROM c ORDER BY k, id",
                "SELECT h.id, h.id, h.x FROM h",
                "VALUES (1, 2, 3), (4, 5, 6)",
            ]
        )
        action = self.pick(["NOTHING", "UPDATE SET x = excluded.x", "UPDATE SET x = b.id"])
        return f"INSERT INTO b (k, id, x) {source} ON CONFLICT (k, id) DO {action}", "b"

    def from_another_keyspace(self) -> tuple[str, str]:
        n = self.ids()
        text, table = self.pick(
            [
                ("INSERT INTO e (s, id, x) SELECT t, {n} + id, k FROM a WHERE t IS NOT NULL", "e"),
                ("INSERT INTO e (s, id, x) SELECT coalesce(t, 'n'), {n} + k, count(*) FROM a"
                 " GROUP BY t, k", "e"),
                ("INSERT INTO e (s, id) SELECT t, {n} + row_number() OVER (ORDER BY k, id) FROM c"
                 " WHERE id < 9", "e"),
                ("INSERT INTO a (k, id, t) SELECT length(s), {n} + id, s FROM e WHERE id < 900", "a"),
                ("INSERT INTO b (k, id, x) SELECT id % 5, {n} + k, x FROM c WHERE id < 9", "b"),
                ("INSERT INTO b (k, id, x) SELECT q.k, {n} + p.id, q.x FROM a p LEFT JOIN c q ON"
                 " q.k = p.k AND q.id = p.id WHERE p.id < 9", "b"),
                ("INSERT INTO b (k, id, x) SELECT coalesce(q.k, p.k), {n} + p.id, q.x FROM a p LEFT"
                 " JOIN c q ON q.k = p.k AND q.id = p.id WHERE p.id < 9", "b"),
                ("INSERT INTO b (k, id, x) SELECT k, {n}, count(*) FROM a GROUP BY ROLLUP (k)"
                 " HAVING k IS NOT NULL", "b"),
                ("INSERT INTO b (k, id, x) SELECT k, {n}, 1 FROM a EXCEPT SELECT k, {n}, 1 FROM c",
                 "b"),
                ("INSERT INTO b (k, id) SELECT lag(k) OVER (PARTITION BY k ORDER BY id), {n} + id"
                 " FROM c WHERE id < 5", "b"),
                ("INSERT INTO b (k, id, x) WITH w AS (SELECT k, max(id) AS m FROM a GROUP BY k)"
                 " SELECT k, {n} + m, m FROM w WHERE m < 900", "b"),
                ("WITH w AS (SELECT k, max(id) AS m FROM a GROUP BY k) INSERT INTO b (k, id, x)"
                 " SELECT k, {n} + m, m FROM w WHERE m < 900", "b"),
                ("WITH w AS (SELECT max(x) AS m FROM a) INSERT INTO b (k, id, x) SELECT m % 4, {n},"
                 " m FROM w", "b"),
            ]
        )
        tail = self.pick(["", "", f" RETURNING {'s' if table == 'e' else 'k'}, id"])
        return text.format(n=n) + tail, table

    def set_the_key(self) -> tuple[str, str]:
        where = f"c.k = {self.key()}"
        value = self.pick(["k", "c.k", self.key(), "k + 0", "NULL", "id", "coalesce(k, 3)"])
        return f"UPDATE c SET k = {value}, x = 1 WHERE {where} AND id % 3 = 1", "c"

    def update_from_outer_joins(self) -> tuple[str, str]:
        text = self.pick(
            [
                "UPDATE a SET x = r1.x FROM r1 LEFT JOIN b ON b.id = r1.id WHERE r1.id = a.id AND"
                " b.id IS NULL",
                "UPDATE a SET x = r1.x FROM r1 LEFT JOIN b ON b.k = r1.id WHERE r1.id = a.id AND"
                " b.k = a.k AND b.id = a.id",
                "UPDATE a SET x = s.m FROM b LEFT JOIN (SELECT k, max(x) AS m FROM c GROUP BY k) s"
                " ON s.k = b.k WHERE b.k = a.k AND b.id = a.id",
                "UPDATE a SET t = 'fj' FROM b FULL JOIN c USING (k, id) WHERE k = a.k AND id = a.id",
                "UPDATE a SET x = 9 FROM b WHERE b.k = a.k AND b.id = a.id AND NOT EXISTS (SELECT"
                " FROM c WHERE c.k = b.k AND c.id = a.id)",
                "UPDATE a SET x = l.n FROM b, LATERAL (SELECT count(*)::int AS n FROM c WHERE"
                " c.k = b.k) l WHERE b.k = a.k AND b.id = a.id",
            ]
        )
        return text + self.pick(["", " RETURNING a.k, a.id, a.x, a.t"]), "a"

    def update_by_subqueries(self) -> tuple[str, str]:
        where = self.pick([self.key_test("a"), "id % 4 = 1", "true"])
        text = self.pick(
            [
                "UPDATE a SET (x, t) = (SELECT max(x), min(t) FROM b WHERE b.k = a.k)",
                "UPDATE a SET x = (SELECT count(*) FROM b WHERE b.x = a.x)",
                "UPDATE a SET x = (SELECT max(x) FROM r1), y = id",
                "UPDATE a SET (x, y) = (y, x)",
                "UPDATE a SET x = CASE WHEN k IN (SELECT k FROM c WHERE x > 1) THEN 1 ELSE 2 END",
                "UPDATE a SET x = DEFAULT, t = upper(t)",
                "UPDATE a SET y = (SELECT count(*) FROM h)",
            ]
        )
        return f"{text} WHERE {where}" + self.pick(["", " RETURNING *"]), "a"

    def delete_by_subqueries(self) -> tuple[str, str]:
        part = f"c.id % 8 = {mark(self.chance.randint(0, 7), 'int')}"
        test = self.pick(
            [
                "c.k NOT IN (SELECT k FROM b WHERE x > 3)",
                "c.k IN (SELECT q.k FROM a p LEFT JOIN b q ON q.k = p.k AND q.id = p.id)",
                "(c.k, c.id) IN (SELECT k, id FROM a)",
                "c.id IN (SELECT id FROM r1)",
                "c.id IN (SELECT id FROM b WHERE x > 3)",
                "c.x = (SELECT max(x) FROM b WHERE b.k = c.k)",
                "c.x = (SELECT max(x) FROM b)",
                "c.x > ALL (SELECT x FROM b WHERE b.k = c.k AND x IS NOT NULL)",
                "EXISTS (SELECT FROM b LEFT JOIN a ON a.k = b.k AND a.id = b.id WHERE b.k = c.k AND"
                " a.id IS NULL)",
                "EXISTS (SELECT FROM b WHERE b.x = c.x)",
                self.key_test("c"),
            ]
        )
        return f"DELETE FROM c WHERE {test} AND {part}" + self.pick(["", " RETURNING *"]), "c"

    def merge_of_any_source(self) -> tuple[str, str]:
        source = self.pick(
            [
                "a AS s",
                "c AS s",
                f"(SELECT k, id, x FROM c WHERE {self.key_test('c')}) AS s",
                "(SELECT k, max(id) AS id, max(x) AS x FROM a GROUP BY k) AS s",
                "(SELECT q.k, p.id, q.x FROM a p LEFT JOIN c q ON q.k = p.k AND q.id = p.id) AS s",
                "r1 AS s",
                "(VALUES (1, 2, 3), (4, 5, 6)) AS s(k, id, x)",
                "h AS s",
            ]
        )
        on = self.pick(["b.k = s.k AND b.id = s.id", "b.k = s.k AND b.id = s.id AND b.k = 3"])
        on = "b.id = s.id" if source == "r1 AS s" else on
        clauses = self.pick(
            [
                "WHEN MATCHED AND s.x > 3 THEN DELETE WHEN MATCHED THEN UPDATE SET x = s.x",
                "WHEN MATCHED THEN UPDATE SET x = s.x, t = 'm'",
                "WHEN MATCHED AND b.x IS NULL THEN UPDATE SET x = -1 WHEN NOT MATCHED AND s.x = 1"
                " THEN INSERT (k, id, x) VALUES (s.k, s.id + {n}, s.x)",
                "WHEN NOT MATCHED THEN INSERT (k, id, x) VALUES (s.k, s.id + {n}, s.x)",
                "WHEN NOT MATCHED THEN INSERT (k, id, x) VALUES (3, s.id + {n}, s.x)",
                "WHEN NOT MATCHED THEN DO NOTHING",
            ]
        )
        if source == "r1 AS s":
            clauses = clauses.replace("(s.k,", "(s.id,")
        return f"MERGE INTO b USING {source} ON {on} {clauses.format(n=self.ids())}", "b"

    def with_writes(self) -> tuple[str, str]:
        key, n = self.key(), self.ids()
        text = self.pick(
            [
                f"WITH d AS (DELETE FROM c WHERE k = {key} AND id % 5 = 1 RETURNING *) INSERT INTO"
                " c (k, id, x) SELECT k, id + {n}, x FROM d RETURNING k, id",
                f"WITH d AS (INSERT INTO c (k, id) VALUES ({key}, {{n}}) RETURNING k, id) SELECT"
                " d.id, count(b.id) FROM d LEFT JOIN b ON b.k = d.k GROUP BY d.id",
                f"WITH d AS (UPDATE c SET x = 3 WHERE k = {key} RETURNING *), f AS (DELETE FROM c"
                f" WHERE k = {self.key()} AND id % 9 = 1 RETURNING *) SELECT (SELECT count(*) FROM"
                " d), (SELECT count(*) FROM f)",
                "WITH d AS (DELETE FROM c WHERE id % 9 = 1 RETURNING *) SELECT count(*) FROM d",
                f"WITH d AS (UPDATE c SET x = 4 WHERE k = {key} RETURNING *) SELECT count(*) FROM a",
                f"WITH d AS (UPDATE c SET x = x + 1 WHERE k = {key} RETURNING x) UPDATE c SET t ="
                f" 'cte' WHERE k = {key} AND x IN (SELECT x FROM d) RETURNING id",
                "WITH d AS (SELECT k, count(*) AS n FROM a GROUP BY k) UPDATE c SET x = d.n FROM d"
                " WHERE d.k = c.k",
                "WITH d AS (SELECT max(x) AS m FROM a) DELETE FROM c WHERE x = (SELECT m FROM d)",
            ]
        )
        return text.format(n=n), "c"

    def reference_writes(self) -> tuple[str, str]:
        text = self.pick(
            [
                "UPDATE r1 SET x = x + 1 WHERE id IN (SELECT id FROM r2)",
                "UPDATE r1 SET x = (SELECT count(*) FROM a)",
                "UPDATE r1 SET x = r2.y FROM r2 WHERE r2.id = r1.id",
                "UPDATE r1 SET t = a.t FROM a WHERE a.k = 3 AND a.id = r1.id",
                "INSERT INTO r1 (id, x) SELECT {n} + k, count(*) FROM a GROUP BY k",
                "INSERT INTO r1 (id, x) SELECT {n} + id, k FROM h",
                "INSERT INTO r1 (id, x) VALUES (1, 5), (2, 6) ON CONFLICT (id) DO UPDATE SET x ="
                " excluded.x",
                "DELETE FROM r1 WHERE id > 900 AND x NOT IN (SELECT y FROM r2 WHERE y IS NOT NULL)",
                "DELETE FROM r1 WHERE id > 900 AND id IN (SELECT id FROM a)",
            ]
        )
        return text.format(n=self.ids()) + self.pick(["", " RETURNING *"]), "r1"
