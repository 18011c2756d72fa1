// Name resolution and what the builder makes of rows.
#include "catalog/snapshot.h"

#include <gtest/gtest.h>

#include "catalog/testing.h"

namespace shoal::catalog {
namespace {

using Path = std::vector<std::string>;

std::string oid_or_none(const Table* t) {
  return t ? std::to_string(t->oid.value) : "none";
}

TEST(Snapshot, resolves_tables_along_the_search_path) {
  const SnapshotPtr s = make_test_snapshot();
  ASSERT_TRUE(s);
  EXPECT_EQ(oid_or_none(s->resolve_table({"public"}, "", "orders")), "20001");
  EXPECT_EQ(oid_or_none(s->resolve_table({"app", "public"}, "", "orders")), "20004");
  EXPECT_EQ(oid_or_none(s->resolve_table({}, "", "orders")), "none");
  EXPECT_EQ(oid_or_none(s->resolve_table({"public"}, "app", "orders")), "20004");
  EXPECT_EQ(oid_or_none(s->resolve_table({"public"}, "App", "orders")), "none");
  EXPECT_EQ(oid_or_none(s->resolve_table({"public"}, "", "pg_class")), "1259");
  EXPECT_EQ(oid_or_none(s->resolve_table({}, "pg_catalog", "pg_class")), "1259");
}

TEST(Snapshot, own_temporary_tables_shadow_others_unless_pg_temp_is_listed_later) {
  SnapshotBuilder builder;
  ASSERT_TRUE(add_test_cluster(builder));
  const TestRow row{"21000",      "pg_temp",    "orders",     "r",         std::nullopt,
                    "f",          "f",          "f",          "t",         "f",
                    std::nullopt, std::nullopt, std::nullopt, std::nullopt};
  ASSERT_TRUE(builder.add_row(kQueryClasses, row));
  const SnapshotPtr s = builder.finish().value();
  EXPECT_EQ(oid_or_none(s->resolve_table({"public"}, "", "orders")), "21000");
  EXPECT_EQ(oid_or_none(s->resolve_table({"public", "pg_temp"}, "", "orders")), "20001");
  EXPECT_EQ(oid_or_none(s->resolve_table({"public"}, "pg_temp", "orders")), "21000");
}

TEST(Snapshot, pg_catalog_is_searched_where_it_is_listed) {
  const SnapshotPtr s = make_test_snapshot();
  const auto names = [&](const Path& path, const Path& function) {
    std::string out;
    for (const Function* f : s->resolve_functions(path, function)) {
      out += std::to_string(f->oid.value) + " ";
    }
    return out;
  };
  // app.lower(text) is hidden by pg_catalog.lower(text), unless app comes first.
  EXPECT_EQ(s->resolve_functions({"app"}, {"lower"}).size(), 2u);
  EXPECT_EQ(names({"app"}, {"lower"}).find("20200"), std::string::npos);
  EXPECT_NE(names({"app", "pg_catalog"}, {"lower"}).find("20200"), std::string::npos);
  EXPECT_EQ(names({"app", "pg_catalog"}, {"lower"}).find("870"), std::string::npos);
  EXPECT_EQ(names({}, {"app", "lower"}), "20200 ");
  EXPECT_EQ(names({}, {"nothing"}), "");
}

TEST(Snapshot, resolves_types) {
  const SnapshotPtr s = make_test_snapshot();
  EXPECT_EQ(s->resolve_type({"app"}, {"mood"})->oid, Oid(20100));
  EXPECT_EQ(s->resolve_type({"public"}, {"mood"}), nullptr);
  EXPECT_EQ(s->resolve_type({}, {"pg_catalog", "int8"})->oid, Oid(20));
  EXPECT_FALSE(s->resolve_type({"app"}, {"mood"})->builtin());
}

TEST(Snapshot, active_shards_come_first_in_order_of_names) {
  const SnapshotPtr s = make_test_snapshot();
  EXPECT_EQ(s->active_shards(), (std::vector<ShardId>{ShardId(1), ShardId(2)}));
  EXPECT_EQ(s->shards.back().name, "a_resting");
  EXPECT_EQ(s->home, ShardId(1));
}

TEST(Builder, fills_tables_columns_indexes_and_placement) {
  const SnapshotPtr s = make_test_snapshot();
  const Table* t = s->table("public", "orders");
  ASSERT_TRUE(t);
  EXPECT_EQ(t->kind, TableKind::kSharded);
  EXPECT_EQ(t->key_attnums, std::vector<std::int16_t>{3});
  EXPECT_TRUE(t->has_triggers);
  EXPECT_TRUE(t->default_volatile);
  EXPECT_EQ(t->column("id")->sequence, Oid(20009));
  EXPECT_EQ(t->column(std::int16_t{2}), nullptr);
  ASSERT_EQ(t->indexes.size(), 2u);
  EXPECT_TRUE(t->indexes[0].local);
  EXPECT_EQ(t->indexes[0].attnums, std::vector<std::int16_t>{4}) << "INCLUDE columns stay out";
  EXPECT_FALSE(t->indexes[1].local);
  EXPECT_TRUE(t->indexes[1].primary);
  EXPECT_EQ(s->table("public", "country")->kind, TableKind::kReference);
  EXPECT_EQ(s->table("pg_catalog", "pg_class")->kind, TableKind::kCatalog);
  EXPECT_EQ(s->table("public", "big")->view_definition, "SELECT 1");
  EXPECT_TRUE(s->any_sharded());
  EXPECT_FALSE(s->collation(Oid(20300))->deterministic);
  const Keyspace* k = s->keyspace("ints");
  const auto seven = keys::KeyValue::of_integer(keys::KeyType::kInt8, 7);
  EXPECT_EQ(k->placement->place(seven).value(), ShardId(2));
}

TEST(Builder, takes_builtins_from_an_earlier_snapshot_of_the_same_version) {
  const SnapshotPtr before = make_test_snapshot();
  SnapshotBuilder builder(before);
  ASSERT_TRUE(builder.add_row(kQueryCluster,
                              TestRow{"test", "6", "150020", "UTF8", "C.UTF-8", "c", "", ""}));
  ASSERT_TRUE(
      builder.add_row(kQueryShards, TestRow{"1", "s1", "h1", "5432", "a", "", "t", "t", "7"}));
  const SnapshotPtr s = builder.finish().value();
  EXPECT_EQ(s->epoch, Epoch(6));
  EXPECT_EQ(s->resolve_functions({}, {"lower"}).size(), 2u);
  EXPECT_TRUE(s->table("pg_catalog", "pg_class")->column("oid"));
  EXPECT_EQ(s->table("public", "orders"), nullptr);
  EXPECT_TRUE(s->collation(Oid(950)));
}

TEST(Builder, refuses_what_is_inconsistent) {
  const auto error_of = [](std::size_t query, const TestRow& row) -> std::string {
    SnapshotBuilder builder;
    if (auto r = add_test_cluster(builder); !r) return r.error().detail;
    if (auto r = builder.add_row(query, row); !r) return r.error().detail;
    auto s = builder.finish();
    return s ? "fine" : s.error().detail;
  };
  EXPECT_EQ(error_of(kQuerySlotRanges, {"1", "5", "6", "2"}),
            "keyspace ints: slot 5 has two owners");
  EXPECT_EQ(error_of(kQuerySlotRanges, {"1", "4096", "4096", "2"}),
            "keyspace ints: slots 4096..4096");
  EXPECT_EQ(error_of(kQueryPlaced, {"20003", "sharded", "1", "1", "gone", std::nullopt}),
            "table public.note has no key column gone");
  EXPECT_EQ(error_of(kQueryPins, {"1", "7"}), "query 4 gave 2 columns");
  SnapshotBuilder empty;
  EXPECT_EQ(empty.finish().error().sqlstate, "XX000");
}

}  // namespace
}  // namespace shoal::catalog
