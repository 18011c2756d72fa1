// Keyspaces as rows, and the rows that a pinned key takes along.
#include "control/keyspace.h"

#include "control/rows.h"
#include "keys/function.h"
#include "keys/slot_map.h"

namespace shoal::control {
namespace {

std::string types_literal(const std::vector<keys::KeyType>& types) {
  std::vector<std::string> names;
  for (const keys::KeyType t : types) names.emplace_back(keys::type_name(t));
  return array_literal(names);
}

// One VALUES row per run of slots with the same owner.
std::string slot_rows(const keys::SlotMap& map) {
  std::string rows;
  const auto owners = map.owners();
  for (std::size_t first = 0; first < owners.size();) {
    std::size_t last = first;
    while (last + 1 < owners.size() && owners[last + 1] == owners[first]) ++last;
    if (owners[first] != keys::SlotMap::kNobody) {
      rows += fmt::format("{}({}::bigint, {}::bigint, {})", rows.empty() ? "" : ", ", first, last,
                          owners[first].value);
    }
    first = last + 1;
  }
  return rows;
}

// The tables of a keyspace, referenced ones before those that reference them.
io::Task<Result<std::vector<Oid>>> tables_in_order(Work& work, KeyspaceId keyspace) {
  std::vector<Oid> waiting, ordered;
  std::string list;
  for (const auto& [oid, t] : work.snapshot->tables_by_oid) {
    if (t.kind != catalog::TableKind::kSharded || t.keyspace != keyspace) continue;
    waiting.push_back(oid);
    list += fmt::format("{}{}", list.empty() ? "" : ",", oid.value);
  }
  std::sort(waiting.begin(), waiting.end());
  auto rows = co_await work.home(fmt::format(
      "SELECT conrelid::pg_catalog.int8, confrelid::pg_catalog.int8 FROM pg_catalog.pg_constraint"
      " WHERE contype = 'f' AND conrelid <> confrelid"
      " AND conrelid = ANY ('{{{0}}}'::pg_catalog.oid[]) AND confrelid = ANY "
      "('{{{0}}}'::pg_catalog.oid[])",
      list));
  if (!rows) co_return std::move(rows).error();
  std::vector<std::pair<std::string, std::string>> edges;
  for (std::size_t i = 0; i < rows->rows.size(); ++i) {
    edges.emplace_back(cell(*rows, i, 0), cell(*rows, i, 1));
  }
  while (!waiting.empty()) {
    const auto ready = std::find_if(waiting.begin(), waiting.end(), [&](Oid t) {
      return std::none_of(edges.begin(), edges.end(), [&](const auto& e) {
        return e.first == std::to_string(t.value) &&
               std::any_of(waiting.begin(), waiting.end(),
                           [&](Oid w) { return e.second == std::to_string(w.value); });
      });
    });
    const auto next =
        ready == waiting.end() ? waiting.begin() : ready;  // a cycle: try all the same
    ordered.push_back(*next);
    waiting.erase(next);
  }
  co_return ordered;
}

}  // namespace

std::string default_keyspace_name(const std::vector<keys::KeyType>& types, std::uint32_t slots) {
  std::string name = "default";
  for (const keys::KeyType t : types)
    name += fmt::format("_{}", keys::type_name(keys::family_of(t)));
  if (slots != kDefaultSlots) name += fmt::format("_{}", slots);
  return name;
}

io::Task<Result<>> create_keyspace(Work& work, std::string name, std::string function,
                                   std::string params, std::vector<keys::KeyType> types) {
  if (name.empty()) co_return refuse(Refusal::kBadPlacement, "a keyspace needs a name");
  if (work.snapshot->keyspace(name)) {
    co_return make_error("42710", fmt::format("keyspace \"{}\" already exists", name));
  }
  auto made = keys::make_key_function(function, params, types);
  if (!made) co_return std::move(made).error();
  std::vector<keys::NamedShard> shards;
  for (const ShardId id : work.snapshot->active_shards()) {
    shards.push_back({work.snapshot->shard(id)->name, id});
  }
  auto map = keys::SlotMap::for_function(**made, shards);
  if (!map) co_return std::move(map).error();
  std::string sql = fmt::format(
      "LOCK TABLE shoal.keyspace IN SHARE ROW EXCLUSIVE MODE;\n"
      "INSERT INTO shoal.keyspace (id, name, function, params, key_types, slots)"
      " SELECT coalesce(max(id), 0) + 1, {}, {}, {}, {}, {} FROM shoal.keyspace;\n"
      "INSERT INTO shoal.slot_range (keyspace, first_slot, last_slot, shard)"
      " SELECT k.id, v.* FROM shoal.keyspace k, (VALUES {}) v WHERE k.name = {}",
      quote_literal(name), quote_literal(function), quote_literal(params), types_literal(types),
      (*made)->slot_count(), slot_rows(*map), quote_literal(name));
  SHOAL_CO_TRY(co_await work.catalog(std::move(sql)));
  co_return co_await work.refresh();
}

io::Task<Result<KeyspaceId>> default_keyspace(Work& work, std::vector<keys::KeyType> types,
                                              std::uint32_t slots) {
  for (keys::KeyType& t : types) t = keys::family_of(t);
  const std::string name = default_keyspace_name(types, slots);
  if (!work.snapshot->keyspace(name)) {
    // Two transactions may want it at once: the second waits here, and sees it afterwards.
    SHOAL_CO_TRY(co_await work.home(
        "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('shoal default keyspace'))"));
    SHOAL_CO_TRY(co_await work.refresh());
  }
  if (!work.snapshot->keyspace(name)) {
    std::string params = fmt::format("{{\"slots\": {}}}", slots);
    SHOAL_CO_TRY(co_await create_keyspace(work, name, "postgres", std::move(params), types));
  }
  const catalog::Keyspace* k = work.snapshot->keyspace(name);
  if (!k) co_return make_error("XX000", fmt::format("keyspace {} was not created", name));
  co_return k->id;
}

io::Task<Result<keys::KeyValue>> read_key(Work& work, keys::KeyType type, std::string text) {
  auto value = keys::parse_text(type, text);
  if (value || !keys::needs_server(value.error())) co_return value;
  const std::string type_name(keys::type_name(type));
  auto asked = co_await work.home(fmt::format(
      "SELECT pg_catalog.to_json({}::pg_catalog.{}) #>> '{{}}'", quote_literal(text), type_name));
  if (!asked) co_return std::move(asked).error();
  co_return keys::parse_text(type, cell(*asked, 0, 0));
}

io::Task<Result<>> pin_key(Work& work, const catalog::Keyspace& keyspace, std::string key,
                           std::optional<std::string> shard) {
  if (keyspace.types.size() != 1) {
    co_return refuse(Refusal::kBadPlacement, "keys of several columns cannot be pinned yet");
  }
  auto value = co_await read_key(work, keyspace.types[0], key);
  if (!value) co_return std::move(value).error();
  auto from = keyspace.placement->place(*value);
  if (!from) co_return std::move(from).error();
  ShardId to;
  if (shard) {
    const catalog::Shard* s = work.snapshot->shard(*shard);
    if (!s || !s->active) co_return refuse(Refusal::kUnknownShard, fmt::format("\"{}\"", *shard));
    to = s->id;
  } else {
    auto slot = keyspace.placement->function->slot(*value);
    if (!slot) co_return std::move(slot).error();
    to = keyspace.placement->map.owner(*slot);
    if (to == keys::SlotMap::kNobody) {
      co_return refuse(Refusal::kBadPlacement, "the key's slot has no owner");
    }
  }
  const std::string canonical = keys::canonical_text(*value);
  const KeyspaceId id = keyspace.id;
  if (to != *from) {
    auto tables = co_await tables_in_order(work, id);
    if (!tables) co_return std::move(tables).error();
    SHOAL_CO_TRY(co_await work.hold(*tables));
    QuietSettings quiet;
    SHOAL_CO_TRY(co_await quiet.begin(work));
    auto silence = co_await make_silence(work, *tables);
    if (!silence) co_return std::move(silence).error();
    if (!silence->off.empty()) {
      SHOAL_CO_TRY(co_await work.on(*from, silence->off));
      SHOAL_CO_TRY(co_await work.on(to, silence->off));
    }
    std::vector<std::pair<std::string, std::uint64_t>> deletes;  // children first
    for (const Oid oid : *tables) {
      const catalog::Table& t = *work.snapshot->table(oid);
      // A partitioned table's rows are those of its partitions, which are in the list.
      if (t.relkind != 'r') continue;
      const catalog::Column* c = t.column(t.key_attnums.at(0));
      std::string where =
          fmt::format("{} = {}::pg_catalog.{}", quote_ident(c->name),
                      quote_literal(keys::to_text(*value)), keys::type_name(value->type()));
      std::string remove = fmt::format("DELETE FROM ONLY {} WHERE {}", full_name(t), where);
      std::vector<std::string> no_columns;
      std::vector<ShardId> targets{to};
      PlaceKey everything;
      auto copied = co_await copy_rows(work, t, std::move(no_columns), *from, std::move(targets),
                                       std::move(where), std::move(everything));
      if (!copied) co_return std::move(copied).error();
      deletes.insert(deletes.begin(), {std::move(remove), *copied});
    }
    for (const auto& [sql, rows] : deletes) {
      auto deleted = co_await work.on(*from, sql);
      if (!deleted) co_return std::move(deleted).error();
      if (affected_rows(deleted->tag) != rows) {
        co_return make_error("XX000", "the rows copied are not the rows deleted");
      }
    }
    if (!silence->on.empty()) {
      SHOAL_CO_TRY(co_await work.on(*from, silence->on));
      SHOAL_CO_TRY(co_await work.on(to, silence->on));
    }
    SHOAL_CO_TRY(co_await quiet.end(work));
  }
  std::string sql = shard
                        ? fmt::format(
                              "INSERT INTO shoal.pinned (keyspace, key, shard) VALUES ({}, {}, {}) "
                              "ON CONFLICT (keyspace, key) DO UPDATE SET shard = excluded.shard",
                              id.value, quote_literal(canonical), to.value)
                        : fmt::format("DELETE FROM shoal.pinned WHERE keyspace = {} AND key = {}",
                                      id.value, quote_literal(canonical));
  co_return co_await work.catalog(std::move(sql));
}

}  // namespace shoal::control
