// What parse() makes of texts: statements, slices, locations, errors, utility statements.
#include "sql/parse.h"

#include <gtest/gtest.h>

#include <thread>

#include "sql/deparse.h"
#include "sql/visit.h"

namespace shoal::sql {
namespace {

Statement only(std::string_view text) {
  auto parsed = parse(text, {});
  if (!parsed || parsed->size() != 1) {
    ADD_FAILURE() << text << " " << (parsed ? "" : parsed.error().message);
    Statement none;
    none.node = UnknownStatement{"failed"};
    return none;
  }
  return std::move(parsed->front());
}

template <class T>
T get(std::string_view text) {
  Statement s = only(text);
  T* found = std::get_if<T>(&s.node);
  if (found == nullptr) {
    ADD_FAILURE() << text << " is of kind " << s.node.index();
    return T{};
  }
  return std::move(*found);
}

Error error_of(std::string_view text, bool standard_strings = true) {
  const auto parsed = parse(text, {}, standard_strings);
  if (parsed) {
    ADD_FAILURE() << text;
    return {};
  }
  return parsed.error();
}

std::string name_of(const RangeVar& r) {
  std::string out = r.database.empty() ? "" : r.database + ".";
  return out + (r.schema.empty() ? "" : r.schema + ".") + r.name;
}

std::string names_of(const std::vector<RangeVar>& list) {
  std::string out;
  for (const RangeVar& r : list) out += (out.empty() ? "" : ",") + name_of(r);
  return out;
}

std::string join(const std::vector<std::string>& list, const char* separator = ".") {
  std::string out;
  for (const std::string& s : list) out += (out.empty() ? "" : separator) + s;
  return out;
}

// ---- texts ------------------------------------------------------------------------------------

TEST(Parse, an_empty_text_is_no_statement) {
  for (const char* text : {"", "  ", ";", " ; ;; ", "-- comment", "/* comment */"}) {
    const auto parsed = parse(text, {});
    ASSERT_TRUE(parsed) << text;
    EXPECT_TRUE(parsed->empty()) << text;
  }
}

TEST(Parse, each_statement_has_its_own_text_and_offset) {
  const std::string text = " SELECT 1 ; ;/* x */ -- y\n UPDATE t SET a = $2;\n";
  const auto parsed = parse(text, {});
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->size(), 2u);
  EXPECT_EQ((*parsed)[0].text, "SELECT 1");
  EXPECT_EQ((*parsed)[0].offset, 1);
  EXPECT_EQ((*parsed)[1].text, "UPDATE t SET a = $2");
  EXPECT_EQ((*parsed)[1].offset, static_cast<int>(text.find("UPDATE")));
  EXPECT_EQ((*parsed)[0].max_param, 0);
  EXPECT_EQ((*parsed)[1].max_param, 2);
}

TEST(Parse, locations_are_offsets_into_the_whole_text) {
  const std::string text = "SELECT 1; SELECT abc, - 5, $1, f('x')";
  const auto parsed = parse(text, {});
  ASSERT_TRUE(parsed);
  const Select& s = *std::get<SelectPtr>((*parsed)[1].node);
  EXPECT_EQ(s.targets[0].expr->location, static_cast<int>(text.find("abc")));
  EXPECT_EQ(s.targets[1].expr->location, static_cast<int>(text.find('5')));
  EXPECT_EQ(s.targets[2].expr->location, static_cast<int>(text.find("$1")));
  EXPECT_EQ(s.targets[3].expr->location, static_cast<int>(text.find("f(")));
}

TEST(Parse, a_negated_number_is_one_constant_at_its_digits) {
  const auto s = get<SelectPtr>("SELECT - -- c\n (/* 3 */ 7)");
  const Const& c = std::get<Const>(s->targets[0].expr->node);
  EXPECT_EQ(c.text, "-7");
  EXPECT_EQ(s->targets[0].expr->location, 24);
}

TEST(Parse, syntax_errors_have_state_and_character_position) {
  const Error e = error_of("SELECT 'é' FROM FROM t");
  EXPECT_EQ(e.sqlstate, "42601");
  EXPECT_EQ(e.position, 17);
  EXPECT_EQ(e.message, "syntax error at or near \"FROM\"");
  EXPECT_EQ(error_of("SELECT 1 FROM").message, "syntax error at end of input");
  EXPECT_EQ(error_of("SELECT 'open").sqlstate, "42601");
  EXPECT_EQ(error_of("SELECT 1; SELEC 2").position, 11);
  EXPECT_EQ(error_of(std::string_view("SELECT 1\0 + 2", 13)).sqlstate, "42601");
  EXPECT_EQ(error_of("SELECT a::float(54)").sqlstate, "22023");
  EXPECT_EQ(error_of("CREATE ASSERTION a CHECK (true)").sqlstate, "0A000");
  EXPECT_LT(error_of("SELECT '" + std::string(100'000, 'x')).message.size(), 3'000u);
}

TEST(Parse, parameters_that_cannot_be_meant_are_errors) {
  EXPECT_EQ(error_of("SELECT $0").sqlstate, "42P02");
  EXPECT_EQ(error_of("SELECT a, $65536").position, 11);
  EXPECT_EQ(error_of("SELECT $4294967297").sqlstate, "42P02");
  EXPECT_EQ(only("SELECT $65535").max_param, 65535);
}

TEST(Parse, without_standard_strings_a_backslash_escapes) {
  const auto parsed = parse("SELECT'a\\'b', 'c'", {}, false);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->front().text, "SELECT E'a\\'b', 'c'");
  EXPECT_EQ(error_of("SELECT 'a'\n'b\\'", false).detail.substr(0, 6), "SH0002");
  EXPECT_TRUE(parse("SELECT 'ab', E'a\\b', \"\\\" /* \\ */", {}, false));
  EXPECT_TRUE(parse("SELECT 'a\\b'", {}, true));
}

TEST(Parse, shapes_without_a_node_are_opaque) {
  for (const char* text :
       {"SELECT xmlelement(name a)", "SELECT xmlconcat(a, b)", "SELECT a IS DOCUMENT",
        "SELECT xmlserialize(content a AS text)", "SELECT xmlexists('x' PASSING y)",
        "SELECT * FROM XMLTABLE('/a' PASSING b COLUMNS c int) AS x",
        "WITH x AS (MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE) SELECT 1",
        "WITH RECURSIVE x AS (SELECT 1 UNION SELECT 2) SEARCH DEPTH FIRST BY a SET b SELECT 1",
        "WITH RECURSIVE x AS (SELECT 1 UNION SELECT 2) CYCLE a SET b USING c SELECT 1",
        "INSERT INTO t VALUES (1) ON CONFLICT (a DESC) DO NOTHING",
        "CREATE SCHEMA s CREATE TABLE t (a int)", "CREATE TABLE t AS EXECUTE p"}) {
    EXPECT_TRUE(only(text).has_opaque) << text;
  }
  const auto s = get<SelectPtr>("SELECT xmlelement(name a)");
  EXPECT_EQ(deparse_checked(*s).error().detail.substr(0, 6), "SH0002");
}

TEST(Parse, threads_do_not_disturb_one_another) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([i, &wrong] {
      for (int n = 0; n < 300; ++n) {
        const std::string text = "SELECT " + std::to_string(i * 1000 + n);
        const auto parsed = parse(text, {});
        if (!parsed || (*parsed)[0].text != text || parse("SELECT FROM FROM", {})) ++wrong;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
}

// ---- shapes that planners rely on ---------------------------------------------------------------

TEST(Parse, joins_have_their_kinds) {
  const auto s = get<SelectPtr>("SELECT FROM a CROSS JOIN b JOIN c USING (k) NATURAL JOIN d");
  const Join* natural = std::get_if<Join>(&s->from[0]->node);
  EXPECT_TRUE(natural->natural);
  const Join& using_join = std::get<Join>(natural->left->node);
  EXPECT_EQ(join(using_join.using_columns), "k");
  EXPECT_EQ(std::get<Join>(using_join.left->node).kind, Join::Kind::kCross);
}

TEST(Parse, and_chains_are_flat) {
  const auto s = get<SelectPtr>("SELECT 1 WHERE a AND b AND c AND (d OR e)");
  EXPECT_EQ(std::get<BoolExpr>(s->where->node).args.size(), 4u);
}

TEST(Parse, plain_distinct_has_no_expressions) {
  const auto s = get<SelectPtr>("SELECT DISTINCT a FROM t");
  EXPECT_TRUE(s->distinct);
  EXPECT_TRUE(s->distinct_on.empty());
  EXPECT_EQ(get<SelectPtr>("SELECT DISTINCT ON (a) a FROM t")->distinct_on.size(), 1u);
}

TEST(Parse, limit_all_is_a_null_constant) {
  const auto s = get<SelectPtr>("SELECT 1 LIMIT ALL");
  EXPECT_EQ(std::get<Const>(s->limit->node).kind, Const::Kind::kNull);
}

// ---- sessions ---------------------------------------------------------------------------------

TEST(Parse, transactions) {
  using K = Transaction::Kind;
  const auto begin =
      get<Transaction>("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY, NOT DEFERRABLE");
  EXPECT_EQ(begin.kind, K::kBegin);
  EXPECT_EQ(begin.isolation, "repeatable read");
  EXPECT_EQ(begin.read_only, true);
  EXPECT_EQ(begin.deferrable, false);
  const auto start = get<Transaction>("START TRANSACTION READ WRITE");
  EXPECT_EQ(start.kind, K::kStart);
  EXPECT_EQ(start.read_only, false);
  EXPECT_EQ(start.isolation, "");
  EXPECT_EQ(get<Transaction>("END").kind, K::kCommit);
  EXPECT_TRUE(get<Transaction>("COMMIT AND CHAIN").chain);
  EXPECT_EQ(get<Transaction>("ABORT").kind, K::kRollback);
  EXPECT_EQ(get<Transaction>("SAVEPOINT \"A b\"").name, "A b");
  EXPECT_EQ(get<Transaction>("RELEASE s").kind, K::kRelease);
  EXPECT_EQ(get<Transaction>("ROLLBACK TO SAVEPOINT s").kind, K::kRollbackTo);
  const auto prepare = get<Transaction>("PREPARE TRANSACTION 'gid 1'");
  EXPECT_EQ(prepare.kind, K::kPrepare);
  EXPECT_EQ(prepare.name, "gid 1");
  EXPECT_EQ(get<Transaction>("COMMIT PREPARED 'g'").kind, K::kCommitPrepared);
  EXPECT_EQ(get<Transaction>("ROLLBACK PREPARED 'g'").kind, K::kRollbackPrepared);
}

TEST(Parse, set_and_show) {
  using K = SetVariable::Kind;
  const auto key = get<SetVariable>("SET Shoal.Key = '42'");
  EXPECT_EQ(key.kind, K::kSet);
  EXPECT_EQ(key.name, "shoal.key");
  EXPECT_EQ(std::get<Const>(key.values[0]->node).text, "42");
  EXPECT_FALSE(key.local);
  const auto path = get<SetVariable>("SET LOCAL search_path TO a, \"B\", 'c'");
  EXPECT_TRUE(path.local);
  EXPECT_EQ(path.values.size(), 3u);
  EXPECT_EQ(get<SetVariable>("SET x TO DEFAULT").kind, K::kDefault);
  EXPECT_EQ(get<SetVariable>("RESET x").kind, K::kReset);
  EXPECT_EQ(get<SetVariable>("RESET ALL").kind, K::kResetAll);
  EXPECT_EQ(get<SetVariable>("SET TIME ZONE 'UTC'").name, "timezone");
  EXPECT_EQ(get<SetVariable>("SET TIME ZONE LOCAL").kind, K::kDefault);
  EXPECT_EQ(get<SetVariable>("SET ROLE bob").name, "role");
  EXPECT_EQ(get<SetVariable>("SET SESSION AUTHORIZATION DEFAULT").name, "session_authorization");
  EXPECT_EQ(get<SetVariable>("SET NAMES 'UTF8'").name, "client_encoding");
  const auto level = get<SetVariable>("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY");
  EXPECT_EQ(level.kind, K::kMulti);
  EXPECT_EQ(level.name, "transaction");
  EXPECT_EQ(level.isolation, "serializable");
  EXPECT_EQ(level.read_only, true);
  EXPECT_EQ(get<SetVariable>("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE").name,
            "session characteristics");
  const auto snapshot = get<SetVariable>("SET TRANSACTION SNAPSHOT '0-1'");
  EXPECT_EQ(snapshot.name, "transaction snapshot");
  EXPECT_EQ(std::get<Const>(snapshot.values[0]->node).text, "0-1");
  EXPECT_EQ(get<ShowVariable>("SHOW Server_Version").name, "server_version");
  EXPECT_EQ(get<ShowVariable>("SHOW ALL").name, "all");
}

TEST(Parse, prepare_execute_and_explain_have_inner_statements) {
  const std::string text = "SELECT 1; PREPARE p (int, text) AS SELECT $1, $2";
  const auto parsed = parse(text, {});
  ASSERT_TRUE(parsed);
  const Statement& prepare = (*parsed)[1];
  EXPECT_EQ(std::get<Prepare>(prepare.node).types.size(), 2u);
  EXPECT_EQ(prepare.inner->text, "SELECT $1, $2");
  EXPECT_EQ(prepare.inner->offset, static_cast<int>(text.rfind("SELECT")));
  EXPECT_EQ(prepare.inner->max_param, 2);
  EXPECT_EQ(get<Execute>("EXECUTE p (1, 'x')").params.size(), 2u);
  EXPECT_TRUE(get<Deallocate>("DEALLOCATE ALL").all);
  EXPECT_EQ(get<Deallocate>("DEALLOCATE PREPARE p").name, "p");

  const struct {
    const char *text, *inner;
    bool route, analyze;
  } rows[] = {
      {"EXPLAIN SELECT 1", "SELECT 1", false, false},
      {"EXPLAIN (ROUTE) SELECT 1", "SELECT 1", true, false},
      {"explain (Route off, analyze true, format 'json') (SELECT 1)", "(SELECT 1)", false, true},
      {"EXPLAIN ANALYZE VERBOSE DELETE FROM t", "DELETE FROM t", false, true},
      {"EXPLAIN (SELECT 1)", "(SELECT 1)", false, false},
      {"EXPLAIN /* (x) */ (ANALYZE 0, ROUTE on) -- y\n VALUES (1)", "VALUES (1)", true, false},
  };
  for (const auto& row : rows) {
    const Statement s = only(row.text);
    ASSERT_TRUE(s.inner) << row.text;
    EXPECT_EQ(s.inner->text, row.inner);
    EXPECT_EQ(std::get<Explain>(s.node).route, row.route) << row.text;
    EXPECT_EQ(std::get<Explain>(s.node).analyze, row.analyze) << row.text;
  }
}

TEST(Parse, cursors_listen_and_the_rest_of_a_session) {
  const auto declare = get<DeclareCursor>("DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT 1");
  EXPECT_EQ(declare.name, "c");
  EXPECT_TRUE(declare.hold);
  EXPECT_EQ(declare.query->targets.size(), 1u);
  EXPECT_FALSE(get<DeclareCursor>("DECLARE c CURSOR FOR SELECT 1").hold);
  EXPECT_EQ(get<Fetch>("FETCH 5 FROM c").cursor, "c");
  EXPECT_TRUE(get<Fetch>("MOVE ALL IN c").move);
  EXPECT_TRUE(get<ClosePortal>("CLOSE ALL").all);
  EXPECT_EQ(get<Discard>("DISCARD TEMP").what, Discard::What::kTemp);
  EXPECT_EQ(get<Discard>("DISCARD ALL").what, Discard::What::kAll);
  EXPECT_EQ(get<Listen>("LISTEN a").kind, Listen::Kind::kListen);
  EXPECT_EQ(get<Listen>("UNLISTEN *").channel, "");
  EXPECT_EQ(get<Listen>("NOTIFY a, 'x'").kind, Listen::Kind::kNotify);
  EXPECT_EQ(names_of(get<LockTable>("LOCK TABLE s.a, b IN SHARE MODE").tables), "s.a,b");
  const auto truncate = get<Truncate>("TRUNCATE a, ONLY b RESTART IDENTITY CASCADE");
  EXPECT_EQ(names_of(truncate.tables), "a,b");
  EXPECT_TRUE(truncate.restart_identity && truncate.cascade);
  EXPECT_EQ(join(std::get<Call>(get<CallProcedure>("CALL s.p(1)").call->node).name), "s.p");
  get<DoBlock>("DO $$ BEGIN END $$");
  get<SetConstraints>("SET CONSTRAINTS ALL DEFERRED");
  EXPECT_EQ(get<Maintenance>("VACUUM (FULL) s.t, u").command, "VACUUM");
  EXPECT_EQ(names_of(get<Maintenance>("ANALYZE s.t (a), u").tables), "s.t,u");
  EXPECT_EQ(get<Maintenance>("ANALYZE").command, "ANALYZE");
  EXPECT_EQ(get<Maintenance>("REINDEX TABLE t").command, "REINDEX");
  EXPECT_EQ(get<Maintenance>("CLUSTER").command, "CLUSTER");
  EXPECT_EQ(get<Maintenance>("CHECKPOINT").command, "CHECKPOINT");
  EXPECT_EQ(names_of(get<Maintenance>("REFRESH MATERIALIZED VIEW m").tables), "m");
  EXPECT_EQ(get<UnknownStatement>("LOAD 'x'").what, "LOAD");
}

std::string options_of(const Copy& c) {
  std::string out;
  for (const Copy::Option& o : c.options) {
    out += (out.empty() ? "" : " ") + o.name + (o.has_value ? "=" + o.value : "");
  }
  return out;
}

TEST(Parse, copy) {
  const auto in = get<Copy>("COPY s.t (a, b) FROM STDIN WITH (FORMAT csv, HEADER, NULL '')");
  EXPECT_EQ(name_of(in.table), "s.t");
  EXPECT_EQ(join(in.columns, ","), "a,b");
  EXPECT_TRUE(in.from);
  EXPECT_EQ(in.file, "");
  EXPECT_EQ(options_of(in), "format=csv header null=");
  const auto old =
      get<Copy>("COPY t FROM stdin CSV HEADER DELIMITER ';' FORCE NOT NULL a, b WHERE a > 1");
  EXPECT_EQ(options_of(old),
            "format=csv header=true delimiter=; force_not_null=a\x1f"
            "b");
  EXPECT_TRUE(old.where);
  const auto out = get<Copy>("COPY (SELECT 1) TO STDOUT (FORCE_QUOTE *)");
  EXPECT_TRUE(out.query);
  EXPECT_FALSE(out.from);
  EXPECT_EQ(options_of(out), "force_quote=*");
  EXPECT_TRUE(get<Copy>("COPY (DELETE FROM t RETURNING a) TO STDOUT").opaque_query);
  EXPECT_EQ(get<Copy>("COPY t TO '/tmp/x'").file, "/tmp/x");
  EXPECT_TRUE(get<Copy>("COPY t TO PROGRAM 'cat'").program);
  EXPECT_EQ(options_of(get<Copy>("COPY BINARY t TO STDOUT")), "format=binary");
  EXPECT_EQ(error_of("COPY t FROM ''").sqlstate, "22023");
  EXPECT_TRUE(get<Copy>("COPY t FROM STDIN NULL ''").from);
}

}  // namespace
}  // namespace shoal::sql
