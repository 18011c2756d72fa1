// Strong ids: integers that can't be mistaken for one another. Values only.
#pragma once
#include <compare>
#include <cstdint>
#include <functional>

namespace shoal {

template <class Tag, class T>
struct StrongId {
  T value{};
  constexpr StrongId() = default;
  constexpr explicit StrongId(T v) : value(v) {}
  auto operator<=>(const StrongId&) const = default;
};

using ShardId = StrongId<struct ShardTag, std::int32_t>;        // row id in shoal.shards
using KeyspaceId = StrongId<struct KeyspaceTag, std::int32_t>;  // row id in shoal.keyspaces
using Oid = StrongId<struct OidTag, std::uint32_t>;             // an object id of the home shard
using Slot = StrongId<struct SlotTag, std::uint32_t>;           // 0 .. slot count - 1
using Epoch = StrongId<struct EpochTag, std::int64_t>;          // version of the catalog

}  // namespace shoal

template <class Tag, class T>
struct std::hash<shoal::StrongId<Tag, T>> {
  std::size_t operator()(shoal::StrongId<Tag, T> id) const noexcept {
    return std::hash<T>{}(id.value);
  }
};
