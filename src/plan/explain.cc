// EXPLAIN (ROUTE): a plan as lines for people. The first line is the route, the second the reason.
#include "plan/make_plan.h"

namespace shoal::plan {
namespace {

std::string names(const std::vector<ShardId>& ids, const catalog::Snapshot& snapshot) {
  std::string out;
  for (const ShardId id : ids) {
    const catalog::Shard* s = snapshot.shard(id);
    if (!out.empty()) out += ", ";
    out += s == nullptr ? "?" : s->name;
  }
  return out;
}

std::string text_of(const ShardText& t) {
  return t.sql.empty() ? "as it came" : t.sql;
}

void merge_lines(const Merge& m, std::vector<std::string>& out) {
  static constexpr const char* kinds[] = {"group", "count",    "sum",    "min",
                                          "max",   "bool_and", "bool_or"};
  std::string line;
  const auto add = [&](const std::string& part) { line += (line.empty() ? "" : "; ") + part; };
  if (!m.combine.empty()) {
    std::string part = m.ungrouped ? "combine one row:" : "combine groups:";
    for (const Combine& c : m.combine) part += std::string(" ") + kinds[static_cast<int>(c.kind)];
    add(part);
  }
  if (!m.order.empty()) {
    std::string part = "merge by column";
    for (const SortKey& k : m.order) {
      part += " " + std::to_string(k.column + 1) + (k.descending ? " desc" : "") +
              (k.nulls_first != k.descending ? k.nulls_first ? " nulls first" : " nulls last" : "");
    }
    add(part);
  }
  if (m.distinct) add("drop equal rows");
  if (m.offset > 0) add("skip " + std::to_string(m.offset));
  if (m.limit) add("at most " + std::to_string(*m.limit) + " rows");
  if (m.hidden_columns > 0) add("hide " + std::to_string(m.hidden_columns) + " columns");
  out.push_back("merge: " + (line.empty() ? "concatenate" : line));
}

struct Printer {
  const Plan& plan;
  const catalog::Snapshot& snapshot;
  std::vector<std::string> head, body;

  void operator()(const Forward& f) {
    head.push_back("route: one shard (" + names({f.shard}, snapshot) + ")");
    if (!f.text.sql.empty()) body.push_back("text: " + f.text.sql);
  }
  void operator()(const Scatter& s) {
    head.push_back("route: " + std::to_string(s.shards.size()) + " shards");
    body.push_back("shards: " + names(s.shards, snapshot));
    body.push_back("text: " + text_of(s.text));
    if (s.writes)
      body.push_back("tags: added up");
    else
      merge_lines(s.merge, body);
  }
  void operator()(const Pull& p) {
    head.push_back("route: gather");
    for (const PullStep& step : p.steps) {
      body.push_back("pull " + step.temp_table + " from " + names(step.shards, snapshot) + ": " +
                     step.text.sql);
    }
    body.push_back("finish: " + p.finish.sql);
  }
  void operator()(const Write& w) {
    std::vector<ShardId> shards;
    for (const WritePart& part : w.parts) {
      if (std::find(shards.begin(), shards.end(), part.shard) == shards.end())
        shards.push_back(part.shard);
    }
    head.push_back("route: " + std::to_string(shards.size()) + " shards");
    body.push_back("shards: " + names(shards, snapshot));
    for (const WritePart& part : w.parts)
      body.push_back("text on " + names({part.shard}, snapshot) + ": " + text_of(part.text));
  }
  void operator()(const ReferenceWrite& w) {
    head.push_back("route: all copies");
    std::vector<ShardId> all{w.home};
    all.insert(all.end(), w.others.begin(), w.others.end());
    body.push_back("shards: " + names(all, snapshot));
    body.push_back(w.apply_rows ? "copies: rows of the home shard applied by " + w.apply_key
                                : "copies: the same text on each");
  }
  void operator()(const RoutedInsert& r) {
    head.push_back("route: row by row");
    if (r.source) {
      for (const std::string& line : explain_route(*r.source, snapshot))
        body.push_back("source " + line);
    }
  }
  void operator()(const CopyIn& c) {
    head.push_back(c.reference ? "route: all copies" : "route: row by row");
    body.push_back("shards: " + names(c.shards, snapshot));
  }
  void operator()(const CopyOut& c) {
    head.push_back("route: " + std::to_string(c.shards.size()) + " shards");
    body.push_back("shards: " + names(c.shards, snapshot));
    body.push_back("text: " + text_of(c.text));
  }
  void operator()(const Broadcast& b) {
    head.push_back("route: " + std::to_string(b.shards.size()) + " shards");
    body.push_back("shards: " + names(b.shards, snapshot));
    body.push_back("text: " + text_of(b.text));
  }
  void operator()(const NeedTypes&) {
    head.push_back("route: the parameters' types must be known first");
  }
  void operator()(const Error& e) {
    // A refusal's DETAIL starts with its number.
    const auto colon = e.detail.find(':');
    const bool numbered = e.detail.compare(0, 2, "SH") == 0 && colon != std::string::npos;
    head.push_back("refused: " + (numbered ? e.detail.substr(0, colon) : e.sqlstate));
    body.push_back("message: " + e.message);
    if (numbered && colon + 2 <= e.detail.size())
      head.push_back("reason: " + e.detail.substr(colon + 2));
    if (!e.hint.empty()) body.push_back("hint: " + e.hint);
  }
};

}  // namespace

std::vector<std::string> explain_route(const Plan& plan, const catalog::Snapshot& snapshot) {
  Printer p{plan, snapshot, {}, {}};
  std::visit(p, plan.node);
  std::vector<std::string> out = std::move(p.head);
  if (!plan.reason.empty() && !std::holds_alternative<Error>(plan.node))
    out.push_back("reason: " + plan.reason);
  out.insert(out.end(), p.body.begin(), p.body.end());
  for (const std::string& line : plan.explain) out.push_back("  " + line);
  return out;
}

}  // namespace shoal::plan
