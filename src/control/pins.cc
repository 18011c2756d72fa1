// The rows of a key move in the same transaction as its pin.
#include "control/pins.h"

#include "control/keyspace.h"
#include "control/rows.h"
#include "control/rules.h"

namespace shoal::control {
namespace {

using Key = std::vector<keys::KeyValue>;

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

io::Task<Result<Key>> read_parts(Work& work, const catalog::Keyspace& keyspace,
                                 std::vector<std::string> texts) {
  if (texts.size() != keyspace.types.size()) {
    co_return refuse(Refusal::kKeyValue, fmt::format("keys of {} have {} columns: give an array",
                                                     keyspace.name, keyspace.types.size()));
  }
  Key key;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto value = co_await read_key(work, keyspace.types[i], texts[i]);
    if (!value) co_return std::move(value).error();
    key.push_back(std::move(*value));
  }
  co_return key;
}

std::string key_condition(const catalog::Table& t, const Key& key) {
  std::string out;
  for (std::size_t i = 0; i < key.size(); ++i) {
    out += fmt::format("{}{} = {}::pg_catalog.{}", i == 0 ? "" : " AND ",
                       quote_ident(t.column(t.key_attnums.at(i))->name),
                       quote_literal(keys::to_text(key[i])), keys::type_name(key[i].type()));
  }
  return out;
}

// 55000 when a row of the key is on the shard.
io::Task<Result<>> require_no_rows(Work& work, KeyspaceId keyspace, const Key& key, ShardId on) {
  auto tables = co_await tables_in_order(work, keyspace);
  if (!tables) co_return std::move(tables).error();
  for (const Oid oid : *tables) {
    const catalog::Table& t = *work.snapshot->table(oid);
    if (t.relkind != 'r') continue;
    auto rows = co_await work.on(on, fmt::format("SELECT FROM ONLY {} WHERE {} LIMIT 1",
                                                 full_name(t), key_condition(t, key)));
    if (!rows) co_return std::move(rows).error();
    if (rows->rows.empty()) continue;
    co_return refuse(Refusal::kBadPlacement,
                     fmt::format("{} has rows of the key, which has no other place", t.name),
                     "pin it to another shard, or delete the rows first");
  }
  co_return Result<>{};
}

// Copies the rows of every table, then deletes them, children first.
io::Task<Result<>> move_rows(Work& work, KeyspaceId keyspace, const Key& key, ShardId from,
                             ShardId to) {
  auto tables = co_await tables_in_order(work, keyspace);
  if (!tables) co_return std::move(tables).error();
  SHOAL_CO_TRY(co_await work.hold(*tables));
  QuietSettings quiet;
  SHOAL_CO_TRY(co_await quiet.begin(work));
  auto silence = co_await make_silence(work, *tables);
  if (!silence) co_return std::move(silence).error();
  if (!silence->off.empty()) {
    SHOAL_CO_TRY(co_await work.on(from, silence->off));
    SHOAL_CO_TRY(co_await work.on(to, silence->off));
  }
  std::vector<std::pair<std::string, std::uint64_t>> deletes;  // children first
  for (const Oid oid : *tables) {
    const catalog::Table& t = *work.snapshot->table(oid);
    // A partitioned table's rows are those of its partitions, which are in the list.
    if (t.relkind != 'r') continue;
    std::string where = key_condition(t, key);
    std::string remove = fmt::format("DELETE FROM ONLY {} WHERE {}", full_name(t), where);
    std::vector<std::string> no_columns;
    std::vector<ShardId> targets{to};
    PlaceKey everything;
    auto copied = co_await copy_rows(work, t, std::move(no_columns), from, std::move(targets),
                                     std::move(where), std::move(everything));
    if (!copied) co_return std::move(copied).error();
    deletes.insert(deletes.begin(), {std::move(remove), *copied});
  }
  for (const auto& [sql, rows] : deletes) {
    auto deleted = co_await work.on(from, sql);
    if (!deleted) co_return std::move(deleted).error();
    if (affected_rows(deleted->tag) != rows) {
      co_return make_error("XX000", "the rows copied are not the rows deleted");
    }
  }
  if (!silence->on.empty()) {
    SHOAL_CO_TRY(co_await work.on(from, silence->on));
    SHOAL_CO_TRY(co_await work.on(to, silence->on));
  }
  co_return co_await quiet.end(work);
}

// The owner of the key's slot, if it has one.
std::optional<ShardId> owner_of_slot(const keys::Placement& placement, const Key& key) {
  const auto slot = placement.function->slot(key);
  if (!slot || slot->value >= placement.map.slot_count()) return std::nullopt;
  const ShardId owner = placement.map.owner(*slot);
  if (owner == keys::SlotMap::kNobody) return std::nullopt;
  return owner;
}

}  // namespace

io::Task<Result<>> pin_key(Work& work, const catalog::Keyspace& keyspace,
                           std::vector<std::string> texts, std::optional<std::string> shard) {
  auto key = co_await read_parts(work, keyspace, std::move(texts));
  if (!key) co_return std::move(key).error();
  const KeyspaceId id = keyspace.id;
  const auto placed = keyspace.placement->place(*key);
  const std::optional<ShardId> of_slot = owner_of_slot(*keyspace.placement, *key);
  std::optional<ShardId> to = of_slot;
  if (shard) {
    const catalog::Shard* s = work.snapshot->shard(*shard);
    if (!s || !s->active) co_return refuse(Refusal::kUnknownShard, fmt::format("\"{}\"", *shard));
    to = s->id;
  }
  const std::string canonical = keys::canonical_text(*key);
  auto after = std::make_shared<keys::Placement>(*keyspace.placement);
  if (shard)
    after->pins.set(canonical, *to);
  else
    after->pins.erase(canonical);
  SHOAL_CO_TRY(co_await require_rules(work, id, after));
  if (placed && to && *placed != *to) {
    SHOAL_CO_TRY(co_await move_rows(work, id, *key, *placed, *to));
  } else if (placed && !to) {
    SHOAL_CO_TRY(co_await require_no_rows(work, id, *key, *placed));
  }
  std::string sql = shard
                        ? fmt::format(
                              "INSERT INTO shoal.pinned (keyspace, key, shard) VALUES ({}, {}, {}) "
                              "ON CONFLICT (keyspace, key) DO UPDATE SET shard = excluded.shard",
                              id.value, quote_literal(canonical), to->value)
                        : fmt::format("DELETE FROM shoal.pinned WHERE keyspace = {} AND key = {}",
                                      id.value, quote_literal(canonical));
  co_return co_await work.catalog(std::move(sql));
}

}  // namespace shoal::control
