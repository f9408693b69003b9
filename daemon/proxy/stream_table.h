// SPDX-License-Identifier: Apache-2.0
#pragma once
// StreamTable: the streams of one HTTP/2 connection by number. Intrusive: it has no memory of its
// own but rows of heads, a few for a connection with few streams or none, more while it has many.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace limpet {

template <typename T>
class StreamTable;

/// What makes a class a member of a StreamTable.
template <typename T>
class StreamNode {
 public:
  [[nodiscard]] std::uint32_t number() const noexcept { return number_; }
  [[nodiscard]] bool is_in_table() const noexcept { return number_ != 0; }

 private:
  friend class StreamTable<T>;
  T* next_ = nullptr;
  std::uint32_t number_ = 0;
};

/// Streams by number.
/// Borrows: its members, which leave before they die.
template <typename T>
class StreamTable {
 public:
  StreamTable() = default;
  StreamTable(const StreamTable&) = delete;
  StreamTable& operator=(const StreamTable&) = delete;

  [[nodiscard]] T* find(std::uint32_t number) const noexcept {
    T* at = *row_of(number);
    while (at != nullptr && node(*at).number_ != number)
      at = node(*at).next_;
    return at;
  }
  void add(T& stream, std::uint32_t number) {
    if (size_ == kFewMax && many_ == nullptr) spread();
    node(stream).number_ = number;
    put(stream);
    ++size_;
  }
  void remove(T& stream) noexcept {
    T** place = row_of(node(stream).number_);
    while (*place != &stream)
      place = &node(**place).next_;
    *place = node(stream).next_;
    node(stream).next_ = nullptr;
    node(stream).number_ = 0;
    if (--size_ == 0) many_.reset();
  }
  /// Any member, or null.
  [[nodiscard]] T* any() const noexcept {
    for (T* head : rows()) {
      if (head != nullptr) return head;
    }
    return nullptr;
  }
  /// Calls `visit` with each member, which may not leave meanwhile.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (T* head : rows()) {
      for (T* at = head; at != nullptr; at = node(*at).next_)
        visit(*at);
    }
  }
  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }

 private:
  static constexpr std::size_t kFewRows = 4;
  static constexpr std::size_t kManyRows = 64;
  static constexpr std::uint32_t kFewMax = 16;  ///< members of the few rows
  using ManyRows = std::array<T*, kManyRows>;

  [[nodiscard]] std::span<T* const> rows() const noexcept {
    if (many_ != nullptr) return *many_;
    return few_;
  }
  // Numbers of one side are all odd or all even (RFC 9113 section 5.1.1).
  [[nodiscard]] T* const* row_of(std::uint32_t number) const noexcept {
    const std::size_t step = number >> 1;
    return many_ != nullptr ? &(*many_)[step % kManyRows] : &few_[step % kFewRows];
  }
  [[nodiscard]] T** row_of(std::uint32_t number) noexcept {
    const std::size_t step = number >> 1;
    return many_ != nullptr ? &(*many_)[step % kManyRows] : &few_[step % kFewRows];
  }
  void put(T& stream) noexcept {
    T** const head = row_of(node(stream).number_);
    node(stream).next_ = *head;
    *head = &stream;
  }
  void spread() {
    const std::array<T*, kFewRows> members = std::exchange(few_, {});
    many_ = std::make_unique<ManyRows>();
    for (T* head : members) {
      while (head != nullptr)
        put(*std::exchange(head, node(*head).next_));
    }
  }
  static StreamNode<T>& node(T& stream) noexcept { return stream; }

  std::array<T*, kFewRows> few_{};
  std::unique_ptr<ManyRows> many_;  ///< in place of the few, until the table is empty
  std::uint32_t size_ = 0;
};

}  // namespace limpet
