// The queries that let PostgreSQL write the DDL, and the text of each phase.
#include "control/definition.h"

#include <charconv>

#include "control/pq.h"

namespace shoal::control {
namespace {

// {tables} is an array literal of oids. tree: the tables and all their partitions, parents first.
constexpr std::string_view kTree = R"(
WITH RECURSIVE tree(oid, level, ord) AS (
  SELECT t.oid, 0, t.ord FROM pg_catalog.unnest({tables}::pg_catalog.oid[])
    WITH ORDINALITY t(oid, ord)
  UNION
  SELECT i.inhrelid, tree.level + 1, tree.ord FROM tree
    JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition
), t AS (
  SELECT c.*, n.nspname, pg_catalog.format('%I.%I', n.nspname, c.relname) AS full_name,
    pg_catalog.to_jsonb(c) AS j,
    pg_catalog.row_number() OVER (ORDER BY tree.level, tree.ord, c.oid) AS ord
  FROM (SELECT oid, max(level) AS level, min(ord) AS ord FROM tree GROUP BY oid) tree
    JOIN pg_catalog.pg_class c ON c.oid = tree.oid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
), columns AS (
  SELECT a.*, t.ord, t.full_name, t.relispartition, d.oid AS def_oid,
    pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS def, ty.typcollation, ty.typstorage,
    s.oid AS identity_sequence, st.seqtypid AS identity_type
  FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0
      AND NOT a.attisdropped
    JOIN pg_catalog.pg_type ty ON ty.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_catalog.pg_depend dep ON a.attidentity <> '' AND dep.deptype = 'i'
      AND dep.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND dep.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND dep.refobjid = a.attrelid AND dep.refobjsubid = a.attnum
    LEFT JOIN pg_catalog.pg_class s ON s.oid = dep.objid AND s.relkind = 'S'
    LEFT JOIN pg_catalog.pg_sequence st ON st.seqrelid = s.oid
), sequences AS (
  SELECT DISTINCT s.oid, s.oid::pg_catalog.regclass::pg_catalog.text AS full_name,
    pg_catalog.format_type(q.seqtypid, NULL) AS type
  FROM columns c JOIN pg_catalog.pg_depend d ON d.objid = c.def_oid
      AND d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    JOIN pg_catalog.pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
    JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
), pieces(phase, ord, sub, kind, sql, type) AS (
)";

constexpr std::string_view kCreate = R"(
  SELECT 1, 0, 0, 'sequence', s.full_name, s.type FROM sequences s
UNION ALL
  SELECT 1, t.ord, 1, 'sql', pg_catalog.format('CREATE %sTABLE %s (%s)%s%s',
    CASE t.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END, t.full_name,
    (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', pg_catalog.quote_ident(c.attname),
        pg_catalog.format_type(c.atttypid, c.atttypmod),
        CASE WHEN c.attcollation <> 0 AND c.attcollation <> c.typcollation
          THEN (SELECT pg_catalog.format('COLLATE %I.%I', cn.nspname, co.collname)
            FROM pg_catalog.pg_collation co JOIN pg_catalog.pg_namespace cn
              ON cn.oid = co.collnamespace WHERE co.oid = c.attcollation) END,
        CASE WHEN c.attgenerated = 's' THEN 'GENERATED ALWAYS AS (' || c.def || ') STORED'
          WHEN c.attgenerated = 'v' THEN 'GENERATED ALWAYS AS (' || c.def || ') VIRTUAL'
          WHEN c.def IS NOT NULL THEN 'DEFAULT ' || c.def END,
        CASE WHEN c.identity_sequence IS NOT NULL THEN pg_catalog.format(
          'GENERATED %s AS IDENTITY (SEQUENCE NAME %s)',
          CASE c.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END,
          c.identity_sequence::pg_catalog.regclass) END,
        CASE WHEN c.attnotnull THEN 'NOT NULL' END), ', ' ORDER BY c.attnum)
      FROM columns c WHERE c.attrelid = t.oid),
    CASE WHEN t.relkind = 'p' THEN ' PARTITION BY ' || pg_catalog.pg_get_partkeydef(t.oid) END,
    CASE WHEN t.reloptions IS NOT NULL THEN
      ' WITH (' || (SELECT pg_catalog.string_agg(pg_catalog.format('%I=%L',
          pg_catalog.split_part(o, '=', 1), pg_catalog.substr(o, pg_catalog.strpos(o, '=') + 1)),
          ', ') FROM pg_catalog.unnest(t.reloptions) o) || ')' END), NULL
  FROM t
