// SPDX-License-Identifier: Apache-2.0
#include "tests/support/certificates.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

namespace limpet::test {
namespace {

template <auto kFree>
struct Freeing {
  template <typename Handle>
  void operator()(Handle* handle) const {
    kFree(handle);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freeing<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freeing<X509_free>>;
using Memory = std::unique_ptr<BIO, Freeing<BIO_free>>;

void must(bool is_done) {
  if (!is_done) throw std::runtime_error("OpenSSL cannot make the certificates of a test");
}

Key make_key(KeyKind kind) {
  Key key(kind == KeyKind::kRsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"));
  must(key != nullptr);
  return key;
}

std::string text_in(BIO* memory) {
  char* bytes = nullptr;
  const long count = BIO_ctrl(memory, BIO_CTRL_INFO, 0, &bytes);
  return {bytes, static_cast<std::size_t>(count)};
}

std::string pem_of(X509* certificate) {
  const Memory out(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_X509(out.get(), certificate) == 1);
  return text_in(out.get());
}

std::string pem_of(EVP_PKEY* key, const char* passphrase) {
  const Memory out(BIO_new(BIO_s_mem()));
  const std::string_view secret = passphrase == nullptr ? "" : passphrase;
  must(PEM_write_bio_PKCS8PrivateKey(
           out.get(), key, passphrase == nullptr ? nullptr : EVP_aes_128_cbc(), secret.data(),
           static_cast<int>(secret.size()), nullptr, nullptr) == 1);
  return text_in(out.get());
}

Certificate certificate_in(const std::string& pem) {
  const Memory in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Certificate certificate(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  must(certificate != nullptr);
  return certificate;
}

Key key_in(const std::string& pem) {
  const Memory in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Key key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  must(key != nullptr);
  return key;
}

void add_extension(X509* certificate, int nid, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  must(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

/// Everything but issuer, extensions and signature.
Certificate begin_certificate(EVP_PKEY* key, const CertificateWish& wish) {
  Certificate certificate(X509_new());
  must(certificate != nullptr && X509_set_version(certificate.get(), X509_VERSION_3) == 1);
  std::array<unsigned char, 8> serial{};
  must(RAND_bytes(serial.data(), serial.size()) == 1);
  serial[0] = static_cast<unsigned char>((serial[0] & 0x3f) | 0x40);
  BIGNUM* number = BN_bin2bn(serial.data(), serial.size(), nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate.get()));
  BN_free(number);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), wish.begins.count());
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), wish.ends.count());
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  const auto* text = reinterpret_cast<const unsigned char*>(wish.subject.c_str());
  must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1);
  must(X509_set_pubkey(certificate.get(), key) == 1);
  return certificate;
}

}  // namespace

CertificateAuthority::CertificateAuthority(std::string_view name) {
  Key key = make_key(KeyKind::kEcdsa);
  CertificateWish wish;
  wish.subject = name;
  Certificate certificate = begin_certificate(key.get(), wish);
  must(X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get())) == 1);
  add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate.get(), NID_key_usage, "critical,keyCertSign,digitalSignature");
  must(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
  key_ = key.release();
  certificate_ = certificate.release();
}

CertificateAuthority::~CertificateAuthority() {
  X509_free(certificate_);
  EVP_PKEY_free(key_);
}

PemPair CertificateAuthority::issue(const CertificateWish& wish) const {
  const Key key = make_key(wish.kind);
  const Certificate certificate = begin_certificate(key.get(), wish);
  must(X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate_)) == 1);
  std::string names;
  for (const std::string& name : wish.names) {
    const bool is_address = name.find_first_not_of("0123456789.:") == std::string::npos;
    names += (names.empty() ? "" : ",") + std::string(is_address ? "IP:" : "DNS:") + name;
  }
  if (!names.empty()) add_extension(certificate.get(), NID_subject_alt_name, names);
  must(X509_sign(certificate.get(), key_, EVP_sha256()) > 0);
  return {pem_of(certificate.get()), pem_of(key.get(), nullptr)};
}

std::string CertificateAuthority::pem() const { return pem_of(certificate_); }

std::string CertificateAuthority::staple_for(const PemPair& pair, std::chrono::seconds next_update,
                                             Said said) const {
  const Certificate leaf = certificate_in(pair.cert);
  OCSP_BASICRESP* basic = OCSP_BASICRESP_new();
  OCSP_CERTID* id = OCSP_cert_to_id(nullptr, leaf.get(), certificate_);
  ASN1_TIME* begins = X509_gmtime_adj(nullptr, -7 * 24 * 3600);
  ASN1_TIME* ends = X509_gmtime_adj(nullptr, next_update.count());
  const int status = said == Said::kGood      ? V_OCSP_CERTSTATUS_GOOD
                     : said == Said::kRevoked ? V_OCSP_CERTSTATUS_REVOKED
                                              : V_OCSP_CERTSTATUS_UNKNOWN;
  ASN1_TIME* const revoked = said == Said::kRevoked ? begins : nullptr;
  must(OCSP_basic_add1_status(basic, id, status, 0, revoked, begins, ends) != nullptr);
  must(OCSP_basic_sign(basic, certificate_, key_, EVP_sha256(), nullptr, 0) == 1);
  OCSP_RESPONSE* response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
  unsigned char* der = nullptr;
  const int count = i2d_OCSP_RESPONSE(response, &der);
  must(count > 0);
  std::string bytes(reinterpret_cast<const char*>(der), static_cast<std::size_t>(count));
  OPENSSL_free(der);
  OCSP_RESPONSE_free(response);
  ASN1_TIME_free(ends);
  ASN1_TIME_free(begins);
  OCSP_CERTID_free(id);
  OCSP_BASICRESP_free(basic);
  return bytes;
}

std::string encrypted_key(const PemPair& pair) {
  const Key key = key_in(pair.key);
  return pem_of(key.get(), "a passphrase");
}

TestFolder::TestFolder() : path_(std::filesystem::temp_directory_path() / "limpet-test-XXXXXX") {
  must(::mkdtemp(path_.data()) != nullptr);
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TestFolder::path_of(std::string_view name) const {
  return path_ + '/' + std::string(name);
}

std::string TestFolder::write(std::string_view name, std::string_view content) const {
  const std::string path = path_of(name);
  std::ofstream(path + ".new", std::ios::binary) << content;
  std::filesystem::rename(path + ".new", path);
  return path;
}

}  // namespace limpet::test
