// SQL on shards for commands, and small readers of its answers.
#include "control/work.h"

#include <charconv>

#include "control/loader.h"
#include "control/ticket.h"

namespace shoal::control {

std::vector<ShardId> Work::others() const {
  std::vector<ShardId> ids = snapshot->active_shards();
  std::erase(ids, snapshot->home);
  return ids;
}

io::Task<Result<TextRows>> Work::on(ShardId shard, std::string sql) {
  auto rows = co_await runner.run(shard, std::move(sql));
  if (!rows && rows.error().shard.empty()) {
    Error e = std::move(rows).error();
    if (const catalog::Shard* s = snapshot->shard(shard)) e.shard = s->name;
    co_return e;
  }
  co_return rows;
}

io::Task<Result<>> Work::everywhere(std::string sql) {
  if (sql.empty()) co_return Result<>{};
  SHOAL_CO_TRY(co_await home(sql));
  co_return co_await elsewhere(std::move(sql));
}

io::Task<Result<>> Work::elsewhere(std::string sql) {
  if (sql.empty()) co_return Result<>{};
  const std::vector<ShardId> shards = others();
  for (const ShardId shard : shards) SHOAL_CO_TRY(co_await on(shard, sql));
  co_return Result<>{};
}

io::Task<Result<>> Work::catalog(std::string sql) {
  auto txid = co_await home("SELECT pg_catalog.txid_current()");
  if (!txid) co_return std::move(txid).error();
  const std::string message = fmt::format("apply:{}:{}", cell(*txid, 0, 0), sql);
  const std::string call = fmt::format("SELECT shoal.apply({}, '{}')", quote_literal(sql),
                                       make_ticket(store.secret(), message));
  SHOAL_CO_TRY(co_await home(call));
  change.schema_changed = true;
  co_return Result<>{};
}

io::Task<Result<>> Work::hold(std::vector<Oid> tables) {
  std::string list;
  for (const Oid t : tables) list += fmt::format("{}{}", list.empty() ? "" : ",", t.value);
  change.placed.insert(change.placed.end(), tables.begin(), tables.end());
  // The row of a system column is written once, by the transaction that made the table.
  auto fresh = co_await home(fmt::format(
      "SELECT attrelid::pg_catalog.int8 FROM pg_catalog.pg_attribute WHERE attnum = -1"
      " AND attrelid = ANY ('{{{}}}'::pg_catalog.oid[])"
      " AND xmin::pg_catalog.text::pg_catalog.int8 = pg_catalog.txid_current() % 4294967296",
      list));
  if (!fresh) co_return std::move(fresh).error();
  const catalog::SnapshotPtr committed = store.snapshot();
  for (std::size_t i = 0; i < fresh->rows.size(); ++i) {
    std::erase_if(tables, [&](Oid t) {
      return cell(*fresh, i, 0) == std::to_string(t.value) && !committed->table(t);
    });
  }
  if (tables.empty()) co_return Result<>{};
  auto held = co_await store.hold(std::move(tables));
  if (!held) co_return std::move(held).error();
  change.holds.push_back(*held);
  co_return Result<>{};
}

io::Task<Result<>> Work::require_administrator(std::string what) {
  auto rows = co_await home(
      "SELECT r.rolsuper OR pg_catalog.pg_has_role(d.datdba, 'MEMBER')"
      " FROM pg_catalog.pg_database d, pg_catalog.pg_roles r"
      " WHERE d.datname = pg_catalog.current_database() AND r.rolname = current_user");
  if (!rows) co_return std::move(rows).error();
  if (cell(*rows, 0, 0) == "t") co_return Result<>{};
  co_return make_error("42501", fmt::format("permission denied for function {}", what),
                       "it is for superusers and the owner of the database");
}

io::Task<Result<>> Work::refresh() {
  auto derived = co_await derive_snapshot(runner, snapshot);
  if (!derived) co_return std::move(derived).error();
  snapshot = std::move(*derived);
  co_return Result<>{};
}

io::Task<Result<>> QuietSettings::begin(Work& work) {
  static constexpr const char* kSettings[][2] = {{"search_path", ""},
                                                 {"DateStyle", "ISO, YMD"},
                                                 {"IntervalStyle", "postgres"},
                                                 {"extra_float_digits", "3"},
                                                 {"bytea_output", "hex"},
                                                 {"TimeZone", "UTC"},
                                                 {"check_function_bodies", "off"},
                                                 {"row_security", "on"}};
  std::string read = "SELECT ", set = "SELECT ";
  const char* comma = "";
  for (const auto& s : kSettings) {
    read += fmt::format("{}pg_catalog.current_setting('{}')", comma, s[0]);
    set += fmt::format("{}pg_catalog.set_config('{}', '{}', true)", comma, s[0], s[1]);
    comma = ", ";
  }
  auto before = co_await work.home(read);
  if (!before) co_return std::move(before).error();
  restore_ = "SELECT ";
  for (std::size_t i = 0; i < std::size(kSettings); ++i) {
    restore_ += fmt::format("{}pg_catalog.set_config('{}', {}, true)", i == 0 ? "" : ", ",
                            kSettings[i][0], quote_literal(cell(*before, 0, i)));
  }
  co_return co_await work.everywhere(set);
}

io::Task<Result<>> QuietSettings::end(Work& work) {
  co_return co_await work.everywhere(restore_);
}

std::string cell(const TextRows& rows, std::size_t row, std::size_t column) {
  if (row >= rows.rows.size() || column >= rows.rows[row].size()) return {};
  return rows.rows[row][column].value_or("");
}

std::vector<std::string> array_elements(std::string_view text) {
  std::vector<std::string> out;
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') return out;
  text = text.substr(1, text.size() - 2);
  if (text.empty()) return out;
  std::string item;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size()) {
      item.push_back(text[++i]);
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      out.push_back(std::exchange(item, {}));
    } else if (quoted || (c != ' ' && c != '\t')) {
      item.push_back(c);
    }
  }
  out.push_back(std::move(item));
  return out;
}

std::string array_literal(const std::vector<std::string>& elements) {
  std::string text = "{";
  for (const std::string& e : elements) {
    if (text.size() > 1) text.push_back(',');
    text.push_back('"');
    for (const char c : e) {
      if (c == '"' || c == '\\') text.push_back('\\');
      text.push_back(c);
    }
    text.push_back('"');
  }
  return quote_literal(text + "}") + "::pg_catalog.text[]";
}

std::uint64_t affected_rows(const std::string& tag) {
  std::uint64_t n = 0;
  const std::size_t space = tag.rfind(' ');
  if (space == std::string::npos) return 0;
  std::from_chars(tag.data() + space + 1, tag.data() + tag.size(), n);
  return n;
}

}  // namespace shoal::control
