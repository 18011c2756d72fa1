// Pull: every base relation that is not whole on home becomes a temporary table of a workspace
// connection on home, and the statement runs there.
#include "plan/planner.h"
#include "plan/texts.h"
#include "sql/parse.h"

namespace shoal::plan {

Plan Planner::pull(const sql::Select& s, std::string reason) {
  (void)s;
  return refused(Refusal::kNotProvable, std::move(reason));
}

}  // namespace shoal::plan
