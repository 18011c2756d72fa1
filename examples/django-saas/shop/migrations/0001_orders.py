"""The tables, as makemigrations makes them."""

import uuid

import django.db.models.deletion
import shoal.scope
from django.db import migrations, models

TENANT = ("tenant_id", models.BigIntegerField(default=shoal.scope.current_key, editable=False))
ID = models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                TENANT,
                ("id", ID),
                ("customer", models.CharField(max_length=100)),
                ("placed", models.DateTimeField(auto_now_add=True)),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="Product",
            fields=[
                ("code", models.CharField(max_length=20, primary_key=True, serialize=False)),
                ("price", models.DecimalField(decimal_places=2, max_digits=10)),
            ],
        ),
        migrations.CreateModel(
            name="OrderLine",
            fields=[
                TENANT,
                ("id", ID),
                ("quantity", models.PositiveIntegerField()),
                (
                    "order",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="lines",
                        to="shop.order",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, to="shop.product"
                    ),
                ),
            ],
            options={"abstract": False},
        ),
    ]
