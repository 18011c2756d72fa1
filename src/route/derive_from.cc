// Rules of FROM and WHERE: conditions, pruning, links, inner and outer joins.
#include "route/property.h"

namespace shoal::route {
namespace {

using Kind = Property::Kind;

bool contains(const ShardSet& s, ShardId id) {
  return std::find(s.begin(), s.end(), id) != s.end();
}

void add_match(Property& p, Match m) {
  for (Match& old : p.match) {
    if (old.keyspace != m.keyspace || old.columns != m.columns) continue;
    old.part |= m.part;
    return;
  }
  constexpr std::size_t kMaxMatch = 256;
  if (p.match.size() < kMaxMatch) p.match.push_back(std::move(m));
}

}  // namespace

// ---- outer join reduction -----------------------------------------------------------------------

sql::Join::Kind Deriver::kind(const FromNode& n) const {
  const auto it = reduced_.find(&n);
  return it == reduced_.end() ? n.kind : it->second;
}

void Deriver::relations_of(const FromNode& n, std::set<int>& out) const {
  out.insert(n.relation);
  if (!n.join) return;
  relations_of(*n.left, out);
  relations_of(*n.right, out);
}

std::set<int> Deriver::relations_of(const std::set<ColumnId>& columns) const {
  std::set<int> out;
  for (const ColumnId c : columns) out.insert(c.relation);
  return out;
}

// A strict condition above on a column of the nullable side removes the null-extended rows, so that
// the join may be taken for the stricter kind (PostgreSQL: reduce_outer_joins).
void Deriver::reduce(const FromNode& n, const std::set<int>& not_null) {
  using K = sql::Join::Kind;
  if (!n.join) return;
  std::set<int> left, right;
  relations_of(*n.left, left);
  relations_of(*n.right, right);
  const auto hits = [&](const std::set<int>& side) {
    return std::any_of(side.begin(), side.end(), [&](int r) { return not_null.count(r) != 0; });
  };
  K k = n.kind;
  if (k == K::kFull) {
    const bool l = hits(left), r = hits(right);
    k = l && r ? K::kInner : l ? K::kLeft : r ? K::kRight : K::kFull;
  }
  if (k == K::kLeft && hits(right)) k = K::kInner;
  if (k == K::kRight && hits(left)) k = K::kInner;
  reduced_[&n] = k;

  Classes own(a_);
  own.add(n.on);
  std::set<int> local = relations_of(own.not_null_columns());
  for (const auto& [l, r] : n.equal) {
    local.insert(l.relation);
    local.insert(r.relation);
  }
  std::set<int> both = not_null;
  both.insert(local.begin(), local.end());
  switch (k) {
    case K::kInner:
    case K::kCross:
      reduce(*n.left, both);
      reduce(*n.right, both);
      return;
    case K::kLeft:  // the ON removes rows of the nullable side only
      reduce(*n.left, not_null);
      reduce(*n.right, local);
      return;
    case K::kRight:
      reduce(*n.left, local);
      reduce(*n.right, not_null);
      return;
    case K::kFull:
      reduce(*n.left, {});
      reduce(*n.right, {});
      return;
  }
}

void Deriver::flatten(const FromNode& n, Inner& out) const {
  if (!n.join || kind(n) != sql::Join::Kind::kInner) {
    out.leaves.push_back(&n);
    return;
  }
  flatten(*n.left, out);
  flatten(*n.right, out);
  if (n.on != nullptr) out.conditions.push_back(n.on);
  out.equal.insert(out.equal.end(), n.equal.begin(), n.equal.end());
  if (!n.was_full) return;
  const auto& columns = a_.relation(n.relation).columns;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].merged) {
      out.equal.emplace_back(ColumnId{n.relation, static_cast<int>(i)}, columns[i].merged->first);
    }
  }
}

void Deriver::add_conditions(const Inner& tree, Classes& classes) const {
  for (const sql::Expr* e : tree.conditions) classes.add(e);
  for (const auto& [l, r] : tree.equal) {
    classes.add_not_null(l);
    classes.add_not_null(r);
    if (comparable(a_, l, r)) classes.add_equal(l, r);
  }
}

// ---- one level ----------------------------------------------------------------------------------

Property Deriver::rows(const Block& b) {
  Classes classes(a_);
  return rows(b, classes);
}

Property Deriver::rows(const Block& b, Classes& classes) {
  Classes where(a_);
  where.add(b.where);
  const std::set<int> not_null = relations_of(where.not_null_columns());
  for (const auto& n : b.from) reduce(*n, not_null);
  Inner tree;
  for (const auto& n : b.from) flatten(*n, tree);
  if (b.where != nullptr) tree.conditions.push_back(b.where);
  add_conditions(tree, classes);
  Property p = inner(tree, b, classes);
  if (const auto pin = pinned_.find(b.id); pin != pinned_.end() && p.partitioned()) {
    p.shards = {pin->second};
  }
  p = sublinks(std::move(p), b, classes);
  return add_effects(std::move(p), b.effects);
}

