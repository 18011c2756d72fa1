// Pulls, routed inserts and COPY over three databases of a real server.
#include <gtest/gtest.h>

#include "exec/test_client.h"
#include "sql/parse.h"

namespace shoal::exec {
namespace {

using testing::Client;
using testing::Cluster;
using testing::Outcome;

class GatherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Cluster::get()) GTEST_SKIP() << "PostgreSQL is not installed";
    testing::prepare_tables(*Cluster::get());
  }
  void TearDown() override {
    if (!Cluster::get()) return;
    EXPECT_EQ(testing::busy_connections(*Cluster::get()), 0u);
  }
  static Outcome run(Client& client, const plan::Plan& plan, bool describe = true) {
    return testing::run_for(client, plan, describe);
  }
  static std::vector<ShardId> all() { return {ShardId(1), ShardId(2), ShardId(3)}; }
  static plan::PullStep step(std::string temp, std::string sql) {
    plan::PullStep s;
    s.temp_table = std::move(temp);
    s.like_sql = sql;
    s.shards = all();
    s.text.sql = std::move(sql);
    return s;
  }
};

TEST_F(GatherTest, a_pull_is_finished_by_home_over_the_rows_of_all_shards) {
  Client client;
  client.bound.text = "SELECT avg(k), string_agg(name, '|' ORDER BY k DESC) FROM item WHERE k > $1";
  client.bound.types = {23};
  client.bound.formats = {wire::Format::kText};
  client.bound.values = {"2"};
  plan::Pull pull;
  pull.steps = {step("pull_1", "SELECT k, name FROM item")};
  pull.finish.sql =
      "SELECT avg(k), string_agg(name, '|' ORDER BY k DESC) FROM pg_temp.pull_1 AS item "
      "WHERE k > $1";
  pull.finish.params = {1};
  plan::Plan plan;
  plan.node = pull;
  for (int again = 0; again < 2; ++again) {
    Outcome o = run(client, plan);
    EXPECT_EQ(o.error, "");
    EXPECT_EQ(o.joined(), "5.5000000000000000,n8|n7|n6|n5|n4|n3");
    EXPECT_EQ(o.out.columns, "avg,string_agg");
    EXPECT_EQ(o.tag, "SELECT 1");
  }
}

TEST_F(GatherTest, several_steps_and_a_primary_key_are_gathered_inside_a_transaction_too) {
  for (bool in_transaction : {false, true}) {
    Client client;
    client.bound.text =
        "SELECT i.k, j.name, count(*) FROM item i JOIN item j ON i.k = j.k + 1 "
        "GROUP BY i.k, j.k ORDER BY 1";
    plan::Pull pull;
    pull.steps = {step("pull_1", "SELECT k, name FROM item"),
                  step("pull_2", "SELECT k, name FROM item")};
    pull.steps[1].index_columns = {"k"};
    pull.finish.sql =
        "SELECT i.k, j.name, count(*) FROM pg_temp.pull_1 i JOIN pg_temp.pull_2 j "
        "ON i.k = j.k + 1 GROUP BY i.k, j.k ORDER BY 1";
    plan::Plan plan;
    plan.node = pull;
    if (in_transaction) client.transaction.begin("BEGIN");
    Outcome o = run(client, plan);
    EXPECT_EQ(o.error, "");
    EXPECT_EQ(o.joined(), "1,n0,1 2,n1,1 3,n2,1 4,n3,1 5,n4,1 6,n5,1 7,n6,1 8,n7,1");
    if (in_transaction) Cluster::get()->run(client.transaction.rollback());
  }
}

TEST_F(GatherTest, types_without_a_portable_binary_form_travel_as_text) {
  Client client;
  client.bound.text = "SELECT 1";
  plan::Pull pull;
  pull.steps = {
      step("pull_1", "SELECT E'a\\tb\\nc\\\\' AS t, NULL::text AS n, acldefault('r', 10) AS a")};
  pull.finish.sql =
      "SELECT count(*), min(t) = E'a\\tb\\nc\\\\', count(n), count(a) FROM pg_temp.pull_1";
  plan::Plan plan;
  plan.node = pull;
  Outcome o = run(client, plan, false);
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.joined(), "3,t,0,3");
}

