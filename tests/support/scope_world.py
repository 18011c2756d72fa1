"""What the scope tests attack: tables of several tenants, of whom one is the session's, and ways to
see afterwards whether anything of the others was changed or locked."""

from __future__ import annotations

import psycopg

MINE = 7
TENANTS = range(1, 13)
MARK = "OTHER"  # stands in every text of the other tenants, and in nothing else

SCHEMA = """
CREATE TABLE accounts (tenant_id int NOT NULL, id int, name text, secret text, amount int,
    PRIMARY KEY (tenant_id, id));
CREATE TABLE lines (tenant_id int NOT NULL, id int, account int, note text,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, account) REFERENCES accounts ON DELETE CASCADE);
CREATE TABLE mails (tenant text NOT NULL, id int, body text, PRIMARY KEY (tenant, id));
CREATE TABLE serials (tenant_id int NOT NULL, id bigserial, body text, PRIMARY KEY (tenant_id, id));
CREATE TABLE country (code text PRIMARY KEY, label text, rank int);
CREATE TABLE visits (tenant_id int NOT NULL, id int,
    code text REFERENCES country ON DELETE CASCADE ON UPDATE CASCADE, PRIMARY KEY (tenant_id, id));
CREATE TABLE memo (id int PRIMARY KEY, body text);
CREATE TABLE events (tenant_id int NOT NULL, id int, at int NOT NULL, body text,
    PRIMARY KEY (tenant_id, id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_low PARTITION OF events FOR VALUES FROM (0) TO (100);
CREATE TABLE events_high PARTITION OF events FOR VALUES FROM (100) TO (200);
SELECT create_distributed_table('accounts', 'tenant_id');
SELECT create_distributed_table('lines', 'tenant_id');
SELECT create_distributed_table('mails', 'tenant');
SELECT create_distributed_table('serials', 'tenant_id');
SELECT create_distributed_table('events', 'tenant_id');
SELECT create_reference_table('country');
SELECT create_distributed_table('visits', 'tenant_id');
CREATE VIEW all_accounts AS SELECT * FROM accounts;
CREATE VIEW sums AS SELECT name, sum(amount) AS total FROM accounts GROUP BY name;
CREATE VIEW over_view AS SELECT v.*, l.note FROM all_accounts v
    LEFT JOIN lines l ON l.account = v.id AND l.tenant_id = v.tenant_id;
CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM accounts';
CREATE FUNCTION liar() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT count(*) FROM accounts';
CREATE FUNCTION tells(t text) RETURNS boolean LANGUAGE plpgsql COST 0.5
    AS $$ BEGIN RAISE NOTICE 'told %', t; RETURN true; END $$;
CREATE PROCEDURE wipe() LANGUAGE sql AS 'DELETE FROM accounts';
CREATE DOMAIN sevenish AS int CHECK (VALUE > 0);
CREATE SCHEMA evil;
CREATE FUNCTION evil.always(int, int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE OPERATOR evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.always);
CREATE ROLE tenant_role LOGIN;
GRANT SELECT, INSERT, UPDATE, DELETE ON accounts, lines, mails, serials, events, country, visits
    TO tenant_role;
GRANT SELECT, INSERT, UPDATE, DELETE ON memo TO tenant_role;
INSERT INTO country VALUES ('de', 'Germany', 1), ('fr', 'France', 2);
INSERT INTO memo VALUES (1, 'shared');
"""

# Tables by the column of their key; what is compared before and after each attack.
KEYED = {
    "accounts": "tenant_id",
    "lines": "tenant_id",
    "mails": "tenant",
    "serials": "tenant_id",
    "visits": "tenant_id",
    "events": "tenant_id",
}


def split(script: str) -> list[str]:
    return [s.strip() for s in script.split(";\n") if s.strip()]


def fill(db: psycopg.Connection, tenant: int) -> None:
    """The rows of one tenant, in two of each."""
    word = "mine" if tenant == MINE else MARK
    for number in (1, 2):
        amount = (10 if tenant == MINE else 1000 * tenant) * number
        name = "ab"[number - 1]
        values = (tenant, number, name, f"{word}-{tenant}-{number}", amount)
        db.execute("INSERT INTO accounts VALUES (%s, %s, %s, %s, %s)", values)
        note = f"{word} note"
        db.execute("INSERT INTO lines VALUES (%s, %s, %s, %s)", (tenant, number, number, note))
        db.execute("INSERT INTO mails VALUES (%s, %s, %s)", (str(tenant), number, f"{word} mail"))
        db.execute("INSERT INTO serials VALUES (%s, %s, %s)", (tenant, 1000 + number, f"{word} serial"))
        code = ("de", "fr")[number - 1]
        db.execute("INSERT INTO visits VALUES (%s, %s, %s)", (tenant, number, code))
        event = (tenant, number, 100 * number - 50, f"{word} event")
        db.execute("INSERT INTO events VALUES (%s, %s, %s, %s)", event)


def make(db: psycopg.Connection) -> None:
    body = False
    statement = ""
    for line in SCHEMA.strip().splitlines():
        statement += line + "\n"
        body ^= line.count("$$") % 2 == 1
        if line.endswith(";") and not body:
            db.execute(statement)
            statement = ""
    db.execute("SELECT shoal.declare_function('tells(text)', 'local')")
    for tenant in TENANTS:
        fill(db, tenant)


def refill(db: psycopg.Connection) -> None:
    """Puts the session's own rows back."""
    for table, key in reversed(KEYED.items()):
        if table != "accounts":
            db.execute(f"DELETE FROM {table} WHERE {key} = '{MINE}'")
    db.execute(f"DELETE FROM accounts WHERE tenant_id = {MINE}")
    fill(db, MINE)


def others(shards: list[psycopg.Connection]) -> list:
    """A picture of all that is not the session's own, on every shard."""
    picture = []
    parts = [
        f"(SELECT md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), ''))"
        f" FROM {table} t WHERE {key} <> '{MINE}')"
        for table, key in KEYED.items()
    ]
    parts.append("(SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM country t)")
    for shard in shards:
        picture.append(shard.execute("SELECT " + ", ".join(parts)).fetchone())
    return picture


def locked(shards: list[psycopg.Connection]) -> bool:
    """Whether a row of another tenant, or a whole table, is locked by somebody."""
    for shard in shards:
        for table, key in KEYED.items():
            try:
                with shard.transaction():
                    shard.execute("SET LOCAL lock_timeout = '50ms'")
                    shard.execute(
                        f"SELECT FROM {table} WHERE {key} <> '{MINE}' FOR UPDATE NOWAIT"
                    )
            except psycopg.errors.LockNotAvailable:
                return True
    return False
