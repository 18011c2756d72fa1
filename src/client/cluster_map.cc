// Reading the catalog's tables shard, keyspace, slot_range and pinned into placements.
#include "client/cluster_map.h"

#include <fmt/core.h>
#include <libpq-fe.h>

#include <charconv>

namespace shoal::client {
namespace {

struct Cleared {
  void operator()(PGresult* r) const { PQclear(r); }
};
using Rows = std::unique_ptr<PGresult, Cleared>;

Error connection_error(PGconn* connection) {
  std::string text = PQerrorMessage(connection);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return make_error("08006", "cannot read the catalog", std::move(text));
}

Result<Rows> query(PGconn* connection, const char* sql) {
  Rows rows(PQexec(connection, sql));
  ExecStatusType status = PQresultStatus(rows.get());
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return rows;
  const char* sqlstate = PQresultErrorField(rows.get(), PG_DIAG_SQLSTATE);
  if (sqlstate == nullptr) return connection_error(connection);
  return make_error(sqlstate, PQresultErrorField(rows.get(), PG_DIAG_MESSAGE_PRIMARY));
}

std::string text(const Rows& rows, int row, int column) {
  return PQgetvalue(rows.get(), row, column);
}

std::int64_t number(const Rows& rows, int row, int column) {
  std::int64_t out = -1;
  std::string_view digits = PQgetvalue(rows.get(), row, column);
  std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return out;
}

Error bad_catalog(std::string why) {
  return refuse(Refusal::kBadShard, std::move(why));
}

Result<std::vector<keys::KeyType>> types_of(const std::string& names) {
  std::vector<keys::KeyType> out;
  for (std::size_t at = 0; at <= names.size();) {
    std::size_t end = std::min(names.find(',', at), names.size());
    std::string name = names.substr(at, end - at);
    std::optional<keys::KeyType> type = keys::key_type_of_name(name);
    if (!type) return bad_catalog(fmt::format("unknown key type \"{}\"", name));
    out.push_back(*type);
    at = end + 1;
  }
  return out;
}

Result<> read_shards(PGconn* connection, ClusterMap* map) {
  Result<Rows> rows = query(connection,
                            "SELECT id, name, host, port, dbname, home FROM shoal.shard "
                            "WHERE active ORDER BY name");
  if (!rows) return rows.error();
  for (int i = 0; i < PQntuples(rows->get()); ++i) {
    map->shards.push_back({ShardId(static_cast<std::int32_t>(number(*rows, i, 0))),
                           text(*rows, i, 1), text(*rows, i, 2), text(*rows, i, 3),
                           text(*rows, i, 4), text(*rows, i, 5) == "t"});
  }
  return {};
}

Result<> read_slots(PGconn* connection, const std::string& id, KeyspaceMap* keyspace) {
  std::string sql =
      "SELECT first_slot, last_slot, shard FROM shoal.slot_range WHERE keyspace = " + id;
  Result<Rows> rows = query(connection, sql.c_str());
  if (!rows) return rows.error();
  std::int64_t count = keyspace->placement.function->slot_count();
  keys::SlotMap map(std::vector<ShardId>(static_cast<std::size_t>(count), keys::SlotMap::kNobody));
  for (int i = 0; i < PQntuples(rows->get()); ++i) {
    std::int64_t first = number(*rows, i, 0), last = number(*rows, i, 1);
    if (first < 0 || last < first || last >= count) return bad_catalog("a slot range is invalid");
    ShardId shard(static_cast<std::int32_t>(number(*rows, i, 2)));
    for (std::int64_t s = first; s <= last; ++s)
      map.assign(Slot(static_cast<std::uint32_t>(s)), shard);
  }
  keyspace->placement.map = std::move(map);
  return {};
}

Result<> read_pins(PGconn* connection, const std::string& id, KeyspaceMap* keyspace) {
  std::string sql = "SELECT key, shard FROM shoal.pinned WHERE keyspace = " + id;
  Result<Rows> rows = query(connection, sql.c_str());
  if (!rows) return rows.error();
  for (int i = 0; i < PQntuples(rows->get()); ++i) {
    keyspace->placement.pins.set(text(*rows, i, 0),
                                 ShardId(static_cast<std::int32_t>(number(*rows, i, 1))));
  }
  return {};
}

Result<> read_keyspaces(PGconn* connection, ClusterMap* map) {
  Result<Rows> rows = query(connection,
                            "SELECT id, name, function, params, array_to_string(key_types, ',') "
                            "FROM shoal.keyspace ORDER BY name");
  if (!rows) return rows.error();
  for (int i = 0; i < PQntuples(rows->get()); ++i) {
    KeyspaceMap keyspace;
    keyspace.name = text(*rows, i, 1);
    keyspace.function = text(*rows, i, 2);
    keyspace.params = text(*rows, i, 3);
    Result<std::vector<keys::KeyType>> types = types_of(text(*rows, i, 4));
    if (!types) return types.error();
    keyspace.types = std::move(*types);
    auto function = keys::make_key_function(keyspace.function, keyspace.params, keyspace.types);
    if (!function) return function.error();
    if ((*function)->slot_count() > 1u << 24) return bad_catalog("a keyspace has too many slots");
    keyspace.placement.function = *function;
    SHOAL_TRY(read_slots(connection, text(*rows, i, 0), &keyspace));
    SHOAL_TRY(read_pins(connection, text(*rows, i, 0), &keyspace));
    map->keyspaces.push_back(std::move(keyspace));
  }
  return {};
}

Result<> read_all(PGconn* connection, ClusterMap* map) {
  Result<Rows> cluster = query(connection, "SELECT epoch, name FROM shoal.cluster");
  if (!cluster) return cluster.error();
  if (PQntuples(cluster->get()) != 1) return bad_catalog("the database holds no catalog");
  map->epoch = Epoch(number(*cluster, 0, 0));
  map->name = text(*cluster, 0, 1);
  SHOAL_TRY(read_shards(connection, map));
  return read_keyspaces(connection, map);
}

}  // namespace

const ShardAddress* ClusterMap::shard(ShardId id) const {
  for (const ShardAddress& s : shards) {
    if (s.id == id) return &s;
  }
  return nullptr;
}

const KeyspaceMap* ClusterMap::keyspace(std::string_view wanted) const {
  for (const KeyspaceMap& k : keyspaces) {
    if (k.name == wanted) return &k;
  }
  return nullptr;
}

Result<const ShardAddress*> ClusterMap::where(std::string_view keyspace_name,
                                              std::span<const std::string_view> key) const {
  const KeyspaceMap* k = keyspace(keyspace_name);
  if (k == nullptr) return refuse(Refusal::kUnknownKeyspace, std::string(keyspace_name));
  if (key.size() != k->types.size()) {
    return refuse(Refusal::kKeyValue, fmt::format("the key has {} columns", k->types.size()));
  }
  std::vector<keys::KeyValue> values;
  for (std::size_t i = 0; i < key.size(); ++i) {
    Result<keys::KeyValue> value = keys::parse_text(k->types[i], key[i]);
    if (!value) return value.error();
    values.push_back(std::move(*value));
  }
  Result<ShardId> id = k->placement.place(values);
  if (!id) return id.error();
  const ShardAddress* address = shard(*id);
  if (address == nullptr) return refuse(Refusal::kUnknownShard, std::to_string(id->value));
  return address;
}

Result<std::shared_ptr<const ClusterMap>> read_cluster_map(PGconn* connection) {
  auto begun = query(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  if (!begun) return begun.error();
  auto map = std::make_shared<ClusterMap>();
  Result<> done = read_all(connection, map.get());
  auto ended = query(connection, "COMMIT");
  if (!done) return done.error();
  if (!ended) return ended.error();
  return std::shared_ptr<const ClusterMap>(std::move(map));
}

Follower::Follower(std::string dsn) : dsn_(std::move(dsn)) {}

Follower::~Follower() {
  PQfinish(connection_);
}

Result<> Follower::refresh() {
  if (connection_ == nullptr || PQstatus(connection_) != CONNECTION_OK) {
    PQfinish(connection_);
    connection_ = PQconnectdb(dsn_.c_str());
    if (PQstatus(connection_) != CONNECTION_OK) return connection_error(connection_);
  }
  Result<Rows> epoch = query(connection_, "SELECT epoch FROM shoal.cluster");
  if (!epoch) return epoch.error();
  bool same = map_ && PQntuples(epoch->get()) == 1 && Epoch(number(*epoch, 0, 0)) == map_->epoch;
  if (!same) {
    Result<std::shared_ptr<const ClusterMap>> map = read_cluster_map(connection_);
    if (!map) return map.error();
    map_ = std::move(*map);
  }
  confirmed_ = std::chrono::steady_clock::now();
  return {};
}

Result<std::shared_ptr<const ClusterMap>> Follower::current(
    std::chrono::steady_clock::duration patience) {
  Result<> refreshed = refresh();
  if (refreshed) return map_;
  bool recent = map_ && std::chrono::steady_clock::now() - confirmed_ <= patience;
  if (recent && refreshed.error().sqlstate.substr(0, 2) == "08") return map_;
  return refreshed.error();
}

}  // namespace shoal::client
