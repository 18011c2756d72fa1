// Random values by type, the server's answer, samples of rows.
#include "control/selftest.h"

#include <random>

#include "control/audit.h"
#include "control/work.h"

namespace shoal::control {
namespace {

using keys::KeyType;
constexpr std::size_t kExamples = 10;

// Texts that PostgreSQL reads as values of the type; the first ones are the difficult ones.
class Values {
 public:
  std::string text(KeyType type, std::uint64_t n) {
    const std::vector<std::string>& hard = difficult(type);
    return n < hard.size() ? hard[n] : random(type);
  }

 private:
  static const std::vector<std::string>& difficult(KeyType type) {
    static const std::vector<std::string> kInt2{"0", "-1", "1", "32767", "-32768"},
        kInt4{"0", "-1", "1", "2147483647", "-2147483648"},
        kInt8{"0",
              "-1",
              "4294967295",
              "4294967296",
              "-4294967296",
              "9223372036854775807",
              "-9223372036854775808"},
        kTexts{"",
               " ",
               "a ",
               "a",
               "A",
               "\xC3\xA4",
               "a\xCC\x88",
               "0123456789ab",
               "0123456789abc",
               "\xF0\x9F\x90\xA0"},
        kNumeric{"0", "-0", "1", "1.0", "1.00", "-1", "10000", "0.0001", "NaN", "1e20", "1e-20"},
        kFloat{"0", "-0", "NaN", "Infinity", "-Infinity", "1.5", "1e300"},
        kFloat4{"0", "-0", "NaN", "Infinity", "0.1", "1e30"},
        kDate{"2000-01-01", "infinity", "-infinity", "0001-01-01", "4713-01-01 BC"},
        kTimestamp{"2000-01-01 00:00:00", "infinity", "-infinity", "1999-12-31 23:59:59.999999"},
        kTime{"00:00:00", "24:00:00", "23:59:59.999999"}, kBool{"t", "f"},
        kUuid{"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"},
        kBytea{"\\x", "\\x00", "\\xff00ff00ff00ff00ff00ff00ff"}, kOid{"0", "4294967295"};
    switch (type) {
      case KeyType::kInt2:
        return kInt2;
      case KeyType::kInt4:
        return kInt4;
      case KeyType::kInt8:
        return kInt8;
      case KeyType::kText:
      case KeyType::kVarchar:
      case KeyType::kBpchar:
      case KeyType::kName:
        return kTexts;
      case KeyType::kNumeric:
        return kNumeric;
      case KeyType::kFloat8:
        return kFloat;
      case KeyType::kFloat4:
        return kFloat4;
      case KeyType::kDate:
        return kDate;
      case KeyType::kTimestamp:
      case KeyType::kTimestamptz:
        return kTimestamp;
      case KeyType::kTime:
        return kTime;
      case KeyType::kBool:
        return kBool;
      case KeyType::kUuid:
        return kUuid;
      case KeyType::kBytea:
        return kBytea;
      case KeyType::kOid:
        return kOid;
    }
    return kTexts;
  }

  std::uint64_t below(std::uint64_t n) {
    return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(chance_);
  }
  std::string hex(std::size_t bytes) {
    std::string out;
    for (std::size_t i = 0; i < bytes; ++i) out += fmt::format("{:02x}", below(256));
    return out;
  }

