"""Spreads the tables over the shards, once. Later migrations need nothing: what they alter is
altered on every shard, or nowhere."""

from django.db import migrations


def on_shards(call: str, table: str) -> migrations.RunSQL:
    return migrations.RunSQL(f"SELECT {call}", f"SELECT shoal.single_table('{table}')")


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_orders")]

    operations = [
        on_shards("shoal.reference_table('shop_product')", "shop_product"),
        # The primary keys are UUIDs and hold for each shard: the unique constraints without the
        # tenant have to be named.
        on_shards(
            "shoal.shard_table('shop_order', 'tenant_id', "
            "local_constraints => '{shop_order_pkey}')",
            "shop_order",
        ),
        on_shards(
            "shoal.shard_table('shop_orderline', 'tenant_id', "
            "local_constraints => '{shop_orderline_pkey}')",
            "shop_orderline",
        ),
    ]