TEST_F(GatherTest, limits_of_a_pull_are_refusals_and_leave_nothing_busy) {
  Client client;
  client.bound.text = "SELECT count(*) FROM generate_series(1, 100000)";
  plan::Pull pull;
  pull.steps = {
      step("pull_1", "SELECT i, repeat('x', 100) AS x FROM generate_series(1, 100000) i")};
  pull.finish.sql = "SELECT count(*) FROM pg_temp.pull_1";
  plan::Plan plan;
  plan.node = pull;
  Limits& limits = Cluster::get()->context().limits;
  const Limits before = limits;
  limits.pull_rows = 50'000;
  EXPECT_EQ(run(client, plan).detail.substr(0, 6), "SH0604");
  limits = before;
  limits.pull_bytes = 1u << 20;
  EXPECT_EQ(run(client, plan).detail.substr(0, 6), "SH0603");
  limits = before;
  EXPECT_EQ(run(client, plan).joined(), "300000");
  pull.steps[0].text.sql = "SELECT i, pg_sleep(10)::text FROM generate_series(1, 2) i";
  plan.node = pull;
  limits.pull_time = std::chrono::milliseconds(300);
  EXPECT_EQ(run(client, plan).detail.substr(0, 6), "SH0605");
  limits = before;
}

TEST_F(GatherTest, errors_of_every_phase_of_a_pull_are_told) {
  Client client;
  client.bound.text = "SELECT 1";
  plan::Pull pull;
  pull.steps = {step("pull_1", "SELECT k FROM item")};
  pull.finish.sql = "SELECT 1 / (k - k) FROM pg_temp.pull_1";
  plan::Plan plan;
  plan.node = pull;
  EXPECT_EQ(run(client, plan).error, "22012 division by zero");
  pull.steps[0].text.sql = "SELECT k / (k - k) FROM item";
  plan.node = pull;
  EXPECT_EQ(run(client, plan).error, "22012 division by zero");
  pull.steps[0].text.sql = "SELECT k FROM item";
  pull.steps[0].index_columns = {"no_such_column"};
  pull.finish.sql = "SELECT 1";
  plan.node = pull;
  EXPECT_EQ(run(client, plan).error.substr(0, 5), "42703");
}

TEST_F(GatherTest, a_routed_insert_places_rows_by_their_computed_key) {
  Client client;
  client.bound.text = "INSERT INTO item SELECT k + 100, name FROM item RETURNING k, name";
  auto source = std::make_shared<plan::Plan>();
  plan::Scatter scatter;
  scatter.shards = all();
  scatter.text.sql = "SELECT k + 100, name, k FROM item ORDER BY k";
  plan::SortKey key;
  key.column = 2;
  key.type = 23;
  scatter.merge.order = {key};
  scatter.merge.hidden_columns = 1;
  source->node = scatter;
  plan::RoutedInsert insert;
  insert.source = source;
  insert.table = Oid(20001);
  insert.columns = {"k", "name"};
  insert.key_columns = {0};
  insert.keyspace = KeyspaceId(1);
  insert.returning = "k, name";
  plan::Plan plan;
  plan.writes = true;
  plan.node = insert;
  Outcome o = run(client, plan);
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.joined(), "100,n0 101,n1 102,n2 103,n3 104,n4 105,n5 106,n6 107,n7 108,n8");
  EXPECT_EQ(o.tag, "INSERT 0 9");
  EXPECT_EQ(Cluster::get()->value(1, "SELECT string_agg(k::text, ',' ORDER BY k) FROM item"),
            "0,3,6,102,105,108");
}

TEST_F(GatherTest, a_null_key_of_a_routed_row_is_refused_and_nothing_stays) {
  Client client;
  client.bound.text = "INSERT INTO item VALUES (1000, 'a'), (NULL, 'b')";
  auto source = std::make_shared<plan::Plan>();
  source->node = plan::Forward{ShardId(1), {"VALUES (1000, 'a'), (NULL::int, 'b')", {}}};
  plan::RoutedInsert insert;
  insert.source = source;
  insert.table = Oid(20001);
  insert.columns = {"k", "name"};
  insert.key_columns = {0};
  insert.keyspace = KeyspaceId(1);
  plan::Plan plan;
  plan.writes = true;
  plan.node = insert;
  Outcome o = run(client, plan);
  EXPECT_EQ(o.error.substr(0, 5), "23502");
  EXPECT_EQ(Cluster::get()->value(2, "SELECT count(*) FROM item WHERE k = 1000"), "0");
}

