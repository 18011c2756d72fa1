// What is known of the functions that a statement calls.
#include "route/functions.h"

#include <algorithm>
#include <array>
#include <span>

namespace shoal::route {
namespace {

using Names = std::span<const std::string_view>;

bool contains(Names names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool starts_with(std::string_view name, std::string_view prefix) {
  return name.substr(0, prefix.size()) == prefix;
}

// Another value for each row, but nothing that anybody else could see.
constexpr std::array<std::string_view, 8> kPerRow{
    "random",        "gen_random_uuid", "clock_timestamp", "timeofday",
    "random_normal", "pg_sleep",        "pg_sleep_for",    "pg_sleep_until"};

// The same within a transaction. age(x) and the date arithmetic of timestamptz need no entry but
// for age's form with one argument.
constexpr std::array<std::string_view, 8> kMoment{
    "now",          "transaction_timestamp", "statement_timestamp", "age", "current_timestamp",
    "current_date", "current_time",          "localtimestamp"};

// Stable functions that answer from the session's settings or identity, which are the same on every
// shard, or that only convert values.
constexpr std::array<std::string_view, 16> kSessionStable{"current_setting",
                                                          "current_schema",
                                                          "current_schemas",
                                                          "to_char",
                                                          "to_timestamp",
                                                          "to_date",
                                                          "to_number",
                                                          "date_trunc",
                                                          "date_part",
                                                          "extract",
                                                          "timezone",
                                                          "date",
                                                          "time",
                                                          "timetz",
                                                          "timestamptz",
                                                          "timestamp"};

// Answers that a workspace connection on home can give as well as the session's own.
constexpr std::array<std::string_view, 17> kHomeFacts{"pg_typeof",
                                                      "pg_column_size",
                                                      "pg_collation_for",
                                                      "current_database",
                                                      "version",
                                                      "format_type",
                                                      "obj_description",
                                                      "col_description",
                                                      "shobj_description",
                                                      "pg_get_viewdef",
                                                      "pg_get_constraintdef",
                                                      "pg_get_indexdef",
                                                      "pg_get_expr",
                                                      "pg_table_is_visible",
                                                      "pg_encoding_to_char",
                                                      "pg_get_userbyid",
                                                      "pg_get_serial_sequence"};

constexpr std::array<std::string_view, 9> kSizes{
    "pg_total_relation_size", "pg_relation_size",  "pg_table_size",
    "pg_indexes_size",        "pg_database_size",  "pg_tablespace_size",
    "pg_terminate_backend",   "pg_cancel_backend", "pg_relation_filepath"};

constexpr std::array<std::string_view, 10> kOrderFree{
    "count", "min", "max", "sum", "avg", "bool_and", "bool_or", "every", "bit_and", "bit_or"};

constexpr std::array<std::string_view, 6> kSystemColumns{"ctid", "xmin", "xmax",
                                                         "cmin", "cmax", "tableoid"};

constexpr std::uint32_t kBool = 16, kBytea = 17, kName = 19, kInt8 = 20, kInt2 = 21, kInt4 = 23,
                        kText = 25, kOid = 26, kVarchar = 1043, kDate = 1082, kTime = 1083,
                        kTimestamp = 1114, kTimestamptz = 1184, kUuid = 2950;

}  // namespace

Effects effects_of_builtin(std::string_view name, catalog::Volatility volatility) {
  Effects out;
  if (contains(kPerRow, name)) {
    out.row_volatile = true;
  } else if (contains(kMoment, name)) {
    out.moment = true;
  } else if (contains(kHomeFacts, name) || starts_with(name, "has_") ||
             starts_with(name, "to_reg")) {
    out.home = true;
  } else if (volatility == catalog::Volatility::kVolatile) {
    out.home = out.home_action = true;
  } else if (volatility == catalog::Volatility::kStable) {
    const bool about_server =
        starts_with(name, "pg_") || starts_with(name, "inet_") || starts_with(name, "txid_") ||
        starts_with(name, "query_to_") || starts_with(name, "table_to_") ||
        starts_with(name, "schema_to_") || starts_with(name, "database_to_") ||
        starts_with(name, "cursor_to_") || starts_with(name, "ts_stat") || name == "currval";
    if (about_server && !contains(kSessionStable, name)) out.home = out.home_action = true;
  }
  return out;
}

bool hides_rows(const catalog::Snapshot& snapshot, const SessionFacts& session) {
  return session.scope_key || (snapshot.any_sharded() && snapshot.active_shards().size() > 1);
}

bool describes_one_server(std::string_view name) {
  // The texts that these run are out of the router's sight.
  for (const std::string_view prefix : {"query_to_", "table_to_", "schema_to_", "database_to_"}) {
    if (starts_with(name, prefix)) return true;
  }
  return contains(kSizes, name) || starts_with(name, "pg_stat_") || name == "ts_stat" ||
         name == "ts_rewrite";
}

bool counts_one_server(std::string_view relation) {
  return starts_with(relation, "pg_stat_") || starts_with(relation, "pg_statio_") ||
         relation == "pg_locks" || relation == "pg_prepared_xacts" || relation == "pg_stats";
}

bool order_insensitive_aggregate(std::string_view name) {
  return contains(kOrderFree, name);
}

bool equal_is_identical(Oid type) {
  switch (type.value) {
    case kBool:
    case kBytea:
    case kName:
    case kInt8:
    case kInt2:
    case kInt4:
    case kText:
    case kOid:
    case kVarchar:
    case kDate:
    case kTime:
    case kTimestamp:
    case kTimestamptz:
    case kUuid:
      return true;
    default:
      return false;
  }
}

bool is_integer_type(Oid type) {
  return type.value == kInt2 || type.value == kInt4 || type.value == kInt8;
}

Oid common_type(Oid a, Oid b) {
  if (a == b) return a;
  const auto text = [](Oid t) { return t.value == kText || t.value == kVarchar; };
  if (is_integer_type(a) && is_integer_type(b)) {
    return Oid{a.value == kInt8 || b.value == kInt8 ? kInt8 : kInt4};
  }
  return text(a) && text(b) ? Oid{kText} : Oid{};
}

bool is_system_column(std::string_view name) {
  return contains(kSystemColumns, name);
}

}  // namespace shoal::route
