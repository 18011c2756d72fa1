// Rows of the catalog and of home's pg_catalog -> Snapshot. The queries and the meaning of their
// rows live here, side by side; who runs them (control over libpq, exec inside a transaction with
// DDL) is not this room's business.
// Thread rule: one builder, one thread.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/snapshot.h"

namespace shoal::catalog {

// The queries to run on home, in order, inside one REPEATABLE READ READ ONLY transaction (or in
// the transaction whose own changes shall be seen). All results in text format.
// search_path must be empty meanwhile (definitions then come with every name qualified); they name
// everything in full themselves.
std::span<const std::string_view> snapshot_queries();
// Queries from this index on read what one server version never changes (built-in functions, types,
// catalogs): they may be left out when the builder was given an earlier snapshot.
std::size_t first_builtin_query();

class SnapshotBuilder {
 public:
  // `previous` may be null; otherwise its built-in objects are taken over. If finish() then says
  // that the server's version changed (SQLSTATE 55000), start again without it.
  explicit SnapshotBuilder(SnapshotPtr previous = nullptr);
  // One row of the result of snapshot_queries()[query]; nullopt = NULL. Views need only live during
  // the call. Errors: XX000 with what is inconsistent.
  Result<> add_row(std::size_t query, std::span<const std::optional<std::string_view>> row);
  // Resolves references and checks the whole. The builder is empty afterwards.
  Result<SnapshotPtr> finish();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace shoal::catalog
