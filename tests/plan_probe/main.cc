// Plans of statements over the cluster of route/testing.h, for a driver that runs them on schemas
// of one PostgreSQL which play the shards. One statement per line in, one JSON object per line out.
// "#place <keyspace> <integer or text>..." prints the shard of a key instead.
#include <iostream>
#include <sstream>

#include "plan/make_plan.h"
#include "route/testing.h"
#include "sql/parse.h"

namespace {

using namespace shoal;

std::string quoted(const std::string& s) {
  std::string out = "\"";
  for (const char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out + "\"";
}

struct Printer {
  const catalog::Snapshot& snapshot;
  const std::string& original;

  std::string name(ShardId id) const { return quoted(snapshot.shard(id)->name); }
  std::string names(const std::vector<ShardId>& ids) const {
    std::string out = "[";
    for (const ShardId id : ids) out += (out.size() > 1 ? "," : "") + name(id);
    return out + "]";
  }
  std::string text(const plan::ShardText& t) const {
    return quoted(t.sql.empty() ? original : t.sql);
  }

  std::string order(const std::vector<plan::SortKey>& keys) const {
    std::string out = "[";
    for (const auto& k : keys) {
      if (out.size() > 1) out += ",";
      out += fmt::format("[{},{},{}]", k.column, k.descending, k.nulls_first);
    }
    return out + "]";
  }

  std::string operator()(const plan::Forward& f) const {
    return "\"kind\":\"forward\",\"shards\":" + names({f.shard}) + ",\"sql\":" + text(f.text);
  }
  std::string operator()(const plan::Scatter& s) const {
    std::string combine = "[";
    for (const auto& c : s.merge.combine) {
      combine += (combine.size() > 1 ? "," : "") + std::to_string(static_cast<int>(c.kind));
    }
    return "\"kind\":\"scatter\",\"shards\":" + names(s.shards) + ",\"sql\":" + text(s.text) +
           ",\"order\":" + order(s.merge.order) + ",\"combine\":" + combine +
           fmt::format(
               "],\"ungrouped\":{},\"distinct\":{},\"offset\":{},\"limit\":{},\"hidden\":{}",
               s.merge.ungrouped, s.merge.distinct, s.merge.offset,
               s.merge.limit ? std::to_string(*s.merge.limit) : "null", s.merge.hidden_columns);
  }
  std::string operator()(const plan::Pull& p) const {
    std::string steps = "[";
    for (const auto& step : p.steps) {
      std::string keys = "[";
      for (const auto& c : step.index_columns) keys += (keys.size() > 1 ? "," : "") + quoted(c);
      steps += (steps.size() > 1 ? "," : "") + ("{\"table\":" + quoted(step.temp_table)) +
               ",\"like\":" + quoted(step.like_sql) + ",\"shards\":" + names(step.shards) +
               ",\"keys\":" + keys + "],\"sql\":" + text(step.text) + "}";
    }
    return "\"kind\":\"pull\",\"steps\":" + steps + "],\"sql\":" + text(p.finish);
  }
  std::string operator()(const Error& e) const {
    return "\"kind\":\"error\",\"state\":" + quoted(e.sqlstate) +
           ",\"message\":" + quoted(e.message) + ",\"detail\":" + quoted(e.detail);
  }
  template <class T>
  std::string operator()(const T&) const {
    return "\"kind\":\"other\"";
  }
};

void place(const catalog::Snapshot& snapshot, const std::string& line) {
  std::istringstream words(line);
  std::string word, keyspace;
  words >> word >> keyspace;
  const catalog::Keyspace* ks = snapshot.keyspace(keyspace);
  std::vector<keys::KeyValue> key;
  for (std::size_t i = 0; words >> word; ++i) key.push_back(*keys::parse_text(ks->types[i], word));
  std::cout << snapshot.shard(*ks->placement->place(key))->name << std::endl;
}

}  // namespace

int main() {
  const catalog::SnapshotPtr snapshot = route::make_test_cluster();
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line.compare(0, 6, "#place") == 0) {
      place(*snapshot, line);
      continue;
    }
    auto parsed = sql::parse(line, sql::ParseLimits{});
    plan::Plan plan;
    route::SessionFacts session;
    if (!parsed)
      plan.node = parsed.error();
    else
      plan = plan::make_plan({parsed->front(), *snapshot, session, {}, 1});
    const Printer printer{*snapshot, line};
    std::string trace = "[";
    for (const auto& l : plan.explain) trace += (trace.size() > 1 ? "," : "") + quoted(l);
    std::cout << "{" << std::visit(printer, plan.node) << ",\"reason\":" << quoted(plan.reason)
              << ",\"trace\":" << trace << "]}" << std::endl;
  }
}
