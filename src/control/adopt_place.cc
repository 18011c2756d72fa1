// The key of each table and the function that placed its rows: of those that are known already, by
// its partitions, by trying, or as a directory.
#include <boost/json.hpp>
#include <set>

#include "control/adopt_plan.h"

namespace shoal::control {
namespace {

using Kind = AdoptPlacement::Kind;
constexpr double kFits = 0.9;
constexpr std::size_t kMostPins = 10'000;

KeySample without(const KeySample& sample, std::size_t shard) {
  KeySample out;
  out.types = sample.types;
  std::set<std::string> distinct;
  for (const auto& [key, on] : sample.seen) {
    if (on == shard) continue;
    distinct.insert(keys::canonical_text(key));
    out.seen.emplace_back(key, on);
  }
  out.distinct = distinct.size();
  return out;
}

}  // namespace

Result<std::vector<ScanRow>> Proposer::read_sample(const AdoptTable& t, std::size_t on,
                                                   const std::vector<std::string>& columns) {
  ScanSpec spec;
  spec.table = t.quoted();
  for (const std::string& c : columns) spec.columns.push_back(quote_ident(c));
  spec.sample = options_.sample;
  spec.estimate = t.on[on]->rows;
  std::vector<ScanRow> rows;
  const auto take = [&](const std::vector<ScanRow>& batch) -> Result<> {
    rows.insert(rows.end(), batch.begin(), batch.end());
    return {};
  };
  SHOAL_TRY(scan_rows(servers_.connections[on], spec, take));
  if (rows.size() < options_.sample / 2 && spec.estimate > 0) {  // the estimate was too high
    rows.clear();
    spec.estimate = 0;
    SHOAL_TRY(scan_rows(servers_.connections[on], spec, take));
  }
  return rows;
}

// By column; a composite key's sample is under its columns joined by commas.
Result<std::map<std::string, KeySample>> Proposer::samples(
    const AdoptTable& t, const std::vector<std::string>& columns) {
  std::map<std::string, KeySample> out;
  std::map<std::string, std::set<std::string>> distinct;
  std::vector<std::optional<keys::KeyType>> types;
  for (const std::string& c : columns) types.push_back(keys::key_type_of_oid(t.column(c)->base));
  const bool whole = stated_key(t) || !t.hash_columns.empty();
  for (std::size_t on = 0; on < t.on.size(); ++on) {
    if (!t.on[on]) continue;
    auto rows = read_sample(t, on, columns);
    if (!rows) return std::move(rows).error();
    for (const ScanRow& row : *rows) {
      std::vector<keys::KeyValue> key;
      for (std::size_t i = 0; i < columns.size(); ++i) {
        auto value = parse_key({*types[i]}, row, i);
        if (!value) continue;
        if (whole) {
          key.push_back(std::move(value->front()));
          continue;
        }
        KeySample& s = out[columns[i]];
        s.types = {keys::family_of(*types[i])};
        if (distinct[columns[i]].insert(keys::canonical_text(*value)).second) ++s.distinct;
        s.seen.emplace_back(std::move(*value), on);
      }
      if (!whole || key.size() != columns.size()) continue;
      KeySample& s = out[""];
      if (distinct[""].insert(keys::canonical_text(key)).second) ++s.distinct;
      s.seen.emplace_back(std::move(key), on);
    }
  }
  if (whole) {
    for (const auto& type : types) out[""].types.push_back(keys::family_of(*type));
  }
  return out;
}

// Whether a keyspace that is known already explains the table too.
bool Proposer::fit_known(AdoptPlacement& p, const std::vector<std::string>& key,
                         const KeySample& sample) {
  for (std::size_t k = 0; k < out_.keyspaces.size(); ++k) {
    AdoptKeyspace& space = out_.keyspaces[k];
    if (space.types != sample.types || !space.pins.empty()) continue;
    std::size_t fitting = 0, all = 0;
    for (const auto& [value, on] : sample.seen) {
      if (!space.owns_something(on)) continue;  // strays on a server without slots
      ++all;
      const auto slot = space.made->slot(value);
      const auto bucket = slot ? space.made->bucket_of(*slot) : std::nullopt;
      if (bucket && space.owners[*bucket] == on) ++fitting;
    }
    if (all == 0 || static_cast<double>(fitting) < kFits * static_cast<double>(all)) {
      continue;
    }
    p.kind = Kind::kSharded;
    p.keyspace = k;
    p.key = key;
    p.why = fmt::format("{} of {} sampled rows fit", fitting, all);
    return true;
  }
  return false;
}

std::size_t Proposer::add_keyspace(Guess guess, const std::vector<keys::KeyType>& types) {
  AdoptKeyspace k;
  k.function = guess.function;
  k.params = guess.params;
  k.made = guess.made;
  k.types = types;
  k.owners = std::move(guess.owners);
  k.evidence = fmt::format("{} of {} sampled rows fit", guess.fitting, guess.total);
  complete_owners(k.owners, *k.made, servers_.specs.size());
  k.name = options_.keyspace;
  if (k.name.empty()) {
    k.name = k.function;
    for (const keys::KeyType t : types) k.name += fmt::format("_{}", keys::type_name(t));
  }
  const std::string stem = k.name;
  const auto taken = [&](const std::string& name) {
    return std::find(servers_.keyspaces.begin(), servers_.keyspaces.end(), name) !=
               servers_.keyspaces.end() ||
           std::any_of(out_.keyspaces.begin(), out_.keyspaces.end(),
                       [&](const AdoptKeyspace& other) { return other.name == name; });
  };
  for (int n = 2; taken(k.name); ++n) {
    k.name = fmt::format("{}_{}", stem, n);
  }
  out_.keyspaces.push_back(std::move(k));
  return out_.keyspaces.size() - 1;
}

// PARTITION BY HASH whose partitions lie on different servers: the layout is the function.
Result<bool> Proposer::place_tree(AdoptPlacement& p) {
  const AdoptTable& t = table(p);
  if (t.hash_columns.empty() || t.partitions.empty()) return false;
  if (options_.function.size() && options_.function != "postgres") return false;
  boost::json::object partitions;
  for (const AdoptTable::Partition& part : t.partitions) {
    partitions[part.name] = {{"modulus", part.modulus}, {"remainder", part.remainder}};
  }
  const std::string params =
      boost::json::serialize(boost::json::object{{"partitions", partitions}});
  auto sample = samples(t, t.hash_columns);
  if (!sample) return std::move(sample).error();
  const KeySample& s = (*sample)[""];
  auto guess = try_function("postgres", params, s, servers_.specs.size());
  if (!guess) return false;
  for (const AdoptTable::Partition& part : t.partitions) {
    if (part.on.size() != 1) continue;
    for (std::uint32_t b = 0; b < guess->made->bucket_count(); ++b) {
      if (guess->made->bucket_name(b) == part.name) guess->owners[b] = part.on[0];
    }
  }
  if (guess->total > 0 && guess->share() < kFits) return false;
  if (!fit_known(p, t.hash_columns, s) || out_.keyspaces[p.keyspace].function != "postgres") {
    p.keyspace = add_keyspace(std::move(*guess), s.types);
  }
  p.kind = Kind::kSharded;
  p.key = t.hash_columns;
  p.why = fmt::format("PARTITION BY HASH, {} partitions", t.partitions.size());
  return true;
}

// Every value of the stated key is on one shard: a directory of pins says where.
Result<bool> Proposer::place_directory(AdoptPlacement& p, const std::vector<std::string>& key) {
  const AdoptTable& t = table(p);
  if (!options_.function.empty() && options_.function != "directory") return false;
  AdoptKeyspace k;
  for (const std::string& c : key) {
    k.types.push_back(keys::family_of(*keys::key_type_of_oid(t.column(c)->base)));
  }
  ScanSpec spec;
  spec.table = fmt::format("(SELECT DISTINCT {} FROM {}) t",
                           quote_ident(key[0]) + (key.size() > 1 ? ", " : "") +
                               (key.size() > 1 ? quote_ident(key[1]) : ""),
                           t.quoted());
  if (key.size() > 2) return false;
  for (const std::string& c : key) spec.columns.push_back(quote_ident(c));
  for (std::size_t on = 0; on < t.on.size(); ++on) {
    if (!t.on[on]) continue;
    const auto each = [&](const std::vector<ScanRow>& rows) -> Result<> {
      for (const ScanRow& row : rows) {
        auto value = parse_key(k.types, row);
        if (!value) continue;
        const auto [it, fresh] = k.pins.emplace(keys::canonical_text(*value), on);
        if (!fresh && it->second != on) return make_error("22023", "a key on two shards");
        if (k.pins.size() > kMostPins) return make_error("54000", "too many keys");
      }
      return {};
    };
    if (auto done = scan_rows(servers_.connections[on], spec, each); !done) {
      if (done.error().sqlstate == "22023" || done.error().sqlstate == "54000") return false;
      return std::move(done).error();
    }
  }
  auto made = keys::make_key_function("directory", "{}", k.types);
  if (!made || k.pins.empty()) return false;
  k.function = "directory";
  k.params = "{}";
  k.made = *made;
  k.owners = {AdoptKeyspace::kNobody};
  k.evidence = fmt::format("{} keys, each on one shard", k.pins.size());
  k.name = options_.keyspace.empty() ? "directory_" + key[0] : options_.keyspace;
  p.kind = Kind::kSharded;
  p.keyspace = out_.keyspaces.size();
  p.key = key;
  p.why = k.evidence;
  out_.keyspaces.push_back(std::move(k));
  return true;
}

// Columns that are keys elsewhere come first, then those whose name most tables have.
std::vector<std::string> Proposer::order_of_columns(
    const AdoptTable& t, const std::map<std::string, KeySample>& found) const {
  std::vector<std::string> order;
  for (const AdoptTable::Column& c : t.columns) {
    if (found.contains(c.name)) order.push_back(c.name);
  }
  if (found.contains("")) order.emplace_back();
  const auto rank = [&](const std::string& name) {
    const bool used = std::any_of(
        out_.placements.begin(), out_.placements.end(), [&](const AdoptPlacement& other) {
          return other.kind == Kind::kSharded && other.key == std::vector<std::string>{name};
        });
    const auto tables = std::count_if(servers_.tables.begin(), servers_.tables.end(),
                                      [&](const AdoptTable& o) { return o.column(name); });
    return std::pair(used, tables);
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](const std::string& a, const std::string& b) { return rank(a) > rank(b); });
  return order;
}

