// now() and its kind in a text for several shards: the transactions there began at other moments,
// so that the runner gives all of them one, as parameter 0.
#include <algorithm>

#include "plan/texts.h"
#include "sql/visit.h"

namespace shoal::plan {
namespace {

sql::ExprPtr moment() {
  auto e = std::make_unique<sql::Expr>();
  e->node = sql::Param{0};
  return e;
}

sql::Cast cast_to(sql::ExprPtr arg, std::string type) {
  sql::Cast out;
  out.arg = std::move(arg);
  out.type.names = {"pg_catalog", std::move(type)};
  return out;
}

bool is_now(const sql::Call& c, const NameIsBuiltin& builtin) {
  if (!c.args.empty() || c.over || c.filter || c.name.empty()) return false;
  const std::string& name = c.name.back();
  return (name == "now" || name == "transaction_timestamp") && builtin(c.name);
}

// The type of CURRENT_DATE and its kind; empty: with a precision, or another value.
std::string type_of_value(const sql::SqlValue& v) {
  std::string name = v.name;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (v.typmod >= 0) return {};
  if (name == "current_timestamp") return "timestamptz";
  if (name == "localtimestamp") return "timestamp";
  if (name == "current_date") return "date";
  if (name == "current_time") return "timetz";
  return name == "localtime" ? "time" : "";
}

template <class Tree>
void bind(Tree& tree, const NameIsBuiltin& builtin) {
  sql::walk(tree, [&](auto& node) {
    if constexpr (std::is_same_v<std::decay_t<decltype(node)>, sql::Expr>) {
      std::string type;
      if (const auto* c = std::get_if<sql::Call>(&node.node); c && is_now(*c, builtin))
        type = "timestamptz";
      else if (const auto* v = std::get_if<sql::SqlValue>(&node.node))
        type = type_of_value(*v);
      if (type.empty()) return true;
      sql::Cast now = cast_to(moment(), "timestamptz");
      if (type == "timestamptz") {
        node.node = std::move(now);
      } else {
        auto inner = std::make_unique<sql::Expr>();
        inner->node = std::move(now);
        node.node = cast_to(std::move(inner), type);
      }
      return false;
    }
    return true;
  });
}

}  // namespace

void bind_moment(sql::Update& tree, const NameIsBuiltin& builtin) {
  bind(tree, builtin);
}
void bind_moment(sql::Delete& tree, const NameIsBuiltin& builtin) {
  bind(tree, builtin);
}

}  // namespace shoal::plan