UNION ALL
  SELECT 1, c.ord, 2, 'own', c.identity_sequence::pg_catalog.regclass::pg_catalog.text,
    pg_catalog.format_type(c.identity_type, NULL)
  FROM columns c WHERE c.identity_sequence IS NOT NULL
UNION ALL
  SELECT 1, c.ord, 3, 'sql', pg_catalog.format('ALTER SEQUENCE %s OWNED BY %s.%I',
    s.full_name, c.full_name, c.attname), NULL
  FROM sequences s JOIN pg_catalog.pg_depend d ON d.objid = s.oid AND d.deptype = 'a'
      AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    JOIN columns c ON c.attrelid = d.refobjid AND c.attnum = d.refobjsubid
UNION ALL
  SELECT 1, c.ord, 4, 'sql', pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s',
    c.full_name, c.attname, c.attstattarget), NULL FROM columns c WHERE c.attstattarget >= 0
UNION ALL
  SELECT 1, c.ord, 4, 'sql', pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET STORAGE %s',
    c.full_name, c.attname, CASE c.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL'
      WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END), NULL
  FROM columns c WHERE c.attstorage <> c.typstorage
)";

constexpr std::string_view kConstraints = R"(
UNION ALL
  SELECT 2, t.ord, CASE c.contype WHEN 'p' THEN 1 WHEN 'u' THEN 2 ELSE 3 END, 'sql',
    pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', t.full_name, c.conname,
      pg_catalog.pg_get_constraintdef(c.oid)), NULL
  FROM t JOIN pg_catalog.pg_constraint c ON c.conrelid = t.oid AND c.contype IN ('p', 'u', 'c', 'x')
UNION ALL
  SELECT 2, t.ord, 4, 'sql', pg_catalog.pg_get_indexdef(i.indexrelid), NULL
  FROM t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid AND i.indisvalid
  WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.conindid = i.indexrelid
    AND c.conrelid = t.oid AND c.contype IN ('p', 'u', 'x'))
UNION ALL
  SELECT 2, t.ord, 5, 'sql', pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY %s', t.full_name,
    CASE t.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' ELSE (
      SELECT pg_catalog.format('USING INDEX %I', ic.relname) FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
      WHERE i.indrelid = t.oid AND i.indisreplident) END), NULL
  FROM t WHERE t.relreplident IN ('f', 'n', 'i')
UNION ALL
  SELECT 2, 100000 + t.ord, 6, 'sql', pg_catalog.format('ALTER TABLE %s ATTACH PARTITION %s %s',
    i.inhparent::pg_catalog.regclass, t.full_name,
    pg_catalog.pg_get_expr(t.relpartbound, t.oid)), NULL
  FROM t JOIN pg_catalog.pg_inherits i ON i.inhrelid = t.oid WHERE t.relispartition
    AND i.inhparent IN (SELECT oid FROM t)
UNION ALL
  SELECT 2, 200000 + t.ord, 7, 'sql', pg_catalog.pg_get_statisticsobjdef(s.oid), NULL
  FROM t JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = t.oid
UNION ALL
  SELECT 4, t.ord, 1, 'sql', pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', t.full_name,
    c.conname, pg_catalog.pg_get_constraintdef(c.oid)), NULL
  FROM t JOIN pg_catalog.pg_constraint c ON c.conrelid = t.oid AND c.contype = 'f'
    AND c.conparentid = 0
)";

constexpr std::string_view kRest = R"(
UNION ALL
  SELECT 5, t.ord, 1, 'sql', pg_catalog.pg_get_triggerdef(g.oid), NULL
  FROM t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
    AND coalesce((pg_catalog.to_jsonb(g)->>'tgparentid')::pg_catalog.int8, 0) = 0
UNION ALL
  SELECT 5, t.ord, 2, 'sql', pg_catalog.format('ALTER TABLE %s %s TRIGGER %I', t.full_name,
    CASE g.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA'
      ELSE 'ENABLE ALWAYS' END, g.tgname), NULL
  FROM t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
    AND g.tgenabled <> 'O'
UNION ALL
  SELECT 5, t.ord, 3, 'sql', pg_catalog.format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s',
    p.polname, t.full_name, CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
    CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
      WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
    (SELECT pg_catalog.string_agg(CASE r WHEN 0 THEN 'PUBLIC'
      ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r)) END, ', ')
      FROM pg_catalog.unnest(p.polroles) r),
    ' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')',
    ' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')'), NULL
  FROM t JOIN pg_catalog.pg_policy p ON p.polrelid = t.oid