std::optional<Guess> Proposer::best_guess(const AdoptPlacement& p,
                                          const std::map<std::string, KeySample>& found,
                                          const std::vector<std::string>& order,
                                          std::string& best_name, std::string& also) {
  const AdoptTable& t = table(p);
  const bool told = stated_key(t) && !options_.function.empty();
  std::optional<Guess> best;
  for (const std::string& name : order) {
    progress_("trying key functions on " + t.shown(), 0, 0);
    const KeySample& sample = found.at(name);
    auto guess = options_.function.empty() ? guess_function(sample, servers_)
                                           : try_function(options_.function, options_.params,
                                                          sample, servers_.specs.size());
    if (!guess || guess->total == 0 || (guess->share() < kFits && !told)) continue;
    if (best && best->share() + 0.005 >= guess->share()) {
      if (best->share() <= guess->share()) also += (also.empty() ? "" : ", ") + name;
      continue;
    }
    best = std::move(guess);
    best_name = name;
    also.clear();
  }
  return best;
}

Result<> Proposer::place_one(AdoptPlacement& p) {
  const AdoptTable& t = table(p);
  auto tree = place_tree(p);
  if (!tree) return std::move(tree).error();
  if (*tree) return {};
  const auto stated = stated_key(t);
  std::vector<std::string> columns;
  if (stated) {
    columns = *stated;
  } else {
    for (const AdoptTable::Column& c : t.columns) {
      if (c.usable && keys::key_type_of_oid(c.base)) columns.push_back(c.name);
    }
  }
  for (const std::string& c : columns) {
    const AdoptTable::Column* column = t.column(c);
    if (column && column->usable && keys::key_type_of_oid(column->base)) continue;
    problem(fmt::format("{} has no column {} that can be a key", t.shown(), c));
    return {};
  }
  if (columns.empty()) return {};
  auto found = samples(t, columns);
  if (!found) return std::move(found).error();
  const auto key_of = [&](const std::string& name) {
    return name.empty() ? columns : std::vector<std::string>{name};
  };
  const std::vector<std::string> order = order_of_columns(t, *found);
  for (const std::string& name : order) {
    if (fit_known(p, key_of(name), (*found)[name])) return {};
  }
  std::string best_name, also;
  std::optional<Guess> best = best_guess(p, *found, order, best_name, also);
  if (!best && t.on[servers_.home] && servers_.specs.size() > 2) {
    // Applications leave rows on a default database that is no shard; the others tell the function.
    for (auto& [name, sample] : *found) sample = without(sample, servers_.home);
    best = best_guess(p, *found, order, best_name, also);
  }
  if (!also.empty()) {
    out_.notes.push_back(fmt::format(
        "{}: {} explains where the rows lie as well as {} does; --key {}=COLUMN decides", t.shown(),
        also, best_name, t.shown()));
  }
  if (best && best->function == "mod_floor" && options_.function.empty()) {
    const KeySample& sample = (*found)[best_name];
    const bool negative = std::any_of(sample.seen.begin(), sample.seen.end(), [](const auto& row) {
      return keys::to_text(row.first[0]).starts_with('-');
    });
    if (!negative) {
      out_.notes.push_back(fmt::format(
          "{}: Python's % and SQL's differ below zero; no negative {} was seen, so mod_floor "
          "(Python's) is assumed. State --function mod_trunc for SQL, C or Java",
          t.shown(), best_name));
    }
  }
  if (best) {
    p.key = key_of(best_name);
    p.why = fmt::format("{} of {} sampled rows fit", best->fitting, best->total);
    p.keyspace = add_keyspace(std::move(*best), (*found)[best_name].types);
    p.kind = Kind::kSharded;
    return {};
  }
  if (!stated) return {};
  auto directory = place_directory(p, *stated);
  if (!directory) return std::move(directory).error();
  return {};
}

Result<> Proposer::place_sharded() {
  std::stable_sort(waiting_.begin(), waiting_.end(),
                   [&](std::size_t a, std::size_t b) { return rows_[a] > rows_[b]; });
  std::uint64_t done = 0;
  // Twice: a small table may fit a keyspace that only a later one could show.
  for (int round = 0; round < 2; ++round) {
    for (const std::size_t i : waiting_) {
      if (out_.placements[i].kind != Kind::kUnclear) continue;
      progress_("finding key functions", ++done, 2 * waiting_.size());
      SHOAL_TRY(place_one(out_.placements[i]));
    }
  }
  for (const std::size_t i : waiting_) {
    AdoptPlacement& p = out_.placements[i];
    if (p.kind != Kind::kUnclear) continue;
    p.why = "no known function explains where its rows lie";
    problem(fmt::format(
        "{}: no known function explains where its rows lie. State its key (--key {}=COLUMN), the "
        "function (--function, --params), or its kind (--single, --leave-out)",
        table(p).shown(), table(p).shown()));
  }
  return {};
}

}  // namespace shoal::control
