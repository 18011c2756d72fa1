// Which keys and slots the statements of one core are about: a bounded sketch of the most frequent
// keys, and counters for stretches of slots. Statements of one key call count(); readers take a
// copy and merge() those of all cores.
//
// Keys are kept by Space-Saving (Metwally, Agrawal, El Abbadi 2005): `capacity` counters; a key
// that has none takes over the smallest and inherits its count as its possible error. Every key
// with more than total / capacity statements is there; a shown count is too high by at most its
// error. Only one statement in `kEvery` is looked at, and counts for all of them. Thread rule: one
// core writes and copies; merge() on values that nobody writes.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace shoal::obs {

class TopKeys {
 public:
  struct Entry {
    std::string key;
    std::uint64_t count = 0, error = 0;  // the true number is between count - error and count
  };

  explicit TopKeys(std::size_t capacity = 128) : capacity_(capacity) {}

  void count(std::string_view key, std::uint64_t times = 1);
  std::vector<Entry> top(std::size_t n) const;  // most frequent first
  std::uint64_t total() const { return total_; }
  void merge(const TopKeys& other);
  // Halves everything, so that what was hot yesterday goes away.
  void age();

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };
  std::size_t capacity_;
  std::uint64_t total_ = 0;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> index_;
};

class KeyLoad {
 public:
  static constexpr std::uint64_t kEvery = 8;      // statements for each that is looked at
  static constexpr std::size_t kStretches = 64;   // of the slots of a keyspace
  static constexpr std::size_t kKeyspaces = 256;  // more are not counted
  static constexpr std::size_t kKeyBytes = 128;   // longer keys are cut

  struct OfKeyspace {
    TopKeys keys;
    std::uint32_t slots = 0;
    std::array<std::uint64_t, kStretches> by_stretch{};
  };

  // True for the statements to be counted; ask before making the key's text.
  bool due() { return ++statements_ % kEvery == 0; }
  void count(std::int32_t keyspace, std::uint32_t slot, std::uint32_t slots, std::string_view key);

  const std::map<std::int32_t, OfKeyspace>& keyspaces() const { return keyspaces_; }
  void merge(const KeyLoad& other);
  void age();

 private:
  std::uint64_t statements_ = 0;
  std::map<std::int32_t, OfKeyspace> keyspaces_;
};

}  // namespace shoal::obs
