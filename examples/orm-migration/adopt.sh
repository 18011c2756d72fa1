#!/usr/bin/env bash
# Makes a cluster of the four databases of SHARD_URLS, as they are. Shows what it has found out; with
# --yes it writes the catalog into the first one. Not one row moves.
set -euo pipefail

shards=()
number=0
for url in $SHARD_URLS; do
  shards+=(--shard "shard_$number=$url")
  number=$((number + 1))
done

# The function and its salt as before.py has them. `--verify all` computes the place of every row.
exec "${SHOAL:-shoal}" adopt "${shards[@]}" --key customer --keyspace customers \
  --function dorm --params "{\"n\": $number, \"salt\": \"shop-v1\"}" --verify all "$@"
