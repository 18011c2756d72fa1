// Rows -> Snapshot: one small function per query of queries.cc.
#include "catalog/builder.h"

#include <charconv>

#include "catalog/query_index.h"

namespace shoal::catalog {
namespace {

using Row = std::span<const std::optional<std::string_view>>;

std::string_view text(Row row, std::size_t i) {
  return i < row.size() && row[i] ? *row[i] : std::string_view{};
}
std::string str(Row row, std::size_t i) {
  return std::string(text(row, i));
}
bool flag(Row row, std::size_t i) {
  return text(row, i) == "t";
}
char letter(Row row, std::size_t i) {
  return text(row, i).empty() ? ' ' : text(row, i)[0];
}
template <class T>
T number(Row row, std::size_t i) {
  T value{};
  const std::string_view t = text(row, i);
  std::from_chars(t.data(), t.data() + t.size(), value);
  return value;
}
Oid oid(Row row, std::size_t i) {
  return Oid(number<std::uint32_t>(row, i));
}

// "1 2 3" as int2vector and oidvector print.
template <class T>
std::vector<T> numbers(std::string_view t) {
  std::vector<T> out;
  const char* p = t.data();
  const char* end = p + t.size();
  while (p < end) {
    T value{};
    const auto [next, error] = std::from_chars(p, end, value);
    if (error != std::errc{}) break;
    out.push_back(value);
    p = next < end ? next + 1 : next;
  }
  return out;
}

std::string full_name(std::string_view schema, std::string_view name) {
  std::string key(schema);
  key.push_back('\0');
  return key.append(name);
}

std::vector<Oid> oids(Row row, std::size_t i) {
  std::vector<Oid> out;
  for (const std::uint32_t id : numbers<std::uint32_t>(text(row, i))) out.push_back(Oid(id));
  return out;
}

Error inconsistent(std::string what) {
  return make_error("XX000", "the catalog of the cluster is inconsistent", std::move(what));
}

struct Placed {
  std::string kind;
  KeyspaceId keyspace;
  std::vector<std::string> key_columns, local_constraints;
};
struct SlotRow {
  KeyspaceId keyspace;
  std::uint32_t first, last;
  ShardId shard;
};
struct PinRow {
  KeyspaceId keyspace;
  std::string key;
  ShardId shard;
};

}  // namespace

struct SnapshotBuilder::State {
  std::shared_ptr<Snapshot> out = std::make_shared<Snapshot>();
  SnapshotPtr previous;
  bool cluster_seen = false;
  std::unordered_map<Oid, Placed> placed;
  std::vector<SlotRow> slots;
  std::vector<PinRow> pins;

  void cluster(Row row);
  void shard(Row row);
  Result<> keyspace(Row row);
  void placed_row(Row row);
  void relation(Row row);
  void column(Row row);
  void index(Row row);
  void type(Row row);
  void function(Row row);
  void collation(Row row);
  void table_rule(Row row);

