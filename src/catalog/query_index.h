// Names of the positions in snapshot_queries(); used by queries.cc and builder.cc only.
// Thread rule: constants.
#pragma once
#include <cstddef>

namespace shoal::catalog {

enum QueryIndex : std::size_t {
  kQueryCluster,
  kQueryShards,
  kQueryKeyspaces,
  kQuerySlotRanges,
  kQueryPins,
  kQueryPlaced,
  kQuerySchemas,
  kQueryClasses,
  kQueryColumns,
  kQueryIndexes,
  kQueryTypes,
  kQueryFunctions,
  kQueryCollations,
  kQueryTableRules,
  kQueryBuiltinClasses,
  kQueryBuiltinColumns,
  kQueryBuiltinTypes,
  kQueryBuiltinFunctions,
  kQueryBuiltinCollations,
  kQueryCount,
};

}  // namespace shoal::catalog
