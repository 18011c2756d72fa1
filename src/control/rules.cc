// Judging placements by rules, and the commands that make rules.
#include "control/rules.h"

#include <charconv>

#include "control/keyspace.h"

namespace shoal::control {
namespace {

using Key = std::vector<keys::KeyValue>;

bool has(const ShardTags& tags, ShardId shard, const std::string& tag) {
  const auto it = tags.find(shard);
  return it != tags.end() &&
         std::find(it->second.begin(), it->second.end(), tag) != it->second.end();
}

class Judge {
 public:
  Judge(const PlacementRule& rule, const ShardTags& tags, const catalog::Keyspace& keyspace,
        const keys::Placement& placement, const catalog::Snapshot& snapshot)
      : rule_(rule), tags_(tags), keyspace_(keyspace), placement_(placement), snapshot_(snapshot) {}

  Result<> run() const {
    if (rule_.keys) {
      for (const Key& key : *rule_.keys) {
        const auto at = placement_.place(key);
        if (at && !has(tags_, *at, rule_.tag)) {
          return broken(fmt::format("key {}", keys::canonical_text(key)), *at);
        }
      }
      return {};
    }
    SHOAL_TRY(slots());
    return pins();
  }

 private:
  Result<> slots() const {
    keys::SlotRange range{Slot(0), Slot(placement_.map.slot_count() - 1)};
    if (placement_.map.slot_count() == 0) return {};
    const auto between = placement_.function->slots_between(rule_.low ? &*rule_.low : nullptr,
                                                            rule_.high ? &*rule_.high : nullptr);
    if (between) range = *between;
    for (std::uint32_t s = range.first.value; s <= range.last.value; ++s) {
      const ShardId owner = placement_.map.owner(Slot(s));
      if (owner == keys::SlotMap::kNobody || has(tags_, owner, rule_.tag)) continue;
      return broken(fmt::format("slot {}", s), owner);
    }
    return {};
  }

  Result<> pins() const {
    for (const auto& [text, shard] : placement_.pins.all()) {
      if (has(tags_, shard, rule_.tag)) continue;
      if (rule_.low || rule_.high) {
        const auto key = keys::parse_text(keyspace_.types.at(0), text);
        if (key && ((rule_.low && *key < *rule_.low) || (rule_.high && *key > *rule_.high))) {
          continue;
        }
      }
      return broken(fmt::format("key {}", text), shard);
    }
    return {};
  }

  Error broken(const std::string& what, ShardId shard) const {
    const catalog::Shard* s = snapshot_.shard(shard);
    return refuse(
        Refusal::kBadPlacement,
        fmt::format("placement rule {} keeps {} of keyspace {} on shards with the tag {}, "
                    "which {} has not",
                    rule_.id, what, keyspace_.name, rule_.tag, s ? s->name : "?"),
        "SELECT * FROM shoal.placement_rules; a tag is given by shoal.set_tags");
  }

