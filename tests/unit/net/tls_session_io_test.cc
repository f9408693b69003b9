// SPDX-License-Identifier: Apache-2.0
// The records of a session: reads, writes, what waits, and ends.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/foreign_tls.h"

using namespace limpet;  // NOLINT(google-build-using-namespace)
using How = Moved::How;
using test::Ends;
using test::ForeignClient;
using test::TlsRig;

namespace {

constexpr std::size_t kRecordBytes = 16 * 1024;

/// Contexts made once, and ends that have shaken hands.
struct Talk {
  TlsRig rig;
  std::shared_ptr<const TlsServerContext> serving = rig.server(rig.plain_model());
  std::shared_ptr<const TlsClientContext> asking = rig.client();
  Ends ends{serving, asking, {"a.example", nullptr}};

  Talk() {
    REQUIRE(ends.shake());
    CHECK(ends.client.is_silent());  // takes the ticket in
  }
};

std::string letters(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i)
    text[i] = static_cast<char>('a' + i * 7 % 26);
  return text;
}

Moved write_pieces(Transport& to, const std::vector<std::string>& pieces) {
  std::vector<iovec> vectors;
  for (const std::string& piece : pieces)
    vectors.push_back({const_cast<char*>(piece.data()), piece.size()});  // NOLINT
  return to.write(vectors);
}

/// Reads all there is; the last read says how it ended.
std::string read_all(Transport& from, std::size_t span_bytes, How& last) {
  std::string all;
  std::vector<char> span(span_bytes);
  for (;;) {
    const Moved moved = from.read(span);
    last = moved.how;
    if (moved.how != How::kSome) return all;
    CHECK(moved.bytes > 0);
    all.append(span.data(), moved.bytes);
  }
}

/// The lengths of the whole records that wait in a socket.
std::vector<std::size_t> records_in(const Transport& socket) {
  std::string bytes(256 * 1024, '\0');
  const ssize_t got = ::recv(socket.descriptor(), bytes.data(), bytes.size(), MSG_PEEK);
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  std::vector<std::size_t> lengths;
  for (std::size_t at = 0; at + 5 <= bytes.size();) {
    const auto high = static_cast<unsigned char>(bytes[at + 3]);
    const auto low = static_cast<unsigned char>(bytes[at + 4]);
    lengths.push_back(std::size_t{high} << 8U | low);
    at += 5 + lengths.back();
  }
  return lengths;
}

void shrink_send_buffer(const Transport& socket) {
  const int bytes = 4096;
  REQUIRE(::setsockopt(socket.descriptor(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) == 0);
}

}  // namespace

TEST_CASE("many small records are read at once, and a short read has emptied the socket") {
  Talk talk;
  std::string expected;
  for (int i = 0; i < 50; ++i) {
    const std::string piece = letters(static_cast<std::size_t>(i) + 1);
    REQUIRE(test::send_text(talk.ends.client, piece).bytes == piece.size());
    expected += piece;
  }
  CHECK(test::read_text(talk.ends.server) == expected);
  CHECK_FALSE(talk.ends.server.has_more());
  std::array<char, 100> span;
  CHECK(talk.ends.server.read(span).how == How::kBlocked);
}