// Inner joins of a block form one tree: its conditions hold for every row that it lets through.
Property Deriver::inner(const Inner& tree, const Block& b, const Classes& classes) {
  std::vector<Property> parts;
  std::vector<const FromNode*> lateral;
  for (const FromNode* n : tree.leaves) {
    const Relation& r = a_.relation(n->relation);
    if (!n->join && r.lateral && r.kind == RelationKind::kQuery) {
      lateral.push_back(n);
      continue;
    }
    parts.push_back(from_leaf(*n, b, classes));
  }
  Property cur = combine(std::move(parts), classes, b);
  for (const FromNode* n : lateral) {
    frames_.push_back({b.id, cur.anywhere() || cur.gathered() ? std::vector<Match>{} : cur.match});
    Property p = from_leaf(*n, b, classes);
    frames_.pop_back();
    // Reached by the link: for each outer row all that it needs is on that row's shard.
    if (p.singular() && p.shards[0] == here(b.id)) {
      for (Match& m : p.match) add_match(cur, std::move(m));
      continue;
    }
    std::vector<Property> two;
    two.push_back(std::move(cur));
    two.push_back(std::move(p));
    cur = combine(std::move(two), classes, b);
  }
  close(cur, classes, b, true);
  return cur;
}

Property Deriver::side(const FromNode& n, const Block& b, Classes classes) {
  if (n.join && kind(n) == sql::Join::Kind::kInner) {
    Inner tree;
    flatten(n, tree);
    add_conditions(tree, classes);
    return inner(tree, b, classes);
  }
  return from_leaf(n, b, classes);
}

// One leaf of an inner-join tree under the conditions that hold for the tree.
Property Deriver::from_leaf(const FromNode& n, const Block& b, const Classes& classes) {
  Property p = n.join ? outer_join(n, b, classes) : relation(n.relation);
  restrict(p, classes);
  if (a_.relation(n.relation).kind == RelationKind::kTable) {
    const bool known = std::all_of(p.shards.begin(), p.shards.end(), real);
    if (p.partitioned() && known) {
      ShardSet& shards = relation_shards_[n.relation];
      for (const ShardId s : p.shards) {
        if (!contains(shards, s)) shards.push_back(s);
      }
      std::sort(shards.begin(), shards.end());
    } else if (p.partitioned()) {
      relation_shards_[n.relation] = all_shards(*a_.relation(n.relation).table);
    }
  }
  return p;
}

// ---- links --------------------------------------------------------------------------------------

// Two sides are linked when one equality class holds, position by position, a match column that
// each side had before.
bool Deriver::linked(const Property& a, const Property& b, const Classes& classes) const {
  for (const Match& x : a.match) {
    for (const Match& y : b.match) {
      if (!x.link || !y.link || x.keyspace != y.keyspace || x.columns.size() != y.columns.size()) {
        continue;
      }
      bool all = true;
      for (std::size_t i = 0; i < x.columns.size() && all; ++i) {
        all = classes.same(x.columns[i], y.columns[i]);
      }
      if (all) return true;
    }
  }
  return false;
}