TEST_F(GatherTest, a_reference_write_reaches_every_copy_and_counts_once) {
  Client client;
  client.bound.text = "INSERT INTO country VALUES (1, 'x'), (2, 'y') RETURNING k";
  plan::ReferenceWrite write;
  write.table = Oid(20002);
  write.home = ShardId(1);
  write.others = {ShardId(2), ShardId(3)};
  plan::Plan plan;
  plan.writes = true;
  plan.node = write;
  Outcome o = run(client, plan);
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.joined(), "1 2");
  EXPECT_EQ(o.tag, "INSERT 0 2");
  for (int shard = 1; shard <= 3; ++shard)
    EXPECT_EQ(Cluster::get()->value(shard, "SELECT count(*) FROM country"), "2");
}

TEST_F(GatherTest, copies_that_come_out_different_are_refused) {
  Cluster::get()->sql(2, "INSERT INTO country VALUES (7, 'only here')");
  Client client;
  client.bound.text = "DELETE FROM country";
  plan::ReferenceWrite write;
  write.table = Oid(20002);
  write.home = ShardId(1);
  write.others = {ShardId(2), ShardId(3)};
  plan::Plan plan;
  plan.writes = true;
  plan.node = write;
  EXPECT_EQ(run(client, plan).detail.substr(0, 6), "SH0107");
  EXPECT_EQ(Cluster::get()->value(2, "SELECT count(*) FROM country"), "1");
}

TEST_F(GatherTest, copy_out_has_one_header_and_one_trailer) {
  Client client;
  plan::Plan plan;
  plan::CopyOut copy;
  copy.shards = all();
  copy.header = true;
  plan.node = copy;
  client.bound.text = "COPY (SELECT k FROM item WHERE k < 3) TO STDOUT (FORMAT csv, HEADER)";
  Outcome o = run(client, plan, false);
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.tag, "COPY 3");
  EXPECT_EQ(o.out.copied.substr(0, 2), "k\n");
  EXPECT_EQ(o.out.copied.size(), 8u);
  std::get<plan::CopyOut>(plan.node).header = false;
  client.bound.text = "COPY (SELECT k FROM item WHERE k < 3) TO STDOUT (FORMAT binary)";
  o = run(client, plan, false);
  EXPECT_EQ(o.out.copied.size(), 19u + 3 * 10 + 2);
  EXPECT_EQ(o.out.copied.substr(0, 6), "PGCOPY");
  EXPECT_EQ(o.out.copied.substr(o.out.copied.size() - 2), "\377\377");
  client.bound.text = "COPY (SELECT k FROM item WHERE k < 0) TO STDOUT (FORMAT binary)";
  o = run(client, plan, false);
  EXPECT_EQ(o.out.copied.size(), 21u);
}

// Hands data to a COPY in pieces of `step` bytes and commits.
io::Task<Outcome> copy_in(Client* client, const plan::Plan* plan, const sql::Copy* statement,
                          std::string data, std::size_t piece) {
  Outcome outcome;
  Transaction& t = client->transaction;
  t.begin_implicit();
  RunRequest request{*plan, client->bound, nullptr, *t.context().snapshot, {}};
  auto router = co_await CopyRouter::start(t, request, *statement);
  std::optional<Error> failure;
  if (!router) {
    failure = router.error();
  } else {
    outcome.out.columns = (*router)->response().substr(0, 1);
    for (std::size_t at = 0; at < data.size() && !failure; at += piece) {
      auto taken = co_await (*router)->data(std::string_view(data).substr(at, piece));
      if (!taken) failure = taken.error();
    }
    if (!failure) {
      auto tag = co_await (*router)->done();
      if (tag)
        outcome.tag = *tag;
      else
        failure = tag.error();
    }
  }
  if (failure) {
    outcome.error = failure->sqlstate + " " + failure->message;
    outcome.detail = failure->detail;
    t.fail();
  }
  auto ended = co_await t.commit();
  if (!ended) outcome.error = ended.error().message;
  co_return outcome;
}

