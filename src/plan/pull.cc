// Pull: every base relation that is not whole on home becomes a temporary table of a workspace
// connection on home, under a unique name with the old name as alias, and the statement runs there
// with PostgreSQL's own semantics. Only the columns that it needs come, and only the rows that its
// own simple conditions let through.
//
// The tree that is rewritten here is a copy of the statement's, owned by this file: name resolution
// looks at it through const pointers, which the rewriting turns back.
#include <map>
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
  std::set<std::int16_t> needed;  // columns by attnum
  const catalog::Index* primary = nullptr;
};

bool is_primary_usable(const catalog::Index& i) {
  return i.primary && !i.local;
}

// The tables to bring, each once however often it is named.
Result<std::vector<Pulled>> find_pulled(const route::Analysis& f, bool in_transaction) {
  std::vector<Pulled> out;
  for (std::size_t i = 0; i < f.relations.size(); ++i) {
    const route::Relation& r = *f.relations[i];
    if (r.kind != route::RelationKind::kTable || r.table == nullptr || r.source == nullptr)
      continue;
    const catalog::Table& t = *r.table;
    const bool elsewhere = t.kind == TableKind::kSharded;
    // The workspace does not see what the transaction itself wrote on home.
    const bool changed = in_transaction && t.kind != TableKind::kCatalog;
    if (!elsewhere && !changed) continue;
    if (r.system_column) return refuse(Refusal::kSystemColumn, "a system column of " + t.name);
    if (r.sampled) return refuse(Refusal::kNotProvable, "TABLESAMPLE over several shards");
    if (t.relkind == 'S') return refuse(Refusal::kVolatileInPull, "sequence " + t.name);
    auto at = std::find_if(out.begin(), out.end(), [&](const Pulled& p) {
      return p.table == &t && p.only == r.source->only;
    });
    if (at == out.end()) at = out.insert(out.end(), Pulled{&t, r.source->only});
    at->uses.push_back(&r);
    at->relations.push_back(static_cast<int>(i));
  }
  return out;
}

// Only the columns that some use needs. Where the statement groups, the primary key comes along,
// since columns may depend on it (42803 otherwise).
void find_columns(Pulled& p, bool grouped) {
  const catalog::Table& t = *p.table;
  for (const auto& i : t.indexes) {
    if (grouped && is_primary_usable(i)) p.primary = &i;
  }
  if (p.primary != nullptr) p.needed.insert(p.primary->attnums.begin(), p.primary->attnums.end());
  for (const route::Relation* r : p.uses) {
    for (std::size_t c = 0; c < r->columns.size() && c < t.columns.size(); ++c) {
      if (r->columns[c].used || r->whole_row || r->renamed) p.needed.insert(t.columns[c].attnum);
    }
  }
  if (p.needed.empty() && !t.columns.empty()) p.needed.insert(t.columns[0].attnum);
}

// The rows of one use with its own simple conditions; nullopt: there are none.
std::optional<ShardText> filtered_text(const Pulled& p, sql::ExprPtr conditions) {
  if (!conditions) return std::nullopt;
  sql::Select query;
  const std::string& alias = p.uses[0]->name;
  for (const auto& c : p.table->columns) {
    if (p.needed.count(c.attnum) == 0) continue;
    sql::Target target;
    target.expr = make_column(alias, c.name);
    query.targets.push_back(std::move(target));
  }
  sql::RangeVar rv;
  rv.schema = p.table->schema;
  rv.name = p.table->name;
  rv.only = p.only;
  rv.alias = sql::Alias{alias, {}};
  auto item = std::make_unique<sql::FromItem>();
  item->node = std::move(rv);
  query.from.push_back(std::move(item));
  query.where = std::move(conditions);
  auto text = text_of(query);
  if (!text) return std::nullopt;
  return std::move(*text);
}

