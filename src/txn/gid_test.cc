// Tests of gid.h.
#include "txn/gid.h"

#include <gtest/gtest.h>

namespace shoal::txn {
namespace {

TEST(Gid, every_part_survives_printing_and_parsing) {
  const Gid table[] = {
      {{"app", "r1", 1}, ShardId(1), ShardId(2)},
      {{"my cluster: 100%", "host/7:\xc3\xa4", 0xFFFFFFFFFFFFFFFF},
       ShardId(2147483647),
       ShardId(0)},
      {{"", "", 0}, ShardId(-1), ShardId(1)},
  };
  for (const Gid& gid : table) {
    const auto text = print_gid(gid);
    ASSERT_TRUE(text.has_value());
    EXPECT_LE(text->size(), kMaxGidBytes);
    EXPECT_EQ(parse_gid(*text), gid) << *text;
    EXPECT_EQ(parse_decision_key(decision_key(gid.transaction)), gid.transaction);
  }
}

TEST(Gid, participants_of_one_transaction_have_different_gids_and_one_key) {
  const TransactionId id{"app", "r", 9};
  EXPECT_NE(*print_gid({id, ShardId(1), ShardId(3)}), *print_gid({id, ShardId(2), ShardId(3)}));
  EXPECT_EQ(decision_key(id), "shoal:app:r:9");
  EXPECT_EQ(*print_gid({id, ShardId(1), ShardId(3)}), "shoal:app:r:9:1:3");
}

TEST(Gid, what_others_prepared_is_not_ours) {
  for (const char* text :
       {"", "shoal", "shoal:", "x:app:r:9:1:3", "shoal:app:r:9:1", "shoal:app:r:9:1:3:4",
        "shoal:app:r:09:1:3", "shoal:app:r:9:+1:3", "shoal:app:r:9::3", "shoal:a b:r:9:1:3",
        "shoal:%6:r:9:1:3", "shoal:%61pp:r:9:1:3", "shoal:app:r:9:1:3 ",
        "shoal:app:r:10000000000000000:1:3"}) {
    EXPECT_FALSE(parse_gid(text).has_value()) << text;
  }
}

TEST(Gid, names_that_are_too_long_are_an_error) {
  EXPECT_EQ(print_gid({{std::string(200, 'x'), "r", 1}, ShardId(1), ShardId(2)}).error().sqlstate,
            "54000");
}

}  // namespace
}  // namespace shoal::txn
