"""Whom a request is about."""

from django.core.exceptions import BadRequest
from django.http import HttpRequest


def key_of_request(request: HttpRequest) -> int | None:
    """The tenant of the header X-Tenant. A real service would take it from the login."""
    tenant = request.headers.get("X-Tenant")
    if tenant is None:
        return None
    try:
        return int(tenant)
    except ValueError:
        raise BadRequest("X-Tenant must be a number") from None
