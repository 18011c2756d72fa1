// One query for the views that can be on every shard.
#include "control/views.h"

namespace shoal::control {
namespace {

// uses: view -> relation it reads directly. A view qualifies when every relation below it that is
// no view is placed.
constexpr std::string_view kQuery = R"(
WITH RECURSIVE uses(view, relation) AS (
  SELECT DISTINCT w.ev_class, d.refobjid
  FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_depend d ON d.objid = w.oid
      AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> w.ev_class
    JOIN pg_catalog.pg_class c ON c.oid = w.ev_class AND c.relkind = 'v'
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'shoal')
), below(view, relation) AS (
  SELECT view, relation FROM uses
  UNION SELECT below.view, uses.relation FROM below JOIN uses ON uses.view = below.relation
), chosen(oid, depth) AS (
  SELECT b.view, count(*) FROM below b GROUP BY b.view
  HAVING bool_or(b.relation = ANY ({tables})) AND NOT bool_or(
    EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = b.relation AND c.relkind <> 'v')
    AND NOT EXISTS (SELECT FROM shoal.placed_table p WHERE p.relation = b.relation))
)
SELECT pg_catalog.format('CREATE OR REPLACE VIEW %s (%s)%s AS %s', c.oid::pg_catalog.regclass,
    (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)
      FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
        AND NOT a.attisdropped),
    ' WITH (' || pg_catalog.array_to_string(c.reloptions, ', ') || ')',
    pg_catalog.rtrim(pg_catalog.pg_get_viewdef(c.oid), ';'))
  || coalesce((SELECT pg_catalog.string_agg(pg_catalog.format('; GRANT %s ON %s TO %s',
      g.privilege_type, c.oid::pg_catalog.regclass, CASE g.grantee WHEN 0 THEN 'PUBLIC'
        ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END), '')
    FROM pg_catalog.aclexplode(c.relacl) g WHERE g.grantee <> c.relowner), '')
  || CASE WHEN pg_catalog.pg_get_userbyid(c.relowner) <> current_user THEN pg_catalog.format(
      '; ALTER VIEW %s OWNER TO %I', c.oid::pg_catalog.regclass,
      pg_catalog.pg_get_userbyid(c.relowner)) ELSE '' END,
  c.oid::pg_catalog.regclass
FROM chosen JOIN pg_catalog.pg_class c ON c.oid = chosen.oid ORDER BY chosen.depth, c.oid)";

}  // namespace

std::string views_query(const std::vector<Oid>& tables) {
  std::string list;
  for (const Oid t : tables) list += fmt::format("{}{}", list.empty() ? "" : ",", t.value);
  std::string sql(kQuery);
  return sql.replace(sql.find("{tables}"), 8, "'{" + list + "}'::pg_catalog.oid[]");
}

io::Task<Result<>> create_views(Work& work, std::vector<Oid> tables) {
  auto rows = co_await work.home(views_query(tables));
  if (!rows) co_return std::move(rows).error();
  for (std::size_t i = 0; i < rows->rows.size(); ++i) {
    SHOAL_CO_TRY(co_await work.elsewhere(cell(*rows, i, 0)));
  }
  co_return Result<>{};
}

io::Task<Result<>> drop_views(Work& work, std::vector<Oid> tables) {
  auto rows = co_await work.home(views_query(tables));
  if (!rows) co_return std::move(rows).error();
  for (std::size_t i = rows->rows.size(); i-- > 0;) {
    SHOAL_CO_TRY(co_await work.elsewhere("DROP VIEW IF EXISTS " + cell(*rows, i, 1)));
  }
  co_return Result<>{};
}

}  // namespace shoal::control
