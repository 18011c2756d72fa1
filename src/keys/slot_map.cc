// Default owners of slots, pins, and the way from a key to a shard.
#include "keys/slot_map.h"

#include <algorithm>
#include <set>

namespace shoal::keys {
namespace {

constexpr std::uint32_t kMaxMapped = 1u << 24;  // slots of one map: 64 MiB

Error bad_placement(std::string why) {
  return refuse(Refusal::kBadPlacement, std::move(why));
}

// The shard of each bucket: by name if any name is a shard's, otherwise by position.
Result<std::vector<ShardId>> owners_of_buckets(const KeyFunction& function,
                                               std::span<const NamedShard> shards) {
  std::vector<ShardId> owners;
  std::size_t named = 0, positional = 0;
  std::string unknown;
  for (std::uint32_t b = 0; b < function.bucket_count(); ++b) {
    std::string name = function.bucket_name(b);
    auto it = std::find_if(shards.begin(), shards.end(),
                           [&](const NamedShard& s) { return s.name == name; });
    bool found = it != shards.end();
    owners.push_back(found ? it->id : SlotMap::kNobody);
    if (function.bucket_is_residual(b)) continue;
    ++positional;
    named += found ? 1 : 0;
    if (!found && unknown.empty()) unknown = name;
  }
  if (named == positional) return owners;
  if (named > 0) return bad_placement(fmt::format("\"{}\" is not the name of a shard", unknown));
  if (positional > shards.size()) {
    return bad_placement(fmt::format("the function has {} buckets, but there are {} shards",
                                     positional, shards.size()));
  }
  std::size_t next = 0;
  for (std::uint32_t b = 0; b < function.bucket_count(); ++b) {
    if (!function.bucket_is_residual(b)) owners[b] = shards[next++].id;
  }
  return owners;
}

}  // namespace

SlotMap SlotMap::contiguous(std::uint32_t slot_count, std::span<const ShardId> shards) {
  std::vector<ShardId> owners(slot_count, kNobody);
  for (std::uint64_t i = 0; i < slot_count && !shards.empty(); ++i) {
    owners[i] = shards[i * shards.size() / slot_count];
  }
  return SlotMap(std::move(owners));
}

Result<SlotMap> SlotMap::for_function(const KeyFunction& function,
                                      std::span<const NamedShard> shards) {
  if (shards.empty()) return bad_placement("there is no shard");
  if (function.slot_count() > kMaxMapped) return bad_placement("the function has too many slots");
  if (function.bucket_count() == 0) {
    std::vector<ShardId> ids;
    for (const NamedShard& shard : shards) ids.push_back(shard.id);
    return contiguous(function.slot_count(), ids);
  }
  Result<std::vector<ShardId>> owners = owners_of_buckets(function, shards);
  if (!owners) return owners.error();
  SlotMap map(std::vector<ShardId>(function.slot_count(), kNobody));
  for (std::uint32_t i = 0; i < function.slot_count(); ++i) {
    if (std::optional<std::uint32_t> b = function.bucket_of(Slot(i)))
      map.assign(Slot(i), (*owners)[*b]);
  }
  return map;
}

std::vector<ShardId> SlotMap::shards() const {
  std::set<ShardId> out(owners_.begin(), owners_.end());
  out.erase(kNobody);
  return {out.begin(), out.end()};
}

std::vector<Slot> SlotMap::slots_of(ShardId shard) const {
  std::vector<Slot> out;
  for (std::uint32_t i = 0; i < owners_.size(); ++i) {
    if (owners_[i] == shard) out.emplace_back(i);
  }
  return out;
}

void Pins::set(std::string canonical_key, ShardId shard) {
  by_key_.insert_or_assign(std::move(canonical_key), shard);
}

bool Pins::erase(std::string_view canonical_key) {
  auto it = by_key_.find(canonical_key);
  if (it == by_key_.end()) return false;
  by_key_.erase(it);
  return true;
}

std::optional<ShardId> Pins::find(std::span<const KeyValue> key) const {
  if (by_key_.empty()) return std::nullopt;
  auto it = by_key_.find(canonical_text(key));
  if (it == by_key_.end()) return std::nullopt;
  return it->second;
}

Result<ShardId> Placement::place(std::span<const KeyValue> key) const {
  if (std::optional<ShardId> pinned = pins.find(key)) return *pinned;
  Result<Slot> slot = function->slot(key);
  if (!slot) return slot.error();
  if (slot->value >= map.slot_count() || map.owner(*slot) == SlotMap::kNobody) {
    std::string bucket = function->slot_owner_name(*slot);
    return refuse(Refusal::kBadPlacement,
                  fmt::format("slot {}{} is not assigned to a shard", slot->value,
                              bucket.empty() ? "" : fmt::format(" (bucket {})", bucket)));
  }
  return map.owner(*slot);
}

std::optional<std::vector<ShardId>> Placement::place_between(const KeyValue* low,
                                                             const KeyValue* high) const {
  std::optional<SlotRange> range = function->slots_between(low, high);
  if (!range) return std::nullopt;
  std::set<ShardId> out;
  for (std::uint32_t i = range->first.value; i <= range->last.value && i < map.slot_count(); ++i) {
    out.insert(map.owner(Slot(i)));
  }
  out.erase(SlotMap::kNobody);
  for (const auto& [key, shard] : pins.all()) out.insert(shard);  // a superset is sound
  return std::vector<ShardId>(out.begin(), out.end());
}

std::vector<ShardId> Placement::shards() const {
  std::vector<ShardId> out = map.shards();
  for (const auto& [key, shard] : pins.all()) {
    if (std::find(out.begin(), out.end(), shard) == out.end()) out.push_back(shard);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace shoal::keys
