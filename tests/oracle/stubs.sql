-- Shoal's functions on a plain PostgreSQL, so that one script runs on both: placement means nothing
-- there, except that the shard key becomes NOT NULL. They live in pg_catalog because Shoal's are found
-- without a search_path too.
CREATE SCHEMA shoal;
GRANT USAGE ON SCHEMA shoal TO PUBLIC;

CREATE FUNCTION shoal.shard_table(tab regclass, columns text[], keyspace text DEFAULT NULL,
                                  local_constraints text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  key text;
BEGIN
  FOREACH key IN ARRAY columns LOOP
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', tab, key);
  END LOOP;
END $$;

CREATE FUNCTION shoal.shard_table(tab regclass, key text, keyspace text DEFAULT NULL,
                                  local_constraints text[] DEFAULT '{}') RETURNS void
LANGUAGE sql AS $$ SELECT shoal.shard_table(tab, ARRAY[key], keyspace, local_constraints) $$;

CREATE FUNCTION shoal.reference_table(tab regclass) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION shoal.single_table(tab regclass) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION shoal.create_keyspace(name text, function text, params jsonb DEFAULT '{}',
                                      key_types text[] DEFAULT NULL) RETURNS void
LANGUAGE sql AS '';
CREATE FUNCTION shoal.declare_function(function text, kind text) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION shoal.pin(keyspace text, key text, shard text) RETURNS void LANGUAGE sql AS '';

CREATE FUNCTION pg_catalog.create_distributed_table(
  tab regclass, key text, distribution_type text DEFAULT 'hash', colocate_with text DEFAULT 'default',
  shard_count int DEFAULT NULL) RETURNS void
LANGUAGE sql AS $$ SELECT shoal.shard_table(tab, ARRAY[key]) $$;
CREATE FUNCTION pg_catalog.create_reference_table(tab regclass) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION pg_catalog.create_distributed_function(
  function text, arg text DEFAULT NULL, colocate_with text DEFAULT NULL) RETURNS void LANGUAGE sql AS '';
