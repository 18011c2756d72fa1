SELECT 1
SELECT
SELECT FROM t
SELECT * FROM t
SELECT t.* FROM t
SELECT s.t.* FROM s.t
SELECT db.s.t.a FROM db.s.t
SELECT a, b AS x, c y FROM t
SELECT "A b", "sel""ect", "select" FROM "Mixed Case"."ta""ble" AS "from"
SELECT ALL a FROM t
SELECT DISTINCT a, b FROM t
SELECT DISTINCT ON (a, lower(b)) a, b FROM t ORDER BY a, lower(b), c DESC
SELECT a FROM ONLY t
SELECT a FROM t *
SELECT a FROM t AS x (p, q)
SELECT 'a''b', E'a\nb\\c', 'back\slash', $$dollar 'q'$$, $tag$x$$y$tag$, ''
SELECT U&'d\0061t\+000061', U&'x!0061' UESCAPE '!'
SELECT b'1010', B'', x'1F', X'ff'
SELECT N'national'
SELECT 1, 0, 42, 2147483647, 2147483648, 9223372036854775807, 9223372036854775808, 1.5, .5, 5., 1e10, 1.5E-3
SELECT -1, - 1, -(1), - -1, -(-(1)), +1, + -1, -1.5, -2147483648, -9223372036854775808
SELECT -a, - - a, +a, -(a), ~a, !!a, @a, |/ a, @@ a
SELECT OPERATOR(-) 5, OPERATOR(pg_catalog.-) 5, a OPERATOR(pg_catalog.+) b, a OPERATOR(+) b
SELECT 1 - -1, 1 - - -1, a-1, a -1
SELECT TRUE, FALSE, NULL, true::text, 't'::bool, 'f'::boolean
SELECT a + b * c - d / e % f ^ g, (a + b) * (c - d)
SELECT a || b || c, a -> 'x' ->> 'y', a #> '{a,b}', a @> b, a <@ b, a ? 'k', a ?| array['x'], a && b
SELECT a < b, a <= b, a > b, a >= b, a = b, a <> b, a != b
SELECT a ~ 'x', a ~* 'x', a !~ 'x', a !~* 'x', a ~~ 'x', a !~~* 'x'
SELECT a AND b OR NOT c, NOT (a OR b) AND c, a AND (b AND c), (a AND b) AND c, a OR (b OR c) OR d
SELECT NOT NOT a, NOT a = b
SELECT a IS NULL, a IS NOT NULL, a ISNULL, a NOTNULL, (a, b) IS NULL
SELECT a IS TRUE, a IS NOT TRUE, a IS FALSE, a IS NOT FALSE, a IS UNKNOWN, a IS NOT UNKNOWN
SELECT a IS DISTINCT FROM b, a IS NOT DISTINCT FROM NULL
SELECT a BETWEEN 1 AND 2, a NOT BETWEEN b AND c, a BETWEEN SYMMETRIC 2 AND 1, a NOT BETWEEN SYMMETRIC 2 AND 1
SELECT a BETWEEN b - 1 AND b + 1 AND c, a BETWEEN (b AND c) AND d
SELECT a IN (1, 2, 3), a NOT IN (1), a IN (1, NULL), (a, b) IN ((1, 2), (3, 4)), a IN ('x', b, $1)
SELECT a IN (SELECT b FROM u), a NOT IN (SELECT b FROM u), (a, b) IN (SELECT c, d FROM u)
SELECT a = ANY (SELECT b FROM u), a <> ALL (SELECT b FROM u), a < SOME (SELECT b FROM u), a LIKE ANY (SELECT b FROM u)
SELECT a = ANY ($1), a = ANY (ARRAY[1, 2]), a <> ALL ('{1,2}'::int[]), a LIKE ANY (ARRAY['x%']), a NOT ILIKE ALL (b)
SELECT a OPERATOR(pg_catalog.=) ANY (b), a OPERATOR(pg_catalog.=) ANY (SELECT 1)
SELECT a LIKE 'x%', a NOT LIKE 'x', a ILIKE 'X', a NOT ILIKE 'x', a LIKE b ESCAPE '!', a NOT ILIKE b ESCAPE ''
SELECT a SIMILAR TO 'x', a NOT SIMILAR TO 'x', a SIMILAR TO 'x' ESCAPE '!', a NOT SIMILAR TO b || c ESCAPE d
SELECT EXISTS (SELECT 1), NOT EXISTS (SELECT FROM t WHERE t.a = u.a) FROM u
SELECT (SELECT 1), (SELECT a FROM t LIMIT 1) + 1, ((SELECT 2)), (VALUES (1))
SELECT ARRAY(SELECT a FROM t ORDER BY a), ARRAY[1, 2], ARRAY[[1, 2], [3, 4]], ARRAY[]::int[], ARRAY[ARRAY[1]]
SELECT ROW(), ROW(1), ROW(1, 2), (1, 2), (a, b) = (c, d), ROW(a, b) < ROW(c, d), (a, (b, c))
SELECT (a).b, (a.b).c, (a).*, (t.a).b[1].c, a[1], a[1][2], a[1:2], a[:], a[1:], a[:2], a.b[3], (f(x)).y, (ARRAY[1,2])[1]
SELECT $1, $2::int, $1[1], ($1).f, $3 + $10
SELECT (SELECT r FROM t).f, (SELECT ARRAY[1])[1]
SELECT CASE WHEN a THEN 1 WHEN b THEN 2 ELSE 3 END, CASE a WHEN 1 THEN 'x' END, CASE WHEN a THEN CASE WHEN b THEN 1 END END
SELECT COALESCE(a, b, 1), NULLIF(a, b), GREATEST(a, b), LEAST(a, 1)
SELECT CAST(a AS int), a::int, a::text::varchar, CAST(CAST(a AS text) AS int), (-1)::int, -1::int, '5'::int + 1
SELECT a::varchar(10), a::char(3), a::char, a::character varying(5), a::bpchar, a::"char", a::numeric(10, 2), a::numeric, a::decimal(5), a::dec
SELECT a::int[], a::int[3], a::int[][], a::int ARRAY, a::int ARRAY[4], a::numeric(4,1)[2][3]
SELECT a::bit, a::bit(3), a::bit varying, a::bit varying(5), a::float, a::float(10), a::float(30), a::real, a::double precision
SELECT a::timestamp, a::timestamp(3), a::timestamp with time zone, a::timestamp(3) with time zone, a::timestamptz, a::time(2) without time zone, a::time with time zone
SELECT a::interval, a::interval(3), a::interval year, a::interval day to second(2), a::interval hour to minute, a::interval second
SELECT interval '1 day', interval '1' year, interval(3) '1.2345', interval '1:2' minute to second(3), date '2020-01-01', timestamp '2020-01-01', time '10:00', int4 '5', float8 '1.5', bool 't', point '(1,2)', myschema.mytype 'x', numeric(10,2) '1.234'
SELECT a::myschema.mytype, a::"My Type"(1, 2), a::pg_catalog.int4, a::regclass
SELECT a COLLATE "C", a COLLATE pg_catalog."en_US" < b, (a || b) COLLATE "x"
SELECT a AT TIME ZONE 'UTC', (a AT TIME ZONE b) AT TIME ZONE 'x', now() AT TIME ZONE interval '1 hour'
SELECT CURRENT_DATE, CURRENT_TIME, CURRENT_TIME(3), CURRENT_TIMESTAMP, CURRENT_TIMESTAMP(0), LOCALTIME, LOCALTIME(1), LOCALTIMESTAMP, LOCALTIMESTAMP(6)
SELECT CURRENT_ROLE, CURRENT_USER, USER, SESSION_USER, CURRENT_CATALOG, CURRENT_SCHEMA
SELECT EXTRACT(year FROM a), EXTRACT('dow' FROM a), EXTRACT(epoch FROM now() - a)
SELECT POSITION('a' IN b), SUBSTRING(a FROM 2), SUBSTRING(a FROM 2 FOR 3), SUBSTRING(a FOR 3), SUBSTRING(a, 2, 3), SUBSTRING(a SIMILAR 'x' ESCAPE '#'), OVERLAY(a PLACING 'x' FROM 2 FOR 3), OVERLAY(a PLACING 'x' FROM 2)
SELECT TRIM(a), TRIM(BOTH 'x' FROM a), TRIM(LEADING FROM a), TRIM(TRAILING 'x' FROM a), TRIM(a, 'x')
SELECT NORMALIZE(a), NORMALIZE(a, NFKC), a IS NORMALIZED, a IS NFD NORMALIZED, a IS NOT NORMALIZED
SELECT (a, b) OVERLAPS (c, d), COLLATION FOR (a), TREAT(a AS int)
SELECT f(), f(1), f(a, b), s.f(a), db.s.f(a), "F"(a), f(DISTINCT a), f(ALL a), f(a, VARIADIC b), f(VARIADIC ARRAY[1])
SELECT f(a => 1, b => 2), f(1, b := 2), f(1, VARIADIC x => y)
SELECT count(*), count(a), count(DISTINCT a), sum(a) + 1, avg(a + b), max(a ORDER BY b), string_agg(a, ',' ORDER BY b DESC NULLS LAST, c), array_agg(DISTINCT a ORDER BY a)
SELECT count(*) FILTER (WHERE a > 1), sum(a) FILTER (WHERE b IS NULL) OVER ()
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a), mode() WITHIN GROUP (ORDER BY a DESC), rank(1, 2) WITHIN GROUP (ORDER BY a, b), percentile_disc(ARRAY[0.1]) WITHIN GROUP (ORDER BY a) FILTER (WHERE b)
SELECT rank() OVER w, sum(a) OVER (w ORDER BY c), row_number() OVER (), lag(a, 1) OVER (PARTITION BY b, c ORDER BY d) FROM t WINDOW w AS (PARTITION BY a ORDER BY b), v AS (w), "W x" AS ()
SELECT sum(a) OVER (ORDER BY b ROWS UNBOUNDED PRECEDING), sum(a) OVER (ORDER BY b ROWS 2 PRECEDING), sum(a) OVER (ROWS CURRENT ROW)
SELECT sum(a) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING), sum(a) OVER (ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING), sum(a) OVER (ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING)
SELECT sum(a) OVER (ORDER BY b RANGE BETWEEN '1 day' PRECEDING AND CURRENT ROW), sum(a) OVER (ORDER BY b GROUPS BETWEEN 1 FOLLOWING AND 2 FOLLOWING)
SELECT sum(a) OVER (ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING EXCLUDE CURRENT ROW), sum(a) OVER (ROWS 1 PRECEDING EXCLUDE GROUP), sum(a) OVER (ROWS 1 PRECEDING EXCLUDE TIES), sum(a) OVER (ROWS 1 PRECEDING EXCLUDE NO OTHERS)
SELECT sum(a) OVER (RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), sum(a) OVER (RANGE UNBOUNDED PRECEDING)
SELECT a FROM t, u, v WHERE t.a = u.a
SELECT * FROM t JOIN u ON t.a = u.a
SELECT * FROM t INNER JOIN u USING (a, b) LEFT JOIN v USING (c) AS x
SELECT * FROM t LEFT OUTER JOIN u ON true RIGHT JOIN v ON t.a = v.a FULL JOIN w ON w.a = v.a
SELECT * FROM t NATURAL JOIN u NATURAL LEFT JOIN v NATURAL FULL JOIN w NATURAL RIGHT JOIN x
SELECT * FROM t CROSS JOIN u, v CROSS JOIN w
SELECT * FROM (t JOIN u ON true) AS j (a, b), (t JOIN u USING (k))
SELECT * FROM t JOIN (u JOIN v ON u.a = v.a) ON t.a = u.a
SELECT * FROM t JOIN u JOIN v ON u.a = v.a ON t.a = u.a
SELECT * FROM ((t CROSS JOIN u))
SELECT * FROM (SELECT 1) s, (VALUES (1, 'a'), (2, 'b')) AS v (n, s), LATERAL (SELECT s.x) AS l
SELECT * FROM t LEFT JOIN LATERAL (SELECT * FROM u WHERE u.a = t.a ORDER BY b LIMIT 1) x ON true
SELECT * FROM f(1), s.g(2) AS x, h(3) AS y (a, b), LATERAL k(y.a) WITH ORDINALITY AS z (v, n)
SELECT * FROM f(1) AS (a int, b text COLLATE "C"), g() AS x (c numeric(10,2), d int[]), h() y (e varchar(3))
SELECT * FROM ROWS FROM (f(1), g(2) AS (a int, b text)) WITH ORDINALITY AS r (x, y, z)
SELECT * FROM ROWS FROM (f(1))
SELECT * FROM generate_series(1, 10) g, unnest(ARRAY[1, 2], ARRAY['a', 'b']) AS u (a, b)
SELECT * FROM current_date, CAST(1 AS int) AS c, COALESCE(1, 2) AS d, current_user u, extract(year from now()) e
SELECT * FROM t TABLESAMPLE system (10), u AS x TABLESAMPLE bernoulli (5.5) REPEATABLE (42), ONLY s.v TABLESAMPLE s.m (1, 2)
SELECT a FROM t WHERE a = 1 AND (b = 2 OR c = 3) AND NOT d
SELECT a, count(*) FROM t GROUP BY a HAVING count(*) > 1
SELECT a FROM t GROUP BY 1, b + 1, (c), (d, e), ()
SELECT a FROM t GROUP BY ROLLUP (a, (b, c)), CUBE (d, e), GROUPING SETS ((a, b), a, (), ROLLUP (c), GROUPING SETS ((d)))
SELECT GROUPING(a, b), a FROM t GROUP BY DISTINCT ROLLUP (a), CUBE (b)
SELECT a FROM t GROUP BY ALL a
SELECT a FROM t ORDER BY a, b ASC, c DESC, d NULLS FIRST, e DESC NULLS LAST, f USING <, g USING OPERATOR(pg_catalog.>) NULLS FIRST, 1, -1
SELECT a FROM t LIMIT 10
SELECT a FROM t LIMIT ALL OFFSET 5
SELECT a FROM t OFFSET 5 ROWS FETCH NEXT 10 ROWS ONLY
SELECT a FROM t FETCH FIRST ROW ONLY
SELECT a FROM t ORDER BY a FETCH FIRST 5 ROWS WITH TIES
SELECT a FROM t ORDER BY a OFFSET 2 FETCH FIRST ($1 + 1) ROWS WITH TIES
SELECT a FROM t LIMIT NULL
SELECT a FROM t LIMIT $1 OFFSET $2
SELECT a FROM t LIMIT (SELECT 3) OFFSET a + b
SELECT a FROM t FOR UPDATE
SELECT a FROM t FOR NO KEY UPDATE OF t NOWAIT FOR SHARE OF u, v SKIP LOCKED FOR KEY SHARE
SELECT a FROM t LIMIT 1 FOR UPDATE SKIP LOCKED
SELECT a FROM t FOR UPDATE OF s.t
SELECT a FROM t FOR READ ONLY
SELECT a UNION SELECT b
SELECT a UNION ALL SELECT b UNION SELECT c
SELECT a UNION (SELECT b UNION ALL SELECT c)
SELECT a INTERSECT SELECT b EXCEPT ALL SELECT c INTERSECT ALL SELECT d
SELECT a UNION SELECT b ORDER BY 1 LIMIT 5 OFFSET 1
(SELECT a ORDER BY b LIMIT 1) UNION ALL (SELECT c ORDER BY d LIMIT 2) ORDER BY 1
(SELECT a)
((SELECT a LIMIT 3))
(SELECT a) LIMIT 3
VALUES (1)
VALUES (1, 'a'), (2, DEFAULT), (-3, NULL) ORDER BY 1 LIMIT 1
VALUES (1) UNION VALUES (2)
TABLE t
TABLE ONLY s.t
TABLE t UNION TABLE u
WITH x AS (SELECT 1) SELECT * FROM x
WITH x (a, b) AS (SELECT 1, 2), y AS (VALUES (1)) SELECT * FROM x, y
WITH x AS MATERIALIZED (SELECT 1), y AS NOT MATERIALIZED (SELECT 2) SELECT * FROM x, y
WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 10) SELECT n FROM r
WITH x AS (INSERT INTO t VALUES (1) RETURNING a), y AS (UPDATE t SET a = 1 RETURNING *), z AS (DELETE FROM t RETURNING b) SELECT * FROM x, y, z
WITH x AS (WITH y AS (SELECT 1) SELECT * FROM y) SELECT * FROM x
SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x) s
SELECT (WITH x AS (SELECT 1) SELECT * FROM x)
(WITH x AS (SELECT 1) SELECT * FROM x) UNION SELECT 2
WITH x AS (SELECT 1) (SELECT * FROM x UNION SELECT 2) LIMIT 1
SELECT a INTO u FROM t
SELECT a INTO TEMP u FROM t
SELECT a INTO TEMPORARY TABLE u FROM t
SELECT a INTO UNLOGGED s.u FROM t WHERE a > 1
SELECT a, b FROM t WHERE (a, b) > ($1, $2) ORDER BY a, b LIMIT $3
SELECT t FROM t
SELECT t.a.b FROM t
SELECT count(*) FROM (SELECT DISTINCT a FROM t) AS d
SELECT sum(x.a) FROM (SELECT a FROM t GROUP BY a HAVING count(*) > 1 ORDER BY a LIMIT 10) AS x
SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a AND u.b IN (SELECT c FROM v WHERE v.d = u.d))
SELECT a FROM t WHERE a = (SELECT max(a) FROM t) OR b IN (VALUES (1), (2))
SELECT "é", 'ü', "日本" FROM "таблица"
SELECT a AS "select", b AS "from", c "order" FROM t
SELECT a /* comment */ FROM t -- end
SELECT 1 AS "a b", 2 "c""d"
SELECT a.b.c.d FROM a.b.c
SELECT x.y FROM (SELECT 1 AS y) AS x (y)
SELECT json_build_object('a', 1, 'b', ARRAY[1]), jsonb '{"a": 1}' -> 'a', '{"a":1}'::jsonb ->> 'a'
SELECT (a).b.c[1:2].d FROM t
SELECT NOT a IS NULL, (NOT a) IS NULL, a = b IS TRUE, (a = b) = c
SELECT a < b AND c > d OR e IS NULL AND f IN (1, 2) OR NOT g LIKE 'x'
SELECT 1 + 2 + 3 - 4 - 5, 2 ^ 3 ^ 4, 1 - (2 - 3), a || (b || c)
SELECT a <-> b, a |/ b, a !~~ b, a ->> 1, a -|- b, a <<| b, a ^@ b
SELECT f(a) OVER w2 FROM t WINDOW w2 AS (ORDER BY a RANGE BETWEEN INTERVAL '1' DAY PRECEDING AND INTERVAL '2' DAY FOLLOWING EXCLUDE TIES)
SELECT nullif(1, 2) = nullif(3, 4), nullif((SELECT 1), 2)
SELECT (SELECT count(*) FROM u WHERE u.a = t.a) AS n, (ARRAY(SELECT b FROM u))[1:2] FROM t
SELECT COALESCE((SELECT a FROM t LIMIT 1), (SELECT b FROM u LIMIT 1), 0)
SELECT -(SELECT 1), - (a + b), +(-a), - '5', - $1, -f(x)
SELECT '2020-01-01'::date + interval '1 day' * 3 - '1 hour'::interval
SELECT count(*) FILTER (WHERE a IN (SELECT b FROM u)) FROM t GROUP BY c HAVING sum(d) FILTER (WHERE e) > ALL (SELECT f FROM v)
SELECT * FROM t WHERE a IS NOT DISTINCT FROM (SELECT NULL) AND (b, c) IS DISTINCT FROM (1, 2)
SELECT * FROM t WHERE CASE WHEN a THEN b ELSE c END AND COALESCE(d, false)
SELECT * FROM t WHERE a @@ to_tsquery('x & y') AND b %> 'z' AND c <% 'w'
SELECT * FROM t t1 JOIN t t2 ON t1.a = t2.b AND t1.c > 5 LEFT JOIN u ON (u.a = t1.a OR u.b IS NULL) WHERE t2.d BETWEEN 1 AND 10
SELECT t.* , u.a AS ua FROM public.t AS t, only_schema.u AS u
SELECT 1 FROM t HAVING true
SELECT 1 WHERE false
SELECT ROW(t.*), ROW(a, t.*), (t.*) FROM t
SELECT ROW(1, 'x')::mytype, (ROW(1, 'x')::mytype).a
SELECT a[b[1]], a[(SELECT 1)], a[1 + 2 : f(3)]
SELECT xs[1].y.z[2], (xs).y[1]
SELECT x.* FROM t, LATERAL jsonb_to_recordset(t.j) AS x (a int, b text)
SELECT * FROM crosstab('select 1') AS ct (a text, b int, c int)
SELECT * FROM t WHERE a = ANY (ARRAY(SELECT b FROM u)) AND c = ANY ('{1,2,3}'::bigint[]) AND d <> ALL ($1::text[])
SELECT pg_catalog.count(*), pg_catalog.lower('X')
SELECT "count"(*), "coalesce"(1), "nullif"(1, 2), "extract"('x', y), "position"(1), "substring"('a', 1)
SELECT current_setting('x'), set_config('a.b', 'c', false), nextval('s'::regclass), currval('s')
SELECT a FROM t WHERE b = $1 AND c > $2::timestamp AND d = ANY($3::int[])
SELECT DISTINCT ON (1) a, b FROM t ORDER BY 1
SELECT DISTINCT t.a, count(*) OVER (PARTITION BY t.b) FROM t ORDER BY 2
SELECT max(a), min(b), bool_and(c), every(d), array_agg(e ORDER BY f), json_agg(g), xmlagg(h) FROM t
SELECT stddev(a), corr(a, b), regr_slope(y, x), covar_pop(a, b) FROM t
SELECT interval '1 day' = '24 hours', '1' = 1, '{}'::json IS NULL
SELECT a::text || ':' || b::text AS "k:v" FROM t ORDER BY "k:v" COLLATE "C" DESC
SELECT 'E''x', 'tab	tab'
SELECT 1 IN (1) = true
SELECT a IS NULL = b
SELECT 'a' LIKE 'b' = true
SELECT f(VARIADIC a ORDER BY b), f(x, VARIADIC y ORDER BY z DESC)
SELECT f(*), f() FILTER (WHERE true)
SELECT sum(DISTINCT a) OVER (PARTITION BY b)
SELECT date_trunc('month', a) AS m, count(*) FROM t GROUP BY m ORDER BY m DESC
SELECT a, b, c FROM t WHERE tenant_id = 42 AND id IN (1, 2, 3) AND created_at >= now() - interval '7 days' ORDER BY created_at DESC LIMIT 20 OFFSET 40
SELECT "public"."users"."id", "public"."users"."email" FROM "public"."users" WHERE ("public"."users"."id" = $1 AND 1=1) LIMIT $2 OFFSET $3
SELECT t0.id AS t0_id, t0.name AS t0_name FROM users AS t0 LEFT OUTER JOIN addresses AS t1 ON t0.id = t1.user_id WHERE t0.name = $1 IS NULL
SELECT "auth_user"."id", COUNT("app_post"."id") AS "n" FROM "auth_user" LEFT OUTER JOIN "app_post" ON ("auth_user"."id" = "app_post"."user_id") GROUP BY "auth_user"."id" HAVING COUNT("app_post"."id") > 3 ORDER BY "n" DESC
SELECT c.relname, pg_catalog.pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p','v','m','S','f','') AND n.nspname !~ '^pg_toast' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1,2
SELECT c.oid, n.nspname FROM pg_catalog.pg_class c WHERE c.relname OPERATOR(pg_catalog.~) '^(t)$' COLLATE pg_catalog.default ORDER BY 2, 3
SELECT a.attname, (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef) FROM pg_catalog.pg_attribute a WHERE a.attrelid = '16384' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
SELECT a FROM t WHERE a = 2147483648 OR a = -2147483648 OR b = -9223372036854775808
SELECT a FROM t WHERE b -> 'x' ? 'y' AND c ?| ARRAY['a'] AND d ?& ARRAY['b']
SELECT sum(a) FROM t GROUP BY b, c ORDER BY sum(a) DESC, 2 LIMIT 3
SELECT t.k, u.v FROM t FULL OUTER JOIN u USING (k) WHERE COALESCE(t.x, u.x) = 1
SELECT * FROM t WHERE (a, b) IN (SELECT c, d FROM u) AND (e, f) = ANY (SELECT g, h FROM v) AND (i, j) < ALL (SELECT k, l FROM w)
SELECT * FROM t WHERE a NOT IN (SELECT b FROM u WHERE c = ANY (t.d)) ORDER BY random()
SELECT * FROM (t LEFT JOIN u ON t.a = u.a) RIGHT JOIN (v CROSS JOIN w) ON v.b = u.b
SELECT rank() OVER (PARTITION BY a ORDER BY b), dense_rank() OVER (ORDER BY c DESC NULLS LAST) FROM t
SELECT a, lag(b) OVER w, first_value(c) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING) FROM t WINDOW w AS (PARTITION BY d ORDER BY e)
SELECT ALL 1 UNION ALL SELECT ALL 2 EXCEPT SELECT 3 ORDER BY 1 DESC NULLS FIRST OFFSET 1 ROW
SELECT -5, - '5', -(-5), - (/* 6 */ 7), - NULL, -b'1', +'x',- (( 8 ))
SELECT a FROM t WHERE a = -1 AND b IN (-1, +2, - 3) AND c BETWEEN -1 AND 1 LIMIT -1 OFFSET -2
SELECT x -1, x - 1, x -1.5, x-.5, (-1)::int, - 1::int, 2-1, '1'-'2' FROM t