  const PlacementRule& rule_;
  const ShardTags& tags_;
  const catalog::Keyspace& keyspace_;
  const keys::Placement& placement_;
  const catalog::Snapshot& snapshot_;
};

int to_int(const std::string& text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

io::Task<Result<Key>> read_whole_key(Work& work, const catalog::Keyspace& keyspace,
                                     std::string text) {
  std::vector<std::string> parts{text};
  if (keyspace.types.size() > 1) parts = array_elements(text);
  if (parts.size() != keyspace.types.size()) {
    co_return refuse(Refusal::kKeyValue,
                     fmt::format("key {}: an array of {} is needed", text, keyspace.types.size()));
  }
  Key key;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto value = co_await read_key(work, keyspace.types[i], parts[i]);
    if (!value) co_return std::move(value).error();
    key.push_back(std::move(*value));
  }
  co_return key;
}

// One row of shoal.placement_rule: id, keyspace, keys, low, high, tag.
io::Task<Result<PlacementRule>> read_rule(Work& work, const catalog::Keyspace& keyspace,
                                          std::vector<std::optional<std::string>> row) {
  PlacementRule rule;
  rule.id = to_int(row.at(0).value_or("0"));
  rule.keyspace = keyspace.id;
  rule.tag = row.at(5).value_or("");
  if (row.at(2)) {
    rule.keys.emplace();
    const std::vector<std::string> texts = array_elements(*row.at(2));
    for (const std::string& text : texts) {
      auto key = co_await read_whole_key(work, keyspace, text);
      if (!key) co_return std::move(key).error();
      rule.keys->push_back(std::move(*key));
    }
  }
  for (const std::size_t i : {std::size_t{3}, std::size_t{4}}) {
    if (!row.at(i)) continue;
    if (keyspace.types.size() != 1) {
      co_return refuse(Refusal::kBadPlacement, "a rule between two keys needs keys of one column");
    }
    auto value = co_await read_key(work, keyspace.types[0], *row.at(i));
    if (!value) co_return std::move(value).error();
    (i == 3 ? rule.low : rule.high) = std::move(*value);
  }
  co_return rule;
}

}  // namespace

Result<> rules_allow(const std::vector<PlacementRule>& rules, const ShardTags& tags,
                     const catalog::Keyspace& keyspace, const keys::Placement& placement,
                     const catalog::Snapshot& snapshot) {
  for (const PlacementRule& rule : rules) {
    if (rule.keyspace != keyspace.id) continue;
    SHOAL_TRY(Judge(rule, tags, keyspace, placement, snapshot).run());
  }
  return {};
}

io::Task<Result<ShardTags>> read_tags(Work& work) {
  auto rows = co_await work.home("SELECT id, tags FROM shoal.shard WHERE active");
  if (!rows) co_return std::move(rows).error();
  ShardTags out;
  for (std::size_t i = 0; i < rows->rows.size(); ++i) {
    out[ShardId(to_int(cell(*rows, i, 0)))] = array_elements(cell(*rows, i, 1));
  }
  co_return out;
}

io::Task<Result<std::vector<PlacementRule>>> read_rules(Work& work) {
  auto rows = co_await work.home(
      "SELECT id, keyspace, keys, low, high, tag FROM shoal.placement_rule ORDER BY id");
  if (!rows) co_return std::move(rows).error();
  std::vector<PlacementRule> out;
  for (std::size_t i = 0; i < rows->rows.size(); ++i) {
    const catalog::Keyspace* k = work.snapshot->keyspace(KeyspaceId(to_int(cell(*rows, i, 1))));
    if (!k) continue;
    auto rule = co_await read_rule(work, *k, rows->rows[i]);
    if (!rule) co_return std::move(rule).error();
    out.push_back(std::move(*rule));
  }
  co_return out;
}

io::Task<Result<>> require_rules(Work& work, KeyspaceId keyspace,
                                 std::shared_ptr<const keys::Placement> placement) {
  auto rules = co_await read_rules(work);
  if (!rules) co_return std::move(rules).error();
  if (rules->empty()) co_return Result<>{};
  auto tags = co_await read_tags(work);
  if (!tags) co_return std::move(tags).error();
  const catalog::Keyspace& k = *work.snapshot->keyspace(keyspace);
  if (!placement) placement = k.placement;
  co_return rules_allow(*rules, *tags, k, *placement, *work.snapshot);
}

void name_by_tags(const keys::KeyFunction& function, const ShardTags& tags,
                  std::vector<keys::NamedShard>& shards) {
  std::map<std::string, std::size_t> given;
  for (std::uint32_t b = 0; b < function.bucket_count(); ++b) {
    const std::string name = function.bucket_name(b);
    if (!name.starts_with("tag:") || given.contains(name)) continue;
    given[name] = 0;
    for (const auto& [shard, of_shard] : tags) {
      if (!has(tags, shard, name.substr(4))) continue;
      shards.push_back({name, shard});
      break;
    }
  }
}

io::Task<Result<>> set_tags(Work& work, std::string shard, std::vector<std::string> tags) {
  const catalog::Shard* s = work.snapshot->shard(shard);
  if (!s) co_return refuse(Refusal::kUnknownShard, fmt::format("\"{}\"", shard));
  for (const std::string& tag : tags) {
    if (tag.empty() || tag.size() > 63) {
      co_return make_error("22023", "a tag has 1 to 63 bytes");
    }
  }
  SHOAL_CO_TRY(co_await work.catalog(fmt::format("UPDATE shoal.shard SET tags = {} WHERE id = {}",
                                                 array_literal(tags), s->id.value)));
  auto rules = co_await read_rules(work);
  if (!rules) co_return std::move(rules).error();
  auto after = co_await read_tags(work);
  if (!after) co_return std::move(after).error();
  for (const catalog::Keyspace& k : work.snapshot->keyspaces) {
    SHOAL_CO_TRY(rules_allow(*rules, *after, k, *k.placement, *work.snapshot));
  }
  co_return Result<>{};
}

io::Task<Result<std::string>> add_rule(Work& work, RuleRequest request) {
  const catalog::Keyspace* k = work.snapshot->keyspace(request.keyspace);
  if (!k) co_return refuse(Refusal::kUnknownKeyspace, fmt::format("\"{}\"", request.keyspace));
  if (request.keys && (request.low || request.high)) {
    co_return make_error("22023", "a rule is about listed keys or about all between low and high");
  }
  if (request.tag.empty()) co_return make_error("22023", "a rule needs a tag");
  std::string keys = "NULL";
  if (request.keys) keys = array_literal(*request.keys);
  SHOAL_CO_TRY(
      co_await work.catalog(fmt::format("INSERT INTO shoal.placement_rule (keyspace, keys, low, "
                                        "high, tag) VALUES ({}, {}, {}, {}, {})",
                                        k->id.value, keys, quote_nullable(request.low),
                                        quote_nullable(request.high), quote_literal(request.tag))));
  std::shared_ptr<const keys::Placement> as_it_is;
  SHOAL_CO_TRY(co_await require_rules(work, k->id, as_it_is));
  auto id = co_await work.home("SELECT max(id) FROM shoal.placement_rule");
  if (!id) co_return std::move(id).error();
  co_return cell(*id, 0, 0);
}

}  // namespace shoal::control
