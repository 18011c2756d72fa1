// Keyspaces as rows of the catalog.
#include "control/keyspace.h"

#include "control/rules.h"
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
  auto tags = co_await read_tags(work);
  if (!tags) co_return std::move(tags).error();
  name_by_tags(**made, *tags, shards);
  auto map = keys::SlotMap::for_function(**made, shards);
  if (!map) co_return std::move(map).error();
  const std::string rows = slot_rows(*map);
  std::string sql = fmt::format(
      "LOCK TABLE shoal.keyspace IN SHARE ROW EXCLUSIVE MODE;\n"
      "INSERT INTO shoal.keyspace (id, name, function, params, key_types, slots)"
      " SELECT coalesce(max(id), 0) + 1, {}, {}, {}, {}, {} FROM shoal.keyspace;\n",
      quote_literal(name), quote_literal(function), quote_literal(params), types_literal(types),
      (*made)->slot_count());
  if (!rows.empty()) {
    sql += fmt::format(
        "INSERT INTO shoal.slot_range (keyspace, first_slot, last_slot, shard)"
        " SELECT k.id, v.* FROM shoal.keyspace k, (VALUES {}) v WHERE k.name = {}",
        rows, quote_literal(name));
  }
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

}  // namespace shoal::control
