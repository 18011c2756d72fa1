// Sessions that are about one key or one shard: Shoal's own settings, comment hints, what the
// start-up packet and the role lock, and statements that can't be kept to it. The planner writes
// the key into statements (plan/scope.h).
#include "session/session.h"
#include "sql/deparse.h"
#include "sql/parse.h"
#include "wire/frontend.h"

namespace shoal::session {
namespace {

std::string lower(std::string_view text) {
  std::string s(text);
  for (char& c : s) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return s;
}

bool is_scope(std::string_view name) {
  return name == "shoal.key" || name == "shoal.shard";
}

std::optional<bool> boolean(const std::string& text) {
  const std::string word = lower(text);
  if (word == "on" || word == "true" || word == "yes" || word == "1" || word == "t") return true;
  if (word == "off" || word == "false" || word == "no" || word == "0" || word == "f") return false;
  return std::nullopt;
}

// One setting; without a value back to what it was at the start.
Result<> set_own(route::SessionFacts& facts, const std::string& name,
                 const std::optional<std::string>& value, const route::SessionFacts& initial) {
  if (is_scope(name)) {
    if (value && value->empty()) {
      return make_error("22023", name + " must not be empty", "",
                        "RESET " + name + " for statements about all of it");
    }
    if (name == "shoal.key")
      facts.scope_key = value ? value : initial.scope_key;
    else
      facts.shard = value ? value : initial.shard;
  } else if (name == "shoal.fanout") {
    if (!value)
      facts.fanout = initial.fanout;
    else if (*value == "allow")
      facts.fanout = route::Fanout::kAllow;
    else if (*value == "warn")
      facts.fanout = route::Fanout::kWarn;
    else if (*value == "deny")
      facts.fanout = route::Fanout::kDeny;
    else
      return make_error("22023", "shoal.fanout is allow, warn or deny");
  } else if (name == "shoal.require_key") {
    const std::optional<bool> on = value ? boolean(*value) : initial.require_key;
    if (!on) return make_error("22023", "shoal.require_key is on or off");
    facts.require_key = *on;
  } else if (name == "shoal.snapshot") {
    if (value && *value != "shard") return refuse(Refusal::kSnapshotMode, *value);
  } else {
    return make_error("42704", fmt::format("unrecognized configuration parameter \"{}\"", name));
  }
  return {};
}

// What the role and the database give to sessions, the strongest last, and the isolation level that
// a new transaction has on home.
constexpr std::string_view kRoleSettings =
    "SELECT setting FROM (SELECT pg_catalog.unnest(s.setconfig) AS setting,"
    " s.setrole OPERATOR(pg_catalog.<>) 0 AS role, s.setdatabase OPERATOR(pg_catalog.<>) 0 AS db"
    " FROM pg_catalog.pg_db_role_setting s"
    " WHERE s.setrole OPERATOR(pg_catalog.=) ANY (ARRAY[0::pg_catalog.oid,"
    " (SELECT r.oid FROM pg_catalog.pg_roles r"
    " WHERE r.rolname OPERATOR(pg_catalog.=) SESSION_USER)])"
    " AND s.setdatabase OPERATOR(pg_catalog.=) ANY (ARRAY[0::pg_catalog.oid,"
    " (SELECT d.oid FROM pg_catalog.pg_database d"
    " WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())])) AS x"
    " WHERE pg_catalog.lower(x.setting) OPERATOR(pg_catalog.~~) 'shoal.%' ORDER BY role, db";
constexpr std::string_view kDefaultIsolation =
    "SELECT pg_catalog.current_setting('default_transaction_isolation')";

}  // namespace

// ---- at the start -------------------------------------------------------------------------------

void Session::take_start_setting(const std::string& name, const std::string& value) {
  Result<> taken = set_own(facts_, name, value, facts_);
  if (!taken && !start_error_) start_error_ = taken.error();
}

// The role's settings come after the start-up packet's: it can't choose another key than the role
// is bound to.
io::Task<Result<>> Session::take_role_settings(backend::Connection& home) {
  if (start_error_) co_return *start_error_;
  Result<backend::TextRows> isolation = co_await home.query(std::string(kDefaultIsolation));
  if (!isolation) co_return isolation.error();
  Result<backend::TextRows> rows = co_await home.query(std::string(kRoleSettings));
  if (!rows) co_return rows.error();
  if (!isolation->rows.empty() && isolation->rows[0][0]) role_isolation_ = *isolation->rows[0][0];
  route::SessionFacts role;
  role.fanout = facts_.fanout;
  bool sets_fanout = false, sets_required = false;
  for (const auto& row : rows->rows) {
    const std::string setting = row.at(0).value_or("");
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) continue;
    const std::string name = lower(std::string_view(setting).substr(0, equals));
    SHOAL_CO_TRY(set_own(role, name, setting.substr(equals + 1), role));
    sets_fanout |= name == "shoal.fanout";
    sets_required |= name == "shoal.require_key";
  }
  const auto bind = [](const char* name, std::optional<std::string>& own,
                       const std::optional<std::string>& of_role) -> Result<> {
    if (!of_role) return {};
    if (own && *own != *of_role)
      return refuse(Refusal::kScope, fmt::format("the role is bound to {} = '{}'", name, *of_role));
    own = of_role;
    return {};
  };
  SHOAL_CO_TRY(bind("shoal.key", facts_.scope_key, role.scope_key));
  SHOAL_CO_TRY(bind("shoal.shard", facts_.shard, role.shard));
  if (sets_fanout && !start_fanout_) facts_.fanout = role.fanout;
  if (sets_required) facts_.require_key = facts_.require_key || role.require_key;
  if (facts_.shard && !snapshot()->shard(*facts_.shard))
    co_return refuse(Refusal::kUnknownShard, *facts_.shard);
  facts_changed();
  initial_facts_ = facts_at_begin_ = facts_;
  co_return Result<>();
}

