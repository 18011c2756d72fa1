// The state of planning one statement; private to this room. One file for each kind of statement:
// select.cc, scatter.cc, combine.cc, pull.cc, insert.cc, write.cc, reference.cc, copy.cc,
// scope_plan.cc.
// Thread rule: one statement, one thread.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plan/make_plan.h"
#include "route/bind.h"
#include "route/constants.h"
#include "route/property.h"

namespace shoal::plan {

struct InsertTarget;
struct InsertWork;

class Planner {
 public:
  explicit Planner(const PlanInput& input);
  Plan plan();
  // The plan of a SELECT that is the source of a write: every text is its own.
  Plan source_plan();

 private:
  // make_plan.cc
  Plan dispatch();
  Plan forward(ShardId shard, std::string reason) const;
  Plan refused(Refusal number, std::string why) const;
  Plan refused(Refusal number, std::string why, std::string hint) const;
  Plan error(Error e) const;
  Plan finish(Plan plan, const route::Analysis& a) const;
  Plan run_code();
  std::optional<Plan> unseen(const catalog::Table* t) const;
  // What stops any statement: refusals and errors found by name resolution. Only called when a
  // sharded or reference table is involved.
  std::optional<Plan> stopped(const route::Analysis& a) const;
  void set_reuse(Plan& plan, const route::Analysis& a, const route::Deriver& d);
  bool reusable_type(keys::KeyType type) const;
  bool home_only(const route::Analysis& a) const;
  const std::string& shard_name(ShardId id) const;
  std::string constant_text(int location) const;
  std::string where_text(const route::Analysis& a, const route::Deriver& d) const;
  Oid named_table(const sql::RangeVar& rv, const catalog::Table*& out) const;
  void shape_all(Plan& plan) const;

  // fanout.cc: why the session does not want the plan
  std::optional<Error> not_allowed(const Plan& plan) const;

  // scope_plan.cc
  Plan scoped();
  Plan scoped_utility(route::SessionFacts free);
  Plan scoped_copy(const sql::Copy& c, const route::SessionFacts& free);
  sql::SelectPtr table_query(const sql::Copy& c, const catalog::Table& t) const;
  Plan planned_shard();
  Plan shard_utility(Plan out);
  Plan only_on(const catalog::Shard& shard);
  // Gives the plan of a changed statement its text, where it would be the client's.
  std::optional<Error> own_texts(Plan& plan, const sql::Statement& changed) const;

  // select.cc
  Plan select(const sql::Select& s);
  Plan several_shards(const sql::Select& s, const route::Analysis& a, const route::Property& p,
                      route::Deriver& d);

  // scatter.cc: the outermost block is partitioned
  std::optional<Plan> scatter(const sql::Select& s, const route::Analysis& a,
                              const route::Property& p);
  std::optional<SortKey> sort_key(const route::Analysis& a, route::ColumnId c, int position,
                                  const sql::SortBy* by) const;
  // The same for an output or expression: a column, or an aggregate whose type is certain.
  std::optional<SortKey> sort_key(const route::Analysis& a, const sql::Expr* e,
                                  std::optional<route::ColumnId> c, int position,
                                  const sql::SortBy* by) const;
  std::optional<SortKey> sort_key_of_type(Oid type, int position, const sql::SortBy* by) const;
  bool take_limit(sql::Select& text, Merge& merge);

  // combine.cc: partial aggregates and DISTINCT
  std::optional<Plan> combine(const sql::Select& s, const route::Analysis& a, route::Deriver& d);
  std::optional<Plan> aggregates(const sql::Select& s, const route::Analysis& a,
                                 const route::Property& rows);
  std::optional<Plan> distinct_rows(const sql::Select& s, const route::Analysis& a,
                                    const route::Property& rows);
  std::optional<Combine> partial(const route::Analysis& a, const route::Property& rows,
                                 const sql::Call& c, int position) const;

  // pull.cc
  Plan pull(const sql::Select& s, const route::Analysis& a, std::string reason);
  // pull_rows.cc: the outermost block's rows, or partial aggregates, instead of whole relations
  std::optional<Plan> pull_rows(const sql::Select& s, const route::Analysis& a, std::string reason);

  // write.cc
  Plan update(const sql::Update& s);
  Plan remove(const sql::Delete& s);
  // merge_statement.cc
  Plan merge(const sql::Merge& s);
  std::optional<Plan> check_merge_insert(const sql::MergeWhen& when, const route::Analysis& a,
                                         const catalog::Table& t, const route::Property& p);
  // write.cc
  Result<ShardText> text_with_moment() const;
  Plan modify(const route::Analysis& a, const std::vector<sql::Assignment>* set, bool returning);
  std::optional<Plan> check_assignments(const route::Analysis& a, int target,
                                        const std::vector<sql::Assignment>& set);
  // modifying.cc: statements with data-modifying WITH queries
  Plan modifying_cte(const route::Analysis& a);
  std::optional<ShardId> constant_shard(const InsertTarget& target, const route::Block& b);
  Result<ShardId> insert_shard(const sql::Insert& s, const route::Analysis& a, int target,
                               int source, route::Deriver& d);

  // reference.cc
  Plan reference_write(const route::Analysis& a, const catalog::Table& t, bool provable,
                       const std::vector<sql::Assignment>* set, std::string reason);

  // insert.cc
  Plan insert(const sql::Insert& s);
  Plan null_key(Error e, const catalog::Table& t) const;
  std::optional<Error> note_defaults(InsertWork& w) const;
  Plan insert_into(InsertWork& w, const route::Deriver& d);
  Plan insert_values(InsertWork& w);
  Plan insert_rows(InsertWork& w, const route::Deriver& d);
  Plan split_values(const InsertWork& w, const std::vector<ShardId>& places) const;

  // copy.cc
  Plan copy(const sql::Copy& c);
  Plan copy_query(const sql::Copy& c);
  Plan copy_gathered(const sql::Copy& c, const route::Analysis& a, std::string reason);
  Plan copy_in(const sql::Copy& c, const catalog::Table& t);
  std::optional<Error> fill_columns(CopyIn& in, const catalog::Table& t) const;
  Plan done_copy(Plan plan, const sql::Copy& c, const catalog::Table* t) const;
  std::vector<ShardId> shards_of(const catalog::Table& t);
  Plan truncate(const sql::Truncate& t);
  Plan lock(const sql::LockTable& l);
  Plan maintenance(const sql::Maintenance& m);

  const PlanInput& in_;
  const catalog::Snapshot& snapshot_;
  route::ConstantReader reader_;
  std::vector<std::string> trace_;
  bool decided_ = false;    // some constant decided a shard
  bool source_ = false;     // a source_plan()
  bool fills_key_ = false;  // COPY FROM under SET shoal.key
};

}  // namespace shoal::plan
