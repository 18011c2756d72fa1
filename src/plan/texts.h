// Making the planner's own texts: copies of trees are changed, their parameters numbered anew, and
// the text is parsed back and compared before it may be used.
// Thread-safe, pure.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "catalog/snapshot.h"
#include "plan/plan.h"
#include "sql/ast.h"

namespace shoal::plan {

// Numbers the parameters of the tree 1..n in order of first use (the tree is changed) and gives its
// text; ShardText::params says which of the statement's parameters they are.
Result<ShardText> text_of(sql::Select& tree);
Result<ShardText> text_of(sql::Insert& tree);
Result<ShardText> text_of(sql::Update& tree);
Result<ShardText> text_of(sql::Delete& tree);

// Replaces now() and its kind by parameter 0, which the runner gives all shards alike; a form that
// it does not know stays as it is.
using NameIsBuiltin = std::function<bool(const std::vector<std::string>&)>;
void bind_moment(sql::Update& tree, const NameIsBuiltin& builtin);
void bind_moment(sql::Delete& tree, const NameIsBuiltin& builtin);

sql::ExprPtr make_column(std::string table, std::string column);
sql::ExprPtr make_call(std::string function, sql::ExprPtr arg);
sql::ExprPtr make_cast(sql::ExprPtr e, const catalog::Type& type);
sql::ExprPtr make_string(std::string text);
sql::ExprPtr make_integer(std::int64_t number);

bool has_header(const sql::Copy& c);  // HEADER is on

std::string qualified(const catalog::Table& t);  // "schema"."name"

}  // namespace shoal::plan
