// Asking a shard for its numbers and matching names.
#include "exec/type_map.h"

#include <charconv>

namespace shoal::exec {
namespace {

// Types, then relations (kind '-').
constexpr std::string_view kNumbers = R"(
SELECT t.oid, n.nspname, t.typname, t.typtype, t.typbasetype,
  CASE WHEN e.oid IS NULL THEN 0 ELSE t.typelem END, coalesce(r.inside, 0)
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
LEFT JOIN (SELECT rngtypid AS oid, rngsubtype AS inside FROM pg_catalog.pg_range
    UNION ALL SELECT (pg_catalog.to_jsonb(g)->>'rngmultitypid')::pg_catalog.oid, rngtypid
    FROM pg_catalog.pg_range g) r ON r.oid = t.oid
WHERE t.oid >= 16384 AND n.nspname !~ '^pg_(toast|temp_)'
UNION ALL
SELECT c.oid, n.nspname, c.relname, '-', 0, 0, 0
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND n.nspname !~ '^pg_(toast|temp_)')";
constexpr std::size_t kColumns = 7;

struct ShardType {
  std::string name;  // the key by which both sides find each other
  char kind = 'b';
  std::uint32_t base = 0, element = 0, inside = 0;
};
using ShardTypes = std::unordered_map<std::uint32_t, ShardType>;

std::string key_of(std::string_view schema, std::string_view name) {
  std::string key(schema);
  key += '\0';
  key += name;
  return key;
}

std::uint32_t number(const std::optional<std::string>& text) {
  std::uint32_t value = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

// Arrays are named by PostgreSQL, not always in the same way: their element tells who they are.
std::string array_key(std::string_view element) {
  return std::string(element) + "[]";
}

std::unordered_map<std::string, std::uint32_t> home_types(const catalog::Snapshot& snapshot) {
  std::unordered_map<std::string, std::uint32_t> by_key;
  for (const auto& [oid, t] : snapshot.types) {
    if (t.builtin()) continue;
    const catalog::Type* element =
        t.element.value != 0 && t.category == 'A' ? snapshot.type(t.element) : nullptr;
    if (element && !element->builtin())
      by_key.try_emplace(array_key(key_of(element->schema, element->name)), oid.value);
    else
      by_key.try_emplace(key_of(t.schema, t.name), oid.value);
  }
  return by_key;
}

wire::MappedType shape_of(const ShardTypes& types, std::uint32_t oid, int depth = 0) {
  static const wire::OidDirection kBuiltin(0);
  if (oid < wire::kFirstUserOid) return kBuiltin.type(oid);
  const auto found = types.find(oid);
  if (found == types.end() || depth > 100) return {};
  const ShardType& t = found->second;
  if (t.element != 0) return {0, wire::OidShape::kArray, 0};
  switch (t.kind) {
    case 'c':
      return {0, wire::OidShape::kRecord, 0};
    case 'd':
      return shape_of(types, t.base, depth + 1);
    case 'r':
    case 'm':
      if (shape_of(types, t.inside, depth + 1).shape == wire::OidShape::kNone) return {};
      return {0, t.kind == 'r' ? wire::OidShape::kRange : wire::OidShape::kMultirange, t.inside};
    default:
      return {};
  }
}

}  // namespace

Result<std::shared_ptr<const wire::OidMap>> make_type_map(const catalog::Snapshot& snapshot,
                                                          const backend::TextRows& rows) {
  auto map = std::make_shared<wire::OidMap>();
  ShardTypes types;
  for (const auto& row : rows.rows) {
    if (row.size() != kColumns || !row[1] || !row[2] || !row[3] || row[3]->empty())
      return make_error("XX000", "a shard's list of types cannot be read");
    const std::uint32_t oid = number(row[0]);
    if (row[3]->front() == '-') {
      const catalog::Table* table = snapshot.table(*row[1], *row[2]);
      if (!table) continue;
      map->to_home.add_relation(oid, table->oid.value);
      map->to_shard.add_relation(table->oid.value, oid);
      continue;
    }
    types[oid] = {key_of(*row[1], *row[2]), row[3]->front(), number(row[4]), number(row[5]),
                  number(row[6])};
  }
  const auto home = home_types(snapshot);
  std::unordered_map<std::uint32_t, std::uint32_t> both;
  for (const auto& [oid, t] : types) {
    const auto element = t.element != 0 ? types.find(t.element) : types.end();
    const auto found = home.find(element == types.end() ? t.name : array_key(element->second.name));
    if (found != home.end()) both[oid] = found->second;
  }
  for (const auto& [oid, other] : both) {
    wire::MappedType type = shape_of(types, oid);
    const std::uint32_t inner = type.inner;
    type.other = other;
    map->to_home.add_type(oid, type);
    type.other = oid;
    if (const auto inside = both.find(inner); inside != both.end()) type.inner = inside->second;
    map->to_shard.add_type(other, type);
  }
  if (map->identity() && both.size() == types.size()) return std::shared_ptr<const wire::OidMap>();
  return std::shared_ptr<const wire::OidMap>(std::move(map));
}

std::uint64_t TypeMaps::fingerprint_of(const catalog::Snapshot& snapshot) {
  if (epoch_ == snapshot.epoch && fingerprint_ != 0) return fingerprint_;
  const std::hash<std::string> hash;
  std::uint64_t sum = 1;  // sums do not mind the order
  for (const auto& [oid, t] : snapshot.types) {
    if (t.builtin()) continue;
    sum += hash(fmt::format("t {} {}.{} {} {} {}", oid.value, t.schema, t.name, t.typtype,
                            t.base.value, t.element.value));
  }
  for (const auto& [oid, t] : snapshot.tables_by_oid)
    if (oid.value >= wire::kFirstUserOid)
      sum += hash(fmt::format("r {} {}.{}", oid.value, t.schema, t.name));
  epoch_ = snapshot.epoch;
  fingerprint_ = sum;
  return sum;
}

// Wakes those who wait for this load, however it ends.
struct TypeMaps::Loading {
  Known& known;
  explicit Loading(Known& k) : known(k) { known.loading = true; }
  ~Loading() {
    known.loading = false;
    known.changed.set();
  }
};

io::Task<Result<>> TypeMaps::teach(backend::Connection& c, catalog::SnapshotPtr snapshot,
                                   std::size_t longest_row) {
  const backend::Endpoint& e = c.endpoint();
  if (c.shard() == snapshot->home) {
    c.set_oids(nullptr, longest_row);
    co_return Result<>();
  }
  const std::uint64_t fingerprint = fingerprint_of(*snapshot);
  const std::string where = fmt::format("{} {} {}", e.host, e.port, e.dbname);
  Known& known = known_[c.shard()];
  while (known.loading) co_await known.changed.wait({});
  const bool missed = known.map && known.map->missed();
  if (!known.loaded || known.fingerprint != fingerprint || known.where != where || missed) {
    const Loading loading(known);
    Result<backend::TextRows> rows = co_await c.query(std::string(kNumbers));
    if (!rows) co_return rows.error();
    auto map = make_type_map(*snapshot, *rows);
    if (!map) co_return map.error();
    known.map = std::move(*map);
    known.fingerprint = fingerprint;
    known.where = where;
    known.loaded = true;
  }
  c.set_oids(known.map, longest_row);
  co_return Result<>();
}

io::Task<Result<>> TypeMaps::teach_alone(backend::Connection& c, catalog::SnapshotPtr derived,
                                         std::size_t longest_row) {
  if (c.shard() == derived->home) co_return Result<>();
  Result<backend::TextRows> rows = co_await c.query(std::string(kNumbers));
  if (!rows) co_return rows.error();
  auto map = make_type_map(*derived, *rows);
  if (!map) co_return map.error();
  c.set_oids(std::move(*map), longest_row);
  co_return Result<>();
}

}  // namespace shoal::exec
