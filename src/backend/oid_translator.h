// What a connection to a shard other than home does so that all who use it see home's oids:
// rewrites messages as they leave and arrive. Only rows and parameters in binary format, of types
// whose values hold oids, need to be known beforehand; where the client did not ask, this puts a
// Describe in front of the Bind or Execute, whose answer nobody else sees.
//
// Rows belong to the RowDescription that came last before them. So each Execute must directly
// follow a Describe of its portal, or give rows without oids while no description is in force.
// Thread rule: one core, owned by its connection.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "wire/oid_map.h"
#include "wire/responses.h"

namespace shoal::backend {

class OidTranslator {
 public:
  explicit OidTranslator(std::shared_ptr<const wire::OidMap> map) : map_(std::move(map)) {}

  const std::shared_ptr<const wire::OidMap>& map() const { return map_; }
  // Rewrites whole messages that were appended since the last call and reported to `pending`.
  // What must wait for an answer is held back and everything behind it with it. False: they can't
  // be followed, and the connection must be closed.
  bool outgoing(std::string& out, wire::PendingResponses& pending);
  bool holding() const { return !held_.empty(); }
  // What was held back and may go now. `behind`: messages that are not sent yet either.
  bool release(std::string& out, std::string_view behind, wire::PendingResponses& pending);

  // Rewrites a message in place before `pending` hears of it. False: malformed.
  bool incoming(char type, wire::Bytes body, const wire::PendingResponses& pending);
  // The next rows must be whole to be rewritten.
  bool rows_hold_oids() const { return !columns_.empty(); }

 private:
  // Numbers of parameters are home's, of columns the shard's.
  struct Statement {
    std::vector<std::uint32_t> params;  // 0: not known
    wire::OidColumns columns;           // in any format
    bool described = false, asked = false;
  };
  struct Step {
    enum class Kind : std::uint8_t { kPass, kDescribe, kDescribeAndHold } kind = Kind::kPass;
    wire::Target target = wire::Target::kStatement;
    std::string_view name;
  };
  // Which RowDescription will be in force when the message is answered that goes out next.
  enum class Described : std::uint8_t { kNone, kPortal, kOther };

  bool translate(std::string& out, std::size_t from, std::string_view behind,
                 wire::PendingResponses& pending);
  Step on_message(char type, wire::Bytes body);
  void on_parse(wire::Bytes body);
  Step on_bind(wire::Bytes body);
  Step on_execute(std::string_view portal);
  void on_close(std::string_view body);
  enum class Inserted : std::uint8_t { kYes, kNotNeeded, kImpossible };
  Inserted insert(std::string& out, std::size_t at, const Step& step, std::string_view behind,
                  wire::PendingResponses& pending);
  bool harmless(std::string_view portal) const;
  bool on_row_description(wire::Bytes body, std::uint32_t note);
  bool on_parameters(wire::Bytes body, std::uint32_t note);
  void on_ready(wire::Bytes body, const wire::PendingResponses& pending);

  std::shared_ptr<const wire::OidMap> map_;
  std::map<std::string, Statement, std::less<>> statements_;
  std::map<std::string, bool, std::less<>> portals_;  // named ones: rows hold no oids
  bool unnamed_harmless_ = false;
  Described described_ = Described::kNone;
  std::string described_portal_;
  wire::OidColumns columns_;                    // of the rows that come now
  std::map<std::uint32_t, std::string> asked_;  // note -> statement
  std::uint32_t next_note_ = 1;
  std::string held_;
  std::uint32_t held_for_ = 0;  // the note
};

}  // namespace shoal::backend
