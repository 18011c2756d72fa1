"""The Django router with four SQLite databases and one default."""

import asyncio

import pytest

import shoal

django = pytest.importorskip("django")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Models of an application "shop"; the router decides where their tables are made."""
    from django.conf import settings

    folder = tmp_path_factory.mktemp("databases")
    names = ["default", *shoal.shard_aliases(4)]
    if not settings.configured:
        settings.configure(
            DATABASES={
                n: {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / n} for n in names
            },
            DATABASE_ROUTERS=["shoal.django.ShardRouter"],
            SHOAL={"num_shards": 4, "shard_models": ["shop.Order", "shop.OrderLine"]},
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
            INSTALLED_APPS=[],
        )
        django.setup()
    from django.db import connections, models, router

    class Country(models.Model):
        name = models.TextField()

        class Meta:
            app_label = "shop"

    class Order(models.Model):
        tenant = models.TextField()
        amount = models.IntegerField(default=0)

        class Meta:
            app_label = "shop"

    class BigOrder(Order):
        class Meta:
            app_label = "shop"
            proxy = True

    class OrderLine(models.Model):
        order = models.ForeignKey(Order, on_delete=models.CASCADE)

        class Meta:
            app_label = "shop"

    for name in names:
        for model in (Country, Order, OrderLine):
            if router.allow_migrate_model(name, model):
                with connections[name].schema_editor() as editor:
                    editor.create_model(model)

    class Shop:
        pass

    made = Shop()
    made.Country, made.Order, made.BigOrder, made.OrderLine = Country, Order, BigOrder, OrderLine
    made.tables = {n: set(connections[n].introspection.table_names()) for n in names}
    return made


@pytest.fixture(autouse=True)
def empty(shop):
    for alias in shoal.shard_aliases(4):
        shop.OrderLine.objects.using(alias).all().delete()
        shop.Order.objects.using(alias).all().delete()


def test_sharded_tables_exist_on_shards_only(shop):
    assert "shop_order" not in shop.tables["default"]
    for alias in shoal.shard_aliases(4):
        assert {"shop_order", "shop_orderline"} <= shop.tables[alias]


def test_reads_and_writes_go_to_the_shard_of_the_active_key(shop):
    for key in ("user-0", "user-1", 7, 42):
        with shoal.with_shard_key(key):
            created = shop.Order.objects.create(tenant=str(key))
            saved = shop.Order(tenant=str(key))
            saved.save()
            expected = f"shard_{shoal.shard_for(key, 4)}"
            assert created._state.db == saved._state.db == expected
            assert shop.Order.objects.filter(tenant=str(key)).count() == 2
        assert shop.Order.objects.using(expected).filter(tenant=str(key)).count() == 2


def test_without_a_key_a_sharded_model_is_an_error_that_names_it(shop):
    for use in (
        lambda: shop.Order.objects.count(),
        lambda: shop.Order.objects.create(tenant="x"),
        lambda: shop.Order(tenant="x").save(),
        lambda: shop.BigOrder.objects.count(),
    ):
        with pytest.raises(RuntimeError, match=r"shop\.(Big)?Order"):
            use()


def test_other_models_stay_where_they_were(shop):
    assert shop.Country.objects.create(name="de")._state.db == "default"
    with shoal.with_shard_key(1):
        assert shop.Country.objects.create(name="at")._state.db == "default"


def test_derived_models_are_sharded_too(shop):
    with shoal.with_shard_key("user-0"):
        assert shop.BigOrder.objects.db == f"shard_{shoal.shard_for('user-0', 4)}"


def test_asynchronous_code_keeps_its_key(shop):
    from django.db import router

    async def request(key):
        async with shoal.with_shard_key(key):
            await asyncio.sleep(0)
            return router.db_for_read(shop.Order) == f"shard_{shoal.shard_for(key, 4)}"

    async def main():
        return await asyncio.gather(*(request(k) for k in range(50)))

    assert all(asyncio.run(main()))


def two_keys():
    first = 0
    return first, next(
        k for k in range(1, 100) if shoal.shard_for(k, 4) != shoal.shard_for(first, 4)
    )


def test_relations_between_shards_are_refused(shop):
    one, other = two_keys()
    with shoal.with_shard_key(one):
        order = shop.Order.objects.create(tenant="a")
        assert shop.OrderLine(order=order).order is order
    with shoal.with_shard_key(other):
        line = shop.OrderLine()
        line._state.db = f"shard_{shoal.shard_for(other, 4)}"
        with pytest.raises(ValueError):
            line.order = order


def test_an_object_of_another_shard_is_not_saved_as_a_second_row(shop):
    one, other = two_keys()
    with shoal.with_shard_key(one):
        order = shop.Order.objects.create(tenant="a")
    with shoal.with_shard_key(other), pytest.raises(RuntimeError, match="came from"):
        order.save()
    counts = shoal.for_each_shard(
        lambda alias: shop.Order.objects.using(alias).count(), num_shards=4
    )
    assert sum(counts.values()) == 1


def test_for_each_shard_adds_up_all_shards(shop):
    for key in range(20):
        with shoal.with_shard_key(key):
            shop.Order.objects.create(tenant=str(key), amount=key)
    counts = shoal.for_each_shard(
        lambda alias: shop.Order.objects.using(alias).count(), num_shards=4
    )
    assert sum(counts.values()) == 20 and all(counts.values())


def test_a_router_can_be_made_without_settings_and_checks_its_arguments(shop):
    from shoal.django import ShardRouter

    router = ShardRouter(num_shards=2, shard_models=[shop.Order], aliases=["a", "b"], salt=b"s")
    with shoal.with_key(5):
        assert router.db_for_write(shop.Order) == "ab"[shoal.shard_for(5, 2, salt=b"s")]
        assert router.db_for_write(shop.Country) is None
    assert router.allow_migrate("default", "shop", "order") is False
    assert router.allow_migrate("a", "shop", "order") is True
    assert router.allow_migrate("a", "shop", "country") is None
    with pytest.raises(ValueError):
        ShardRouter(num_shards=2, shard_models=[], aliases=["a"])
