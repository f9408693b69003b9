// SPDX-License-Identifier: Apache-2.0
#pragma once
// ReplicaCall: a request of a module's own to a replica, beside any client's: a handshake, a ping,
// a stream of notices, the end of a session. The module says what to ask and hears the answer; the
// machine (proxy/replica_caller.h) carries it like any other request, over the same connections.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/http/message.h"
#include "daemon/module/failure.h"
#include "daemon/module/pool.h"

namespace limpet {

/// What to ask a replica.
struct CallRequest {
  const PoolFacts* pool = nullptr;
  const Replica* replica = nullptr;
  Method method = Method::kPost;
  std::string_view method_text = "POST";
  std::string authority;  ///< "" = the replica's address
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> fields;  ///< names in lower case
  std::string body;
  Duration head_within = std::chrono::seconds(10);
  Duration silence_max = kForever;  ///< between pieces of the body
};

/// Who asked.
/// Thread: its worker.
class CallOwner {
 public:
  /// The answer begins. Borrows: the head, during this call.
  virtual void on_call_head(const ResponseHead& head) = 0;
  virtual void on_call_body(std::string_view bytes) = 0;
  /// The answer is complete.
  virtual void on_call_end() = 0;
  /// There is none, or it was cut.
  virtual void on_call_failed(FailureCause cause) = 0;

 protected:
  ~CallOwner() = default;
};

/// A call under way, or over. Destroying it gives it up; that may be done in its own callback.
class ReplicaCall {
 public:
  virtual ~ReplicaCall() = default;
};

/// Who carries calls.
class ReplicaCalls {
 public:
  /// Begins a call; the owner hears of it later, never before this returns. `owner` outlives the
  /// handle returned.
  [[nodiscard]] virtual std::unique_ptr<ReplicaCall> call(CallRequest request,
                                                          CallOwner& owner) = 0;

 protected:
  ~ReplicaCalls() = default;
};

}  // namespace limpet
