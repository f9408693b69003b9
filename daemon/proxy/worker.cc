// SPDX-License-Identifier: Apache-2.0
#include "daemon/proxy/worker.h"

#include <csignal>
#include <string>
#include <utility>

#include <pthread.h>
#include <sched.h>

#include "daemon/proxy/worker_room.h"

namespace limpet {

namespace {

void pin_to(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  // A core that went away costs locality, not service.
  if (::pthread_setaffinity_np(::pthread_self(), sizeof set, &set) != 0) return;
}

// Signals are the main thread's, but for those that a fault of this thread raises.
void block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP})
    ::sigdelset(&all, fault);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

Worker::Worker(const WorkerSetup& setup)
    : setup_(setup), room_(std::make_unique<WorkerRoom>(*this)) {}

Worker::~Worker() {
  if (!thread_.joinable()) return;
  room_->mailbox().post([room = room_.get()] { room->stop(); });
  thread_.join();
}

void Worker::start() {
  thread_ = std::thread([this] {
    block_signals();
    pin_to(setup_.cpu);
    const std::string name = "worker-" + std::to_string(setup_.index);
    ::pthread_setname_np(::pthread_self(), name.c_str());
    room_->run();
  });
}

void Worker::adopt(Adoption adoption, std::function<void()> on_adopted) {
  // Letters are copied, sockets are not: they travel behind a pointer.
  auto parcel = std::make_shared<Adoption>(std::move(adoption));
  room_->mailbox().post([room = room_.get(), parcel, told = std::move(on_adopted)] {
    room->adopt(std::move(*parcel));
    if (told) told();
  });
}

void Worker::drain(Instant deadline, std::function<void()> on_drained) {
  room_->mailbox().post([room = room_.get(), deadline, told = std::move(on_drained)] {
    room->drain(deadline, told);
  });
}

std::uint64_t Worker::turns() const noexcept { return room_ ? room_->loop().turns() : 0; }

void Worker::ping() {
  room_->mailbox().post([] {});
}

}  // namespace limpet
