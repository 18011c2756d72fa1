// Every statement of the corpus survives text -> tree -> text -> tree.
#include <gtest/gtest.h>

#include "sql/corpus_test.h"
#include "sql/deparse.h"
#include "sql/parse.h"

namespace shoal::sql {
namespace {

Statement only(std::string_view text) {
  auto parsed = parse(text, {});
  if (!parsed) {
    ADD_FAILURE() << text << "\n" << parsed.error().message;
    return {};
  }
  EXPECT_EQ(parsed->size(), 1u) << text;
  return std::move(parsed->front());
}

// Calls fn(tree) for a query or a write; anything else fails.
template <class Fn>
void with_tree(const Statement& s, Fn fn) {
  std::visit(
      [&](const auto& node) {
        if constexpr (requires { deparse(*node); })
          node ? fn(*node) : void();
        else
          ADD_FAILURE() << "not a query: " << s.text;
      },
      s.node);
}

TEST(RoundTrip, the_corpus_is_large) {
  EXPECT_GE(corpus().size(), 300u);
}

TEST(RoundTrip, every_statement_of_the_corpus_is_expressed) {
  for (const std::string& text : corpus()) {
    const Statement s = only(text);
    EXPECT_FALSE(s.has_opaque) << text;
    EXPECT_EQ(s.text, text);
    EXPECT_EQ(s.offset, 0);
  }
}

TEST(RoundTrip, every_statement_of_the_corpus_deparses_to_the_same_tree) {
  for (const std::string& text : corpus()) {
    const Statement s = only(text);
    with_tree(s, [&](const auto& tree) {
      const auto again = deparse_checked(tree);
      EXPECT_TRUE(again) << text << "\n"
                         << deparse(tree) << "\n"
                         << (again ? "" : again.error().message + " " + again.error().detail);
    });
  }
}

TEST(RoundTrip, deparsing_twice_gives_the_same_text) {
  for (const std::string& text : corpus()) {
    const Statement s = only(text);
    with_tree(s, [&](const auto& tree) {
      const std::string once = deparse(tree);
      const Statement second = only(once);
      with_tree(second, [&](const auto& again) { EXPECT_EQ(once, deparse(again)); });
    });
  }
}

TEST(RoundTrip, a_clone_is_the_same_tree) {
  for (const std::string& text : corpus()) {
    const Statement s = only(text);
    with_tree(s, [&](const auto& tree) {
      const auto copy = clone(tree);
      EXPECT_TRUE(same(tree, *copy)) << text;
      EXPECT_EQ(deparse(tree), deparse(*copy));
    });
  }
}

// same() tells all statements of the corpus apart, but those that mean the same by construction.
TEST(RoundTrip, different_statements_are_not_the_same) {
  std::vector<Statement> all;
  for (const std::string& text : corpus()) all.push_back(only(text));
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (all[i].node.index() != all[j].node.index()) continue;
      with_tree(all[i], [&](const auto& a) {
        using T = std::decay_t<decltype(a)>;
        const T& b = *std::get<std::unique_ptr<T>>(all[j].node);
        EXPECT_EQ(same(a, b), deparse(a) == deparse(b)) << all[i].text << "\n" << all[j].text;
      });
    }
  }
}

}  // namespace
}  // namespace shoal::sql
