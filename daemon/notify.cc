// SPDX-License-Identifier: Apache-2.0
#include "daemon/notify.h"

#include <cstdint>
#include <cstdlib>

#include <fcntl.h>
#include <systemd/sd-daemon.h>

namespace limpet::notify {

namespace {

// systemd that does not listen is systemd's trouble, not a client's.
void send(const std::string& state) {
  if (::sd_notify(0, state.c_str()) < 0) return;
}

}  // namespace

void ready(const std::string& status) { send("READY=1\nSTATUS=" + status); }

void reloading() {
  const auto now =
      std::chrono::duration_cast<std::chrono::microseconds>(monotonic_now().time_since_epoch());
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.count()) +
       "\nSTATUS=Reading the configuration again");
}

void stopping(const std::string& status) { send("STOPPING=1\nSTATUS=" + status); }

void status(const std::string& text) { send("STATUS=" + text); }

void alive() { send("WATCHDOG=1"); }

Duration watchdog_interval() {
  std::uint64_t interval_us = 0;
  if (::sd_watchdog_enabled(0, &interval_us) <= 0) return kForever;
  return std::chrono::microseconds(interval_us);
}

std::vector<PassedSocket> take_passed_sockets() {
  std::vector<PassedSocket> passed;
  char** names = nullptr;
  const int count = ::sd_listen_fds_with_names(1, &names);
  for (int i = 0; i < count; ++i) {
    Fd descriptor(SD_LISTEN_FDS_START + i);
    const int flags = ::fcntl(descriptor.number(), F_GETFL);
    if (flags >= 0) ::fcntl(descriptor.number(), F_SETFL, flags | O_NONBLOCK);
    passed.push_back({names == nullptr ? std::string() : names[i], std::move(descriptor)});
  }
  for (int i = 0; names != nullptr && names[i] != nullptr; ++i)
    std::free(names[i]);
  std::free(static_cast<void*>(names));
  return passed;
}

}  // namespace limpet::notify
