// SPDX-License-Identifier: Apache-2.0
#include "daemon/net/tls_certificate.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "daemon/base/text.h"
#include "daemon/base/timestamp.h"
#include "daemon/config/files.h"
#include "daemon/net/tls_staple.h"

namespace limpet {
namespace {

/// OpenSSL asks for a passphrase: there is nobody to type it, and that it was asked is remembered.
int on_passphrase_wanted(char*, int, int, void* was_asked) {
  *static_cast<bool*>(was_asked) = true;
  return -1;
}

Result<std::string> read_marked(const std::string& path, std::string_view what,
                                TlsFindings& findings) {
  findings.files.push_back(mark_of(path));
  Result<std::string> content = read_whole_file(path);
  if (!content) return Error{std::string(what) + " " + path + " " + content.error().text};
  return content;
}

Status read_chain(const std::string& path, std::string_view pem, TlsCertificate& out) {
  const BioHandle reader = reader_of(pem);
  bool was_asked = false;
  out.leaf.reset(PEM_read_bio_X509_AUX(reader.get(), nullptr, on_passphrase_wanted, &was_asked));
  if (out.leaf == nullptr) {
    return Error{"certificate " + path + ": no certificate in it (" + take_library_reason() +
                 "); expected PEM, which begins with -----BEGIN CERTIFICATE-----"};
  }
  while (X509* next = PEM_read_bio_X509(reader.get(), nullptr, on_passphrase_wanted, &was_asked))
    out.chain.emplace_back(next);
  // The end of the file reads as a missing first line.
  const bool is_at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = take_library_reason();
  if (is_at_end) return {};
  return Error{"certificate " + path + ": certificate " + std::to_string(out.chain.size() + 2) +
               " of its chain cannot be read: " + reason};
}

Status read_key(const std::string& path, std::string_view pem, TlsCertificate& out) {
  const BioHandle reader = reader_of(pem);
  bool was_asked = false;
  out.key.reset(PEM_read_bio_PrivateKey(reader.get(), nullptr, on_passphrase_wanted, &was_asked));
  if (out.key != nullptr) {
    out.key_kind = EVP_PKEY_get_base_id(out.key.get());
    return {};
  }
  const std::string reason = take_library_reason();
  if (was_asked) {
    return Error{"key " + path +
                 ": the private key is encrypted; expected one without a passphrase"};
  }
  return Error{"key " + path + ": no private key in it (" + reason +
               "); expected PEM, which begins with -----BEGIN PRIVATE KEY-----"};
}

Status read_chain_of(const std::string& path, TlsCertificate& out, TlsFindings& findings) {
  if (path.empty()) return Error{"cert: expected the path of a PEM file"};
  const Result<std::string> pem = read_marked(path, "certificate", findings);
  return pem ? read_chain(path, *pem, out) : Status(pem.error());
}

Status read_key_of(const std::string& path, TlsCertificate& out, TlsFindings& findings) {
  if (path.empty()) return Error{"key: expected the path of a PEM file"};
  Result<std::string> pem = read_marked(path, "key", findings);
  if (!pem) return pem.error();
  Status status = read_key(path, *pem, out);
  OPENSSL_cleanse(pem->data(), pem->size());
  return status;
}

WallSeconds seconds_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return WallSeconds(std::chrono::seconds(::timegm(&parts)));
}

std::string text_of(WallSeconds when) {
  std::string text;
  Timestamp().append_rfc3339(text, when);
  return text;
}

/// A name as it is compared: in lower case; "" where it is no name for a host.
std::string plain_name(const ASN1_STRING* raw) {
  const std::string name =
      text::to_lower({reinterpret_cast<const char*>(ASN1_STRING_get0_data(raw)),
                      static_cast<std::size_t>(std::max(0, ASN1_STRING_length(raw)))});
  const bool is_plain = std::all_of(name.begin(), name.end(), [](char c) {
    return text::is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_' ||
           c == '*';
  });
  return is_plain ? name : std::string();
}

void add_alternative_names(const X509* leaf, std::vector<std::string>& names) {
  auto* all =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all, i);
    if (name->type != GEN_DNS) continue;
    std::string plain = plain_name(name->d.dNSName);
    if (!plain.empty()) names.push_back(std::move(plain));
  }
  GENERAL_NAMES_free(all);
}

