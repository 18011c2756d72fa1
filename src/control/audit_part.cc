// Reading parts, and their rows in the catalog.
#include "control/audit_part.h"

#include <charconv>

#include "control/work.h"

namespace shoal::control {
namespace {

constexpr std::uint64_t kPartPages = 65'536;  // 512 MB
constexpr std::uint32_t kMostSlots = 65'536;  // keyspaces with more are not counted by slot

std::uint64_t to_number(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Result<> add_table(Pq& server, const AuditServer& at, const AuditTable& table, std::size_t index,
                   bool by_pages, std::vector<AuditPart>& out) {
  auto rows = server.query(fmt::format(
      "SELECT k.oid::pg_catalog.regclass::pg_catalog.text, pg_catalog.pg_relation_size(k.oid) /"
      " pg_catalog.current_setting('block_size')::int8, greatest(k.reltuples::float8, 0)"
      " FROM pg_catalog.pg_class k WHERE k.relkind = 'r' AND (k.oid = pg_catalog.to_regclass({0})"
      " OR k.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass({0}))))"
      " ORDER BY 1",
      quote_literal(table.quoted)));
  if (!rows) return std::move(rows).error();
  if (rows->rows.empty() && at.is_shard) {
    auto exists = server.query(
        fmt::format("SELECT pg_catalog.to_regclass({}) IS NULL", quote_literal(table.quoted)));
    if (!exists) return std::move(exists).error();
    if (cell(*exists, 0, 0) == "t") {
      return make_error("42P01", fmt::format("{} does not exist there", table.name));
    }
  }
  for (std::size_t i = 0; i < rows->rows.size(); ++i) {
    AuditPart part;
    part.table = index;
    part.relation = cell(*rows, i, 0);
    part.rows = std::stod(cell(*rows, i, 2));
    const std::uint64_t pages = to_number(cell(*rows, i, 1));
    if (!by_pages || pages <= kPartPages) {
      part.name = part.relation;
      out.push_back(std::move(part));
      continue;
    }
    const std::uint64_t parts = (pages + kPartPages - 1) / kPartPages;
    part.rows /= static_cast<double>(parts);
    for (std::uint64_t p = 0; p < parts; ++p) {
      part.name = fmt::format("{}/{}", part.relation, p * kPartPages);
      part.where = fmt::format("ctid >= '({},0)'::pg_catalog.tid", p * kPartPages);
      if (p + 1 < parts) {  // the last one includes what is appended meanwhile
        part.where += fmt::format(" AND ctid < '({},0)'::pg_catalog.tid", (p + 1) * kPartPages);
      }
      out.push_back(part);
    }
  }
  return {};
}

std::string quoted_or_null(const AuditWorld& world, ShardId id) {
  const AuditServer* s = world.server(id);
  return s ? quote_literal(s->name) : "NULL";
}

}  // namespace

Result<std::vector<AuditPart>> list_parts(Pq& server, const AuditServer& at,
                                          const AuditWorld& world) {
  // Only since version 14 a server reads a range of pages without reading the others.
  auto version = server.query("SELECT pg_catalog.current_setting('server_version_num')");
  if (!version) return std::move(version).error();
  const bool by_pages = to_number(cell(*version, 0, 0)) >= 140'000;
  std::vector<AuditPart> out;
  for (std::size_t i = 0; i < world.tables.size(); ++i) {
    SHOAL_TRY(add_table(server, at, world.tables[i], i, by_pages, out));
  }
  return out;
}

Result<PartResult> read_part(Pq& server, const AuditServer& at, const AuditWorld& world,
                             const AuditPart& part, const AuditOptions& options,
                             const std::function<void(std::uint64_t)>& on_rows) {
  const AuditTable& table = world.tables[part.table];
  const keys::Placement& placement = *world.snapshot->keyspace(table.keyspace)->placement;
  const bool by_slot = placement.map.slot_count() <= kMostSlots;
  ScanSpec spec;
  spec.table = "ONLY " + part.relation;
  for (const std::string& c : table.key) spec.columns.push_back(quote_ident(c));
  spec.where = part.where;
  spec.rate = options.rate;
  spec.stop = options.stop;
  PartResult out;
  const auto each = [&](const std::vector<ScanRow>& rows) -> Result<> {
    for (const ScanRow& row : rows) {
      ++out.count.rows;
      auto key = parse_key(table.types, row);
      if (!key) {
        if (key.error().sqlstate != "23502") return std::move(key).error();
        ++out.count.without_key;
        continue;
      }
      if (by_slot) {
        if (const auto slot = placement.function->slot(*key)) ++out.slots[slot->value];
      }
      const auto owner = placement.place(*key);
      if (owner && at.is_shard && *owner == at.id) continue;
      ++(owner ? out.count.misplaced : out.count.without_place);
      std::vector<std::string> texts;
      for (const auto& text : row) texts.push_back(*text);
      PartResult::Key& found = out.misplaced[pack_key(texts)];
      ++found.rows;
      found.belongs = owner ? *owner : ShardId(-1);
    }
    on_rows(rows.size());
    return {};
  };
  auto scanned = scan_rows(server, spec, each);
  if (!scanned) return std::move(scanned).error();
  return out;
}

Result<> record_part(Pq& catalog, std::int64_t job, const AuditServer& at, const AuditWorld& world,
                     const AuditPart& part, const PartResult& result) {
  const AuditTable& table = world.tables[part.table];
  SHOAL_TRY(catalog.query("BEGIN"));
  const auto write = [&]() -> Result<> {
    SHOAL_TRY(catalog.query(fmt::format(
        "INSERT INTO shoal.audit_part (job, shard, relation, part, rows, misplaced, without_key,"
        " without_place) VALUES ({}, {}, {}::oid, {}, {}, {}, {}, {})",
        job, quote_literal(at.name), table.oid.value, quote_literal(part.name), result.count.rows,
        result.count.misplaced, result.count.without_key, result.count.without_place)));
    std::string values;
    const auto flush = [&](const char* into, const char* conflict) -> Result<> {
      if (values.empty()) return {};
      SHOAL_TRY(catalog.query(fmt::format("INSERT INTO {} VALUES {} {}", into, values, conflict)));
      values.clear();
      return {};
    };
    constexpr const char* kFindings =
        "shoal.audit_finding AS f (job, shard, relation, key, belongs, rows)";
    constexpr const char* kAddRows =
        "ON CONFLICT (job, shard, relation, key) DO UPDATE SET rows = f.rows + excluded.rows";
    for (const auto& [key, found] : result.misplaced) {
      values += fmt::format("{}({}, {}, {}::oid, {}, {}, {})", values.empty() ? "" : ", ", job,
                            quote_literal(at.name), table.oid.value, quote_literal(key),
                            quoted_or_null(world, found.belongs), found.rows);
      if (values.size() > 200'000) SHOAL_TRY(flush(kFindings, kAddRows));
    }
    SHOAL_TRY(flush(kFindings, kAddRows));
    // In the order of slots, so that two writers never wait for each other.
    const std::map<std::uint32_t, std::uint64_t> slots(result.slots.begin(), result.slots.end());
    for (const auto& [slot, rows] : slots) {
      values += fmt::format("{}({}, {}, {}, {})", values.empty() ? "" : ", ", job,
                            table.keyspace.value, slot, rows);
    }
    return flush("shoal.slot_count AS c (job, keyspace, slot, rows)",
                 "ON CONFLICT (job, keyspace, slot) DO UPDATE SET rows = c.rows + excluded.rows");
  };
  auto done = write();
  auto ended = catalog.query(done ? "COMMIT" : "ROLLBACK");
  if (!done) return std::move(done).error();
  if (!ended) return std::move(ended).error();
  return {};
}

Result<> compare_findings(Pq& catalog, std::int64_t job, Pq& server, const AuditServer& at,
                          const AuditWorld& world, const AuditOptions& options,
                          const std::function<void(std::uint64_t)>& on_keys) {
  std::map<std::string, Pq> targets;
  while (true) {
    auto rows = catalog.query(fmt::format(
        "SELECT relation::oid::int8, key, belongs FROM shoal.audit_finding WHERE job = {} AND"
        " shard = {} AND NOT compared ORDER BY relation, key LIMIT 200",
        job, quote_literal(at.name)));
    if (!rows) return std::move(rows).error();
    if (rows->rows.empty()) return {};
    std::string updates;
    for (std::size_t i = 0; i < rows->rows.size(); ++i) {
      if (options.stop != nullptr && options.stop->load()) return make_error("57014", "stopped");
      const std::string oid = cell(*rows, i, 0), key = cell(*rows, i, 1),
                        belongs = cell(*rows, i, 2);
      const auto table =
          std::find_if(world.all_tables.begin(), world.all_tables.end(),
                       [&](const AuditTable& t) { return std::to_string(t.oid.value) == oid; });
      AuditCount count;
      if (table != world.all_tables.end() && !belongs.empty()) {
        if (!targets.contains(belongs)) {
          auto c = Pq::connect(world.server(belongs)->dsn, std::chrono::seconds(10), "shoal audit");
          if (!c) return std::move(c).error();
          SHOAL_TRY(set_key_settings(*c));
          targets[belongs] = std::move(*c);
        }
        const auto parts = table->key.size() > 1 ? unpack_key(key) : std::vector<std::string>{key};
        auto here = read_key_rows(server, *table, parts, false, 0);
        if (!here) return std::move(here).error();
        std::vector<bool> same, conflicting;
        auto compared = compare_rows(targets[belongs], *table, *here, &same, &conflicting);
        if (!compared) return std::move(compared).error();
        count = *compared;
      }
      updates += fmt::format(
          "UPDATE shoal.audit_finding SET compared = true, duplicates = {}, conflicts = {} WHERE"
          " job = {} AND shard = {} AND relation = {}::oid AND key = {};",
          count.duplicates, count.conflicts, job, quote_literal(at.name), oid, quote_literal(key));
    }
    SHOAL_TRY(catalog.query(updates));
    on_keys(rows->rows.size());
  }
}

}  // namespace shoal::control
