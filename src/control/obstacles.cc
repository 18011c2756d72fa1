// One query for all obstacles, and the judgement of each.
#include "control/obstacles.h"

#include <charconv>

#include "control/work.h"

namespace shoal::control {
namespace {

constexpr std::string_view kQuery = R"(
WITH RECURSIVE tree(oid) AS (
  SELECT pg_catalog.unnest({tables}::pg_catalog.oid[])
  UNION SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition
), local(fn) AS (
  SELECT pg_catalog.to_regprocedure(function)::pg_catalog.oid FROM shoal.declared_function
)
SELECT 'u', i.indrelid, c.relname, ARRAY(
    SELECT CASE WHEN k.attnum = 0 OR (x.conexclop IS NOT NULL AND (SELECT o.oprname
        FROM pg_catalog.pg_operator o WHERE o.oid = x.conexclop[k.ord]) <> '=') THEN ''
      ELSE a.attname::pg_catalog.text END
    FROM pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY k(attnum, ord)
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE k.ord <= i.indnkeyatts ORDER BY k.ord), NULL::pg_catalog.text[], 0
FROM tree JOIN pg_catalog.pg_index i ON i.indrelid = tree.oid
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  LEFT JOIN pg_catalog.pg_constraint x ON x.conindid = i.indexrelid AND x.contype = 'x'
WHERE i.indisunique OR i.indisexclusion
UNION ALL
SELECT CASE WHEN k.conrelid = tree.oid THEN 'f' ELSE 'r' END, tree.oid, k.conname,
  (SELECT pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY u.ord)
    FROM pg_catalog.unnest(CASE WHEN k.conrelid = tree.oid THEN k.conkey ELSE k.confkey END)
      WITH ORDINALITY u(n, ord)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = tree.oid AND a.attnum = u.n),
  (SELECT pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY u.ord)
    FROM pg_catalog.unnest(CASE WHEN k.conrelid = tree.oid THEN k.confkey ELSE k.conkey END)
      WITH ORDINALITY u(n, ord)
    JOIN pg_catalog.pg_attribute a ON a.attnum = u.n
      AND a.attrelid = CASE WHEN k.conrelid = tree.oid THEN k.confrelid ELSE k.conrelid END),
  CASE WHEN k.conrelid = tree.oid THEN k.confrelid ELSE k.conrelid END
FROM tree JOIN pg_catalog.pg_constraint k ON k.contype = 'f' AND k.conparentid = 0
  AND (k.conrelid = tree.oid OR (k.confrelid = tree.oid AND k.conrelid <> tree.oid))
UNION ALL
SELECT 't', tree.oid, g.tgname, NULL, NULL, 0
FROM tree JOIN pg_catalog.pg_trigger g ON g.tgrelid = tree.oid AND NOT g.tgisinternal
WHERE g.tgenabled <> 'D' AND g.tgfoid NOT IN (SELECT fn FROM local WHERE fn IS NOT NULL)
UNION ALL
SELECT 'l', tree.oid, w.rulename, NULL, NULL, 0
FROM tree JOIN pg_catalog.pg_rewrite w ON w.ev_class = tree.oid AND w.rulename <> '_RETURN'
UNION ALL
SELECT DISTINCT 'p', tree.oid, p.polname, NULL::pg_catalog.text[], NULL::pg_catalog.text[],
  d.refobjid::pg_catalog.int8
FROM tree JOIN pg_catalog.pg_policy p ON p.polrelid = tree.oid
  JOIN pg_catalog.pg_depend d ON d.objid = p.oid
    AND d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> tree.oid
UNION ALL
SELECT 'i', tree.oid, c.relname, NULL, NULL, c.oid
FROM tree JOIN pg_catalog.pg_inherits i ON tree.oid IN (i.inhparent, i.inhrelid)
  JOIN pg_catalog.pg_class c ON c.oid IN (i.inhparent, i.inhrelid) AND c.oid <> tree.oid
WHERE c.oid NOT IN (SELECT oid FROM tree)
UNION ALL
SELECT DISTINCT 'm', tree.oid, c.relname, NULL::pg_catalog.text[], NULL::pg_catalog.text[],
  c.oid::pg_catalog.int8
FROM tree JOIN pg_catalog.pg_depend d ON d.refobjid = tree.oid
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
  JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid
  JOIN pg_catalog.pg_class c ON c.oid = w.ev_class AND c.relkind = 'm'
ORDER BY 2, 1, 3)";

std::string name_of(const catalog::Snapshot& snapshot, Oid table) {
  const catalog::Table* t = snapshot.table(table);
  return t ? fmt::format("{}.{}", t->schema, t->name) : fmt::format("table {}", table.value);
}

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

