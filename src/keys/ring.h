// The consistent hash ring of uhashring: node names become points, a key belongs to the first point
// strictly after its hash (so the arc before a point is that point's). Each arc is a slot.
// Invariants: points ascend strictly and are never empty.
// Thread rule: const after construction.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "keys/function.h"

namespace shoal::keys {

// A position on a ring of up to 128 bits.
struct RingPosition {
  std::uint64_t high = 0, low = 0;
  auto operator<=>(const RingPosition&) const = default;
};

class HashRing {
 public:
  struct Node {
    std::string name;
    std::int64_t weight = 1;
    std::uint64_t vnodes = 0;
  };
  using Hash = std::function<RingPosition(std::string_view)>;

  // vnodes * weight points for each node at hash("name-0"), hash("name-1"), ...
  static HashRing meta(std::vector<Node> nodes, Hash hash);
  // Ketama as uhashring has it: points shared out by weight, `replicas` (1 to 4) for each MD5;
  // where two points coincide the later node owns them.
  static HashRing ketama(std::vector<Node> nodes, std::uint64_t replicas);

  bool empty() const { return points_.empty(); }
  std::size_t size() const { return points_.size(); }
  const std::vector<Node>& nodes() const { return nodes_; }
  RingPosition hash(std::string_view text) const { return hash_(text); }
  std::size_t arc_of(RingPosition position) const;                       // 0 .. size()-1
  std::uint32_t node_of(std::size_t arc) const { return owners_[arc]; }  // index into nodes()
  // All nodes that have points, in the order in which they are met clockwise from the key.
  std::vector<std::string> preference(std::string_view text) const;

 private:
  std::vector<Node> nodes_;
  Hash hash_;
  std::vector<RingPosition> points_;
  std::vector<std::uint32_t> owners_;  // of the point of the same index
};

// The nodes of a "ring" function in the order of preference for a key; empty for other functions.
Result<std::vector<std::string>> ring_preference(const KeyFunction& function,
                                                 std::span<const KeyValue> key);

}  // namespace shoal::keys
