// From what the servers hold to keyspaces and kinds of tables.
#include "control/adopt_plan.h"

#include "control/work.h"

namespace shoal::control {
namespace {

using Kind = AdoptPlacement::Kind;
constexpr double kMostCompared = 2e6;  // rows whose content is compared to find copies

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == separator)
      out.emplace_back();
    else
      out.back().push_back(c);
  }
  return out;
}

}  // namespace

bool names_table(const std::vector<std::string>& list, const AdoptTable& t) {
  return std::any_of(list.begin(), list.end(), [&](const std::string& name) {
    return name == t.shown() || name == t.schema + "." + t.name;
  });
}

void Proposer::check_citus() {
  if (servers_.citus.empty()) return;
  problem(
      "this is a Citus cluster. Its rows lie in tables named <table>_<shardid>, several of them on "
      "each node, and its coordinator and workers rewrite names in every statement; Shoal needs "
      "one table of the same name on every shard. Take Citus apart first "
      "(undistribute_table, or copy the shards of each table into one per node), then adopt with "
      "--function citus");
}

void Proposer::check_stated() {
  const auto known = [&](const std::string& name) {
    return std::any_of(servers_.tables.begin(), servers_.tables.end(),
                       [&](const AdoptTable& t) { return names_table({name}, t); });
  };
  std::vector<std::string> all = options_.reference;
  all.insert(all.end(), options_.single.begin(), options_.single.end());
  all.insert(all.end(), options_.leave_out.begin(), options_.leave_out.end());
  for (const std::string& key : options_.keys) {
    if (key.find('=') != std::string::npos) all.push_back(key.substr(0, key.find('=')));
  }
  for (const std::string& name : all) {
    if (!known(name)) problem(fmt::format("no shard has a table {}", name));
  }
}

std::optional<std::vector<std::string>> Proposer::stated_key(const AdoptTable& t) const {
  std::optional<std::vector<std::string>> general;
  for (const std::string& key : options_.keys) {
    const std::size_t equals = key.find('=');
    const std::vector<std::string> columns =
        split(equals == std::string::npos ? key : key.substr(equals + 1), ',');
    if (equals != std::string::npos) {
      if (names_table({key.substr(0, equals)}, t)) return columns;
      continue;
    }
    const bool has_all = std::all_of(columns.begin(), columns.end(),
                                     [&](const std::string& c) { return t.column(c) != nullptr; });
    if (has_all && !general) general = columns;
  }
  return general;
}

// What is settled by where the table exists. False: its rows must tell.
bool Proposer::judge_by_place(AdoptPlacement& p) {
  const AdoptTable& t = table(p);
  std::vector<std::size_t> on;
  for (std::size_t i = 0; i < t.on.size(); ++i) {
    if (t.on[i]) on.push_back(i);
  }
  // With a stated function the caller wants to know whether it is right.
  if (names_table(servers_.placed, t) && options_.function.empty()) {
    p.kind = Kind::kLeftOut;
    p.why = "part of the cluster already";
    return true;
  }
  if (names_table(options_.leave_out, t)) {
    p.kind = Kind::kLeftOut;
    p.why = "as asked";
    return true;
  }
  if (names_table(options_.single, t)) {
    p.kind = Kind::kSingle;
    p.why = "as asked";
    if (!t.on[servers_.home]) problem(fmt::format("{} is not on home", t.shown()));
    return true;
  }
  if (t.foreign_partitions) {
    p.why = "some of its partitions are foreign tables";
    problem(
        fmt::format("{}: some partitions are foreign tables of {}; adoption needs a table "
                    "{} on every shard: attach the partitions there, or --leave-out {}",
                    t.shown(), shard(on[0]), t.shown(), t.shown()));
    return true;
  }
  for (const std::size_t i : on) {
    if (t.on[i]->signature == t.on[on[0]]->signature) continue;
    p.why = fmt::format("differs between {} and {}", shard(on[0]), shard(i));
    problem(fmt::format("{} has other columns on {} than on {}: ({}) and ({})", t.shown(), shard(i),
                        shard(on[0]), t.on[i]->signature, t.on[on[0]]->signature));
    return true;
  }
  if (names_table(options_.reference, t)) {
    p.kind = Kind::kReference;
    p.why = "as asked";
    return true;
  }
  if (on.size() > 1 || stated_key(t)) return false;
  p.kind = on[0] == servers_.home ? Kind::kSingle : Kind::kLeftOut;
  p.why = fmt::format("only {} has it", shard(on[0]));
  if (p.kind == Kind::kLeftOut) {
    out_.notes.push_back(
        fmt::format("{} is on {} only and stays out of the cluster: single tables lie on home ({})",
                    t.shown(), shard(on[0]), shard(servers_.home)));
  }
  return true;
}

// Whether every shard that has the table has the same rows.
Result<bool> Proposer::is_copied(const AdoptTable& t, bool& empty) {
  std::optional<std::string> first;
  empty = true;
  bool same = true;
  for (std::size_t i = 0; i < t.on.size(); ++i) {
    if (!t.on[i]) continue;
    Pq& c = servers_.connections[i];
    auto any = c.query(fmt::format("SELECT FROM {} LIMIT 1", t.quoted()));
    if (!any) return std::move(any).error();
    empty = empty && any->rows.empty();
    if (t.on[i]->rows > kMostCompared) same = false;
    if (!same) continue;
    auto sum = c.query(fmt::format(
        "SELECT pg_catalog.count(*) || ' ' || coalesce(pg_catalog.sum(pg_catalog.hashtextextended("
        "t::pg_catalog.text, 0)::pg_catalog.numeric), 0) FROM {} t",
        t.quoted()));
    if (!sum) return std::move(sum).error();
    if (first && *first != cell(*sum, 0, 0)) same = false;
    first = cell(*sum, 0, 0);
  }
  return same;
}

