// Building and searching hash rings, and the key function "ring".
#include "keys/ring.h"

#include <set>

#include "keys/digest.h"
#include "keys/function_base.h"

namespace shoal::keys {
namespace {

std::uint64_t big_endian64(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::uint64_t little_endian32(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

RingPosition md5_position(std::string_view text) {
  std::string d = md5(text);
  return {big_endian64(d), big_endian64(std::string_view(d).substr(8))};
}

RingPosition ketama_position(std::string_view text) {
  return {0, little_endian32(md5(text))};
}

constexpr std::uint64_t kMaxPoints = 1u << 22;

class Ring final : public FunctionBase {
 public:
  enum class Shown { kUnsigned64, kSigned32, kWide };
  Ring(Types types, HashRing ring, TextForm form, Shown shown)
      : FunctionBase("ring", types),
        ring_(std::move(ring)),
        form_(form),
        shown_(shown),
        by_equality_(text_follows_equality(types)) {}

  std::uint32_t slot_count() const override { return static_cast<std::uint32_t>(ring_.size()); }

  Result<Slot> slot(std::span<const KeyValue> key) const override {
    Result<std::string> text = key_text(key);
    if (!text) return text.error();
    return Slot(static_cast<std::uint32_t>(ring_.arc_of(ring_.hash(*text))));
  }

  Result<std::string> describe(std::span<const KeyValue> key) const override {
    Result<std::string> text = key_text(key);
    if (!text) return text.error();
    RingPosition p = ring_.hash(*text);
    if (shown_ == Shown::kUnsigned64) return std::to_string(p.low);
    if (shown_ == Shown::kSigned32)
      return std::to_string(static_cast<std::int64_t>(p.low) - (std::int64_t{1} << 31));
    std::string bytes;
    for (int i = 56; i >= 0; i -= 8) bytes.push_back(static_cast<char>(p.high >> i));
    for (int i = 56; i >= 0; i -= 8) bytes.push_back(static_cast<char>(p.low >> i));
    return HashNumber::of_big_endian(bytes).to_decimal();
  }

  bool match_by_equality() const override { return by_equality_; }
  std::uint32_t bucket_count() const override {
    return static_cast<std::uint32_t>(ring_.nodes().size());
  }
  std::optional<std::uint32_t> bucket_of(Slot slot) const override {
    return ring_.node_of(slot.value);
  }
  std::string bucket_name(std::uint32_t bucket) const override {
    return ring_.nodes()[bucket].name;
  }

  Result<std::vector<std::string>> preference(std::span<const KeyValue> key) const {
    Result<std::string> text = key_text(key);
    if (!text) return text.error();
    return ring_.preference(*text);
  }

 private:
  Result<std::string> key_text(std::span<const KeyValue> key) const {
    SHOAL_TRY(check(key));
    return hashed_text(key[0], form_);
  }

  HashRing ring_;
  TextForm form_;
  Shown shown_;
  bool by_equality_;
};

// A weight or number of points as Python's int(): true is 1.
std::optional<std::int64_t> whole_number(const boost::json::value& value) {
  if (value.is_bool()) return value.get_bool() ? 1 : 0;
  if (value.is_int64()) return value.get_int64();
  return std::nullopt;
}

// A node's value in the object form: its weight, or an object with "weight" and "vnodes"; what else
// stands there (hostname, port, nodename, ...) does not move a key.
bool read_node(const boost::json::value& value, HashRing::Node* node) {
  if (std::optional<std::int64_t> weight = whole_number(value)) {
    node->weight = *weight;
    return true;
  }
  if (!value.is_object()) return false;
  for (const auto& member : value.get_object()) {
    bool weight = member.key() == "weight", vnodes = member.key() == "vnodes";
    if (!weight && !vnodes) continue;
    std::optional<std::int64_t> number = whole_number(member.value());
    if (!number) return false;
    if (weight) node->weight = *number;
    if (vnodes) node->vnodes = static_cast<std::uint64_t>(std::max<std::int64_t>(*number, 0));
  }
  return true;
}

std::vector<HashRing::Node> take_nodes(Params& params, std::uint64_t vnodes) {
  std::vector<HashRing::Node> nodes;
  const boost::json::value* value = params.take("nodes");
  if (value == nullptr) {
    params.fail("nodes is missing");
  } else if (value->is_object()) {
    for (const auto& member : value->get_object()) {
      HashRing::Node node{std::string(member.key()), 1, vnodes};
      if (!read_node(member.value(), &node)) {
        params.fail(fmt::format("node {} must have an integer weight and vnodes", node.name));
      }
      nodes.push_back(std::move(node));
    }
  } else if (value->is_array()) {
    std::set<std::string> seen;
    for (const boost::json::value& element : value->get_array()) {
      std::optional<std::string> name = scalar_text(element);
      if (!name) params.fail("nodes must be names");
      if (name && seen.insert(*name).second) nodes.push_back({*name, 1, vnodes});
    }
  } else if (std::optional<std::string> name = scalar_text(*value)) {
    nodes.push_back({*name, 1, vnodes});
  } else {
    params.fail("nodes must be a list, an object or a name");
  }
  return nodes;
}

// "weights": {"name": weight} beside a list of nodes.
void take_weights(Params& params, std::vector<HashRing::Node>& nodes) {
  const boost::json::value* value = params.take("weights");
  if (value == nullptr) return;
  if (!value->is_object()) {
    params.fail("weights must be an object of name: integer");
    return;
  }
  for (const auto& member : value->get_object()) {
    auto node = std::find_if(nodes.begin(), nodes.end(), [&](const HashRing::Node& n) {
      return n.name == std::string_view(member.key().data(), member.key().size());
    });
    std::optional<std::int64_t> weight = whole_number(member.value());
    if (node == nodes.end() || !weight) {
      params.fail("weights must name nodes and give integers");
      return;
    }
    node->weight = *weight;
  }
}

HashRing::Hash named_hash(Params& params, const std::string& name) {
  if (name == "md5" || name == "meta") return md5_position;
  if (name == "crc32") return [](std::string_view s) { return RingPosition{0, crc32(s)}; };
  if (name == "xxh64") return [](std::string_view s) { return RingPosition{0, xxh64(s)}; };
  if (name == "murmur3_32")
    return [](std::string_view s) { return RingPosition{0, murmur3_32(s)}; };
  // mmh3.hash() of Python is signed: negative positions come first.
  if (name == "mmh3" || name == "murmur3_32_signed")
    return [](std::string_view s) { return RingPosition{0, murmur3_32(s) ^ 0x80000000u}; };
  params.fail("hash must be md5, ketama, crc32, xxh64, murmur3_32 or mmh3");
  return md5_position;
}

// Whether the ring stays below kMaxPoints points.
bool is_small(const std::vector<HashRing::Node>& nodes, bool ketama) {
  constexpr auto kMax = static_cast<std::int64_t>(kMaxPoints);
  if (nodes.size() > kMaxPoints / 64) return false;
  std::int64_t weights = 0;
  for (const HashRing::Node& node : nodes) {
    if (node.vnodes > kMaxPoints || node.weight > kMax || node.weight < -kMax) return false;
    weights += node.weight;
  }
  std::int64_t points = 0;
  for (const HashRing::Node& node : nodes) {
    const auto vnodes = static_cast<std::int64_t>(node.vnodes);
    std::int64_t count = vnodes * node.weight;
    if (ketama) {
      count = weights == 0
                  ? 0
                  : 4 * vnodes * static_cast<std::int64_t>(nodes.size()) * node.weight / weights;
    }
    points += std::clamp<std::int64_t>(count, 0, kMax + 1);
    if (points > kMax) return false;
  }
  return true;
}

}  // namespace

HashRing HashRing::meta(std::vector<Node> nodes, Hash hash) {
  HashRing ring;
  std::map<RingPosition, std::uint32_t> points;
  for (std::uint32_t i = 0; i < nodes.size(); ++i) {
    std::uint64_t count =
        nodes[i].weight > 0 ? nodes[i].vnodes * static_cast<std::uint64_t>(nodes[i].weight) : 0;
    for (std::uint64_t w = 0; w < count; ++w) {
      points[hash(fmt::format("{}-{}", nodes[i].name, w))] = i;
    }
  }
  for (const auto& [position, owner] : points) {
    ring.points_.push_back(position);
    ring.owners_.push_back(owner);
  }
  ring.nodes_ = std::move(nodes);
  ring.hash_ = std::move(hash);
  return ring;
}

HashRing HashRing::ketama(std::vector<Node> nodes, std::uint64_t replicas) {
  HashRing ring;
  std::int64_t weights = 0;
  for (const Node& node : nodes) weights += node.weight;
  std::map<RingPosition, std::uint32_t> points;
  for (std::uint32_t i = 0; i < nodes.size() && weights != 0; ++i) {
    // Rounded towards zero where Python rounds down: what is below one has no points either way.
    const std::int64_t count =
        static_cast<std::int64_t>(nodes[i].vnodes * nodes.size()) * nodes[i].weight / weights;
    for (std::int64_t w = 0; w < count; ++w) {
      std::string digest = md5(fmt::format("{}-{}", nodes[i].name, w));
      for (std::uint64_t r = 0; r < replicas; ++r) {
        points[{0, little_endian32(std::string_view(digest).substr(4 * r))}] = i;
      }
    }
  }
  for (const auto& [position, owner] : points) {
    ring.points_.push_back(position);
    ring.owners_.push_back(owner);
  }
  ring.nodes_ = std::move(nodes);
  ring.hash_ = ketama_position;
  return ring;
}

std::size_t HashRing::arc_of(RingPosition position) const {
  auto after = std::upper_bound(points_.begin(), points_.end(), position);
  return after == points_.end() ? 0 : static_cast<std::size_t>(after - points_.begin());
}

std::vector<std::string> HashRing::preference(std::string_view text) const {
  std::vector<std::string> out;
  std::vector<bool> met(nodes_.size());
  std::size_t start = arc_of(hash_(text));
  for (std::size_t i = 0; i < points_.size(); ++i) {
    std::uint32_t node = owners_[(start + i) % points_.size()];
    if (met[node]) continue;
    met[node] = true;
    out.push_back(nodes_[node].name);
  }
  return out;
}

Result<std::vector<std::string>> ring_preference(const KeyFunction& function,
                                                 std::span<const KeyValue> key) {
  const auto* ring = dynamic_cast<const Ring*>(&function);
  if (ring == nullptr) return std::vector<std::string>();
  return ring->preference(key);
}

FunctionPtr make_ring(std::string_view, Params& params, Types types) {
  require_one_column(params, types);
  std::string_view key = params.has("hash_fn") ? "hash_fn" : "hash";
  params.take("hash_fn");  // may be null, meaning the default
  std::string hash = params.text(key, "md5");
  bool ketama = hash == "ketama";
  std::uint64_t vnodes = params.number("vnodes", 0, kMaxPoints, ketama ? 40 : 160);
  std::uint64_t replicas = params.number("replicas", 1, 4, 4);
  std::vector<HashRing::Node> nodes = take_nodes(params, vnodes);
  take_weights(params, nodes);
  TextForm form = take_text_form(params, types);
  if (!is_small(nodes, ketama)) params.fail("the ring has too many points");
  if (params.failed()) return nullptr;
  HashRing ring = ketama ? HashRing::ketama(std::move(nodes), replicas)
                         : HashRing::meta(std::move(nodes), named_hash(params, hash));
  if (ring.empty()) {
    params.fail("the ring has no points");
    return nullptr;
  }
  const bool is_signed = hash == "mmh3" || hash == "murmur3_32_signed";
  const Ring::Shown shown = hash == "md5" || hash == "meta" ? Ring::Shown::kWide
                            : is_signed                     ? Ring::Shown::kSigned32
                                                            : Ring::Shown::kUnsigned64;
  return std::make_shared<Ring>(types, std::move(ring), form, shown);
}

}  // namespace shoal::keys
