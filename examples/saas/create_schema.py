"""Creates the tables and spreads them over the shards.

    python create_schema.py             tenants are spread by PostgreSQL's own hash
    python create_schema.py --modulo 2  tenant_id % 2, as the rows of an existing scheme lie
"""

import argparse

from sqlalchemy import text

from database import engine
from models import Base


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--modulo", type=int, metavar="N", help="place tenants by tenant_id %% N")
    modulo = parser.parse_args().modulo

    with engine.begin() as connection:
        Base.metadata.create_all(connection)
        connection.execute(text("SELECT create_reference_table('plans')"))
        if modulo is None:
            connection.execute(text("SELECT create_distributed_table('users', 'tenant_id')"))
            connection.execute(text("SELECT create_distributed_table('invoices', 'tenant_id')"))
            return
        # Remainder 0 goes to the first shard by name, 1 to the next. Each remainder is many slots,
        # so that single ones can be moved when a shard is added: not one row moves today.
        connection.execute(
            text("SELECT shoal.create_keyspace('tenants', 'mod_floor', :params, '{int4}')"),
            {"params": f'{{"n": {modulo}, "slots": {modulo * 512}}}'},
        )
        connection.execute(text("SELECT shoal.shard_table('users', 'tenant_id', 'tenants')"))
        connection.execute(text("SELECT shoal.shard_table('invoices', 'tenant_id', 'tenants')"))


if __name__ == "__main__":
    main()
