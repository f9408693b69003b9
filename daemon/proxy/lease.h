// SPDX-License-Identifier: Apache-2.0
#pragma once
// Lease: the link between a stream of a replica's connection and who uses it. Whichever end dies
// first cuts it for both, so neither ever holds a dangling pointer. It moves no bytes.

#include <string_view>

#include "daemon/base/arena.h"
#include "daemon/http/message.h"
#include "daemon/module/failure.h"

namespace limpet {

class ReplicaStream;

/// Who uses a stream of a replica: a relay, or a call of limpet's own (replica_call.h). It is told
/// what the replica says and how it fails; what follows from that is its business.
class LeaseHolder {
 public:
  /// The stream is there: the request may be sent.
  virtual void on_leased() = 0;
  virtual void on_informational(ResponseHead& head) = 0;
  virtual void on_response_head(ResponseHead& head) = 0;
  virtual void on_response_body(std::string_view bytes) = 0;
  virtual void on_response_trailers(HeaderList& trailers) = 0;
  virtual void on_response_end() = 0;
  /// The stream has failed and is gone.
  virtual void on_attempt_failed(FailureCause cause) = 0;
  /// What was queued for the replica has been taken.
  virtual void on_replica_drained() = 0;
  /// All that was read of this stream at a time has been told.
  virtual void flush_client() = 0;
  /// Where response heads go.
  [[nodiscard]] virtual Arena& arena() const noexcept = 0;

 protected:
  ~LeaseHolder() = default;
};

/// The holder's end of the link; the stream keeps a pointer to it.
/// Lifetime: a member of its holder.
class Lease {
 public:
  explicit Lease(LeaseHolder& holder) noexcept : holder_(holder) {}
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() { cut(); }

  /// The stream, or null when there is none.
  [[nodiscard]] ReplicaStream* stream() const noexcept { return stream_; }
  [[nodiscard]] LeaseHolder& holder() const noexcept { return holder_; }
  /// Lets go of the stream; it is told nothing.
  void cut() noexcept {
    if (stream_ != nullptr) *place_ = nullptr;
    stream_ = nullptr;
    place_ = nullptr;
  }

 private:
  friend class ReplicaStream;
  /// Called by the stream: `place` is where it keeps its pointer to this lease.
  void tie(ReplicaStream& stream, Lease*& place) noexcept {
    cut();
    stream_ = &stream;
    place_ = &place;
    place = this;
  }

  LeaseHolder& holder_;
  ReplicaStream* stream_ = nullptr;
  Lease** place_ = nullptr;
};

}  // namespace limpet
