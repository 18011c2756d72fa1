"""The setting SHOAL, checked."""

from __future__ import annotations

from typing import Any

_KNOWN = {"num_shards", "shard_models", "aliases", "salt", "database", "key_of_request"}


def shoal_settings() -> dict[str, Any]:
    from django.conf import settings

    found = dict(getattr(settings, "SHOAL", {}))
    unknown = set(found) - _KNOWN
    if unknown:
        raise ValueError(f"unknown keys in SHOAL: {', '.join(sorted(unknown))}")
    return found
