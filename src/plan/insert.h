// The parts of planning an INSERT that other statements share (WITH queries, MERGE).
// Thread-safe, pure.
#pragma once
#include <optional>
#include <vector>

#include "plan/make_plan.h"
#include "route/constants.h"
#include "route/property.h"

namespace shoal::plan {

// What a column gets when a row does not name it.
enum class DefaultKind { kNone, kConstant, kRowVolatile, kMoment, kSequence };
DefaultKind default_kind(const catalog::Column& c, const catalog::Snapshot& snapshot,
                         const route::SessionFacts& session);

// What a column gets that a row leaves out, as an expression for home.
Result<sql::ExprPtr> default_expr(const catalog::Snapshot& snapshot, const catalog::Column& c);

// 23502 as PostgreSQL says it.
Error null_violation(const catalog::Table& table, const catalog::Column& column);

struct InsertTarget {
  const catalog::Table* table = nullptr;
  std::vector<const catalog::Column*> columns;  // as listed, or the first `width`
  std::vector<int> key;                         // positions of the key among them, -1: not listed
};
Result<InsertTarget> find_columns(const sql::Insert& s, const catalog::Table& t, std::size_t width);

// ON CONFLICT: the arbiter must contain the shard key, and the key may only be set to itself.
std::optional<Error> check_conflict(const sql::Insert& s, const route::Analysis& a,
                                    const catalog::Table& t);

bool is_default(const sql::ExprPtr& e);
// VALUES and nothing else.
bool plain_values(const sql::Insert& s);

// The shard of each row of VALUES; nullopt: some key must be computed first. `keys`: the constants.
Result<std::optional<std::vector<ShardId>>> place_rows(const sql::Insert& s,
                                                       const InsertTarget& target,
                                                       const catalog::Snapshot& snapshot,
                                                       route::ConstantReader& reader,
                                                       std::vector<route::Constant>& keys);

// Whether the source's part columns feed the key unchanged, so that each row stays on its shard.
bool feeds_key(const route::Property& source, const route::Block& root, const InsertTarget& target);

// Everything that the steps of planning one INSERT share.
struct InsertWork {
  const PlanInput& in;
  const sql::Insert& s;
  const route::Analysis& a;
  route::Property source;  // of the rows that are inserted
  InsertTarget target;
  std::vector<const catalog::Column*>
      filled;                 // not listed; computed on home before the rows are placed
  bool computed = false;      // some value must come from home first
  bool row_volatile = false;  // some value or default differs from row to row
  bool moment = false;        // some value or default is the transaction's time
};

// insert_computed.cc: values or rows that must be known before they can be placed.
Plan computed_values(const InsertWork& w);
Plan computed_rows(const InsertWork& w);

// A SELECT made by the planner: its plan has texts of its own, and sequences may be drawn from
// where its gathered rows are.
Plan make_source_plan(const PlanInput& input);

}  // namespace shoal::plan
