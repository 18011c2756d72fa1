// For tests of this room and of plan/: a cluster of four shards with tables of every kind, written
// by hand. s1 is home. Keyspaces: "ints" (int8), "texts" (text), "pairs" (int8, int8), "zones"
// (int4 by range: up to 99, 199, 299, above), "canon" (numeric, no matching by equality).
//
//   sharded   orders(tenant_id int4, id int8 serial, x int4, note text, created timestamptz
//               default now(), kind text default 'web'), primary key (tenant_id, id)
//             users(tenant_id int4, id int8, name text, amount numeric, k int4, flag bool)
//             lines(tenant_id int8, order_id int8, qty int4)      links(url_id varchar(5), url
//             text) pages(url_id text, body text)                       pairs(a int4, b int4, x
//             int4) ranges(z int4, x int4)                              money(amount numeric, x
//             int4) triggered(tenant_id int4, x int4)                   ci(name text COLLATE ci, x
//             int4)
//   reference country(code text, name text), ref(k int4, x int4, y numeric), no primary key on
//   country single    note(id int4, k int4, x int4), app.orders(tenant_id int4, x int4) views
//   v_orders (orders of tenant 5), v_all (orders), v_ref (ref), v_note (note)
// Thread rule: plain functions.
#pragma once
#include <string>

#include "catalog/snapshot.h"

namespace shoal::route {

catalog::SnapshotPtr make_test_cluster();

// The name of the shard where this key of keyspace "ints" or "texts" lies.
std::string test_shard_of(int tenant);
std::string test_shard_of(const std::string& text);

}  // namespace shoal::route