// inner join Everywhere x P: P; P x P linked: P; OneShard with P linked: OneShard; all on the same
// one shard: OneShard; otherwise Gathered.
Property Deriver::combine(std::vector<Property> parts, const Classes& classes, const Block& b) {
  (void)b;
  std::vector<Property*> placed;
  bool any_one = false;
  for (Property& p : parts) {
    if (p.gathered()) return std::move(p);
    if (p.kind == Kind::kAnyOne)
      any_one = true;
    else if (p.kind != Kind::kEverywhere)
      placed.push_back(&p);
  }
  Property out;
  if (placed.empty()) {
    out.kind = any_one ? Kind::kAnyOne : Kind::kEverywhere;
    out.rule = parts.empty() ? "no table" : "reference tables only";
    return out;
  }
  // Groups of linked parts.
  std::vector<std::size_t> group(placed.size());
  for (std::size_t i = 0; i < placed.size(); ++i) group[i] = i;
  for (std::size_t i = 0; i < placed.size(); ++i) {
    for (std::size_t j = i + 1; j < placed.size(); ++j) {
      if (group[i] == group[j] || !linked(*placed[i], *placed[j], classes)) continue;
      const std::size_t from = group[j], to = group[i];
      for (std::size_t& g : group) {
        if (g == from) g = to;
      }
    }
  }
  const bool one_group =
      std::all_of(group.begin(), group.end(), [&](auto g) { return g == group[0]; });
  bool one_shard_part = false;
  ShardSet shards;
  if (one_group) {
    shards = placed[0]->shards;
    for (const Property* p : placed) intersect(shards, p->shards);
    for (const Property* p : placed) {
      if (p->kind != Kind::kOneShard) continue;
      // Two relations that are each right on a shard of their own meet nowhere.
      if (one_shard_part && p->shards != shards)
        return gathered("its relations are on different shards");
      one_shard_part = true;
      shards = p->shards;
    }
  } else {
    for (std::size_t g = 0; g < placed.size(); ++g) {
      ShardSet own;
      bool first = true;
      for (std::size_t i = 0; i < placed.size(); ++i) {
        if (group[i] != g) continue;
        if (first)
          own = placed[i]->shards;
        else
          intersect(own, placed[i]->shards);
        first = false;
      }
      for (std::size_t i = 0; i < placed.size(); ++i) {
        if (group[i] == g && placed[i]->kind == Kind::kOneShard) own = placed[i]->shards;
      }
      if (first) continue;
      if (own.size() != 1 || (!shards.empty() && shards != own)) {
        return gathered("a join is not on the shard key");
      }
      shards = own;
    }
    // Every relation is complete on that shard: a OneShard among them would otherwise differ.
    for (const Property* p : placed) {
      if (p->kind == Kind::kOneShard && p->shards != shards) {
        return gathered("its relations are on different shards");
      }
    }
    one_shard_part = true;
  }
  out.kind = one_shard_part ? Kind::kOneShard : Kind::kPartitioned;
  out.shards = shards;
  if (any_one && out.shards.size() != 1) {
    return gathered("a part of it may come out differently on each shard");
  }
  if (any_one) out.kind = Kind::kOneShard;
  for (const Property* p : placed) {
    for (const Match& m : p->match) add_match(out, m);
  }
  out.rule = placed.size() == 1 ? placed[0]->rule
             : one_group        ? "joined by the shard key"
                                : "all on one shard";
  return out;
}

// After a join the class's other columns join match; a conjunct that proves them non-null makes
// them part.
void Deriver::close(Property& p, const Classes& classes, const Block& b, bool part) const {
  if (p.kind != Kind::kPartitioned && p.kind != Kind::kOneShard) return;
  const std::vector<Match> before = p.match;
  for (const Match& m : before) {
    for (std::size_t i = 0; i < m.columns.size(); ++i) {
      for (const ColumnId c : classes.members(m.columns[i])) {
        if (c.relation < 0 || a_.relation(c.relation).owner != b.id || c == m.columns[i]) continue;
        Match copy = m;
        copy.columns[i] = c;
        copy.part = false;
        add_match(p, std::move(copy));
      }
    }
  }
  if (!part) return;
  for (Match& m : p.match) {
    m.part = m.part || std::all_of(m.columns.begin(), m.columns.end(),
                                   [&](ColumnId c) { return classes.not_null(c); });
  }
}

// ---- outer joins --------------------------------------------------------------------------------

Property Deriver::outer_join(const FromNode& n, const Block& b, const Classes& above) {
  using K = sql::Join::Kind;
  const K k = kind(n);
  Inner own;
  if (n.on != nullptr) own.conditions.push_back(n.on);
  own.equal = n.equal;
  if (k == K::kFull) {
    // Neither the conditions above nor the ON say anything about one side alone.
    Classes on(a_);
    add_conditions(own, on);
    const Property left = side(*n.left, b, Classes(a_));
    const Property right = side(*n.right, b, Classes(a_));
    return full_join(left, right, on, n);
  }
  const FromNode& kept_node = k == K::kLeft ? *n.left : *n.right;
  const FromNode& other_node = k == K::kLeft ? *n.right : *n.left;
  const Property kept = side(kept_node, b, above);
  Classes on = above;
  add_conditions(own, on);
  frames_.push_back({b.id, kept.anywhere() || kept.gathered() ? std::vector<Match>{} : kept.match});
  const Property other = side(other_node, b, on);
  frames_.pop_back();
  std::set<int> other_relations;
  relations_of(other_node, other_relations);
  Property out = left_join(kept, other, on, b, other_relations);
  if (n.was_full) {
    const auto& columns = a_.relation(n.relation).columns;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (!columns[i].merged) continue;
      const ColumnId from = k == K::kLeft ? columns[i].merged->first : columns[i].merged->second;
      const std::vector<Match> before = out.match;
      for (Match m : before) {
        std::replace(m.columns.begin(), m.columns.end(), from,
                     ColumnId{n.relation, static_cast<int>(i)});
        add_match(out, std::move(m));
      }
    }
  }
  return out;
}