// ---- SET and SHOW -------------------------------------------------------------------------------

Result<> Session::run_set_shoal(const sql::SetVariable& set, const std::string& name) {
  using Kind = sql::SetVariable::Kind;
  std::optional<std::string> value;
  if (set.kind == Kind::kSet) {
    std::optional<std::vector<std::string>> values = constant_values(set.values);
    if (!values || values->size() != 1)
      return make_error("22023", fmt::format("{} takes one value", name));
    value = values->front();
  } else if (set.kind == Kind::kFromCurrent) {
    return refuse(Refusal::kSetNotTracked, "SET " + name + " FROM CURRENT");
  }
  if (is_scope(name) && later_) {
    return refuse(Refusal::kScope, name + " is changed by the second statement of a text",
                  "send SET and RESET of " + name + " by themselves");
  }
  const auto& bound = name == "shoal.shard" ? initial_facts_.shard : initial_facts_.scope_key;
  if (is_scope(name) && bound) {
    if (value && *value != *bound)
      return refuse(Refusal::kScope,
                    name + " was given at the start of the session, or by the role");
    value.reset();
  }
  if (name == "shoal.shard" && value && !value->empty() && !snapshot()->shard(*value))
    return refuse(Refusal::kUnknownShard, *value);
  // A SET LOCAL without effect would leave the statements after it without the scope.
  if (set.local && txn_.idle()) {
    return make_error("25P01",
                      fmt::format("SET LOCAL {} can only be used in transaction blocks", name));
  }
  route::SessionFacts changed = facts_;
  SHOAL_TRY(set_own(changed, name, value, initial_facts_));
  if (txn_.idle() && !before_scope_) before_scope_ = facts_;
  if (set.local && !local_facts_) local_facts_ = facts_;
  if (!set.local && local_facts_) (void)set_own(*local_facts_, name, value, initial_facts_);
  facts_ = std::move(changed);
  facts_changed();
  complete(set.kind == Kind::kReset ? "RESET" : "SET");
  return {};
}

Result<> Session::run_show_shoal(const sql::ShowVariable& show, bool simple) {
  const std::string name = lower(show.name);
  std::string value;
  const route::SessionFacts& f = facts();
  if (name == "shoal.key") {
    value = f.scope_key.value_or("");
  } else if (name == "shoal.shard") {
    value = f.shard.value_or("");
  } else if (name == "shoal.fanout") {
    static const char* const kWords[] = {"allow", "warn", "deny"};
    value = kWords[static_cast<int>(f.fanout)];
  } else if (name == "shoal.require_key") {
    value = f.require_key ? "on" : "off";
  } else if (name == "shoal.snapshot") {
    value = "shard";
  } else {
    return make_error("42704", fmt::format("unrecognized configuration parameter \"{}\"", name));
  }
  rows_of_text({name}, {{value}}, simple);
  complete("SHOW");
  return {};
}

// RESET ALL as a statement of its own resets the scope, too; what follows in a text must not.
Result<> Session::check_reset_all() const {
  if (!later_ ||
      (facts_.scope_key == initial_facts_.scope_key && facts_.shard == initial_facts_.shard))
    return {};
  return refuse(Refusal::kScope, "RESET ALL as the second statement of a text would end the scope",
                "RESET shoal.key first, by a statement of its own");
}

