// For tests of rooms above: a small snapshot from rows written by hand, through the real builder.
// Thread rule: plain functions.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/builder.h"
#include "catalog/query_index.h"

namespace shoal::catalog {

using TestRow = std::vector<std::optional<std::string_view>>;

// Two active shards s1 (home) and s2, a resting s3, keyspace 1 "ints" (postgres, int8, 4096 slots)
// with slots 0..2047 on s1, 2048..4095 on s2 and a pin of 7 to s2; public.orders sharded by
// tenant_id, public.country reference, public.note single, app.orders single, pg_catalog.pg_class.
Result<> add_test_cluster(SnapshotBuilder& builder);
SnapshotPtr make_test_snapshot();

}  // namespace shoal::catalog
