// COPY between shards, and deletion by ctid in batches.
#include "control/rows.h"

namespace shoal::control {
namespace {

constexpr int kFetchRows = 10'000;

std::string column_list(const catalog::Table& table) {
  std::string out;
  for (const catalog::Column& c : table.columns) {
    if (c.generated) continue;
    out += (out.empty() ? "" : ", ") + quote_ident(c.name);
  }
  return out;
}

// Positions of the key columns among those of column_list.
std::vector<std::size_t> key_positions(const catalog::Table& table,
                                       const std::vector<std::string>& key_columns) {
  std::vector<std::size_t> out;
  for (const std::string& key : key_columns) {
    std::size_t at = 0;
    for (const catalog::Column& c : table.columns) {
      if (c.generated) continue;
      if (c.name == key) out.push_back(at);
      ++at;
    }
  }
  return out;
}

// The rows of one FETCH that belong elsewhere, as a tid array; counts them.
Result<std::string> misplaced(const TextRows& rows, ShardId from, const PlaceKey& place,
                              std::uint64_t& count) {
  std::string tids;
  for (const auto& row : rows.rows) {
    const std::vector<std::optional<std::string>> key(row.begin() + 1, row.end());
    auto shard = place(key);
    if (!shard) return std::move(shard).error();
    if (*shard == from) continue;
    tids += fmt::format("{}\"{}\"", tids.empty() ? "" : ",", row[0].value_or(""));
    ++count;
  }
  return tids;
}

}  // namespace

std::string full_name(const catalog::Table& table) {
  return quote_ident(table.schema) + "." + quote_ident(table.name);
}

PlaceKey place_by(std::shared_ptr<const keys::Placement> placement,
                  std::vector<keys::KeyType> types) {
  return [placement = std::move(placement), types = std::move(types)](
             const std::vector<std::optional<std::string>>& key) -> Result<ShardId> {
    std::vector<keys::KeyValue> values;
    keys::ParseSettings settings;
    settings.date_order = keys::ParseSettings::DateOrder::kYmd;
    for (std::size_t i = 0; i < types.size(); ++i) {
      if (!key.at(i)) return refuse(Refusal::kNullKey, "a row has no key");
      auto value = keys::parse_text(types[i], *key[i], settings);
      if (!value) return std::move(value).error();
      values.push_back(std::move(*value));
    }
    return placement->place(values);
  };
}

io::Task<Result<std::uint64_t>> copy_rows(Work& work, const catalog::Table& table,
                                          std::vector<std::string> key_columns, ShardId from,
                                          std::vector<ShardId> targets, std::string where,
                                          PlaceKey place) {
  const std::string columns = column_list(table);
  std::string out = fmt::format("COPY (SELECT {} FROM {}{}{}) TO STDOUT", columns, full_name(table),
                                where.empty() ? "" : " WHERE ", where);
  std::string in = fmt::format("COPY {} ({}) FROM STDIN", full_name(table), columns);
  const std::vector<std::size_t> at = key_positions(table, key_columns);
  std::function<Result<std::vector<ShardId>>(const std::vector<std::optional<std::string>>&)> route;
  if (place) {
    route =
        [place, at, from](
            const std::vector<std::optional<std::string>>& fields) -> Result<std::vector<ShardId>> {
      std::vector<std::optional<std::string>> key;
      for (const std::size_t i : at) key.push_back(fields.at(i));
      auto shard = place(key);
      if (!shard) return std::move(shard).error();
      if (*shard == from) return std::vector<ShardId>{};
      return std::vector<ShardId>{*shard};
    };
  } else {
    route =
        [targets](const std::vector<std::optional<std::string>>&) -> Result<std::vector<ShardId>> {
      return targets;
    };
  }
  auto copied = co_await work.runner.copy_rows(from, std::move(out), std::move(in),
                                               std::move(targets), std::move(route));
  co_return copied;
}

io::Task<Result<std::uint64_t>> delete_moved(Work& work, const catalog::Table& table,
                                             std::vector<std::string> key_columns, ShardId from,
                                             PlaceKey place) {
  std::string keys;
  for (const std::string& k : key_columns) keys += ", " + quote_ident(k);
  SHOAL_CO_TRY(co_await work.on(
      from, fmt::format("DECLARE shoal_moved NO SCROLL CURSOR FOR SELECT ctid{} FROM ONLY {}", keys,
                        full_name(table))));
  std::uint64_t found = 0, deleted = 0;
  for (;;) {
    auto rows = co_await work.on(from, fmt::format("FETCH {} FROM shoal_moved", kFetchRows));
    if (!rows) co_return std::move(rows).error();
    if (rows->rows.empty()) break;
    auto tids = misplaced(*rows, from, place, found);
    if (!tids) co_return std::move(tids).error();
    if (tids->empty()) continue;
    auto done = co_await work.on(
        from, fmt::format("DELETE FROM ONLY {} WHERE ctid = ANY ('{{{}}}'::pg_catalog.tid[])",
                          full_name(table), *tids));
    if (!done) co_return std::move(done).error();
    deleted += affected_rows(done->tag);
  }
  SHOAL_CO_TRY(co_await work.on(from, "CLOSE shoal_moved"));
  if (deleted != found) {
    co_return make_error("XX000",
                         fmt::format("{} of {} moved rows could not be deleted on their old "
                                     "shard",
                                     found - deleted, found));
  }
  co_return deleted;
}

io::Task<Result<Silence>> make_silence(Work& work, std::vector<Oid> tables) {
  std::string list;
  for (const Oid t : tables) list += fmt::format("{}{}", list.empty() ? "" : ",", t.value);
  auto rows = co_await work.home(fmt::format(
      "SELECT pg_catalog.format('ALTER TABLE %s DISABLE TRIGGER %I;', c.oid::pg_catalog.regclass,"
      " g.tgname), pg_catalog.format('ALTER TABLE %s ENABLE %sTRIGGER %I;',"
      " c.oid::pg_catalog.regclass, CASE g.tgenabled WHEN 'A' THEN 'ALWAYS ' WHEN 'R' THEN "
      "'REPLICA '"
      " END, g.tgname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_trigger g ON g.tgrelid = c.oid"
      " WHERE c.oid = ANY ('{{{0}}}'::pg_catalog.oid[]) AND NOT g.tgisinternal AND g.tgenabled <> "
      "'D'"
      " UNION ALL SELECT pg_catalog.format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY;',"
      " c.oid::pg_catalog.regclass), pg_catalog.format('ALTER TABLE %s FORCE ROW LEVEL SECURITY;',"
      " c.oid::pg_catalog.regclass) FROM pg_catalog.pg_class c"
      " WHERE c.oid = ANY ('{{{0}}}'::pg_catalog.oid[]) AND c.relforcerowsecurity",
      list));
  if (!rows) co_return std::move(rows).error();
  Silence out;
  for (std::size_t i = 0; i < rows->rows.size(); ++i) {
    out.off += cell(*rows, i, 0);
    out.on += cell(*rows, i, 1);
  }
  co_return out;
}

}  // namespace shoal::control