UNION ALL
  SELECT 5, t.ord, 4, 'sql', pg_catalog.format('ALTER TABLE %s %s ROW LEVEL SECURITY', t.full_name,
    w.word), NULL
  FROM t, LATERAL (VALUES (t.relrowsecurity, 'ENABLE'), (t.relforcerowsecurity, 'FORCE'))
    w(on_, word)
  WHERE w.on_
UNION ALL
  SELECT 5, t.ord, 5, 'sql', pg_catalog.format('COMMENT ON %s IS %L', CASE WHEN d.objsubid = 0
      THEN 'TABLE ' || t.full_name
      ELSE pg_catalog.format('COLUMN %s.%I', t.full_name, a.attname) END, d.description), NULL
  FROM t JOIN pg_catalog.pg_description d ON d.objoid = t.oid
      AND d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.objsubid
UNION ALL
  SELECT 5, t.ord, 6, 'sql', pg_catalog.format('GRANT %s%s ON %s TO %s%s', g.privilege_type,
    ' (' || pg_catalog.quote_ident(g.attname) || ')', t.full_name, CASE g.grantee WHEN 0
      THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END,
    CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' END), NULL
  FROM t, LATERAL (
    SELECT NULL AS attname, x.* FROM pg_catalog.aclexplode(t.relacl) x
    UNION ALL SELECT a.attname, x.*
      FROM pg_catalog.pg_attribute a, pg_catalog.aclexplode(a.attacl) x
      WHERE a.attrelid = t.oid) g
  WHERE g.grantee <> t.relowner
UNION ALL
  SELECT 5, t.ord, 7, 'sql', pg_catalog.format('ALTER TABLE %s OWNER TO %I', t.full_name,
    pg_catalog.pg_get_userbyid(t.relowner)), NULL
  FROM t WHERE pg_catalog.pg_get_userbyid(t.relowner) <> current_user
UNION ALL
  SELECT 5, 0, 8, 'sql', pg_catalog.format('ALTER SEQUENCE %s OWNER TO %I', s.full_name,
    pg_catalog.pg_get_userbyid(c.relowner)), NULL
  FROM sequences s JOIN pg_catalog.pg_class c ON c.oid = s.oid
  WHERE pg_catalog.pg_get_userbyid(c.relowner) <> current_user AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d WHERE d.objid = s.oid AND d.deptype = 'a'
      AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass)
)
SELECT phase, kind, sql, type FROM pieces ORDER BY phase, ord, sub, sql
)";

constexpr std::string_view kSchemaObjects = R"(
SELECT * FROM (
  SELECT 1 AS ord, n.oid, pg_catalog.format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I',
    n.nspname, pg_catalog.pg_get_userbyid(n.nspowner)) AS sql
  FROM pg_catalog.pg_namespace n WHERE n.oid >= 16384 AND n.nspname !~ '^pg_'
    AND n.nspname <> 'shoal' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.objid = n.oid
        AND d.deptype = 'e')
UNION ALL
  SELECT 2, e.oid, pg_catalog.format('CREATE EXTENSION IF NOT EXISTS %I SCHEMA %I', e.extname,
    n.nspname)
  FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
  WHERE e.oid >= 16384
