// Pruning: which shards the rows that survive the conditions can lie on.
#include "route/property.h"

namespace shoal::route {
namespace {

using Kind = Property::Kind;

void add(ShardSet& set, ShardId s) {
  const auto at = std::lower_bound(set.begin(), set.end(), s);
  if (at == set.end() || *at != s) set.insert(at, s);
}

}  // namespace

// Both sets are sound supersets, so their intersection is one, and so is either alone: a stand-in
// can't be intersected and wins over a set of several. An empty intersection means that no row
// survives anywhere; home stands for it, so that an answer (a row of an aggregate, a Describe, an
// error) still has a place to come from.
void Deriver::intersect(ShardSet& a, const ShardSet& b) const {
  const bool stand_in = std::any_of(a.begin(), a.end(), [](ShardId s) { return !real(s); }) ||
                        std::any_of(b.begin(), b.end(), [](ShardId s) { return !real(s); });
  if (stand_in) {
    if (a.size() > 1) a = b;
    return;
  }
  ShardSet out;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  if (out.empty()) out.push_back(home());
  a = std::move(out);
}

void Deriver::restrict(Property& p, const Classes& classes) {
  if (p.kind != Kind::kPartitioned && p.kind != Kind::kOneShard) return;
  for (Match& m : p.match) {
    m.part = m.part || std::all_of(m.columns.begin(), m.columns.end(),
                                   [&](ColumnId c) { return classes.not_null(c); });
    if (!p.partitioned()) continue;
    ShardId outside{};
    if (p.shards.size() > 1 && reached_from_outside(m, classes, outside)) p.shards = {outside};
    if (const auto s = shards_of(m, classes)) intersect(p.shards, *s);
  }
}

// Each outer match column is a constant whose shard is "here".
bool Deriver::reached_from_outside(const Match& m, const Classes& classes, ShardId& shard) const {
  if (!m.link) return false;
  for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame) {
    for (const Match& outer : frame->match) {
      if (!outer.link || outer.keyspace != m.keyspace || outer.columns.size() != m.columns.size()) {
        continue;
      }
      bool all = true;
      for (std::size_t i = 0; i < m.columns.size() && all; ++i) {
        all = classes.same(m.columns[i], outer.columns[i]);
      }
      if (!all) continue;
      shard = here(frame->block);
      return true;
    }
  }
  return false;
}

