// Which planner takes which statement, and what all plans have in common.
#include "plan/make_plan.h"

#include <set>

#include "plan/insert.h"
#include "plan/planner.h"
#include "route/code.h"
#include "route/functions.h"
#include "sql/deparse.h"
#include "sql/visit.h"
#include "sql/words.h"

namespace shoal::plan {

using route::Property;

Planner::Planner(const PlanInput& input)
    : in_(input), snapshot_(input.snapshot), reader_(input.snapshot, input.session, input.params) {}

Plan Planner::forward(ShardId shard, std::string reason) const {
  Plan out;
  out.node = Forward{shard, {}};
  out.reason = std::move(reason);
  return out;
}

Plan Planner::error(Error e) const {
  Plan out;
  out.reason = e.detail.empty() ? e.message : e.detail;
  out.node = std::move(e);
  return out;
}

Plan Planner::refused(Refusal number, std::string why) const {
  return error(refuse(number, std::move(why)));
}

Plan Planner::refused(Refusal number, std::string why, std::string hint) const {
  return error(refuse(number, std::move(why), std::move(hint)));
}

const std::string& Planner::shard_name(ShardId id) const {
  static const std::string unknown = "?";
  const catalog::Shard* s = snapshot_.shard(id);
  return s == nullptr ? unknown : s->name;
}

// Neither a sharded nor a reference table is named: home answers, as it came.
bool Planner::home_only(const route::Analysis& a) const {
  return !a.sharded && !a.reference;
}

namespace {

// Columns of pg_class with the share of one server.
bool counts_home_only(const route::Relation& r) {
  const bool catalog = r.table != nullptr && r.table->kind == catalog::TableKind::kCatalog;
  if (!catalog || r.table->name != "pg_class" || r.whole_row) return false;
  for (std::size_t i = 0; i < r.columns.size() && i < r.table->columns.size(); ++i) {
    const std::string& name = r.table->columns[i].name;
    if (r.columns[i].used && (name == "reltuples" || name == "relpages")) return true;
  }
  return false;
}

}  // namespace

std::optional<Plan> Planner::stopped(const route::Analysis& a) const {
  if (a.refusal) return error(*a.refusal);
  if (snapshot_.any_sharded()) {
    // What the tree does not express may hold a subquery that reads sharded tables.
    if (home_only(a) && (in_.statement.has_opaque || (a.opaque && !a.views.empty()))) {
      return refused(Refusal::kUnknownGrammar,
                     "a part of the statement is not understood by the router");
    }
    for (const auto& r : a.relations) {
      if (counts_home_only(*r))
        return refused(Refusal::kShardLocalCatalog, "pg_class counts the rows of one server");
    }
  }
  if (home_only(a)) {
    // What the router does not know could be a view or function that reads sharded tables: home's
    // answer would be its share of the whole.
    if (!route::hides_rows(snapshot_, in_.session)) return std::nullopt;
    if (a.missing_function) return error(*a.missing_function);
    for (const auto& r : a.relations) {
      if (r->kind != route::RelationKind::kUnknown || r->temporary || r->source == nullptr)
        continue;
      const std::string& schema = r->source->schema;
      if (schema == "pg_temp" || schema == "pg_toast") continue;
      return error(make_error("42P01", "relation \"" + r->name + "\" does not exist"));
    }
    for (const route::CteUse& use : a.ctes) {
      if (!use.modifying || use.target < 0) continue;
      if (auto stop = unseen(a.relation(use.target).table)) return stop;
    }
    return std::nullopt;
  }
  if (a.error) return error(*a.error);
  if (a.unknown) {
    for (const auto& r : a.relations) {
      if (r->kind != route::RelationKind::kUnknown || r->temporary) continue;
      return error(make_error("42P01", "relation \"" + r->name + "\" does not exist"));
    }
  }
  return std::nullopt;
}

Plan Planner::finish(Plan plan, const route::Analysis& a) const {
  plan.user_code = plan.user_code || a.user_code;
  for (const catalog::Table* t : a.tables) {
    if (t->kind != catalog::TableKind::kCatalog) plan.tables.push_back(t->oid);
  }
  plan.explain.insert(plan.explain.end(), trace_.begin(), trace_.end());
  // What was looked at shapes the plan, except the one value that another may replace.
  std::set<int> shaping(a.shaping.begin(), a.shaping.end());
  const auto* forward = std::get_if<Forward>(&plan.node);
  // Where all values lead to the only shard, none of them matters.
  if (forward != nullptr && forward->text.sql.empty() && snapshot_.active_shards().size() == 1) {
    plan.shaping_literals.assign(shaping.begin(), shaping.end());
    plan.reuse.reset();
    return plan;
  }
  shaping.insert(reader_.locations.begin(), reader_.locations.end());
  shaping.insert(plan.shaping_literals.begin(), plan.shaping_literals.end());
  shaping.erase(-1);
  if (plan.reuse && plan.reuse->param == 0) shaping.erase(plan.reuse->literal_location);
  plan.shaping_literals.assign(shaping.begin(), shaping.end());
  for (const int p : reader_.params) {
    if (!plan.reuse || plan.reuse->param != p) plan.depends_on_params = true;
  }
  return plan;
}

// A text of the planner's own holds every constant of the statement.
void Planner::shape_all(Plan& plan) const {
  sql::for_each_root(in_.statement, [&](const auto& root) {
    sql::walk(root, [&](const auto& node) {
      if constexpr (std::is_same_v<std::decay_t<decltype(node)>, sql::Expr>) {
        if (std::holds_alternative<sql::Const>(node.node) && node.location >= 0) {
          plan.shaping_literals.push_back(node.location);
        }
      }
      return true;
    });
  });
}

namespace {

// Types whose text means the same under every DateStyle and TimeZone: whoever reuses a plan reads
// the value without the session's settings.
bool same_under_all_settings(keys::KeyType type) {
  using K = keys::KeyType;
  return type != K::kDate && type != K::kTime && type != K::kTimestamp && type != K::kTimestamptz;
}

}  // namespace

bool Planner::reusable_type(keys::KeyType type) const {
  return same_under_all_settings(type);
}

// The one-shard plan is right for other values of the constant as well when the same rules, with
// the shard of that constant left open, still prove one shard: that of the constant.
void Planner::set_reuse(Plan& plan, const route::Analysis& a, const route::Deriver& d) {
  if (d.sources().size() != 1 || !d.sources().front().direct) return;
  const route::KeySource source = d.sources().front();
  route::ConstantReader reader(snapshot_, in_.session, in_.params);
  route::Deriver again(a, reader);
  again.set_symbolic(source);
  const Property p =
      in_.statement.node.index() == 0 ? again.block(a.root) : again.rows(a.block(a.root));
  if (!p.singular() || p.shards[0] != route::kValueShard) return;
  if (!same_under_all_settings(source.type)) return;
  plan.reuse = Plan::KeySource{source.keyspace, source.type, source.param,
                               source.param > 0 ? -1 : source.location};
}

// The constant that stands at this place of the statement, as a person would write it.
std::string Planner::constant_text(int location) const {
  std::string out = "?";
  sql::for_each_root(in_.statement, [&](const auto& root) {
    sql::walk(root, [&](const auto& node) {
      if constexpr (std::is_same_v<std::decay_t<decltype(node)>, sql::Expr>) {
        const auto* c = std::get_if<sql::Const>(&node.node);
        if (c != nullptr && node.location == location) {
          const bool string = c->kind == sql::Const::Kind::kString;
          out = string ? sql::quote_literal(c->text) : c->text;
          if (c->kind == sql::Const::Kind::kNull) out = "NULL";
        }
      }
      return true;
    });
  });
  return out;
}

// The reason of a one-shard route in the words of the statement: "tenant_id = 42".
std::string Planner::where_text(const route::Analysis& a, const route::Deriver& d) const {
  std::string out;
  for (const auto& source : d.sources()) {
    std::string column = "key";
    for (const catalog::Table* t : a.tables) {
      if (t->kind != catalog::TableKind::kSharded || t->keyspace != source.keyspace) continue;
      if (const auto* c = t->key_attnums.empty() ? nullptr : t->column(t->key_attnums[0])) {
        column = c->name;
      }
      break;
    }
    std::string value = "NULL";
    if (source.param > 0) {
      value = "$" + std::to_string(source.param);
    } else if (source.location >= 0) {
      value = constant_text(source.location);
    }
    std::string one = column;
    one += " = ";
    one += value;
    if (out.find(one) != std::string::npos) continue;
    if (!out.empty()) out += ", ";
    out += one;
  }
  return out.empty() ? "one shard" : out;
}

// What runs unseen when rows of the table are written. Triggers of a sharded or reference table run
// on its shards and could change the key: their functions must be declared.
std::optional<Plan> Planner::unseen(const catalog::Table* t) const {
  if (t == nullptr || !route::hides_rows(snapshot_, in_.session)) return std::nullopt;
  const bool spread =
      t->kind == catalog::TableKind::kSharded || t->kind == catalog::TableKind::kReference;
  if (spread && (t->has_triggers || t->has_rules)) {
    return refused(Refusal::kTriggerNotLocal, "table " + t->name + " has a trigger or rule");
  }
  const route::Reach reach = route::reach_of_writing(*t, snapshot_);
  if (!reach.unproved.empty()) {
    return refused(Refusal::kTriggerNotLocal, "table " + t->name + ": " + reach.unproved);
  }
  if (spread && reach.effects.home) {
    return refused(Refusal::kTriggerNotLocal, "a CHECK of " + t->name + " reads other tables");
  }
  // Whichever statement it is (COPY, too) that a default is filled in for.
  for (const auto& c : t->columns) {
    if (!spread || !t->default_volatile || c.default_sql.empty()) continue;
    const route::Reach filled = route::reach_of_text(c.default_sql, snapshot_);
    if (!filled.unproved.empty())
      return refused(Refusal::kUserFunction, "the default of " + c.name + ": " + filled.unproved);
  }
  return std::nullopt;
}

// CALL and DO run on home.
Plan Planner::run_code() {
  if (route::hides_rows(snapshot_, in_.session)) {
    const std::string& text = in_.statement.text;
    route::Reach reach;
    if (const auto* call = std::get_if<sql::CallProcedure>(&in_.statement.node)) {
      const auto* c = call->call ? std::get_if<sql::Call>(&call->call->node) : nullptr;
      reach = route::reach_of_text(text, snapshot_);
      const bool known =
          c != nullptr && !snapshot_.resolve_functions(in_.session.search_path, c->name).empty();
      if (!known) reach.unproved = "the procedure is not known";
    } else {
      const std::string body = sql::first_string(text);
      const auto words = sql::words_of(text);
      const auto language = std::find_if(words.begin(), words.end(), [](const auto& w) {
        return w.name() && w.text == "language";
      });
      const bool plpgsql = language == words.end() ||
                           (language + 1 != words.end() && (language + 1)->text == "plpgsql");
      reach = route::reach_of_text(body, snapshot_);
      if (body.empty() || !plpgsql) reach.unproved = "its language is not known";
    }
    if (!reach.unproved.empty()) return refused(Refusal::kUserFunction, reach.unproved);
    if (!reach.session_state.empty()) {
      return refused(Refusal::kPinned, reach.session_state,
                     "do this in a statement of its own, outside of functions and DO");
    }
  }
  Plan out = forward(snapshot_.home, "code that reads tables of the home shard only");
  out.writes = out.user_code = true;
  return out;
}

Plan Planner::dispatch() {
  const auto& node = in_.statement.node;
  if (in_.session.scope_key) return scoped();
  if (in_.session.shard) return planned_shard();
  if (const auto* s = std::get_if<sql::SelectPtr>(&node)) return select(**s);
  if (const auto* s = std::get_if<std::unique_ptr<sql::Insert>>(&node)) return insert(**s);
  if (const auto* s = std::get_if<std::unique_ptr<sql::Update>>(&node)) return update(**s);
  if (const auto* s = std::get_if<std::unique_ptr<sql::Delete>>(&node)) return remove(**s);
  if (const auto* s = std::get_if<std::unique_ptr<sql::Merge>>(&node)) return merge(**s);
  if (const auto* s = std::get_if<sql::Copy>(&node)) return copy(*s);
  if (const auto* s = std::get_if<sql::Truncate>(&node)) return truncate(*s);
  if (const auto* s = std::get_if<sql::LockTable>(&node)) return lock(*s);
  if (const auto* s = std::get_if<sql::Maintenance>(&node)) return maintenance(*s);
  const bool code = std::holds_alternative<sql::CallProcedure>(node) ||
                    std::holds_alternative<sql::DoBlock>(node);
  if (code) return run_code();
  return refused(Refusal::kUnknownGrammar, "this kind of statement is not planned");
}

Plan Planner::plan() {
  Plan out = dispatch();
  if (reader_.need_types && !std::holds_alternative<Error>(out.node)) {
    Plan ask;
    ask.node = NeedTypes{};
    ask.depends_on_params = true;
    return ask;
  }
  if (std::holds_alternative<Error>(out.node)) return out;
  if (auto stop = not_allowed(out)) return error(std::move(*stop));
  return out;
}

Plan Planner::source_plan() {
  source_ = true;
  Plan out = plan();
  if (std::holds_alternative<Error>(out.node) || std::holds_alternative<NeedTypes>(out.node)) {
    return out;
  }
  if (auto e = own_texts(out, in_.statement)) return error(std::move(*e));
  out.reuse.reset();
  return out;
}

Plan make_source_plan(const PlanInput& input) {
  return Planner(input).source_plan();
}

Plan make_plan(const PlanInput& input) {
  return Planner(input).plan();
}

}  // namespace shoal::plan
