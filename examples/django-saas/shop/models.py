"""Orders of many tenants, and what is common to them."""

import uuid

import shoal
from django.db import models


class Product(models.Model):
    """The catalogue: one for all tenants. An ordinary table, which Shoal copies to each shard."""

    code = models.CharField(max_length=20, primary_key=True)
    price = models.DecimalField(max_digits=10, decimal_places=2)


class TenantModel(models.Model):
    """A row that belongs to one tenant: the one that is active when it is made.

    Ids are UUIDs, which cannot repeat, so each shard may keep the list of its own.
    """

    tenant_id = models.BigIntegerField(default=shoal.get_shard_key, editable=False)
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)

    class Meta:
        abstract = True


class Order(TenantModel):
    customer = models.CharField(max_length=100)
    placed = models.DateTimeField(auto_now_add=True)


class OrderLine(TenantModel):
    # The database cannot check a reference that does not carry the tenant; Shoal's router for
    # Django refuses to relate objects of different shards, and a tenant sees only its own.
    order = models.ForeignKey(
        Order, on_delete=models.CASCADE, related_name="lines", db_constraint=False
    )
    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField()