std::optional<ShardSet> Deriver::shards_of(const Match& m, const Classes& classes) {
  std::optional<ShardSet> out;
  const auto narrow = [&](std::optional<ShardSet> s) {
    if (!s) return;
    if (out)
      intersect(*out, *s);
    else
      out = std::move(s);
  };
  if (m.columns.size() == 1) {
    for (const Constraint& c : classes.constraints(m.columns[0]))
      narrow(shards_of_constraint(m, c));
    narrow(shards_of_range(m, classes));
  } else {
    narrow(shards_of_tuple(m, classes));
  }
  // OR: the union of both arms' sets at most, and only when every arm has one.
  constexpr std::size_t kMaxArms = 100;
  for (const sql::BoolExpr* either : classes.disjunctions()) {
    if (either->args.size() > kMaxArms || ++steps_ > 10'000) continue;
    std::optional<ShardSet> all = ShardSet{};
    for (const auto& arm : either->args) {
      Classes inside = classes;
      inside.forget_disjunctions();
      inside.add(arm.get());
      const auto s = shards_of(m, inside);
      if (!s) {
        all.reset();
        break;
      }
      for (const ShardId id : *s) add(*all, id);
    }
    if (all && std::all_of(all->begin(), all->end(), real)) narrow(std::move(all));
  }
  return out;
}

std::optional<std::vector<Constant>> Deriver::values_of(const Constraint& c, Oid column,
                                                        keys::KeyType to) {
  if (!deterministic(a_, c.column)) return std::nullopt;
  std::vector<Constant> out;
  if (c.kind == Constraint::Kind::kEqual) {
    out.push_back(constants_.read(*c.value, column, to));
    if (out.back().kind == Constant::Kind::kUnknown) return std::nullopt;
    return out;
  }
  if (c.kind != Constraint::Kind::kList) return std::nullopt;
  if (c.row_position < 0) return constants_.read_list(*c.value, column, to);
  const auto* rows = std::get_if<sql::List>(&c.value->node);
  if (rows == nullptr) return std::nullopt;
  for (const auto& item : rows->items) {
    const auto* row = std::get_if<sql::RowExpr>(&item->node);
    const auto at = static_cast<std::size_t>(c.row_position);
    if (row == nullptr || at >= row->args.size()) return std::nullopt;
    out.push_back(constants_.read(*row->args[at], column, to));
    if (out.back().kind == Constant::Kind::kUnknown) return std::nullopt;
  }
  return out;
}

std::optional<ShardSet> Deriver::shards_of_constraint(const Match& m, const Constraint& c) {
  const catalog::Keyspace* ks = a_.snapshot->keyspace(m.keyspace);
  if (ks == nullptr || !ks->placement || ks->types.size() != 1) return std::nullopt;
  const auto values = values_of(c, a_.column(c.column).type, ks->types[0]);
  if (!values) return std::nullopt;
  ShardSet out;
  for (const Constant& v : *values) {
    KeySource source{m.keyspace, ks->types[0], v.param, v.location, v.direct};
    source.direct = source.direct && c.kind == Constraint::Kind::kEqual &&
                    v.kind == Constant::Kind::kValue && (v.param > 0 || v.location >= 0);
    if (std::find(sources_.begin(), sources_.end(), source) == sources_.end()) {
      sources_.push_back(source);
    }
    if (v.kind != Constant::Kind::kValue) continue;  // NULL and what nothing equals add no row
    if (symbolic_ && source == *symbolic_) {
      add(out, kValueShard);
      continue;
    }
    const auto shard = ks->placement->place(*v.value);
    if (!shard) return std::nullopt;
    add(out, *shard);
  }
  return out;
}

// A composite key: the product of the values of its columns.
std::optional<ShardSet> Deriver::shards_of_tuple(const Match& m, const Classes& classes) {
  const catalog::Keyspace* ks = a_.snapshot->keyspace(m.keyspace);
  if (ks == nullptr || !ks->placement || ks->types.size() != m.columns.size()) return std::nullopt;
  std::vector<std::vector<keys::KeyValue>> tuples{{}};
  for (std::size_t i = 0; i < m.columns.size(); ++i) {
    std::optional<std::vector<Constant>> values;
    for (const Constraint& c : classes.constraints(m.columns[i])) {
      values = values_of(c, a_.column(c.column).type, ks->types[i]);
      if (values) break;
    }
    if (!values) return std::nullopt;
    std::vector<std::vector<keys::KeyValue>> product;
    for (const auto& t : tuples) {
      for (const Constant& v : *values) {
        KeySource source{m.keyspace, ks->types[i], v.param, v.location, false};
        if (std::find(sources_.begin(), sources_.end(), source) == sources_.end()) {
          sources_.push_back(source);
        }
        if (v.kind != Constant::Kind::kValue) continue;
        product.push_back(t);
        product.back().push_back(*v.value);
      }
    }
    constexpr std::size_t kMaxProduct = 4096;
    if (product.size() > kMaxProduct) return std::nullopt;
    tuples = std::move(product);
  }
  ShardSet out;
  for (const auto& t : tuples) {
    const auto shard = ks->placement->place(t);
    if (!shard) return std::nullopt;
    add(out, *shard);
  }
  return out;
}

// BETWEEN and inequalities: on keyspaces whose function keeps the order of values.
std::optional<ShardSet> Deriver::shards_of_range(const Match& m, const Classes& classes) {
  const catalog::Keyspace* ks = a_.snapshot->keyspace(m.keyspace);
  if (ks == nullptr || !ks->placement || ks->types.size() != 1) return std::nullopt;
  std::optional<keys::KeyValue> low, high;
  for (const Constraint& c : classes.constraints(m.columns[0])) {
    const bool is_low = c.kind == Constraint::Kind::kLow;
    if (!is_low && c.kind != Constraint::Kind::kHigh) continue;
    // Text is ordered by its collation, the key function by bytes.
    const auto type = keys::key_type_of_oid(a_.column(c.column).type.value);
    if (!type || keys::family_of(*type) == keys::family_of(keys::KeyType::kText) ||
        *type == keys::KeyType::kBpchar) {
      return std::nullopt;
    }
    const Constant v = constants_.read(*c.value, a_.column(c.column).type, ks->types[0]);
    if (v.kind != Constant::Kind::kValue) continue;
    KeySource source{m.keyspace, ks->types[0], v.param, v.location, false};
    if (std::find(sources_.begin(), sources_.end(), source) == sources_.end()) {
      sources_.push_back(source);
    }
    auto& bound = is_low ? low : high;
    if (!bound || (is_low ? *v.value > *bound : *v.value < *bound)) bound = *v.value;
  }
  if (!low && !high) return std::nullopt;
  const auto shards = ks->placement->place_between(low ? &*low : nullptr, high ? &*high : nullptr);
  if (!shards) return std::nullopt;
  ShardSet out;
  for (const ShardId s : *shards) add(out, s);
  return out;
}

}  // namespace shoal::route
