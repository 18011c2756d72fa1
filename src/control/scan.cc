// A cursor, read in batches.
#include "control/scan.h"

#include <thread>

namespace shoal::control {
namespace {

constexpr int kBatch = 5'000;

std::string scan_query(const ScanSpec& spec) {
  std::string list;
  for (const std::string& c : spec.columns) {
    list += fmt::format("{}({})::pg_catalog.text", list.empty() ? "" : ", ", c);
  }
  std::string sql = fmt::format("SELECT {} FROM {}", list, spec.table);
  if (spec.sample > 0 && spec.estimate > 20.0 * static_cast<double>(spec.sample)) {
    // Twice as many pages as needed: estimates are old, and pages differ.
    const double percent = 200.0 * static_cast<double>(spec.sample) / spec.estimate;
    sql += fmt::format(" TABLESAMPLE SYSTEM ({:.6f}) REPEATABLE (1)", std::min(percent, 100.0));
  }
  if (!spec.where.empty()) sql += " WHERE " + spec.where;
  if (spec.sample > 0) sql += fmt::format(" LIMIT {}", spec.sample);
  return sql;
}

}  // namespace

void RowRate::took(std::uint64_t rows) {
  rows_ += rows;
  if (per_second_ == 0) return;
  const auto due = begun_ + std::chrono::microseconds(rows_ * 1'000'000 / per_second_);
  std::this_thread::sleep_until(due);
}

Result<> set_key_settings(Pq& shard) {
  SHOAL_TRY(shard.query(
      "SET DateStyle = 'ISO, YMD'; SET TimeZone = 'UTC'; SET IntervalStyle = postgres;"
      " SET extra_float_digits = 1; SET bytea_output = hex; SET search_path = '';"
      " SET row_security = off; SET statement_timeout = 0; SET idle_in_transaction_session_timeout"
      " = 0; SET default_transaction_read_only = off"));
  return {};
}

Result<std::vector<keys::KeyValue>> parse_key(const std::vector<keys::KeyType>& types,
                                              const ScanRow& row, std::size_t first) {
  keys::ParseSettings settings;
  settings.date_order = keys::ParseSettings::DateOrder::kYmd;
  std::vector<keys::KeyValue> key;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const std::optional<std::string>& text = row.at(first + i);
    if (!text) return refuse(Refusal::kNullKey, "a row has no key");
    auto value = keys::parse_text(types[i], *text, settings);
    if (!value) return std::move(value).error();
    key.push_back(std::move(*value));
  }
  return key;
}

Result<std::uint64_t> scan_rows(Pq& shard, const ScanSpec& spec,
                                const std::function<Result<>(const std::vector<ScanRow>&)>& each) {
  SHOAL_TRY(shard.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  RowRate rate(spec.rate);
  std::uint64_t total = 0;
  const auto run = [&]() -> Result<> {
    SHOAL_TRY(shard.query("DECLARE shoal_scan NO SCROLL CURSOR FOR " + scan_query(spec)));
    // A limited rate in small steps, so that nobody waits long for a whole batch.
    const std::uint64_t step =
        spec.rate > 0 ? std::clamp<std::uint64_t>(spec.rate / 4, 1, kBatch) : kBatch;
    const std::string fetch = fmt::format("FETCH {} FROM shoal_scan", step);
    while (true) {
      if (spec.stop != nullptr && spec.stop->load()) return make_error("57014", "stopped");
      auto rows = shard.query(fetch);
      if (!rows) return std::move(rows).error();
      if (rows->rows.empty()) return {};
      total += rows->rows.size();
      SHOAL_TRY(each(rows->rows));
      rate.took(rows->rows.size());
    }
  };
  auto done = run();
  if (shard.connected()) {
    auto ended = shard.query(done ? "COMMIT" : "ROLLBACK");
    if (done && !ended) return std::move(ended).error();
  }
  if (!done) return std::move(done).error();
  return total;
}

}  // namespace shoal::control
