// Adoption: databases that an application shards by hand become a cluster as they are. Reads what
// is there, finds out how rows are placed (or tests what it is told), verifies it against rows,
// and writes the catalog. Not one row moves.
//
//   read_servers -> propose -> verify -> rehearse_adoption -> write_adoption
//
// Thread rule: blocks; verify() starts a thread for each shard.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/init.h"
#include "control/pq.h"
#include "keys/slot_map.h"

namespace shoal::control {

struct AdoptOptions {
  std::vector<ShardSpec> shards;
  std::string home;  // a shard's name; empty: the first
  std::string cluster = "app";
  std::vector<std::string> keys;        // "table=column[,column]" or "column" for all that have it
  std::string function, params = "{}";  // empty: to be found out
  std::string keyspace;                 // its name; empty: made from function and type
  std::vector<std::string> reference, single, leave_out;  // tables whose kind is stated
  bool verify_all = false;
  std::uint64_t sample = 1000;  // rows of each table on each shard
  std::uint32_t slots = 4096;   // about so many, where the function can be refined
};

struct ServerTable {
  std::uint32_t oid = 0;
  char relkind = 'r';
  double rows = 0;        // estimate
  std::string signature;  // columns and types: must agree everywhere
};

struct AdoptTable {
  struct Column {
    std::string name, type;  // as format_type says
    std::uint32_t base = 0;  // pg_type oid, domains resolved
    bool not_null = false;
    bool usable = true;  // as a key: not generated, with a deterministic collation
  };
  struct Unique {
    std::string name;
    std::vector<std::string> columns;  // "" for an expression
  };
  struct Partition {
    std::string name;
    std::uint64_t modulus = 1, remainder = 0;
    std::vector<std::size_t> on;  // shards that have it as a table of their own
  };
  std::string schema, name;
  std::vector<std::optional<ServerTable>> on;  // by shard
  std::vector<Column> columns;
  std::vector<Unique> uniques;
  std::vector<std::string> hash_columns;  // of PARTITION BY HASH
  std::vector<Partition> partitions;
  bool foreign_partitions = false;

  std::string quoted() const;
  std::string shown() const;  // without "public."
  const Column* column(const std::string& name) const;
  bool everywhere() const;
};

// What Citus keeps about a cluster.
struct CitusTable {
  std::string table, method, column;
  std::uint64_t shards = 0, nodes = 0;
  std::string smallest, largest;  // of the hash intervals
};

struct Servers {
  std::vector<ShardSpec> specs;
  std::vector<Pq> connections;
  std::size_t home = 0;
  // Of a cluster that home has already: "schema.table" and names of keyspaces.
  std::vector<std::string> placed, keyspaces;
  std::vector<AdoptTable> tables;
  std::vector<CitusTable> citus;
};
Result<Servers> read_servers(const AdoptOptions& options);

struct AdoptKeyspace {
  static constexpr std::size_t kNobody = SIZE_MAX;
  std::string name, function, params;
  std::vector<keys::KeyType> types;
  std::shared_ptr<const keys::KeyFunction> made;
  std::vector<std::size_t> owners;          // shard of each bucket
  std::map<std::string, std::size_t> pins;  // of a directory: canonical text -> shard
  std::string evidence;                     // "998 of 1000 sampled rows of orders fit"

  bool owns_something(std::size_t shard) const;
};

struct AdoptPlacement {
  enum class Kind { kSharded, kReference, kSingle, kLeftOut, kUnclear };
  std::size_t table = 0;
  Kind kind = Kind::kUnclear;
  std::size_t keyspace = 0;
  std::vector<std::string> key;
  std::vector<std::string> local_constraints;  // unique without the key: hold per shard only
  std::string why;
  // Found by verify():
  std::uint64_t rows = 0, misplaced = 0, without_place = 0, without_key = 0;
  std::uint64_t strays = 0;  // of the misplaced: on shards that own no bucket at all
  std::vector<std::string> examples;
};
std::string_view kind_name(AdoptPlacement::Kind kind);

struct Adoption {
  std::vector<AdoptKeyspace> keyspaces;
  std::vector<AdoptPlacement> placements;    // by table
  std::vector<std::string> actions;          // what writing will do beside the catalog
  std::vector<std::string> notes, problems;  // with problems nothing is written
};

// progress(what, done, total); total 0: unknown.
using Progress = std::function<void(const std::string&, std::uint64_t, std::uint64_t)>;

Result<Adoption> propose(Servers& servers, const AdoptOptions& options, const Progress& progress);

// Computes the place of rows and compares; adds problems for what cannot be lived with.
Result<> verify(Servers& servers, const AdoptOptions& options, Adoption& adoption,
                const Progress& progress);

// Writes it all on home in a transaction and rolls that back: what Shoal would refuse, in words.
Result<std::vector<std::string>> rehearse_adoption(Servers& servers, const AdoptOptions& options,
                                                   const Adoption& adoption);

// Makes the catalog on home and writes keyspaces and tables, all in one transaction there.
Result<> write_adoption(Servers& servers, const AdoptOptions& options, const Adoption& adoption,
                        const Progress& progress);

// ---- between the files of adoption --------------------------------------------------------------

// Values of one column with the shards on which they were seen.
struct KeySample {
  std::vector<keys::KeyType> types;
  std::vector<std::pair<std::vector<keys::KeyValue>, std::size_t>> seen;
  std::size_t distinct = 0;
};

struct Guess {
  std::string function, params;
  std::shared_ptr<const keys::KeyFunction> made;
  std::vector<std::size_t> owners;
  std::size_t fitting = 0, total = 0;
  double share() const { return total == 0 ? 0 : double(fitting) / double(total); }
};

// How well a function explains the sample: each bucket belongs to the shard where most of it is.
std::optional<Guess> try_function(const std::string& function, const std::string& params,
                                  const KeySample& sample, std::size_t shards);
// The best of the known schemes; nullopt when none explains at least nine of ten rows.
std::optional<Guess> guess_function(const KeySample& sample, const Servers& servers);
// Owners of buckets that the sample did not show, where the others follow a rule.
void complete_owners(std::vector<std::size_t>& owners, const keys::KeyFunction& function,
                     std::size_t shards);
// The same scheme with about `slots` slots, if it can be refined.
void refine(AdoptKeyspace& keyspace, std::uint32_t slots);

}  // namespace shoal::control
