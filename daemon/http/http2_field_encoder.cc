// SPDX-License-Identifier: Apache-2.0
#include "daemon/http/http2_field_encoder.h"

#include <algorithm>
#include <cstring>

namespace limpet {

namespace {

using Keeping = Http2FieldEncoder::Keeping;
using Pseudo = Http2FieldEncoder::Pseudo;

// RFC 7541 section 4.1.
constexpr std::uint32_t kEntryBytes = 32;
// Appendix A has as many.
constexpr std::uint32_t kStaticPlaces = 61;
// How many entries of a bucket are looked at: a name that has had more values than these has
// another one each time.
constexpr int kLookedAtMax = 8;

// RFC 7541 section 6: what an octet says that begins a field.
enum Form : std::uint8_t {
  kIndexed = 0x80,
  kRemembered = 0x40,
  kTableSize = 0x20,
  kNeverIndexed = 0x10,
  kNotIndexed = 0x00
};

struct Known {
  std::uint8_t place = 0;
  Keeping keeping = Keeping::kWhole;
};

struct RareName {
  std::string_view name;
  std::uint8_t place;
  Keeping keeping = Keeping::kWhole;
};

// Names of the static table that have no FieldName, by length.
constexpr std::array<RareName, 30> kRareNames = {{
    {"age", 21, Keeping::kName},
    {"etag", 34, Keeping::kName},
    {"from", 37},
    {"link", 45},
    {"vary", 59},
    {"allow", 22},
    {"range", 50, Keeping::kName},
    {"expires", 36},
    {"refresh", 52},
    {"if-match", 39, Keeping::kName},
    {"if-range", 42, Keeping::kName},
    {"max-forwards", 47},
    {"accept-ranges", 18},
    {"content-range", 30, Keeping::kName},
    {"if-none-match", 41, Keeping::kName},
    {"last-modified", 44},
    {"accept-charset", 15},
    {"accept-encoding", 16},
    {"accept-language", 17},
    {"content-encoding", 26},
    {"content-language", 27},
    {"content-location", 29},
    {"www-authenticate", 61},
    {"if-modified-since", 40, Keeping::kName},
    {"proxy-authenticate", 48},
    {"content-disposition", 25},
    {"if-unmodified-since", 43, Keeping::kName},
    {"proxy-authorization", 49, Keeping::kNothing},
    {"strict-transport-security", 56},
    {"access-control-allow-origin", 20},
}};
constexpr std::size_t kRareBytesMax = 27;

// Where the names of a length begin among them.
constexpr auto kRareByLength = [] {
  std::array<std::uint8_t, kRareBytesMax + 2> first{};
  for (std::size_t length = 0; length < first.size(); ++length) {
    std::size_t at = 0;
    while (at < kRareNames.size() && kRareNames[at].name.size() < length)
      ++at;
    first[length] = static_cast<std::uint8_t>(at);
  }
  return first;
}();

[[nodiscard]] Known rare(std::string_view name) noexcept {
  if (name.size() <= kRareBytesMax) {
    const std::size_t end = kRareByLength[name.size() + 1];
    for (std::size_t at = kRareByLength[name.size()]; at < end; ++at) {
      if (std::memcmp(kRareNames[at].name.data(), name.data(), name.size()) == 0)
        return {kRareNames[at].place, kRareNames[at].keeping};
    }
  }
  return {};
}

struct Place {
  FieldName id;
  std::uint8_t place;
  Keeping keeping = Keeping::kWhole;
};

// What else is not simply kept whole. What is a secret stays out of every table; what is another
// value each time would only drive out what comes again.
constexpr std::array kPlaces = {
    Place{FieldName::kAccept, 19},
    Place{FieldName::kAuthorization, 23, Keeping::kNothing},
    Place{FieldName::kCacheControl, 24},
    Place{FieldName::kContentLength, 28, Keeping::kName},
    Place{FieldName::kContentType, 31},
    Place{FieldName::kCookie, 32, Keeping::kNothing},
    Place{FieldName::kDate, 33},
    Place{FieldName::kExpect, 35},
    Place{FieldName::kForwarded, 0, Keeping::kName},
    Place{FieldName::kHost, 38},
    Place{FieldName::kLastEventId, 0, Keeping::kName},
    Place{FieldName::kLocation, 46, Keeping::kName},
    Place{FieldName::kMcpSessionId, 0, Keeping::kNothing},
    Place{FieldName::kReferer, 51},
    Place{FieldName::kRetryAfter, 53, Keeping::kName},
    Place{FieldName::kServer, 54},
    Place{FieldName::kSetCookie, 55, Keeping::kNothing},
    Place{FieldName::kTraceparent, 0, Keeping::kName},
    Place{FieldName::kTransferEncoding, 57},
    Place{FieldName::kUserAgent, 58},
    Place{FieldName::kVia, 60},
    Place{FieldName::kXForwardedFor, 0, Keeping::kName},
    Place{FieldName::kXRequestId, 0, Keeping::kName},
};

constexpr auto kPlaceOf = [] {
  std::array<Known, static_cast<std::size_t>(FieldName::kCount)> all{};
  for (const Place& one : kPlaces)
    all[static_cast<std::size_t>(one.id)] = {one.place, one.keeping};
  return all;
}();

// RFC 7541 appendix A.
[[nodiscard]] std::uint32_t status_place(std::string_view status) noexcept {
  static constexpr std::array<std::string_view, 7> kStatuses = {"200", "204", "206", "304",
                                                                "400", "404", "500"};
  for (std::uint32_t at = 0; at < kStatuses.size(); ++at) {
    if (std::memcmp(status.data(), kStatuses[at].data(), 3) == 0)
      return static_cast<std::uint32_t>(Pseudo::kStatus) + at;
  }
  return 0;
}

// The place of a pseudo-header field in the static table, by what it says; 0 is none.
[[nodiscard]] std::uint32_t place_of(Pseudo name, std::string_view value) noexcept {
  const auto place = static_cast<std::uint32_t>(name);
  switch (name) {
    case Pseudo::kMethod:
      return value == "GET" ? place : value == "POST" ? place + 1 : 0;
    case Pseudo::kPath:
      return value == "/" ? place : 0;
    case Pseudo::kScheme:
      return value == "http" ? place : value == "https" ? place + 1 : 0;
    case Pseudo::kStatus:
      return value.size() == 3 ? status_place(value) : 0;
    case Pseudo::kProtocol:
    case Pseudo::kAuthority:
      break;
  }
  return 0;
}

[[nodiscard]] std::string_view text_of(Pseudo name) noexcept {
  switch (name) {
    case Pseudo::kProtocol:
      return ":protocol";
    case Pseudo::kAuthority:
      return ":authority";
    case Pseudo::kMethod:
      return ":method";
    case Pseudo::kPath:
      return ":path";
    case Pseudo::kScheme:
      return ":scheme";
    case Pseudo::kStatus:
      return ":status";
  }
  return {};
}

template <typename Number>
[[nodiscard]] std::uint64_t number_at(const char* text) noexcept {
  Number number;
  std::memcpy(&number, text, sizeof number);
  return number;
}

// Of both ends and the middle. Texts that are the same to it are told apart by looking at them.
[[nodiscard]] std::uint32_t hash_of(std::string_view text) noexcept {
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15U;
  const std::size_t bytes = text.size();
  const char* const first = text.data();
  std::uint64_t mixed = bytes;
  if (bytes >= 8) {
    mixed += number_at<std::uint64_t>(first) * kOdd;
    mixed ^= number_at<std::uint64_t>(first + (bytes / 2 - 4)) * (kOdd << 8 | 1);
    mixed ^= number_at<std::uint64_t>(first + bytes - 8);
  } else if (bytes >= 4) {
    mixed += number_at<std::uint32_t>(first) * kOdd;
    mixed ^= number_at<std::uint32_t>(first + bytes - 4);
  } else if (bytes > 0) {
    mixed += number_at<std::uint8_t>(first) << 16 |
             number_at<std::uint8_t>(first + bytes / 2) << 8 |
             number_at<std::uint8_t>(first + bytes - 1);
  }
  return static_cast<std::uint32_t>(mixed * kOdd >> 32);
}

[[nodiscard]] char octet(std::uint64_t value) noexcept {
  return static_cast<char>(static_cast<unsigned char>(value));
}

// RFC 7541 section 5.1.
[[nodiscard]] char* put_number(char* at, std::uint8_t form, std::uint8_t prefix_bits,
                               std::uint64_t number) noexcept {
  const std::uint64_t full = (1U << prefix_bits) - 1;
  if (number < full) {
    *at = octet(form | number);
    return at + 1;
  }
  *at++ = octet(form | full);
  for (number -= full; number >= 0x80; number >>= 7)
    *at++ = octet(number | 0x80);
  *at++ = octet(number);
  return at;
}

[[nodiscard]] char* put_text(char* at, std::string_view text) noexcept {
  at = put_number(at, 0, 7, text.size());
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

}  // namespace

Http2FieldEncoder::~Http2FieldEncoder() {
  memory_.give(entries_);
  memory_.give(texts_);
}

void Http2FieldEncoder::limit_table(std::uint32_t bytes) noexcept {
  bytes = std::min(bytes, kTableBytes);
  if (bytes == limit_) return;
  limit_ = bytes;
  lowest_limit_ = is_limit_news_ ? std::min(lowest_limit_, bytes) : bytes;
  is_limit_news_ = true;
  shrink_to(bytes);
}

// RFC 7541 section 4.2: the lowest of the sizes since, and the present one.
char* Http2FieldEncoder::begin_block(char* at) noexcept {
  if (!is_limit_news_) return at;
  is_limit_news_ = false;
  if (lowest_limit_ < limit_) at = put_number(at, kTableSize, 5, lowest_limit_);
  return put_number(at, kTableSize, 5, limit_);
}

char* Http2FieldEncoder::put(char* at, Pseudo name, std::string_view value) noexcept {
  if (const std::uint32_t place = place_of(name, value); place != 0)
    return put_number(at, kIndexed, 7, place);
  const auto place = static_cast<std::uint32_t>(name);
  if (name == Pseudo::kPath) return put_text(put_number(at, kNotIndexed, 4, place), value);
  const std::string_view text = limpet::text_of(name);
  return put_kept(at, place, Keeping::kWhole,
                  {FieldName::kOther, text, value, hash_of(text), hash_of(value)});
}

char* Http2FieldEncoder::put(char* at, FieldName id, std::string_view name,
                             std::string_view value) noexcept {
  const bool is_known = id != FieldName::kOther;
  const Known known = is_known ? kPlaceOf[static_cast<std::size_t>(id)] : rare(name);
  if (known.keeping == Keeping::kWhole || (known.keeping == Keeping::kName && known.place == 0)) {
    return put_kept(at, known.place, known.keeping,
                    {id, name, value, is_known ? static_cast<std::uint32_t>(id) : hash_of(name),
                     known.keeping == Keeping::kWhole ? hash_of(value) : 0});
  }
  at =
      put_number(at, known.keeping == Keeping::kName ? kNotIndexed : kNeverIndexed, 4, known.place);
  if (known.place == 0) at = put_text(at, name);
  return put_text(at, value);
}

// A name that is in no table is remembered with the first of its values.
char* Http2FieldEncoder::put_kept(char* at, std::uint32_t place, Keeping keeping,
                                  const Subject& subject) noexcept {
  const Found found = find(subject);
  if (found.whole != 0) return put_number(at, kIndexed, 7, found.whole);
  if (place == 0) place = found.name;
  if ((keeping == Keeping::kWhole || place == 0) && remember(subject)) {
    at = put_number(at, kRemembered, 6, place);
  } else {
    at = put_number(at, kNotIndexed, 4, place);
  }
  if (place == 0) at = put_text(at, subject.name);
  return put_text(at, subject.value);
}

// Names that limpet knows have hashes that no two of them share.
bool Http2FieldEncoder::has_name(const Entry& one, const char* text,
                                 const Subject& subject) noexcept {
  if (one.name_hash != subject.name_hash || one.id != subject.id) return false;
  return one.id != FieldName::kOther ||
         (one.name_bytes == subject.name.size() &&
          std::memcmp(text, subject.name.data(), one.name_bytes) == 0);
}

// Entries of a bucket go from the newest to older ones; one that is gone ends them.
Http2FieldEncoder::Found Http2FieldEncoder::find(const Subject& subject) const noexcept {
  Found found;
  std::uint16_t number = newest_[subject.name_hash % kBuckets];
  for (int looked_at = 0; looked_at < kLookedAtMax; ++looked_at) {
    const auto age = static_cast<std::uint16_t>(next_ - 1 - number);
    if (age >= count_) break;
    const Entry& one = entry(number);
    const char* const text = text_of(one);
    if (has_name(one, text, subject)) {
      found.name = kStaticPlaces + 1 + age;
      if (one.value_hash == subject.value_hash && one.value_bytes == subject.value.size() &&
          std::memcmp(text + one.name_bytes, subject.value.data(), one.value_bytes) == 0) {
        found.whole = found.name;
        break;
      }
    }
    number = one.older;
  }
  return found;
}

// What would drive out most of the others is not kept.
bool Http2FieldEncoder::fits(const Subject& subject) const noexcept {
  return subject.name.size() + subject.value.size() + kEntryBytes <= limit_ / 2;
}

bool Http2FieldEncoder::remember(const Subject& subject) noexcept {
  if (!fits(subject)) return false;
  const auto text_bytes = static_cast<std::uint32_t>(subject.name.size() + subject.value.size());
  shrink_to(limit_ - text_bytes - kEntryBytes);
  if (!make_room_for_entry() || !make_room_for_text(text_bytes)) return false;
  char* const text = texts_ + texts_end_;
  std::memcpy(text, subject.name.data(), subject.name.size());
  if (!subject.value.empty())
    std::memcpy(text + subject.name.size(), subject.value.data(), subject.value.size());
  std::uint16_t& newest = newest_[subject.name_hash % kBuckets];
  entry(next_) = {subject.name_hash,
                  subject.value_hash,
                  texts_from_ + texts_end_,
                  static_cast<std::uint16_t>(subject.name.size()),
                  static_cast<std::uint16_t>(subject.value.size()),
                  newest,
                  subject.id};
  newest = static_cast<std::uint16_t>(next_++);
  texts_end_ += text_bytes;
  table_bytes_ += text_bytes + kEntryBytes;
  ++count_;
  return true;
}

bool Http2FieldEncoder::make_room_for_entry() noexcept {
  constexpr std::uint16_t kFirstRoom = 8;
  if (count_ < entries_room_) return true;
  const auto room = static_cast<std::uint16_t>(std::max<int>(kFirstRoom, entries_room_ * 2));
  auto* const more = static_cast<Entry*>(memory_.take(room * sizeof(Entry)));
  if (more == nullptr) return false;
  for (std::uint32_t number = next_ - count_; number != next_; ++number)
    more[number & (room - 1U)] = entry(number);
  memory_.give(entries_);
  entries_ = more;
  entries_room_ = room;
  return true;
}

bool Http2FieldEncoder::make_room_for_text(std::size_t bytes) noexcept {
  constexpr std::uint32_t kFirstRoom = 240;
  if (texts_room_ - texts_end_ >= bytes) return true;
  const std::uint32_t held = texts_end_ - texts_begin_;
  if (held + bytes > texts_room_ / 2) {
    std::uint32_t room = std::max(kFirstRoom, texts_room_);
    while (room < held + bytes)
      room *= 2;
    if (room == texts_room_) room *= 2;
    auto* const more = static_cast<char*>(memory_.resize(texts_, room));
    if (more == nullptr) return false;
    texts_ = more;
    texts_room_ = room;
  }
  if (held > 0) std::memmove(texts_, texts_ + texts_begin_, held);
  texts_from_ += texts_begin_;
  texts_begin_ = 0;
  texts_end_ = held;
  return true;
}

void Http2FieldEncoder::shrink_to(std::uint32_t bytes) noexcept {
  while (table_bytes_ > bytes) {
    const Entry& oldest = entry(next_ - count_);
    const std::uint32_t text_bytes = std::uint32_t{oldest.name_bytes} + oldest.value_bytes;
    texts_begin_ += text_bytes;
    table_bytes_ -= text_bytes + kEntryBytes;
    --count_;
  }
}

}  // namespace limpet