/// Old private authorities put the only name into the subject.
void add_common_name(const X509* leaf, std::vector<std::string>& names) {
  const X509_NAME* subject = X509_get_subject_name(leaf);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return;
  std::string plain = plain_name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (!plain.empty()) names.push_back(std::move(plain));
}

void note_validity(const TlsCertificate& certificate, TlsFindings& findings) {
  const std::string& file = certificate.facts.file;
  if (X509_cmp_current_time(X509_get0_notAfter(certificate.leaf.get())) < 0) {
    findings.warnings.push_back("certificate " + file + " expired at " +
                                text_of(certificate.facts.not_after) +
                                "; clients refuse it until it is renewed");
  } else if (X509_cmp_current_time(X509_get0_notBefore(certificate.leaf.get())) > 0) {
    findings.warnings.push_back("certificate " + file +
                                " is not valid yet; clients refuse it until it is");
  }
}

void read_staple_of(const std::string& path, TlsCertificate& out, TlsFindings& findings) {
  if (path.empty()) return;
  const Result<std::string> content = read_marked(path, "ocsp", findings);
  const Result<Staple> staple =
      content ? parse_staple(*content, out.leaf.get()) : Result<Staple>(content.error());
  if (!staple) {
    const std::string& why = staple.error().text;
    findings.warnings.push_back((content ? "ocsp " + path + ": " + why : why) +
                                "; no staple is sent with " + out.facts.file);
    return;
  }
  // What the authority says is for the clients to hear, be it bad.
  if (staple->said != Staple::Said::kGood) {
    findings.warnings.push_back(
        "ocsp " + path + ": the authority " +
        (staple->said == Staple::Said::kRevoked ? "has revoked" : "does not know") +
        " certificate " + out.facts.file + "; clients that look at the staple refuse it");
  }
  out.staple = *content;
  out.staple_until = staple->good_until;
}

}  // namespace

std::optional<TlsCertificate> read_certificate(const CertificateModel& model,
                                               TlsFindings& findings) {
  TlsCertificate out;
  const Status chain = read_chain_of(model.cert, out, findings);
  if (!chain) findings.mistakes.push_back({model.settings, "cert", chain.error().text});
  const Status key = read_key_of(model.key, out, findings);
  if (!key) findings.mistakes.push_back({model.settings, "key", key.error().text});
  if (!chain || !key) return std::nullopt;
  if (X509_check_private_key(out.leaf.get(), out.key.get()) != 1) {
    ERR_clear_error();
    findings.mistakes.push_back(
        {model.settings, "key",
         "key " + model.key + " does not belong to certificate " + model.cert +
             "; expected the private key that the certificate was made for"});
    return std::nullopt;
  }
  out.facts.file = model.cert;
  out.facts.not_after = seconds_of(X509_get0_notAfter(out.leaf.get()));
  add_alternative_names(out.leaf.get(), out.facts.names);
  if (out.facts.names.empty()) add_common_name(out.leaf.get(), out.facts.names);
  note_validity(out, findings);
  read_staple_of(model.ocsp, out, findings);
  return out;
}

Status use_certificate(ssl_ctx_st* context, const TlsCertificate& certificate) {
  STACK_OF(X509)* chain = sk_X509_new_null();
  for (const X509Handle& link : certificate.chain)
    sk_X509_push(chain, link.get());
  const bool is_used = SSL_CTX_use_cert_and_key(context, certificate.leaf.get(),
                                                certificate.key.get(), chain, 1) == 1;
  sk_X509_free(chain);
  if (is_used) return {};
  return Error{"certificate " + certificate.facts.file +
               " cannot be used: " + take_library_reason()};
}

}  // namespace limpet
