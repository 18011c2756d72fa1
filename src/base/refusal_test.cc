// Claims about the table of refusals and the errors made from it.
#include <gtest/gtest.h>

#include <set>

#include "base/ids.h"
#include "base/result.h"

namespace shoal {
namespace {

TEST(RefusalTest, numbers_are_unique_and_rise) {
  int last = 0;
  for (const RefusalEntry& entry : refusal_table()) {
    EXPECT_GT(static_cast<int>(entry.number), last) << entry.message;
    last = static_cast<int>(entry.number);
  }
}

TEST(RefusalTest, rows_are_worded_as_postgresql_words_errors) {
  for (const RefusalEntry& entry : refusal_table()) {
    EXPECT_EQ(entry.sqlstate.size(), 5u) << entry.message;
    EXPECT_FALSE(entry.message.empty());
    EXPECT_FALSE(entry.message.ends_with('.')) << entry.message;
    EXPECT_FALSE(entry.hint.empty()) << entry.message;
  }
}

TEST(RefusalTest, the_detail_begins_with_the_number) {
  const Error bare = refuse(Refusal::kNotProvable);
  EXPECT_EQ(bare.detail, "SH0001");
  EXPECT_EQ(bare.sqlstate, "0A000");
  const Error full = refuse(Refusal::kNullKey, "tenant_id is NULL", "give it");
  EXPECT_EQ(full.detail, "SH0104: tenant_id is NULL");
  EXPECT_EQ(full.hint, "give it");
  EXPECT_EQ(full.sqlstate, "23502");
  EXPECT_FALSE(full.fatal);
}

Result<int> half(int value) {
  if (value % 2 != 0) return make_error("22023", "odd");
  return value / 2;
}

Result<void> quarter(int value, int* out) {
  SHOAL_TRY(half(value));
  const Result<int> once = half(value);
  SHOAL_TRY(half(*once));
  *out = *half(*once);
  return {};
}

TEST(ResultTest, try_returns_the_first_error_of_the_callee) {
  int out = 0;
  EXPECT_TRUE(quarter(8, &out).has_value());
  EXPECT_EQ(out, 2);
  EXPECT_EQ(quarter(6, &out).error().sqlstate, "22023");
  EXPECT_EQ(out, 2);
}

TEST(ResultTest, a_string_result_is_returned_from_a_string) {
  const auto make = [](bool good) -> Result<std::string> {
    if (!good) return make_error("XX000", "no");
    return std::string("yes");
  };
  EXPECT_EQ(*make(true), "yes");
  EXPECT_EQ(make(false).error().message, "no");
}

TEST(IdsTest, ids_of_one_kind_compare_and_hash_by_value) {
  EXPECT_LT(ShardId(1), ShardId(2));
  EXPECT_EQ(Slot(7), Slot(7));
  EXPECT_EQ(std::hash<Slot>{}(Slot(7)), std::hash<std::uint32_t>{}(7));
  static_assert(!std::is_convertible_v<int, ShardId>);
  static_assert(!std::is_convertible_v<Slot, ShardId>);
}

}  // namespace
}  // namespace shoal
