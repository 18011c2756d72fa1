"""The same with Shoal: one engine, and nothing that knows of shards."""

import os
from decimal import Decimal

from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.orm import Session

from models import Customer, Order


def connect(url: str) -> Engine:
    return create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))


engine = connect(os.environ["DATABASE_URL"])


def sign_up(customer: str, name: str) -> None:
    with Session(engine) as session, session.begin():
        session.add(Customer(customer=customer, name=name))


def place_order(customer: str, amount: Decimal) -> int:
    with Session(engine) as session, session.begin():
        order = Order(customer=customer, amount=amount)
        session.add(order)
        session.flush()
        return order.id


def orders_of(customer: str) -> list[Decimal]:
    with Session(engine) as session:
        query = select(Order.amount).where(Order.customer == customer).order_by(Order.id)
        return list(session.scalars(query))


def best_customers(count: int) -> list[tuple[str, Decimal]]:
    with Session(engine) as session:
        total = func.sum(Order.amount).label("total")
        query = (
            select(Customer.name, total)
            .join(Order, Order.customer == Customer.customer)
            .group_by(Customer.customer, Customer.name)
            .order_by(total.desc(), Customer.name)
            .limit(count)
        )
        return [(name, amount) for name, amount in session.execute(query)]