  Result<> take_over_builtins();
  Result<> place_keyspaces();
  Result<> place_tables();
};

void SnapshotBuilder::State::cluster(Row row) {
  cluster_seen = true;
  out->cluster = str(row, 0);
  out->epoch = Epoch(number<std::int64_t>(row, 1));
  out->server_version_num = number<int>(row, 2);
  out->server_encoding = str(row, 3);
  Collation& c = out->database_collation;
  c.oid = Oid(100);  // pg_collation's "default"
  c.name = "default";
  c.provider = letter(row, 5);
  c.locale = c.provider == 'c' || text(row, 6).empty() ? str(row, 4) : str(row, 6);
  c.version = str(row, 7);
}

void SnapshotBuilder::State::shard(Row row) {
  Shard s;
  s.id = ShardId(number<std::int32_t>(row, 0));
  s.name = str(row, 1);
  s.host = str(row, 2);
  s.port = str(row, 3);
  s.dbname = str(row, 4);
  s.options = str(row, 5);
  s.home = flag(row, 6);
  s.active = flag(row, 7);
  s.server = str(row, 8);
  if (s.home) out->home = s.id;
  out->shards.push_back(std::move(s));
}

Result<> SnapshotBuilder::State::keyspace(Row row) {
  Keyspace k;
  k.id = KeyspaceId(number<std::int32_t>(row, 0));
  k.name = str(row, 1);
  k.function = str(row, 2);
  k.params = str(row, 3);
  std::string_view types = text(row, 4);
  while (!types.empty()) {
    const std::string_view name = types.substr(0, types.find(','));
    types.remove_prefix(std::min(types.size(), name.size() + 1));
    const auto type = keys::key_type_of_name(name);
    if (!type) return inconsistent(fmt::format("keyspace {}: no key type {}", k.name, name));
    k.types.push_back(*type);
  }
  out->keyspaces.push_back(std::move(k));
  return {};
}

void SnapshotBuilder::State::placed_row(Row row) {
  Placed& p = placed[oid(row, 0)];
  p.kind = str(row, 1);
  p.keyspace = KeyspaceId(number<std::int32_t>(row, 2));
  if (row[4]) p.key_columns.push_back(str(row, 4));
  if (row[5]) p.local_constraints.push_back(str(row, 5));
}

void SnapshotBuilder::State::relation(Row row) {
  Table t;
  t.oid = oid(row, 0);
  t.schema = str(row, 1);
  t.name = str(row, 2);
  t.relkind = letter(row, 3);
  t.view_definition = str(row, 4);
  t.has_triggers = flag(row, 5);
  t.has_rules = flag(row, 6);
  t.row_security = flag(row, 7);
  t.temporary = flag(row, 8);
  t.has_children = flag(row, 9);
  t.check_functions = oids(row, 10);
  t.policy_functions = oids(row, 11);
  t.policy_tables = oids(row, 12);
  t.trigger_functions = oids(row, 13);
  if (t.schema == "pg_catalog" || t.schema == "information_schema") t.kind = TableKind::kCatalog;
  out->tables_by_name.emplace(full_name(t.schema, t.name), t.oid);
  out->tables_by_oid.emplace(t.oid, std::move(t));
}

void SnapshotBuilder::State::column(Row row) {
  const auto it = out->tables_by_oid.find(oid(row, 0));
  if (it == out->tables_by_oid.end()) return;
  Column c;
  c.attnum = number<std::int16_t>(row, 1);
  c.name = str(row, 2);
  c.type = oid(row, 3);
  c.typmod = number<std::int32_t>(row, 4);
  c.not_null = flag(row, 5);
  c.default_sql = str(row, 6);
  c.has_default = !c.default_sql.empty();
  c.identity = flag(row, 7);
  c.generated = flag(row, 8);
  c.collation = oid(row, 9);
  c.sequence = oid(row, 10);
  if (flag(row, 11)) it->second.default_volatile = true;
  it->second.columns.push_back(std::move(c));
}

void SnapshotBuilder::State::index(Row row) {
  const auto it = out->tables_by_oid.find(oid(row, 0));
  if (it == out->tables_by_oid.end()) return;
  Index i;
  i.name = str(row, 1);
  i.attnums = numbers<std::int16_t>(text(row, 2));
  // What follows the key columns is INCLUDE.
  i.attnums.resize(std::min<std::size_t>(i.attnums.size(), number<std::size_t>(row, 3)));
  i.unique = flag(row, 4);
  i.primary = flag(row, 5);
  i.partial = flag(row, 6);
  it->second.indexes.push_back(std::move(i));
}

void SnapshotBuilder::State::type(Row row) {
  Type t;
  t.oid = oid(row, 0);
  t.schema = str(row, 1);
  t.name = str(row, 2);
  t.typtype = letter(row, 3);
  t.category = letter(row, 4);
  t.base = oid(row, 5);
  t.element = oid(row, 6);
  t.check_functions = oids(row, 7);
  out->types_by_name.emplace(full_name(t.schema, t.name), t.oid);
  out->types.emplace(t.oid, std::move(t));
}

void SnapshotBuilder::State::function(Row row) {
  auto f = std::make_shared<Function>();
  f->oid = oid(row, 0);
  f->schema = str(row, 1);
  f->name = str(row, 2);
  f->volatility = static_cast<Volatility>(letter(row, 3));
  f->prokind = letter(row, 4);
  f->returns_set = flag(row, 5);
  f->variadic = flag(row, 6);
  f->strict = flag(row, 7);
  f->args = number<std::uint16_t>(row, 8);
  f->default_args = number<std::uint16_t>(row, 9);
  f->arg_types = oids(row, 10);
  f->result = oid(row, 11);
  f->declared = str(row, 12);
  f->language = str(row, 13);
  f->body = str(row, 14);
  if (!f->builtin()) out->user_functions.emplace(f->oid, f);
  std::string name = f->name;
  out->functions.emplace(std::move(name), std::move(f));
}

void SnapshotBuilder::State::collation(Row row) {
  Collation c;
  c.oid = oid(row, 0);
  c.name = str(row, 1);
  c.locale = str(row, 2);
  c.provider = letter(row, 3);
  c.deterministic = flag(row, 4);
  c.version = str(row, 5);
  out->collations.emplace(c.oid, std::move(c));
}

void SnapshotBuilder::State::table_rule(Row row) {
  TableRule r;
  r.id = number<std::int32_t>(row, 0);
  r.column = str(row, 1);
  r.schema = str(row, 2);
  r.pattern = str(row, 3);
  r.kind = text(row, 4) == "sharded"     ? TableKind::kSharded
           : text(row, 4) == "reference" ? TableKind::kReference
                                         : TableKind::kSingle;
  r.keyspace = str(row, 5);
  out->table_rules.push_back(std::move(r));
}

Result<> SnapshotBuilder::State::take_over_builtins() {
  if (!previous) return {};
  if (previous->server_version_num != out->server_version_num) {
    return make_error("55000", "the server's version changed");
  }
  for (const auto& [id, t] : previous->tables_by_oid) {
    if (id.value >= 16384) continue;
    out->tables_by_name.emplace(full_name(t.schema, t.name), id);
    out->tables_by_oid.emplace(id, t);
  }
  for (const auto& [id, t] : previous->types) {
    if (!t.builtin()) continue;
    out->types_by_name.emplace(full_name(t.schema, t.name), id);
    out->types.emplace(id, t);
  }
  for (const auto& [name, f] : previous->functions) {
    if (f->builtin()) out->functions.emplace(name, f);
  }
  for (const auto& [id, c] : previous->collations) {
    if (id.value < 16384) out->collations.emplace(id, c);
  }
  return {};
}

Result<> SnapshotBuilder::State::place_keyspaces() {
  const auto known = [&](ShardId id) { return out->shard(id) != nullptr; };
  for (Keyspace& k : out->keyspaces) {
    auto function = keys::make_key_function(k.function, k.params, k.types);
    if (!function) {
      Error e = std::move(function).error();
      e.message = fmt::format("keyspace {}: {}", k.name, e.message);
      return e;
    }
    auto placement = std::make_shared<keys::Placement>();
    placement->function = *function;
    k.match = (*function)->match_by_equality();
    std::vector<ShardId> owners((*function)->slot_count(), keys::SlotMap::kNobody);
    for (const SlotRow& r : slots) {
      if (r.keyspace != k.id) continue;
      if (r.last >= owners.size() || !known(r.shard)) {
        return inconsistent(fmt::format("keyspace {}: slots {}..{}", k.name, r.first, r.last));
      }
      for (std::uint32_t s = r.first; s <= r.last; ++s) {
        if (owners[s] != keys::SlotMap::kNobody) {
          return inconsistent(fmt::format("keyspace {}: slot {} has two owners", k.name, s));
        }
        owners[s] = r.shard;
      }
    }
    placement->map = keys::SlotMap(std::move(owners));
    for (const PinRow& p : pins) {
      if (p.keyspace == k.id) placement->pins.set(p.key, p.shard);
    }
    k.placement = std::move(placement);
  }
  return {};
}

Result<> SnapshotBuilder::State::place_tables() {
  for (const auto& [id, p] : placed) {
    const auto it = out->tables_by_oid.find(id);
    if (it == out->tables_by_oid.end()) continue;  // dropped past the router
    Table& t = it->second;
    if (p.kind == "reference") {
      t.kind = TableKind::kReference;
      continue;
    }
    t.kind = TableKind::kSharded;
    t.keyspace = p.keyspace;
    if (!out->keyspace(p.keyspace) || p.key_columns.empty()) {
      return inconsistent(fmt::format("table {}.{} has no keyspace or key", t.schema, t.name));
    }
    for (const std::string& name : p.key_columns) {
      const Column* c = t.column(name);
      if (!c) {
        return inconsistent(
            fmt::format("table {}.{} has no key column {}", t.schema, t.name, name));
      }
      t.key_attnums.push_back(c->attnum);
    }
    for (Index& i : t.indexes) {
      i.local = i.unique && std::find(p.local_constraints.begin(), p.local_constraints.end(),
                                      i.name) != p.local_constraints.end();
    }
  }
  return {};
}

SnapshotBuilder::SnapshotBuilder(SnapshotPtr previous) : state_(std::make_shared<State>()) {
  state_->previous = std::move(previous);
}

Result<> SnapshotBuilder::add_row(std::size_t query,
                                  std::span<const std::optional<std::string_view>> row) {
  State& s = *state_;
  static constexpr std::size_t kColumns[] = {8, 9,  5, 4, 3,  6,  1, 14, 12, 7,
                                             8, 15, 6, 6, 14, 12, 8, 15, 6};
  if (query >= std::size(kColumns) || row.size() != kColumns[query]) {
    return inconsistent(fmt::format("query {} gave {} columns", query, row.size()));
  }
  if (query >= kQueryBuiltinClasses && s.previous) return {};
  switch (query) {
    case kQueryCluster:
      s.cluster(row);
      break;
    case kQueryShards:
      s.shard(row);
      break;
    case kQueryKeyspaces:
      return s.keyspace(row);
    case kQuerySlotRanges:
      s.slots.push_back({KeyspaceId(number<std::int32_t>(row, 0)), number<std::uint32_t>(row, 1),
                         number<std::uint32_t>(row, 2), ShardId(number<std::int32_t>(row, 3))});
      break;
    case kQueryPins:
      s.pins.push_back({KeyspaceId(number<std::int32_t>(row, 0)), str(row, 1),
                        ShardId(number<std::int32_t>(row, 2))});
      break;
    case kQueryPlaced:
      s.placed_row(row);
      break;
    case kQuerySchemas:
      s.out->schemas.push_back(str(row, 0));
      break;
    case kQueryClasses:
    case kQueryBuiltinClasses:
      s.relation(row);
      break;
    case kQueryColumns:
    case kQueryBuiltinColumns:
      s.column(row);
      break;
    case kQueryIndexes:
      s.index(row);
      break;
    case kQueryTypes:
    case kQueryBuiltinTypes:
      s.type(row);
      break;
    case kQueryFunctions:
    case kQueryBuiltinFunctions:
      s.function(row);
      break;
    case kQueryTableRules:
      s.table_rule(row);
      break;
    default:
      s.collation(row);
      break;
  }
  return {};
}

Result<SnapshotPtr> SnapshotBuilder::finish() {
  const std::shared_ptr<State> s = std::exchange(state_, std::make_shared<State>());
  if (!s->cluster_seen) return inconsistent("shoal.cluster is empty: run shoal init");
  if (!s->out->shard(s->out->home)) return inconsistent("no shard is home");
  std::stable_sort(s->out->shards.begin(), s->out->shards.end(),
                   [](const Shard& a, const Shard& b) {
                     return std::pair(!a.active, std::string_view(a.name)) <
                            std::pair(!b.active, std::string_view(b.name));
                   });
  SHOAL_TRY(s->take_over_builtins());
  SHOAL_TRY(s->place_keyspaces());
  SHOAL_TRY(s->place_tables());
  return SnapshotPtr(std::move(s->out));
}

}  // namespace shoal::catalog
