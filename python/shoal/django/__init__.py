"""Django: models that live on the shard of the active key, with a router or without.

Without one, a database for each shard:

    DATABASES = {"default": ..., "shard_0": ..., "shard_1": ...}
    DATABASE_ROUTERS = ["shoal.django.ShardRouter"]
    SHOAL = {"num_shards": 2, "shard_models": ["shop.Order", "shop.OrderLine"]}

Behind Shoal's router there is one database, whose back end keeps the session to the active key:

    DATABASES = {"default": {"ENGINE": "shoal.django.backend", ...}}
    DATABASE_ROUTERS = ["shoal.django.ShardRouter"]
    SHOAL = {"shard_models": ["shop.Order", "shop.OrderLine"]}

The key comes from `with shoal.with_shard_key(key):` around code, or for each request from

    MIDDLEWARE = [..., "shoal.django.KeyMiddleware"]
    SHOAL = {..., "key_of_request": "shop.tenants.key_of_request"}

Without an active key a sharded model raises RuntimeError; nothing goes to "default" in silence.
"""

from .middleware import KeyMiddleware
from .router import ShardRouter

__all__ = ["KeyMiddleware", "ShardRouter"]
