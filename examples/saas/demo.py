"""What an application sees: one database. Run create_schema.py first."""

from decimal import Decimal

from sqlalchemy import func, select

from database import get_session
from models import Invoice, Plan, User


def sign_up(tenant_id: int, username: str, plan: str, amounts: list[str]) -> int:
    """A user and the first invoices, in one transaction on the tenant's shard."""
    with get_session(tenant_id) as session:
        user = User(
            tenant_id=tenant_id,
            username=username,
            email=f"{username}@example.org",
            plan_code=plan,
        )
        user.invoices = [Invoice(tenant_id=tenant_id, amount=Decimal(a)) for a in amounts]
        session.add(user)
        session.flush()
        return user.id


def find(username: str, tenant_id: int | None = None) -> list[int]:
    """The tenants that have a user of this name: of one tenant, or, without, of all shards."""
    with get_session(tenant_id) as session:
        query = select(User.tenant_id).where(User.username == username).order_by(User.tenant_id)
        return list(session.scalars(query))


def revenue_by_plan() -> dict[str, Decimal]:
    """One statement over all tenants, which joins on every shard and adds up."""
    with get_session() as session:
        query = (
            select(Plan.code, func.sum(Invoice.amount))
            .join(User, User.plan_code == Plan.code)
            .join(User.invoices)
            .group_by(Plan.code)
            .order_by(Plan.code)
        )
        return {code: total for code, total in session.execute(query)}


def transfer(amount: Decimal, source: int, target: int) -> None:
    """From one tenant's books to another's, on two shards: both rows are written, or none."""
    with get_session() as session:
        for tenant_id, change in ((source, -amount), (target, amount)):
            query = select(User.id).where(User.tenant_id == tenant_id).order_by(User.id).limit(1)
            user_id = session.scalars(query).one()
            session.add(Invoice(tenant_id=tenant_id, user_id=user_id, amount=change))


def main() -> None:
    with get_session() as session:
        session.add_all([Plan(code="basic", price=Decimal(5)), Plan(code="pro", price=Decimal(25))])
    sign_up(123, "ada", "pro", ["25.00", "25.00"])
    sign_up(456, "ada", "basic", ["5.00"])
    sign_up(456, "grace", "pro", ["25.00"])
    print("tenants with an ada:", find("ada"))
    print("grace under tenant 123:", find("grace", tenant_id=123))
    print("grace under tenant 456:", find("grace", tenant_id=456))
    transfer(Decimal("7.50"), source=123, target=456)
    for code, total in revenue_by_plan().items():
        print(f"revenue of {code}: {total}")


if __name__ == "__main__":
    main()
