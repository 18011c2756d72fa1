"""Django on real servers: ShardRouter over four databases, and the back end behind a router."""

import asyncio

import pytest
from conftest import TENANTS

import shoal

django = pytest.importorskip("django")


def key_of_request(request):
    return request.GET.get("tenant")


@pytest.fixture(scope="module")
def shop(cluster):
    """Models of an application "shop"; the router decides where their tables are made."""
    import psycopg
    from django.conf import settings
    from support.postgres import Server

    names = ["default", *shoal.shard_aliases(4)]
    with Server("django") as server:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            for name in names:
                connection.execute(f'CREATE DATABASE "{name}"')
        options = {"ENGINE": "django.db.backends.postgresql", "USER": "postgres"}
        databases = {
            n: {**options, "HOST": "127.0.0.1", "PORT": server.port, "NAME": n} for n in names
        }
        databases["routed"] = {
            "ENGINE": "shoal.django.backend",
            "HOST": "127.0.0.1",
            "PORT": cluster.port,
            "NAME": "app",
            "USER": "app",
        }
        settings.configure(
            DATABASES=databases,
            DATABASE_ROUTERS=["shoal.django.ShardRouter"],
            SHOAL={
                "num_shards": 4,
                "shard_models": ["shop.Order", "shop.OrderLine"],
                "key_of_request": "test_django.key_of_request",
            },
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
            INSTALLED_APPS=[],
        )
        django.setup()
        from django.db import connections

        yield make_shop(names)
        connections.close_all()


def make_shop(names):
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

    class Note(models.Model):
        """The cluster's table, which Django did not make."""

        tenant_id = models.IntegerField()
        id = models.BigAutoField(primary_key=True)
        words = models.TextField()

        class Meta:
            app_label = "shop"
            db_table = "notes"
            managed = False

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
    made.Note = Note
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


# ---- behind a router


def test_the_back_end_keeps_statements_to_the_active_key(shop, notes):
    for tenant, rows in TENANTS.items():
        with shoal.with_key(tenant):
            assert shop.Note.objects.using("routed").count() == rows
        assert shop.Note.objects.using("routed").count() == sum(TENANTS.values())


def test_it_does_so_after_rollbacks(shop, notes):
    from django.db import connections, transaction

    objects = shop.Note.objects.using("routed")
    with shoal.with_key(1):
        with pytest.raises(KeyError), transaction.atomic("routed"):
            assert objects.count() == TENANTS[1]
            objects.create(tenant_id=1, words="lost")
            raise KeyError
        assert objects.count() == TENANTS[1]
    with transaction.atomic("routed"):
        assert objects.count() == sum(TENANTS.values())
        with shoal.with_key(2), pytest.raises(KeyError), transaction.atomic("routed"):
            assert objects.count() == TENANTS[2]
            raise KeyError
        with shoal.with_key(2):
            assert objects.count() == TENANTS[2]
            before = transaction.savepoint(using="routed")
        with shoal.with_key(3):
            assert objects.count() == TENANTS[3]
            transaction.savepoint_rollback(before, using="routed")
            assert objects.count() == TENANTS[3]
    connections["routed"].close()
    with shoal.with_key(3):
        assert objects.count() == TENANTS[3]


def test_it_changes_no_row_of_another_key(shop, notes):
    with shoal.with_key(2):
        assert shop.Note.objects.using("routed").update(words="mine") == TENANTS[2]
    assert shop.Note.objects.using("routed").filter(words="mine").count() == TENANTS[2]


def test_with_one_database_the_router_asks_for_a_key_only(shop):
    from shoal.django import ShardRouter

    router = ShardRouter(shard_models=["shop.Note"])
    with pytest.raises(RuntimeError, match=r"shop\.Note"):
        router.db_for_read(shop.Note)
    with shoal.with_key(1):
        assert router.db_for_read(shop.Note) is None and router.db_for_write(shop.Note) is None
        with shoal.all_keys():
            assert router.db_for_read(shop.Note) is None
    assert router.db_for_read(shop.Country) is None
    assert router.allow_migrate("default", "shop", "note") is None
    sharded = ShardRouter(num_shards=2, shard_models=["shop.Note"])
    with shoal.all_keys(), pytest.raises(RuntimeError, match="all shards|active"):
        sharded.db_for_read(shop.Note)


def test_the_middleware_gives_each_request_its_key(shop):
    from django.test import AsyncRequestFactory, RequestFactory
    from shoal.django import KeyMiddleware

    def view(request):
        return shoal.current_key()

    async def async_view(request):
        await asyncio.sleep(0)
        return shoal.current_key()

    answer = KeyMiddleware(view)
    assert answer(RequestFactory().get("/?tenant=7")) == "7"
    assert answer(RequestFactory().get("/")) is None
    answer_async = KeyMiddleware(async_view)

    async def main():
        factory = AsyncRequestFactory()
        requests = [factory.get(f"/?tenant={tenant}") for tenant in range(20)]
        return await asyncio.gather(*(answer_async(request) for request in requests))

    assert asyncio.run(main()) == [str(tenant) for tenant in range(20)]
    assert shoal.current_key() is None