TEST_CASE("what does not fit into the span is read next") {
  Talk talk;
  const std::string sent = letters(60'000);
  REQUIRE(test::send_text(talk.ends.client, sent).bytes == sent.size());
  std::array<char, 1000> span;
  const Moved first = talk.ends.server.read(span);
  CHECK(first.bytes == 1000);
  How last{};
  CHECK((std::string(span.data(), 1000) + read_all(talk.ends.server, 777, last) == sent));
  CHECK(last == How::kBlocked);
}

TEST_CASE("small pieces are gathered into one record, large ones cut into whole ones") {
  Talk talk;
  CHECK(write_pieces(talk.ends.server, {"head", "", "body", "\r\n"}).bytes == 10);
  CHECK(records_in(talk.ends.client).size() == 1);
  CHECK(test::read_text(talk.ends.client) == "headbody\r\n");

  const std::string large = letters(2 * kRecordBytes + 100);
  CHECK(write_pieces(talk.ends.server, {large, "tail"}).bytes == large.size() + 4);
  const auto lengths = records_in(talk.ends.client);
  REQUIRE(lengths.size() == 3);
  CHECK(lengths[0] > kRecordBytes);
  CHECK(lengths[1] > kRecordBytes);
  CHECK(lengths[2] < 200);
  CHECK((test::read_text(talk.ends.client) == large + "tail"));

  const std::string half = letters(kRecordBytes / 2 + 1);
  CHECK(write_pieces(talk.ends.server, {half, half, half}).bytes == 3 * half.size());
  CHECK(records_in(talk.ends.client).size() == 2);
  CHECK((test::read_text(talk.ends.client) == half + half + half));
  CHECK(write_pieces(talk.ends.server, {""}).bytes == 0);
  CHECK(talk.ends.client.is_silent());
}

TEST_CASE("what a small socket does not take waits, in order, and nothing is taken before it") {
  Talk talk;
  shrink_send_buffer(talk.ends.server);
  const std::size_t memory_before = BlockCache::bytes_in_use();
  const std::string sent = letters(1'000'000);
  std::string got;
  std::size_t taken = 0;
  int waits = 0;
  while (got.size() < sent.size()) {
    if (talk.ends.server.has_pending_output()) {
      ++waits;
      CHECK(talk.ends.server.untaken_bytes() > 0);
      const How flushed = talk.ends.server.flush_pending().how;
      CHECK((flushed == How::kSome) == !talk.ends.server.has_pending_output());
    } else if (taken < sent.size()) {
      const Moved moved = write_pieces(
          talk.ends.server, {sent.substr(taken, 100), sent.substr(taken + 100, 300'000)});
      REQUIRE(moved.how == How::kSome);
      taken += moved.bytes;
      if (taken < sent.size()) {
        REQUIRE(talk.ends.server.has_pending_output());
        CHECK(test::send_text(talk.ends.server, "x").how == How::kBlocked);
      }
    }
    got += test::read_text(talk.ends.client);
  }
  CHECK(waits > 10);
  CHECK(taken == sent.size());
  CHECK((got == sent));
  CHECK_FALSE(talk.ends.server.has_pending_output());
  CHECK(BlockCache::bytes_in_use() == memory_before);
}

TEST_CASE("an end behind data is told by the read after it, which has_more asks for") {
  Talk talk;
  REQUIRE(test::send_text(talk.ends.client, "last words").bytes == 10);
  talk.ends.client.end_writing();
  CHECK(test::read_text(talk.ends.server) == "last words");
  CHECK(talk.ends.server.has_more());
  std::array<char, 10> span;
  CHECK(talk.ends.server.read(span).how == How::kEnded);
  CHECK(talk.ends.server.read(span).how == How::kEnded);
  CHECK_FALSE(talk.ends.server.ended_without_close_notify());
  // The other half goes on.
  CHECK(test::send_text(talk.ends.server, "answer").bytes == 6);
  CHECK(test::read_text(talk.ends.client) == "answer");
}

TEST_CASE("an end without close_notify is an end, and is flagged") {
  Talk talk;
  REQUIRE(test::send_text(talk.ends.client, "cut").bytes == 3);
  REQUIRE(::shutdown(talk.ends.client.descriptor(), SHUT_WR) == 0);
  How last{};
  CHECK(read_all(talk.ends.server, 100, last) == "cut");
  CHECK(last == How::kEnded);
  CHECK(talk.ends.server.ended_without_close_notify());
  CHECK(test::send_text(talk.ends.server, "answer").bytes == 6);
  CHECK(test::read_text(talk.ends.client) == "answer");
}

TEST_CASE("an end within a record brings none of it, and is flagged") {
  Talk talk;
  REQUIRE(test::send_text(talk.ends.client, letters(1000)).bytes == 1000);
  std::string record(4096, '\0');
  const ssize_t got = ::recv(talk.ends.server.descriptor(), record.data(), record.size(), 0);
  REQUIRE(got > 500);
  REQUIRE(::send(talk.ends.client.descriptor(), record.data(), 500, MSG_NOSIGNAL) == 500);
  talk.ends.client.close();
  How last{};
  CHECK(read_all(talk.ends.server, 100, last).empty());
  CHECK(last == How::kEnded);
  CHECK(talk.ends.server.ended_without_close_notify());
}

TEST_CASE("close_notify follows what waits") {
  Talk talk;
  shrink_send_buffer(talk.ends.server);
  const std::string sent = letters(100'000);
  REQUIRE(test::send_text(talk.ends.server, sent).bytes == sent.size());
  REQUIRE(talk.ends.server.has_pending_output());
  talk.ends.server.end_writing();
  CHECK(test::send_text(talk.ends.server, "x").how != How::kSome);
  std::string got;
  How last = How::kBlocked;
  for (int turn = 0; turn < 1000 && last == How::kBlocked; ++turn) {
    got += read_all(talk.ends.client, kRecordBytes, last);
    (void)talk.ends.server.flush_pending();
  }
  CHECK(last == How::kEnded);
  CHECK((got == sent));
  CHECK_FALSE(talk.ends.client.ended_without_close_notify());
  CHECK(test::send_text(talk.ends.server, "x").how == How::kFailed);
}

TEST_CASE("a closed connection has said no close_notify") {
  Talk talk;
  REQUIRE(test::send_text(talk.ends.server, "half a body").bytes > 0);
  const int descriptor = talk.ends.server.descriptor();
  talk.ends.server.close();
  // Whoever gets the number next gets nothing of this connection.
  test::SocketPair next;
  CHECK((next.first.number() == descriptor || next.second.number() == descriptor));
  CHECK(test::send_text(talk.ends.server, "x").how == How::kFailed);
  CHECK(talk.ends.server.tls()->alpn() == Alpn::kHttp2);
  How last{};
  CHECK(read_all(talk.ends.client, 100, last) == "half a body");
  CHECK(last == How::kEnded);
  CHECK(talk.ends.client.ended_without_close_notify());
}

TEST_CASE("a forged record breaks the connection, behind the bytes before it") {
  Talk talk;
  REQUIRE(test::send_text(talk.ends.client, "good").bytes == 4);
  const std::string forged = std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x');
  REQUIRE(::send(talk.ends.client.descriptor(), forged.data(), forged.size(), MSG_NOSIGNAL) > 0);
  How last{};
  CHECK(read_all(talk.ends.server, 100, last) == "good");
  CHECK(last == How::kFailed);
  CHECK(talk.ends.server.tls()->failure().text == "decryption failed or bad record mac");
  CHECK(test::send_text(talk.ends.server, "x").how == How::kFailed);
}

TEST_CASE("writing to a client that is gone fails") {
  Talk talk;
  talk.ends.client.close();
  CHECK(test::send_text(talk.ends.server, "x").how == How::kFailed);
  CHECK_FALSE(talk.ends.server.has_pending_output());
}

TEST_CASE("a request that came with the handshake waits behind it") {
  const TlsRig rig;
  const auto serving = rig.server(rig.plain_model());
  ForeignClient client;
  client.server.start_tls(TlsSession::accept(serving, client.server.descriptor()));
  CHECK(SSL_do_handshake(client.ssl()) < 0);
  CHECK(client.server.handshake() == test::Progress::kWantsRead);
  CHECK(SSL_do_handshake(client.ssl()) == 1);
  CHECK(SSL_write(client.ssl(), "GET /", 5) == 5);
  CHECK(client.server.handshake() == test::Progress::kDone);
  CHECK(client.server.has_more());
  CHECK(test::read_text(client.server) == "GET /");
  CHECK_FALSE(client.server.has_more());
}

TEST_CASE("key updates of the client are answered when something is written") {
  const TlsRig rig;
  ForeignClient client;
  client.use_version(TLS1_3_VERSION);
  REQUIRE(client.shake(rig.server(rig.plain_model())));
  for (int i = 0; i < 100; ++i) {
    REQUIRE(SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED) == 1);
    REQUIRE(SSL_do_handshake(client.ssl()) == 1);
  }
  REQUIRE(SSL_write(client.ssl(), "hi", 2) == 2);
  CHECK(test::read_text(client.server) == "hi");
  CHECK_FALSE(client.server.has_pending_output());
  CHECK(test::send_text(client.server, "hello").bytes == 5);
  CHECK(client.read() == "hello");
}

TEST_CASE("kTLS that is not to be had changes nothing") {
  const TlsRig rig;
  TlsModel model = rig.plain_model();
  model.ktls = true;
  const auto serving = rig.server(model);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    ForeignClient client;
    client.use_version(version);
    REQUIRE(client.shake(serving));
    shrink_send_buffer(client.server);
    const std::string sent = letters(100'000);
    REQUIRE(test::send_text(client.server, sent).bytes == sent.size());
    std::string got;
    for (int turn = 0; turn < 1000 && got.size() < sent.size(); ++turn) {
      got += client.read();
      if (client.server.has_pending_output()) (void)client.server.flush_pending();
    }
    CHECK((got == sent));
    CHECK(SSL_write(client.ssl(), "hi", 2) == 2);
    CHECK(test::read_text(client.server) == "hi");
  }
}
