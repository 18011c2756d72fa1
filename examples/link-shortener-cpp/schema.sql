-- Run on every node. The unique constraint decides between two URLs that want one id at once.
CREATE TABLE IF NOT EXISTS url_table (
  id      bigint GENERATED ALWAYS AS IDENTITY,  -- of this node only: the name of a row is url_id
  url     text NOT NULL,
  url_id  varchar(5) NOT NULL UNIQUE,
  PRIMARY KEY (url_id, id)
);
