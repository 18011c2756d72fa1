// One case for each line of the rules: a query and the property of its outermost block.
// In expectations {5} is the shard of tenant 5 and [..] lists the match columns, * marks part.
#include <gtest/gtest.h>

#include "route/bind.h"
#include "route/property.h"
#include "route/testing.h"
#include "sql/parse.h"

namespace shoal::route {
namespace {

std::string describe(const Property& p, const Analysis& a, const Deriver& d) {
  std::string out;
  switch (p.kind) {
    case Property::Kind::kEverywhere: return "everywhere";
    case Property::Kind::kAnyOne: return "any one";
    case Property::Kind::kGathered: return "gathered";
    case Property::Kind::kOneShard: out = "one " + d.shard_names(p.shards); break;
    case Property::Kind::kPartitioned:
      out = p.shards.size() == 4 ? "all" : p.shards.size() == 1 ? "one " + d.shard_names(p.shards)
                                                                : d.shard_names(p.shards);
  }
  std::vector<std::string> names;
  for (const Match& m : p.match) {
    std::string name;
    for (const ColumnId c : m.columns) {
      if (!name.empty()) name += "+";
      name += a.block(a.root).outputs[static_cast<std::size_t>(c.column)].name;
    }
    if (m.part) name += "*";
    if (!m.link) name += "!";
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (names.empty()) return out;
  out += " [";
  for (std::size_t i = 0; i < names.size(); ++i) out += (i > 0 ? " " : "") + names[i];
  return out + "]";
}

std::string property(const std::string& text, std::vector<Parameter> params = {}) {
  static const catalog::SnapshotPtr snapshot = make_test_cluster();
  auto parsed = sql::parse(text, sql::ParseLimits{});
  if (!parsed) return "syntax: " + parsed.error().message;
  SessionFacts session;
  const Analysis a = bind(parsed->front(), *snapshot, session);
  if (a.refusal) return a.refusal->detail.substr(0, 6);
  if (a.error) return a.error->sqlstate;
  ConstantReader reader(*snapshot, session, params);
  Deriver d(a, reader);
  const Property p = d.block(a.root);
  return describe(p, a, d);
}

std::string expand(std::string expected) {
  for (auto at = expected.find('{'); at != std::string::npos; at = expected.find('{')) {
    const auto end = expected.find('}', at);
    const std::string key = expected.substr(at + 1, end - at - 1);
    const std::string shard = key[0] == '\'' ? test_shard_of(key.substr(1, key.size() - 2))
                                             : test_shard_of(std::atoi(key.c_str()));
    expected.replace(at, end - at + 1, shard);
  }
  return expected;
}

struct Case {
  const char* name;
  const char* sql;
  const char* expected;
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    EXPECT_EQ(property(c.sql), expand(c.expected)) << c.name << ": " << c.sql;
  }
}

TEST(Property, relations) {
  check({
      {"constants", "SELECT 1", "everywhere"},
      {"a reference table", "SELECT * FROM ref", "everywhere"},
      {"a sharded table", "SELECT tenant_id, id FROM orders", "all [tenant_id*]"},
      {"a sharded table without its key", "SELECT id FROM orders", "all"},
      {"a composite key", "SELECT a, b FROM pairs", "all [a+b*]"},
      {"half of a composite key", "SELECT a FROM pairs", "all"},
      {"a key whose equal values may lie apart", "SELECT amount FROM money", "all [amount*!]"},
      {"a single table", "SELECT * FROM note", "one s1"},
      {"another schema's table of that name", "SELECT tenant_id FROM app.orders", "one s1"},
      {"a catalog", "SELECT relname FROM pg_class", "one s1"},
      {"a renamed key", "SELECT tenant_id AS t FROM orders", "all [t*]"},
      {"a computed key is no key", "SELECT tenant_id + 0 AS t FROM orders", "all"},
      {"a cast key is no key", "SELECT tenant_id::int8 FROM orders", "all"},
      {"a star", "SELECT * FROM lines", "all [tenant_id*]"},
      {"an alias list", "SELECT b FROM lines AS l(b, c)", "all [b*]"},
      {"a view over a sharded table", "SELECT t FROM v_all", "all [t*]"},
      {"a view with its own condition", "SELECT tenant_id FROM v_orders", "one {5} [tenant_id*]"},
      {"a view over a reference table", "SELECT * FROM v_ref", "everywhere"},
      {"a view over a single table", "SELECT * FROM v_note", "one s1"},
      {"a function in FROM", "SELECT * FROM generate_series(1, 3) g", "everywhere"},
      {"a volatile function in FROM", "SELECT * FROM generate_series(1, random()) g", "any one"},
      {"VALUES", "VALUES (1, 2), (3, 4)", "everywhere"},
      {"unknown column", "SELECT nothing FROM orders", "42703"},
      {"ambiguous column", "SELECT tenant_id FROM orders, users", "42702"},
      {"missing FROM entry", "SELECT u.id FROM orders o", "42P01"},
      {"unknown function", "SELECT nothing(x) FROM orders", "42883"},
  });
}

TEST(Property, constants_prune) {
  check({
      {"=", "SELECT id FROM orders WHERE tenant_id = 5", "one {5}"},
      {"= turned round", "SELECT id FROM orders WHERE 5 = tenant_id", "one {5}"},
      {"a quoted number", "SELECT id FROM orders WHERE tenant_id = '5'", "one {5}"},
      {"a cast", "SELECT id FROM orders WHERE tenant_id = '5'::int8", "one {5}"},
      {"a numeric of the same value", "SELECT id FROM orders WHERE tenant_id = 5.0", "one {5}"},
      {"a numeric between: no row", "SELECT id FROM orders WHERE tenant_id = 5.5", "one s1"},
      {"beyond int8: no row", "SELECT id FROM orders WHERE tenant_id = 99999999999999999999", "one s1"},
      {"a float8 is left alone", "SELECT id FROM orders WHERE tenant_id = 5::float8", "all"},
      {"a negative number", "SELECT id FROM orders WHERE tenant_id = -5", "one {-5}"},
      {"not under a sign", "SELECT id FROM orders WHERE -tenant_id = -5", "all"},
      {"not an expression over the key", "SELECT id FROM orders WHERE tenant_id + 1 = 5", "all"},
      {"= NULL is no row", "SELECT id FROM orders WHERE tenant_id = NULL", "one s1"},
      {"IS NULL proves nothing", "SELECT id FROM orders WHERE tenant_id IS NULL", "all"},
      {"IN", "SELECT id FROM orders WHERE tenant_id IN (5, 5)", "one {5}"},
      {"IN with NULL", "SELECT id FROM orders WHERE tenant_id IN (5, NULL)", "one {5}"},
      {"IN with an expression", "SELECT id FROM orders WHERE tenant_id IN (5, x)", "all"},
      {"NOT IN", "SELECT id FROM orders WHERE tenant_id NOT IN (5)", "all"},
      {"= ANY of an array", "SELECT id FROM orders WHERE tenant_id = ANY(ARRAY[5, 5])", "one {5}"},
      {"= ANY of a literal", "SELECT id FROM orders WHERE tenant_id = ANY('{5,NULL}')", "one {5}"},
      {"= ANY of a cast literal", "SELECT id FROM orders WHERE tenant_id = ANY('{5}'::int[])", "one {5}"},
      {"= ALL", "SELECT id FROM orders WHERE tenant_id = ALL(ARRAY[5])", "all"},
      {"> ANY", "SELECT id FROM orders WHERE tenant_id > ANY(ARRAY[5])", "all"},
      {"a row", "SELECT x FROM orders WHERE (tenant_id, id) = (5, 2)", "one {5}"},
      {"rows", "SELECT x FROM orders WHERE (tenant_id, id) IN ((5, 2), (5, 3))", "one {5}"},
      {"a row less than", "SELECT x FROM orders WHERE (tenant_id, id) < (5, 2)", "all"},
      {"OR takes the union", "SELECT x FROM orders WHERE tenant_id = 5 OR tenant_id = 5", "one {5}"},
      {"OR with another condition", "SELECT x FROM orders WHERE tenant_id = 5 OR x = 1", "all"},
      {"OR inside AND", "SELECT x FROM orders WHERE (tenant_id = 5 OR x = 1) AND tenant_id = 6", "one {6}"},
      {"NOT", "SELECT x FROM orders WHERE NOT (tenant_id = 5)", "all"},
      {"IS FALSE", "SELECT x FROM orders WHERE (tenant_id = 5) IS FALSE", "all"},
      {"IS NOT DISTINCT FROM", "SELECT x FROM orders WHERE tenant_id IS NOT DISTINCT FROM 5", "all"},
      {"CASE", "SELECT x FROM orders WHERE CASE WHEN tenant_id = 5 THEN true ELSE false END", "all"},
      {"FILTER", "SELECT count(*) FILTER (WHERE tenant_id = 5) FROM orders", "gathered"},
      {"HAVING", "SELECT tenant_id FROM orders GROUP BY tenant_id HAVING tenant_id = 5", "all [tenant_id*]"},
      {"an output name is not the column", "SELECT x AS tenant_id FROM orders WHERE tenant_id = 5", "one {5}"},
      {"an output name of the key is not in WHERE", "SELECT tenant_id AS x FROM orders WHERE x = 5", "all [x*]"},
      {"text", "SELECT url FROM links WHERE url_id = 'abc'", "one {'abc'}"},
      {"text with another collation", "SELECT url FROM links WHERE url_id = 'abc' COLLATE \"C\"", "all"},
      {"a nondeterministic collation", "SELECT x FROM ci WHERE name = 'abc'", "all"},
      {"a composite key whole", "SELECT x FROM pairs WHERE a = 1 AND b = 2 AND a = 1 AND b = 2", "one s3"},
      {"a composite key by half", "SELECT x FROM pairs WHERE a = 1", "all"},
      {"a range by =", "SELECT x FROM ranges WHERE z = 150", "one s2"},
      {"a range by BETWEEN", "SELECT x FROM ranges WHERE z BETWEEN 120 AND 250", "s2, s3"},
      {"a range by <", "SELECT x FROM ranges WHERE z < 100", "s1, s2"},
      {"a range by >=", "SELECT x FROM ranges WHERE z >= 300", "one s4"},
      {"a hash key by <", "SELECT x FROM orders WHERE tenant_id < 5", "all"},
      {"no matching, but pruning", "SELECT x FROM money WHERE amount = 1.50", "one s3"},
      {"contradiction", "SELECT x FROM orders WHERE tenant_id = 5 AND tenant_id = NULL", "one s1"},
      {"a scalar subquery is no constant yet", "SELECT x FROM orders WHERE tenant_id = (SELECT 5)", "all"},
      {"a subselect keeps the condition's place", "SELECT * FROM (SELECT x AS tenant_id, tenant_id AS t FROM orders) q WHERE tenant_id = 5", "all [t*]"},
      {"a condition above a subselect", "SELECT q.x FROM (SELECT tenant_id AS t, x FROM orders) q WHERE t = 5", "one {5}"},
      {"a condition above a grouped subselect", "SELECT * FROM (SELECT tenant_id AS t, count(*) FROM orders GROUP BY 1) q WHERE t = 5", "one {5} [t*]"},
      {"a condition above a LIMIT", "SELECT * FROM (SELECT tenant_id AS t FROM orders LIMIT 3) q WHERE t = 5", "gathered"},
      {"a condition above a window", "SELECT * FROM (SELECT tenant_id AS t, rank() OVER (ORDER BY x) FROM orders) q WHERE t = 5", "gathered"},
  });
}

TEST(Property, inner_joins) {
  check({
      {"with a reference table", "SELECT o.tenant_id FROM orders o JOIN ref r ON r.k = o.x", "all [tenant_id*]"},
      {"the reference column joins match", "SELECT r.k FROM orders o JOIN ref r ON r.k = o.tenant_id", "all [k*]"},
      {"linked", "SELECT o.tenant_id, u.tenant_id AS t FROM orders o JOIN users u ON o.tenant_id = u.tenant_id", "all [t* tenant_id*]"},
      {"linked in WHERE", "SELECT 1 FROM orders o, users u WHERE o.tenant_id = u.tenant_id", "all"},
      {"linked across int widths", "SELECT 1 FROM orders o, lines l WHERE o.tenant_id = l.tenant_id", "all"},
      {"not linked", "SELECT 1 FROM orders o JOIN users u ON o.id = u.id", "gathered"},
      {"a key equal to a column that is no key", "SELECT 1 FROM users u JOIN orders o ON o.x = u.tenant_id", "gathered"},
      {"linked by an operator that is not =", "SELECT 1 FROM orders o JOIN users u ON o.tenant_id <= u.tenant_id", "gathered"},
      {"linked under OR", "SELECT 1 FROM orders o JOIN users u ON o.tenant_id = u.tenant_id OR true", "gathered"},
      {"linked through a reference table", "SELECT 1 FROM orders o, users u, ref r WHERE o.tenant_id = r.k AND u.tenant_id = r.k", "all"},
      {"linked through a column that is no key", "SELECT 1 FROM orders o, users u WHERE o.tenant_id = u.k AND u.k = u.tenant_id", "all"},
      {"USING", "SELECT tenant_id FROM orders JOIN users USING (tenant_id)", "all [tenant_id*]"},
      {"USING of two widths is a column of its own", "SELECT tenant_id FROM orders JOIN lines USING (tenant_id)", "all [tenant_id*]"},
      {"USING of two widths in a left join", "SELECT tenant_id FROM orders LEFT JOIN lines USING (tenant_id)", "all [tenant_id*]"},
      {"USING of two widths prunes", "SELECT 1 FROM orders LEFT JOIN lines USING (tenant_id) WHERE tenant_id = 5", "one {5}"},
      {"USING another column", "SELECT 1 FROM orders JOIN users USING (id)", "gathered"},
      {"NATURAL with the key", "SELECT tenant_id FROM orders NATURAL JOIN lines", "all [tenant_id*]"},
      {"NATURAL without a common column", "SELECT 1 FROM orders NATURAL JOIN links", "gathered"},
      {"two keyspaces", "SELECT 1 FROM orders o JOIN ranges r ON r.z = o.tenant_id", "gathered"},
      {"two keyspaces of one constant shard", "SELECT 1 FROM ranges a JOIN ranges b ON a.z = 150 AND b.z = 160", "one s2"},
      {"two different constants", "SELECT 1 FROM ranges a, ranges b WHERE a.z = 50 AND b.z = 150", "gathered"},
      {"pruned through the link", "SELECT 1 FROM orders o JOIN users u ON o.tenant_id = u.tenant_id WHERE u.tenant_id = 5", "one {5}"},
      {"composite linked whole", "SELECT 1 FROM pairs p JOIN pairs q ON p.a = q.a AND p.b = q.b", "all"},
      {"composite linked crosswise", "SELECT 1 FROM pairs p JOIN pairs q ON p.a = q.b AND p.b = q.a", "gathered"},
      {"composite linked by half", "SELECT 1 FROM pairs p JOIN pairs q ON p.a = q.a", "gathered"},
      {"equal values may lie apart", "SELECT 1 FROM money a JOIN money b ON a.amount = b.amount", "gathered"},
      {"a nondeterministic collation", "SELECT 1 FROM ci a JOIN ci b ON a.name = b.name", "gathered"},
      {"text and varchar", "SELECT 1 FROM links l JOIN pages p ON p.url_id = l.url_id", "all"},
      {"numeric and integer", "SELECT 1 FROM orders o JOIN users u ON u.amount = o.tenant_id", "gathered"},
      {"single and sharded", "SELECT 1 FROM orders o JOIN note n ON n.k = o.tenant_id", "gathered"},
      {"single and sharded on home", "SELECT 1 FROM ranges r JOIN note n ON n.k = r.x WHERE r.z = 50", "one s1"},
      {"single and sharded elsewhere", "SELECT 1 FROM ranges r JOIN note n ON n.k = r.x WHERE r.z = 150", "gathered"},
      {"single and reference", "SELECT 1 FROM ref r, note n", "one s1"},
      {"with a limited reference table", "SELECT 1 FROM orders o, (SELECT * FROM ref LIMIT 1) r", "gathered"},
      {"with a limited reference table on one shard", "SELECT 1 FROM orders o, (SELECT * FROM ref LIMIT 1) r WHERE o.tenant_id = 5", "one {5}"},
      {"with now()", "SELECT 1 FROM orders o, (SELECT now() AS n) q", "gathered"},
      {"a key by an unaliased join's column", "SELECT j.tenant_id FROM (orders o JOIN users u USING (tenant_id)) j", "all [tenant_id*]"},
  });
}

TEST(Property, outer_joins) {
  check({
      {"P left Everywhere", "SELECT o.tenant_id FROM orders o LEFT JOIN ref r ON r.k = o.x", "all [tenant_id*]"},
      {"the ON gives the left nothing", "SELECT r.k, o.tenant_id FROM orders o LEFT JOIN ref r ON r.k = o.tenant_id", "all [tenant_id*]"},
      {"Everywhere left P", "SELECT 1 FROM ref r LEFT JOIN orders o ON r.k = o.tenant_id", "gathered"},
      {"Everywhere left P of one shard", "SELECT 1 FROM ref r LEFT JOIN orders o ON o.tenant_id = 5", "one {5}"},
      {"P right Everywhere", "SELECT 1 FROM orders o RIGHT JOIN ref r ON r.k = o.tenant_id", "gathered"},
      {"P left P linked", "SELECT o.tenant_id, u.tenant_id AS t FROM orders o LEFT JOIN users u ON u.tenant_id = o.tenant_id", "all [t tenant_id*]"},
      {"P left P not linked", "SELECT 1 FROM orders o LEFT JOIN users u ON u.id = o.id", "gathered"},
      {"linked in WHERE reduces", "SELECT u.tenant_id FROM orders o LEFT JOIN users u ON u.id = o.id WHERE u.tenant_id = o.tenant_id", "all [tenant_id*]"},
      {"the nullable side's key in ON prunes nothing", "SELECT 1 FROM orders o LEFT JOIN users u ON u.tenant_id = o.tenant_id AND u.tenant_id = 5", "all"},
      {"the preserved side's key in ON prunes nothing", "SELECT 1 FROM orders o LEFT JOIN users u ON u.tenant_id = o.tenant_id AND o.tenant_id = 5", "all"},
      {"pruned from preserved to nullable", "SELECT 1 FROM orders o LEFT JOIN users u ON u.tenant_id = o.tenant_id WHERE o.tenant_id = 5", "one {5}"},
      {"a constant on either side", "SELECT 1 FROM orders o LEFT JOIN users u ON u.tenant_id = 5 WHERE o.tenant_id = 5", "one {5}"},
      {"a strict condition above reduces", "SELECT u.tenant_id FROM orders o LEFT JOIN users u ON u.tenant_id = o.tenant_id WHERE u.flag = true", "all [tenant_id*]"},
      {"IS NOT NULL above reduces", "SELECT u.tenant_id FROM orders o LEFT JOIN users u ON u.tenant_id = o.tenant_id WHERE u.id IS NOT NULL", "all [tenant_id*]"},
      {"a condition that is not strict", "SELECT u.tenant_id FROM orders o LEFT JOIN users u ON u.tenant_id = o.tenant_id WHERE u.id IS NULL", "all [tenant_id]"},
      {"reduced below another join", "SELECT 1 FROM orders o LEFT JOIN users u ON u.id = o.id LEFT JOIN lines l ON l.tenant_id = u.tenant_id WHERE l.qty = 1 AND o.tenant_id = u.tenant_id", "all"},
      {"right join", "SELECT o.tenant_id, u.tenant_id AS t FROM orders o RIGHT JOIN users u ON u.tenant_id = o.tenant_id", "all [t* tenant_id]"},
      {"USING of a right join is the right's", "SELECT tenant_id FROM orders o RIGHT JOIN users u USING (tenant_id)", "all [tenant_id*]"},
      {"USING of a left join is the left's", "SELECT tenant_id FROM orders o LEFT JOIN users u USING (tenant_id)", "all [tenant_id*]"},
      {"full join linked", "SELECT o.tenant_id, u.tenant_id AS t FROM orders o FULL JOIN users u ON u.tenant_id = o.tenant_id", "all [t tenant_id]"},
      {"USING of a full join", "SELECT tenant_id FROM orders o FULL JOIN users u USING (tenant_id)", "all [tenant_id*]"},
      {"COALESCE of both sides of a full join", "SELECT coalesce(o.tenant_id, u.tenant_id) AS c FROM orders o FULL JOIN users u ON u.tenant_id = o.tenant_id", "all [c]"},
      {"full join never prunes across", "SELECT 1 FROM orders o FULL JOIN users u ON u.tenant_id = o.tenant_id AND o.tenant_id = 5", "all"},
      {"a condition on the USING column prunes", "SELECT 1 FROM orders o FULL JOIN users u USING (tenant_id) WHERE tenant_id = 5", "one {5}"},
      {"full join reduced by one side", "SELECT tenant_id FROM orders o FULL JOIN users u USING (tenant_id) WHERE o.id = 1", "all [tenant_id*]"},
      {"full join with a reference table", "SELECT 1 FROM orders o FULL JOIN ref r ON r.k = o.tenant_id", "gathered"},
      {"links never cross an outer join", "SELECT 1 FROM orders o LEFT JOIN ref r ON r.k = o.tenant_id JOIN users u ON u.id = o.id AND r.x = 1 LEFT JOIN lines l ON l.tenant_id = u.tenant_id", "gathered"},
      {"grouped by the nullable side's key", "SELECT u.tenant_id, count(*) FROM orders o LEFT JOIN users u ON u.tenant_id = o.tenant_id GROUP BY 1", "gathered"},
      {"distinct on the nullable side's key", "SELECT DISTINCT u.tenant_id FROM orders o LEFT JOIN users u ON u.tenant_id = o.tenant_id", "gathered"},
      {"left join of a linked tree", "SELECT 1 FROM orders o LEFT JOIN (users u JOIN lines l USING (tenant_id)) ON u.tenant_id = o.tenant_id", "all"},
      {"left join of a tree that is not linked", "SELECT 1 FROM orders o LEFT JOIN (users u JOIN lines l ON l.order_id = u.id) ON u.tenant_id = o.tenant_id", "gathered"},
      {"left join of a tree linked above", "SELECT 1 FROM orders o LEFT JOIN (users u JOIN lines l ON l.order_id = u.id) ON u.tenant_id = o.tenant_id AND l.tenant_id = o.tenant_id", "all"},
      {"P left OneShard", "SELECT 1 FROM ranges r LEFT JOIN (SELECT * FROM ranges WHERE z = 50 LIMIT 1) q ON q.z = r.z", "gathered"},
      {"OneShard left P linked", "SELECT 1 FROM (SELECT * FROM ranges WHERE z = 150 LIMIT 1) q LEFT JOIN ranges r ON q.z = r.z", "one s2"},
  });
}

TEST(Property, subqueries) {
  check({
      {"EXISTS by the link", "SELECT o.tenant_id FROM orders o WHERE EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = o.tenant_id)", "all [tenant_id*]"},
      {"NOT EXISTS by the link", "SELECT 1 FROM orders o WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = o.tenant_id AND u.id = o.id)", "all"},
      {"EXISTS under OR", "SELECT 1 FROM orders o WHERE x = 1 OR EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = o.tenant_id)", "all"},
      {"EXISTS without the link", "SELECT 1 FROM orders o WHERE EXISTS (SELECT 1 FROM users u WHERE u.id = o.id)", "gathered"},
      {"EXISTS with a link on a column that is no key", "SELECT 1 FROM orders o WHERE EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = o.x)", "gathered"},
      {"EXISTS over a reference table", "SELECT 1 FROM orders o WHERE EXISTS (SELECT 1 FROM ref r WHERE r.k = o.x)", "all"},
      {"EXISTS over a single table", "SELECT 1 FROM orders o WHERE EXISTS (SELECT 1 FROM note r WHERE r.k = o.x)", "gathered"},
      {"the condition inside is not the outer's", "SELECT 1 FROM orders o WHERE EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = 5)", "gathered"},
      {"an unqualified name may be the outer's", "SELECT 1 FROM orders WHERE EXISTS (SELECT 1 FROM ref WHERE tenant_id = 5)", "all"},
      {"scalar in the SELECT list", "SELECT o.tenant_id, (SELECT count(*) FROM users u WHERE u.tenant_id = o.tenant_id) FROM orders o", "all [tenant_id*]"},
      {"scalar that is not correlated", "SELECT (SELECT count(*) FROM users u) FROM orders o", "gathered"},
      {"all relations inside must be reached", "SELECT (SELECT count(*) FROM users u, lines l WHERE u.tenant_id = o.tenant_id) FROM orders o", "gathered"},
      {"reached through one another", "SELECT (SELECT count(*) FROM users u, lines l WHERE u.tenant_id = o.tenant_id AND l.tenant_id = u.tenant_id) FROM orders o", "all"},
      {"a link above a LIMIT", "SELECT 1 FROM orders o WHERE EXISTS (SELECT 1 FROM (SELECT * FROM users LIMIT 1) u WHERE u.tenant_id = o.tenant_id)", "gathered"},
      {"a LIMIT above the link", "SELECT (SELECT u.id FROM users u WHERE u.tenant_id = o.tenant_id ORDER BY 1 LIMIT 1) FROM orders o", "all"},
      {"a second arm of a UNION without it", "SELECT (SELECT count(*) FROM (SELECT id FROM users u WHERE u.tenant_id = o.tenant_id UNION ALL SELECT id FROM users) q) FROM orders o", "gathered"},
      {"both arms of a UNION", "SELECT (SELECT count(*) FROM (SELECT id FROM users u WHERE u.tenant_id = o.tenant_id UNION ALL SELECT l.order_id FROM lines l WHERE l.tenant_id = o.tenant_id) q) FROM orders o", "all"},
      {"two levels", "SELECT 1 FROM orders o WHERE EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = o.tenant_id AND EXISTS (SELECT 1 FROM lines l WHERE l.tenant_id = u.tenant_id))", "all"},
      {"two levels at once", "SELECT 1 FROM orders o WHERE EXISTS (SELECT 1 FROM ref r WHERE EXISTS (SELECT 1 FROM lines l WHERE l.tenant_id = o.tenant_id))", "all"},
      {"two levels, the middle not reached", "SELECT 1 FROM orders o WHERE EXISTS (SELECT 1 FROM users u WHERE EXISTS (SELECT 1 FROM lines l WHERE l.tenant_id = o.tenant_id))", "gathered"},
      {"an outer aggregate makes no link", "SELECT (SELECT count(*) FROM users u WHERE u.tenant_id = max(o.tenant_id)) FROM orders o GROUP BY o.tenant_id", "gathered"},
      {"an aggregate of the outer's columns only is the outer's", "SELECT (SELECT max(o.x)) FROM orders o", "gathered"},
      {"LATERAL by the link", "SELECT o.tenant_id, q.n FROM orders o, LATERAL (SELECT count(*) AS n FROM users u WHERE u.tenant_id = o.tenant_id) q", "all [tenant_id*]"},
      {"LATERAL without it", "SELECT 1 FROM orders o, LATERAL (SELECT count(*) FROM users u WHERE u.id = o.id) q", "gathered"},
      {"LEFT JOIN LATERAL", "SELECT o.tenant_id FROM orders o LEFT JOIN LATERAL (SELECT u.id FROM users u WHERE u.tenant_id = o.tenant_id LIMIT 1) q ON true", "all [tenant_id*]"},
      {"a subselect in FROM is not lateral", "SELECT 1 FROM orders o, (SELECT count(*) FROM users u) q", "gathered"},
      {"a volatile subquery is evaluated once", "SELECT (SELECT random()) FROM orders", "gathered"},
      {"pruned outer, uncorrelated inner of the same tenant", "SELECT (SELECT count(*) FROM users WHERE tenant_id = 5) FROM orders WHERE tenant_id = 5", "one {5}"},
      {"in HAVING", "SELECT tenant_id FROM orders o GROUP BY tenant_id HAVING count(*) > (SELECT count(*) FROM users u WHERE u.tenant_id = o.tenant_id)", "all [tenant_id*]"},
      {"in an aggregate's argument", "SELECT tenant_id, sum((SELECT max(u.k) FROM users u WHERE u.tenant_id = o.tenant_id)) FROM orders o GROUP BY tenant_id", "all [tenant_id*]"},
  });
}

TEST(Property, semi_joins) {
  check({
      {"IN the key", "SELECT o.tenant_id FROM orders o WHERE o.tenant_id IN (SELECT u.tenant_id FROM users u)", "all [tenant_id*]"},
      {"IN prunes both ways", "SELECT 1 FROM orders o WHERE o.tenant_id IN (SELECT u.tenant_id FROM users u WHERE u.tenant_id = 5)", "one {5}"},
      {"IN an aggregate of the key", "SELECT 1 FROM orders o WHERE o.tenant_id IN (SELECT max(u.tenant_id) FROM users u)", "gathered"},
      {"IN a column that is no key", "SELECT 1 FROM orders o WHERE o.tenant_id IN (SELECT u.k FROM users u)", "gathered"},
      {"a column that is no key IN the key", "SELECT 1 FROM orders o WHERE o.x IN (SELECT u.tenant_id FROM users u)", "gathered"},
      {"k2 of the inner's own relations", "SELECT 1 FROM orders o WHERE o.tenant_id IN (SELECT o.tenant_id FROM users u)", "gathered"},
      {"IN with a grouped inner block", "SELECT 1 FROM orders o WHERE o.tenant_id IN (SELECT tenant_id FROM users GROUP BY 1 HAVING count(*) > 1)", "all"},
      {"IN with LIMIT inside", "SELECT 1 FROM orders o WHERE o.tenant_id IN (SELECT tenant_id FROM users LIMIT 1)", "gathered"},
      {"NOT IN with part on both sides", "SELECT 1 FROM orders o WHERE o.tenant_id NOT IN (SELECT u.tenant_id FROM users u)", "all"},
      {"NOT IN a nullable key", "SELECT 1 FROM orders o WHERE o.tenant_id NOT IN (SELECT u.tenant_id FROM lines l LEFT JOIN users u ON u.tenant_id = l.tenant_id)", "gathered"},
      {"IN in the SELECT list", "SELECT o.tenant_id IN (SELECT u.tenant_id FROM users u) FROM orders o", "all"},
      {"IN a nullable key in the SELECT list", "SELECT o.tenant_id IN (SELECT u.tenant_id FROM lines l LEFT JOIN users u ON u.tenant_id = l.tenant_id) FROM orders o", "gathered"},
      {"IN a nullable key as a conjunct", "SELECT 1 FROM orders o WHERE o.tenant_id IN (SELECT u.tenant_id FROM lines l LEFT JOIN users u ON u.tenant_id = l.tenant_id)", "all"},
      {"rows", "SELECT 1 FROM orders o WHERE (o.x, o.tenant_id) IN (SELECT u.k, u.tenant_id FROM users u)", "all"},
      {"rows in the wrong order", "SELECT 1 FROM orders o WHERE (o.tenant_id, o.x) IN (SELECT u.k, u.tenant_id FROM users u)", "gathered"},
      {"= ALL", "SELECT 1 FROM orders o WHERE o.tenant_id = ALL (SELECT u.tenant_id FROM users u)", "gathered"},
      {"a reference table IN the key", "SELECT 1 FROM ref r WHERE r.k IN (SELECT tenant_id FROM users)", "gathered"},
      {"IN a reference table", "SELECT 1 FROM orders o WHERE o.x IN (SELECT k FROM ref)", "all"},
      {"a nullable outer key becomes part", "SELECT u.tenant_id FROM lines l LEFT JOIN users u ON u.tenant_id = l.tenant_id WHERE u.tenant_id IN (SELECT tenant_id FROM orders)", "all [tenant_id*]"},
  });
}

TEST(Property, groups_windows_distinct) {
  check({
      {"GROUP BY the key", "SELECT tenant_id, count(*) FROM orders GROUP BY tenant_id", "all [tenant_id*]"},
      {"GROUP BY the key and more", "SELECT x, tenant_id FROM orders GROUP BY x, tenant_id", "all [tenant_id*]"},
      {"GROUP BY another column", "SELECT x, count(*) FROM orders GROUP BY x", "gathered"},
      {"GROUP BY position", "SELECT tenant_id, count(*) FROM orders GROUP BY 1", "all [tenant_id*]"},
      {"GROUP BY takes the input column", "SELECT x AS tenant_id, count(*) FROM orders GROUP BY tenant_id, x", "all"},
      {"GROUP BY an output name", "SELECT tenant_id AS t, count(*) FROM orders GROUP BY t", "all [t*]"},
      {"GROUP BY an expression of the key", "SELECT count(*) FROM orders GROUP BY tenant_id % 2", "gathered"},
      {"an ungrouped aggregate", "SELECT count(*) FROM orders", "gathered"},
      {"an ungrouped aggregate on one shard", "SELECT count(*) FROM orders WHERE tenant_id = 5", "one {5}"},
      {"HAVING without GROUP BY", "SELECT 1 FROM orders HAVING true", "gathered"},
      {"GROUPING SETS with the key in each", "SELECT tenant_id, x, id FROM orders GROUP BY GROUPING SETS ((tenant_id, x), (tenant_id, id))", "all [tenant_id*]"},
      {"the key in one set only", "SELECT tenant_id, x FROM orders GROUP BY GROUPING SETS ((tenant_id), (x))", "gathered"},
      {"ROLLUP has the empty set", "SELECT tenant_id, count(*) FROM orders GROUP BY ROLLUP (tenant_id)", "gathered"},
      {"ROLLUP beside the key", "SELECT tenant_id, x, count(*) FROM orders GROUP BY tenant_id, ROLLUP (x)", "all [tenant_id*]"},
      {"a key of a set is nullable", "SELECT o.tenant_id, u.tenant_id AS t FROM orders o JOIN users u USING (tenant_id) GROUP BY GROUPING SETS ((o.tenant_id), (u.tenant_id))", "all [t tenant_id]"},
      {"a window by the key", "SELECT rank() OVER (PARTITION BY tenant_id ORDER BY x) FROM orders", "all"},
      {"a named window by the key", "SELECT rank() OVER w FROM orders WINDOW w AS (PARTITION BY tenant_id ORDER BY x)", "all"},
      {"a window upon a named one", "SELECT rank() OVER (w ORDER BY x) FROM orders WINDOW w AS (PARTITION BY tenant_id)", "all"},
      {"a window without the key", "SELECT rank() OVER (ORDER BY x) FROM orders", "gathered"},
      {"one of two windows", "SELECT rank() OVER (PARTITION BY tenant_id), rank() OVER (PARTITION BY x) FROM orders", "gathered"},
      {"lag of the key is in match, not part", "SELECT lag(tenant_id) OVER (PARTITION BY tenant_id ORDER BY x) AS l FROM orders", "all [l]"},
      {"min of the key in groups", "SELECT min(tenant_id) AS m FROM orders GROUP BY tenant_id, x", "all [m]"},
      {"a window after groups", "SELECT tenant_id, sum(count(*)) OVER (PARTITION BY tenant_id) FROM orders GROUP BY tenant_id, x", "all [tenant_id*]"},
      {"a window after groups without the key", "SELECT sum(count(*)) OVER (PARTITION BY x) FROM orders GROUP BY tenant_id, x", "gathered"},
      {"DISTINCT with the key", "SELECT DISTINCT tenant_id, x FROM orders", "all [tenant_id*]"},
      {"DISTINCT without", "SELECT DISTINCT x FROM orders", "gathered"},
      {"DISTINCT ON the key", "SELECT DISTINCT ON (tenant_id) x FROM orders ORDER BY tenant_id, id", "all"},
      {"DISTINCT ON without", "SELECT DISTINCT ON (x) tenant_id FROM orders", "gathered"},
      {"DISTINCT after groups by the key", "SELECT DISTINCT count(*) FROM orders GROUP BY tenant_id", "gathered"},
      {"NULLIF of the key", "SELECT DISTINCT nullif(tenant_id, 3) AS n FROM orders", "gathered"},
      {"COALESCE of keys", "SELECT DISTINCT coalesce(u.tenant_id, o.tenant_id) AS c FROM orders o LEFT JOIN users u ON u.tenant_id = o.tenant_id", "all [c*]"},
      {"COALESCE of a key and a constant", "SELECT DISTINCT coalesce(u.tenant_id, 0) FROM orders o LEFT JOIN users u ON u.tenant_id = o.tenant_id", "gathered"},
      {"LIMIT", "SELECT tenant_id FROM orders LIMIT 1", "gathered"},
      {"OFFSET", "SELECT tenant_id FROM orders OFFSET 1", "gathered"},
      {"LIMIT on one shard", "SELECT tenant_id FROM orders WHERE tenant_id = 5 LIMIT 1", "one {5} [tenant_id*]"},
      {"LIMIT on one shard binds to it", "SELECT 1 FROM (SELECT z FROM ranges WHERE z < 50 LIMIT 1) q JOIN ranges r USING (z)", "one s1"},
  });
}

TEST(Property, everywhere) {
  check({
      {"LIMIT", "SELECT * FROM ref LIMIT 1", "any one"},
      {"DISTINCT ON", "SELECT DISTINCT ON (x) k FROM ref", "any one"},
      {"a window", "SELECT row_number() OVER () FROM ref", "any one"},
      {"count", "SELECT count(*) FROM ref", "everywhere"},
      {"sum of integers", "SELECT sum(x) FROM ref", "everywhere"},
      {"sum of an expression", "SELECT sum(x * 1.5) FROM ref", "any one"},
      {"string_agg", "SELECT string_agg(name, ',') FROM country", "any one"},
      {"groups of integers", "SELECT x, count(*) FROM ref GROUP BY x", "everywhere"},
      {"groups of numerics", "SELECT y, count(*) FROM ref GROUP BY y", "any one"},
      {"distinct numerics", "SELECT DISTINCT y FROM ref", "any one"},
      {"now()", "SELECT now() FROM ref", "any one"},
      {"CURRENT_DATE", "SELECT CURRENT_DATE FROM ref", "any one"},
      {"a date in words", "SELECT 'now'::timestamptz FROM ref", "any one"},
      {"random()", "SELECT random() FROM ref", "any one"},
      {"nextval", "SELECT nextval('orders_id_seq')", "one s1"},
      {"a regclass", "SELECT 'orders'::regclass FROM ref", "one s1"},
      {"TABLESAMPLE", "SELECT * FROM ref TABLESAMPLE BERNOULLI (50)", "any one"},
      {"random() per row of a sharded table", "SELECT random() FROM orders", "all"},
      {"a server's name per row of a sharded table", "SELECT current_database() FROM orders", "gathered"},
      {"current_setting is the session's", "SELECT current_setting('TimeZone') FROM orders", "all"},
  });
}

TEST(Property, set_operations) {
  check({
      {"UNION ALL", "SELECT tenant_id FROM orders UNION ALL SELECT tenant_id FROM users", "all [tenant_id*]"},
      {"UNION ALL of different columns", "SELECT tenant_id, x FROM orders UNION ALL SELECT k, tenant_id FROM users", "all"},
      {"UNION ALL with a reference arm", "SELECT tenant_id FROM orders UNION ALL SELECT k FROM ref", "gathered"},
      {"UNION ALL of reference arms", "SELECT k FROM ref UNION ALL SELECT x FROM ref", "everywhere"},
      {"UNION", "SELECT tenant_id, x FROM orders UNION SELECT tenant_id, k FROM users", "all [tenant_id*]"},
      {"UNION without the key", "SELECT x FROM orders UNION SELECT k FROM users", "gathered"},
      {"UNION with the key of one arm elsewhere", "SELECT tenant_id, x FROM orders UNION SELECT k, tenant_id FROM users", "gathered"},
      {"UNION of different tenants", "SELECT x FROM orders WHERE tenant_id = 1 UNION SELECT x FROM orders WHERE tenant_id = 2", "gathered"},
      {"UNION of the same tenant", "SELECT x FROM orders WHERE tenant_id = 5 UNION SELECT k FROM users WHERE tenant_id = 5", "one {5}"},
      {"UNION ALL of different ranges", "SELECT x FROM ranges WHERE z = 50 UNION ALL SELECT x FROM ranges WHERE z = 150", "s1, s2"},
      {"INTERSECT", "SELECT tenant_id FROM orders INTERSECT SELECT tenant_id FROM users", "all [tenant_id*]"},
      {"INTERSECT with a reference arm", "SELECT tenant_id FROM orders INTERSECT SELECT k FROM ref", "all [tenant_id*]"},
      {"INTERSECT without the key", "SELECT x FROM orders INTERSECT SELECT k FROM users", "gathered"},
      {"INTERSECT of part and match", "SELECT tenant_id FROM orders INTERSECT SELECT u.tenant_id FROM lines l LEFT JOIN users u ON u.tenant_id = l.tenant_id", "all [tenant_id*]"},
      {"EXCEPT", "SELECT tenant_id FROM orders EXCEPT SELECT tenant_id FROM users", "all [tenant_id*]"},
      {"EXCEPT ALL", "SELECT tenant_id FROM orders EXCEPT ALL SELECT tenant_id FROM users", "all [tenant_id*]"},
      {"EXCEPT of a reference arm", "SELECT k FROM ref EXCEPT SELECT tenant_id FROM users", "gathered"},
      {"EXCEPT a reference arm", "SELECT tenant_id FROM orders EXCEPT SELECT k FROM ref", "all [tenant_id*]"},
      {"EXCEPT needs part on the left", "SELECT u.tenant_id FROM lines l LEFT JOIN users u ON u.tenant_id = l.tenant_id EXCEPT SELECT tenant_id FROM orders", "gathered"},
      {"other types at the position", "SELECT tenant_id FROM orders UNION SELECT amount FROM users", "gathered"},
      {"LIMIT of a set operation", "SELECT tenant_id FROM orders UNION ALL SELECT tenant_id FROM users LIMIT 5", "gathered"},
  });
}

TEST(Property, with_queries) {
  check({
      {"used once", "WITH q AS (SELECT tenant_id, x FROM orders) SELECT tenant_id FROM q", "all [tenant_id*]"},
      {"used once and pruned", "WITH q AS (SELECT tenant_id, x FROM orders) SELECT x FROM q WHERE tenant_id = 5", "one {5}"},
      {"used twice", "WITH q AS (SELECT tenant_id, x FROM orders) SELECT 1 FROM q a JOIN q b USING (tenant_id)", "gathered"},
      {"used twice on one shard", "WITH q AS (SELECT tenant_id, x FROM orders WHERE tenant_id = 5) SELECT 1 FROM q a, q b", "one {5}"},
      {"pruning one reference never prunes another", "WITH q AS (SELECT tenant_id FROM orders) SELECT 1 FROM q a, q b WHERE a.tenant_id = 5", "gathered"},
      {"MATERIALIZED", "WITH q AS MATERIALIZED (SELECT tenant_id FROM orders) SELECT 1 FROM q", "gathered"},
      {"volatile", "WITH q AS (SELECT tenant_id, random() FROM orders) SELECT 1 FROM q", "gathered"},
      {"a condition inside one only", "WITH q AS (SELECT 1 FROM orders WHERE tenant_id = 5) SELECT count(*) FROM users", "gathered"},
      {"hides a table", "WITH orders AS (SELECT * FROM ref) SELECT * FROM orders", "everywhere"},
      {"does not see itself", "WITH orders AS (SELECT * FROM orders) SELECT tenant_id FROM orders", "all [tenant_id*]"},
      {"column names", "WITH q(a) AS (SELECT tenant_id FROM orders) SELECT a FROM q", "all [a*]"},
      {"unused over a single table", "WITH q AS (SELECT * FROM note) SELECT x FROM ranges WHERE z = 150", "gathered"},
      {"unused over a sharded table", "WITH q AS (SELECT * FROM orders) SELECT x FROM ranges WHERE z = 150", "one s2"},
      {"recursive over several shards", "WITH RECURSIVE q AS (SELECT tenant_id, id FROM orders UNION ALL SELECT o.tenant_id, o.id FROM orders o JOIN q USING (tenant_id)) SELECT 1 FROM q", "gathered"},
      {"recursive on one shard", "WITH RECURSIVE q AS (SELECT id FROM orders WHERE tenant_id = 5 UNION ALL SELECT o.id FROM orders o JOIN q ON o.x = q.id WHERE o.tenant_id = 5) SELECT id FROM q", "one {5}"},
      {"recursive numbers", "WITH RECURSIVE q AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM q WHERE n < 5) SELECT n FROM q", "any one"},
      {"inside a subquery by the link", "WITH q AS (SELECT * FROM users) SELECT 1 FROM orders o WHERE EXISTS (SELECT 1 FROM q WHERE q.tenant_id = o.tenant_id)", "all"},
  });
}

TEST(Property, functions) {
  check({
      {"a user function that is immutable", "SELECT coalesce_user(x) FROM orders", "all"},
      {"a user function that may read tables", "SELECT reads_tables(x) FROM orders", "SH0003"},
      {"also without a table", "SELECT reads_tables(1)", "SH0003"},
      {"a size is one server's", "SELECT pg_total_relation_size('orders')", "SH0008"},
      {"statistics are one server's", "SELECT * FROM pg_stat_user_tables", "SH0008"},
  });
}

TEST(Property, parameters_prune) {
  const auto text = [](std::string_view value, std::uint32_t type) {
    return Parameter{Oid{type}, false, false, value};
  };
  EXPECT_EQ(property("SELECT x FROM orders WHERE tenant_id = $1", {text("5", 23)}), expand("one {5}"));
  EXPECT_EQ(property("SELECT x FROM orders WHERE tenant_id = $1", {text("5.0", 1700)}), expand("one {5}"));
  EXPECT_EQ(property("SELECT x FROM orders WHERE tenant_id = $1", {text("5", 25)}), "all");
  EXPECT_EQ(property("SELECT x FROM orders WHERE tenant_id = $1::int", {text("5", 0)}), expand("one {5}"));
  EXPECT_EQ(property("SELECT x FROM orders WHERE tenant_id = ANY($1)", {text("{5,NULL}", 1007)}), expand("one {5}"));
  EXPECT_EQ(property("SELECT x FROM orders WHERE tenant_id = $1", {}), "all");
  EXPECT_EQ(property("SELECT x FROM orders WHERE tenant_id = $1", {Parameter{Oid{23}, false, true, {}}}), "one s1");
  const Parameter binary{Oid{23}, true, false, std::string_view("\0\0\0\5", 4)};
  EXPECT_EQ(property("SELECT x FROM orders WHERE tenant_id = $1", {binary}), expand("one {5}"));
}

}  // namespace
}  // namespace shoal::route