UNION ALL
  SELECT 3, x.oid, x.sql FROM pg_catalog.pg_namespace n, LATERAL (
    SELECT n.oid, pg_catalog.format('GRANT %s ON SCHEMA %I TO %s%s', g.privilege_type, n.nspname,
      CASE g.grantee WHEN 0 THEN 'PUBLIC'
        ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END,
      CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' END) AS sql
    FROM pg_catalog.aclexplode(n.nspacl) g) x
  WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('shoal', 'information_schema')
UNION ALL
  SELECT 4, c.oid, pg_catalog.format(
    'CREATE COLLATION IF NOT EXISTS %I.%I (PROVIDER = %s, %s, DETERMINISTIC = %s)', n.nspname,
    c.collname, CASE c.collprovider WHEN 'i' THEN 'icu' ELSE 'libc' END,
    CASE c.collprovider WHEN 'i' THEN pg_catalog.format('LOCALE = %L',
        coalesce(j->>'colllocale', j->>'colliculocale', j->>'collcollate'))
      ELSE pg_catalog.format('LC_COLLATE = %L, LC_CTYPE = %L', c.collcollate, c.collctype) END,
    c.collisdeterministic)
  FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace,
    LATERAL pg_catalog.to_jsonb(c) j
  WHERE c.oid >= 16384 AND c.collprovider IN ('i', 'c') AND n.nspname <> 'pg_catalog'
UNION ALL
  SELECT 5, t.oid, CASE t.typtype
    WHEN 'e' THEN pg_catalog.format('CREATE TYPE %s AS ENUM (%s)', t.oid::pg_catalog.regtype,
      (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', '
        ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid))
    WHEN 'd' THEN pg_catalog.format('CREATE DOMAIN %s AS %s%s%s%s%s', t.oid::pg_catalog.regtype,
      pg_catalog.format_type(t.typbasetype, t.typtypmod),
      (SELECT pg_catalog.format(' COLLATE %I.%I', cn.nspname, co.collname)
        FROM pg_catalog.pg_collation co JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
        WHERE co.oid = t.typcollation AND co.collname <> 'default'),
      ' DEFAULT ' || t.typdefault, CASE WHEN t.typnotnull THEN ' NOT NULL' END,
      (SELECT pg_catalog.string_agg(pg_catalog.format(' CONSTRAINT %I %s', k.conname,
          pg_catalog.pg_get_constraintdef(k.oid)), '') FROM pg_catalog.pg_constraint k
        WHERE k.contypid = t.oid AND k.contype = 'c'))
    WHEN 'r' THEN (SELECT pg_catalog.format('CREATE TYPE %s AS RANGE (SUBTYPE = %s)',
        t.oid::pg_catalog.regtype, r.rngsubtype::pg_catalog.regtype)
      FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid)
    ELSE pg_catalog.format('CREATE TYPE %s AS (%s)', t.oid::pg_catalog.regtype,
      (SELECT pg_catalog.string_agg(pg_catalog.format('%I %s', a.attname,
          pg_catalog.format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0
          AND NOT a.attisdropped)) END || pg_catalog.format('; ALTER TYPE %s OWNER TO %I',
      t.oid::pg_catalog.regtype, pg_catalog.pg_get_userbyid(t.typowner))
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
  WHERE t.oid >= 16384 AND t.typtype IN ('e', 'd', 'r', 'c')
    AND (t.typtype <> 'c' OR c.relkind = 'c')
    AND n.nspname NOT IN ('shoal', 'information_schema') AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e'
        AND d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass)
UNION ALL
  SELECT 6, p.oid, pg_catalog.pg_get_functiondef(p.oid) || pg_catalog.format(
      '; ALTER ROUTINE %s OWNER TO %I', p.oid::pg_catalog.regprocedure,
      pg_catalog.pg_get_userbyid(p.proowner))
    || CASE WHEN p.proacl IS NULL THEN '' ELSE pg_catalog.format(
      '; REVOKE ALL ON ROUTINE %s FROM PUBLIC', p.oid::pg_catalog.regprocedure)
      || coalesce((SELECT pg_catalog.string_agg(pg_catalog.format(
        '; GRANT EXECUTE ON ROUTINE %s TO %s',
        p.oid::pg_catalog.regprocedure, CASE g.grantee WHEN 0 THEN 'PUBLIC'
          ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END), '')
        FROM pg_catalog.aclexplode(p.proacl) g WHERE g.grantee <> p.proowner), '') END
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  WHERE p.oid >= 16384 AND p.prokind IN ('f', 'p', 'w') AND n.nspname NOT IN ('shoal')
    AND p.prosrc NOT LIKE '%shoal.refuse_call(%' AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e'
        AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass)
UNION ALL
  SELECT 7, c.oid, pg_catalog.format('CREATE VIEW %1$s AS %2$s; ALTER VIEW %1$s OWNER TO %3$I',
      c.oid::pg_catalog.regclass, pg_catalog.rtrim(pg_catalog.pg_get_viewdef(c.oid), ';'),
      pg_catalog.pg_get_userbyid(c.relowner))
    || coalesce((SELECT pg_catalog.string_agg(pg_catalog.format('; GRANT %s ON %s TO %s',
        g.privilege_type, c.oid::pg_catalog.regclass, CASE g.grantee WHEN 0 THEN 'PUBLIC'
          ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END), '')
      FROM pg_catalog.aclexplode(c.relacl) g WHERE g.grantee <> c.relowner), '')
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_rewrite w ON w.ev_class = c.oid
  WHERE c.relkind = 'v' AND c.oid >= 16384 AND n.nspname <> 'shoal' AND c.relpersistence <> 't'
    AND pg_catalog.pg_get_viewdef(c.oid) !~ 'pg_catalog|information_schema' AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend d WHERE d.objid = w.oid AND d.refobjid <> c.oid
        AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'
      AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass)
) o WHERE sql IS NOT NULL ORDER BY ord, oid
)";

