// Reading the keys of a table where it lies, past the router: batches of texts under fixed
// settings, from one snapshot, with a limit of rows per second. Thread rule: blocks; one thread for
// each connection.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/pq.h"
#include "keys/slot_map.h"

namespace shoal::control {

// Holds a reader back to `per_second` rows (0: no limit).
class RowRate {
 public:
  explicit RowRate(std::uint64_t per_second) : per_second_(per_second) {}
  void took(std::uint64_t rows);

 private:
  std::uint64_t per_second_, rows_ = 0;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

struct ScanSpec {
  std::string table;                 // quoted, with its schema
  std::vector<std::string> columns;  // SQL expressions, read as text
  std::string where;                 // empty: all rows
  std::uint64_t sample = 0;          // about so many rows from all over the table; 0: all
  double estimate = 0;               // rows of the table, for the sample
  std::uint64_t rate = 0;            // rows a second; 0: no limit
  const std::atomic<bool>* stop = nullptr;
};

using ScanRow = std::vector<std::optional<std::string>>;

// Gives batches to `each` until the end; its error ends the scan. The connection must not be in a
// transaction. Gives the number of rows. 57014 when stopped.
Result<std::uint64_t> scan_rows(Pq& shard, const ScanSpec& spec,
                                const std::function<Result<>(const std::vector<ScanRow>&)>& each);

// Settings under which texts of keys mean the same on every server.
Result<> set_key_settings(Pq& shard);

// A key from such texts. 23502 for NULL.
Result<std::vector<keys::KeyValue>> parse_key(const std::vector<keys::KeyType>& types,
                                              const ScanRow& row, std::size_t first = 0);

}  // namespace shoal::control
