// shard_for and for_each_shard. Catalog and scope are tested against a server by
// python/tests/test_cluster.py.
#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "client/for_each_shard.h"
#include "client/shard_for.h"

namespace shoal::client {
namespace {

TEST(ShardFor, an_integer_and_its_text_are_one_key) {
  for (std::int64_t key : {INT64_MIN, std::int64_t{-5}, std::int64_t{0}, std::int64_t{42}}) {
    EXPECT_EQ(*shard_for(key, 16), *shard_for(std::to_string(key), 16));
  }
  EXPECT_EQ(*shard_for("user-0", 2), 1u);
  EXPECT_EQ(*shard_for("user-1", 2), 0u);
}

TEST(ShardFor, the_salt_may_be_empty_or_64_bytes_long_and_no_longer) {
  EXPECT_EQ(*shard_for("user-0", 4, ""), 3162500440625161073u % 4);
  EXPECT_EQ(*shard_for("user-0", 4, std::string(64, 'k')), 17163655953290006561u % 4);
  EXPECT_EQ(shard_for("user-0", 4, std::string(65, 'k')).error().detail.substr(0, 6), "SH0702");
  EXPECT_FALSE(shard_for("user-0", 0));
}

TEST(ForEachShard, calls_every_shard_and_returns_by_name) {
  auto sizes = for_each_shard(3, [](const std::string& name) { return name + "!"; });
  EXPECT_EQ(sizes, (std::map<std::string, std::string>{
                       {"shard_0", "shard_0!"}, {"shard_1", "shard_1!"}, {"shard_2", "shard_2!"}}));
}

TEST(ForEachShard, all_calls_meet) {
  std::atomic<int> here{0};
  auto met = for_each_shard(4, [&](const std::string&) {
    ++here;
    while (here < 4) std::this_thread::yield();  // a sequential caller would never end
    return here.load();
  });
  EXPECT_EQ(met.size(), 4u);
}

TEST(ForEachShard, throws_the_first_error_after_all_calls) {
  std::atomic<int> calls{0};
  try {
    for_each_shard(4, [&](const std::string& name) -> int {
      ++calls;
      throw std::runtime_error(name);
    });
    ADD_FAILURE() << "no exception";
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "shard_0");
  }
  EXPECT_EQ(calls, 4);
}

TEST(ForEachShard, no_shard_is_no_call) {
  auto none = for_each_shard(0, [](const std::string&) { return 1; });
  EXPECT_TRUE(none.empty());
}

}  // namespace
}  // namespace shoal::client
