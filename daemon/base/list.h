// SPDX-License-Identifier: Apache-2.0
#pragma once
// List: an intrusive ring; members unlink themselves, nothing is allocated. It owns nothing.

namespace limpet {

/// What a member of a List inherits. `Tag` tells apart the lists one object may be in.
template <typename T, typename Tag = void>
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  [[nodiscard]] bool is_linked() const noexcept { return next_ != nullptr; }
  void unlink() noexcept {
    if (next_ == nullptr) return;
    before_->next_ = next_;
    next_->before_ = before_;
    before_ = next_ = nullptr;
  }

 private:
  template <typename, typename>
  friend class List;
  ListNode* before_ = nullptr;
  ListNode* next_ = nullptr;
};

/// Members in a row.
/// Borrows: its members; a member that is destroyed leaves by itself.
template <typename T, typename Tag = void>
class List {
 public:
  using Node = ListNode<T, Tag>;
  List() noexcept { head_.before_ = head_.next_ = &head_; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    while (!is_empty())
      head_.next_->unlink();
    head_.before_ = head_.next_ = nullptr;
  }

  [[nodiscard]] bool is_empty() const noexcept { return head_.next_ == &head_; }
  void push_front(T& member) noexcept { insert(head_, member); }
  void push_back(T& member) noexcept { insert(*head_.before_, member); }
  /// The first member, or null.
  [[nodiscard]] T* front() const noexcept {
    return is_empty() ? nullptr : static_cast<T*>(head_.next_);
  }
  [[nodiscard]] T* back() const noexcept {
    return is_empty() ? nullptr : static_cast<T*>(head_.before_);
  }
  /// The member behind `member`, or null at the end.
  [[nodiscard]] T* after(const T& member) const noexcept {
    Node* next = static_cast<const Node&>(member).next_;
    return next == &head_ ? nullptr : static_cast<T*>(next);
  }
  /// Tells `each` of every member that is here now, in order, whatever it does to them: who leaves
  /// before its turn is left out, and who comes meanwhile stands behind the others, untold.
  template <typename Each>
  void for_each_now(const Each& each) {
    List untold;
    while (T* member = front())
      untold.push_back(*member);
    while (T* member = untold.front()) {
      push_back(*member);
      each(*member);
    }
  }

 private:
  static void insert(Node& behind, T& member) noexcept {
    Node& node = member;
    node.unlink();
    node.before_ = &behind;
    node.next_ = behind.next_;
    behind.next_->before_ = &node;
    behind.next_ = &node;
  }
  Node head_;
};

}  // namespace limpet