bool covers(const std::vector<std::string>& columns, const std::vector<std::string>& key) {
  return std::all_of(key.begin(), key.end(), [&](const auto& k) { return contains(columns, k); });
}

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ", ") + item;
  return out;
}

// The columns paired with `key` in a foreign key; empty when it does not hold the whole key.
std::vector<std::string> paired(const Obstacle& o, const std::vector<std::string>& key) {
  std::vector<std::string> out;
  for (const std::string& k : key) {
    const auto at = std::find(o.columns.begin(), o.columns.end(), k);
    if (at == o.columns.end()) return {};
    out.push_back(o.other_columns.at(static_cast<std::size_t>(at - o.columns.begin())));
  }
  return out;
}

std::vector<std::string> key_names(const catalog::Table& t) {
  std::vector<std::string> out;
  for (const std::int16_t attnum : t.key_attnums) {
    const catalog::Column* c = t.column(attnum);
    out.push_back(c ? c->name : "");
  }
  return out;
}

// Refusals that every table on several shards shares.
Result<> judge_common(const Obstacle& o, const catalog::Snapshot& snapshot) {
  const std::string table = name_of(snapshot, o.table);
  switch (o.kind) {
    case Obstacle::Kind::kTrigger:
      return refuse(Refusal::kTriggerNotLocal,
                    fmt::format("trigger {} of {} may reach other tables", o.name, table));
    case Obstacle::Kind::kRule:
      return refuse(Refusal::kTriggerNotLocal, fmt::format("{} has the rule {}", table, o.name),
                    "replace the rule by a trigger whose function is declared local");
    case Obstacle::Kind::kPolicy:
      return refuse(
          Refusal::kTriggerNotLocal,
          fmt::format("policy {} of {} reads {}", o.name, table, name_of(snapshot, o.other)),
          "write the policy without other tables");
    case Obstacle::Kind::kInheritance:
      return refuse(Refusal::kBadPlacement,
                    fmt::format("{} and {} are bound by inheritance or as partitions", table,
                                name_of(snapshot, o.other)),
                    "place the partitioned table as a whole; tables that inherit stay single");
    case Obstacle::Kind::kMaterializedView:
      return refuse(Refusal::kDdlUnsupported,
                    fmt::format("materialized view {} reads {}", o.name, table),
                    "drop the materialized view first");
    default:
      return {};
  }
}

Result<> judge_foreign_key_of_sharded(const Obstacle& o, const PlannedTable& planned,
                                      const std::map<Oid, PlannedTable>& also, KeyspaceId keyspace,
                                      const catalog::Snapshot& snapshot) {
  const catalog::Table* other = snapshot.table(o.other);
  const std::string what =
      o.kind == Obstacle::Kind::kForeignKey
          ? fmt::format("{} of {} references {}", o.name, name_of(snapshot, o.table),
                        name_of(snapshot, o.other))
          : fmt::format("{} of {} references {}", o.name, name_of(snapshot, o.other),
                        name_of(snapshot, o.table));
  if (!other) return refuse(Refusal::kForeignKey, what);
  std::vector<std::string> other_key;
  if (const auto it = also.find(o.other); it != also.end()) {
    other_key = it->second.key_columns;
  } else if (other->kind == catalog::TableKind::kSharded && other->keyspace == keyspace) {
    other_key = key_names(*other);
  } else if (other->kind == catalog::TableKind::kReference) {
    if (o.kind == Obstacle::Kind::kForeignKey) return {};
    return refuse(Refusal::kForeignKey, what + ", a copy of which is on every shard",
                  "drop the constraint");
  } else if (other->kind == catalog::TableKind::kSharded) {
    return refuse(Refusal::kForeignKey, what + ", which is in another keyspace",
                  "put both tables into one keyspace");
  } else if (o.kind == Obstacle::Kind::kForeignKey) {
    return refuse(
        Refusal::kForeignKey, what + ", which is on the home shard only",
        fmt::format("first SELECT create_reference_table('{0}'), or shard {0} by the same "
                    "key",
                    name_of(snapshot, o.other)));
  } else {
    return refuse(Refusal::kForeignKey,
                  fmt::format("{} without the shard key ({})", what, joined(planned.key_columns)),
                  "add the key to the foreign key, or drop the constraint");
  }
  if (paired(o, planned.key_columns) == other_key && !other_key.empty()) return {};
  return refuse(Refusal::kForeignKey,
                fmt::format("{}, but does not pair the keys ({}) and ({})", what,
                            joined(planned.key_columns), joined(other_key)));
}

}  // namespace

