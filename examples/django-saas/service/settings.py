"""Settings: one database, which is Shoal's router."""

import os
from urllib.parse import urlsplit

_url = urlsplit(os.environ["DATABASE_URL"])

DATABASES = {
    "default": {
        "ENGINE": "shoal.django.backend",  # PostgreSQL's, kept to the active key
        "HOST": _url.hostname,
        "PORT": _url.port,
        "USER": _url.username,
        "PASSWORD": _url.password or "",
        "NAME": _url.path.lstrip("/"),
        "CONN_MAX_AGE": 60,
    }
}
DATABASE_ROUTERS = ["shoal.django.ShardRouter"]
SHOAL = {
    "shard_models": ["shop.Order", "shop.OrderLine"],
    "key_of_request": "shop.tenants.key_of_request",
}
MIDDLEWARE = ["shoal.django.KeyMiddleware"]

INSTALLED_APPS = ["shop"]  # and what else the service needs: it is migrated as before
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "service.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
ALLOWED_HOSTS = ["*"]
SECRET_KEY = os.environ.get("SECRET_KEY", "only for development")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"django": {"handlers": ["console"], "level": "INFO"}},
}
