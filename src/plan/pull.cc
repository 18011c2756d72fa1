// Pull: every base relation that is not whole on home becomes a temporary table of a workspace
// connection on home, under a unique name with the old name as alias, and the statement runs there
// with PostgreSQL's own semantics. Only the columns that it needs come, and only the rows that its
// own simple conditions let through.
//
// The tree that is rewritten here is a copy of the statement's, owned by this file: name resolution
// looks at it through const pointers, which the rewriting turns back.
#include <set>

#include "plan/planner.h"
#include "plan/pull_conditions.h"
#include "plan/texts.h"
#include "plan/views.h"
#include "sql/deparse.h"
#include "sql/parse.h"
#include "sql/visit.h"

namespace shoal::plan {
namespace {

using catalog::TableKind;

struct Pulled {
  const catalog::Table* table = nullptr;
  bool only = false;
  std::vector<const route::Relation*> uses;
  std::vector<int> relations;
};

bool is_primary_usable(const catalog::Index& i) {
  return i.primary && !i.local;
}

}  // namespace

Plan Planner::pull(const sql::Select& s, const route::Analysis& a, std::string reason) {
  // The source of an INSERT draws from sequences where its rows come together, once for each.
  if (a.effects.home_action && !source_) {
    return refused(Refusal::kVolatileInPull,
                   "a function that acts on a server beside gathered rows");
  }
  if (a.temporary) return refused(Refusal::kTempTable, reason);
  if (a.view_row_security) {
    return refused(Refusal::kNotProvable, "row security behind a view over several shards");
  }
  sql::SelectPtr tree = sql::clone(s);
  if (auto expanded = expand_views(*tree, snapshot_, in_.session); !expanded)
    return error(expanded.error());
  const route::Analysis f = route::bind_query(*tree, snapshot_, in_.session);
  if (auto stop = stopped(f)) return std::move(*stop);
  route::Deriver d(f, reader_);
  (void)d.block(f.root);

  const bool grouped =
      std::any_of(f.blocks.begin(), f.blocks.end(), [](const auto& b) { return b->grouped; });
  std::vector<Pulled> pulled;
  for (std::size_t i = 0; i < f.relations.size(); ++i) {
    const route::Relation& r = *f.relations[i];
    if (r.kind != route::RelationKind::kTable || r.table == nullptr || r.source == nullptr)
      continue;
    const bool elsewhere = r.table->kind == TableKind::kSharded;
    const bool changed = in_.session.in_transaction && r.table->kind != TableKind::kCatalog;
    if (!elsewhere && !changed) continue;
    if (r.system_column)
      return refused(Refusal::kSystemColumn, "a system column of " + r.table->name);
    if (r.sampled) return refused(Refusal::kNotProvable, "TABLESAMPLE over several shards");
    if (r.table->relkind == 'S')
      return refused(Refusal::kVolatileInPull, "sequence " + r.table->name);
    auto at = std::find_if(pulled.begin(), pulled.end(), [&](const Pulled& p) {
      return p.table == r.table && p.only == r.source->only;
    });
    if (at == pulled.end())
      at = pulled.insert(pulled.end(), Pulled{r.table, r.source->only, {}, {}});
    at->uses.push_back(&r);
    at->relations.push_back(static_cast<int>(i));
  }

  Pull out;
  std::vector<std::pair<const sql::RangeVar*, std::string>> renamed;
  for (const Pulled& p : pulled) {
    PullStep step;
    step.temp_table =
        "shoal_pull_" + std::to_string(in_.unique) + "_" + std::to_string(out.steps.size() + 1);
    const catalog::Index* primary = nullptr;
    for (const auto& i : p.table->indexes) {
      if (grouped && is_primary_usable(i)) primary = &i;
    }
    std::set<std::int16_t> needed;
    if (primary != nullptr) needed.insert(primary->attnums.begin(), primary->attnums.end());
    for (const route::Relation* r : p.uses) {
      for (std::size_t c = 0; c < r->columns.size() && c < p.table->columns.size(); ++c) {
        if (r->columns[c].used || r->whole_row || r->renamed)
          needed.insert(p.table->columns[c].attnum);
      }
    }
    if (needed.empty() && !p.table->columns.empty()) needed.insert(p.table->columns[0].attnum);
    std::string columns;
    for (const auto& c : p.table->columns) {
      if (needed.count(c.attnum) == 0) continue;
      if (!columns.empty()) columns += ", ";
      columns += sql::quote_identifier(c.name);
    }
    const std::string name = (p.only ? "ONLY " : "") + qualified(*p.table);
    step.like_sql = "SELECT " + columns + " FROM " + name;
    if (primary != nullptr) {
      for (const std::int16_t attnum : primary->attnums)
        step.index_columns.push_back(p.table->column(attnum)->name);
    }

    if (p.table->kind == TableKind::kSharded) {
      for (const int relation : p.relations) {
        const auto known = d.relation_shards().find(relation);
        for (const ShardId id :
             known == d.relation_shards().end() ? d.all_shards(*p.table) : known->second) {
          if (std::find(step.shards.begin(), step.shards.end(), id) == step.shards.end())
            step.shards.push_back(id);
        }
      }
      std::sort(step.shards.begin(), step.shards.end());
    } else {
      step.shards = {snapshot_.home};
    }
    step.text.sql = step.like_sql;
    if (p.uses.size() == 1 && !p.uses[0]->renamed) {
      auto conditions = pull_conditions(f, p.relations[0], snapshot_, in_.session);
      if (conditions) {
        auto query = std::make_unique<sql::Select>();
        for (const auto& c : p.table->columns) {
          if (needed.count(c.attnum) == 0) continue;
          sql::Target target;
          target.expr = make_column(p.uses[0]->name, c.name);
          query->targets.push_back(std::move(target));
        }
        sql::RangeVar rv;
        rv.schema = p.table->schema;
        rv.name = p.table->name;
        rv.only = p.only;
        rv.alias = sql::Alias{p.uses[0]->name, {}};
        auto item = std::make_unique<sql::FromItem>();
        item->node = std::move(rv);
        query->from.push_back(std::move(item));
        query->where = std::move(conditions);
        auto text = text_of(*query);
        if (text) step.text = std::move(*text);
      }
    }
    for (const route::Relation* r : p.uses) renamed.emplace_back(r->source, step.temp_table);
    out.steps.push_back(std::move(step));
  }

  // From here on `f` is history: the tree changes under it.
  std::set<const sql::RangeVar*> done;
  for (const auto& [source, temp] : renamed) {
    sql::RangeVar& rv = own_node(source);
    if (!rv.alias) rv.alias = sql::Alias{rv.name, {}};
    rv.schema.clear();
    rv.database.clear();
    rv.name = temp;
    rv.only = false;
    done.insert(source);
  }
  for (const auto& r : f.relations) {
    if (r->source == nullptr || r->table == nullptr || done.count(r->source) != 0 || r->cte)
      continue;
    sql::RangeVar& rv = own_node(r->source);
    if (!rv.alias) rv.alias = sql::Alias{rv.name, {}};
    rv.schema = r->table->schema;
  }
  sql::walk(*tree, [](auto& node) {
    if constexpr (std::is_same_v<std::decay_t<decltype(node)>, sql::Expr>) {
      if (auto* c = std::get_if<sql::ColumnRef>(&node.node); c != nullptr) {
        const std::size_t keep = c->star ? 1 : 2;
        if (c->fields.size() > keep)
          c->fields.erase(c->fields.begin(), c->fields.end() - static_cast<std::ptrdiff_t>(keep));
      }
    }
    return true;
  });
  auto finish = text_of(*tree);
  if (!finish) return error(finish.error());
  out.finish = std::move(*finish);
  Plan plan;
  plan.node = std::move(out);
  plan.reason = std::move(reason);
  shape_all(plan);
  plan.depends_on_params = in_.statement.max_param > 0;
  return plan;
}

}  // namespace shoal::plan