// P left join Everywhere: P with the left's columns. Everywhere left join P: Gathered (preserved
// rows would appear once per shard). P left join P linked: P; the right's columns may be NULL now,
// so they stay in match but not in part.
Property Deriver::left_join(const Property& kept, const Property& other, const Classes& on,
                            const Block& b, const std::set<int>& other_relations) const {
  if (kept.gathered()) return kept;
  if (other.gathered()) return other;
  Property out = kept;
  const bool reached = other.singular() && other.shards[0] == here(b.id);
  if (!reached) {
    if (kept.anywhere() && other.anywhere()) {
      out.kind = kept.kind == Kind::kAnyOne || other.kind == Kind::kAnyOne ? Kind::kAnyOne
                                                                           : Kind::kEverywhere;
      return out;
    }
    if (other.anywhere()) {
      if (other.kind == Kind::kEverywhere) return out;
      if (!kept.singular()) return gathered("a part of it may come out differently on each shard");
      out.kind = Kind::kOneShard;
      return out;
    }
    if (kept.anywhere()) {
      if (!other.singular()) {
        return gathered("an outer join keeps rows of a reference table against a sharded table");
      }
      out = one_shard(other.shards[0], "all on one shard");
    } else if (kept.singular() && other.singular() && kept.shards == other.shards) {
      out.kind = Kind::kOneShard;
    } else if (!linked(kept, other, on) ||
               (other.kind == Kind::kOneShard && kept.shards != other.shards)) {
      return gathered("an outer join is not on the shard key");
    }
  }
  if (kept.anywhere()) return out;  // what is known of the nullable side alone is not worth keeping
  for (Match m : other.match) {
    m.part = false;
    add_match(out, std::move(m));
  }
  for (const Match& m : kept.match) {
    for (std::size_t i = 0; i < m.columns.size(); ++i) {
      for (const ColumnId c : on.members(m.columns[i])) {
        if (other_relations.count(c.relation) == 0) continue;
        Match copy = m;
        copy.columns[i] = c;
        copy.part = false;
        add_match(out, std::move(copy));
      }
    }
  }
  if (out.partitioned()) out.rule = "outer join by the shard key";
  return out;
}

// full join P, P linked: P over the union; both sides' columns in match, none in part; the USING
// column is in part only when both inputs were part. Full join with Everywhere: Gathered.
Property Deriver::full_join(const Property& left, const Property& right, const Classes& on,
                            const FromNode& n) const {
  if (left.gathered()) return left;
  if (right.gathered()) return right;
  Property out;
  if (left.anywhere() && right.anywhere()) {
    out.kind = left.kind == Kind::kAnyOne ? left.kind : right.kind;
    return out;
  }
  const auto singular_or_anywhere = [](const Property& p) { return p.singular() || p.anywhere(); };
  if (singular_or_anywhere(left) && singular_or_anywhere(right)) {
    const ShardSet& s = left.anywhere() ? right.shards : left.shards;
    if (left.anywhere() || right.anywhere() || left.shards == right.shards) {
      return one_shard(s[0], "all on one shard");
    }
  }
  if (!left.partitioned() || !right.partitioned() || !linked(left, right, on)) {
    return gathered("a full join is not on the shard key");
  }
  out.kind = Kind::kPartitioned;
  out.rule = "full join by the shard key";
  out.shards = left.shards;
  for (const ShardId s : right.shards) {
    if (!contains(out.shards, s)) out.shards.push_back(s);
  }
  std::sort(out.shards.begin(), out.shards.end());
  const auto& columns = a_.relation(n.relation).columns;
  for (const Match& x : left.match) {
    for (const Match& y : right.match) {
      if (x.keyspace != y.keyspace || x.columns.size() != y.columns.size()) continue;
      Match merged{x.keyspace, {}, x.part && y.part, x.link && y.link};
      for (std::size_t i = 0; i < x.columns.size(); ++i) {
        for (std::size_t c = 0; c < columns.size(); ++c) {
          if (columns[c].merged == std::pair(x.columns[i], y.columns[i]) &&
              comparable(a_, x.columns[i], y.columns[i])) {
            merged.columns.push_back({n.relation, static_cast<int>(c)});
          }
        }
      }
      if (merged.columns.size() == x.columns.size()) add_match(out, std::move(merged));
    }
  }
  for (const Property* p : {&left, &right}) {
    for (Match m : p->match) {
      m.part = false;
      add_match(out, std::move(m));
    }
  }
  return out;
}

}  // namespace shoal::route
