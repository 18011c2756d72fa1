// Rules of a whole block: relations, grouping, windows, DISTINCT, LIMIT, set operations, recursion.
#include "route/functions.h"
#include "route/property.h"

namespace shoal::route {
namespace {

using Kind = Property::Kind;

std::string_view kind_name(Kind k) {
  switch (k) {
    case Kind::kEverywhere:
      return "everywhere";
    case Kind::kAnyOne:
      return "any one shard";
    case Kind::kOneShard:
      return "one shard";
    case Kind::kPartitioned:
      return "partitioned";
    case Kind::kGathered:
      return "gathered";
  }
  return "";
}

constexpr int kMaxSteps = 20'000;

}  // namespace

Deriver::Deriver(const Analysis& analysis, ConstantReader& constants)
    : a_(analysis), constants_(constants) {}

std::string Deriver::shard_names(const ShardSet& s) const {
  std::string out;
  for (const ShardId id : s) {
    const catalog::Shard* shard = real(id) ? a_.snapshot->shard(id) : nullptr;
    if (!out.empty()) out += ", ";
    out += shard != nullptr ? shard->name : id == kValueShard ? "the value's" : "the outer row's";
  }
  return out;
}

Property Deriver::gathered(std::string why) const {
  Property p;
  p.kind = Kind::kGathered;
  p.rule = std::move(why);
  return p;
}

Property Deriver::one_shard(ShardId s, std::string rule) const {
  Property p;
  p.kind = Kind::kOneShard;
  p.shards = {s};
  p.rule = std::move(rule);
  return p;
}

ShardSet Deriver::all_shards(const catalog::Table& t) const {
  const catalog::Keyspace* ks = a_.snapshot->keyspace(t.keyspace);
  ShardSet out;
  if (ks != nullptr && ks->placement) out = ks->placement->shards();
  if (out.empty()) out = a_.snapshot->active_shards();
  std::erase_if(out, [](ShardId s) { return s.value < 0; });
  std::sort(out.begin(), out.end());
  return out;
}

// ---- relations ----------------------------------------------------------------------------------

Property Deriver::table(int id) {
  const Relation& r = a_.relation(id);
  const catalog::Table& t = *r.table;
  Property p;
  switch (t.kind) {
    case catalog::TableKind::kReference:
      p.kind = r.sampled ? Kind::kAnyOne : Kind::kEverywhere;
      p.rule = "reference table " + t.name;
      return p;
    case catalog::TableKind::kSingle:
      return one_shard(home(), "single table " + t.name);
    case catalog::TableKind::kCatalog:
      return one_shard(home(), "system catalog " + t.name);
    case catalog::TableKind::kSharded:
      break;
  }
  p.kind = Kind::kPartitioned;
  p.shards = all_shards(t);
  p.rule = "sharded table " + t.name;
  const catalog::Keyspace* ks = a_.snapshot->keyspace(t.keyspace);
  Match m;
  m.keyspace = t.keyspace;
  m.part = true;  // a key column is NOT NULL
  m.link = ks != nullptr && ks->match;
  for (const std::int16_t attnum : t.key_attnums) {
    for (std::size_t i = 0; i < t.columns.size(); ++i) {
      if (t.columns[i].attnum == attnum) m.columns.push_back({id, static_cast<int>(i)});
    }
  }
  bool plain_equality = true;
  for (const ColumnId c : m.columns) plain_equality = plain_equality && deterministic(a_, c);
  if (!plain_equality) m.link = false;
  if (!m.columns.empty() && m.columns.size() == t.key_attnums.size())
    p.match.push_back(std::move(m));
  return p;
}

Property Deriver::relation(int id) {
  const Relation& r = a_.relation(id);
  if (r.temporary) return one_shard(home(), "temporary table " + r.name);
  switch (r.kind) {
    case RelationKind::kUnknown:
      return one_shard(home(), "relation " + r.name);
    case RelationKind::kFunction: {
      Property p;
      p.rule = "function " + r.name;
      return add_effects(std::move(p), r.effects);
    }
    case RelationKind::kJoin:
      return gathered("a join stands where a relation was expected");
    case RelationKind::kTable:
      return table(id);
    case RelationKind::kQuery:
      break;
  }
  if (r.working_table) {
    const auto it = working_.find(r.block);
    return it == working_.end() ? gathered("recursion") : it->second;
  }
  if (r.block < 0) return gathered("the columns of " + r.name + " are not known");
  Property p = block(r.block);
  if (r.cte && !p.singular() && !p.anywhere() && !p.gathered()) {
    for (const CteUse& use : a_.ctes) {
      if (use.block != r.block) continue;
      if (use.references > 1) {
        return gathered("the WITH query " + use.name + " is used more than once");
      }
      if (use.materialized == sql::Cte::Materialized::kAlways || a_.effects.row_volatile) {
        return gathered("the WITH query " + use.name + " is materialised");
      }
    }
  }
  for (Match& m : p.match) {
    for (ColumnId& c : m.columns) c.relation = id;
  }
  return p;
}

// ---- blocks -------------------------------------------------------------------------------------

Property Deriver::block(int id) {
  const Block& b = a_.block(id);
  if (++steps_ > kMaxSteps) return gathered("the statement is too large to analyse");
  Property p;
  if (b.recursive_term >= 0) {
    p = recursive(b);
  } else if (b.left >= 0) {
    p = set_operation(b);
  } else {
    p = plain(b);
  }
  // WITH queries that nobody reads are not run, but their relations must exist where the text goes.
  for (const int cte : b.ctes) {
    const Property unused = block(cte);
    if (unused.kind == Kind::kOneShard) p = require(std::move(p), unused);
  }
  std::string line = "block " + std::to_string(id) + ": " + std::string(kind_name(p.kind));
  if (!p.shards.empty()) line += " (" + shard_names(p.shards) + ")";
  if (!p.rule.empty()) line += ": " + p.rule;
  trace_.push_back(std::move(line));
  return p;
}

Property Deriver::plain(const Block& b) {
  Property p = rows(b);
  if (p.gathered()) return p;
  p = grouped(std::move(p), b);
  p = windowed(std::move(p), b);
  if (p.gathered()) return p;
  if (b.select != nullptr && b.select->distinct && !b.distinct_on.empty()) {
    if (p.partitioned() && !p.singular() && !has_part(p, b.distinct_on)) {
      return gathered("DISTINCT ON without the shard key");
    }
    if (p.kind == Kind::kEverywhere) p.kind = Kind::kAnyOne;
  }
  p = outputs(std::move(p), b);
  p = distinct(std::move(p), b);
  return limited(std::move(p), b);
}

bool Deriver::has_part(const Property& p, const std::vector<Key>& keys) const {
  return std::any_of(p.match.begin(), p.match.end(), [&](const Match& m) {
    return m.part && m.link && std::all_of(m.columns.begin(), m.columns.end(), [&](ColumnId c) {
             return std::any_of(keys.begin(), keys.end(),
                                [&](const Key& k) { return k.column == c; });
           });
  });
}

bool Deriver::identical(const std::vector<Key>& keys) const {
  return std::all_of(keys.begin(), keys.end(), [&](const Key& k) {
    return k.column && equal_is_identical(a_.column(*k.column).type) &&
           deterministic(a_, *k.column);
  });
}

// Whether every aggregate of the level gives the same whatever the order of its rows.
bool Deriver::order_free(const Block& b) const {
  for (const AggregateUse& use : b.aggregates) {
    if (use.window) return false;
    const auto& c = std::get<sql::Call>(use.call->node);
    const std::string& name = c.name.back();
    if (!order_insensitive_aggregate(name)) return false;
    if (name == "count" || name == "bool_and" || name == "bool_or" || name == "every") continue;
    if (c.args.size() != 1) return false;
    const auto column = a_.find_column(c.args[0].get());
    if (!column) return false;
    const Oid type = a_.column(*column).type;
    constexpr std::uint32_t kNumeric = 1700;
    const bool exact_sum = is_integer_type(type) || type.value == kNumeric;
    const bool sum = name == "sum" || name == "avg";
    if (sum ? !exact_sum : !(equal_is_identical(type) && deterministic(a_, *column))) return false;
  }
  return true;
}

// GROUP BY, each grouping set with a part column among its keys: whole groups lie on one shard. An
// ungrouped aggregate (HAVING without GROUP BY is one) needs all rows.
Property Deriver::grouped(Property p, const Block& b) const {
  const bool having = b.select != nullptr && b.select->having != nullptr;
  const bool aggregated = b.aggregated() || having;
  if (!b.grouped && !aggregated) return p;
  if (p.kind == Kind::kEverywhere) {
    const bool same = order_free(b) && std::all_of(b.grouping_sets.begin(), b.grouping_sets.end(),
                                                   [&](const auto& s) { return identical(s); });
    if (!same || (b.grouped && b.grouping_sets.empty())) p.kind = Kind::kAnyOne;
    return p;
  }
  if (p.kind == Kind::kAnyOne) return p;
  if (!b.grouped) {
    if (!p.singular()) return gathered("an aggregate over several shards");
    p = one_shard(p.shards[0],
                  p.rule);  // a row comes out of nothing: nothing is known of its columns
    return p;
  }
  if (!p.singular()) {
    if (b.grouping_sets.empty()) return gathered("GROUPING SETS without the shard key");
    for (const auto& set : b.grouping_sets) {
      if (!has_part(p, set)) return gathered("GROUP BY without the shard key");
    }
    p.rule += ", grouped by the shard key";
  }
  if (b.grouping_sets.size() == 1) return p;
  // A column that some set lacks is NULL in that set's rows.
  for (Match& m : p.match) {
    const bool in_all =
        std::all_of(b.grouping_sets.begin(), b.grouping_sets.end(), [&](const auto& set) {
          return std::all_of(m.columns.begin(), m.columns.end(), [&](ColumnId c) {
            return std::any_of(set.begin(), set.end(), [&](const Key& k) { return k.column == c; });
          });
        });
    m.part = m.part && in_all && !b.grouping_sets.empty();
  }
  return p;
}

Property Deriver::windowed(Property p, const Block& b) const {
  if (p.gathered() || !b.windowed()) return p;
  if (p.kind == Kind::kEverywhere) p.kind = Kind::kAnyOne;
  if (p.anywhere() || p.singular()) return p;
  for (const auto& keys : b.partitions) {
    if (!has_part(p, keys)) return gathered("a window is not partitioned by the shard key");
  }
  return p;
}

Property Deriver::distinct(Property p, const Block& b) const {
  if (p.gathered() || b.select == nullptr || !b.select->distinct || !b.distinct_on.empty())
    return p;
  if (p.kind == Kind::kEverywhere) {
    const bool same = std::all_of(b.outputs.begin(), b.outputs.end(), [&](const Output& o) {
      return o.column && equal_is_identical(a_.column(*o.column).type) &&
             deterministic(a_, *o.column);
    });
    if (!same) p.kind = Kind::kAnyOne;
    return p;
  }
  if (p.anywhere() || p.singular()) return p;
  const bool part =
      std::any_of(p.match.begin(), p.match.end(), [](const Match& m) { return m.part && m.link; });
  return part ? p : gathered("DISTINCT without the shard key");
}

// LIMIT and OFFSET choose among all rows.
Property Deriver::limited(Property p, const Block& b) const {
  if (b.id == unlimited_) return p;
  if (p.gathered() || b.select == nullptr || (!b.select->limit && !b.select->offset)) return p;
  if (p.kind == Kind::kEverywhere) p.kind = Kind::kAnyOne;
  if (p.anywhere()) return p;
  if (!p.singular()) return gathered("LIMIT or OFFSET over several shards");
  p.kind = Kind::kOneShard;
  return p;
}

// ---- projection ---------------------------------------------------------------------------------

// Renaming follows the column; a computed column is not in match, except those that can only be a
// match column's value or NULL.
Property Deriver::outputs(Property p, const Block& b) const {
  if (p.anywhere() || p.gathered()) {
    p.match.clear();
    return p;
  }
  std::vector<Match> out;
  const auto single = [&](ColumnId c) -> const Match* {
    for (const Match& m : p.match) {
      if (m.columns.size() == 1 && m.columns[0] == c) return &m;
    }
    return nullptr;
  };
  for (const Match& m : p.match) {
    std::vector<std::vector<ColumnId>> tuples{{}};
    for (const ColumnId c : m.columns) {
      std::vector<std::vector<ColumnId>> longer;
      for (const auto& t : tuples) {
        for (std::size_t i = 0; i < b.outputs.size() && longer.size() < 64; ++i) {
          if (b.outputs[i].column != c) continue;
          longer.push_back(t);
          longer.back().push_back({-1, static_cast<int>(i)});
        }
      }
      tuples = std::move(longer);
    }
    for (auto& t : tuples) out.push_back({m.keyspace, std::move(t), m.part, m.link});
  }
  for (std::size_t i = 0; i < b.outputs.size(); ++i) {
    const sql::Expr* e = b.outputs[i].expr;
    if (e == nullptr || b.outputs[i].column) continue;
    const ColumnId column{-1, static_cast<int>(i)};
    if (const auto* c = std::get_if<sql::Coalesce>(&e->node)) {
      std::optional<Match> all;
      for (const auto& arg : c->args) {
        const auto id = a_.find_column(arg.get());
        const Match* m = id ? single(*id) : nullptr;
        if (m == nullptr || (all && all->keyspace != m->keyspace)) {
          all.reset();
          break;
        }
        if (!all) all = Match{m->keyspace, {column}, false, true};
        all->part |= m->part;
        all->link &= m->link;
      }
      if (all) out.push_back(std::move(*all));
    } else if (const auto* o = std::get_if<sql::Operator>(&e->node)) {
      if (o->form != sql::Operator::Form::kNullIf || !o->left) continue;
      const auto id = a_.find_column(o->left.get());
      const Match* m = id ? single(*id) : nullptr;
      if (m != nullptr) out.push_back({m->keyspace, {column}, false, m->link});
    } else if (const auto* call = std::get_if<sql::Call>(&e->node)) {
      const std::string& name = call->name.back();
      const bool picks = call->over && (name == "lag" || name == "lead" || name == "first_value" ||
                                        name == "last_value");
      const bool extreme = !call->over && b.grouped && (name == "min" || name == "max");
      if ((!picks && !extreme) || call->args.size() != 1) continue;
      const auto id = a_.find_column(call->args[0].get());
      const Match* m = id ? single(*id) : nullptr;
      if (m != nullptr) out.push_back({m->keyspace, {column}, false, m->link});
    }
  }
  p.match = std::move(out);
  return p;
}

Property Deriver::require(Property p, const Property& other) const {
  if (p.gathered()) return p;
  if (p.anywhere()) return one_shard(other.shards[0], other.rule);
  if (p.singular() && p.shards == other.shards) {
    p.kind = Kind::kOneShard;
    return p;
  }
  return gathered(other.rule + " is on another shard");
}

Property Deriver::add_effects(Property p, const Effects& e) const {
  if (e.home) p = require(std::move(p), one_shard(home(), "a function that only home may answer"));
  if (p.kind == Kind::kEverywhere && (e.row_volatile || e.moment)) p.kind = Kind::kAnyOne;
  return p;
}

// ---- set operations -----------------------------------------------------------------------------

namespace {

// Whether the position's values compare bytewise in every arm, as one hash family.
bool certain_output(const Analysis& a, int block, int position) {
  const Block& b = a.block(block);
  const Output& o = b.outputs[static_cast<std::size_t>(position)];
  const auto type = keys::key_type_of_oid(o.type.value);
  if (!type) return false;
  if (is_integer_type(o.type)) return true;
  if (b.left >= 0)
    return certain_output(a, b.left, position) && certain_output(a, b.right, position);
  return o.column && deterministic(a, *o.column);
}

}  // namespace

// UNION ALL of P, P: P, match and part position by position. UNION: every arm has a part column of
// one keyspace at the same position. INTERSECT, EXCEPT: one arm (EXCEPT: the left) has part and the
// other match there, or the other is Everywhere.
Property Deriver::set_operation(const Block& b) {
  using Op = sql::Select::SetOp;
  const Property l = block(b.left), r = block(b.right);
  if (l.gathered()) return l;
  if (r.gathered()) return r;
  const Op op = b.select->op;
  const bool all = b.select->all;
  if (l.anywhere() && r.anywhere()) {
    Property p;
    const bool identical = std::all_of(b.outputs.begin(), b.outputs.end(),
                                       [](const Output& o) { return is_integer_type(o.type); });
    const bool same = l.kind == Kind::kEverywhere && r.kind == Kind::kEverywhere &&
                      ((op == Op::kUnion && all) || identical);
    p.kind = same ? Kind::kEverywhere : Kind::kAnyOne;
    p.rule = "reference tables only";
    return limited(std::move(p), b);
  }
  const bool l_one = l.singular() || l.anywhere(), r_one = r.singular() || r.anywhere();
  if (l_one && r_one && (l.anywhere() || r.anywhere() || l.shards == r.shards)) {
    return one_shard(l.anywhere() ? r.shards[0] : l.shards[0], "all arms on one shard");
  }
  if (l.kind == Kind::kOneShard || r.kind == Kind::kOneShard || l.kind == Kind::kAnyOne ||
      r.kind == Kind::kAnyOne) {
    return gathered("the arms of a set operation are on different shards");
  }
  Property p;
  p.kind = Kind::kPartitioned;
  p.shards = l.partitioned() ? l.shards : r.shards;
  // A match of both arms at the same positions; the flags say what each has there.
  struct Both {
    Match m;
    bool left_part, right_part;
  };
  std::vector<Both> both;
  for (const Match& x : l.match) {
    for (const Match& y : r.match) {
      if (x.keyspace != y.keyspace || x.columns != y.columns || !x.link || !y.link) continue;
      const bool certain = std::all_of(x.columns.begin(), x.columns.end(), [&](ColumnId c) {
        return certain_output(a_, b.id, c.column);
      });
      if (certain) both.push_back({Match{x.keyspace, x.columns, false, true}, x.part, y.part});
    }
  }
  const bool l_everywhere = l.kind == Kind::kEverywhere, r_everywhere = r.kind == Kind::kEverywhere;
  if (op == Op::kUnion) {
    if (l_everywhere || r_everywhere) {
      return gathered("one arm of a UNION is the same on every shard");
    }
    bool any_part = false;
    for (Both& x : both) {
      x.m.part = x.left_part && x.right_part;
      any_part |= x.m.part;
      p.match.push_back(x.m);
    }
    if (!all && !any_part) return gathered("UNION without the shard key");
    for (const ShardId s : r.shards) {
      if (std::find(p.shards.begin(), p.shards.end(), s) == p.shards.end()) p.shards.push_back(s);
    }
    std::sort(p.shards.begin(), p.shards.end());
    p.rule = all ? "UNION ALL of sharded arms" : "UNION with the shard key";
    return limited(std::move(p), b);
  }
  const auto has_part = [](const Property& x) {
    return std::any_of(x.match.begin(), x.match.end(),
                       [](const Match& m) { return m.part && m.link; });
  };
  bool proved = false;
  if (op == Op::kExcept) {
    if (l_everywhere) return gathered("EXCEPT keeps rows of a reference table");
    proved = (r_everywhere && has_part(l)) ||
             std::any_of(both.begin(), both.end(), [](const Both& x) { return x.left_part; });
    p.match = l.match;
  } else {
    proved = (r_everywhere && has_part(l)) || (l_everywhere && has_part(r)) ||
             std::any_of(both.begin(), both.end(),
                         [](const Both& x) { return x.left_part || x.right_part; });
    p.match = l.partitioned() ? l.match : r.match;
    if (l.partitioned() && r.partitioned()) intersect(p.shards, r.shards);
  }
  if (!proved) return gathered("INTERSECT or EXCEPT without the shard key");
  // The result's type may differ from the arm's: only certain positions keep their column.
  std::erase_if(p.match, [&](const Match& m) {
    return !std::all_of(m.columns.begin(), m.columns.end(),
                        [&](ColumnId c) { return certain_output(a_, b.id, c.column); });
  });
  p.rule = op == Op::kExcept ? "EXCEPT with the shard key" : "INTERSECT with the shard key";
  return limited(std::move(p), b);
}

// A recursive query runs where both of its terms can, on one shard or on any; over several shards
// it is gathered.
Property Deriver::recursive(const Block& b) {
  Property first = block(b.left);
  if (first.gathered() || (!first.anywhere() && !first.singular())) {
    return gathered("a recursive query over several shards");
  }
  first.match.clear();
  if (!first.anywhere()) first.kind = Kind::kOneShard;
  working_[b.left] = first;
  Property second = block(b.right);
  working_.erase(b.left);
  if (second.gathered() || (!second.anywhere() && !second.singular())) {
    return gathered("a recursive query over several shards");
  }
  if (first.anywhere() && second.anywhere()) {
    first.kind = Kind::kAnyOne;
    return first;
  }
  const Property& fixed = first.anywhere() ? second : first;
  if (!first.anywhere() && !second.anywhere() && first.shards != second.shards) {
    return gathered("a recursive query over several shards");
  }
  return one_shard(fixed.shards[0], "recursion on one shard");
}

}  // namespace shoal::route
