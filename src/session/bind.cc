// Bind: where the statement goes with these values. A statement that was planned before, under the
// same circumstances, costs one look at the key's value; on one shard the message itself travels
// on.
#include "exec/count_key.h"
#include "session/session.h"
#include "wire/frontend.h"

namespace shoal::session {
namespace {

// The values' own copy: what several shards answer runs at Execute, when the message is gone.
void keep_values(std::string& copy, exec::Bound& bound, std::string_view body) {
  copy.reserve(body.size() + 32);  // no small-string storage: views stay valid
  copy.assign(body);
  Result<wire::Bind> bind = wire::decode_bind(copy);
  bound.values = bind->values.to_vector();
}

exec::Bound bound_of(const StatementInfo& statement, const wire::Bind& bind) {
  exec::Bound bound;
  bound.text = statement.text;
  bound.values = bind.values.to_vector();
  bound.types = statement.types;
  bound.types.resize(std::max(bound.types.size(), bound.values.size()), 0);
  bound.formats.resize(bound.values.size());
  for (std::size_t i = 0; i < bound.formats.size(); ++i)
    bound.formats[i] = bind.parameter_formats.of(i);
  bound.result_formats = bind.result_formats.to_vector();
  return bound;
}

// The shard of a plan that holds for every value of one parameter.
std::optional<ShardId> place_again(const plan::Plan::KeySource& reuse,
                                   const catalog::Snapshot& snapshot, std::uint32_t oid,
                                   const wire::Value& text, wire::Format format,
                                   obs::KeyLoad& load) {
  const catalog::Keyspace* keyspace = snapshot.keyspace(reuse.keyspace);
  if (!text || !keyspace) return std::nullopt;
  std::optional<keys::KeyType> type =
      oid == 0 ? std::optional(reuse.type) : keys::key_type_of_oid(oid);
  if (!type || keys::family_of(*type) != keys::family_of(reuse.type)) return std::nullopt;
  Result<keys::KeyValue> value = format == wire::Format::kBinary ? keys::parse_binary(*type, *text)
                                                                 : keys::parse_text(*type, *text);
  if (!value) return std::nullopt;
  Result<ShardId> shard = keyspace->placement->place(*value);
  if (!shard) return std::nullopt;
  exec::count_key(load, *keyspace, *value);
  return *shard;
}

}  // namespace

// Same statement, same circumstances, perhaps another value of the one free parameter.
std::optional<Placed> Session::known_plan(const StatementInfo& statement, const wire::Bind& bind) {
  const catalog::Snapshot& snap = *snapshot();
  if (!statement.plan || statement.plan_epoch != snap.epoch || ddl_in_transaction_ ||
      statement.plan_facts != facts().settings_hash || facts().scope_key)
    return std::nullopt;
  const plan::Plan& known = *statement.plan;
  if (!known.reuse) return Placed{std::get<plan::Forward>(known.node).shard, statement.plan};
  const auto index = static_cast<std::size_t>(known.reuse->param - 1);
  if (index >= bind.values.size()) return std::nullopt;
  auto value = bind.values.begin();
  for (std::size_t i = 0; i < index; ++i) ++value;
  const std::uint32_t oid = index < statement.types.size() ? statement.types[index] : 0;
  std::optional<ShardId> shard =
      place_again(*known.reuse, snap, oid, *value, bind.parameter_formats.of(index), context_.load);
  if (!shard) return std::nullopt;
  return Placed{*shard, statement.plan};
}

io::Task<Result<plan::PlanPtr>> Session::plan_bound(const StatementPtr& statement,
                                                    exec::Bound& bound) {
  std::vector<route::Parameter> params(bound.values.size());
  for (int round = 0;; ++round) {
    for (std::size_t i = 0; i < params.size(); ++i) {
      params[i].type = Oid(i < bound.types.size() ? bound.types[i] : 0);
      params[i].binary = bound.formats[i] == wire::Format::kBinary;
      params[i].null = !bound.values[i];
      params[i].value = bound.values[i] ? *bound.values[i] : std::string_view();
    }
    const Epoch epoch = snapshot()->epoch;
    plan::PlanPtr plan = make_plan(statement->statement(), params);
    if (!std::get_if<plan::NeedTypes>(&plan->node) || round > 0) {
      const auto* forward = std::get_if<plan::Forward>(&plan->node);
      bool reusable = forward && forward->text.sql.empty() &&
                      (plan->reuse ? plan->reuse->param > 0 : !plan->depends_on_params);
      if (reusable && !ddl_in_transaction_ && !facts().scope_key) {
        statement->plan = plan;
        statement->plan_epoch = epoch;
        statement->plan_facts = facts().settings_hash;
      }
      co_return plan;
    }
    Result<exec::DescriptionPtr> description = co_await describe(statement->text, statement->types);
    if (!description) co_return description.error();
    bound.types = (*description)->param_types;
  }
}

// Only the one shard of a cluster may judge what the router can't read.
io::Task<Result<plan::PlanPtr>> Session::plan_unparsed(const StatementInfo& statement) {
  if (snapshot()->active_shards().size() != 1 || facts().scope_key) {
    Result<backend::Connection*> c = co_await link_for_words();
    if (!c) co_return c.error();
    SHOAL_CO_TRY(co_await settle_link());  // its Parse error, if it has one
    if (failed_) co_return plan::PlanPtr();
    co_return refuse(Refusal::kUnknownGrammar, statement.syntax_error->message);
  }
  auto judged = std::make_shared<plan::Plan>();
  judged->node = plan::Forward{snapshot()->home, {}};
  judged->writes = judged->user_code = true;
  co_return plan::PlanPtr(std::move(judged));
}

// Plans until nothing changed while it waited for a hold. Nothing: the pipeline failed meanwhile.
io::Task<Result<Placed>> Session::place_bound(const StatementPtr& statement, const wire::Bind& bind,
                                              exec::Bound& bound) {
  for (;;) {
    Placed placed;
    if (std::optional<Placed> known = known_plan(*statement, bind)) {
      placed = std::move(*known);
    } else if (statement->handling == Handling::kUnparsed) {
      Result<plan::PlanPtr> plan = co_await plan_unparsed(*statement);
      if (!plan) co_return plan.error();
      placed.plan = std::move(*plan);
      if (!placed.plan) co_return placed;
    } else {
      bound = bound_of(*statement, bind);
      // Planning may ask home for types: what was sent so far must be settled by then.
      Result<plan::PlanPtr> plan = co_await plan_bound(statement, bound);
      if (!plan) co_return plan.error();
      placed.plan = std::move(*plan);
    }
    if (const auto* refused = std::get_if<Error>(&placed.plan->node)) co_return *refused;
    if (placed.shard == ShardId())
      if (const auto* f = std::get_if<plan::Forward>(&placed.plan->node)) placed.shard = f->shard;
    Result<> held = co_await wait_for_holds(*placed.plan);
    if (held) co_return placed;
    if (!is_plan_again(held.error())) co_return held.error();
  }
}

io::Task<Result<>> Session::on_bind(wire::Frame frame) {
  Result<wire::Bind> bind = wire::decode_bind(frame.body);
  if (!bind) co_return bind.error();
  auto found = statements_.find(name_key(bind->statement));
  if (found == statements_.end())
    co_return make_error(
        "26000", bind->statement.empty()
                     ? "unnamed prepared statement does not exist"
                     : fmt::format("prepared statement \"{}\" does not exist", bind->statement));
  const Named& named = found->second;
  StatementPtr statement = named.statement;
  HintEnd end{*this};
  if (statement->hint) SHOAL_CO_TRY(begin_hint(*statement->hint));
  std::string portal_name = name_key(bind->portal);
  if (txn_.state() == exec::Transaction::State::kFailed && !leaves_transaction(*statement))
    co_return aborted_error();
  if (!portal_name.empty() && (portals_.contains(portal_name) || is_kept_cursor(portal_name)))
    co_return make_error("42P03", fmt::format("cursor \"{}\" already exists", bind->portal));

  if (named.shape && named.epoch != snapshot()->epoch && !ddl_in_transaction_)
    SHOAL_CO_TRY(co_await check_shape(found->first));

  Portal portal;
  portal.statement = statement;
  portal.key = facts().scope_key;
  portal.serial = next_cursor_++;
  if (answered_here(*statement)) {
    portal.bound = bound_of(*statement, *bind);
  } else {
    std::optional<Placed> placed = known_plan(*statement, *bind);
    if (!placed || !holds_nothing(*placed->plan)) {
      Result<Placed> found_now = co_await place_bound(statement, *bind, portal.bound);
      if (!found_now) co_return found_now.error();
      if (failed_) co_return Result<>();
      placed = std::move(*found_now);
    }
    const auto* forward = std::get_if<plan::Forward>(&placed->plan->node);
    portal.plan = std::move(placed->plan);
    if (forward && forward->text.sql.empty()) {
      portal.link = placed->shard;
      SHOAL_CO_TRY(co_await bind_on_server(frame, *bind, portal));
      if (!failed_) portals_[portal_name] = std::move(portal);
      co_return Result<>();
    }
    if (link_ || !deferred_.empty()) SHOAL_CO_TRY(co_await settle_link());
    if (failed_) co_return Result<>();
  }
  Portal& kept = portals_[portal_name] = std::move(portal);
  keep_values(kept.values, kept.bound, frame.body);
  std::string answer;
  wire::append_bind_complete(answer);
  local(answer);
  co_return Result<>();
}

// The message goes to the one shard that answers; its BindComplete is the client's.
io::Task<Result<>> Session::bind_on_server(const wire::Frame& frame, const wire::Bind& bind,
                                           Portal& portal) {
  const StatementPtr& statement = portal.statement;
  const plan::Plan& plan = *portal.plan;
  if (statement->reads_sequences && link_) SHOAL_CO_TRY(co_await settle_link());
  backend::Connection* c = link_at_once(portal.link);
  if (!c) {
    Result<backend::Connection*> linked = co_await link_to(portal.link);
    if (!linked) co_return linked.error();
    c = *linked;
  }
  if (statement->reads_sequences && c->pending().due() > 0) {
    wire::append_flush(c->out());  // the Parse that waited
    SHOAL_CO_TRY(co_await relay(*c));
    if (failed_) co_return Result<>();
  }
  if (plan.writes || plan.tables.empty() || statement->reads_sequences)
    SHOAL_CO_TRY(co_await mind_sequences(*c, plan.writes, statement->text));
  if (statement->uses_set_config && statement->handling == Handling::kPlan && !facts().shard) {
    const exec::Bound bound = bound_of(*statement, bind);
    SHOAL_CO_TRY(note_set_config(statement->statement(), &bound, 0));
  }
  if (statement->uses_set_config && facts().shard) c->user_code = true;
  if (plan.writes) txn_.mark_wrote(portal.link);
  if (plan.user_code) c->user_code = true;
  const bool unnamed = bind.statement.empty();
  ensure_prepared(*c, statement, name_key(bind.statement));
  if (unnamed)
    c->out() += frame.bytes;
  else
    wire::append_bind_renamed(c->out(), frame, c->prepared[server_key(*statement)]);
  c->pending().sent('B', {.tag = tag_});
  portal.on_server = true;
  portal.bound = exec::Bound();
  co_return Result<>();
}

}  // namespace shoal::session
