"""The key of a request, active while it is answered."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from ..scope import with_shard_key
from .settings import shoal_settings


class KeyMiddleware:
    """Calls SHOAL["key_of_request"] with the request; None is a request without a key.

    It is read before the view runs, outside of its transaction (ATOMIC_REQUESTS). Put it behind
    the middleware that it needs, AuthenticationMiddleware for example.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.get_response = get_response
        path = shoal_settings().get("key_of_request")
        if path is None:
            raise ImproperlyConfigured('KeyMiddleware needs SHOAL["key_of_request"]')
        self.key_of_request = import_string(path) if isinstance(path, str) else path
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def scope(self, request: Any) -> AbstractContextManager[Any]:
        key = self.key_of_request(request)
        return nullcontext() if key is None else with_shard_key(key)

    def __call__(self, request: Any) -> Any:
        if iscoroutinefunction(self):
            return self.acall(request)
        with self.scope(request):
            return self.get_response(request)

    async def acall(self, request: Any) -> Any:
        with self.scope(request):
            return await self.get_response(request)
