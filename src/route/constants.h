// The values of constants and bound parameters as shard keys: converted as PostgreSQL converts them
// before the comparison `column = constant`, so that the column's type decides how they are placed.
// Whatever was looked at is noted, because a cached plan is good only for equal values there.
// Thread rule: one statement, one thread.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "catalog/snapshot.h"
#include "keys/value.h"
#include "route/session_facts.h"
#include "sql/ast.h"

namespace shoal::route {

struct Constant {
  // kNever: no value of the column's type equals it. kUnknown: not a constant, or one that only a
  // server can read: then nothing may be concluded.
  enum class Kind { kValue, kNull, kNever, kUnknown } kind = Kind::kUnknown;
  std::optional<keys::KeyValue> value;  // in the keyspace's type
  int param = 0;       // the parameter it came from, 0: none
  int location = -1;   // of the literal that it came from
  bool direct = false;  // another text of that literal or parameter converts the same way
};

class ConstantReader {
 public:
  ConstantReader(const catalog::Snapshot& snapshot, const SessionFacts& session,
                 std::span<const Parameter> params);

  // The value of `e` as compared with a column of type `column`, in the keyspace's type `to`.
  Constant read(const sql::Expr& e, Oid column, keys::KeyType to);
  // The elements of the right side of IN or = ANY; nullopt: not all are constants.
  std::optional<std::vector<Constant>> read_list(const sql::Expr& e, Oid column, keys::KeyType to);
  // A value to store: converted by assignment, with the column's typmod.
  Result<Constant> read_stored(const sql::Expr& e, const catalog::Column& column, keys::KeyType to);
  // LIMIT and its kind: a whole number; nullopt: not a plain one. NULL gives kNull.
  Constant read_count(const sql::Expr& e);

  keys::ParseSettings settings() const;
  void saw(const sql::Expr& e);  // notes that the value of this constant or parameter mattered

  std::vector<int> locations;  // of literals looked at
  std::vector<int> params;     // numbers of parameters looked at
  bool need_types = false;     // a parameter's type must be known first
  bool opaque_views = false;   // some constant of a view was read: its place is not the text's

 private:
  struct Raw {
    Constant::Kind kind = Constant::Kind::kUnknown;
    std::optional<keys::KeyValue> value;
    int param = 0;
    int location = -1;
    bool direct = false;
  };
  Raw raw(const sql::Expr& e, keys::KeyType column);
  Raw raw_cast(const sql::Cast& c, keys::KeyType column);
  Raw raw_param(int number, keys::KeyType context, bool cast);
  Raw raw_const(const sql::Expr& e, const sql::Const& c, keys::KeyType as);
  std::optional<std::vector<Raw>> raw_array(const sql::Expr& e, keys::KeyType column);
  std::optional<std::vector<Raw>> array_param(int number);
  std::optional<std::vector<Raw>> array_text(std::string_view text, keys::KeyType element);
  Constant convert(Raw raw, keys::KeyType column, keys::KeyType to) const;
  std::optional<keys::KeyType> key_type(Oid type) const;
  std::optional<keys::KeyType> key_type(const sql::TypeName& t) const;

  const catalog::Snapshot& snapshot_;
  const SessionFacts& session_;
  std::span<const Parameter> params_;
};

}  // namespace shoal::route
