// Putting definitions in the place of views.
#include "plan/views.h"

#include "route/bind.h"
#include "sql/parse.h"
#include "sql/visit.h"

namespace shoal::plan {

std::set<const sql::RangeVar*> named_in(sql::Select& tree) {
  std::set<const sql::RangeVar*> out;
  sql::walk(tree, [&](auto& node) {
    if constexpr (std::is_same_v<std::decay_t<decltype(node)>, sql::RangeVar>) out.insert(&node);
    return true;
  });
  return out;
}

namespace {

// Expands one view; false when there is none left.
Result<bool> expand_view(sql::Select& tree, const catalog::Snapshot& snapshot,
                         const route::SessionFacts& session) {
  const route::Analysis a = route::bind_query(tree, snapshot, session);
  const std::set<const sql::RangeVar*> names = named_in(tree);
  for (const auto& r : a.relations) {
    if (r->source == nullptr || names.count(r->source) != 0 || r->table == nullptr) continue;
    own_node(r->source).schema = r->table->schema;
  }
  for (const auto& r : a.relations) {
    if (!r->view || names.count(r->source) == 0 || r->item == nullptr) continue;
    const sql::Select* definition = a.block(r->block).select;
    if (definition == nullptr) return refuse(Refusal::kNotProvable, "view " + r->table->name);
    sql::FromSelect query;
    query.query = sql::clone(*definition);
    query.alias = sql::Alias{r->source->alias ? r->source->alias->name : r->source->name, {}};
    for (const auto& c : r->columns) query.alias->columns.push_back(c.name);
    own_node(r->item).node = std::move(query);
    return true;
  }
  return false;
}

}  // namespace

Result<> expand_views(sql::Select& tree, const catalog::Snapshot& snapshot,
                      const route::SessionFacts& session) {
  constexpr int kMaxViews = 256;
  for (int i = 0; i < kMaxViews; ++i) {
    auto more = expand_view(tree, snapshot, session);
    if (!more) return more.error();
    if (!*more) return {};
  }
  return refuse(Refusal::kNotProvable, "too many views");
}

}  // namespace shoal::plan
