// Both sides of SCRAM against a peer that says anything. The input is lines: what a client says
// first and last, what a server says first and last, and a stored verifier.
#include <array>
#include <cstdint>
#include <cstdlib>

#include "wire/scram.h"

using namespace shoal::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::array<std::string_view, 5> lines;
  for (std::string_view& line : lines) {
    line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  static const ScramVerifier kVerifier = mock_scram_verifier("user", "secret");
  for (const bool plus : {false, true}) {
    ScramServer server(kVerifier, "nonce", plus ? "binding" : "");
    if (server.on_first(lines[0], plus)) {
      // Nobody knows a password for this verifier.
      if (server.on_final(lines[1]) || server.done()) std::abort();
    }
  }
  static const ScramKeys kKeys{};
  ScramClient client(kKeys, "nonce");
  client.first();
  if (client.on_continue(lines[2])) (void)client.on_final(lines[3]);
  if (const auto verifier = parse_scram_verifier(lines[4])) {
    const std::string printed = print_scram_verifier(*verifier);
    if (print_scram_verifier(*parse_scram_verifier(printed)) != printed) std::abort();
  }
  return 0;
}