PullStep step_of(const Pulled& p, const route::Deriver& d, ShardId home) {
  PullStep step;
  std::string columns;
  for (const auto& c : p.table->columns) {
    if (p.needed.count(c.attnum) == 0) continue;
    columns += (columns.empty() ? "" : ", ") + sql::quote_identifier(c.name);
  }
  step.like_sql = "SELECT " + columns + " FROM " + (p.only ? "ONLY " : "") + qualified(*p.table);
  step.text.sql = step.like_sql;
  if (p.primary != nullptr) {
    for (const std::int16_t attnum : p.primary->attnums) {
      step.index_columns.push_back(p.table->column(attnum)->name);
    }
  }
  if (p.table->kind != TableKind::kSharded) {
    step.shards = {home};
    return step;
  }
  std::set<ShardId> shards;
  for (const int relation : p.relations) {
    const auto known = d.relation_shards().find(relation);
    const route::ShardSet own =
        known == d.relation_shards().end() ? d.all_shards(*p.table) : known->second;
    shards.insert(own.begin(), own.end());
  }
  step.shards.assign(shards.begin(), shards.end());
  return step;
}

// Gives the relations of the tree their names on the workspace, with the old ones as aliases. What
// is not pulled is named with its schema: the workspace's search_path must not matter.
void rename_relations(sql::Select& tree, const route::Analysis& f,
                      const std::map<const sql::RangeVar*, std::string>& temporary) {
  for (const auto& r : f.relations) {
    if (r->source == nullptr || r->table == nullptr || r->cte) continue;
    sql::RangeVar& rv = own_node(r->source);
    if (!rv.alias) rv.alias = sql::Alias{rv.name, {}};
    const auto temp = temporary.find(r->source);
    rv.schema = temp == temporary.end() ? r->table->schema : std::string();
    if (temp == temporary.end()) continue;
    rv.database.clear();
    rv.name = temp->second;
    rv.only = false;
  }
  // s.t.a is t.a now.
  sql::walk(tree, [](auto& node) {
    if constexpr (std::is_same_v<std::decay_t<decltype(node)>, sql::Expr>) {
      auto* c = std::get_if<sql::ColumnRef>(&node.node);
      const std::size_t keep = c != nullptr && c->star ? 1 : 2;
      if (c != nullptr && c->fields.size() > keep) {
        c->fields.erase(c->fields.begin(), c->fields.end() - static_cast<std::ptrdiff_t>(keep));
      }
    }
    return true;
  });
}

}  // namespace

Plan Planner::pull(const sql::Select& s, const route::Analysis& a, std::string reason) {
  // The source of an INSERT draws from sequences where its rows come together, once for each.
  if (a.effects.home_action && !source_) {
    return refused(Refusal::kVolatileInPull,
                   "a function that acts on a server beside gathered rows");
  }
  if (a.effects.moment && in_.session.in_transaction) {
    return refused(Refusal::kVolatileInPull,
                   "now() is another moment where the rows are gathered than in the transaction",
                   "SELECT now() first and pass its value as a parameter");
  }
  if (a.temporary) return refused(Refusal::kTempTable, reason);
  if (a.view_row_security) {
    return refused(Refusal::kNotProvable, "row security behind a view over several shards");
  }
  sql::SelectPtr tree = sql::clone(s);
  if (auto expanded = expand_views(*tree, snapshot_, in_.session); !expanded) {
    return error(expanded.error());
  }
  const route::Analysis f = route::bind_query(*tree, snapshot_, in_.session);
  if (auto stop = stopped(f)) return std::move(*stop);
  route::Deriver d(f, reader_);
  (void)d.block(f.root);  // finds where each relation's needed rows lie
  auto pulled = find_pulled(f, in_.session.in_transaction);
  if (!pulled) return error(pulled.error());

  const bool grouped =
      std::any_of(f.blocks.begin(), f.blocks.end(), [](const auto& b) { return b->grouped; });
  Pull out;
  std::map<const sql::RangeVar*, std::string> temporary;
  for (Pulled& p : *pulled) {
    find_columns(p, grouped);
    PullStep step = step_of(p, d, snapshot_.home);
    step.temp_table =
        "shoal_pull_" + std::to_string(in_.unique) + "_" + std::to_string(out.steps.size() + 1);
    if (p.uses.size() == 1 && !p.uses[0]->renamed) {
      auto conditions = pull_conditions(f, p.relations[0], snapshot_, in_.session);
      if (auto text = filtered_text(p, std::move(conditions))) step.text = std::move(*text);
    }
    for (const route::Relation* r : p.uses) temporary[r->source] = step.temp_table;
    out.steps.push_back(std::move(step));
  }
  rename_relations(*tree, f, temporary);
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