std::string obstacles_query(std::span<const Oid> tables) {
  std::string list = "'{";
  for (const Oid t : tables) list += fmt::format("{}{}", list.size() > 2 ? "," : "", t.value);
  list += "}'";
  std::string sql(kQuery);
  return sql.replace(sql.find("{tables}"), 8, list);
}

Result<std::vector<Obstacle>> read_obstacles(const backend::TextRows& rows) {
  std::vector<Obstacle> out;
  for (std::size_t i = 0; i < rows.rows.size(); ++i) {
    const auto oid = [&](std::size_t column) {
      const std::string text = cell(rows, i, column);
      std::uint32_t value = 0;
      std::from_chars(text.data(), text.data() + text.size(), value);
      return Oid(value);
    };
    static constexpr std::string_view kLetters = "ufrtlpim";
    const std::string letter = cell(rows, i, 0);
    const std::size_t kind = letter.empty() ? std::string_view::npos : kLetters.find(letter[0]);
    if (kind == std::string_view::npos) return make_error("XX000", "unexpected row of pg_catalog");
    out.push_back({static_cast<Obstacle::Kind>(kind), oid(1), cell(rows, i, 2),
                   array_elements(cell(rows, i, 3)), array_elements(cell(rows, i, 4)), oid(5)});
  }
  return out;
}

Result<> judge_sharded(const PlannedTable& planned, const std::map<Oid, PlannedTable>& also,
                       KeyspaceId keyspace, const std::vector<Obstacle>& obstacles,
                       const std::vector<std::string>& local_constraints,
                       const catalog::Snapshot& snapshot) {
  for (const Obstacle& o : obstacles) {
    SHOAL_TRY(judge_common(o, snapshot));
    if (o.kind == Obstacle::Kind::kUnique) {
      if (covers(o.columns, planned.key_columns) || contains(local_constraints, o.name)) continue;
      return refuse(Refusal::kUniqueWithoutKey,
                    fmt::format("{} of {} does not contain ({})", o.name,
                                name_of(snapshot, o.table), joined(planned.key_columns)));
    }
    if (o.kind == Obstacle::Kind::kForeignKey || o.kind == Obstacle::Kind::kReferenced) {
      SHOAL_TRY(judge_foreign_key_of_sharded(o, planned, also, keyspace, snapshot));
    }
  }
  return {};
}

Result<> judge_reference(Oid table, const std::vector<Obstacle>& obstacles,
                         const catalog::Snapshot& snapshot) {
  for (const Obstacle& o : obstacles) {
    SHOAL_TRY(judge_common(o, snapshot));
    if (o.kind != Obstacle::Kind::kForeignKey || o.other == table) continue;
    const catalog::Table* other = snapshot.table(o.other);
    if (other && other->kind == catalog::TableKind::kReference) continue;
    return refuse(
        Refusal::kForeignKey,
        fmt::format("{} of the reference table {} references {}, which is not on every "
                    "shard as a whole",
                    o.name, name_of(snapshot, table), name_of(snapshot, o.other)),
        fmt::format("first SELECT create_reference_table('{}')", name_of(snapshot, o.other)));
  }
  return {};
}

Result<> judge_single(Oid table, const std::vector<Obstacle>& obstacles,
                      const catalog::Snapshot& snapshot) {
  for (const Obstacle& o : obstacles) {
    if (o.kind != Obstacle::Kind::kForeignKey && o.kind != Obstacle::Kind::kReferenced) continue;
    if (o.other == table) continue;
    const catalog::Table* other = snapshot.table(o.other);
    if (!other || other->kind == catalog::TableKind::kSingle) continue;
    if (o.kind == Obstacle::Kind::kForeignKey && other->kind == catalog::TableKind::kReference) {
      continue;
    }
    return refuse(Refusal::kForeignKey,
                  fmt::format("{} ties {} to {}, which is not a single table", o.name,
                              name_of(snapshot, table), name_of(snapshot, o.other)),
                  "drop the constraint first");
  }
  return {};
}

std::vector<PlannedTable> followers(const PlannedTable& planned,
                                    const std::vector<Obstacle>& obstacles,
                                    const catalog::Snapshot& snapshot) {
  std::vector<PlannedTable> out;
  for (const Obstacle& o : obstacles) {
    if (o.kind != Obstacle::Kind::kReferenced || o.table != planned.table) continue;
    const catalog::Table* other = snapshot.table(o.other);
    if (!other || other->kind != catalog::TableKind::kSingle) continue;
    std::vector<std::string> key = paired(o, planned.key_columns);
    if (!key.empty()) out.push_back({o.other, std::move(key)});
  }
  return out;
}

}  // namespace shoal::control
