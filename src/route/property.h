// The distribution property of a query block: where its rows are. Derived bottom up by rules that
// are each sound by themselves; what no rule covers is Gathered, never a guess.
//
// Shards in a set are ids of the snapshot, or one of two stand-ins:
//   here(block)  the shard on which the row of that (outer) block lies, whichever it is
//   kValueShard  the shard of the one constant that a plan is to be reused for
// Thread rule: one statement, one thread.
#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include "route/analysis.h"
#include "route/classes.h"
#include "route/constants.h"

namespace shoal::route {

using ShardSet = std::vector<ShardId>;  // sorted, each once

inline constexpr ShardId kValueShard{-1};
inline ShardId here(int block) { return ShardId{-2 - block}; }
inline bool real(ShardId s) { return s.value >= 0; }

// Output columns whose non-null values lie on the shard of that value; several for a composite key.
struct Match {
  KeyspaceId keyspace;
  std::vector<ColumnId> columns;
  bool part = false;  // provably none of them is NULL
  bool link = true;   // false: equal values may lie apart, only a constant prunes
};

struct Property {
  enum class Kind {
    kEverywhere,   // the same bag on every shard
    kAnyOne,       // right on whichever one shard it runs, but not the same on each
    kOneShard,     // right on that shard only
    kPartitioned,  // the disjoint union over its shards
    kGathered      // known only after rows were brought together
  } kind = Kind::kEverywhere;
  ShardSet shards;           // of kOneShard (one) and kPartitioned
  std::vector<Match> match;  // of kOneShard and kPartitioned
  std::string rule;          // the rule that gave it; of kGathered: why

  bool partitioned() const { return kind == Kind::kPartitioned; }
  bool gathered() const { return kind == Kind::kGathered; }
  // One shard is enough: OneShard, or Partitioned over one.
  bool singular() const {
    return kind == Kind::kOneShard || (kind == Kind::kPartitioned && shards.size() == 1);
  }
  // Neither depends on a shard.
  bool anywhere() const { return kind == Kind::kEverywhere || kind == Kind::kAnyOne; }
};

// One place where the value of a constant decided the shard.
struct KeySource {
  KeyspaceId keyspace;
  keys::KeyType type = keys::KeyType::kInt8;
  int param = 0;
  int location = -1;
  bool direct = false;  // a single value whose text can be exchanged
  bool operator==(const KeySource&) const = default;
};

class Deriver {
 public:
  Deriver(const Analysis& analysis, ConstantReader& constants);

  // The property of a block in terms of its output columns (relation -1).
  Property block(int id);
  // The property of what FROM and WHERE of a block let through, in terms of their columns.
  Property rows(const Block& b);
  // The same; `classes` gets what the conditions prove.
  Property rows(const Block& b, Classes& classes);

  // Derives this block as if it had no LIMIT and OFFSET: they will be applied to the merged rows.
  void set_unlimited(int block) { unlimited_ = block; }
  // What this block (an INSERT of a WITH query) gives lies on that shard.
  void pin(int block, ShardId shard) { pinned_[block] = shard; }
  // Takes the constant of this source for kValueShard, to see whether a plan can be reused.
  void set_symbolic(const KeySource& source) { symbolic_ = source; }

  const std::vector<KeySource>& sources() const { return sources_; }
  const std::vector<std::string>& trace() const { return trace_; }
  // Where the needed rows of a base relation lie, as far as its own conditions say.
  const std::unordered_map<int, ShardSet>& relation_shards() const { return relation_shards_; }

  ShardSet all_shards(const catalog::Table& t) const;
  std::string shard_names(const ShardSet& s) const;

 private:
  struct Frame {  // an outer block's match columns while an inner block is derived
    int block;
    std::vector<Match> match;
  };
  struct Inner {  // an inner-join tree, flattened
    std::vector<const FromNode*> leaves;
    std::vector<const sql::Expr*> conditions;
    std::vector<std::pair<ColumnId, ColumnId>> equal;
  };

  // derive_from.cc
  void flatten(const FromNode& n, Inner& out) const;
  sql::Join::Kind kind(const FromNode& n) const;
  void reduce(const FromNode& n, const std::set<int>& not_null);
  void relations_of(const FromNode& n, std::set<int>& out) const;
  std::set<int> relations_of(const std::set<ColumnId>& columns) const;
  Property inner(const Inner& tree, const Block& b, const Classes& classes);
  Property from_leaf(const FromNode& n, const Block& b, const Classes& classes);
  Property relation(int id);
  Property table(int id);
  Property outer_join(const FromNode& n, const Block& b, const Classes& above);
  Property side(const FromNode& n, const Block& b, Classes classes);
  Property left_join(const Property& kept, const Property& other, const Classes& on,
                     const Block& b, const std::set<int>& other_relations) const;
  Property full_join(const Property& left, const Property& right, const Classes& on,
                     const FromNode& n) const;
  void add_conditions(const Inner& tree, Classes& classes) const;
  Property combine(std::vector<Property> parts, const Classes& classes, const Block& b);
  bool linked(const Property& a, const Property& b, const Classes& classes) const;
  void close(Property& p, const Classes& classes, const Block& b, bool part) const;
  void restrict(Property& p, const Classes& classes);
  std::optional<ShardSet> shards_of(const Match& m, const Classes& classes);
  std::optional<ShardSet> shards_of_constraint(const Match& m, const Constraint& c);
  std::optional<ShardSet> shards_of_tuple(const Match& m, const Classes& classes);
  std::optional<ShardSet> shards_of_range(const Match& m, const Classes& classes);
  std::optional<std::vector<Constant>> values_of(const Constraint& c, Oid column,
                                                 keys::KeyType to);
  bool reached_from_outside(const Match& m, const Classes& classes, ShardId& shard) const;

  // derive_subquery.cc
  Property sublinks(Property p, const Block& b, Classes& classes);
  Property sublink(Property p, const Block& b, const SubLinkUse& use, bool conjunct,
                   const Classes& classes);
  bool in_matches(const Property& outer, const Property& inner, const sql::SubLink& link,
                  int inner_block, const Classes& classes, bool parts) const;

  // derive_block.cc
  Property plain(const Block& b);
  Property set_operation(const Block& b);
  Property recursive(const Block& b);
  Property grouped(Property p, const Block& b) const;
  Property windowed(Property p, const Block& b) const;
  Property distinct(Property p, const Block& b) const;
  Property outputs(Property p, const Block& b) const;
  Property limited(Property p, const Block& b) const;
  bool has_part(const Property& p, const std::vector<Key>& keys) const;
  bool order_free(const Block& b) const;
  bool identical(const std::vector<Key>& keys) const;
  Property add_effects(Property p, const Effects& e) const;

  Property gathered(std::string why) const;
  Property require(Property p, const Property& other) const;
  ShardId home() const { return a_.snapshot->home; }
  Property one_shard(ShardId s, std::string rule) const;
  void intersect(ShardSet& a, const ShardSet& b) const;

  const Analysis& a_;
  ConstantReader& constants_;
  std::vector<Frame> frames_;
  std::unordered_map<const FromNode*, sql::Join::Kind> reduced_;
  std::unordered_map<int, Property> working_;  // by block of the recursive CTE's first arm
  std::unordered_map<int, ShardSet> relation_shards_;
  std::unordered_map<int, ShardId> pinned_;
  std::optional<KeySource> symbolic_;
  std::vector<KeySource> sources_;
  std::vector<std::string> trace_;
  int steps_ = 0;
  int unlimited_ = -1;
};

}  // namespace shoal::route
