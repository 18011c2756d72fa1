-- The whole of the sharding. Run once:  psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -f schema.sql
BEGIN;

-- A hash ring over the names of the shards: the one that Python's uhashring makes of
-- ["5432", "5433", "5434"], so ids lie where a ring in the application would have put them.
SELECT shoal.create_keyspace('links', 'ring', '{"nodes": ["5432", "5433", "5434"]}', '{varchar}');

-- An id belongs to one URL: the unique constraint decides between two that arrive at once. It can
-- hold over shards because it is about the shard key.
CREATE TABLE url_table (
  id      bigint GENERATED ALWAYS AS IDENTITY,  -- one sequence for the cluster: ids never repeat
  url     text NOT NULL,
  url_id  varchar(5) NOT NULL UNIQUE,
  PRIMARY KEY (url_id, id)
);
SELECT shoal.shard_table('url_table', 'url_id', 'links');

COMMIT;
