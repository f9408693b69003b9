// SPDX-License-Identifier: Apache-2.0
#pragma once
// Http2Replica: a connection to a replica in HTTP/2, shared by as many exchanges as the replica
// allows. It gives events to the streams they belong to, asks for signs of life, and leaves when
// the replica says GOAWAY. What one stream does is in http2_replica_stream.h; HTTP/1 is
// replica_connection.h.

#include <cstdint>

#include "daemon/base/list.h"
#include "daemon/proxy/http2_connection.h"
#include "daemon/proxy/http2_replica_stream.h"
#include "daemon/proxy/replica_side.h"
#include "daemon/proxy/stream_table.h"

namespace limpet {

class ReplicaSlot;

/// One HTTP/2 connection to one replica.
///
///   kGreeting ──its settings──► kReady ──GOAWAY, or unwanted──► kLeaving ──last stream──► closed
///       │                         │
///       └── failure, no sign of life, idle too long ──► closed
///
/// Thread: its worker.
class Http2Replica final : public Http2Connection,
                           public ReplicaSide,
                           public ListNode<Http2Replica, ReplicaSlot> {
 public:
  /// Who waits for the replica's settings.
  class Greeter {
   public:
    virtual void on_greeted(Http2Replica& connection) = 0;
    virtual void on_greeting_failed(FailureCause cause) = 0;

   protected:
    ~Greeter() = default;
  };
  /// Whether other clients' requests may use it too; not behind a PROXY header, which names one.
  enum class Sharing : std::uint8_t { kShared, kPrivate };

  Http2Replica(WorkerRoom& room, ReplicaSlot& slot, Transport transport, Sharing sharing);
  ~Http2Replica() override;

  /// Begins to speak; `greeter` is told when the replica has answered, or that it will not.
  void start(Greeter& greeter);
  /// The greeter has given up.
  void forget_greeter() noexcept { greeter_ = nullptr; }

  /// Whether another stream can begin now.
  [[nodiscard]] bool has_room() const noexcept;
  [[nodiscard]] bool is_shared() const noexcept { return sharing_ == Sharing::kShared; }
  /// Begins a stream for the lease's holder, whose arena it lives in.
  void open(Lease& lease);
  /// Takes no new streams; closes when the last has ended.
  void leave();
  void drop() override;

  // -- for its streams
  [[nodiscard]] WorkerRoom& room() noexcept { return room_; }
  [[nodiscard]] ReplicaSlot& slot() noexcept { return slot_; }
  /// The stream's request is on its way.
  void add(Http2ReplicaStream& stream, std::uint32_t number);
  /// A stream could not begin, which it hears at the end of the turn.
  void fail_soon(Http2ReplicaStream& stream);
  /// The stream is over for its holder.
  void on_stream_over(Http2ReplicaStream& stream);
  [[nodiscard]] bool has_carried() const noexcept { return has_carried_; }

 private:
  enum class State : std::uint8_t { kGreeting, kReady, kLeaving };

  void on_events(StreamEvents& events) override;
  void on_event(const StreamEvent& event);
  Arena& arena_for(std::uint32_t number) override;
  void on_stream_drained(std::uint32_t number) override;
  void on_turn_end() override;
  void on_over() override;
  void on_end_of_bytes() override { fail_all(FailureCause::kReset); }
  void on_broken() override { fail_all(FailureCause::kReset); }
  void on_drained() override;
  void on_progress() override;
  void on_fed() override;
  void on_deadline() override;

  void on_fault(Http2ReplicaStream& stream, Fault fault);
  void fail_all(FailureCause cause);
  void close();
  [[nodiscard]] bool is_unused() const noexcept { return streams_.size() + begun_count_ == 0; }
  [[nodiscard]] Duration ping_after() const noexcept;
  [[nodiscard]] Instant due() const noexcept;
  void rearm();

  ReplicaSlot& slot_;
  Greeter* greeter_ = nullptr;
  StreamTable<Http2ReplicaStream> streams_;
  List<Http2ReplicaStream> begun_;    ///< leased, request not yet sent
  List<Http2ReplicaStream> failing_;  ///< could not begin
  Http2ReplicaStream* touched_ = nullptr;
  Sharing sharing_;
  State state_ = State::kGreeting;
  Instant heard_at_ = kNever;      ///< when the replica said something last
  Instant pinged_at_ = kNever;     ///< when it was asked for a sign of life that has not come
  Instant unused_since_ = kNever;  ///< counts while there are no streams
  std::uint32_t begun_count_ = 0;
  bool has_ponged_ = false;  ///< what it said last was that sign
  bool has_carried_ = false;
};

}  // namespace limpet
