// Merging tables of rows, and random streams against sorting everything in memory.
#include "merge/merger.h"

#include <gtest/gtest.h>

#include <random>

#include "merge/row.h"
#include "wire/backend.h"
#include "wire/format.h"

namespace shoal::merge {
namespace {

using wire::Format;
using Text = std::optional<std::string>;
using TextRow = std::vector<Text>;
using Kind = plan::Combine::Kind;

constexpr std::size_t kGroupBytes = 1 << 20;

std::string body(const TextRow& row) {
  std::string out;
  wire::append_u16(out, static_cast<std::uint16_t>(row.size()));
  for (const Text& value : row) append_value(out, value ? wire::Value(*value) : wire::Value());
  return out;
}

std::string printed(std::string_view raw) {
  const auto row = wire::decode_data_row(raw);
  if (!row) return "malformed";
  std::string line;
  for (const wire::Value value : row->values) {
    if (!line.empty()) line += ' ';
    line += value ? std::string(*value) : "-";
  }
  return line;
}

RowShape text_shape(std::size_t columns) {
  return {std::vector(columns, Format::kText), {}, {}};
}

// Feeds each source row by row only when the merger asks for it; "ERROR 22003" on failure.
std::vector<std::string> run(const plan::Merge& recipe, RowShape shape,
                             const std::vector<std::vector<TextRow>>& sources) {
  auto merger = Merger::make(recipe, sources.size(), std::move(shape), kGroupBytes);
  if (!merger) return {"ERROR " + merger.error().sqlstate};
  std::vector<std::size_t> at(sources.size(), 0);
  std::vector<std::string> lines;
  while (true) {
    const auto step = merger->next();
    if (!step) return {"ERROR " + step.error().sqlstate};
    if (std::holds_alternative<Merger::Done>(*step)) return lines;
    if (const auto* row = std::get_if<Merger::Row>(&*step)) {
      lines.push_back(printed(row->body));
      continue;
    }
    int source = std::get<Merger::Need>(*step).source;
    for (std::size_t i = 0; source < 0; ++i) {
      if (at[i] <= sources[i].size()) source = static_cast<int>(i);
    }
    const std::size_t s = static_cast<std::size_t>(source);
    if (at[s] == sources[s].size()) {
      ++at[s];
      merger->finish(s);
    } else {
      const auto pushed = merger->push(s, body(sources[s][at[s]++]));
      if (!pushed) return {"ERROR " + pushed.error().sqlstate};
    }
  }
}

plan::SortKey by(int column, std::uint32_t type, bool descending = false) {
  plan::SortKey key;
  key.column = column;
  key.type = type;
  key.descending = key.nulls_first = descending;
  if (type == wire::oid::kText) key.order = plan::SortKey::Order::kBytes;
  return key;
}

plan::Combine combine(Kind kind, std::uint32_t type) {
  plan::Combine column;
  column.kind = kind;
  column.type = type;
  column.order = by(0, type);
  return column;
}

using Lines = std::vector<std::string>;

TEST(Merger, concatenation_needs_no_order) {
  plan::Merge recipe;
  EXPECT_TRUE(is_concatenation(recipe));
  EXPECT_EQ(run(recipe, text_shape(1), {{{"1"}, {"2"}}, {}, {{"3"}}}), (Lines{"1", "2", "3"}));
  EXPECT_EQ(run(recipe, text_shape(1), {}), Lines{});
}

TEST(Merger, rows_come_out_in_order_and_equal_ones_by_source) {
  plan::Merge recipe;
  recipe.order = {by(0, 23)};
  EXPECT_EQ(run(recipe, text_shape(2),
                {{{"1", "a"}, {"3", "a"}, {std::nullopt, "a"}}, {{"1", "b"}, {"2", "b"}}, {}}),
            (Lines{"1 a", "1 b", "2 b", "3 a", "- a"}));
}

TEST(Merger, descending_puts_nulls_first) {
  plan::Merge recipe;
  recipe.order = {by(0, 23, true)};
  EXPECT_EQ(run(recipe, text_shape(1), {{{std::nullopt}, {"1"}}, {{"10"}, {"9"}}}),
            (Lines{"-", "10", "9", "1"}));
}

TEST(Merger, offset_and_limit_cut_the_merged_rows) {
  plan::Merge recipe;
  recipe.order = {by(0, 23)};
  recipe.offset = 1;
  recipe.limit = 2;
  EXPECT_EQ(run(recipe, text_shape(1), {{{"1"}, {"3"}, {"5"}}, {{"2"}, {"4"}}}), (Lines{"2", "3"}));
  recipe.limit = 0;
  EXPECT_EQ(run(recipe, text_shape(1), {{{"1"}}}), Lines{});
}

TEST(Merger, is_done_at_the_limit_although_sources_have_not_finished) {
  plan::Merge recipe;
  recipe.limit = 1;
  auto merger = Merger::make(recipe, 2, text_shape(1), kGroupBytes);
  ASSERT_TRUE(merger.has_value());
  ASSERT_TRUE(merger->push(1, body({"7"})).has_value());
  EXPECT_EQ(printed(std::get<Merger::Row>(*merger->next()).body), "7");
  EXPECT_TRUE(std::holds_alternative<Merger::Done>(*merger->next()));
  EXPECT_EQ(merger->rows_out(), 1u);
}

TEST(Merger, hidden_sort_columns_do_not_go_out) {
  plan::Merge recipe;
  recipe.order = {by(1, 23)};
  recipe.hidden_columns = 1;
  EXPECT_EQ(run(recipe, text_shape(2), {{{"x", "1"}}, {{"y", "0"}}}), (Lines{"y", "x"}));
  EXPECT_EQ(run(recipe, text_shape(1), {{{"1"}}}), (Lines{"ERROR 08P01"}));
  plan::Merge nothing_visible;
  nothing_visible.order = {by(0, 23)};
  nothing_visible.hidden_columns = 1;
  EXPECT_EQ(run(nothing_visible, text_shape(1), {{{"1"}}, {{"2"}}}), (Lines{"", ""}));
}

TEST(Merger, distinct_drops_rows_that_are_equal_by_type_not_by_text) {
  plan::Merge recipe;
  recipe.order = {by(0, 1700)};
  recipe.distinct = true;
  EXPECT_EQ(run(recipe, text_shape(1),
                {{{"1.0"}, {"2"}}, {{"1.00"}, {"2"}, {std::nullopt}}, {{std::nullopt}}}),
            (Lines{"1.0", "2", "-"}));
}

TEST(Merger, groups_are_combined_with_postgresql_result_types) {
  plan::Merge recipe;
  recipe.combine = {combine(Kind::kGroup, 25), combine(Kind::kCount, 20),
                    combine(Kind::kSum, 1700), combine(Kind::kMin, 23),
                    combine(Kind::kMax, 23),   combine(Kind::kBoolAnd, 16),
                    combine(Kind::kBoolOr, 16)};
  EXPECT_EQ(run(recipe, text_shape(7),
                {{{"a", "2", "1.50", "1", "4", "t", "f"},
                  {std::nullopt, "1", std::nullopt, std::nullopt, "3", std::nullopt, std::nullopt}},
                 {{"a", "3", "9223372036854775807", "-2", "3", "f", "t"},
                  {std::nullopt, "1", "7", "9", "1", std::nullopt, std::nullopt},
                  {"b", "1", "0", "1", "1", "t", "t"}}}),
            (Lines{"a 5 9223372036854775808.50 -2 4 f t", "b 1 0 1 1 t t", "- 2 7 9 3 - -"}));
}

TEST(Merger, an_ungrouped_aggregate_over_no_rows_is_one_row) {
  plan::Merge recipe;
  recipe.combine = {combine(Kind::kCount, 20), combine(Kind::kSum, 20), combine(Kind::kMax, 23)};
  recipe.ungrouped = true;
  EXPECT_EQ(run(recipe, text_shape(3), {}), (Lines{"0 - -"}));
  EXPECT_EQ(run(recipe, text_shape(3), {{{"0", std::nullopt, std::nullopt}}, {{"2", "5", "3"}}}),
            (Lines{"2 5 3"}));
  recipe.ungrouped = false;
  EXPECT_EQ(run(recipe, text_shape(3), {{}}), Lines{});
}

TEST(Merger, a_bigint_sum_that_overflows_is_22003) {
  plan::Merge recipe;
  recipe.combine = {combine(Kind::kSum, 20)};
  recipe.ungrouped = true;
  EXPECT_EQ(run(recipe, text_shape(1), {{{"9223372036854775807"}}, {{"1"}}}),
            (Lines{"ERROR 22003"}));
}

TEST(Merger, combined_rows_are_sorted_cut_and_reordered) {
  plan::Merge recipe;
  recipe.combine = {combine(Kind::kGroup, 25), combine(Kind::kCount, 20)};
  recipe.order = {by(1, 20, true), by(0, 25)};
  recipe.limit = 2;
  recipe.output = {1, 0};
  EXPECT_EQ(run(recipe, text_shape(2), {{{"a", "1"}, {"b", "2"}}, {{"c", "4"}, {"a", "3"}}}),
            (Lines{"4 a", "4 c"}));
}

TEST(Merger, too_many_groups_are_refused_by_number) {
  plan::Merge recipe;
  recipe.combine = {combine(Kind::kGroup, 23)};
  auto merger = Merger::make(recipe, 1, text_shape(1), 1000);
  ASSERT_TRUE(merger.has_value());
  std::string detail;
  for (int i = 0; i < 100 && detail.empty(); ++i) {
    const auto pushed = merger->push(0, body({std::to_string(i)}));
    if (!pushed) detail = pushed.error().detail;
  }
  EXPECT_EQ(detail.substr(0, 6), "SH0611");
}

TEST(Merger, values_made_here_come_in_the_format_that_was_asked) {
  plan::Merge recipe;
  recipe.combine = {combine(Kind::kCount, 20), combine(Kind::kSum, 1700)};
  recipe.ungrouped = true;
  const std::vector<Format> client = {Format::kBinary, Format::kText};
  EXPECT_EQ(shard_formats(recipe, 2, client), client);
  RowShape shape{client, client, {20, 1700}};
  auto merger = Merger::make(recipe, 1, shape, kGroupBytes);
  ASSERT_TRUE(merger.has_value());
  ASSERT_TRUE(merger->push(0, body({*wire::binary_from_text(20, "5"), "1.5"})).has_value());
  ASSERT_TRUE(merger->push(0, body({*wire::binary_from_text(20, "6"), "2"})).has_value());
  merger->finish(0);
  const auto step = merger->next();
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(std::get<Merger::Row>(*step).body, body({*wire::binary_from_text(20, "11"), "3.5"}));
}

TEST(Merger, a_column_is_converted_when_shards_send_another_format) {
  plan::Merge recipe;
  RowShape shape{{Format::kBinary}, {Format::kText}, {23}};
  auto merger = Merger::make(recipe, 1, shape, kGroupBytes);
  ASSERT_TRUE(merger.has_value());
  ASSERT_TRUE(merger->push(0, body({*wire::binary_from_text(23, "-7")})).has_value());
  EXPECT_EQ(printed(std::get<Merger::Row>(*merger->next()).body), "-7");
  shape.types = {3802};
  EXPECT_EQ(Merger::make(recipe, 1, shape, kGroupBytes).error().sqlstate, "0A000");
}

TEST(Merger, hidden_columns_are_asked_for_in_binary) {
  plan::Merge recipe;
  recipe.hidden_columns = 1;
  EXPECT_EQ(shard_formats(recipe, 3, {}),
            (std::vector{Format::kText, Format::kText, Format::kBinary}));
  EXPECT_EQ(shard_formats(recipe, 2, {Format::kBinary}),
            (std::vector{Format::kBinary, Format::kBinary}));
}

TEST(Merger, a_hostile_row_is_an_error) {
  auto merger = Merger::make({}, 1, text_shape(2), kGroupBytes);
  ASSERT_TRUE(merger.has_value());
  EXPECT_EQ(merger->push(0, body({"one"})).error().sqlstate, "08P01");
  EXPECT_FALSE(merger->push(0, std::string_view("\0\2\0\0\0\x7f", 6)).has_value());
  EXPECT_FALSE(merger->push(0, "").has_value());
}

TEST(Merger, random_streams_equal_sorting_in_memory) {
  std::mt19937 random(7);
  const auto below = [&random](int n) { return static_cast<int>(random() % n); };
  for (int round = 0; round < 300; ++round) {
    plan::Merge recipe;
    recipe.order = {by(0, 23, below(2) == 0), by(1, 25, below(2) == 0), by(2, 23)};
    for (plan::SortKey& key : recipe.order) key.nulls_first = below(2) == 0;
    recipe.offset = static_cast<std::uint64_t>(below(5));
    if (below(2) == 0) recipe.limit = static_cast<std::uint64_t>(below(20));
    recipe.distinct = below(3) == 0;
    const auto before = [&recipe](const TextRow& a, const TextRow& b) {
      for (std::size_t i = 0; i < 3; ++i) {
        if (a[i] == b[i]) continue;
        const plan::SortKey& key = recipe.order[i];
        if (!a[i] || !b[i]) return !a[i] == key.nulls_first;
        const bool less = i == 1 ? *a[i] < *b[i] : std::stoi(*a[i]) < std::stoi(*b[i]);
        return less != key.descending;
      }
      return false;
    };
    std::vector<std::vector<TextRow>> sources(static_cast<std::size_t>(1 + below(5)));
    std::vector<TextRow> all;
    for (auto& source : sources) {
      for (int i = below(12); i > 0; --i) {
        const auto maybe = [&below](std::string text) {
          return below(6) == 0 ? Text() : Text(std::move(text));
        };
        source.push_back({maybe(std::to_string(below(12) - 2)), maybe(std::string(below(3), 'x')),
                          maybe(std::to_string(below(3)))});
      }
      std::sort(source.begin(), source.end(), before);
      all.insert(all.end(), source.begin(), source.end());
    }
    std::sort(all.begin(), all.end(), before);
    if (recipe.distinct) all.erase(std::unique(all.begin(), all.end()), all.end());
    Lines expected;
    for (std::size_t i = recipe.offset; i < all.size(); ++i) {
      if (recipe.limit && expected.size() == *recipe.limit) break;
      expected.push_back(printed(body(all[i])));
    }
    ASSERT_EQ(run(recipe, text_shape(3), sources), expected) << "round " << round;
  }
}

}  // namespace
}  // namespace shoal::merge
