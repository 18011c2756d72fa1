// Key functions: value -> slot. A function is immutable and deterministic; what it cannot compute
// exactly it refuses. docs/library.md lists the names and parameters.
//
// A function also knows its *buckets*: the places that the scheme itself names (the remainder of
// `h mod N`, a ring's node, a range's index). Slots refine buckets: every slot lies in one bucket,
// so a scheme is adopted by mapping its buckets to shards, and single slots move afterwards.
//
// Thread rule: const after construction, shared between threads by shared_ptr.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "keys/value.h"

namespace shoal::keys {

// An inclusive run of slots.
struct SlotRange {
  Slot first, last;
};

class KeyFunction {
 public:
  virtual ~KeyFunction() = default;

  virtual std::string_view name() const = 0;
  virtual std::uint32_t slot_count() const = 0;

  // The slot of a key: one value per key column, in the key's order and of the key's types.
  virtual Result<Slot> slot(std::span<const KeyValue> key) const = 0;

  // The hash as the scheme's users know it: decimal; hexadecimal keyspace id for Vitess; the
  // canonical text for range and list, which have no hash.
  virtual Result<std::string> describe(std::span<const KeyValue> key) const = 0;

  // True when values that PostgreSQL calls equal always lie in one slot. False: the function hashes
  // a text that equal values do not share (1.0 and 1.00), so a planner may prune by a value but may
  // not match columns by equality.
  virtual bool match_by_equality() const { return true; }

  // The scheme's own places. 0 = the scheme names none: slots are dealt out in contiguous runs.
  virtual std::uint32_t bucket_count() const { return 0; }
  // nullopt: no place for this slot (a partition layout with a hole).
  virtual std::optional<std::uint32_t> bucket_of(Slot) const { return std::nullopt; }
  virtual std::string bucket_name(std::uint32_t bucket) const { return std::to_string(bucket); }
  // True for places that exist in the arithmetic only, such as the negative remainders of SQL's %:
  // they get a shard by name, never by position.
  virtual bool bucket_is_residual(std::uint32_t) const { return false; }

  // The slots that may hold keys between two values of the first key column (both inclusive, null
  // pointer = unbounded); nullopt unless the function keeps the order of its values.
  virtual std::optional<SlotRange> slots_between(const KeyValue* low, const KeyValue* high) const;

  // The name of the place that owns the slot in the scheme itself; empty when it names none.
  std::string slot_owner_name(Slot slot) const;

  Result<Slot> slot(const KeyValue& key) const { return slot(std::span(&key, 1)); }
};

// Makes the function of that name for key columns of these types. Unknown names, unknown or missing
// parameters and types that the function cannot hash exactly are refused (SH0701, SH0702).
Result<std::shared_ptr<const KeyFunction>> make_key_function(std::string_view name,
                                                             std::string_view params_json,
                                                             std::span<const KeyType> types);

struct FunctionName {
  std::string_view name, params, about;
};
std::span<const FunctionName> key_function_names();

}  // namespace shoal::keys
