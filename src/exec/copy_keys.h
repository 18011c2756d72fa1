// From the key fields of one COPY row to its shard.
// Thread rule: one owner.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/connection.h"
#include "catalog/snapshot.h"
#include "keys/value.h"

namespace shoal::exec {

// The base type that a column's key values are of, its typmod, and how to read and place them.
class RowPlacer {
 public:
  static Result<RowPlacer> make(const catalog::Snapshot& snapshot, Oid table, KeyspaceId keyspace);

  std::size_t columns() const { return columns_.size(); }
  // Settings under which text is read: the session's, as a server connection reports them.
  void set_settings(const backend::Connection& c, const catalog::Snapshot& snapshot,
                    std::string_view copy_encoding);

  // One value per key column, in the key's order. 23502 (SH0104) for NULL; PostgreSQL's own error
  // for a value that is none; SH0705 for what only a server can read.
  Result<ShardId> place_text(const std::vector<std::string_view>& fields);
  // True for an error of place_text() that asking a server may help with.
  bool server_can_read(const Error& error) const;
  Result<ShardId> place_binary(const std::vector<std::string_view>& fields);
  Result<ShardId> place(const std::vector<keys::KeyValue>& key) const;

  // From now on every key must be this one (SH0307), and lie on that shard if one is given. The
  // shard of the key comes back.
  Result<ShardId> keep_to_key(std::string_view text);
  void keep_to_shard(ShardId shard) { only_ = shard; }

  struct Column {
    std::string name;
    keys::KeyType type;
    std::uint32_t type_oid;
    std::int32_t typmod;
  };
  const Column& column(std::size_t i) const { return columns_[i]; }
  Error null_error(std::size_t column) const;

 private:
  Result<keys::KeyValue> read_text(const Column& column, std::string_view text) const;

  std::string table_;
  std::vector<Column> columns_;
  std::shared_ptr<const keys::Placement> placement_;
  keys::ParseSettings settings_;
  bool converts_text_ = false;  // the data is in another encoding than the server's
  std::vector<keys::KeyValue> key_;
  std::optional<keys::KeyValue> scope_;
  std::optional<ShardId> only_;
  // The row before: loads often come sorted by key.
  std::vector<std::string> last_fields_;
  std::optional<ShardId> last_shard_;
};

// True for encodings that only clients may use: ASCII bytes in them are not always ASCII
// characters.
bool is_client_only_encoding(std::string_view name);

}  // namespace shoal::exec
