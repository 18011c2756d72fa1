// Reading and placing key fields.
#include "exec/copy_keys.h"

namespace shoal::exec {
namespace {

// Lower case letters and digits only: how PostgreSQL compares names of encodings.
std::string plain_name(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
  }
  return out == "unicode" ? "utf8" : out;
}

keys::ParseSettings::DateOrder date_order(std::string_view style) {
  using Order = keys::ParseSettings::DateOrder;
  if (style.find("DMY") != std::string_view::npos) return Order::kDmy;
  if (style.find("YMD") != std::string_view::npos) return Order::kYmd;
  return Order::kMdy;
}

std::string parameter(const backend::Connection& c, const std::string& name) {
  auto at = c.parameters().find(name);
  return at == c.parameters().end() ? std::string() : at->second;
}

bool is_text(keys::KeyType type) {
  const keys::KeyType family = keys::family_of(type);
  return family == keys::family_of(keys::KeyType::kText) || type == keys::KeyType::kBpchar;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

}  // namespace

bool is_client_only_encoding(std::string_view name) {
  constexpr std::string_view kNames[] = {
      "big5",         "win950", "windows950", "gb18030",    "gbk",    "win936",
      "windows936",   "sjis",   "mskanji",    "shiftjis",   "win932", "windows932",
      "shiftjis2004", "uhc",    "win949",     "windows949", "johab"};
  return std::ranges::find(kNames, plain_name(name)) != std::ranges::end(kNames);
}

Result<RowPlacer> RowPlacer::make(const catalog::Snapshot& snapshot, Oid oid, KeyspaceId id) {
  const catalog::Table* table = snapshot.table(oid);
  const catalog::Keyspace* keyspace = snapshot.keyspace(id);
  if (!table || !keyspace || !keyspace->placement)
    return make_error("XX000", "a row cannot be placed: table or keyspace is not known");
  RowPlacer out;
  out.table_ = table->name;
  out.placement_ = keyspace->placement;
  for (std::int16_t attnum : table->key_attnums) {
    const catalog::Column* column = table->column(attnum);
    if (!column) return make_error("XX000", "a key column is not known");
    Oid type = column->type;
    for (const catalog::Type* t = snapshot.type(type); t && t->base.value != 0;
         t = snapshot.type(type))
      type = t->base;
    std::optional<keys::KeyType> key_type = keys::key_type_of_oid(type.value);
    if (!key_type)
      return refuse(Refusal::kKeyType, fmt::format("column {} of {}", column->name, table->name));
    out.columns_.push_back({column->name, *key_type, type.value, column->typmod});
  }
  return out;
}

void RowPlacer::set_settings(const backend::Connection& c, const catalog::Snapshot& snapshot,
                             std::string_view copy_encoding) {
  settings_.date_order = date_order(parameter(c, "DateStyle"));
  settings_.time_zone = parameter(c, "TimeZone");
  settings_.server_version_num = snapshot.server_version_num;
  const std::string client =
      plain_name(copy_encoding.empty() ? parameter(c, "client_encoding") : copy_encoding);
  const std::string server = plain_name(snapshot.server_encoding);
  converts_text_ = client != server && client != "sqlascii" && server != "sqlascii";
}

Error RowPlacer::null_error(std::size_t column) const {
  Error e = refuse(Refusal::kNullKey,
                   fmt::format("column {} of relation {}", columns_[column].name, table_));
  return e;
}

Result<keys::KeyValue> RowPlacer::read_text(const Column& column, std::string_view text) const {
  if (converts_text_ && is_text(column.type) && !is_ascii(text)) {
    return refuse(Refusal::kKeyNeedsServer,
                  "a key that is not ASCII, in another encoding than the server's",
                  "convert the file to the server's encoding");
  }
  return keys::parse_text(column.type, text, settings_);
}

// A text that the router cannot convert between encodings, a server's answer would not show either.
bool RowPlacer::server_can_read(const Error& error) const {
  return keys::needs_server(error) &&
         std::none_of(columns_.begin(), columns_.end(),
                      [](const Column& column) { return is_text(column.type); });
}

Result<ShardId> RowPlacer::place(const std::vector<keys::KeyValue>& key) const {
  if (scope_ && (key.size() != 1 || !(key[0] == *scope_)))
    return refuse(Refusal::kScope, fmt::format("a row of {} has another key", table_));
  Result<ShardId> shard = placement_->place(key);
  if (shard && only_ && *shard != *only_) {
    return refuse(Refusal::kScope, fmt::format("a row of {} belongs to another shard", table_),
                  "RESET shoal.shard");
  }
  return shard;
}

Result<ShardId> RowPlacer::keep_to_key(std::string_view text) {
  Result<keys::KeyValue> value = keys::parse_text(columns_.at(0).type, text, settings_);
  if (!value) return value.error();
  Result<keys::KeyValue> stored = keys::apply_typmod(*std::move(value), columns_[0].typmod);
  if (!stored) return stored.error();
  scope_ = *std::move(stored);
  return place({*scope_});
}

Result<ShardId> RowPlacer::place_text(const std::vector<std::string_view>& fields) {
  if (last_shard_ &&
      std::equal(fields.begin(), fields.end(), last_fields_.begin(), last_fields_.end()))
    return *last_shard_;
  key_.clear();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    Result<keys::KeyValue> value = read_text(columns_[i], fields[i]);
    if (!value) return value.error();
    Result<keys::KeyValue> stored = keys::apply_typmod(*std::move(value), columns_[i].typmod);
    if (!stored) return stored.error();
    key_.push_back(*std::move(stored));
  }
  Result<ShardId> shard = place(key_);
  if (!shard) return shard;
  last_fields_.assign(fields.begin(), fields.end());
  last_shard_ = *shard;
  return shard;
}

Result<ShardId> RowPlacer::place_binary(const std::vector<std::string_view>& fields) {
  key_.clear();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const Column& column = columns_[i];
    if (converts_text_ && is_text(column.type) && !is_ascii(fields[i])) {
      return refuse(Refusal::kKeyNeedsServer,
                    "a key that is not ASCII, in another encoding than the server's");
    }
    Result<keys::KeyValue> value = keys::parse_binary(column.type, fields[i]);
    if (!value) return value.error();
    Result<keys::KeyValue> stored = keys::apply_typmod(*std::move(value), column.typmod);
    if (!stored) return stored.error();
    key_.push_back(*std::move(stored));
  }
  return place(key_);
}

}  // namespace shoal::exec
