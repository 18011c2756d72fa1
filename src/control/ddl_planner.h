// The parts of plan_ddl (ddl.h), which share the snapshot and the growing plan.
// Thread rule: one call, one thread.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "catalog/snapshot.h"
#include "control/ddl.h"
#include "sql/ast.h"

namespace shoal::control {

class DdlPlanner {
 public:
  DdlPlanner(const sql::Statement& statement, const catalog::Snapshot& snapshot,
             const std::vector<std::string>& path)
      : statement_(statement), snapshot_(snapshot), path_(path) {}
  Result<DdlPlan> plan();

 private:
  using Table = catalog::Table;

  // ddl.cc: names and places
  const Table* find(const sql::RangeVar& name) const;
  bool everywhere(const Table& table, int depth = 0) const;  // on all shards
  bool everywhere(const sql::RangeVar& name) const;          // false when unknown
  // The kinds of relation that a query reads (views by what is below them).
  struct Reads {
    bool single = false, placed = false, sharded = false, catalog = false;
  };
  Reads reads(const sql::Select& query, int depth = 0) const;
  const Table* owner_of_index(const sql::RangeVar& index) const;
  bool sequence_has_copies(const sql::RangeVar& sequence) const;
  std::string written(const sql::RangeVar& name) const;  // quoted, with the schema if it was given
  void at_home();
  void on_all();
  void on_all(bool all) { all ? on_all() : at_home(); }
  void others(std::string sql);  // on the other shards; the client's text at home comes first
  // On the other shards, and there only if what it names exists.
  void others_if_possible(bool without_function_bodies);
  void once_per_server();
  void forget_dropped();

  // ddl.cc: objects that are no tables
  Result<> plan_ddl(const sql::Ddl& d);
  Result<> plan_drop(const sql::Ddl& d);
  Result<> plan_view(const sql::Ddl& d);
  Result<> plan_sequence(const sql::Ddl& d);
  Result<> plan_index(const sql::Ddl& d);
  Result<> plan_hanging(const sql::Ddl& d);  // TRIGGER, RULE, POLICY, ...
  Result<> plan_grant(const sql::Ddl& d);
  Result<> plan_server_object(const sql::Ddl& d);
  Result<> plan_rename_of_part(const sql::Ddl& d);
  Result<> plan_select_into();
  Result<> refuse_reading_shards(const sql::Select& query, const char* what) const;

  // ddl_table.cc
  Result<> plan_create_table(const sql::Ddl& d);
  Result<> plan_partition(const sql::Ddl& d);
  Result<> plan_alter_table(const sql::Ddl& d);
  Result<> judge_new_columns(const sql::Ddl& d, const Table& table) const;
  Result<> judge_constraint(const sql::DdlConstraint& c, const Table& table) const;
  Result<> judge_foreign_key(const sql::DdlConstraint& c, const Table& table) const;
  Result<> judge_alter_action(const std::string& action, const std::string& column,
                              const Table& table) const;
  void follow_reference(const sql::Ddl& d, const sql::DdlConstraint& c);
  void apply_rules(const sql::Ddl& d);
  std::vector<std::string> key_of(const Table& table) const;
  std::vector<std::string> referenced_columns(const sql::DdlConstraint& c,
                                              const Table& table) const;
  std::string new_table_name(const sql::RangeVar& name) const;

  const sql::Statement& statement_;
  const catalog::Snapshot& snapshot_;
  const std::vector<std::string>& path_;
  DdlPlan plan_;
};

}  // namespace shoal::control
