// Claims about SCRAM: the RFC's example, pass-through, and that every changed byte is noticed.
#include "wire/scram.h"

#include <gtest/gtest.h>

namespace shoal::wire {
namespace {

// The exchange of RFC 7677, section 3.
constexpr std::string_view kSalt64 = "W22ZaJ0SNY7soEsUEjb6gQ==";
constexpr std::string_view kClientNonce = "rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view kServerNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
constexpr std::string_view kClientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view kServerFirst =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr std::string_view kClientFinal =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
constexpr std::string_view kServerFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

ScramVerifier pencil() {
  return *parse_scram_verifier(make_scram_verifier("pencil", *base64_decode(kSalt64), 4096));
}

TEST(ScramTest, the_server_plays_its_part_of_the_rfc_example) {
  ScramServer server(pencil(), std::string(kServerNonce));
  EXPECT_EQ(*server.on_first(kClientFirst), kServerFirst);
  EXPECT_EQ(*server.on_final(kClientFinal), kServerFinal);
  EXPECT_TRUE(server.done());
}

TEST(ScramTest, a_client_logs_in_with_the_password) {
  ScramClient client("pencil", std::string(kClientNonce));
  ScramServer server(pencil(), std::string(kServerNonce));
  const std::string server_first = *server.on_first(client.first());
  const std::string client_final = *client.on_continue(server_first);
  const std::string server_final = *server.on_final(client_final);
  EXPECT_TRUE(client.on_final(server_final).has_value());
  EXPECT_TRUE(client.done());
}

TEST(ScramTest, the_keys_a_server_learns_log_in_elsewhere_with_the_same_verifier) {
  ScramServer front(pencil(), "front");
  ScramClient user("pencil", "user");
  const std::string first = *front.on_first(user.first());
  ASSERT_TRUE(front.on_final(*user.on_continue(first)).has_value());

  ScramServer shard(pencil(), "shard");
  ScramClient router(front.keys(), "router");
  const std::string shard_first = *shard.on_first(router.first());
  const auto shard_final = shard.on_final(*router.on_continue(shard_first));
  ASSERT_TRUE(shard_final.has_value());
  EXPECT_TRUE(router.on_final(*shard_final).has_value());

  // A shard with another salt has another verifier: the keys are worth nothing there.
  ScramServer other(*parse_scram_verifier(make_scram_verifier("pencil", "another salt", 4096)),
                    "o");
  ScramClient again(front.keys(), "again");
  const std::string other_first = *other.on_first(again.first());
  EXPECT_EQ(other.on_final(*again.on_continue(other_first)).error().sqlstate, "28P01");
}

TEST(ScramTest, a_wrong_password_is_28P01_and_fatal) {
  ScramClient client("Pencil", "abc");
  ScramServer server(pencil(), "def");
  const std::string server_first = *server.on_first(client.first());
  const auto answer = server.on_final(*client.on_continue(server_first));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().sqlstate, "28P01");
  EXPECT_TRUE(answer.error().fatal);
  EXPECT_FALSE(server.done());
}

TEST(ScramTest, no_password_satisfies_a_mock_verifier) {
  ScramClient client("", "abc");
  ScramServer server(mock_scram_verifier("nobody", "secret of this router"), "def");
  const std::string server_first = *server.on_first(client.first());
  EXPECT_EQ(server.on_final(*client.on_continue(server_first)).error().sqlstate, "28P01");
  // The salt stays the same for one name, or a second try would tell.
  EXPECT_EQ(mock_scram_verifier("nobody", "x").salt, mock_scram_verifier("nobody", "x").salt);
  EXPECT_NE(mock_scram_verifier("nobody", "x").salt, mock_scram_verifier("somebody", "x").salt);
  EXPECT_EQ(mock_scram_verifier("nobody", "x").salt.size(), 16u);
}

TEST(ScramTest, every_changed_byte_of_the_client_is_noticed) {
  for (std::size_t i = 0; i < kClientFinal.size(); ++i) {
    ScramServer server(pencil(), std::string(kServerNonce));
    ASSERT_TRUE(server.on_first(kClientFirst).has_value());
    std::string changed(kClientFinal);
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    const auto answer = server.on_final(changed);
    if (changed == kClientFinal) continue;
    // The last letter before the padding carries two bits that are not part of the proof.
    if (answer.has_value() && i == kClientFinal.size() - 2) continue;
    EXPECT_FALSE(answer.has_value()) << i;
  }
}

TEST(ScramTest, a_server_that_does_not_know_the_verifier_is_noticed) {
  ScramClient client("pencil", std::string(kClientNonce));
  client.first();
  ASSERT_TRUE(client.on_continue(kServerFirst).has_value());
  EXPECT_FALSE(client.on_final("v=AAAATRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").has_value());
  EXPECT_FALSE(client.done());
}

TEST(ScramTest, malformed_client_messages_are_refused) {
  const std::string_view firsts[] = {"",
                                     "n",
                                     "n,",
                                     "n,,",
                                     "n,,n=user",
                                     "n,,r=abc",
                                     "n,,n=user,r=",
                                     "n,,n=user,r=a b",
                                     "x,,n=user,r=abc",
                                     "n,a=other,n=user,r=abc",
                                     "p=tls-server-end-point,,n=,r=abc",
                                     "m=ext,n=user,r=abc"};
  for (const std::string_view first : firsts) {
    ScramServer server(pencil(), "nonce");
    EXPECT_EQ(server.on_first(first).error().sqlstate, "08P01") << first;
  }
  const std::string_view finals[] = {
      "",
      "c=biws",
      "c=biws,r=abcnonce",
      "c=biws,r=abcnonce,p=",
      "c=biws,r=abcnonce,p=!!!!",
      "r=abcnonce,c=biws,p=AAAA",
      "c=biws,r=abcother,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
      "c=eSws,r=abcnonce,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="};
  for (const std::string_view final : finals) {
    ScramServer server(pencil(), "nonce");
    ASSERT_TRUE(server.on_first("n,,n=,r=abc").has_value());
    EXPECT_EQ(server.on_final(final).error().sqlstate, "08P01") << final;
  }
}

TEST(ScramTest, malformed_server_messages_are_refused) {
  const std::string_view firsts[] = {"",
                                     "r=abc",
                                     "r=abc,s=AAAA,i=4096",
                                     "r=xyz1,s=AAAA,i=4096",
                                     "r=abc1,s=AA,i=4096",
                                     "r=abc1,s=AAAA,i=0",
                                     "r=abc1,s=AAAA,i=99999999999",
                                     "r=abc1,s=AAAA,i=4096x",
                                     "m=ext,r=abc1,s=AAAA,i=4096"};
  for (const std::string_view first : firsts) {
    ScramClient client("pencil", "abc");
    client.first();
    EXPECT_EQ(client.on_continue(first).error().sqlstate, "08P01") << first;
  }
}

TEST(ScramTest, messages_out_of_turn_are_refused) {
  ScramServer server(pencil(), "nonce");
  EXPECT_FALSE(server.on_final(kClientFinal).has_value());
  EXPECT_FALSE(server.on_first(kClientFirst).has_value()) << "a failed exchange stays failed";
  ScramClient client("pencil", "abc");
  EXPECT_FALSE(client.on_continue(kServerFirst).has_value());
  EXPECT_FALSE(client.on_final(kServerFinal).has_value());
}

TEST(ScramTest, channel_binding_ties_the_exchange_to_the_certificate) {
  const std::string certificate = "hash of the certificate";
  const auto run = [&](const std::string& seen_by_client) {
    ScramServer server(pencil(), "s", certificate);
    const std::string bare = "n=,r=c";
    const std::string header = "p=tls-server-end-point,,";
    const std::string first = *server.on_first(header + bare, true);
    // The proof does not matter: the binding is judged before it.
    return server
        .on_final("c=" + base64_encode(header + seen_by_client) +
                  ",r=cs,p=" + base64_encode(std::string(32, 'x')))
        .error()
        .sqlstate;
  };
  EXPECT_EQ(run(certificate), "28P01");
  EXPECT_EQ(run("another certificate"), "08P01");
}

TEST(ScramTest, a_client_that_was_not_offered_binding_by_us_is_not_believed) {
  ScramServer with_tls(pencil(), "s", "hash");
  EXPECT_FALSE(with_tls.on_first("y,,n=,r=c").has_value());
  ScramServer without_tls(pencil(), "s");
  EXPECT_TRUE(without_tls.on_first("y,,n=,r=c").has_value());
  ScramServer plus_without_tls(pencil(), "s");
  EXPECT_FALSE(plus_without_tls.on_first("p=tls-server-end-point,,n=,r=c", true).has_value());
}

TEST(ScramTest, verifiers_are_read_and_printed_alike) {
  const std::string text = make_scram_verifier("geheim", "0123456789abcdef", 4096);
  EXPECT_EQ(print_scram_verifier(*parse_scram_verifier(text)), text);
  const std::string_view bad[] = {"",
                                  "md5abc",
                                  "SCRAM-SHA-256$",
                                  "SCRAM-SHA-256$4096:AAAA$x:y",
                                  "SCRAM-SHA-256$0:AAAA$AAAA:AAAA",
                                  "SCRAM-SHA-256$4096$AAAA:AAAA",
                                  "SCRAM-SHA-1$4096:AAAA$AAAA:AAAA"};
  for (const std::string_view one : bad) {
    EXPECT_FALSE(parse_scram_verifier(one).has_value()) << one;
  }
}

TEST(ScramTest, md5_answers_as_postgresql_expects) {
  // select 'md5' || md5('secret' || 'ada')
  EXPECT_EQ(make_md5_verifier("ada", "secret"), "md52953f29bc314bd0a7ea7ddf6ccc1555f");
  EXPECT_EQ(md5_response("ada", "secret", "salt"),
            md5_response_from_verifier(make_md5_verifier("ada", "secret"), "salt"));
}

TEST(ScramTest, base64_takes_only_its_own_letters) {
  for (const std::string_view text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    EXPECT_EQ(base64_decode(base64_encode(text)), text);
  }
  EXPECT_EQ(base64_encode("foobar"), "Zm9vYmFy");
  for (const std::string_view bad : {"A", "AB", "ABC", "AB=C", "====", "A===", "AA A", "AAA\n"}) {
    EXPECT_FALSE(base64_decode(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace shoal::wire
