// The sketch keeps what is frequent, bounds its error, and merges.
#include "obs/key_load.h"

#include <gtest/gtest.h>

#include <random>

namespace shoal::obs {
namespace {

// Keys of a skewed stream: key i about half as often as key i - 1, and a long tail of rare ones.
std::map<std::string, std::uint64_t> stream(TopKeys& keys, unsigned seed, int length) {
  std::mt19937 chance(seed);
  std::map<std::string, std::uint64_t> truth;
  for (int i = 0; i < length; ++i) {
    std::string key = "rare" + std::to_string(chance() % 100'000);
    for (int hot = 0; hot < 8; ++hot) {
      if (chance() % 4 != 0) continue;
      key = "hot" + std::to_string(hot);
      break;
    }
    keys.count(key);
    ++truth[key];
  }
  return truth;
}

void expect_bounds(const TopKeys& keys, const std::map<std::string, std::uint64_t>& truth) {
  for (const TopKeys::Entry& e : keys.top(1000)) {
    const auto found = truth.find(e.key);
    const std::uint64_t real = found == truth.end() ? 0 : found->second;
    EXPECT_GE(e.count, real) << e.key;
    EXPECT_LE(e.count - e.error, real) << e.key;
  }
}

TEST(TopKeys, frequent_keys_are_found_in_order_and_counts_are_bounded) {
  TopKeys keys(64);
  const auto truth = stream(keys, 1, 100'000);
  const auto top = keys.top(4);
  ASSERT_EQ(top.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(top[i].key, "hot" + std::to_string(i));
  EXPECT_EQ(keys.total(), 100'000u);
  EXPECT_EQ(keys.top(1000).size(), 64u) << "memory is bounded";
  expect_bounds(keys, truth);
}

TEST(TopKeys, sketches_of_two_cores_become_one_with_the_same_bounds) {
  TopKeys a(64), b(64);
  auto truth = stream(a, 1, 50'000);
  for (const auto& [key, n] : stream(b, 2, 50'000)) truth[key] += n;
  a.merge(b);
  EXPECT_EQ(a.total(), 100'000u);
  EXPECT_EQ(a.top(1)[0].key, "hot0");
  EXPECT_LE(a.top(1000).size(), 64u);
  expect_bounds(a, truth);
}

TEST(TopKeys, ageing_forgets_what_is_no_longer_asked) {
  TopKeys keys(2);
  keys.count("old", 1000);
  for (int i = 0; i < 12; ++i) keys.age();
  keys.count("new", 5);
  EXPECT_EQ(keys.top(1)[0].key, "new");
}

TEST(KeyLoad, one_statement_in_eight_counts_for_all) {
  KeyLoad load;
  for (int i = 0; i < 8000; ++i) {
    if (load.due()) load.count(1, static_cast<std::uint32_t>(i % 4096), 4096, "k");
  }
  const auto& of = load.keyspaces().at(1);
  EXPECT_EQ(of.keys.total(), 8000u);
  std::uint64_t sum = 0;
  for (const std::uint64_t n : of.by_stretch) sum += n;
  EXPECT_EQ(sum, 8000u);
  load.count(1, 4096, 4096, "beyond the last slot");
  EXPECT_EQ(of.keys.total(), 8000u);
}

}  // namespace
}  // namespace shoal::obs
