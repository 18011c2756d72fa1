// A snapshot made by hand for the tests of routing and planning.
#include "route/testing.h"

namespace shoal::route {
namespace {

using catalog::Column;
using catalog::Table;
using catalog::TableKind;
using keys::KeyType;

constexpr std::uint32_t kBool = 16, kInt8 = 20, kInt4 = 23, kText = 25, kFloat8 = 701,
                        kVarchar = 1043, kTimestamptz = 1184, kNumeric = 1700, kCollation = 20300;

struct Builder {
  std::shared_ptr<catalog::Snapshot> s = std::make_shared<catalog::Snapshot>();
  std::uint32_t next_oid = 30000;
  std::vector<ShardId> shards;

  void keyspace(int id, std::string name, std::string function, std::string params,
                std::vector<KeyType> types, bool match = true) {
    auto f = keys::make_key_function(function, params, types);
    if (!f) throw std::runtime_error(f.error().message + f.error().detail);
    auto placement = std::make_shared<keys::Placement>();
    placement->function = *f;
    placement->map = keys::SlotMap::contiguous((*f)->slot_count(), shards);
    catalog::Keyspace k;
    k.id = KeyspaceId{id};
    k.name = std::move(name);
    k.function = std::move(function);
    k.params = std::move(params);
    k.types = std::move(types);
    k.placement = std::move(placement);
    k.match = match;
    s->keyspaces.push_back(std::move(k));
  }

  void type(std::uint32_t oid, std::string name, char category, std::uint32_t element = 0) {
    catalog::Type t;
    t.oid = Oid{oid};
    t.schema = "pg_catalog";
    t.name = std::move(name);
    t.category = category;
    t.element = Oid{element};
    s->types_by_name["pg_catalog" + std::string(1, '\0') + t.name] = t.oid;
    s->types[t.oid] = std::move(t);
  }

  void function(std::string name, char volatility, std::uint32_t result, char kind = 'f',
                std::uint32_t argument = kInt4, std::uint32_t oid = 0) {
    auto f = std::make_shared<catalog::Function>();
    f->oid = Oid{oid != 0 ? oid : next_oid++ - 20000};
    f->schema = oid != 0 ? "public" : "pg_catalog";
    f->name = std::move(name);
    f->volatility = static_cast<catalog::Volatility>(volatility);
    f->prokind = kind;
    f->result = Oid{result};
    f->args = 1;
    f->arg_types = {Oid{argument}};
    s->functions.emplace(f->name, std::move(f));
  }

  Table& table(std::string schema, std::string name, TableKind kind,
               std::vector<std::pair<std::string, std::uint32_t>> columns, int keyspace = 0,
               std::vector<std::int16_t> key = {}) {
    Table t;
    t.oid = Oid{next_oid++};
    t.schema = std::move(schema);
    t.name = std::move(name);
    t.kind = kind;
    t.keyspace = KeyspaceId{keyspace};
    t.key_attnums = std::move(key);
    std::int16_t attnum = 0;
    for (auto& [column, type] : columns) {
      Column c;
      c.name = std::move(column);
      c.type = Oid{type};
      c.attnum = ++attnum;
      if (type == kText || type == kVarchar) c.collation = Oid{100};
      for (const std::int16_t k : t.key_attnums) c.not_null |= k == c.attnum;
      t.columns.push_back(std::move(c));
    }
    const Oid oid = t.oid;
    s->tables_by_name[t.schema + std::string(1, '\0') + t.name] = oid;
    return s->tables_by_oid[oid] = std::move(t);
  }