Result<> Proposer::sort_out() {
  std::uint64_t done = 0;
  for (AdoptPlacement& p : out_.placements) {
    progress_("comparing tables", ++done, out_.placements.size());
    if (judge_by_place(p)) continue;
    const AdoptTable& t = table(p);
    for (const auto& here : t.on) rows_[p.table] += here ? here->rows : 0;
    if (!t.hash_columns.empty() || stated_key(t)) {
      waiting_.push_back(p.table);
      continue;
    }
    bool empty = false;
    auto copied = is_copied(t, empty);
    if (!copied) return std::move(copied).error();
    if (empty) {
      empty_.push_back(p.table);
    } else if (*copied && t.everywhere()) {
      p.kind = Kind::kReference;
      p.why = "every shard has the same rows";
    } else {
      waiting_.push_back(p.table);
    }
  }
  return {};
}

// A table without rows follows those whose key column it has.
void Proposer::place_empty() {
  for (const std::size_t i : empty_) {
    AdoptPlacement& p = out_.placements[i];
    const AdoptTable& t = table(p);
    for (const AdoptPlacement& other : out_.placements) {
      if (other.kind != Kind::kSharded || p.kind != Kind::kUnclear) continue;
      bool same = true;
      const auto& types = out_.keyspaces[other.keyspace].types;
      for (std::size_t c = 0; c < other.key.size(); ++c) {
        const AdoptTable::Column* column = t.column(other.key[c]);
        const auto type = column ? keys::key_type_of_oid(column->base) : std::nullopt;
        same = same && type && column->usable && keys::family_of(*type) == types[c];
      }
      if (!same) continue;
      p.kind = Kind::kSharded;
      p.keyspace = other.keyspace;
      p.key = other.key;
      p.why = fmt::format("empty; it has {}'s key", table(other).shown());
    }
    if (p.kind != Kind::kUnclear) continue;
    p.kind = t.everywhere()        ? Kind::kReference
             : t.on[servers_.home] ? Kind::kSingle
                                   : Kind::kLeftOut;
    p.why = "empty, and has no key column";
  }
}

void Proposer::add_actions(AdoptPlacement& p) {
  const AdoptTable& t = table(p);
  if (p.kind != Kind::kSharded && p.kind != Kind::kReference) return;
  for (std::size_t i = 0; i < t.on.size(); ++i) {
    if (t.on[i]) continue;
    if (p.kind == Kind::kReference) {
      problem(fmt::format("{} is missing on {}: a reference table has its rows on every shard",
                          t.shown(), shard(i)));
    } else {
      out_.actions.push_back(fmt::format("create the empty table {} on {}", t.shown(), shard(i)));
    }
  }
  if (p.kind != Kind::kSharded) return;
  for (const std::string& c : p.key) {
    if (!t.column(c)->not_null) {
      out_.actions.push_back(fmt::format("set {}.{} NOT NULL on every shard", t.shown(), c));
    }
  }
  for (const AdoptTable::Unique& u : t.uniques) {
    const bool has_key = std::all_of(p.key.begin(), p.key.end(), [&](const std::string& c) {
      return std::find(u.columns.begin(), u.columns.end(), c) != u.columns.end();
    });
    if (!has_key) p.local_constraints.push_back(u.name);
  }
}

void Proposer::finish() {
  for (AdoptPlacement& p : out_.placements) add_actions(p);
  for (AdoptKeyspace& k : out_.keyspaces) {
    refine(k, options_.slots);
    std::string without;
    for (std::uint32_t b = 0; b < k.owners.size(); ++b) {
      if (k.owners[b] != AdoptKeyspace::kNobody || !k.pins.empty()) continue;
      without += (without.empty() ? "" : ", ") + k.made->bucket_name(b);
    }
    if (without.empty()) continue;
    if (without.size() > 60) {
      without.resize(60);
      without += "...";
    }
    out_.notes.push_back(fmt::format(
        "keyspace {}: no row was seen of bucket {}; keys that fall there are refused until the "
        "bucket has a shard",
        k.name, without));
  }
}

Result<Adoption> Proposer::run() {
  out_.placements.resize(servers_.tables.size());
  for (std::size_t i = 0; i < out_.placements.size(); ++i) out_.placements[i].table = i;
  check_citus();
  if (!servers_.citus.empty()) return std::move(out_);
  check_stated();
  SHOAL_TRY(sort_out());
  SHOAL_TRY(place_sharded());
  place_empty();
  finish();
  return std::move(out_);
}

std::string_view kind_name(AdoptPlacement::Kind kind) {
  switch (kind) {
    case Kind::kSharded:
      return "sharded";
    case Kind::kReference:
      return "reference";
    case Kind::kSingle:
      return "single";
    case Kind::kLeftOut:
      return "left out";
    case Kind::kUnclear:
      break;
  }
  return "unclear";
}

Result<Adoption> propose(Servers& servers, const AdoptOptions& options, const Progress& progress) {
  return Proposer(servers, options, progress).run();
}

}  // namespace shoal::control
