// SPDX-License-Identifier: Apache-2.0
#pragma once
// Certificates for tests: an authority in memory that issues pairs as PEM texts, made anew in every
// run, and a folder that they can be written to. Nothing secret, nothing kept.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/types.h>

namespace limpet::test {

enum class KeyKind : unsigned char { kEcdsa, kRsa };

/// What a certificate shall say.
struct CertificateWish {
  std::vector<std::string> names;
  std::string subject = "limpet test";  ///< its common name
  KeyKind kind = KeyKind::kEcdsa;
  std::chrono::seconds begins = std::chrono::hours(-24);  ///< from now
  std::chrono::seconds ends = std::chrono::hours(24);     ///< from now
};

/// A certificate and its key, in PEM.
struct PemPair {
  std::string cert;
  std::string key;
};

/// Issues certificates.
class CertificateAuthority {
 public:
  explicit CertificateAuthority(std::string_view name);
  CertificateAuthority(const CertificateAuthority&) = delete;
  CertificateAuthority& operator=(const CertificateAuthority&) = delete;
  ~CertificateAuthority();

  [[nodiscard]] PemPair issue(const CertificateWish& wish) const;
  /// The authority's own certificate.
  [[nodiscard]] std::string pem() const;
  /// An OCSP response about a certificate of this authority, in DER, in force until `next_update`
  /// from now.
  enum class Said : std::uint8_t { kGood, kRevoked, kUnknown };
  [[nodiscard]] std::string staple_for(const PemPair& pair, std::chrono::seconds next_update,
                                       Said said = Said::kGood) const;

 private:
  EVP_PKEY* key_ = nullptr;
  X509* certificate_ = nullptr;
};

/// The private key in PEM, encrypted with a passphrase.
[[nodiscard]] std::string encrypted_key(const PemPair& pair);

/// A folder that goes with the test.
class TestFolder {
 public:
  TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder();

  /// Puts a file in place, as one step; returns its path.
  std::string write(std::string_view name, std::string_view content) const;
  [[nodiscard]] std::string path_of(std::string_view name) const;

 private:
  std::string path_;
};

}  // namespace limpet::test
