// What reaches beyond one key without naming a sharded relation.
#include <algorithm>
#include <array>
#include <string_view>

#include "plan/scope.h"
#include "plan/texts.h"
#include "plan/views.h"
#include "sql/visit.h"

namespace shoal::plan {
namespace {

using catalog::TableKind;
using catalog::Volatility;

template <std::size_t N>
bool among(std::string_view name, const std::array<std::string_view, N>& list) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

std::string lower(std::string s) {
  for (char& c : s) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return s;
}

// Volatile functions of PostgreSQL that neither read nor change rows.
constexpr std::array<std::string_view, 21> kHarmlessVolatile{"random",
                                                             "random_normal",
                                                             "setseed",
                                                             "gen_random_uuid",
                                                             "uuidv4",
                                                             "uuidv7",
                                                             "clock_timestamp",
                                                             "timeofday",
                                                             "nextval",
                                                             "currval",
                                                             "lastval",
                                                             "set_config",
                                                             "pg_sleep",
                                                             "pg_sleep_for",
                                                             "pg_sleep_until",
                                                             "pg_notify",
                                                             "txid_current",
                                                             "txid_current_if_assigned",
                                                             "pg_current_xact_id",
                                                             "pg_current_xact_id_if_assigned",
                                                             "unnest"};

// Stable functions whose names begin as those do that describe a server, and that tell of
// definitions only.
constexpr std::array<std::string_view, 15> kHarmlessStable{
    "pg_typeof",           "pg_encoding_to_char", "pg_char_to_encoding",     "pg_client_encoding",
    "pg_is_in_recovery",   "pg_backend_pid",      "pg_my_temp_schema",       "pg_has_role",
    "pg_column_size",      "pg_describe_object",  "pg_collation_for",        "pg_timezone_names",
    "pg_timezone_abbrevs", "pg_size_pretty",      "pg_postmaster_start_time"};

// Catalogs that hold definitions only: no value, no statistics, no count of rows.
constexpr std::array<std::string_view, 46> kDefinitions{"pg_class",
                                                        "pg_attribute",
                                                        "pg_attrdef",
                                                        "pg_type",
                                                        "pg_enum",
                                                        "pg_range",
                                                        "pg_namespace",
                                                        "pg_constraint",
                                                        "pg_index",
                                                        "pg_indexes",
                                                        "pg_tables",
                                                        "pg_views",
                                                        "pg_matviews",
                                                        "pg_proc",
                                                        "pg_aggregate",
                                                        "pg_operator",
                                                        "pg_opclass",
                                                        "pg_opfamily",
                                                        "pg_amop",
                                                        "pg_amproc",
                                                        "pg_am",
                                                        "pg_cast",
                                                        "pg_collation",
                                                        "pg_conversion",
                                                        "pg_language",
                                                        "pg_extension",
                                                        "pg_description",
                                                        "pg_shdescription",
                                                        "pg_depend",
                                                        "pg_inherits",
                                                        "pg_partitioned_table",
                                                        "pg_policy",
                                                        "pg_policies",
                                                        "pg_trigger",
                                                        "pg_rewrite",
                                                        "pg_rules",
                                                        "pg_sequence",
                                                        "pg_database",
                                                        "pg_roles",
                                                        "pg_user",
                                                        "pg_auth_members",
                                                        "pg_tablespace",
                                                        "pg_settings",
                                                        "pg_timezone_names",
                                                        "pg_timezone_abbrevs",
                                                        "pg_available_extensions"};

Error beyond(std::string why) {
  return refuse(Refusal::kScope, std::move(why), "ask in a session without shoal.key");
}

std::optional<Error> check_builtin(std::string_view name, Volatility volatility) {
  const auto starts = [&](std::string_view with) { return name.starts_with(with); };
  bool fine = true;
  if (volatility == Volatility::kVolatile) {
    fine = among(name, kHarmlessVolatile) || starts("pg_advisory_") || starts("pg_try_advisory_");
  } else if (volatility == Volatility::kStable) {
    const bool about_server = starts("pg_") || starts("query_to_") || starts("table_to_") ||
                              starts("schema_to_") || starts("database_to_") ||
                              starts("cursor_to_") || starts("ts_stat") || starts("lo_");
    fine = !about_server || starts("pg_get_") || name.ends_with("_is_visible") ||
           among(name, kHarmlessStable);
  }
  if (fine) return std::nullopt;
  return beyond("function " + std::string(name) + "() may tell of other keys or reach them");
}

class Calls {
 public:
  Calls(const catalog::Snapshot& snapshot, const route::SessionFacts& session)
      : snapshot_(snapshot), session_(session) {}

