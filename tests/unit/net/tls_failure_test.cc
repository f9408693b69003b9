// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/tls_failure.h"

#include <set>
#include <string_view>

#include <doctest/doctest.h>

using namespace limpet;  // NOLINT(google-build-using-namespace)

TEST_CASE("a cause of failed handshakes gets one line a second, which counts the silent ones") {
  TlsFailureLog log;
  const Instant start{std::chrono::seconds(100)};
  CHECK(log.admit(TlsFailureCause::kNotTls, start) == 0);
  CHECK_FALSE(log.admit(TlsFailureCause::kNotTls, start + std::chrono::milliseconds(1)));
  CHECK_FALSE(log.admit(TlsFailureCause::kNotTls, start + std::chrono::milliseconds(999)));
  CHECK(log.admit(TlsFailureCause::kClosed, start) == 0);
  CHECK(log.admit(TlsFailureCause::kNotTls, start + std::chrono::seconds(1)) == 2);
  CHECK(log.admit(TlsFailureCause::kNotTls, start + std::chrono::seconds(5)) == 0);
}

TEST_CASE("every cause of a failed handshake has a word of its own") {
  std::set<std::string_view> words;
  for (std::size_t i = 0; i < kTlsFailureCauses; ++i)
    words.insert(word_of(static_cast<TlsFailureCause>(i)));
  CHECK(words.size() == kTlsFailureCauses);
  CHECK(words.contains("no-shared-cipher"));
  CHECK(words.contains("other"));
}
