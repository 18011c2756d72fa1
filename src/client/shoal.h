// libshoal in one header: key functions, slot maps, placements, shard_for and for_each_shard.
// client/cluster_map.h and client/scoped_key.h need libpq and are included on their own.
#pragma once
#include "client/for_each_shard.h"
#include "client/shard_for.h"
#include "keys/check.h"
#include "keys/function.h"
#include "keys/ring.h"
#include "keys/slot_map.h"
#include "keys/value.h"