  std::string random(KeyType type) {
    const auto any = static_cast<std::int64_t>(chance_());
    switch (type) {
      case KeyType::kInt2:
        return std::to_string(static_cast<std::int16_t>(any));
      case KeyType::kInt4:
        return std::to_string(static_cast<std::int32_t>(any));
      case KeyType::kInt8:
        return std::to_string(any >> below(64));
      case KeyType::kOid:
        return std::to_string(below(std::uint64_t{1} << 32));
      case KeyType::kNumeric:
        return fmt::format("{}.{:09}", any >> below(64), below(1'000'000'000));
      case KeyType::kFloat4:
      case KeyType::kFloat8:
        return fmt::format("{}", static_cast<float>(any >> below(64)) / 7.0F);
      case KeyType::kDate:
        return keys::to_text(
            keys::KeyValue::of_integer(type, static_cast<std::int64_t>(below(200'000)) - 100'000));
      case KeyType::kTimestamp:
      case KeyType::kTimestamptz:
        return keys::to_text(keys::KeyValue::of_integer(
            type, static_cast<std::int64_t>(below(8'000'000'000'000'000)) - 4'000'000'000'000'000));
      case KeyType::kTime:
        return keys::to_text(
            keys::KeyValue::of_integer(type, static_cast<std::int64_t>(below(86'400'000'000))));
      case KeyType::kBool:
        return below(2) == 0 ? "f" : "t";
      case KeyType::kUuid:
        return hex(16);
      case KeyType::kBytea:
        return "\\x" + hex(below(40));
      case KeyType::kName:
        return hex(below(20));
      case KeyType::kText:
      case KeyType::kVarchar:
      case KeyType::kBpchar:
        break;
    }
    return hex(below(30)) + std::string(below(3), ' ');
  }

  std::mt19937_64 chance_{20'000'101};
};

class Tester {
 public:
  Tester(AuditWorld world, const catalog::Keyspace& keyspace)
      : world_(std::move(world)), keyspace_(keyspace) {}

  Result<> against_server(Pq& home, std::uint64_t values);
  Result<> against_rows(std::uint64_t sample);
  Result<> against_expectations(const std::vector<Expectation>& expectations);
  KeyspaceReport report;

 private:
  void example(std::string text) {
    if (report.examples.size() < kExamples) report.examples.push_back(std::move(text));
  }
  Result<> rows_of(Pq& shard, const AuditServer& at, const AuditTable& t, std::uint64_t sample);

  AuditWorld world_;
  const catalog::Keyspace& keyspace_;
};

// For our slot r the server must say that the value satisfies (slots, r); for another it cannot.
Result<> Tester::against_server(Pq& home, std::uint64_t values) {
  const keys::KeyFunction& f = *keyspace_.placement->function;
  const bool ours = f.name() == "postgres" ||
                    (f.name() == "pgdog" && keyspace_.params.find("sha1") == std::string::npos);
  if (!ours) return {};
  std::string columns, list, arguments;
  for (std::size_t i = 0; i < keyspace_.types.size(); ++i) {
    const std::string_view type = keys::type_name(keyspace_.types[i]);
    columns += fmt::format("{}k{} pg_catalog.{}", i == 0 ? "" : ", ", i, type);
    list += fmt::format("{}k{}", i == 0 ? "" : ", ", i);
    arguments += fmt::format(", v.k{}::pg_catalog.{}", i, type);
  }
  SHOAL_TRY(home.query(
      fmt::format("CREATE TEMP TABLE shoal_keys ({}) PARTITION BY HASH ({})", columns, list)));
  Values make;
  for (std::uint64_t done = 0; done < values;) {
    std::string rows;
    std::vector<std::string> shown;
    for (std::uint64_t i = 0; i < 500 && done < values; ++i, ++done) {
      std::vector<keys::KeyValue> key;
      std::string row;
      for (const KeyType type : keyspace_.types) {
        const std::string text = make.text(type, done);
        auto value = keys::parse_text(type, text);
        if (!value) return std::move(value).error();
        key.push_back(std::move(*value));
        row += ", " + quote_literal(text);
      }
      auto slot = f.slot(key);
      if (!slot) return std::move(slot).error();
      rows += fmt::format("{}({}, {}{})", rows.empty() ? "" : ", ", shown.size(), slot->value, row);
      shown.push_back(keys::canonical_text(key));
    }
    auto wrong = home.query(fmt::format(
        "SELECT n FROM (VALUES {}) v(n, slot, {}) WHERE NOT pg_catalog.satisfies_hash_partition("
        "'pg_temp.shoal_keys'::pg_catalog.regclass, {}, v.slot{})",
        rows, list, f.slot_count(), arguments));
    if (!wrong) return std::move(wrong).error();
    report.server_values += shown.size();
    report.server_differ += wrong->rows.size();
    for (std::size_t i = 0; i < wrong->rows.size(); ++i) {
      example(fmt::format("the server puts {} into another slot",
                          shown.at(std::stoul(cell(*wrong, i, 0)))));
    }
  }
  return {};
}

Result<> Tester::rows_of(Pq& shard, const AuditServer& at, const AuditTable& t,
                         std::uint64_t sample) {
  auto size = shard.query(fmt::format(
      "SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::float8 FROM pg_catalog.pg_class c"
      " WHERE c.oid = pg_catalog.to_regclass({0}) OR c.oid IN (SELECT relid FROM"
      " pg_catalog.pg_partition_tree(pg_catalog.to_regclass({0})))",
      quote_literal(t.quoted)));
  if (!size) return std::move(size).error();
  ScanSpec spec;
  spec.table = t.quoted;
  for (const std::string& c : t.key) spec.columns.push_back(quote_ident(c));
  spec.sample = sample;
  spec.estimate = std::stod(cell(*size, 0, 0));
  const auto each = [&](const std::vector<ScanRow>& rows) -> Result<> {
    for (const ScanRow& row : rows) {
      ++report.rows;
      auto key = parse_key(t.types, row);
      if (!key) return std::move(key).error();
      const auto owner = keyspace_.placement->place(*key);
      if (owner && *owner == at.id) continue;
      ++(owner ? report.rows_differ : report.rows_without_place);
      const AuditServer* right = owner ? world_.server(*owner) : nullptr;
      example(fmt::format("{} {} is on {} and belongs {}", t.name, keys::canonical_text(*key),
                          at.name, right ? "on " + right->name : "nowhere"));
    }
    return {};
  };
  auto scanned = scan_rows(shard, spec, each);
  if (!scanned) return std::move(scanned).error();
  return {};
}

Result<> Tester::against_rows(std::uint64_t sample) {
  if (sample == 0) return {};
  for (const AuditServer& at : world_.servers) {
    auto shard = Pq::connect(at.dsn, std::chrono::seconds(10), "shoal keyspace test");
    if (!shard) return std::move(shard).error();
    SHOAL_TRY(set_key_settings(*shard));
    for (const AuditTable& t : world_.all_tables) {
      if (t.keyspace == keyspace_.id) SHOAL_TRY(rows_of(*shard, at, t, sample));
    }
  }
  return {};
}

Result<> Tester::against_expectations(const std::vector<Expectation>& expectations) {
  for (const Expectation& e : expectations) {
    ScanRow row(e.key.begin(), e.key.end());
    if (row.size() != keyspace_.types.size()) {
      return refuse(Refusal::kKeyValue, fmt::format("key {}: {} columns are needed",
                                                    pack_key(e.key), keyspace_.types.size()));
    }
    auto key = parse_key(keyspace_.types, row);
    if (!key) return std::move(key).error();
    const auto owner = keyspace_.placement->place(*key);
    const AuditServer* at = owner ? world_.server(*owner) : nullptr;
    ++report.expected;
    if (at && at->name == e.shard) continue;
    ++report.expected_differ;
    example(fmt::format("{} was expected on {} and belongs {}", pack_key(e.key), e.shard,
                        at ? "on " + at->name : "nowhere"));
  }
  return {};
}

}  // namespace

Result<KeyspaceReport> run_keyspace_test(const std::string& catalog_dsn, const std::string& name,
                                         std::uint64_t values, std::uint64_t sample,
                                         const std::vector<Expectation>& expectations) {
  auto home = Pq::connect(catalog_dsn, std::chrono::seconds(10), "shoal keyspace test");
  if (!home) return std::move(home).error();
  AuditOptions all;
  auto world = read_audit_world(*home, all);
  if (!world) return std::move(world).error();
  const catalog::SnapshotPtr snapshot = world->snapshot;
  const catalog::Keyspace* keyspace = snapshot->keyspace(name);
  if (!keyspace) return refuse(Refusal::kUnknownKeyspace, fmt::format("\"{}\"", name));
  Tester tester(std::move(*world), *keyspace);
  SHOAL_TRY(tester.against_server(*home, values));
  SHOAL_TRY(tester.against_rows(sample));
  SHOAL_TRY(tester.against_expectations(expectations));
  return std::move(tester.report);
}

}  // namespace shoal::control