constexpr std::string_view kRoles = R"(
SELECT a.rolname, pg_catalog.format('CREATE ROLE %I %s %s %s %s %s %s CONNECTION LIMIT %s%s',
  a.rolname, CASE WHEN a.rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,
  CASE WHEN a.rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
  CASE WHEN a.rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
  CASE WHEN a.rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
  CASE WHEN a.rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
  CASE WHEN a.rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END, a.rolconnlimit,
  ' PASSWORD ' || pg_catalog.quote_literal(a.rolpassword))
FROM pg_catalog.pg_authid a WHERE a.oid >= 16384
UNION ALL
SELECT '', pg_catalog.format('GRANT %I TO %I%s', r.rolname, m.rolname,
  CASE WHEN g.admin_option THEN ' WITH ADMIN OPTION' END)
FROM pg_catalog.pg_auth_members g JOIN pg_catalog.pg_roles r ON r.oid = g.roleid
  JOIN pg_catalog.pg_roles m ON m.oid = g.member WHERE g.member >= 16384
)";

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out(text);
  for (std::size_t at = out.find(from); at != std::string::npos;
       at = out.find(from, at + to.size())) {
    out.replace(at, from.size(), to);
  }
  return out;
}

// See the header: a shard's own range, or none.
std::string own_range(const std::string& sequence, const std::string& type, ShardId shard) {
  if (type == "bigint") {
    const std::int64_t first =
        (std::int64_t{1} << 62) + (static_cast<std::int64_t>(shard.value) << 41);
    const std::int64_t last = first + (std::int64_t{1} << 41) - 1;
    return fmt::format(
        "ALTER SEQUENCE {} INCREMENT 1 MINVALUE {} MAXVALUE {} START {} RESTART NO CYCLE;\n",
        sequence, first, last, first);
  }
  const int last = type == "smallint" ? 32767 : 2147483647;
  return fmt::format(
      "ALTER SEQUENCE {0} INCREMENT 1 MINVALUE 1 MAXVALUE {1} START 1 RESTART NO CYCLE;\n"
      "SELECT pg_catalog.setval({2}::pg_catalog.regclass, {1}, true);\n",
      sequence, last, quote_literal(sequence));
}

}  // namespace

std::string definition_query(std::span<const Oid> tables) {
  std::string list = "'{";
  for (const Oid t : tables) list += fmt::format("{}{}", list.size() > 2 ? "," : "", t.value);
  list += "}'";
  std::string sql = replaced(kTree, "{tables}", list);
  return sql.append(kCreate).append(kConstraints).append(kRest);
}

Result<Definition> read_definition(const backend::TextRows& rows) {
  Definition out;
  for (const auto& row : rows.rows) {
    if (row.size() != 4 || !row[0] || !row[1] || !row[2]) {
      return make_error("XX000", "a definition could not be read from pg_catalog");
    }
    Definition::Piece p;
    p.phase = static_cast<DefinitionPhase>((*row[0])[0] - '0');
    p.kind = *row[1] == "sequence" ? Definition::Piece::Kind::kSequence
             : *row[1] == "own"    ? Definition::Piece::Kind::kOwnSequence
                                   : Definition::Piece::Kind::kSql;
    p.sql = *row[2];
    p.type = row[3].value_or("");
    out.pieces.push_back(std::move(p));
  }
  return out;
}

std::string definition_sql(const Definition& definition, DefinitionPhase phase, ShardId shard) {
  std::string sql;
  for (const Definition::Piece& p : definition.pieces) {
    if (p.phase != phase) continue;
    switch (p.kind) {
      case Definition::Piece::Kind::kSql:
        sql += p.sql + ";\n";
        break;
      case Definition::Piece::Kind::kSequence:
        sql += fmt::format("CREATE SEQUENCE IF NOT EXISTS {} AS {};\n", p.sql, p.type);
        [[fallthrough]];
      case Definition::Piece::Kind::kOwnSequence:
        sql += own_range(p.sql, p.type, shard);
        break;
    }
  }
  return sql;
}

std::string schema_objects_query() {
  return std::string(kSchemaObjects);
}
std::string roles_query() {
  return std::string(kRoles);
}

}  // namespace shoal::control