  void primary(Table& t, std::vector<std::int16_t> attnums) {
    catalog::Index i;
    i.name = t.name + "_pkey";
    i.attnums = std::move(attnums);
    i.unique = i.primary = true;
    t.indexes.push_back(std::move(i));
  }
};

void add_types(Builder& b) {
  b.type(kBool, "bool", 'B');
  b.type(kInt8, "int8", 'N');
  b.type(21, "int2", 'N');
  b.type(kInt4, "int4", 'N');
  b.type(kText, "text", 'S');
  b.type(kFloat8, "float8", 'N');
  b.type(kVarchar, "varchar", 'S');
  b.type(1082, "date", 'D');
  b.type(kTimestamptz, "timestamptz", 'D');
  b.type(kNumeric, "numeric", 'N');
  b.type(2205, "regclass", 'N');
  b.type(2950, "uuid", 'U');
  b.type(1007, "_int4", 'A', kInt4);
  b.type(1016, "_int8", 'A', kInt8);
  b.type(1009, "_text", 'A', kText);
}

void add_functions(Builder& b) {
  for (const char* name : {"count"}) b.function(name, 'i', kInt8, 'a');
  for (const char* name : {"bool_and", "bool_or", "every"}) b.function(name, 'i', kBool, 'a');
  for (const char* name : {"sum", "avg", "min", "max"}) {
    b.function(name, 'i', kNumeric, 'a', kNumeric);
    b.function(name, 'i', kInt4, 'a', kInt4);
  }
  b.function("string_agg", 'i', kText, 'a');
  b.function("array_agg", 'i', 2277, 'a');
  b.function("stddev", 'i', kNumeric, 'a');
  for (const char* name : {"row_number", "rank", "dense_rank", "lag", "lead", "first_value"}) {
    b.function(name, 'i', kInt8, 'w');
  }
  for (const char* name : {"lower", "upper", "substr", "concat"}) b.function(name, 'i', kText);
  for (const char* name : {"abs", "length", "mod"}) b.function(name, 'i', kInt4);
  b.function("random", 'v', kFloat8);
  b.function("gen_random_uuid", 'v', 2950);
  b.function("clock_timestamp", 'v', kTimestamptz);
  b.function("now", 's', kTimestamptz);
  b.function("nextval", 'v', kInt8);
  b.function("currval", 'v', kInt8);
  b.function("pg_sleep", 'v', 2278);
  b.function("current_database", 's', 19);
  b.function("current_setting", 's', kText);
  b.function("pg_backend_pid", 's', kInt4);
  b.function("pg_total_relation_size", 'v', kInt8);
  b.function("generate_series", 'i', kInt4);
  b.function("unnest", 'i', 2283);
  b.function("coalesce_user", 'i', kInt4, 'f', kInt4, 50001);
  b.function("reads_tables", 's', kInt4, 'f', kInt4, 50002);
  b.function("touches_nothing", 'v', kInt4, 'f', kInt4, 50003);
}

void add_tables(Builder& b) {
  using K = TableKind;
  Table& orders = b.table("public", "orders", K::kSharded,
                          {{"tenant_id", kInt4},
                           {"id", kInt8},
                           {"x", kInt4},
                           {"note", kText},
                           {"created", kTimestamptz},
                           {"kind", kText}},
                          1, {1});
  b.primary(orders, {1, 2});
  orders.columns[1].has_default = true;
  orders.columns[1].default_sql = "nextval('public.orders_id_seq'::regclass)";
  orders.columns[4].has_default = true;
  orders.columns[4].default_sql = "now()";
  orders.columns[5].has_default = true;
  orders.columns[5].default_sql = "'web'::text";
  const Oid orders_oid = orders.oid;
  Table& sequence = b.table("public", "orders_id_seq", K::kSingle, {});
  sequence.relkind = 'S';
  b.s->tables_by_oid[orders_oid].columns[1].sequence = sequence.oid;
  Table& users = b.table("public", "users", K::kSharded,
                         {{"tenant_id", kInt4},
                          {"id", kInt8},
                          {"name", kText},
                          {"amount", kNumeric},
                          {"k", kInt4},
                          {"flag", kBool}},
                         1, {1});
  b.primary(users, {1, 2});
  b.table("public", "lines", K::kSharded,
          {{"tenant_id", kInt8}, {"order_id", kInt8}, {"qty", kInt4}}, 1, {1});
  Table& links =
      b.table("public", "links", K::kSharded, {{"url_id", kVarchar}, {"url", kText}}, 2, {1});
  links.columns[0].typmod = 9;
  b.table("public", "pages", K::kSharded, {{"url_id", kText}, {"body", kText}}, 2, {1});
  b.table("public", "pairs", K::kSharded, {{"a", kInt4}, {"b", kInt4}, {"x", kInt4}}, 3, {1, 2});
  b.table("public", "ranges", K::kSharded, {{"z", kInt4}, {"x", kInt4}}, 4, {1});
  b.table("public", "money", K::kSharded, {{"amount", kNumeric}, {"x", kInt4}}, 5, {1});
  b.table("public", "triggered", K::kSharded, {{"tenant_id", kInt4}, {"x", kInt4}}, 1, {1})
      .has_triggers = true;
  b.table("public", "ci", K::kSharded, {{"name", kText}, {"x", kInt4}}, 2, {1})
      .columns[0]
      .collation = Oid{kCollation};
  b.table("public", "country", K::kReference, {{"code", kText}, {"name", kText}});
  Table& ref =
      b.table("public", "ref", K::kReference, {{"k", kInt4}, {"x", kInt4}, {"y", kNumeric}});
  b.primary(ref, {1});
  b.table("public", "note", K::kSingle, {{"id", kInt4}, {"k", kInt4}, {"x", kInt4}});
  b.table("app", "orders", K::kSingle, {{"tenant_id", kInt4}, {"x", kInt4}});
  b.table("pg_catalog", "pg_class", K::kCatalog, {{"oid", 26}, {"relname", 19}});
  b.table("pg_catalog", "pg_stat_user_tables", K::kCatalog, {{"relid", 26}, {"n_live_tup", kInt8}})
      .relkind = 'v';
  const auto view = [&](std::string name,
                        std::vector<std::pair<std::string, std::uint32_t>> columns,
                        std::string definition) {
    Table& v = b.table("public", std::move(name), K::kSingle, std::move(columns));
    v.relkind = 'v';
    v.view_definition = std::move(definition);
  };
  view("v_orders", {{"tenant_id", kInt4}, {"id", kInt8}, {"x", kInt4}},
       "SELECT tenant_id, id, x FROM public.orders WHERE tenant_id = 5");
  view("v_all", {{"t", kInt4}, {"id", kInt8}},
       "SELECT orders.tenant_id AS t, orders.id FROM public.orders");
  view("v_ref", {{"k", kInt4}}, "SELECT k FROM public.ref");
  view("v_note", {{"k", kInt4}}, "SELECT k FROM public.note");
}

}  // namespace

catalog::SnapshotPtr make_test_cluster() {
  Builder b;
  b.s->epoch = Epoch{1};
  b.s->cluster = "test";
  b.s->home = ShardId{1};
  b.s->database_collation.locale = "C.UTF-8";
  for (int i = 1; i <= 4; ++i) {
    catalog::Shard shard;
    shard.id = ShardId{i};
    shard.name = "s" + std::to_string(i);
    shard.home = i == 1;
    b.s->shards.push_back(std::move(shard));
    b.shards.push_back(ShardId{i});
  }
  b.keyspace(1, "ints", "postgres", "{\"slots\": 4096}", {KeyType::kInt8});
  b.keyspace(2, "texts", "postgres", "{\"slots\": 4096}", {KeyType::kText});
  b.keyspace(3, "pairs", "postgres", "{\"slots\": 4096}", {KeyType::kInt8, KeyType::kInt8});
  b.keyspace(4, "zones", "range", "{\"bounds\": [100, 200, 300]}", {KeyType::kInt8});
  b.keyspace(5, "canon", "postgres", "{\"slots\": 4096}", {KeyType::kNumeric}, false);
  catalog::Collation ci;
  ci.oid = Oid{kCollation};
  ci.name = "ci";
  ci.provider = 'i';
  ci.deterministic = false;
  b.s->collations[ci.oid] = ci;
  b.s->schemas = {"app", "pg_catalog", "public"};
  add_types(b);
  add_functions(b);
  add_tables(b);
  return b.s;
}

namespace {

std::string shard_of(int keyspace, const keys::KeyValue& value) {
  const auto s = make_test_cluster();
  return s->shard(*s->keyspace(KeyspaceId{keyspace})->placement->place(value))->name;
}

}  // namespace

std::string test_shard_of(int tenant) {
  return shard_of(1, keys::KeyValue::of_integer(KeyType::kInt8, tenant));
}

std::string test_shard_of(const std::string& text) {
  return shard_of(2, keys::KeyValue::of_bytes(KeyType::kText, text));
}

}  // namespace shoal::route
