// SET, RESET and set_config: what a session remembers of its settings.
#include "session/session.h"
#include "sql/deparse.h"

namespace shoal::session {
namespace {

std::string lower(std::string_view text) {
  std::string s(text);
  std::transform(s.begin(), s.end(), s.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return s;
}

}  // namespace

io::Task<Result<>> Session::run_set(const sql::SetVariable& set, std::string_view given) {
  using Kind = sql::SetVariable::Kind;
  std::string name = lower(set.name);
  if (name.starts_with("shoal.")) co_return run_set_shoal(set, name);
  if (set.kind == Kind::kResetAll) SHOAL_CO_TRY(check_reset_all());
  std::string text(given);
  bool reset = set.kind == Kind::kReset || set.kind == Kind::kDefault;
  if (set.kind == Kind::kMulti && name == "transaction") {
    if (txn_.idle()) co_return co_await pass_text(home_or_enlisted(), text, true);
    SHOAL_CO_TRY(co_await txn_.set_characteristics(text));
    note_isolation(set.isolation);
    mind_isolation();
    complete("SET");
    co_return Result<>();
  }
  if (set.kind == Kind::kMulti && name != "session characteristics")
    co_return refuse(Refusal::kSetNotTracked, "SET " + set.name);
  if (set.local && txn_.idle()) co_return co_await pass_text(home_or_enlisted(), text, true);

  // RESET goes back to what the start-up packet said, which servers do not know.
  std::string run = text;
  if (reset && initial_settings_.contains(name)) run = initial_settings_[name];
  if (set.kind == Kind::kResetAll) {
    for (const auto& [n, value] : initial_settings_) run += ";" + value;
  }
  bool was_idle = txn_.idle();
  const std::string user = facts_.user;
  ShardId shard = home_or_enlisted();
  Result<backend::Connection*> c = co_await txn_.use_for_words(shard);
  if (!c) co_return c.error();
  Result<backend::TextRows> done = co_await (*c)->query(run);
  if (!done) co_return done.error();
  client_.out() += done->notices;
  if (!was_idle) {
    for (exec::Transaction::Participant& p : txn_.participants()) {
      if (!p.begun || p.shard == shard) continue;
      Result<backend::TextRows> other = co_await p.connection->query(run);
      if (!other) co_return other.error();
    }
    txn_.replay(run);
    sets_.push_back(run);
  }
  if (!set.local) {
    auto record = [&](const std::string& n, std::optional<std::string> statement) {
      if (statement) {
        settings_[n] = *statement;
      } else {
        settings_.erase(n);
      }
    };
    if (set.kind == Kind::kResetAll) {
      // The role is not a parameter that RESET ALL touches.
      backend::Settings kept = initial_settings_;
      for (const char* special : {"role", "session_authorization"})
        if (auto it = settings_.find(special); it != settings_.end()) kept.insert(*it);
      settings_ = std::move(kept);
      if (txn_.idle() && !before_scope_) before_scope_ = facts_;
      std::vector<std::string> temporary = std::move(facts_.temp_tables);
      facts_ = initial_facts_;
      facts_.temp_tables = std::move(temporary);
      if (auto role = settings_.find("role"); role != settings_.end()) facts_.user = user;
      local_facts_.reset();
    } else if (set.kind == Kind::kMulti) {
      if (!set.isolation.empty())
        record("default_transaction_isolation",
               fmt::format("SET default_transaction_isolation TO '{}'", set.isolation));
      if (set.read_only)
        record(
            "default_transaction_read_only",
            fmt::format("SET default_transaction_read_only TO {}", *set.read_only ? "on" : "off"));
      if (set.deferrable)
        record("default_transaction_deferrable",
               fmt::format("SET default_transaction_deferrable TO {}",
                           *set.deferrable ? "on" : "off"));
    } else if (reset) {
      auto initial = initial_settings_.find(name);
      record(name, initial == initial_settings_.end() ? std::optional<std::string>()
                                                      : std::optional(initial->second));
    } else {
      record(name, text);
    }
    if (was_idle) (*c)->settings = settings_;
  }
  if (set.kind != Kind::kMulti) {
    std::optional<std::vector<std::string>> values = constant_values(set.values);
    change_facts(set.local, [&] {
      if (reset)
        reset_setting_in_facts(name);
      else if (values)
        apply_setting_to_facts(name, *values);
    });
    if (name == "transaction_isolation" && values && !txn_.idle()) {
      note_isolation(values->front());
      mind_isolation();
    }
  } else if (!set.isolation.empty()) {
    change_facts(false, [&] { facts_.default_isolation = set.isolation; });
  }
  facts_changed();
  report_parameters(**c);
  complete(set.kind == Kind::kReset || set.kind == Kind::kResetAll ? "RESET" : "SET");
  co_return Result<>();
}

void Session::reset_setting_in_facts(const std::string& name) {
  if (name == "search_path") facts_.search_path = initial_facts_.search_path;
  if (name == "datestyle") facts_.date_style = initial_facts_.date_style;
  if (name == "timezone") facts_.time_zone = initial_facts_.time_zone;
  if (name == "standard_conforming_strings")
    facts_.standard_strings = initial_facts_.standard_strings;
  if (name == "role") facts_.user = identity_.login.user;
  if (name == "default_transaction_isolation")
    facts_.default_isolation = initial_facts_.default_isolation;
}

void Session::apply_setting_to_facts(const std::string& name,
                                     const std::vector<std::string>& values) {
  if (values.empty()) return;
  const std::string& first = values.front();
  if (name == "search_path") {
    // One quoted list ('a, b' of set_config and start-up) or one entry for each value.
    std::vector<std::string> entries = values;
    if (values.size() == 1 && (first.find(',') != std::string::npos || first.empty() ||
                               first.find('"') != std::string::npos)) {
      entries.clear();
      std::string entry;
      bool quoted = false;
      for (char ch : first + ",") {
        if (ch == '"') {
          quoted = !quoted;
        } else if (ch == ',' && !quoted) {
          if (!entry.empty()) entries.push_back(entry);
          entry.clear();
        } else if (quoted || !std::isspace(static_cast<unsigned char>(ch))) {
          entry.push_back(quoted ? ch
                                 : static_cast<char>(std::tolower(static_cast<unsigned char>(ch))));
        }
      }
    }
    facts_.search_path.clear();
    for (std::string& e : entries) facts_.search_path.push_back(e == "$user" ? facts_.user : e);
  } else if (name == "datestyle") {
    std::string joined;
    for (const std::string& v : values) joined += (joined.empty() ? "" : ", ") + v;
    facts_.date_style = joined;
  } else if (name == "timezone") {
    facts_.time_zone = first;
  } else if (name == "standard_conforming_strings") {
    facts_.standard_strings = lower(first) == "on" || lower(first) == "true" || first == "1";
  } else if (name == "role") {
    facts_.user = lower(first) == "none" ? identity_.login.user : first;
  } else if (name == "default_transaction_isolation") {
    facts_.default_isolation = first;
  }
  facts_changed();
}

void Session::facts_changed() {
  hash_facts(facts_);
}

void Session::hash_facts(route::SessionFacts& facts) {
  std::string all;
  for (const std::string& s : facts.search_path) all += s + '\1';
  all += facts.user + '\2' + facts.date_style + '\2' + facts.time_zone + '\2';
  all += facts.standard_strings ? '1' : '0';
  all += facts.scope_key ? "k" + *facts.scope_key : "-";
  all += facts.shard ? "s" + *facts.shard : "-";
  all += static_cast<char>('0' + static_cast<int>(facts.fanout));
  all += facts.require_key ? 'r' : '-';
  for (const std::string& t : facts.temp_tables) all += '\3' + t;
  facts.settings_hash = std::hash<std::string>{}(all);
}

// A set_config call reaches the client's other connections by being recorded like SET.
Result<> Session::note_set_config(const sql::Statement& statement, const exec::Bound* bound,
                                  std::uint32_t tag) {
  const auto* select = std::get_if<sql::SelectPtr>(&statement.node);
  if (!select) return refuse(Refusal::kSetNotTracked);
  const sql::Select& s = **select;
  if (!s.from.empty() || s.op != sql::Select::SetOp::kNone || s.where || !s.with.ctes.empty())
    return refuse(Refusal::kSetNotTracked, "set_config inside a larger query");
  auto text_of = [&](const sql::Expr& e) -> std::optional<std::string> {
    const sql::Expr* at = &e;
    while (const auto* cast = std::get_if<sql::Cast>(&at->node)) at = cast->arg.get();
    if (const auto* c = std::get_if<sql::Const>(&at->node))
      return c->kind == sql::Const::Kind::kNull ? std::nullopt : std::optional(c->text);
    if (const auto* p = std::get_if<sql::Param>(&at->node); p && bound) {
      auto i = static_cast<std::size_t>(p->number - 1);
      if (i >= bound->values.size() || !bound->values[i]) return std::nullopt;
      std::string value(*bound->values[i]);
      if (bound->formats[i] == wire::Format::kBinary && value.size() == 1)
        return value[0] ? "t" : "f";  // boolean
      return value;
    }
    return std::nullopt;
  };
  std::vector<PendingSet> sets;
  for (const sql::Target& t : s.targets) {
    const auto* call = t.expr ? std::get_if<sql::Call>(&t.expr->node) : nullptr;
    bool is_set = call && call->name.back() == "set_config";
    if (!is_set) {
      if (t.expr && mentions(sql::deparse(*t.expr), "set_config"))
        return refuse(Refusal::kSetNotTracked, "set_config inside an expression");
      continue;
    }
    if (call->args.size() != 3) continue;  // PostgreSQL's error
    std::optional<std::string> name = text_of(*call->args[0]), value = text_of(*call->args[1]),
                               local = text_of(*call->args[2]);
    if (!name || !value || !local) return refuse(Refusal::kSetNotTracked, "NULL or an expression");
    if (lower(*name).starts_with("shoal."))
      return refuse(Refusal::kScope, "shoal settings change by SET only");
    bool is_local = lower(*local) == "t" || lower(*local) == "true" || *local == "1";
    if (lower(*name) == "transaction_isolation" && !txn_.idle()) {
      note_isolation(*value);
      mind_isolation();
    }
    if (is_local && txn_.idle()) continue;
    sets.push_back({tag, lower(*name), *value, is_local});
  }
  pending_sets_.insert(pending_sets_.end(), sets.begin(), sets.end());
  return {};
}

}  // namespace shoal::session
