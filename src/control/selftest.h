// Does a keyspace's function say what the server says? Where the function is PostgreSQL's own,
// random and difficult values are given to satisfies_hash_partition; for every function the rows
// that are there must lie where it puts them, and stated expectations must hold. Thread rule:
// blocks.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace shoal::control {

struct Expectation {
  std::vector<std::string> key;  // a text for each column
  std::string shard;
};

struct KeyspaceReport {
  std::uint64_t server_values = 0, server_differ = 0;  // 0: the server has no such function
  std::uint64_t rows = 0, rows_differ = 0, rows_without_place = 0;
  std::uint64_t expected = 0, expected_differ = 0;
  std::vector<std::string> examples;  // of what differs
  bool good() const {
    return server_differ + rows_differ + rows_without_place + expected_differ == 0;
  }
};

// values: how many random ones; sample: rows of each table and shard.
Result<KeyspaceReport> run_keyspace_test(const std::string& catalog_dsn, const std::string& name,
                                         std::uint64_t values, std::uint64_t sample,
                                         const std::vector<Expectation>& expectations);

}  // namespace shoal::control
