"""Statement shapes around the planner's rules, each beside the case that the rule must not reach:
grouping sets and outer joins that make the key NULL, picks of the key by windows, ties, VALUES,
correlated subqueries under groups, upserts of several rows, MERGE and WITH queries that write.

The rules of grammar.py hold here too: one right answer on PostgreSQL itself.
"""

from __future__ import annotations

from .grammar import mark
from .shapes import ALIKE, KEYED, Shapes, Text

TABLES = KEYED[:3]


class RulesShapes(Shapes):
    """The grammar and its shapes, with one statement in four of these."""

    def select(self):
        if self.maybe(0.75):
            return super().select()
        self.next_alias, self.ctes = 0, []
        shape = self.pick(
            [
                self.sets_of_a_join,
                self.sets_below,
                self.best_of_many,
                self.best_of_groups,
                self.ties,
                self.picked_key,
                self.named_windows,
                self.values,
                self.unions_with_values,
                self.ordered_aggregates,
                self.filters_of_aggregates,
                self.subqueries_under_groups,
                self.laterals,
                self.conditions_of_outer_joins,
                self.null_keys,
                self.order_of_subqueries,
                self.by_text,
                self.empty,
                self.existence,
                self.with_queries,
            ]
        )
        return Text(shape())

    # -- parts -------------------------------------------------------------------------------------
    def bare(self, sql_type: str = "int", key: bool = True) -> str:
        """A constant whose type, as a parameter, only the server knows."""
        value = self.constant(sql_type, key=key)
        return value.replace(f"\x02{sql_type}\x03", f"\x02{sql_type}?\x03")

    def key_test(self, alias: str) -> str:
        return self.pick(
            [
                f"{alias}.k = {self.bare()}",
                f"{self.bare()} = {alias}.k",
                f"{alias}.k IN ({self.bare()}, {self.bare()})",
                f"{alias}.k IN ({self.bare()}, NULL)",
                f"{alias}.k NOT IN ({self.bare()}, {self.bare()})",
                f"{alias}.k = ANY (ARRAY[{self.key()}, NULL, {self.key()}])",
                f"{alias}.k = ALL (ARRAY[{self.key()}])",
                f"({alias}.k, {alias}.x) = ({self.key()}, {self.number()})",
                f"({alias}.k, {alias}.x) IN (({self.key()}, {self.number()}), ({self.key()}, 1))",
                f"{alias}.k BETWEEN {self.bare()} AND {self.bare()}",
                f"({alias}.k = {self.bare()}) IS {self.pick(['TRUE', 'NOT TRUE', 'UNKNOWN'])}",
                f"({alias}.k = {self.bare()} OR {alias}.k = {self.key()} AND {alias}.x > 1)",
                f"({alias}.k = {self.key()} OR {alias}.x IS NULL)",
                f"NOT ({alias}.k <> {self.bare()})",
                f"{alias}.k IS NOT DISTINCT FROM {self.bare()}",
                f"{alias}.k = {self.key()}::{self.pick(['int2', 'bigint', 'numeric', 'float8'])}",
                f"CASE WHEN {alias}.k = {self.key()} THEN {alias}.x > 1 ELSE true END",
                f"coalesce({alias}.k, 3) = {self.key()}",
                f"{alias}.k = (SELECT max(id) FROM r1 WHERE id < {self.number()})",
                f"{alias}.k = {self.bare()} AND {alias}.k = {self.bare()}",
                f"{alias}.k IS NOT NULL",
                f"{alias}.k IS NULL",
            ]
        )

    def some_filter(self, alias: str) -> str:
        return self.pick([self.key_test, self.filters, self.filters])(alias)

    def outer_pair(self) -> str:
        """p and q under an outer join by the key, so that one side's key may be NULL."""
        kind = self.pick(["LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "JOIN"])
        on = self.pick(["p.k = q.k AND p.id = q.id", "p.k = q.k AND p.x = q.x", "p.k = q.k"])
        return f"{self.pick(TABLES)} AS p {kind} {self.pick(TABLES)} AS q ON {on}"

    # -- queries -----------------------------------------------------------------------------------
    def sets_of_a_join(self) -> str:
        group = self.pick(
            [
                "GROUPING SETS ((p.k), (q.k))",
                "GROUPING SETS ((p.k, q.x), (p.k))",
                "GROUPING SETS ((p.k, q.k), (q.k, p.x))",
                "ROLLUP (p.k, q.k)",
                "q.k, CUBE (p.k)",
                "GROUPING SETS ((q.k), (q.k), ())",
            ]
        )
        having = self.pick(["", "", " HAVING count(*) > 2", f" HAVING p.k = {self.bare()}"])
        having = having if "p.k" in group else ""
        first = "p.k" if "p.k" in group else "max(p.k)"
        second = "q.k" if "q.k" in group else "min(q.k)"
        return (
            f"SELECT {first}, {second}, count(*), count(q.id), sum(p.x) FROM {self.outer_pair()}"
            f" WHERE {self.some_filter(self.pick('pq'))} GROUP BY {group}{having}"
        )

    def sets_below(self) -> str:
        """Grouping sets as a source: a key that some set lacks is NULL there."""
        group = self.pick(
            [
                "GROUPING SETS ((s.k), (s.k, s.t))",
                "GROUPING SETS ((s.k, s.t), (s.t))",
                "ROLLUP (s.k)",
                "s.t, CUBE (s.k)",
                "s.k, ROLLUP (s.t)",
            ]
        )
        below = (
            f"(SELECT s.k AS k, count(*) AS n, max(s.x) AS x FROM {self.pick(KEYED)} AS s"
            f" WHERE {self.filters('s')} GROUP BY {group}) AS g"
        )
        return self.pick(
            [
                f"SELECT g.k, count(*), sum(g.n) FROM {below} GROUP BY g.k",
                f"SELECT DISTINCT g.k FROM {below}",
                f"SELECT g.k, g.n, count(*) OVER (PARTITION BY g.k) FROM {below}",
                f"SELECT g.k, g.n, j.id FROM {below} LEFT JOIN b AS j ON j.k = g.k",
                f"SELECT g.n, g.x FROM {below} WHERE {self.key_test('g')}",
                f"SELECT g.k FROM {below} {self.pick(['UNION', 'EXCEPT', 'INTERSECT'])}"
                " SELECT k FROM c",
                f"SELECT o.id FROM a AS o WHERE o.k {self.pick(['IN', 'NOT IN'])} (SELECT g.k"
                f" FROM {below})",
            ]
        )

    def best_of_many(self) -> str:
        by = self.pick(["p.k", "q.k", "q.k, p.x", "p.t", "p.x % 3, q.k", "coalesce(p.k, q.k)"])
        order = f"{by}, p.id DESC NULLS LAST, q.id, p.k, q.k, p.x, q.x"
        text = (
            f"SELECT DISTINCT ON ({by}) p.id, q.id AS qid, q.k FROM {self.outer_pair()}"
            f" WHERE {self.some_filter('p')} ORDER BY {order}"
        )
        if self.maybe(0.5):
            return text + self.limit()
        return self.pick(
            [
                f"SELECT w.k, count(*) FROM ({text}) AS w GROUP BY w.k",
                f"SELECT w.id FROM ({text}) AS w WHERE {self.key_test('w')}".replace(
                    "w.x", "w.qid"
                ),
                f"SELECT count(*), max(w.qid) FROM ({text}{self.limit()}) AS w",
            ]
        )

    def best_of_groups(self) -> str:
        """DISTINCT ON over groups and windows."""
        source = f"{self.pick(KEYED)} AS s WHERE {self.filters('s')}"
        return self.pick(
            [
                "SELECT DISTINCT ON (count(*)) count(*), s.t FROM"
                f" {source} GROUP BY s.t ORDER BY count(*), s.t DESC",
                f"SELECT DISTINCT ON (s.k) s.k, s.t, count(*) FROM {source} GROUP BY s.k, s.t"
                " ORDER BY s.k, count(*) DESC, s.t",
                "SELECT DISTINCT ON (max(s.x)) max(s.x) AS m, s.k FROM"
                f" {source} GROUP BY s.k ORDER BY max(s.x), s.k",
                "SELECT DISTINCT ON (n) count(*) OVER (PARTITION BY s.t) AS n, s.id, s.k FROM"
                f" {source} ORDER BY n, s.id DESC, s.k",
                f"SELECT DISTINCT ON (1, 2) s.x, s.t, s.id, s.k FROM {source}"
                " ORDER BY 2 NULLS FIRST, 1, 3, 4",
                f"SELECT DISTINCT ON (lower(s.t)) lower(s.t), s.k, s.id FROM {source}"
                f" ORDER BY lower(s.t) DESC, s.k, s.id{self.limit()}",
            ]
        )

    def ties(self) -> str:
        key = self.pick(["s.k", "s.x", "s.t", "s.x % 3", "s.k, s.x"])
        body = (
            f"SELECT s.k, s.x, s.t FROM {self.pick(KEYED)} AS s WHERE {self.some_filter('s')}"
            f" ORDER BY {key}{self.pick(['', ' DESC', ' NULLS FIRST'])}"
            f" FETCH FIRST {self.pick([1, 2, 4])} ROWS WITH TIES"
        )
        return self.pick(
            [
                f"SELECT * FROM ({body}) AS w",
                f"SELECT count(*), count(w.x) FROM ({body}) AS w",
                f"SELECT w.k, j.id FROM ({body}) AS w JOIN c AS j ON j.k = w.k",
                "SELECT w.n FROM (SELECT s.t, count(*) AS n FROM a AS s GROUP BY s.t ORDER BY 2"
                " DESC FETCH FIRST 1 ROW WITH TIES) AS w",
            ]
        )

    def picked_key(self) -> str:
        """Windows and aggregates whose value is a key of another row."""
        over = self.pick(
            [
                "(PARTITION BY s.k ORDER BY s.id, s.x, s.t)",
                "(PARTITION BY s.k, s.x ORDER BY s.id, s.t)",
                "(PARTITION BY s.t ORDER BY s.id, s.k)",
                "(ORDER BY s.id, s.k, s.x, s.t)",
            ]
        )
        pick = self.pick(
            [
                f"lag(s.k) OVER {over}",
                f"lead(s.k, 2) OVER {over}",
                f"lead(s.k, 1, {self.pick([1, 4, 77])}) OVER {over}",
                f"first_value(s.k) OVER {over}",
                f"nth_value(s.k, 2) OVER {over}",
                f"max(s.k) OVER {over}",
                f"nullif(s.k, {self.key()})",
                f"greatest(s.k, {self.key()})",
                f"coalesce(s.k, {self.key()})",
                "s.k + 0",
                "-s.k",
            ]
        )
        below = (
            f"(SELECT {pick} AS k, s.id, s.x FROM {self.pick(TABLES)} AS s"
            f" WHERE {self.filters('s')}) AS w"
        )
        return self.pick(
            [
                f"SELECT w.k, count(*) FROM {below} GROUP BY w.k",
                f"SELECT w.id, j.id FROM {below} JOIN b AS j ON j.k = w.k",
                f"SELECT w.id, j.id FROM {below} LEFT JOIN b AS j ON j.k = w.k AND j.id = w.id",
                f"SELECT w.id FROM {below} WHERE {self.key_test('w')}",
                f"SELECT w.id FROM {below} WHERE EXISTS (SELECT FROM c WHERE c.k = w.k)",
                f"SELECT w.k FROM {below} WHERE w.k NOT IN (SELECT k FROM c WHERE x > 1)",
                f"SELECT count(DISTINCT w.k), count(w.k) FROM {below}",
                f"SELECT DISTINCT w.k FROM {below} ORDER BY w.k NULLS FIRST{self.limit()}",
            ]
        )

    def named_windows(self) -> str:
        first = self.pick(["PARTITION BY q.k", "PARTITION BY p.k", "PARTITION BY p.t", ""])
        second = self.pick(["first", "PARTITION BY p.k, q.k", "PARTITION BY q.t"])
        order = "ORDER BY p.id, q.id, p.k, q.k, p.x, q.x, p.t, q.t"
        return (
            f"SELECT p.id, q.id, count(*) OVER first, sum(p.x) OVER (second {order}),"
            " max(q.x) FILTER (WHERE q.x > 1) OVER (first)"
            f" FROM {self.outer_pair()} WHERE {self.some_filter(self.pick('pq'))}"
            f" WINDOW first AS ({first}), second AS ({second})"
        )

    def values(self) -> str:
        rows = ", ".join(f"({self.key()}, {self.number()})" for _ in range(self.pick([1, 2, 3])))
        join = self.pick(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
        alias = f"(VALUES {rows}, (NULL, 4)) AS v(k, y)"
        return self.pick(
            [
                f"VALUES {rows}, ((SELECT count(*) FROM b WHERE {self.key_test('b')}), NULL)",
                f"SELECT v.y, s.id FROM {alias} {join} {self.one()} AS s ON s.k = v.k",
                f"SELECT s.id FROM {self.one()} AS s WHERE (s.k, s.x) IN (VALUES {rows})",
                f"SELECT v.k, (SELECT count(*) FROM {self.one()} AS s WHERE s.k = v.k) FROM {alias}",
                f"SELECT s.k, count(*) FROM {self.pick(KEYED)} AS s, {alias} WHERE s.x > v.y"
                " GROUP BY s.k",
                f"SELECT v.k FROM {alias} WHERE v.k NOT IN (SELECT k FROM c)",
            ]
        )

    def unions_with_values(self) -> str:
        arms = [
            f"SELECT k, x FROM {self.pick(KEYED)} AS s WHERE {self.some_filter('s')}",
            f"VALUES ({self.key()}, {self.number()}), (NULL, NULL)",
            f"SELECT {self.key()}, {self.number()}",
            "SELECT id, x FROM r1",
            "SELECT k, x FROM h",
            "SELECT q.k, q.x FROM a AS p LEFT JOIN b AS q ON q.k = p.k AND q.id = p.id",
        ]
        chosen = [self.pick(arms), self.pick(arms[:1] + arms[-1:]), self.pick(arms)]
        operators = ["UNION", "UNION ALL", "EXCEPT", "EXCEPT ALL", "INTERSECT", "INTERSECT ALL"]
        body = f"{chosen[0]} {self.pick(operators)} {chosen[1]}"
        if self.maybe(0.5):
            body = f"({body}) {self.pick(operators)} {chosen[2]}"
        return self.pick(
            [
                body,
                f"SELECT u.k, count(*), sum(u.x) FROM ({body}) AS u(k, x) GROUP BY u.k",
                f"SELECT u.x FROM ({body}) AS u(k, x) WHERE {self.key_test('u')}",
                f"SELECT j.id, u.x FROM ({body}) AS u(k, x) LEFT JOIN b AS j ON j.k = u.k",
                f"SELECT u.k, lag(u.x) OVER (PARTITION BY u.k ORDER BY u.x) FROM ({body}) AS"
                " u(k, x)",
            ]
        )

    def ordered_aggregates(self) -> str:
        order = self.pick(["s.id, s.k", "s.x DESC NULLS LAST, s.id, s.k", "s.t, s.id, s.k"])
        made = lambda: self.pick(
            [
                f"array_agg(s.id ORDER BY {order})",
                f"string_agg(s.t, '|' ORDER BY {order})",
                f"json_agg(s.x ORDER BY {order})::text",
                f"(array_agg(s.k ORDER BY {order}))[1]",
                "array_agg(DISTINCT s.x ORDER BY s.x NULLS FIRST)",
                "string_agg(DISTINCT s.t, ',' ORDER BY s.t)",
                "count(DISTINCT s.k)",
                "count(DISTINCT (s.k, s.x))",
                "sum(DISTINCT s.x)",
                "avg(s.x)::numeric(12, 4)",
                "percentile_cont(0.5) WITHIN GROUP (ORDER BY s.x)",
                "sum(s.x) * 10 / nullif(count(*), 0)",
            ]
        )
        group = self.pick(["", " GROUP BY s.k", " GROUP BY s.t", " GROUP BY s.x % 3, s.t"])
        filtered = self.pick(["", f" FILTER (WHERE {self.key_test('s')})"])
        having = self.pick(["", "", " HAVING count(*) > 3", " HAVING max(s.x) IS NOT NULL"])
        return (
            f"SELECT {made()}, {made()}, max(s.x){filtered} FROM {self.one()} AS s"
            f" WHERE {self.some_filter('s')}{group}{having}"
        )

    def filters_of_aggregates(self) -> str:
        inner = f"(SELECT {self.pick(['max(i.x)', 'count(*)'])} FROM {self.one()} AS i WHERE"
        test = self.pick(
            [
                f"s.k IN (SELECT k FROM {self.one()} AS i WHERE {self.filters('i')})",
                f"EXISTS (SELECT FROM {self.one()} AS i WHERE i.k = s.k AND i.id < s.id)",
                f"s.x > {inner} i.k = s.k)",
                f"s.x < {inner} {self.filters('i')})",
                self.key_test("s"),
            ]
        )
        group = self.pick(["", " GROUP BY s.k", " GROUP BY s.t"])
        return (
            f"SELECT count(*) FILTER (WHERE {test}), sum(s.x) FILTER (WHERE NOT {test}), count(*)"
            f" FROM {self.pick(KEYED)} AS s WHERE {self.filters('s')}{group}"
        )

    def subqueries_under_groups(self) -> str:
        source = f"{self.pick(KEYED)} AS s WHERE {self.filters('s')}"
        inner = f"FROM {self.one()} AS i WHERE"
        return self.pick(
            [
                f"SELECT s.k, (SELECT count(*) {inner} i.k = s.k AND i.x < max(s.x)) FROM {source}"
                f" GROUP BY {self.pick(['s.k', 'ROLLUP (s.k)', 'GROUPING SETS ((s.k), (s.k, s.t))'])}",
                f"SELECT s.t, (SELECT count(*) {inner} i.t = s.t) FROM {source} GROUP BY s.t",
                f"SELECT s.k FROM {source} GROUP BY s.k HAVING count(*) > (SELECT count(*) / 3"
                f" {inner} {self.pick(['i.k = s.k', 'true', 'i.x = 3'])})",
                f"SELECT s.k, max((SELECT max(i.x) {inner} i.k = s.k)) FROM {source} GROUP BY s.k",
                f"SELECT (SELECT sum(s.x)), count(*) FROM {source}",
                f"SELECT s.k, rank() OVER (ORDER BY (SELECT count(*) {inner} i.k = s.k), s.k)"
                f" FROM {source} GROUP BY s.k",
                f"SELECT s.k IN (SELECT i.k {inner} {self.filters('i')}) AS f, count(*) FROM"
                f" {source} GROUP BY f",
            ]
        )

    def laterals(self) -> str:
        first = self.pick(
            [
                "SELECT i.k, i.id FROM b AS i WHERE i.k = o.k AND i.x > 1",
                "SELECT max(i.k) AS k, max(i.id) AS id FROM b AS i WHERE i.k = o.k",
                "SELECT i.x AS k, i.id FROM b AS i WHERE i.k = o.k",
                "SELECT o.k, r1.id FROM r1 WHERE r1.x > o.x",
                "SELECT o.k, 1 AS id UNION ALL SELECT 3, 2",
                "SELECT i.k, count(*) AS id FROM b AS i GROUP BY i.k HAVING i.k = o.k",
                "SELECT DISTINCT i.k, i.x AS id FROM c AS i WHERE i.k = o.k",
                "SELECT g AS k, g AS id FROM generate_series(1, o.k) g WHERE g < 4",
            ]
        )
        second = self.pick(
            [
                "SELECT count(*) AS n FROM c AS z WHERE z.k = l.k",
                "SELECT z.id AS n FROM c AS z WHERE z.k = l.k AND z.x = l.id",
                "SELECT max(z.x) AS n FROM c AS z WHERE z.k = o.k AND z.id > l.id",
                "SELECT l.id + o.id AS n",
            ]
        )
        how = self.pick(["CROSS JOIN LATERAL ({})", "LEFT JOIN LATERAL ({})"])
        text = f"{self.pick(KEYED)} AS o {how.format(first)} AS l"
        text += " ON true" if how.startswith("LEFT") else ""
        if self.maybe(0.6):
            text += f" LEFT JOIN LATERAL ({second}) AS m ON true"
            return f"SELECT o.id, l.id, m.n FROM {text} WHERE {self.filters('o')}"
        return self.pick(
            [
                f"SELECT o.id, l.k FROM {text} WHERE {self.filters('o')}",
                f"SELECT l.k, count(*) FROM {text} WHERE {self.filters('o')} GROUP BY l.k",
                f"SELECT DISTINCT l.k FROM {text} WHERE {self.key_test('o')}",
            ]
        )

    def conditions_of_outer_joins(self) -> str:
        """ON and WHERE side by side, on either side's key."""
        test = self.pick(
            [
                "EXISTS (SELECT FROM c AS i WHERE i.k = q.k AND i.x = p.x)",
                "q.k IN (SELECT i.k FROM c AS i WHERE i.x > 1)",
                "q.k NOT IN (SELECT i.k FROM c AS i WHERE i.x > 5)",
                "q.x = (SELECT max(i.x) FROM c AS i WHERE i.k = q.k)",
                "q.x < (SELECT max(i.x) FROM c AS i)",
                self.key_test("p"),
                self.key_test("q"),
            ]
        )
        kind = self.pick(["LEFT JOIN", "LEFT JOIN", "RIGHT JOIN"])
        where = self.pick([self.key_test, self.filters])(self.pick("pq"))
        output = self.pick(
            ["p.id, q.id", "count(*), count(q.k)", "q.k, count(*)", "DISTINCT p.k, q.k"]
        )
        group = " GROUP BY q.k" if output.startswith("q.k") else ""
        return (
            f"SELECT {output} FROM {self.pick(TABLES)} AS p {kind} {self.pick(TABLES)} AS q"
            f" ON p.k = q.k AND {test} WHERE {where}{group}"
        )

    def null_keys(self) -> str:
        """A derived key that may be NULL, used where only a whole key would do."""
        below = (
            f"(SELECT q.k, p.id, q.x FROM {self.pick(TABLES)} AS p LEFT JOIN"
            f" {self.pick(TABLES)} AS q ON q.k = p.k AND q.id = p.id"
            f" WHERE {self.filters('p')}) AS w"
        )
        above = self.pick(
            [
                "w.k IS NOT NULL",
                "w.k > 0",
                "w.k = ALL ('{}'::int[])",
                "w.x > 1",
                "w.k IS NULL OR w.k = 3",
                self.key_test("w"),
                "true",
            ]
        )
        return self.pick(
            [
                f"SELECT w.k, count(*) FROM {below} WHERE {above} GROUP BY w.k",
                f"SELECT DISTINCT w.k FROM {below} WHERE {above}",
                f"SELECT w.id, row_number() OVER (PARTITION BY w.k ORDER BY w.id) FROM {below}"
                f" WHERE {above}",
                f"SELECT w.k FROM {below} WHERE {above} UNION SELECT k FROM c",
                f"SELECT k FROM c EXCEPT SELECT w.k FROM {below} WHERE {above}",
                f"SELECT w.id FROM {below} WHERE (w.k NOT IN (SELECT k FROM c)) IS NULL",
                f"SELECT w.id, w.k IN (SELECT k FROM c WHERE x > 1) FROM {below}",
                f"SELECT k, count(*) FROM {below} FULL JOIN c USING (k) GROUP BY k",
                f"SELECT o.id FROM a AS o WHERE o.k NOT IN (SELECT w.k FROM {below} WHERE {above})",
            ]
        )

    def order_of_subqueries(self) -> str:
        inner = f"FROM {self.one()} AS i WHERE {self.pick(['i.k = s.k', 'i.x = s.x', 'i.k = 3'])}"
        order = self.pick(
            [
                f"(SELECT count(*) {inner}) DESC",
                f"(SELECT max(i.x) {inner}) NULLS FIRST",
                f"s.k = {self.key()}",
                f"s.k IN (SELECT i.k {inner})",
                "s.x IS NULL, -s.x",
                's.t COLLATE "C" DESC NULLS LAST',
                "CASE WHEN s.k = 3 THEN 0 WHEN s.k = 4 THEN s.x END",
            ]
        )
        return (
            f"SELECT s.t, s.id FROM {self.pick(KEYED)} AS s WHERE {self.some_filter('s')}"
            f" ORDER BY {order}, s.id, s.k, s.x, s.t{self.limit()}"
        )

    def by_text(self) -> str:
        """The table whose key is text, beside those whose key is a number."""
        value = self.bare("text")
        where = self.pick(
            [
                f"e.s = {value}",
                f"e.s IN ({value}, {self.bare('text')})",
                f"e.s = {self.constant('text', True)}::{self.pick(['varchar', 'text', 'char(6)'])}",
                f'e.s = {value} COLLATE "C"',
                f"lower(e.s) = {value}",
                f"e.s > {value}",
                f"e.s || '' = {value}",
                f"e.s LIKE {self.constant('text', True)}",
                "true",
            ]
        )
        return self.pick(
            [
                f"SELECT e.s, e.id FROM e WHERE {where} ORDER BY e.s DESC, e.id{self.limit()}",
                f"SELECT e.s, count(*), max(e.t), min(e.t) FROM e WHERE {where} GROUP BY e.s",
                f"SELECT e.s, f.id FROM e JOIN e AS f ON f.s = e.s AND f.id > e.id WHERE {where}",
                f"SELECT e.id, s.id FROM e JOIN {self.one()} AS s ON s.t = e.s WHERE {where}",
                f"SELECT e.id, s.id FROM e LEFT JOIN {self.one()} AS s ON s.id = e.id WHERE {where}",
                f"SELECT e.s FROM e WHERE {where} UNION SELECT t FROM a ORDER BY 1 NULLS FIRST",
                f'SELECT e.s COLLATE "C" AS c, count(*) FROM e WHERE {where} GROUP BY 1 ORDER BY 1',
                f"SELECT DISTINCT upper(e.s) FROM e WHERE {where}",
                f"SELECT e.id FROM e WHERE {where} AND e.s IN (SELECT t FROM a)",
            ]
        )

    def empty(self) -> str:
        """Blocks without rows, on some shards or on all."""
        where = self.pick(
            [
                f"s.k = {self.key()} AND s.k = {self.key()}",
                "false",
                "s.k = 12345",
                "s.k = NULL",
                "s.k IN (NULL)",
                "s.id < 0",
            ]
        )
        source = f"{self.pick(KEYED)} AS s"
        return self.pick(
            [
                f"SELECT count(*), max(s.x), string_agg(s.t, ',') FROM {source} WHERE {where}",
                f"SELECT s.k, count(*) FROM {source} WHERE {where} GROUP BY ROLLUP (s.k)",
                f"SELECT 1 FROM {source} WHERE {where} HAVING count(*) = 0",
                f"SELECT count(*) FROM (SELECT DISTINCT s.k FROM {source} WHERE {where}) q",
                f"SELECT o.id, l.n FROM b AS o, LATERAL (SELECT count(*) AS n FROM {source} WHERE"
                f" {where} AND s.x = o.x) l",
                f"SELECT o.id FROM b AS o LEFT JOIN {source} ON s.k = o.k AND {where}",
                f"SELECT o.id FROM b AS o WHERE NOT EXISTS (SELECT FROM {source} WHERE {where})",
                f"SELECT o.id FROM b AS o WHERE o.x > ALL (SELECT s.x FROM {source} WHERE {where})",
                f"SELECT o.k FROM b AS o EXCEPT SELECT s.k FROM {source} WHERE {where}",
                f"SELECT count(*) FROM b AS o FULL JOIN (SELECT * FROM {source} WHERE {where}) s"
                " USING (k)",
                f"SELECT sum(count(*)) OVER () FROM {source} WHERE {where} GROUP BY s.t",
            ]
        )

    def existence(self) -> str:
        link = self.link("o", "i")
        body = self.pick(
            [
                f"SELECT FROM {self.one()} AS i WHERE {link}",
                f"SELECT FROM {self.one()} AS i WHERE {link} GROUP BY i.t HAVING count(*) > 1",
                f"SELECT i.x FROM {self.one()} AS i WHERE {link} EXCEPT SELECT x FROM r1",
                f"SELECT i.k FROM {self.one()} AS i INTERSECT SELECT o.k",
                f"SELECT count(*) FROM {self.one()} AS i WHERE {link} HAVING count(*) > 2",
                f"SELECT FROM (SELECT i.*, rank() OVER (ORDER BY i.x, i.id) AS r FROM a AS i) i"
                f" WHERE {link} AND i.r < 9",
                f"SELECT FROM (SELECT i.*, rank() OVER (PARTITION BY i.k ORDER BY i.x, i.id) AS r"
                f" FROM a AS i) i WHERE {link} AND i.r < 3",
                f"SELECT FROM (SELECT * FROM a ORDER BY id, k LIMIT 5) i WHERE {link}",
                f"SELECT FROM {self.one()} AS i WHERE {link} OR i.id = o.id",
                f"WITH z AS (SELECT * FROM b WHERE b.k = o.k) SELECT FROM z AS i WHERE {link}",
                f"SELECT FROM {self.one()} AS i LEFT JOIN c AS j ON j.k = i.k WHERE {link}"
                " AND j.id IS NULL",
            ]
        )
        test = f"{self.pick(['', 'NOT '])}EXISTS ({body})"
        return self.pick(
            [
                f"SELECT o.id FROM {self.one()} AS o WHERE {test} AND {self.filters('o')}",
                f"SELECT o.id, {test} AS f FROM {self.pick(KEYED)} AS o",
                f"SELECT o.id FROM {self.pick(KEYED)} AS o WHERE o.x = 2 OR {test}",
                f"SELECT count(*) FILTER (WHERE {test}) FROM {self.pick(KEYED)} AS o",
                f"SELECT o.k, bool_or({test}) FROM {self.pick(KEYED)} AS o GROUP BY o.k",
            ]
        )

    def with_queries(self) -> str:
        made = self.pick(["", "MATERIALIZED ", "NOT MATERIALIZED "])
        body = self.pick(
            [
                f"SELECT k, id, x FROM {self.one()} AS s WHERE {self.some_filter('s')}",
                f"SELECT k, max(id) AS id, sum(x) AS x FROM {self.one()} AS s GROUP BY k",
                "SELECT k, id, x FROM a ORDER BY id, k LIMIT 4",
                "VALUES (1, 2, 3), (4, 5, 6), (NULL, 1, 1)",
                "SELECT id AS k, k AS id, x FROM b",
                "SELECT q.k, p.id, q.x FROM a p LEFT JOIN c q ON q.k = p.k AND q.id = p.id",
            ]
        )
        return f"WITH w(k, id, x) AS {made}({body}) " + self.pick(
            [
                f"SELECT w.id, j.id FROM w LEFT JOIN b AS j ON j.k = w.k WHERE {self.key_test('w')}",
                "SELECT w.k, count(*) FROM w GROUP BY w.k",
                "SELECT o.id FROM c AS o WHERE o.k NOT IN (SELECT k FROM w WHERE k IS NOT NULL)",
                "SELECT o.id, (SELECT count(*) FROM w WHERE w.k = o.k) FROM c AS o",
                "SELECT p.id, q.id FROM w p FULL JOIN w q ON q.k = p.k AND q.id = p.id + 1",
                "SELECT DISTINCT ON (w.k) w.k, w.id, w.x FROM w ORDER BY w.k, w.id, w.x",
                "SELECT k FROM w UNION SELECT k FROM b EXCEPT SELECT k FROM c",
                "SELECT (SELECT count(*) FROM w), (SELECT sum(x) FROM w WHERE k = 3), count(*)"
                " FROM b",
            ]
        )
