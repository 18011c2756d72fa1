// The one call by which a statement of one key is counted (obs/key_load.h).
// Thread rule: one core.
#pragma once
#include "catalog/snapshot.h"
#include "obs/key_load.h"

namespace shoal::exec {

inline void count_key(obs::KeyLoad& load, const catalog::Keyspace& keyspace,
                      const keys::KeyValue& value) {
  if (!load.due()) return;
  const auto slot = keyspace.placement->function->slot(value);
  if (!slot) return;
  load.count(keyspace.id.value, slot->value, keyspace.placement->map.slot_count(),
             keys::canonical_text(value));
}

}  // namespace shoal::exec
