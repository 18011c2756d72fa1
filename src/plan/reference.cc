// Writes to reference tables: the copies must stay identical.
#include "plan/planner.h"
#include "sql/deparse.h"

namespace shoal::plan {

// The same text on every copy when it provably does the same there; otherwise on home with
// RETURNING, and its rows are applied elsewhere by primary key.
Plan Planner::reference_write(const route::Analysis& a, const catalog::Table& t, bool provable,
                              const std::vector<sql::Assignment>* set, std::string reason) {
  if (a.single || a.catalog || a.temporary || a.unknown || a.effects.home) provable = false;
  if (a.effects.row_volatile || a.effects.moment || a.effects.home_action) provable = false;
  ReferenceWrite write;
  write.table = t.oid;
  write.home = snapshot_.home;
  for (const ShardId s : snapshot_.active_shards()) {
    if (s != snapshot_.home) write.others.push_back(s);
  }
  write.apply_rows = !provable;
  if (!provable) {
    const catalog::Index* primary = nullptr;
    for (const auto& i : t.indexes) {
      if (i.primary) primary = &i;
    }
    if (primary == nullptr) {
      return refused(Refusal::kReferenceWrite,
                     "table " + t.name + " has no primary key to apply its rows by");
    }
    for (const std::int16_t attnum : primary->attnums) {
      const catalog::Column* c = t.column(attnum);
      if (c == nullptr)
        return refused(Refusal::kReferenceWrite, "its primary key is an expression");
      if (!write.apply_key.empty()) write.apply_key += ", ";
      write.apply_key += sql::quote_identifier(c->name);
      if (set == nullptr) continue;
      for (const auto& assignment : *set) {
        if (assignment.column == c->name) {
          return refused(Refusal::kReferenceWrite, "it changes the primary key of " + t.name);
        }
      }
    }
  }
  Plan plan;
  plan.node = std::move(write);
  plan.reason = std::move(reason);
  plan.writes = true;
  return plan;
}

}  // namespace shoal::plan
