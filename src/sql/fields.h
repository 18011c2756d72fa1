// Every struct of the tree as a tuple of references to its fields, in their order. Comparing,
// copying and walking (visit.h) are written once over these tuples. The structured bindings make a
// field that is added to ast.h and forgotten here a compile error.
// Thread rule: plain functions.
#pragma once
#include <tuple>
#include <type_traits>

#include "sql/ast.h"

namespace shoal::sql {

template <class T, class Node>
concept Maybe = std::is_same_v<std::remove_const_t<T>, Node>;

template <Maybe<TypeName> T>
auto fields(T& x) {
  auto& [names_, typmods_, array_bounds_, setof_, pct_type_] = x;
  return std::tie(names_, typmods_, array_bounds_, setof_, pct_type_);
}
template <Maybe<SortBy> T>
auto fields(T& x) {
  auto& [expr_, order_, nulls_, using_op_] = x;
  return std::tie(expr_, order_, nulls_, using_op_);
}
template <Maybe<WindowDef> T>
auto fields(T& x) {
  auto& [name_, ref_name_, partition_by_, order_by_, frame_options_, start_offset_, end_offset_,
         by_name_only_] = x;
  return std::tie(name_, ref_name_, partition_by_, order_by_, frame_options_, start_offset_,
                  end_offset_, by_name_only_);
}
template <Maybe<Const> T>
auto fields(T& x) {
  auto& [kind_, text_] = x;
  return std::tie(kind_, text_);
}
template <Maybe<Param> T>
auto fields(T& x) {
  auto& [number_] = x;
  return std::tie(number_);
}
template <Maybe<ColumnRef> T>
auto fields(T& x) {
  auto& [fields_, star_] = x;
  return std::tie(fields_, star_);
}
template <Maybe<Call> T>
auto fields(T& x) {
  auto& [name_, args_, order_by_, filter_, over_, star_, distinct_, variadic_, within_group_,
         sql_syntax_] = x;
  return std::tie(name_, args_, order_by_, filter_, over_, star_, distinct_, variadic_,
                  within_group_, sql_syntax_);
}
template <Maybe<Operator> T>
auto fields(T& x) {
  auto& [form_, name_, left_, right_] = x;
  return std::tie(form_, name_, left_, right_);
}
template <Maybe<BoolExpr> T>
auto fields(T& x) {
  auto& [op_, args_] = x;
  return std::tie(op_, args_);
}
template <Maybe<NullTest> T>
auto fields(T& x) {
  auto& [arg_, is_null_] = x;
  return std::tie(arg_, is_null_);
}
template <Maybe<BooleanTest> T>
auto fields(T& x) {
  auto& [kind_, arg_] = x;
  return std::tie(kind_, arg_);
}
template <Maybe<Cast> T>
auto fields(T& x) {
  auto& [arg_, type_] = x;
  return std::tie(arg_, type_);
}
template <Maybe<CaseWhen> T>
auto fields(T& x) {
  auto& [when_, then_] = x;
  return std::tie(when_, then_);
}
template <Maybe<Case> T>
auto fields(T& x) {
  auto& [arg_, whens_, otherwise_] = x;
  return std::tie(arg_, whens_, otherwise_);
}
template <Maybe<Coalesce> T>
auto fields(T& x) {
  auto& [args_] = x;
  return std::tie(args_);
}
template <Maybe<MinMax> T>
auto fields(T& x) {
  auto& [greatest_, args_] = x;
  return std::tie(greatest_, args_);
}
template <Maybe<RowExpr> T>
auto fields(T& x) {
  auto& [args_, explicit_row_] = x;
  return std::tie(args_, explicit_row_);
}
template <Maybe<ArrayExpr> T>
auto fields(T& x) {
  auto& [elements_] = x;
  return std::tie(elements_);
}
template <Maybe<List> T>
auto fields(T& x) {
  auto& [items_] = x;
  return std::tie(items_);
}
template <Maybe<SubLink> T>
auto fields(T& x) {
  auto& [kind_, test_, op_, query_] = x;
  return std::tie(kind_, test_, op_, query_);
}
template <Maybe<Collate> T>
auto fields(T& x) {
  auto& [arg_, name_] = x;
  return std::tie(arg_, name_);
}
template <Maybe<Subscript> T>
auto fields(T& x) {
  auto& [lower_, upper_, slice_] = x;
  return std::tie(lower_, upper_, slice_);
}
template <Maybe<Indirection> T>
auto fields(T& x) {
  auto& [arg_, steps_] = x;
  return std::tie(arg_, steps_);
}
template <Maybe<Indirection::Step> T>
auto fields(T& x) {
  auto& [field_, star_, subscript_] = x;
  return std::tie(field_, star_, subscript_);
}
template <Maybe<SqlValue> T>
auto fields(T& x) {
  auto& [name_, typmod_] = x;
  return std::tie(name_, typmod_);
}
template <Maybe<DefaultExpr> T>
auto fields(T&) {
  return std::tuple<>();
}
template <Maybe<Grouping> T>
auto fields(T& x) {
  auto& [args_] = x;
  return std::tie(args_);
}
template <Maybe<GroupingSet> T>
auto fields(T& x) {
  auto& [kind_, content_] = x;
  return std::tie(kind_, content_);
}
template <Maybe<NamedArg> T>
auto fields(T& x) {
  auto& [name_, arg_] = x;
  return std::tie(name_, arg_);
}
template <Maybe<CurrentOf> T>
auto fields(T& x) {
  auto& [cursor_] = x;
  return std::tie(cursor_);
}
template <Maybe<MultiAssign> T>
auto fields(T& x) {
  auto& [source_, column_, columns_] = x;
  return std::tie(source_, column_, columns_);
}
template <Maybe<Opaque> T>
auto fields(T& x) {
  auto& [what_] = x;
  return std::tie(what_);
}
template <Maybe<Expr> T>
auto fields(T& x) {
  auto& [node_, location_] = x;
  return std::tie(node_, location_);
}
template <Maybe<Alias> T>
auto fields(T& x) {
  auto& [name_, columns_] = x;
  return std::tie(name_, columns_);
}
template <Maybe<RangeVar> T>
auto fields(T& x) {
  auto& [database_, schema_, name_, only_, alias_, location_, persistence_] = x;
  return std::tie(database_, schema_, name_, only_, alias_, location_, persistence_);
}
template <Maybe<ColumnDef> T>
auto fields(T& x) {
  auto& [name_, type_, collation_] = x;
  return std::tie(name_, type_, collation_);
}
template <Maybe<FromSelect> T>
auto fields(T& x) {
  auto& [query_, lateral_, alias_] = x;
  return std::tie(query_, lateral_, alias_);
}
template <Maybe<FromFunction> T>
auto fields(T& x) {
  auto& [items_, lateral_, ordinality_, rows_from_, alias_, columns_] = x;
  return std::tie(items_, lateral_, ordinality_, rows_from_, alias_, columns_);
}
template <Maybe<FromFunction::Item> T>
auto fields(T& x) {
  auto& [call_, columns_] = x;
  return std::tie(call_, columns_);
}
template <Maybe<Join> T>
auto fields(T& x) {
  auto& [kind_, natural_, left_, right_, using_columns_, using_alias_, on_, alias_] = x;
  return std::tie(kind_, natural_, left_, right_, using_columns_, using_alias_, on_, alias_);
}
template <Maybe<TableSample> T>
auto fields(T& x) {
  auto& [table_, method_, args_, repeatable_] = x;
  return std::tie(table_, method_, args_, repeatable_);
}
template <Maybe<FromOpaque> T>
auto fields(T& x) {
  auto& [what_] = x;
  return std::tie(what_);
}
template <Maybe<FromItem> T>
auto fields(T& x) {
  auto& [node_] = x;
  return std::tie(node_);
}
template <Maybe<Target> T>
auto fields(T& x) {
  auto& [expr_, name_] = x;
  return std::tie(expr_, name_);
}
template <Maybe<Cte> T>
auto fields(T& x) {
  auto& [name_, columns_, materialized_, query_, has_search_or_cycle_] = x;
  return std::tie(name_, columns_, materialized_, query_, has_search_or_cycle_);
}
template <Maybe<With> T>
auto fields(T& x) {
  auto& [recursive_, ctes_] = x;
  return std::tie(recursive_, ctes_);
}
template <Maybe<Locking> T>
auto fields(T& x) {
  auto& [strength_, wait_, of_] = x;
  return std::tie(strength_, wait_, of_);
}
template <Maybe<Select> T>
auto fields(T& x) {
  auto& [with_, op_, all_, left_, right_, values_, distinct_, distinct_on_, targets_, from_, where_,
         group_by_, group_distinct_, having_, windows_, order_by_, limit_, offset_, with_ties_,
         locking_, into_] = x;
  return std::tie(with_, op_, all_, left_, right_, values_, distinct_, distinct_on_, targets_,
                  from_, where_, group_by_, group_distinct_, having_, windows_, order_by_, limit_,
                  offset_, with_ties_, locking_, into_);
}
template <Maybe<Assignment> T>
auto fields(T& x) {
  auto& [column_, steps_, value_] = x;
  return std::tie(column_, steps_, value_);
}
template <Maybe<InsertColumn> T>
auto fields(T& x) {
  auto& [name_, steps_] = x;
  return std::tie(name_, steps_);
}
template <Maybe<OnConflict> T>
auto fields(T& x) {
  auto& [do_update_, constraint_, elements_, elements_where_, set_, where_] = x;
  return std::tie(do_update_, constraint_, elements_, elements_where_, set_, where_);
}
template <Maybe<OnConflict::Element> T>
auto fields(T& x) {
  auto& [expr_, column_, collation_, opclass_] = x;
  return std::tie(expr_, column_, collation_, opclass_);
}
template <Maybe<Insert> T>
auto fields(T& x) {
  auto& [with_, table_, columns_, source_, overriding_, on_conflict_, returning_] = x;
  return std::tie(with_, table_, columns_, source_, overriding_, on_conflict_, returning_);
}
template <Maybe<Update> T>
auto fields(T& x) {
  auto& [with_, table_, set_, from_, where_, returning_] = x;
  return std::tie(with_, table_, set_, from_, where_, returning_);
}
template <Maybe<Delete> T>
auto fields(T& x) {
  auto& [with_, table_, using_items_, where_, returning_] = x;
  return std::tie(with_, table_, using_items_, where_, returning_);
}
template <Maybe<MergeWhen> T>
auto fields(T& x) {
  auto& [matched_, action_, condition_, set_, columns_, values_, overriding_] = x;
  return std::tie(matched_, action_, condition_, set_, columns_, values_, overriding_);
}
template <Maybe<Merge> T>
auto fields(T& x) {
  auto& [with_, target_, source_, on_, whens_] = x;
  return std::tie(with_, target_, source_, on_, whens_);
}

}  // namespace shoal::sql
