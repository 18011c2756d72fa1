"""A small JSON API. No view names a tenant or a shard."""

import json
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import shoal
from django.db import transaction
from django.db.models import Count, F, Sum
from django.http import Http404, HttpRequest, JsonResponse

from .models import Order, OrderLine


def as_json(order: Order) -> dict[str, Any]:
    lines = order.lines.order_by("product_id").values_list("product_id", "quantity")
    return {"id": order.id, "customer": order.customer, "lines": dict(lines)}


def orders(request: HttpRequest) -> JsonResponse:
    """GET: the tenant's orders. POST {"customer": ..., "lines": {product: quantity}}: a new one."""
    if request.method == "POST":
        given = json.loads(request.body)
        with transaction.atomic():
            order = Order.objects.create(customer=given["customer"])
            OrderLine.objects.bulk_create(
                OrderLine(order=order, product_id=product, quantity=quantity)
                for product, quantity in given["lines"].items()
            )
        return JsonResponse(as_json(order), status=201)
    return JsonResponse({"orders": [as_json(order) for order in Order.objects.order_by("placed")]})


def change(request: HttpRequest, order: Order) -> JsonResponse:
    order.customer = json.loads(request.body)["customer"]
    order.save()
    return JsonResponse(as_json(order))


def delete(request: HttpRequest, order: Order) -> JsonResponse:
    order.delete()
    return JsonResponse({})


def one_order(request: HttpRequest, order_id: uuid.UUID) -> JsonResponse:
    """GET, PATCH {"customer": ...} or DELETE. Another tenant's order is not there: 404."""
    acts: dict[str, Callable[[HttpRequest, Order], JsonResponse]] = {
        "GET": lambda request, order: JsonResponse(as_json(order)),
        "PATCH": change,
        "DELETE": delete,
    }
    order = Order.objects.filter(id=order_id).first()
    if order is None or request.method not in acts:
        raise Http404(f"there is no order {order_id}")
    return acts[request.method](request, order)


def report(request: HttpRequest) -> JsonResponse:
    """What the tenants have sold: one statement over all shards, which says that it means all."""
    with shoal.all_keys():
        rows = (
            OrderLine.objects.values("tenant_id")
            .annotate(orders=Count("order_id", distinct=True))
            .annotate(revenue=Sum(F("quantity") * F("product__price"), default=Decimal(0)))
            .order_by("tenant_id")
        )
        return JsonResponse({"tenants": list(rows)})
