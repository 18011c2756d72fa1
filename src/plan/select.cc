// SELECT: one shard, several with a merge, a pull, or a refusal, in this order.
#include "plan/planner.h"

namespace shoal::plan {

using route::Property;

Plan Planner::select(const sql::Select& s) {
  const route::Analysis a = route::bind(in_.statement, snapshot_, in_.session);
  if (auto stop = stopped(a)) return std::move(*stop);
  const auto with_flags = [&](Plan plan) {
    plan.locks = a.row_locks;
    plan.writes = plan.writes || a.row_locks || a.effects.home_action || a.modifying_cte || s.into;
    return finish(std::move(plan), a);
  };
  if (home_only(a)) {
    return with_flags(
        forward(snapshot_.home, a.tables.empty() ? "no table" : "tables of the home shard"));
  }
  if (a.modifying_cte) return modifying_cte(a);
  if (a.opaque) {
    if (a.temporary)
      return refused(Refusal::kTempTable, "the columns of temporary tables are home's");
    return refused(Refusal::kUnknownGrammar,
                   "a part of the statement is not understood by the router");
  }
  if (s.into) {
    return refused(Refusal::kDdlUnsupported, "SELECT INTO from a sharded or reference table");
  }
  route::Deriver d(a, reader_);
  Property p = d.block(a.root);
  trace_ = d.trace();
  decided_ = !d.sources().empty();
  // Tables of home, catalogs and temporary tables exist on home only, wherever in the text they
  // are.
  const bool needs_home = a.single || a.catalog || a.temporary || a.unknown;
  if (p.anywhere()) {
    return with_flags(forward(snapshot_.home, p.rule.empty() ? "reference tables only" : p.rule));
  }
  if (p.singular() && (!needs_home || p.shards[0] == snapshot_.home)) {
    Plan plan = forward(p.shards[0], d.sources().empty() ? p.rule : where_text(a, d));
    set_reuse(plan, a, d);
    return with_flags(std::move(plan));
  }
  if (a.system_columns) {
    return refused(Refusal::kSystemColumn, "a system column is read over several shards");
  }
  if (p.gathered() && (s.limit || s.offset)) {
    // What is left when the outermost LIMIT is applied to the merged rows.
    route::Deriver whole(a, reader_);
    whole.set_unlimited(a.root);
    Property rows = whole.block(a.root);
    if (!rows.gathered()) trace_ = whole.trace();
    return with_flags(several_shards(s, a, rows, whole));
  }
  return with_flags(several_shards(s, a, p, d));
}

Plan Planner::several_shards(const sql::Select& s, const route::Analysis& a, const Property& p,
                             route::Deriver& d) {
  if (a.row_locks) {
    const bool skips = std::any_of(s.locking.begin(), s.locking.end(), [](const sql::Locking& l) {
      return l.wait == sql::Locking::Wait::kSkip;
    });
    if (!p.partitioned() || skips || s.locking.empty() || s.limit || s.offset) {
      return refused(
          Refusal::kRowLocks,
          p.partitioned() ? "row locks with LIMIT, OFFSET, SKIP LOCKED or in a subquery" : p.rule);
    }
  }
  if (a.sampled) return refused(Refusal::kNotProvable, "TABLESAMPLE over several shards");
  const bool needs_home = a.single || a.catalog || a.temporary || a.unknown;
  // now() must have one value: it is evaluated once, where the gathered rows are.
  if (!needs_home && !a.effects.moment) {
    if (p.partitioned()) {
      if (auto plan = scatter(s, a, p)) return std::move(*plan);
    }
    if (p.gathered()) {
      if (auto plan = combine(s, a, d)) return std::move(*plan);
    }
  }
  if (a.row_locks) return refused(Refusal::kRowLocks, "the rows would have to be gathered first");
  std::string reason = p.gathered() ? p.rule : "its rows have to be finished on one server";
  if (!in_.session.in_transaction) {
    if (auto plan = pull_rows(s, a, reason)) return std::move(*plan);
  }
  return pull(s, a, std::move(reason));
}

}  // namespace shoal::plan
