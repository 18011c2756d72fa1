// Dispatch, arguments, and the commands that are a few statements long. The larger ones:
// placement.cc, keyspace.cc, add_shard.cc.
#include "control/commands.h"

#include <charconv>

#include "control/add_shard.h"
#include "control/keyspace.h"
#include "control/measure.h"
#include "control/pins.h"
#include "control/placement.h"
#include "control/rules.h"
#include "control/ticket.h"
#include "control/work.h"

namespace shoal::control {
namespace {

// The values of a call by parameter name, defaults not filled in.
class Arguments {
 public:
  static Result<Arguments> bind(const CallArguments& call, const Signature& signature);

  bool given(std::string_view name) const { return values_.contains(name); }
  // Empty when not given or NULL.
  std::optional<std::string> get(std::string_view name) const {
    const auto it = values_.find(name);
    return it == values_.end() ? std::nullopt : it->second;
  }
  // 22004 when NULL or not given.
  Result<std::string> need(std::string_view name) const {
    if (auto value = get(name)) return *value;
    return make_error("22004", fmt::format("argument \"{}\" must not be NULL", name));
  }

 private:
  std::map<std::string, std::optional<std::string>, std::less<>> values_;
};

Result<Arguments> Arguments::bind(const CallArguments& call, const Signature& signature) {
  const auto no_function = [&](std::string_view why) {
    return make_error(
        "42883",
        fmt::format("function {}.{} cannot be called so", signature.schema, signature.name),
        std::string(why));
  };
  Arguments out;
  if (call.by_position.size() > signature.parameters.size())
    return no_function("too many arguments");
  for (std::size_t i = 0; i < call.by_position.size(); ++i) {
    out.values_[std::string(signature.parameters[i].name)] = call.by_position[i];
  }
  for (const auto& [name, value] : call.by_name) {
    const std::string& named = name;  // Clang 14 captures no structured binding
    const bool known = std::any_of(signature.parameters.begin(), signature.parameters.end(),
                                   [&](const Parameter& p) { return p.name == named; });
    if (!known || out.given(name)) return no_function(fmt::format("argument \"{}\"", name));
    out.values_[name] = value;
  }
  for (const Parameter& p : signature.parameters) {
    if (p.default_sql.empty() && !out.given(p.name)) {
      return no_function(fmt::format("argument \"{}\" is missing", p.name));
    }
  }
  return out;
}

// A column name, or an array of them in PostgreSQL's form.
std::vector<std::string> column_names(const std::string& text) {
  if (text.starts_with('{') && text.ends_with('}')) return array_elements(text);
  return {text};
}

TextRows one_value(std::string_view column, std::string value) {
  TextRows out;
  out.columns.emplace_back(column);
  out.rows.push_back({std::move(value)});
  out.tag = "SELECT 1";
  return out;
}

io::Task<Result<>> do_shard_table(Work& work, Arguments arguments) {
  auto table = arguments.need("table_name");
  if (!table) co_return std::move(table).error();
  auto columns = arguments.need("columns");
  if (!columns) co_return std::move(columns).error();
  auto oid = co_await resolve_relation(work, *table);
  if (!oid) co_return std::move(oid).error();
  ShardingRequest request;
  request.table = *oid;
  request.columns = column_names(*columns);
  request.keyspace = arguments.get("keyspace");
  request.local_constraints = array_elements(arguments.get("local_constraints").value_or("{}"));
  co_return co_await shard_table(work, std::move(request));
}

// What Citus's arguments mean here: the slot count is a keyspace's, not a table's.
io::Task<Result<>> do_create_distributed_table(Work& work, Arguments arguments) {
  auto table = arguments.need("table_name");
  if (!table) co_return std::move(table).error();
  auto column = arguments.need("distribution_column");
  if (!column) co_return std::move(column).error();
  const std::string type = arguments.get("distribution_type").value_or("hash");
  if (type != "hash") {
    co_return refuse(Refusal::kBadPlacement, fmt::format("distribution_type '{}'", type),
                     "SELECT shoal.create_keyspace(name, 'range' or 'list', params), then "
                     "shoal.shard_table with that keyspace");
  }
  auto oid = co_await resolve_relation(work, *table);
  if (!oid) co_return std::move(oid).error();
  ShardingRequest request;
  request.table = *oid;
  request.columns = {*column};
  if (const auto count = arguments.get("shard_count")) {
    std::uint32_t slots = 0;
    std::from_chars(count->data(), count->data() + count->size(), slots);
    if (slots < 1 || slots > 65536) {
      co_return refuse(Refusal::kBadPlacement, "shard_count must be between 1 and 65536");
    }
    request.default_slots = slots;
  }
  const std::string with = arguments.get("colocate_with").value_or("default");
  if (with == "none") {
    co_return refuse(
        Refusal::kBadPlacement, "colocate_with 'none'",
        "SELECT shoal.create_keyspace(name), then shoal.shard_table with that keyspace");
  }
  if (with != "default") {
    auto other = co_await resolve_relation(work, with);
    if (!other) co_return std::move(other).error();
    const catalog::Table* t = work.snapshot->table(*other);
    const catalog::Keyspace* k = t && t->kind == catalog::TableKind::kSharded
                                     ? work.snapshot->keyspace(t->keyspace)
                                     : nullptr;
    if (!k)
      co_return refuse(Refusal::kBadPlacement, fmt::format("{} is not a sharded table", with));
    request.keyspace = k->name;
  }
  co_return co_await shard_table(work, std::move(request));
}

io::Task<Result<>> do_create_keyspace(Work& work, Arguments arguments) {
  SHOAL_CO_TRY(co_await work.require_administrator("create_keyspace"));
  auto name = arguments.need("name");
  if (!name) co_return std::move(name).error();
  const std::string function = arguments.get("function").value_or("postgres");
  std::string params = arguments.get("params").value_or("{}");
  if (function == "postgres" && params == "{}")
    params = fmt::format("{{\"slots\": {}}}", kDefaultSlots);
  std::vector<keys::KeyType> types;
  for (const std::string& t : array_elements(arguments.get("key_types").value_or("{int8}"))) {
    const auto type = keys::key_type_of_name(t);
    if (!type) co_return refuse(Refusal::kKeyType, fmt::format("\"{}\"", t));
    types.push_back(*type);
  }
  co_return co_await create_keyspace(work, *name, function, params, std::move(types));
}

// A keyspace by its name, otherwise that of a sharded table.
io::Task<Result<KeyspaceId>> find_keyspace(Work& work, std::string name) {
  if (const catalog::Keyspace* k = work.snapshot->keyspace(name)) co_return k->id;
  auto rows = co_await work.home(
      fmt::format("SELECT pg_catalog.to_regclass({}) IS NOT NULL", quote_literal(name)));
  if (!rows) co_return std::move(rows).error();
  if (cell(*rows, 0, 0) != "t") {
    co_return refuse(Refusal::kUnknownKeyspace,
                     fmt::format("\"{}\" is neither a keyspace nor a table", name));
  }
  auto oid = co_await resolve_relation(work, name);
  if (!oid) co_return std::move(oid).error();
  const catalog::Table* t = work.snapshot->table(*oid);
  if (t && t->kind == catalog::TableKind::kSharded) co_return t->keyspace;
  co_return refuse(Refusal::kUnknownKeyspace, fmt::format("{} is not a sharded table", name));
}

io::Task<Result<>> do_pin(Work& work, Arguments arguments, bool pin) {
  SHOAL_CO_TRY(co_await work.require_administrator(pin ? "pin" : "unpin"));
  auto name = arguments.need("keyspace");
  if (!name) co_return std::move(name).error();
  auto key = arguments.need("key");
  if (!key) co_return std::move(key).error();
  std::optional<std::string> shard;
  if (pin) {
    auto to = arguments.need("shard");
    if (!to) co_return std::move(to).error();
    shard = *to;
  }
  auto id = co_await find_keyspace(work, *name);
  if (!id) co_return std::move(id).error();
  const catalog::Keyspace& keyspace = *work.snapshot->keyspace(*id);
  std::vector<std::string> parts{*key};
  if (keyspace.types.size() > 1) parts = array_elements(*key);
  co_return co_await pin_key(work, keyspace, std::move(parts), std::move(shard));
}

io::Task<Result<>> do_set_tags(Work& work, Arguments arguments) {
  SHOAL_CO_TRY(co_await work.require_administrator("set_tags"));
  auto shard = arguments.need("shard");
  if (!shard) co_return std::move(shard).error();
  std::vector<std::string> tags = array_elements(arguments.get("tags").value_or("{}"));
  co_return co_await set_tags(work, *shard, std::move(tags));
}

io::Task<Result<TextRows>> do_placement_rule(Work& work, Arguments arguments) {
  SHOAL_CO_TRY(co_await work.require_administrator("placement_rule"));
  auto keyspace = arguments.need("keyspace");
  if (!keyspace) co_return std::move(keyspace).error();
  auto tag = arguments.need("tag");
  if (!tag) co_return std::move(tag).error();
  RuleRequest request;
  request.keyspace = *keyspace;
  request.tag = *tag;
  if (const auto keys = arguments.get("keys")) request.keys = array_elements(*keys);
  request.low = arguments.get("low");
  request.high = arguments.get("high");
  auto id = co_await add_rule(work, std::move(request));
  if (!id) co_return std::move(id).error();
  co_return one_value("placement_rule", *id);
}

io::Task<Result<>> do_drop_placement_rule(Work& work, Arguments arguments) {
  SHOAL_CO_TRY(co_await work.require_administrator("drop_placement_rule"));
  auto id = arguments.need("id");
  if (!id) co_return std::move(id).error();
  co_return co_await work.catalog(fmt::format(
      "DELETE FROM shoal.placement_rule WHERE id = {}::pg_catalog.int4", quote_literal(*id)));
}

io::Task<Result<TextRows>> do_where(Work& work, Arguments arguments) {
  auto name = arguments.need("table_name");
  if (!name) co_return std::move(name).error();
  auto text = arguments.need("key");
  if (!text) co_return std::move(text).error();
  auto id = co_await find_keyspace(work, *name);
  if (!id) co_return std::move(id).error();
  const catalog::Keyspace& k = *work.snapshot->keyspace(*id);
  std::vector<std::string> parts =
      k.types.size() > 1 ? array_elements(*text) : std::vector<std::string>{*text};
  if (parts.size() != k.types.size()) {
    co_return refuse(Refusal::kKeyValue,
                     fmt::format("the key has {} columns: give an array", k.types.size()));
  }
  std::vector<keys::KeyValue> key;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto value = co_await read_key(work, k.types[i], parts[i]);
    if (!value) co_return std::move(value).error();
    key.push_back(std::move(*value));
  }
  auto hash = k.placement->function->describe(key);
  if (!hash) co_return std::move(hash).error();
  auto shard = k.placement->place(key);
  if (!shard) co_return std::move(shard).error();
  std::optional<std::string> slot_text;  // none: only its pin gives the key a place
  if (auto slot = k.placement->function->slot(key)) slot_text = std::to_string(slot->value);
  TextRows out;
  out.columns = {"keyspace", "function", "hash", "slot", "shard"};
  const catalog::Shard* s = work.snapshot->shard(*shard);
  out.rows.push_back({k.name, k.function, *hash, slot_text, s ? s->name : ""});
  out.tag = "SELECT 1";
  co_return out;
}

io::Task<Result<>> declare_function(Work& work, std::string signature, std::string declared) {
  if (declared != "local") {
    co_return refuse(Refusal::kUserFunction, fmt::format("\"{}\" is not known", declared),
                     "'local': the function touches no sharded, reference or single table");
  }
  auto rows = co_await work.home(fmt::format(
      "SELECT pg_catalog.format('%I.%I(%s)', n.nspname, p.proname, (SELECT pg_catalog.string_agg("
      "   CASE WHEN ta.oid < 16384 THEN pg_catalog.format_type(ta.oid, NULL)"
      "     ELSE pg_catalog.format('%I.%I', tn.nspname, ta.typname) END, ',' ORDER BY t.ord)"
      "   FROM pg_catalog.unnest(p.proargtypes::pg_catalog.oid[]) WITH ORDINALITY t(oid, ord)"
      "   JOIN pg_catalog.pg_type ta ON ta.oid = t.oid"
      "   JOIN pg_catalog.pg_namespace tn ON tn.oid = ta.typnamespace)),"
      " pg_catalog.pg_has_role(p.proowner, 'USAGE')"
      " FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
      " WHERE p.oid = {}::pg_catalog.{}::pg_catalog.oid",
      quote_literal(signature),
      signature.find('(') == std::string::npos ? "regproc" : "regprocedure"));
  if (!rows) co_return std::move(rows).error();
  if (cell(*rows, 0, 1) != "t") {
    co_return make_error("42501", fmt::format("must be owner of function {}", signature));
  }
  co_return co_await work.catalog(
      fmt::format("INSERT INTO shoal.declared_function (function, declared) VALUES ({}, {})"
                  " ON CONFLICT (function) DO UPDATE SET declared = excluded.declared",
                  quote_literal(cell(*rows, 0, 0)), quote_literal(declared)));
}

io::Task<Result<TextRows>> do_table_rule(Work& work, Arguments arguments) {
  SHOAL_CO_TRY(co_await work.require_administrator("table_rule"));
  const std::string kind = arguments.given("kind") ? arguments.get("kind").value_or("") : "sharded";
  if (kind != "sharded" && kind != "reference" && kind != "single") {
    co_return make_error("22023", fmt::format("kind \"{}\": sharded, reference or single", kind));
  }
  if (kind == "sharded" && !arguments.get("column_name")) {
    co_return make_error("22004", "a rule for sharded tables needs column_name");
  }
  const auto keyspace = arguments.get("keyspace");
  if (keyspace && !work.snapshot->keyspace(*keyspace)) {
    co_return refuse(Refusal::kUnknownKeyspace, fmt::format("\"{}\"", *keyspace));
  }
  SHOAL_CO_TRY(co_await work.catalog(fmt::format(
      "INSERT INTO shoal.table_rules (column_name, kind, keyspace, schema_name, table_pattern)"
      " VALUES ({}, {}, {}, {}, {})",
      quote_nullable(arguments.get("column_name")), quote_literal(kind), quote_nullable(keyspace),
      quote_nullable(arguments.get("schema_name")),
      quote_literal(arguments.get("table_pattern").value_or("%")))));
  auto id = co_await work.home("SELECT max(id) FROM shoal.table_rules");
  if (!id) co_return std::move(id).error();
  co_return one_value("table_rule", cell(*id, 0, 0));
}

io::Task<Result<>> do_drop_table_rule(Work& work, Arguments arguments) {
  SHOAL_CO_TRY(co_await work.require_administrator("drop_table_rule"));
  auto id = arguments.need("id");
  if (!id) co_return std::move(id).error();
  co_return co_await work.catalog(fmt::format(
      "DELETE FROM shoal.table_rules WHERE id = {}::pg_catalog.int4", quote_literal(*id)));
}

io::Task<Result<>> do_add_shard(Work& work, Arguments arguments) {
  SHOAL_CO_TRY(co_await work.require_administrator("add_shard"));
  auto name = arguments.need("name");
  if (!name) co_return std::move(name).error();
  auto dsn = arguments.need("dsn");
  if (!dsn) co_return std::move(dsn).error();
  if (name->empty() || name->size() > 63) {
    co_return make_error("22023", "a shard's name has 1 to 63 bytes");
  }
  if (work.snapshot->shard(*name)) {
    co_return make_error("42710", fmt::format("shard \"{}\" already exists", *name));
  }
  if (work.change.schema_changed) {
    co_return make_error("25001", "add_shard cannot follow schema changes in one transaction", "",
                         "commit them first");
  }
  std::vector<Oid> everything{Oid(0)};
  for (const auto& [oid, t] : work.snapshot->tables_by_oid) {
    if (t.kind == catalog::TableKind::kReference) everything.push_back(oid);
  }
  auto hold = co_await work.store.hold(std::move(everything));
  if (!hold) co_return std::move(hold).error();
  work.change.holds.push_back(*hold);
  SHOAL_CO_TRY(co_await work.refresh());  // what was committed until the hold
  NewShard spec{*name, *dsn, ShardId(1)};
  for (const catalog::Shard& s : work.snapshot->shards) {
    spec.id = std::max(spec.id, ShardId(s.id.value + 1));
  }
  PreparedShard prepared;
  std::function<Result<>()> job = [&spec, &prepared, &work]() -> Result<> {
    auto done =
        prepare_new_shard(spec, work.store.catalog_dsn(), work.store.secret(), *work.snapshot);
    if (!done) return std::move(done).error();
    prepared = std::move(*done);
    return {};
  };
  SHOAL_CO_TRY(co_await work.store.run_blocking(std::move(job)));
  co_return co_await work.catalog(prepared.catalog_sql);
}

io::Task<Result<>> run_void(Work& work, std::string name, Arguments arguments) {
  if (name == "shard_table") co_return co_await do_shard_table(work, std::move(arguments));
  if (name == "create_distributed_table") {
    co_return co_await do_create_distributed_table(work, std::move(arguments));
  }
  if (name == "create_keyspace") co_return co_await do_create_keyspace(work, std::move(arguments));
  if (name == "pin") co_return co_await do_pin(work, std::move(arguments), true);
  if (name == "unpin") co_return co_await do_pin(work, std::move(arguments), false);
  if (name == "drop_table_rule") co_return co_await do_drop_table_rule(work, std::move(arguments));
  if (name == "set_tags") co_return co_await do_set_tags(work, std::move(arguments));
  if (name == "drop_placement_rule") {
    co_return co_await do_drop_placement_rule(work, std::move(arguments));
  }
  if (name == "measure") co_return co_await measure(work);
  if (name == "add_shard") co_return co_await do_add_shard(work, std::move(arguments));
  if (name == "declare_function") {
    auto function = arguments.need("function");
    if (!function) co_return std::move(function).error();
    co_return co_await declare_function(work, *function,
                                        arguments.get("declared").value_or("local"));
  }
  if (name == "create_distributed_function") {
    auto function = arguments.need("function_name");
    if (!function) co_return std::move(function).error();
    if (!arguments.get("distribution_arg_name").value_or("").empty()) {
      co_return refuse(Refusal::kUserFunction, "functions are not routed by an argument yet");
    }
    co_return co_await declare_function(work, *function, "local");
  }
  auto table = arguments.need("table_name");
  if (!table) co_return std::move(table).error();
  auto oid = co_await resolve_relation(work, *table);
  if (!oid) co_return std::move(oid).error();
  if (name == "single_table" || name == "undistribute_table") {
    co_return co_await single_table(work, *oid);
  }
  co_return co_await reference_table(work, *oid);
}

}  // namespace

