// SPDX-License-Identifier: Apache-2.0
#include "modules/mcp/answer_reader.h"

#include <string>

#include <doctest/doctest.h>

namespace limpet::mcp {
namespace {

using State = AnswerReader::State;

TEST_CASE("a JSON body is the answer once it has ended") {
  AnswerReader reader("1", BodyForm::kJson, 1000);
  CHECK(reader.feed(R"({"jsonrpc":"2.0","id":1,)") == State::kReading);
  CHECK(reader.feed(R"("result":{}})") == State::kReading);
  CHECK(reader.finish() == State::kAnswered);
  CHECK(reader.answer().result == "{}");
}

TEST_CASE("in a stream the answer is the event with the request's id") {
  const std::string stream =
      "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n"
      "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"roots/list\"}\n\n"
      "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n\n"
      "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":1}}\n\n"
      "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":2}}\n\n";
  for (std::size_t step : {std::size_t{1}, std::size_t{7}, stream.size()}) {
    AnswerReader reader("1", BodyForm::kEvents, 1000);
    for (std::size_t at = 0; at < stream.size(); at += step)
      static_cast<void>(reader.feed(std::string_view(stream).substr(at, step)));
    REQUIRE(reader.state() == State::kAnswered);
    CHECK(reader.answer().result == R"({"a":1})");
  }
}

TEST_CASE("an error without an id answers whatever was asked, a result of another id nothing") {
  AnswerReader error("1", BodyForm::kJson, 1000);
  static_cast<void>(error.feed(R"({"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"m"}})"));
  CHECK(error.finish() == State::kAnswered);
  AnswerReader other("1", BodyForm::kJson, 1000);
  static_cast<void>(other.feed(R"({"jsonrpc":"2.0","id":9,"result":{}})"));
  CHECK(other.finish() == State::kMissing);
}

TEST_CASE("an id is the same however it is written") {
  AnswerReader number("1", BodyForm::kEvents, 1000);
  static_cast<void>(number.feed("data: {\"jsonrpc\":\"2.0\",\"id\":1.0,\"result\":{}}\n\n"));
  CHECK(number.state() == State::kAnswered);
  AnswerReader text(R"("\u0031")", BodyForm::kJson, 1000);
  static_cast<void>(text.feed(R"({"jsonrpc":"2.0","id":"1","result":{}})"));
  CHECK(text.finish() == State::kAnswered);
}

TEST_CASE("what is too large, or of another form, is not kept") {
  AnswerReader json("1", BodyForm::kJson, 10);
  CHECK(json.feed("{\"jsonrpc\":\"2.0\"") == State::kTooLarge);
  CHECK(json.json().empty());
  AnswerReader events("1", BodyForm::kEvents, 10);
  CHECK(events.feed("data: 12345678901\n\n") == State::kTooLarge);
  CHECK(AnswerReader("1", BodyForm::kOther, 10).state() == State::kMissing);
}

}  // namespace
}  // namespace limpet::mcp
