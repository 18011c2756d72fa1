"""The database router: which alias a model's rows are on, by the active key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Optional, Union

from ..fanout import shard_aliases
from ..keys import DEFAULT_SALT, shard_for
from ..scope import NoActiveKey, current_key, means_all_keys
from .settings import shoal_settings

ModelName = Union[str, type]


class ShardRouter:
    """Sends sharded models, and models derived from them, to shard_for(active key).

    Without num_shards all is in one database, behind Shoal's router: then it only asks for the key.
    """

    def __init__(
        self,
        *,
        num_shards: Optional[int] = None,
        shard_models: Optional[Iterable[ModelName]] = None,
        aliases: Optional[Sequence[str]] = None,
        salt: Optional[bytes] = None,
    ) -> None:
        settings: dict[str, Any] = {} if shard_models is not None else shoal_settings()
        count = num_shards if num_shards is not None else settings.get("num_shards")
        models = shard_models if shard_models is not None else settings.get("shard_models")
        if models is None:
            raise ValueError("ShardRouter needs shard_models, or the setting SHOAL")
        given = aliases if aliases is not None else settings.get("aliases")
        self.num_shards: Optional[int] = count
        self.database: Optional[str] = settings.get("database")
        self.salt: bytes = salt if salt is not None else settings.get("salt", DEFAULT_SALT)
        self.aliases: list[str] = []
        if count is not None:
            self.aliases = list(given) if given is not None else shard_aliases(count)
            shard_for("", count, aliases=self.aliases, salt=self.salt)  # complains at start-up
        models = list(models)
        self._labels = {m.lower() for m in models if isinstance(m, str)}
        self._classes = tuple(m for m in models if not isinstance(m, str))
        # Migrations bring models of their own, which are known by label only.
        self._labels |= {m._meta.label_lower for m in self._classes if hasattr(m, "_meta")}

    def is_sharded(self, model: Any) -> bool:
        if not isinstance(model, type):
            model = type(model)
        if issubclass(model, self._classes):
            return True
        return any(
            hasattr(base, "_meta") and base._meta.label_lower in self._labels
            for base in model.__mro__
        )

    def shard_of_active_key(self, model: Any) -> Optional[str]:
        """None: wherever Django puts it, for the one database knows the key itself."""
        key = current_key()
        if key is None and not (self.num_shards is None and means_all_keys()):
            raise NoActiveKey(
                f"no active shard key for {model._meta.label}: "
                "wrap the code in `with shoal.with_shard_key(key):`"
            )
        if self.num_shards is None:
            return self.database
        return shard_for(key, self.num_shards, aliases=self.aliases, salt=self.salt)

    def _database(self, model: Any, instance: Any) -> Optional[str]:
        if not self.is_sharded(model):
            return None
        alias = self.shard_of_active_key(model)
        # An object of another shard, saved or deleted under this key, would become a second row or
        # miss its own.
        stored = getattr(getattr(instance, "_state", None), "db", None)
        own = isinstance(instance, model) if isinstance(model, type) else False
        if own and stored in self.aliases and stored != alias:
            raise RuntimeError(
                f"this {model._meta.label} came from {stored}, "
                f"but the active shard key is on {alias}"
            )
        return alias

    def db_for_read(self, model: Any, **hints: Any) -> Optional[str]:
        return self._database(model, hints.get("instance"))

    def db_for_write(self, model: Any, **hints: Any) -> Optional[str]:
        return self._database(model, hints.get("instance"))

    def allow_relation(self, left: Any, right: Any, **hints: Any) -> Optional[bool]:
        if self.is_sharded(left) and self.is_sharded(right):
            return bool(left._state.db == right._state.db)
        return None

    def allow_migrate(
        self, db: str, app_label: str, model_name: Optional[str] = None, **hints: Any
    ) -> Optional[bool]:
        """Tables of sharded models are made on the shards only: `migrate --database`, once each; in
        one database `migrate` runs once."""
        model = hints.get("model")
        if model is None and model_name is not None:
            from django.apps import apps

            try:
                model = apps.get_model(app_label, model_name)
            except LookupError:
                model = None
        label = f"{app_label}.{model_name}".lower()
        if label in self._labels or (model is not None and self.is_sharded(model)):
            return db in self.aliases if self.num_shards is not None else None
        return None
