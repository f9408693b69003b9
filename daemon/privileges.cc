// SPDX-License-Identifier: Apache-2.0
#include "daemon/privileges.h"

#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/fd.h"

namespace limpet {

namespace {

struct Account {
  uid_t user = 0;
  gid_t group = 0;
};

std::optional<Account> find_account(const std::string& name) {
  std::vector<char> texts(16 * 1024);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, texts.data(), texts.size(), &found) != 0)
    return std::nullopt;
  if (found == nullptr) return std::nullopt;
  return Account{found->pw_uid, found->pw_gid};
}

Error failed(const std::string& what) { return {what + ": " + std::strerror(errno)}; }

bool is_root() noexcept { return ::geteuid() == 0; }

// The bounding set is what could ever come back; a kernel that knows fewer ends the loop.
void empty_bounding_set() noexcept {
  for (unsigned long capability = 0; capability < 64; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return;
  }
}

Status empty_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3]{};
  if (::syscall(SYS_capset, &header, none) != 0) return failed("cannot drop the capabilities");
  return {};
}

Status become(const Account& account, const std::string& user) {
  if (::initgroups(user.c_str(), account.group) != 0)
    return failed("cannot take the groups of " + user);
  if (::setresgid(account.group, account.group, account.group) != 0) {
    return failed("cannot take the group of " + user);
  }
  if (::setresuid(account.user, account.user, account.user) != 0)
    return failed("cannot become " + user);
  return {};
}

}  // namespace

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  const rlimit wanted{limit.rlim_max, limit.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &wanted) == 0) return wanted.rlim_cur;
  return limit.rlim_cur;
}

Status prepare_directory(const std::string& path, const std::string& user) {
  struct stat facts {};
  if (path.empty() || ::stat(path.c_str(), &facts) == 0) return {};
  if (::mkdir(path.c_str(), 0750) != 0) return failed("cannot make the directory " + path);
  give_to_user(path, user);
  return {};
}

void give_to_user(const std::string& path, const std::string& user) {
  if (!is_root() || user.empty()) return;
  const auto account = find_account(user);
  if (!account) return;
  // The folder may be the user's already, who could have put a link to any file here: what the path
  // names is held, looked at, and given only where it is one of the two kinds that we make.
  const Fd held(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat facts {};
  if (!held.is_open() || ::fstat(held.number(), &facts) != 0) return;
  if (!S_ISSOCK(facts.st_mode) && !S_ISDIR(facts.st_mode)) return;
  // Where it fails the user meets a clear refusal later.
  const int done = ::fchownat(held.number(), "", account->user, account->group, AT_EMPTY_PATH);
  if (done != 0) return;
}

Status drop_privileges(const std::string& user) {
  if (is_root() && !user.empty() && user != "root") {
    const auto account = find_account(user);
    if (!account) {
      return Error{
          "there is no user \"" + user +
          "\" to drop root's privileges to; make it (systemd-sysusers, or useradd --system " +
          user + "), name another one in daemon.user, or set user = \"root\" to stay root"};
    }
    empty_bounding_set();
    if (Status done = become(*account, user); !done) return done;
    if (Status done = empty_capabilities(); !done) return done;
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("cannot set no_new_privs");
  return {};
}

}  // namespace limpet
