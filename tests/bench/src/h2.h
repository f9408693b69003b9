// SPDX-License-Identifier: Apache-2.0
#pragma once

// One HTTP/2 connection over a channel: bytes in and out of an nghttp2 session, one write per
// flush(). The session's callbacks are its user's. Is not for the daemon. Neighbours: channel.h
// below; load_h2.cc, replica_h2.cc, floor_h2.cc, floor_to_h2.cc above.

#include <charconv>
#include <csignal>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "tests/bench/src/channel.h"

namespace limpet::bench {

constexpr uint32_t kStreamWindowBytes = 1 << 20;
constexpr int32_t kConnectionWindowBytes = 4 << 20;
constexpr uint32_t kStreamsMax = 1000;

inline nghttp2_nv field(std::string_view name, std::string_view value) {
  const auto octets = [](std::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {octets(name), octets(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline size_t number_of(std::string_view text) {
  size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// Calls `on_field(name, value)` for each line behind the first one of an HTTP/1 head, until it is
/// false. Names are in lower case and lie in `names`. False where a line has no colon.
template <typename OnField>
bool each_field(std::string_view lines, std::string& names, OnField&& on_field) {
  names.clear();
  names.reserve(lines.size());  // so that the views of it stay
  bool is_more_wanted = true;
  while (!lines.empty() && is_more_wanted) {
    const std::string_view line = lines.substr(0, lines.find("\r\n"));
    lines.remove_prefix(line.size() + 2);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return false;
    const size_t start = names.size();
    for (const char c : line.substr(0, colon))
      names += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' '))
      value.remove_prefix(1);
    is_more_wanted = on_field(std::string_view(names).substr(start), value);
  }
  return true;
}

inline bool ends_stream(const nghttp2_frame* frame) {
  return (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
}

/// What every program of the bench tells its HTTP/2 peer first.
inline void submit_greeting(nghttp2_session* session) {
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kStreamsMax},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindowBytes},
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
  const size_t count = nghttp2_session_check_server_session(session) != 0 ? 2 : 3;
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, count);
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, kConnectionWindowBytes);
}

/// The buffers that all connections of a program share, since it has one thread.
struct Scratch {
  static constexpr size_t kBytes = 256 * 1024;
  std::vector<char> in = std::vector<char>(kBytes), out = std::vector<char>(kBytes);
};

class H2Connection {
 public:
  enum class Flushed { kAll, kWaiting, kBroken };

  H2Connection(Channel channel, Scratch& scratch)
      : channel_(std::move(channel)), scratch_(scratch) {}
  H2Connection(const H2Connection&) = delete;
  H2Connection& operator=(const H2Connection&) = delete;
  ~H2Connection() {
    nghttp2_session_del(session_);
    channel_.close();
  }

  int fd() const { return channel_.fd(); }
  nghttp2_session* session() { return session_; }
  uint64_t received_bytes() const { return received_bytes_; }

  void begin_server(nghttp2_session_callbacks* callbacks, void* user) {
    if (nghttp2_session_server_new(&session_, callbacks, user) != 0) die("nghttp2");
    submit_greeting(session_);
  }

  void begin_client(nghttp2_session_callbacks* callbacks, void* user) {
    if (nghttp2_session_client_new(&session_, callbacks, user) != 0) die("nghttp2");
    submit_greeting(session_);
    channel_.shake();
  }

  /// Takes in what has come; false where the connection is over.
  bool read() {
    do {
      const ssize_t received = channel_.receive(scratch_.in.data(), scratch_.in.size());
      if (received < 0) return false;
      if (received == 0) return true;
      received_bytes_ += static_cast<uint64_t>(received);
      const auto* data = reinterpret_cast<const uint8_t*>(scratch_.in.data());
      if (nghttp2_session_mem_recv(session_, data, static_cast<size_t>(received)) != received) {
        return false;
      }
    } while (channel_.has_more());
    return nghttp2_session_want_read(session_) != 0;
  }

  /// Sends all that the session has to say, gathered into as few writes as the scratch allows;
  /// nothing before the handshake, after which the peer's first bytes bring us here again.
  Flushed flush() {
    if (!channel_.is_ready()) return Flushed::kAll;
    for (;;) {
      if (!unsent_.empty()) {
        const ssize_t sent = channel_.send(unsent_.data(), unsent_.size());
        if (sent < 0) return Flushed::kBroken;
        unsent_.erase(0, static_cast<size_t>(sent));
        if (!unsent_.empty()) return Flushed::kWaiting;
      }
      const size_t size = gather();
      if (size == 0) return Flushed::kAll;
      const ssize_t sent = channel_.send(scratch_.out.data(), size);
      if (sent < 0) return Flushed::kBroken;
      const auto taken = static_cast<size_t>(sent);
      if (taken < size) unsent_.assign(scratch_.out.data() + taken, size - taken);
    }
  }

  /// Flushes, and lets the poller tell when the rest may go; false where the connection is over.
  bool flush(Poller& poller) {
    const Flushed flushed = flush();
    if (flushed == Flushed::kBroken) return false;
    const bool waits = flushed == Flushed::kWaiting;
    if (waits != waits_) poller.change(fd(), EPOLLIN | (waits ? uint32_t{EPOLLOUT} : 0));
    waits_ = waits;
    return true;
  }

 private:
  static constexpr size_t kChunkBytesMax = 32 * 1024;

  size_t gather() {
    size_t size = 0;
    while (size + kChunkBytesMax <= scratch_.out.size()) {
      const uint8_t* data = nullptr;
      const ssize_t chunk = nghttp2_session_mem_send(session_, &data);
      if (chunk <= 0) break;
      if (static_cast<size_t>(chunk) > kChunkBytesMax) die("a frame of that size");
      std::memcpy(scratch_.out.data() + size, data, static_cast<size_t>(chunk));
      size += static_cast<size_t>(chunk);
    }
    return size;
  }

  Channel channel_;
  Scratch& scratch_;
  nghttp2_session* session_ = nullptr;
  std::string unsent_;
  bool waits_ = false;
  uint64_t received_bytes_ = 0;
};

/// The connections that have something to say at the end of this wakeup, each once.
class DirtyList {
 public:
  void mark(int fd) {
    const auto at = static_cast<size_t>(fd);
    if (is_marked_.size() <= at) is_marked_.resize(at + 1);
    if (!is_marked_[at]) marked_.push_back(fd);
    is_marked_[at] = true;
  }

  /// Calls `flush` for each; more may be marked meanwhile.
  template <typename Flush>
  void flush_all(Flush flush) {
    for (size_t i = 0; i < marked_.size(); ++i) {
      is_marked_[static_cast<size_t>(marked_[i])] = false;
      flush(marked_[i]);
    }
    marked_.clear();
  }

 private:
  std::vector<int> marked_;
  std::vector<char> is_marked_;  // by descriptor
};

}  // namespace limpet::bench
