// What the words of functions prove.
#include "route/code.h"

#include <gtest/gtest.h>

#include "route/bind.h"
#include "route/testing.h"
#include "sql/parse.h"

namespace shoal::route {
namespace {

class Code : public ::testing::Test {
 protected:
  Code() : s_(std::make_shared<catalog::Snapshot>(*make_test_cluster())) {
    s_->schemas = {"app", "information_schema", "pg_catalog", "public"};
  }

  const catalog::Function& add(std::string name, std::string body, char volatility = 'v',
                               std::string language = "plpgsql") {
    auto f = std::make_shared<catalog::Function>();
    f->oid = Oid{next_++};
    f->schema = "public";
    f->name = name;
    f->volatility = static_cast<catalog::Volatility>(volatility);
    f->language = std::move(language);
    f->body = std::move(body);
    s_->user_functions.emplace(f->oid, f);
    return *s_->functions.emplace(std::move(name), f)->second;
  }
  Reach of(std::string body) { return reach_of(add("f", std::move(body)), *s_); }

  std::shared_ptr<catalog::Snapshot> s_;
  std::uint32_t next_ = 60001;
};

TEST_F(Code, without_a_table_it_is_free) {
  for (const char* body :
       {"BEGIN RETURN $1 + 1; END", "BEGIN NEW.x := coalesce(NEW.x, 0) + 1; RETURN NEW; END",
        "DECLARE n int := 0; BEGIN FOR i IN 1..3 LOOP n := n + i; END LOOP; RETURN n; END",
        "SELECT 'SELECT * FROM users' /* users */ -- users"}) {
    const Reach r = of(body);
    EXPECT_EQ(r.unproved, "") << body;
    EXPECT_FALSE(r.effects.home || r.effects.home_action || r.effects.row_volatile) << body;
    EXPECT_TRUE(r.tables.empty()) << body;
  }
}

TEST_F(Code, a_sharded_table_is_found_however_it_is_named) {
  for (const char* body :
       {"SELECT count(*) FROM users", "SELECT count(*) FROM public.USERS",
        "SELECT \"users\".id FROM \"users\"", "BEGIN n := count(*) FROM users; END",
        "BEGIN RETURN (TABLE users); END", "SELECT 1 FROM v_all", "DELETE FROM users WHERE false",
        "WITH users AS (SELECT 1) SELECT * FROM users"}) {
    EXPECT_NE(of(body).unproved, "") << body;
  }
}

TEST_F(Code, statements_made_at_run_time_prove_nothing) {
  for (const char* body :
       {"BEGIN EXECUTE 'SELECT 1'; END", "BEGIN DROP TABLE note; END", "COPY note TO '/tmp/x'",
        "DO $$ BEGIN END $$", "SELECT U&'d\\0061t'", "BEGIN COMMIT; END"}) {
    EXPECT_NE(of(body).unproved, "") << body;
  }
  EXPECT_EQ(of("INSERT INTO note VALUES (1) ON CONFLICT DO NOTHING").unproved, "");
}

TEST_F(Code, what_it_leaves_in_its_session_is_told) {
  for (const char* body :
       {"SELECT set_config('a.b', $1, false)",
        "BEGIN PERFORM pg_catalog.set_config('a.b', x, true); END", "SET search_path = app",
        "BEGIN IF x THEN SET LOCAL a.b = '1'; END IF; END", "BEGIN NULL; RESET a.b; END",
        "SELECT pg_advisory_lock(1)", "BEGIN RETURN pg_try_advisory_lock($1, 2); END"}) {
    EXPECT_NE(of(body).session_state, "") << body;
  }
  add("sets", "SELECT set_config('a.b', '1', false)");
  EXPECT_EQ(of("SELECT sets()").session_state, "function f: function sets: it changes settings");
  for (const char* body : {"UPDATE single SET n = 1",
                           "INSERT INTO single VALUES (1) ON CONFLICT (n) DO UPDATE SET n = 1",
                           "SELECT current_setting('a.b', true)", "SELECT pg_advisory_xact_lock(1)",
                           "SELECT 'SET a.b = 1'"}) {
    EXPECT_EQ(of(body).session_state, "") << body;
  }
}

TEST_F(Code, tables_of_home_keep_it_at_home) {
  const Reach r = of("SELECT max(x) FROM note");
  EXPECT_EQ(r.unproved, "");
  EXPECT_TRUE(r.effects.home && r.effects.home_action);
  ASSERT_EQ(r.tables.size(), 1u);
  EXPECT_EQ(r.tables[0]->name, "note");
}

TEST_F(Code, reference_tables_may_be_read_but_not_written) {
  const Reach r = of("SELECT name FROM country");
  EXPECT_EQ(r.unproved, "");
  EXPECT_FALSE(r.effects.home);
  EXPECT_NE(of("UPDATE country SET name = ''").unproved, "");
}

TEST_F(Code, what_it_calls_is_judged_with_it) {
  add("inner_one", "SELECT count(*) FROM users");
  add("outer_one", "SELECT inner_one()");
  EXPECT_NE(of("BEGIN RETURN outer_one(); END").unproved, "");
  add("itself", "SELECT itself()");
  EXPECT_EQ(of("SELECT itself()").unproved, "");
  EXPECT_TRUE(of("SELECT now()").effects.moment);
  EXPECT_TRUE(of("SELECT CURRENT_DATE").effects.moment);
  EXPECT_TRUE(of("SELECT random()").effects.row_volatile);
  EXPECT_NE(of("SELECT pg_total_relation_size('x')").unproved, "");
}

TEST_F(Code, other_languages_prove_nothing_but_immutable_and_declared_ones_do) {
  EXPECT_NE(reach_of(add("c1", "users_so", 's', "c"), *s_).unproved, "");
  EXPECT_EQ(reach_of(add("c2", "users_so", 'i', "c"), *s_).unproved, "");
  EXPECT_EQ(reach_of(add("uuid_generate_v4", "x", 'v', "c"), *s_).unproved, "");
  catalog::Function declared = add("c3", "SELECT count(*) FROM users");
  declared.declared = "local";
  EXPECT_EQ(reach_of(declared, *s_).unproved, "");
}

TEST_F(Code, defaults_checks_triggers_and_policies_are_looked_through) {
  const Oid seen = add("seen", "SELECT count(*) FROM users").oid;
  catalog::Table& note = s_->tables_by_oid.at(s_->table("public", "note")->oid);
  EXPECT_EQ(reach_of_writing(note, *s_).unproved, "");
  note.trigger_functions = {seen};
  EXPECT_NE(reach_of_writing(note, *s_).unproved, "");
  EXPECT_EQ(reach_of_reading(note, *s_).unproved, "");
  note.trigger_functions.clear();
  note.check_functions = {seen};
  EXPECT_NE(reach_of_writing(note, *s_).unproved, "");
  note.check_functions.clear();
  note.columns[2].default_sql = "seen()";
  EXPECT_NE(reach_of_writing(note, *s_).unproved, "");
  note.columns[2].default_sql.clear();
  note.policy_tables = {s_->table("public", "users")->oid};
  EXPECT_NE(reach_of_reading(note, *s_).unproved, "");
}

TEST_F(Code, statements_with_such_calls_are_refused) {
  add("seen", "SELECT count(*) FROM users", 's');
  add("plain", "SELECT $1 + 1", 's');
  const auto bound = [&](const char* text) {
    auto parsed = sql::parse(text, sql::ParseLimits{});
    return bind(parsed->front(), *s_, SessionFacts{});
  };
  EXPECT_TRUE(bound("SELECT seen()").refusal);
  EXPECT_TRUE(bound("SELECT id FROM note ORDER BY seen()").refusal);
  EXPECT_FALSE(bound("SELECT plain(id) FROM users").refusal);
  EXPECT_TRUE(bound("SELECT nobody_knows()").missing_function);
}

}  // namespace
}  // namespace shoal::route
