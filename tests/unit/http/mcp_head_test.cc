// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/mcp_head.h"

#include <string>

#include <doctest/doctest.h>

namespace limpet {
namespace {

struct Request {
  explicit Request(std::string_view version) {
    if (!version.empty()) head.fields.add_copy("mcp-protocol-version", version);
  }
  Arena arena;
  RequestHead head{arena};
};

TEST_CASE("the era is the protocol version's") {
  CHECK(era_of(Request("2026-07-28").head) == Era::kModern);
  CHECK(era_of(Request("2027-01-01").head) == Era::kModern);
  CHECK(era_of(Request("2025-11-25").head) == Era::kSession);
  CHECK(era_of(Request("").head) == Era::kSession);
  CHECK(era_of(Request("9999").head) == Era::kSession);
}

TEST_CASE("wrapped values are decoded, exactly as the revision writes them") {
  CHECK(decoded_value("us-west1") == "us-west1");
  CHECK(decoded_value("=?base64?SGVsbG8sIOS4lueVjA==?=") == "Hello, \xe4\xb8\x96\xe7\x95\x8c");
  CHECK(decoded_value("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=") == "=?base64?literal?=");
  CHECK(decoded_value("=?BASE64?SGVsbG8=?=") == "=?BASE64?SGVsbG8=?=");
  CHECK_FALSE(decoded_value("=?base64?***?=").has_value());
  CHECK_FALSE(decoded_value(std::string(kHeaderValueBytesMax + 1, 'x')).has_value());
}

TEST_CASE("a task is named by Mcp-Name, and only a modern request is believed") {
  Request request("2026-07-28");
  request.head.fields.add_copy("mcp-method", "tasks/get");
  request.head.fields.add_copy("mcp-name", "=?base64?dGFzay0x?=");
  CHECK(task_of(request.head) == "task-1");

  Request old("2025-11-25");
  old.head.fields.add_copy("mcp-method", "tasks/get");
  old.head.fields.add_copy("mcp-name", "task-1");
  CHECK_FALSE(task_of(old.head).has_value());

  Request call("2026-07-28");
  call.head.fields.add_copy("mcp-method", "tools/call");
  call.head.fields.add_copy("mcp-name", "echo");
  CHECK_FALSE(task_of(call.head).has_value());
}

TEST_CASE("a handle is read from its parameter, once") {
  Request request("2026-07-28");
  request.head.fields.add_copy("mcp-param-basketid", "b7");
  CHECK(parameter_of(request.head, "basketid") == "b7");
  CHECK_FALSE(parameter_of(request.head, "basket").has_value());
  request.head.fields.add_copy("mcp-param-basketid", "b8");
  CHECK_FALSE(parameter_of(request.head, "basketid").has_value());
}

}  // namespace
}  // namespace limpet
