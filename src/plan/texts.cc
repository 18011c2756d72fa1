// Building and numbering of trees, and their texts.
#include "plan/texts.h"

#include "sql/deparse.h"
#include "sql/visit.h"

namespace shoal::plan {
namespace {

template <class Tree>
Result<ShardText> numbered_text(Tree& tree) {
  ShardText out;
  sql::walk(tree, [&](auto& node) {
    if constexpr (std::is_same_v<std::decay_t<decltype(node)>, sql::Expr>) {
      if (auto* p = std::get_if<sql::Param>(&node.node)) {
        auto at = std::find(out.params.begin(), out.params.end(), p->number);
        if (at == out.params.end()) at = out.params.insert(out.params.end(), p->number);
        p->number = static_cast<int>(at - out.params.begin()) + 1;
      }
    }
    return true;
  });
  auto text = sql::deparse_checked(tree);
  if (!text) return text.error();
  out.sql = std::move(*text);
  return out;
}

template <class T>
sql::ExprPtr make(T node) {
  auto e = std::make_unique<sql::Expr>();
  e->node = std::move(node);
  return e;
}

}  // namespace

Result<ShardText> text_of(sql::Select& tree) {
  return numbered_text(tree);
}
Result<ShardText> text_of(sql::Insert& tree) {
  return numbered_text(tree);
}
Result<ShardText> text_of(sql::Update& tree) {
  return numbered_text(tree);
}
Result<ShardText> text_of(sql::Delete& tree) {
  return numbered_text(tree);
}

sql::ExprPtr make_column(std::string table, std::string column) {
  sql::ColumnRef c;
  if (!table.empty()) c.fields.push_back(std::move(table));
  c.fields.push_back(std::move(column));
  return make(std::move(c));
}

sql::ExprPtr make_call(std::string function, sql::ExprPtr arg) {
  sql::Call c;
  c.name = {"pg_catalog", std::move(function)};
  if (arg) c.args.push_back(std::move(arg));
  return make(std::move(c));
}

sql::ExprPtr make_cast(sql::ExprPtr e, const catalog::Type& type) {
  sql::Cast c;
  c.arg = std::move(e);
  c.type.names = {type.schema, type.name};
  return make(std::move(c));
}

sql::ExprPtr make_string(std::string text) {
  return make(sql::Const{sql::Const::Kind::kString, std::move(text)});
}

sql::ExprPtr make_integer(std::int64_t number) {
  const bool small = number >= INT32_MIN && number <= INT32_MAX;
  return make(sql::Const{small ? sql::Const::Kind::kInteger : sql::Const::Kind::kFloat,
                         std::to_string(number)});
}

bool has_header(const sql::Copy& c) {
  return std::any_of(c.options.begin(), c.options.end(), [](const auto& o) {
    return o.name == "header" && o.value != "false" && o.value != "off" && o.value != "0";
  });
}

std::string qualified(const catalog::Table& t) {
  return sql::quote_identifier(t.schema) + "." + sql::quote_identifier(t.name);
}

}  // namespace shoal::plan
