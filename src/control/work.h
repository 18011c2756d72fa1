// One call of a command while it runs: the client's transaction over the shards, the snapshot
// derived from it, and the ways to run SQL there. Used by the files of commands only. Thread rule:
// one core; lives in the frame of Commands::call.
#pragma once
#include <string>
#include <vector>

#include "backend/runner.h"
#include "control/commands.h"
#include "control/pq.h"

namespace shoal::control {

struct Work {
  backend::ShardRunner& runner;
  CatalogStore& store;
  catalog::SnapshotPtr snapshot;
  Change& change;

  std::vector<ShardId> others() const;  // active shards but home
  io::Task<Result<TextRows>> on(ShardId shard, std::string sql);
  io::Task<Result<TextRows>> home(std::string sql) { return on(snapshot->home, std::move(sql)); }
  io::Task<Result<>> everywhere(std::string sql);  // active shards, home first
  io::Task<Result<>> elsewhere(std::string sql);   // active shards but home
  // Through shoal.apply: with the catalog's rights, in the client's transaction.
  io::Task<Result<>> catalog(std::string sql);
  // Holds the tables on all routers, but for those that nobody else can see yet.
  io::Task<Result<>> hold(std::vector<Oid> tables);
  // 42501 unless the role is superuser or (a member of) the database's owner.
  io::Task<Result<>> require_administrator(std::string what);
  // Reads the snapshot again, with what this transaction has changed.
  io::Task<Result<>> refresh();
};

// Settings that texts of rows and definitions depend on, set for the work and put back after it.
class QuietSettings {
 public:
  io::Task<Result<>> begin(Work& work);
  io::Task<Result<>> end(Work& work);

 private:
  std::string restore_;
};

std::string cell(const TextRows& rows, std::size_t row, std::size_t column);
// Elements of a one-dimensional array in PostgreSQL's text form.
std::vector<std::string> array_elements(std::string_view text);
std::string array_literal(const std::vector<std::string>& elements);  // quoted for SQL, text[]
std::uint64_t affected_rows(const std::string& tag);                  // "DELETE 3" -> 3

}  // namespace shoal::control
