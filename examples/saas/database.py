"""One engine for all shards, and sessions that are about one tenant."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.orm import Session, SessionTransaction, sessionmaker

engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:", 1))
make_session = sessionmaker(engine)


@event.listens_for(make_session, "after_begin")
def choose_tenant(session: Session, _: SessionTransaction, connection: Connection) -> None:
    """Every transaction says whom it is about, and a pooled connection forgets it at its end.

    The router keeps the word: it shows and changes no row of another tenant.
    """
    if (tenant_id := session.info.get("tenant_id")) is not None:
        connection.execute(text(f"SET LOCAL shoal.key = '{int(tenant_id)}'"))


@contextmanager
def get_session(tenant_id: int | None = None) -> Iterator[Session]:
    """A session about one tenant, or about all of them. Commits at the end, rolls back on errors."""
    with make_session(info={"tenant_id": tenant_id}) as session, session.begin():
        yield session