  std::optional<Error> check(const sql::Call& c) const {
    for (const catalog::Function* f : snapshot_.resolve_functions(session_.search_path, c.name)) {
      if (!f->builtin()) {
        if (f->declared == "local") continue;
        return refuse(Refusal::kScope,
                      "function " + f->name + " may read other keys: it is not declared",
                      "SELECT shoal.declare_function('" + f->name + "(...)', 'local')");
      }
      if (auto e = check_builtin(f->name, f->volatility)) return e;
    }
    return std::nullopt;
  }
  bool user_code(const sql::Call& c) const {
    const auto found = snapshot_.resolve_functions(session_.search_path, c.name);
    return std::any_of(found.begin(), found.end(), [](const auto* f) { return !f->builtin(); });
  }
  bool names_type(const sql::Call& c) const {
    return snapshot_.resolve_type(session_.search_path, c.name) != nullptr;
  }

 private:
  const catalog::Snapshot& snapshot_;
  const route::SessionFacts& session_;
};

// Columns of pg_class that count rows, and whatever may hide them.
bool counts_rows(const route::Relation& r) {
  if (r.table->name != "pg_class") return false;
  for (std::size_t i = 0; i < r.columns.size() && i < r.table->columns.size(); ++i) {
    const std::string& name = r.table->columns[i].name;
    const bool count = name == "reltuples" || name == "relpages" || name == "relallvisible";
    if (count && (r.columns[i].used || r.whole_row)) return true;
  }
  return false;
}

std::optional<Error> check_relation(const route::Relation& r) {
  if (r.kind == route::RelationKind::kUnknown && !r.temporary && !r.cte) {
    return make_error("42P01", "relation \"" + r.name + "\" does not exist");
  }
  if (r.table == nullptr) return std::nullopt;
  const catalog::Table& t = *r.table;
  if (t.schema == "shoal") return beyond("shoal." + t.name + " speaks of all keys");
  if (t.name.starts_with("pg_stat")) return beyond(t.name + " counts or shows rows of all keys");
  if (t.relkind == 'm' || t.relkind == 'f') {
    return beyond("the rows of " + t.name + " are not known by key");
  }
  if (t.kind != TableKind::kCatalog) return std::nullopt;
  if (t.schema == "information_schema") return std::nullopt;
  if (!among(std::string_view(t.name), kDefinitions)) {
    return beyond("catalog " + t.name + " may show or count rows of all keys");
  }
  if (counts_rows(r)) return beyond("reltuples and relpages of pg_class count rows of all keys");
  return std::nullopt;
}

// Rows of a reference table are shared; other keys' rows may hang on them by foreign keys, which
// can only point at unique columns.
std::optional<Error> check_reference_write(const sql::Statement& s, const route::Analysis& a) {
  if (a.target < 0) return std::nullopt;
  const catalog::Table* t = a.relation(a.target).table;
  if (t == nullptr || t->kind != TableKind::kReference) return std::nullopt;
  const std::vector<sql::Assignment>* set = nullptr;
  if (const auto* u = std::get_if<std::unique_ptr<sql::Update>>(&s.node)) set = &(*u)->set;
  if (const auto* i = std::get_if<std::unique_ptr<sql::Insert>>(&s.node)) {
    if (!(*i)->on_conflict) return std::nullopt;
    set = &(*i)->on_conflict->set;
  }
  if (set == nullptr) {
    return beyond("rows of other keys may refer to the rows of " + t->name + " that are deleted");
  }
  for (const auto& assignment : *set) {
    const catalog::Column* column = t->column(std::string_view(assignment.column));
    for (const auto& index : t->indexes) {
      if (column == nullptr || !index.unique) continue;
      if (std::find(index.attnums.begin(), index.attnums.end(), column->attnum) ==
          index.attnums.end()) {
        continue;
      }
      return beyond("rows of other keys may refer to " + t->name + "." + column->name);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Error> beyond_scope(const sql::Statement& s, const route::Analysis& a,
                                  const catalog::Snapshot& snapshot,
                                  const route::SessionFacts& session) {
  const Calls calls(snapshot, session);
  std::optional<Error> error;
  bool sets = false;
  sql::for_each_root(s, [&](const auto& root) {
    sql::walk(root, [&](const auto& node) {
      if constexpr (std::is_same_v<std::decay_t<decltype(node)>, sql::Expr>) {
        const auto* call = std::get_if<sql::Call>(&node.node);
        if (call != nullptr && !error) error = calls.check(*call);
        if (call != nullptr && call->name.back() == "set_config") sets = true;
      }
      return !error;
    });
  });
  if (error) return error;
  if (sets && a.sharded) return refuse(Refusal::kSetNotTracked, "set_config inside a larger query");
  for (const auto& r : a.relations) {
    if (auto e = check_relation(*r)) return e;
  }
  return check_reference_write(s, a);
}

namespace {

// What one condition consists of.
struct Parts {
  int steps = 0;       // operators and functions that certainly cost something
  bool risky = false;  // something that may raise an error with a value in it
  bool code = false;   // user code, whose cost nobody knows
};

// Operators that raise no error, whatever the values are.
bool compares(const sql::Operator& op) {
  using F = sql::Operator::Form;
  switch (op.form) {
    case F::kLike:
    case F::kNotLike:
    case F::kILike:
    case F::kNotILike: {
      // A pattern may end with its escape character.
      const bool constant = op.right && (std::holds_alternative<sql::Const>(op.right->node) ||
                                         std::holds_alternative<sql::Param>(op.right->node));
      return constant;
    }
    case F::kSimilar:
    case F::kNotSimilar:
      return false;
    case F::kPlain:
    case F::kAny:
    case F::kAll:
      return op.name.size() == 1 && among(op.name[0], std::array<std::string_view, 7>{
                                                          "=", "<>", "!=", "<", "<=", ">", ">="});
    default:
      return true;
  }
}

void count_parts(const sql::Expr& e, const Calls& calls, Parts& out) {
  sql::walk_expressions(e, [&](const sql::Expr& part) {
    if (const auto* call = std::get_if<sql::Call>(&part.node)) {
      out.risky = true;
      out.code |= calls.user_code(*call);
      if (!calls.names_type(*call)) ++out.steps;
    } else if (const auto* cast = std::get_if<sql::Cast>(&part.node)) {
      const bool constant = std::holds_alternative<sql::Const>(cast->arg->node) ||
                            std::holds_alternative<sql::Param>(cast->arg->node);
      out.risky |= !constant;
      if (!constant) out.steps -= 1;  // many casts are free
    } else if (const auto* op = std::get_if<sql::Operator>(&part.node)) {
      ++out.steps;
      out.risky |= !compares(*op);
    } else if (std::holds_alternative<sql::Opaque>(part.node) ||
               std::holds_alternative<sql::Indirection>(part.node)) {
      out.risky = true;
    }
    return true;
  });
}

bool may_tell(const sql::Expr* e, const Calls& calls) {
  if (e == nullptr) return false;
  if (const auto* both = std::get_if<sql::BoolExpr>(&e->node);
      both != nullptr && both->op == sql::BoolExpr::Op::kAnd) {
    return std::any_of(both->args.begin(), both->args.end(),
                       [&](const auto& arg) { return may_tell(arg.get(), calls); });
  }
  Parts parts;
  count_parts(*e, calls, parts);
  return parts.code || (parts.risky && parts.steps < 2);
}

void each_on(const sql::FromItem& f, const Calls& calls, bool& found) {
  const auto* j = std::get_if<sql::Join>(&f.node);
  if (j == nullptr) return;
  found |= may_tell(j->on.get(), calls);
  each_on(*j->left, calls, found);
  each_on(*j->right, calls, found);
}

}  // namespace

bool conditions_may_tell(const sql::Statement& s, const catalog::Snapshot& snapshot,
                         const route::SessionFacts& session) {
  const Calls calls(snapshot, session);
  bool found = false;
  sql::for_each_root(s, [&](const auto& root) {
    sql::walk(root, [&](const auto& node) {
      using T = std::decay_t<decltype(node)>;
      if constexpr (std::is_same_v<T, sql::Select>) {
        found |= may_tell(node.where.get(), calls) || may_tell(node.having.get(), calls);
        for (const auto& f : node.from) each_on(*f, calls, found);
      } else if constexpr (std::is_same_v<T, sql::Update>) {
        found |= may_tell(node.where.get(), calls);
        for (const auto& f : node.from) each_on(*f, calls, found);
      } else if constexpr (std::is_same_v<T, sql::Delete>) {
        found |= may_tell(node.where.get(), calls);
        for (const auto& f : node.using_items) each_on(*f, calls, found);
      }
      return !found;
    });
  });
  return found;
}

bool answer_current_setting(sql::Statement& s, const std::string& key) {
  bool found = false;
  const auto asks = [](const sql::Expr& e) {
    const auto* call = std::get_if<sql::Call>(&e.node);
    if (call == nullptr || call->name.back() != "current_setting" || call->args.empty())
      return false;
    const auto* name = std::get_if<sql::Const>(&call->args[0]->node);
    return name != nullptr && lower(name->text) == "shoal.key";
  };
  sql::for_each_root(s, [&](const auto& root) {
    sql::walk(own_node(&root), [&](auto& node) {
      using T = std::decay_t<decltype(node)>;
      if constexpr (std::is_same_v<T, sql::Select>) {
        for (auto& t : node.targets) {
          if (t.expr && t.name.empty() && asks(*t.expr)) t.name = "current_setting";
        }
      } else if constexpr (std::is_same_v<T, sql::Expr>) {
        if (!asks(node)) return true;
        sql::Cast cast;
        cast.arg = make_string(key);
        cast.type.names = {"pg_catalog", "text"};
        node.node = std::move(cast);
        found = true;
      }
      return true;
    });
  });
  return found;
}

}  // namespace shoal::plan
