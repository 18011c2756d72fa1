// Look-ups: PostgreSQL's name resolution along a search path.
#include "catalog/snapshot.h"

#include <algorithm>

namespace shoal::catalog {
namespace {

std::string full_name(std::string_view schema, std::string_view name) {
  std::string key;
  key.reserve(schema.size() + name.size() + 1);
  key.append(schema).push_back('\0');
  key.append(name);
  return key;
}

bool lists(const std::vector<std::string>& path, std::string_view schema) {
  return std::find(path.begin(), path.end(), schema) != path.end();
}

// Calls visit(schema) in the order in which PostgreSQL searches; stops when it returns true.
// Functions are never found in pg_temp by an unqualified name.
template <class Visit>
void search(const std::vector<std::string>& path, bool temp, const Visit& visit) {
  if (temp && !lists(path, "pg_temp") && visit(std::string_view("pg_temp"))) return;
  if (!lists(path, "pg_catalog") && visit(std::string_view("pg_catalog"))) return;
  for (const std::string& schema : path) {
    if (!temp && schema == "pg_temp") continue;
    if (visit(std::string_view(schema))) return;
  }
}

}  // namespace

const Column* Table::column(std::string_view name) const {
  for (const Column& c : columns) {
    if (c.name == name) return &c;
  }
  return nullptr;
}

const Column* Table::column(std::int16_t attnum) const {
  for (const Column& c : columns) {
    if (c.attnum == attnum) return &c;
  }
  return nullptr;
}

const Shard* Snapshot::shard(ShardId id) const {
  for (const Shard& s : shards) {
    if (s.id == id) return &s;
  }
  return nullptr;
}

const Shard* Snapshot::shard(std::string_view name) const {
  for (const Shard& s : shards) {
    if (s.name == name) return &s;
  }
  return nullptr;
}

std::vector<ShardId> Snapshot::active_shards() const {
  std::vector<ShardId> ids;
  for (const Shard& s : shards) {
    if (s.active) ids.push_back(s.id);
  }
  return ids;
}

const Keyspace* Snapshot::keyspace(KeyspaceId id) const {
  for (const Keyspace& k : keyspaces) {
    if (k.id == id) return &k;
  }
  return nullptr;
}

const Keyspace* Snapshot::keyspace(std::string_view name) const {
  for (const Keyspace& k : keyspaces) {
    if (k.name == name) return &k;
  }
  return nullptr;
}

const Table* Snapshot::table(Oid oid) const {
  const auto it = tables_by_oid.find(oid);
  return it == tables_by_oid.end() ? nullptr : &it->second;
}

const Table* Snapshot::table(std::string_view schema, std::string_view name) const {
  const auto it = tables_by_name.find(full_name(schema, name));
  return it == tables_by_name.end() ? nullptr : table(it->second);
}

const Table* Snapshot::resolve_table(const std::vector<std::string>& path, std::string_view schema,
                                     std::string_view name) const {
  if (!schema.empty()) return table(schema, name);
  const Table* found = nullptr;
  search(path, true, [&](std::string_view s) { return (found = table(s, name)) != nullptr; });
  return found;
}

const Type* Snapshot::type(Oid oid) const {
  const auto it = types.find(oid);
  return it == types.end() ? nullptr : &it->second;
}

const Type* Snapshot::resolve_type(const std::vector<std::string>& path,
                                   const std::vector<std::string>& names) const {
  if (names.empty()) return nullptr;
  const auto find = [&](std::string_view schema) -> const Type* {
    const auto it = types_by_name.find(full_name(schema, names.back()));
    return it == types_by_name.end() ? nullptr : type(it->second);
  };
  if (names.size() > 1) return find(names[names.size() - 2]);
  const Type* found = nullptr;
  search(path, true, [&](std::string_view s) { return (found = find(s)) != nullptr; });
  return found;
}

std::vector<const Function*> Snapshot::resolve_functions(
    const std::vector<std::string>& path, const std::vector<std::string>& names) const {
  std::vector<const Function*> found;
  if (names.empty()) return found;
  const auto range = functions.equal_range(names.back());
  const auto add = [&](std::string_view schema) {
    const std::size_t before = found.size();
    for (auto it = range.first; it != range.second; ++it) {
      const Function* f = it->second.get();
      if (f->schema != schema) continue;
      // The same argument types earlier in the path hide this one.
      const bool hidden =
          std::any_of(found.begin(), found.begin() + before,
                      [&](const Function* o) { return o->arg_types == f->arg_types; });
      if (!hidden) found.push_back(f);
    }
    return false;
  };
  if (names.size() > 1) {
    add(names[names.size() - 2]);
  } else {
    search(path, false, add);
  }
  return found;
}

const Function* Snapshot::user_function(Oid oid) const {
  const auto it = user_functions.find(oid);
  return it == user_functions.end() ? nullptr : it->second.get();
}

const Collation* Snapshot::collation(Oid oid) const {
  const auto it = collations.find(oid);
  return it == collations.end() ? nullptr : &it->second;
}

bool Snapshot::has_schema(std::string_view name) const {
  return std::find(schemas.begin(), schemas.end(), name) != schemas.end();
}

bool Snapshot::any_sharded() const {
  return std::any_of(tables_by_oid.begin(), tables_by_oid.end(), [](const auto& entry) {
    return entry.second.kind == TableKind::kSharded || entry.second.kind == TableKind::kReference;
  });
}

}  // namespace shoal::catalog
