// SPDX-License-Identifier: Apache-2.0
#include "daemon/demo/websocket.h"

#include <string>

#include <doctest/doctest.h>

using namespace limpet::demo;  // NOLINT(google-build-using-namespace)

namespace {

enum class Fin { kNo, kYes };

// A client's frame: masked, length in the shortest form.
std::string frame(Opcode opcode, const std::string& payload, Fin fin = Fin::kYes) {
  std::string bytes;
  append_frame(bytes, opcode, payload);
  if (fin == Fin::kNo) bytes[0] = static_cast<char>(bytes[0] & 0x7f);
  bytes[1] = static_cast<char>(bytes[1] | 0x80);
  const std::string mask = "\x37\xfa\x21\x3d";
  bytes.insert(bytes.size() - payload.size(), mask);
  for (std::size_t i = 0; i < payload.size(); ++i) {
    char& byte = bytes[bytes.size() - payload.size() + i];
    byte = static_cast<char>(byte ^ mask[i % 4]);
  }
  return bytes;
}

std::string server_frame(Opcode opcode, const std::string& payload) {
  std::string bytes;
  append_frame(bytes, opcode, payload);
  return bytes;
}

std::string close_frame(int code) {
  return server_frame(Opcode::kClose,
                      {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)});
}

std::string answer(const std::string& bytes) {
  WebSocketEcho echo;
  std::string out;
  echo.feed(bytes, out);
  return out;
}

}  // namespace

TEST_CASE("a masked text frame of RFC 6455 section 5.7 is echoed unmasked") {
  CHECK(answer("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58") == "\x81\x05Hello");
}

TEST_CASE("text and binary of every length form come back as they were") {
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{125}, std::size_t{126},
                                  std::size_t{65535}, std::size_t{65536}}) {
    const std::string payload(bytes, 'x');
    CHECK(answer(frame(Opcode::kBinary, payload)) == server_frame(Opcode::kBinary, payload));
  }
  CHECK(answer(frame(Opcode::kText, "gr\xc3\xbc\xc3\x9f")) ==
        server_frame(Opcode::kText, "gr\xc3\xbc\xc3\x9f"));
}

TEST_CASE("frames are understood byte by byte") {
  WebSocketEcho echo;
  std::string out;
  for (const char byte : frame(Opcode::kText, "hello") + frame(Opcode::kPing, "p")) {
    echo.feed({&byte, 1}, out);
  }
  CHECK(out == server_frame(Opcode::kText, "hello") + server_frame(Opcode::kPong, "p"));
}

TEST_CASE("fragments are put together, and control frames may stand between them") {
  CHECK(answer(frame(Opcode::kText, "a", Fin::kNo) + frame(Opcode::kPing, "now") +
               frame(Opcode::kContinuation, "b", Fin::kNo) + frame(Opcode::kContinuation, "c")) ==
        server_frame(Opcode::kPong, "now") + server_frame(Opcode::kText, "abc"));
}

TEST_CASE("a character may be split between fragments") {
  CHECK(answer(frame(Opcode::kText, "\xc3", Fin::kNo) + frame(Opcode::kContinuation, "\xbc")) ==
        server_frame(Opcode::kText, "\xc3\xbc"));
}

TEST_CASE("a pong is taken in silence") { CHECK(answer(frame(Opcode::kPong, "x")).empty()); }

TEST_CASE("a close is answered with its code and ends the echo") {
  WebSocketEcho echo;
  std::string out;
  echo.feed(frame(Opcode::kClose, {"\x03\xe9"
                                   "bye",
                                   5}) +
                frame(Opcode::kText, "too late"),
            out);
  CHECK(out == close_frame(1001));
  CHECK(echo.is_over());
  CHECK(answer(frame(Opcode::kClose, "")) == close_frame(1000));
}

TEST_CASE("breaches of RFC 6455 are answered with the close code that names them") {
  CHECK(answer({"\x81\x01x", 3}) == close_frame(1002));                // not masked
  CHECK(answer({"\xc1\x80\0\0\0\0", 6}) == close_frame(1002));         // a reserved bit
  CHECK(answer({"\x83\x80\0\0\0\0", 6}) == close_frame(1002));         // a reserved code
  CHECK(answer({"\x81\xfe\0\x01\0\0\0\0x", 9}) == close_frame(1002));  // length not minimal
  CHECK(answer(frame(Opcode::kPing, std::string(126, 'x'))) == close_frame(1002));
  CHECK(answer(frame(Opcode::kPing, "x", Fin::kNo)) == close_frame(1002));
  CHECK(answer(frame(Opcode::kContinuation, "x")) == close_frame(1002));
  CHECK(answer(frame(Opcode::kText, "a", Fin::kNo) + frame(Opcode::kText, "b")) ==
        close_frame(1002));
  CHECK(answer(frame(Opcode::kText, "\xff")) == close_frame(1007));
  CHECK(answer(frame(Opcode::kClose, "x")) == close_frame(1002));
  CHECK(answer(frame(Opcode::kClose, {"\x03\xed", 2})) == close_frame(1002));  // 1005 is never sent
  CHECK(answer({"\x82\xff\0\0\0\0\0\x20\0\0", 10}).empty());                   // head not complete
  CHECK(answer({"\x82\xff\0\0\0\0\0\x20\0\0\0\0\0\0", 14}) == close_frame(1009));
}

TEST_CASE("fragments cannot add up to more than the limit") {
  WebSocketEcho echo;
  std::string out;
  const std::string half(WebSocketEcho::kMessageBytesMax / 2 + 1, 'x');
  echo.feed(frame(Opcode::kBinary, half, Fin::kNo), out);
  CHECK(out.empty());
  echo.feed(frame(Opcode::kContinuation, half), out);
  CHECK(out == close_frame(1009));
}

TEST_CASE("utf-8 is well formed or it is not") {
  CHECK(is_utf8("plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9a"));
  CHECK_FALSE(is_utf8("\xc0\xaf"));          // overlong
  CHECK_FALSE(is_utf8("\xe0\x80\xaf"));      // overlong
  CHECK_FALSE(is_utf8("\xed\xa0\x80"));      // a surrogate
  CHECK_FALSE(is_utf8("\xf4\x90\x80\x80"));  // beyond Unicode
  CHECK_FALSE(is_utf8("\xe2\x82"));          // cut short
}
