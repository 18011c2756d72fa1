// For this room's tests: a client that runs plans as a session does, and what it sees.
// Thread rule: the test's thread; tasks run on the cluster's core.
#pragma once
#include <string>
#include <vector>

#include "exec/test_cluster.h"
#include "wire/backend.h"

namespace shoal::exec::testing {

// What a client would see, rows as "a,b" with NULL for nulls.
class Captured : public Output {
 public:
  void row_description(std::string_view frame) override {
    auto rows = wire::decode_row_description(frame.substr(wire::kHeaderBytes));
    for (const wire::Column& column : rows->columns) {
      columns += columns.empty() ? "" : ",";
      columns += column.name;
    }
    ++descriptions;
  }
  void row(std::string_view body) override {
    auto decoded = wire::decode_data_row(body);
    std::string text;
    bool first = true;
    for (wire::Value v : decoded->values) {
      if (!std::exchange(first, false)) text += ',';
      text += v.value_or("NULL");
    }
    rows.push_back(text);
  }
  void frame(std::string_view bytes) override {
    ++frames;
    if (bytes[0] == 'd') copied += bytes.substr(wire::kHeaderBytes);
  }
  io::Task<Result<>> flow() override { co_return Result<>(); }

  std::string columns;
  int descriptions = 0, frames = 0;
  std::vector<std::string> rows;
  std::string copied;
};

struct Outcome {
  std::string tag, error, detail;  // error: SQLSTATE and message
  Captured out;
  std::string sorted() {
    std::sort(out.rows.begin(), out.rows.end());
    return joined();
  }
  std::string joined() const {
    std::string all;
    for (const std::string& row : out.rows) all += (all.empty() ? "" : " ") + row;
    return all;
  }
};

struct Client {
  Client()
      : transaction(Cluster::get()->context(), {.user = "app", .password = "", .keys = {}}, "t") {
    transaction.set_settings(&settings);
  }
  backend::Settings settings;
  Transaction transaction;
  Bound bound;
};

// Runs the plan as the session does: in a transaction of its own when it writes.
inline io::Task<Outcome> run_as_session(Client* client, const plan::Plan* plan, bool describe) {
  Outcome outcome;
  Transaction& t = client->transaction;
  CoreContext& context = t.context();
  DescriptionPtr description;
  if (describe) {
    auto described = co_await exec::describe(t, client->bound.text, client->bound.types, "", false);
    if (!described) {
      outcome.error = described.error().message;
      co_return outcome;
    }
    description = *described;
  }
  const bool implicit = plan->writes && t.idle();
  if (implicit) t.begin_implicit();
  RunRequest request{*plan, client->bound, description, *context.snapshot, {}};
  auto tag = co_await run_plan(t, request, outcome.out);
  if (!tag) {
    t.fail();
    outcome.error = tag.error().sqlstate + " " + tag.error().message;
    outcome.detail = tag.error().detail;
  } else {
    outcome.tag = *tag;
  }
  if (implicit) {
    auto ended = co_await t.commit();
    if (!ended) outcome.error = ended.error().sqlstate + " " + ended.error().message;
  }
  if (t.idle()) t.release();
  co_return outcome;
}

// Tables item (by k modulo 3) and country, the same for every test.
inline void prepare_tables(Cluster& c) {
  c.everywhere(
      "SET client_min_messages = error; DROP TABLE IF EXISTS item, country;"
      "CREATE TABLE item (k int PRIMARY KEY, name text);"
      "CREATE TABLE country (k int PRIMARY KEY, name text); RESET client_min_messages");
  for (int k = 0; k < 9; ++k)
    c.sql(k % 3 + 1, fmt::format("INSERT INTO item VALUES ({}, 'n{}')", k, k));
}

// Connections that some statement has not given back.
inline std::size_t busy_connections(Cluster& c) {
  std::size_t busy = 0;
  for (const backend::PoolCounts& n : c.context().pool.counts()) busy += n.active;
  return busy;
}

inline Outcome run_for(Client& client, const plan::Plan& plan, bool describe) {
  return Cluster::get()->run(run_as_session(&client, &plan, describe));
}

}  // namespace shoal::exec::testing
