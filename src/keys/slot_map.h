// Which shard owns which slot, and the keys that are placed by name. Placement is all three
// together: the whole way from a key to a shard.
// Invariants: a slot has one owner or none (then a key of that slot is refused, never guessed).
// Thread rule: plain values; Placement is const after construction and shared between threads.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "keys/function.h"
#include "keys/value.h"

namespace shoal::keys {

struct NamedShard {
  std::string name;
  ShardId id;
};

class SlotMap {
 public:
  static constexpr ShardId kNobody{-1};

  SlotMap() = default;
  explicit SlotMap(std::vector<ShardId> owners) : owners_(std::move(owners)) {}

  // Contiguous runs of nearly equal length in the order of the shards.
  static SlotMap contiguous(std::uint32_t slot_count, std::span<const ShardId> shards);

  // The owners that the function's scheme implies: buckets that bear the names of shards go there;
  // if no bucket bears one, bucket i goes to shard i. Without buckets: contiguous. Refused (SH0504)
  // when there are more buckets than shards or only some of the names are known.
  static Result<SlotMap> for_function(const KeyFunction& function,
                                      std::span<const NamedShard> shards);

  std::uint32_t slot_count() const { return static_cast<std::uint32_t>(owners_.size()); }
  ShardId owner(Slot slot) const { return owners_[slot.value]; }  // kNobody = unassigned
  void assign(Slot slot, ShardId shard) { owners_[slot.value] = shard; }
  std::span<const ShardId> owners() const { return owners_; }
  std::vector<ShardId> shards() const;              // each owner once, ascending
  std::vector<Slot> slots_of(ShardId shard) const;  // ascending
  friend bool operator==(const SlotMap&, const SlotMap&) = default;

 private:
  std::vector<ShardId> owners_;  // by slot
};

// Keys placed on a shard over their slot, by canonical_text of the key.
class Pins {
 public:
  void set(std::string canonical_key, ShardId shard);
  void set(std::span<const KeyValue> key, ShardId shard) { set(canonical_text(key), shard); }
  bool erase(std::string_view canonical_key);
  std::optional<ShardId> find(std::span<const KeyValue> key) const;
  bool empty() const { return by_key_.empty(); }
  const std::map<std::string, ShardId, std::less<>>& all() const { return by_key_; }

 private:
  std::map<std::string, ShardId, std::less<>> by_key_;
};

struct Placement {
  std::shared_ptr<const KeyFunction> function;
  SlotMap map;
  Pins pins;

  // The shard of a key: its pin, or the owner of its slot.
  Result<ShardId> place(std::span<const KeyValue> key) const;
  Result<ShardId> place(const KeyValue& key) const { return place(std::span(&key, 1)); }

  // The shards of all keys between two values, pins included; nullopt when the function does not
  // keep order (see KeyFunction::slots_between).
  std::optional<std::vector<ShardId>> place_between(const KeyValue* low,
                                                    const KeyValue* high) const;

  std::vector<ShardId> shards() const;  // every shard that owns a slot or a pin, ascending
};

}  // namespace shoal::keys
