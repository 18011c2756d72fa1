// Partial aggregates: count, sums of integers, min, max, bool_and, bool_or, and groups.
#include "plan/planner.h"

namespace shoal::plan {

std::optional<Plan> Planner::combine(const sql::Select& s, const route::Analysis& a, route::Deriver& d) {
  (void)s;
  (void)a;
  (void)d;
  return std::nullopt;
}

}  // namespace shoal::plan