const Signature* Commands::find(std::string_view schema, std::string_view name) {
  return find_signature(schema.empty() ? "public" : schema, name);
}

io::Task<Result<TextRows>> Commands::call(backend::ShardRunner& runner,
                                          catalog::SnapshotPtr snapshot, Change& change,
                                          CallContext, CallArguments arguments) {
  const Signature* signature = find(arguments.schema, arguments.name);
  if (!signature) co_return make_error("42883", "there is no such function of Shoal's");
  auto bound = Arguments::bind(arguments, *signature);
  if (!bound) co_return std::move(bound).error();
  Work work{runner, store_, std::move(snapshot), change};
  const std::string name(signature->name);
  // Applications ask this with each request. A session that has changed something hands in a
  // snapshot that shows it, so there is nothing to read again.
  if (name == "where") co_return co_await do_where(work, std::move(*bound));
  SHOAL_CO_TRY(co_await work.refresh());
  if (name == "table_rule") co_return co_await do_table_rule(work, std::move(*bound));
  if (name == "placement_rule") {
    co_return co_await do_placement_rule(work, std::move(*bound));
  }
  SHOAL_CO_TRY(co_await run_void(work, name, std::move(*bound)));
  co_return one_value(name, "");
}

io::Task<Result<>> Commands::before_commit(backend::ShardRunner& runner,
                                           catalog::SnapshotPtr snapshot, Change& change) {
  if (!change.schema_changed) co_return Result<>{};
  co_return co_await write_catalog(runner, std::move(snapshot),
                                   "UPDATE shoal.cluster SET epoch = epoch + 1,"
                                   " schema_mark = shoal.schema_mark()");
}

io::Task<> Commands::finish(Change& change, bool committed) {
  if (change.holds.empty() && !change.schema_changed) co_return;
  std::vector<CatalogStore::HoldId> holds = std::exchange(change.holds, {});
  const bool changed = std::exchange(change.schema_changed, false);
  change.placed.clear();
  co_await store_.release(std::move(holds), committed && changed);
}

io::Task<Result<>> Commands::write_catalog(backend::ShardRunner& runner,
                                           catalog::SnapshotPtr snapshot, std::string sql) {
  Change change;
  Work work{runner, store_, std::move(snapshot), change};
  co_return co_await work.catalog(std::move(sql));
}

}  // namespace shoal::control
