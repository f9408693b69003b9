// SPDX-License-Identifier: Apache-2.0
#pragma once
// Handles: OpenSSL's objects as owned pointers, and its reasons as text. For the tls_* files only;
// nothing of OpenSSL is included here, so that its headers stay in sources.

#include <memory>
#include <string>
#include <string_view>

struct bio_st;
struct evp_pkey_st;
struct ssl_ctx_st;
struct x509_st;
struct x509_store_st;

namespace limpet {

struct FreeHandle {
  void operator()(bio_st* bio) const noexcept;
  void operator()(evp_pkey_st* key) const noexcept;
  void operator()(ssl_ctx_st* context) const noexcept;
  void operator()(x509_st* certificate) const noexcept;
  void operator()(x509_store_st* store) const noexcept;
};
using BioHandle = std::unique_ptr<bio_st, FreeHandle>;
using KeyHandle = std::unique_ptr<evp_pkey_st, FreeHandle>;
using SslContextHandle = std::unique_ptr<ssl_ctx_st, FreeHandle>;
using X509Handle = std::unique_ptr<x509_st, FreeHandle>;
using X509StoreHandle = std::unique_ptr<x509_store_st, FreeHandle>;

/// What OpenSSL noted last on this thread, in its own words; takes all its notes away.
[[nodiscard]] std::string take_library_reason();
/// The ciphers of both sides: those with forward secrecy and authenticated encryption, the cheapest
/// first. RFC: 9113 section 9.2.2 forbids the others under h2. Errors: false where OpenSSL refuses.
[[nodiscard]] bool use_modern_ciphers(ssl_ctx_st* context);
/// Reading memory as OpenSSL wants it. Borrows: the bytes.
[[nodiscard]] BioHandle reader_of(std::string_view bytes);

}  // namespace limpet