class CopyInTest : public GatherTest {
 protected:
  Outcome copy(const std::string& sql, const std::string& data, std::size_t piece = 1000,
               bool reference = false) {
    auto parsed = sql::parse(sql, sql::ParseLimits{});
    const auto& statement = std::get<sql::Copy>(parsed->front().node);
    plan::CopyIn node;
    node.table = Oid(reference ? 20002 : 20001);
    node.columns = {"k", "name"};
    node.key_fields = {0};
    node.keyspace = KeyspaceId(1);
    node.shards = all();
    node.reference = reference;
    plan::Plan plan;
    plan.writes = true;
    plan.node = node;
    Client client;
    client.bound.text = sql;
    Cluster::get()->everywhere("TRUNCATE item, country");
    return Cluster::get()->run(copy_in(&client, &plan, &statement, data, piece));
  }
  static std::string keys(int shard, const std::string& table = "item") {
    return Cluster::get()->value(
        shard,
        "SELECT string_agg(k || ':' || coalesce(name, 'NULL'), ',' ORDER BY k) FROM " + table);
  }
};

TEST_F(CopyInTest, rows_go_to_their_shards_as_they_came) {
  for (std::size_t piece : {std::size_t{1}, std::size_t{1000}}) {
    Outcome o = copy("COPY item FROM STDIN", "0\ta\\tb\n1\t\\N\n2\t\n5\tx\n\\.\nignored\n", piece);
    EXPECT_EQ(o.error, "");
    EXPECT_EQ(o.tag, "COPY 4");
    EXPECT_EQ(o.out.columns, "G");
    EXPECT_EQ(keys(1), "0:a\tb");
    EXPECT_EQ(keys(2), "1:NULL");
    EXPECT_EQ(keys(3), "2:,5:x");
  }
}

TEST_F(CopyInTest, csv_with_a_header_quotes_and_no_newline_at_the_end) {
  Outcome o = copy("COPY item FROM STDIN (FORMAT csv, HEADER)",
                   "k,name\r\n\"3\",\"a\nb\"\"\"\r\n4,\r\n\"5\",\"\"", 3);
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.tag, "COPY 3");
  EXPECT_EQ(keys(1), "3:a\nb\"");
  EXPECT_EQ(keys(2), "4:NULL");
  EXPECT_EQ(keys(3), "5:");
}

TEST_F(CopyInTest, binary_rows) {
  std::string data("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
  for (char k = 0; k < 6; ++k)
    data += std::string("\0\2\0\0\0\4\0\0\0", 9) + k + std::string("\0\0\0\1x", 5);
  data += "\377\377";
  for (std::size_t piece : {std::size_t{1}, std::size_t{1000}}) {
    Outcome o = copy("COPY item FROM STDIN (FORMAT binary)", data, piece);
    EXPECT_EQ(o.error, "");
    EXPECT_EQ(o.tag, "COPY 6");
    EXPECT_EQ(keys(3), "2:x,5:x");
  }
}

TEST_F(CopyInTest, a_failing_row_leaves_nothing_and_its_error_is_postgresqls) {
  struct Case {
    std::string data, error;
  } cases[] = {
      {"0\ta\n1\tb\n1\tc\n", "23505 duplicate key value violates unique constraint \"item_pkey\""},
      {"0\ta\n1\n2\tc\n", "22P04 missing data for column \"name\""},
      {"0\ta\n1\tb\tc\n", "22P04 extra data after last expected column"},
      {"0\ta\nx\tb\n", "22P02 invalid input syntax for type integer: \"x\""},
      {"0\ta\n1\tb\rc\n", "22P04 literal carriage return found in data"},
      {"0\ta\n99999999999\tb\n", "22003 value \"99999999999\" is out of range for type integer"},
  };
  for (const Case& c : cases) {
    Outcome o = copy("COPY item FROM STDIN", c.data);
    EXPECT_EQ(o.error, c.error);
    EXPECT_EQ(keys(1), "NULL");
  }
  EXPECT_EQ(copy("COPY item FROM STDIN", "0\ta\n\\N\tb\n").detail.substr(0, 6), "SH0104");
  EXPECT_EQ(copy("COPY item (no_such) FROM STDIN (DELIMITER 'ab')", "").error.substr(0, 5),
            "0A000");
}

TEST_F(CopyInTest, a_reference_table_gets_every_row_on_every_shard_and_counts_once) {
  Outcome o = copy("COPY country FROM STDIN", "1\ta\n2\tb\n", 1000, true);
  EXPECT_EQ(o.error, "");
  EXPECT_EQ(o.tag, "COPY 2");
  for (int shard = 1; shard <= 3; ++shard) EXPECT_EQ(keys(shard, "country"), "1:a,2:b");
}

}  // namespace
}  // namespace shoal::exec