// A pipeline that fails is rolled back, with the settings that it made.
void Session::undo_scope() {
  if (!before_scope_) return;
  facts_.scope_key = before_scope_->scope_key;
  facts_.shard = before_scope_->shard;
  facts_.fanout = before_scope_->fanout;
  facts_.require_key = before_scope_->require_key;
  before_scope_.reset();
  facts_changed();
}

// ---- hints --------------------------------------------------------------------------------------

// From now on facts() are the session's with what the hint asks for. A hint never changes a scope
// that is there.
Result<> Session::begin_hint(const sql::Hint& hint) {
  const auto differs = [](const std::optional<std::string>& session,
                          const std::optional<std::string>& asked) {
    return session && asked && *session != *asked;
  };
  if (differs(facts_.scope_key, hint.key))
    return refuse(Refusal::kScope, "the hint asks for another key than shoal.key");
  if (differs(facts_.shard, hint.shard))
    return refuse(Refusal::kScope, "the hint asks for another shard than shoal.shard");
  if (hint.shard && !snapshot()->shard(*hint.shard))
    return refuse(Refusal::kUnknownShard, *hint.shard);
  hinted_ = facts_;
  if (hint.key) hinted_->scope_key = hint.key;
  if (hint.shard) hinted_->shard = hint.shard;
  hash_facts(*hinted_);
  return {};
}

Result<> Session::take_hint(std::string_view text) {
  Result<std::optional<sql::Hint>> hint = sql::find_hint(text, facts_.standard_strings);
  if (!hint) return hint.error();
  if (*hint) return begin_hint(**hint);
  return {};
}

// ---- what a scope keeps out ---------------------------------------------------------------------

Result<> Session::check_scope(const sql::Statement& statement, Handling handling) const {
  const route::SessionFacts& f = facts();
  if (f.scope_key) {
    if (handling == Handling::kCommand)
      return refuse(Refusal::kScope, "functions of schema shoal are about all keys");
    if (handling == Handling::kDdl) return refuse(Refusal::kScope, "DDL is about all keys");
    if (const auto* e = std::get_if<sql::Explain>(&statement.node); e != nullptr && !e->route) {
      const bool silent = std::any_of(e->options.begin(), e->options.end(), [](const auto& o) {
        return o.name == "costs" && boolean(o.value) == std::optional(false);
      });
      if (e->analyze || !silent) {
        return refuse(Refusal::kScope, "EXPLAIN would count the rows of other keys",
                      "EXPLAIN (COSTS OFF), or EXPLAIN (ROUTE)");
      }
    }
  }
  if (f.shard && handling == Handling::kDdl) {
    const auto* ddl = std::get_if<sql::Ddl>(&statement.node);
    static constexpr std::string_view kOfOneServer[] = {"PUBLICATION", "SUBSCRIPTION", "SYSTEM",
                                                        "DATABASE", "TABLESPACE"};
    const bool allowed = ddl != nullptr &&
                         std::find(std::begin(kOfOneServer), std::end(kOfOneServer), ddl->object) !=
                             std::end(kOfOneServer);
    if (!allowed)
      return refuse(Refusal::kScope, "DDL on one shard would make the shards differ",
                    "RESET shoal.shard");
  }
  return {};
}

// A portal or cursor shows what it was opened for.
Result<> Session::check_opened(const std::optional<std::string>& key) const {
  if (!facts().scope_key || facts().scope_key == key) return {};
  return refuse(Refusal::kScope, "it was opened before shoal.key had this value", "open it again");
}

// ---- statements around a statement --------------------------------------------------------------

std::string explain_text(const sql::Explain& e, std::string_view statement) {
  std::string options;
  for (const auto& o : e.options) {
    options +=
        fmt::format("{}{}{}{}", options.empty() ? "" : ", ", o.name, o.value.empty() ? "" : " ",
                    o.value.empty() ? "" : sql::quote_literal(o.value));
  }
  if (options.empty()) return fmt::format("EXPLAIN {}", statement);
  return fmt::format("EXPLAIN ({}) {}", options, statement);
}

// ---- isolation ----------------------------------------------------------------------------------

// What the transaction has that is open or would begin now.
const std::string& Session::isolation() const {
  if (!isolation_.empty()) return isolation_;
  return facts_.default_isolation.empty() ? role_isolation_ : facts_.default_isolation;
}

// Snapshots of these levels hold on one shard: touching a second one is refused.
bool Session::is_strict() const {
  const std::string level = lower(isolation());
  return level == "repeatable read" || level == "serializable";
}

void Session::mind_isolation() {
  txn_.keep_to_one_shard(is_strict() ? isolation() : std::string());
}

}  // namespace shoal::session
