// SPDX-License-Identifier: Apache-2.0
#include "modules/affinity/token_crypto.h"

#include <cstring>
#include <string>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include "daemon/base/check.h"

namespace limpet::affinity {

namespace {

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};
using ContextPtr = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

struct FreeCipher {
  void operator()(EVP_CIPHER* cipher) const noexcept { EVP_CIPHER_free(cipher); }
};

// Whatever OpenSSL notes about a failure is taken back at the end of the scope: what TLS of the
// same thread noted before stays.
class QuietErrors {
 public:
  QuietErrors() noexcept { ERR_set_mark(); }
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;
  ~QuietErrors() { ERR_pop_to_mark(); }
};

const unsigned char* bytes_of(std::string_view text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

bool add_bound(EVP_CIPHER_CTX* context, std::string_view text) noexcept {
  int written = 0;
  return text.empty() || EVP_CipherUpdate(context, nullptr, &written, bytes_of(text),
                                          static_cast<int>(text.size())) == 1;
}

const EVP_CIPHER* aes_256_gcm() {
  static const std::unique_ptr<EVP_CIPHER, FreeCipher> cipher(
      EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr));
  CHECK_THAT(cipher != nullptr);
  return cipher.get();
}

}  // namespace

struct AeadKey::Contexts {
  ContextPtr sealing{EVP_CIPHER_CTX_new()};
  ContextPtr opening{EVP_CIPHER_CTX_new()};
};

AeadKey::AeadKey(const KeyBytes& key) : contexts_(std::make_unique<Contexts>()) {
  const EVP_CIPHER* cipher = aes_256_gcm();
  CHECK_THAT(contexts_->sealing != nullptr && contexts_->opening != nullptr);
  CHECK_THAT(EVP_EncryptInit_ex2(contexts_->sealing.get(), cipher, key.data(), nullptr, nullptr) ==
             1);
  CHECK_THAT(EVP_DecryptInit_ex2(contexts_->opening.get(), cipher, key.data(), nullptr, nullptr) ==
             1);
}

AeadKey::AeadKey(AeadKey&& other) noexcept = default;
AeadKey& AeadKey::operator=(AeadKey&& other) noexcept = default;
AeadKey::~AeadKey() = default;

bool AeadKey::seal(const std::uint8_t* nonce, Bound bound, std::string_view plain,
                   std::uint8_t* out) noexcept {
  const QuietErrors quiet;
  EVP_CIPHER_CTX* context = contexts_->sealing.get();
  int written = 0;
  int rest = 0;
  return EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce, nullptr) == 1 &&
         add_bound(context, bound.first) && add_bound(context, bound.second) &&
         EVP_EncryptUpdate(context, out, &written, bytes_of(plain),
                           static_cast<int>(plain.size())) == 1 &&
         EVP_EncryptFinal_ex(context, out + written, &rest) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagBytes, out + plain.size()) == 1;
}

bool AeadKey::open(const std::uint8_t* nonce, Bound bound, std::string_view sealed,
                   std::uint8_t* out) noexcept {
  if (sealed.size() < kTagBytes) return false;
  const QuietErrors quiet;
  EVP_CIPHER_CTX* context = contexts_->opening.get();
  const std::size_t plain_bytes = sealed.size() - kTagBytes;
  std::array<std::uint8_t, kTagBytes> tag;
  std::memcpy(tag.data(), sealed.data() + plain_bytes, kTagBytes);
  int written = 0;
  int rest = 0;
  return EVP_DecryptInit_ex2(context, nullptr, nullptr, nonce, nullptr) == 1 &&
         add_bound(context, bound.first) && add_bound(context, bound.second) &&
         EVP_DecryptUpdate(context, out, &written, bytes_of(sealed),
                           static_cast<int>(plain_bytes)) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1 &&
         EVP_DecryptFinal_ex(context, out + written, &rest) == 1;
}

std::uint8_t key_id_of(const KeyBytes& key) noexcept {
  static constexpr std::string_view kDomain = "limpet affinity key id";
  std::array<std::uint8_t, kDomain.size() + kKeyBytes> input;
  std::memcpy(input.data(), kDomain.data(), kDomain.size());
  std::memcpy(input.data() + kDomain.size(), key.data(), key.size());
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
  const QuietErrors quiet;
  const bool is_made =
      EVP_Digest(input.data(), input.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1;
  wipe(input);
  CHECK_THAT(is_made);
  return digest[0];
}

bool fill_random(std::span<std::uint8_t> bytes) noexcept {
  // Up to 256 bytes come in one piece or not at all.
  for (std::size_t at = 0; at < bytes.size(); at += 256) {
    const std::size_t part = std::min<std::size_t>(256, bytes.size() - at);
    if (::getrandom(bytes.data() + at, part, 0) != static_cast<ssize_t>(part)) return false;
  }
  return true;
}

void wipe(std::span<std::uint8_t> bytes) noexcept { OPENSSL_cleanse(bytes.data(), bytes.size()); }

}  // namespace limpet::affinity
