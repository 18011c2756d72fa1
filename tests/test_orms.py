"""ORMs and migration tools keep their habits: SQLAlchemy 2 and Django."""

import os
import subprocess
import sys
import textwrap

import pytest
from sqlalchemy import (
    BigInteger,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    create_engine,
    func,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "sa_users"
    tenant_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    username: Mapped[str] = mapped_column(String(50))
    email: Mapped[str | None] = mapped_column(String(100))
    orders: Mapped[list["Order"]] = relationship(back_populates="user")


class Order(Base):
    __tablename__ = "sa_orders"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "user_id"], ["sa_users.tenant_id", "sa_users.id"]),
    )
    tenant_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    user_id: Mapped[int] = mapped_column(BigInteger)
    amount: Mapped[int]
    user: Mapped[User] = relationship(back_populates="orders")


@pytest.fixture(params=[False, True], ids=["plain", "pre_ping"])
def engine(target, request):
    url = target.url.replace("postgresql://", "postgresql+psycopg://")
    made = create_engine(url, pool_size=3, pool_pre_ping=request.param)
    Base.metadata.create_all(made)
    with made.begin() as connection:
        connection.execute(text("SELECT create_distributed_table('sa_users', 'tenant_id')"))
        connection.execute(text("SELECT create_distributed_table('sa_orders', 'tenant_id')"))
    yield made
    Base.metadata.drop_all(made)
    made.dispose()


def test_a_session_inserts_many_objects_and_finds_their_ids(engine):
    with Session(engine) as session:
        users = [User(tenant_id=i % 7, username=f"user{i}") for i in range(40)]
        session.add_all(users)
        session.commit()
        assert len({u.id for u in users}) == 40
        for user in users:
            found = session.scalar(
                select(User.username).where(User.tenant_id == user.tenant_id, User.id == user.id)
            )
            assert found == user.username


def test_relationships_and_eager_loading(engine):
    with Session(engine) as session:
        for tenant in (1, 2, 3):
            user = User(tenant_id=tenant, username=f"u{tenant}")
            session.add(user)
            session.flush()
            session.add_all(
                [Order(tenant_id=tenant, user_id=user.id, amount=n) for n in range(tenant)]
            )
        session.commit()
    with Session(engine) as session:
        users = session.scalars(select(User).order_by(User.tenant_id)).all()
        assert [len(u.orders) for u in users] == [1, 2, 3]
        joined = session.execute(
            select(User.username, func.sum(Order.amount))
            .join(User.orders)
            .group_by(User.username)
            .order_by(User.username)
        ).all()
        assert [tuple(r) for r in joined] == [("u1", 0), ("u2", 1), ("u3", 3)]
        assert session.scalar(select(func.count()).select_from(Order)) == 6


def test_a_session_over_tenants_is_all_or_nothing(engine):
    with Session(engine) as session:
        session.add_all([User(tenant_id=t, id=1000, username="a") for t in range(6)])
        session.commit()
    with Session(engine) as session:
        session.execute(update(User).values(email="x"))
        session.add(User(tenant_id=1, id=1000, username="duplicate"))
        with pytest.raises(IntegrityError):
            session.commit()
        session.rollback()
        assert session.scalar(select(func.count(User.email))) == 0


def test_upsert_and_bulk_update(engine):
    with Session(engine) as session:
        for email in ("first", "second"):
            statement = insert(User).values(
                [dict(tenant_id=t, id=5, username="u", email=email) for t in range(5)]
            )
            session.execute(
                statement.on_conflict_do_update(
                    index_elements=["tenant_id", "id"], set_={"email": statement.excluded.email}
                )
            )
        session.commit()
        assert session.scalars(select(User.email).distinct()).all() == ["second"]
        changed = session.execute(
            update(User).where(User.tenant_id.in_([1, 2])).values(username="v")
        )
        assert changed.rowcount == 2


def test_the_schema_is_reflected(engine):
    metadata = MetaData()
    metadata.reflect(engine, only=["sa_users", "sa_orders"])
    assert {c.name for c in metadata.tables["sa_users"].primary_key} == {"tenant_id", "id"}
    inspector = inspect(engine)
    assert inspector.get_foreign_keys("sa_orders")[0]["referred_table"] == "sa_users"
    assert "sa_users" in inspector.get_table_names()


DJANGO = """
import os, sys
import django
from django.conf import settings
host, port = sys.argv[1], sys.argv[2]
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "HOST": host, "PORT": port,
                           "NAME": "app", "USER": "app", "PASSWORD": ""}},
    INSTALLED_APPS=[f"django.contrib.{n}" for n in ("contenttypes", "auth", "sessions")],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True, SECRET_KEY="test")
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("migrate", verbosity=0)
from django.contrib.auth.models import Group, Permission, User
from django.db import connection, transaction
from django.db.models import Count
user = User.objects.create_user("ann", "ann@example.org", "secret")
Group.objects.bulk_create([Group(name=f"g{i}") for i in range(5)])
user.groups.add(*Group.objects.filter(name__in=["g1", "g3"]))
names = User.objects.filter(groups__name__startswith="g").values_list("groups__name", flat=True)
assert sorted(names) == ["g1", "g3"]
try:
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(first_name="changed")
        raise KeyError
except KeyError:
    pass
assert User.objects.get(pk=user.pk).first_name == ""
assert Permission.objects.values("content_type").annotate(n=Count("id")).order_by("-n")[0]["n"] >= 4
with transaction.atomic():
    assert User.objects.select_for_update().get(username="ann").check_password("secret")
assert list(User.objects.iterator()) == [user]
call_command("migrate", "auth", "zero", verbosity=0)
call_command("migrate", "sessions", "zero", verbosity=0)
call_command("migrate", "contenttypes", "zero", verbosity=0)
with connection.cursor() as cursor:
    cursor.execute("DROP TABLE django_migrations")
print("done")
"""


def test_django_migrates_twice_works_and_migrates_back(target, tmp_path):
    script = tmp_path / "app.py"
    script.write_text(textwrap.dedent(DJANGO))
    host, port = target.url.split("@")[1].split("/")[0].split(":")
    done = subprocess.run(
        [sys.executable, script, host, port],
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0 and done.stdout.endswith("done\n"), (
        done.stdout[-2000:] + done.stderr[-3000:]
    )
