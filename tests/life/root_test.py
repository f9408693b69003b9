# SPDX-License-Identifier: Apache-2.0
"""Started as root: the daemon becomes its user and goes on working as that one."""

import os
import pathlib
import pwd
import stat
import subprocess
import sys

from harness.affinity import who
from harness.control import succeed
from harness.daemon import Place, run_limpetd
from harness.deadline import Skip, seconds
from harness.life import shaped

USER = "nobody"
ASK_STATUS = ("import os, socket, sys; path, user, group = sys.argv[1:]; "
              "os.setgroups([]); os.setgid(int(group)); os.setuid(int(user)); "
              "s = socket.socket(socket.AF_UNIX); s.connect(path); "
              "s.sendall(b'GET /v1/status HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n'); "
              "print(s.recv(15).decode())")


BECOME = ("import os, sys; path, user, group = sys.argv[1:]; "
          "os.setgroups([]); os.setgid(int(group)); os.setuid(int(user)); os.listdir(path)")


def owned(config, user=USER):
    return lambda place: config(place).replace('user = ""', f'user = "{user}"')


def place_of_user(life):
    """A folder of the user that others may pass; the state folder is not made yet."""
    if os.geteuid() != 0:
        raise Skip("only root can become somebody else")
    os.chmod(life.dir, 0o711)
    place = Place(f"{life.dir}/limpet")
    place.state_dir.rmdir()
    account = pwd.getpwnam(USER)
    os.chown(place.dir, account.pw_uid, account.pw_gid)
    tried = subprocess.run([sys.executable, "-c", BECOME, place.dir, str(account.pw_uid), str(account.pw_gid)],
                           capture_output=True, text=True, timeout=seconds(60))
    if tried.returncode != 0:
        raise Skip(f"here root cannot become {USER} and reach {place.dir}: {tried.stderr.splitlines()[-1]}")
    return place, account


def test_every_thread_is_the_user_without_capabilities_or_a_way_back(life):
    place, account = place_of_user(life)
    daemon = life.prepare(owned(shaped([life.replica()])), place).start()
    for task in pathlib.Path(f"/proc/{daemon.pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        facts = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        assert facts["Uid"].split() == [str(account.pw_uid)] * 4, facts
        assert facts["Gid"].split() == [str(account.pw_gid)] * 4, facts
        assert "0" not in facts["Groups"].split(), facts
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(facts[kind], 16) == 0, (kind, facts)
        assert facts["NoNewPrivs"].strip() == "1", facts


def test_the_state_folder_and_the_key_file_belong_to_the_user_alone(life):
    place, account = place_of_user(life)
    daemon = life.prepare(owned(shaped([life.replica()])), place).start()
    assert daemon.jar().get().has("Set-Cookie")
    for path, mode in ((place.state_dir, 0o750), (place.state_dir / "affinity.keys", 0o600),
                       (pathlib.Path(place.socket), 0o660)):
        facts = os.lstat(path)
        assert facts.st_uid == account.pw_uid, path
        assert stat.S_IMODE(facts.st_mode) == mode, (path, oct(facts.st_mode))


def test_reload_and_the_control_socket_work_afterwards(life):
    place, account = place_of_user(life)
    a, b = life.some("a", "b")
    daemon = life.prepare(owned(shaped([a], affinity="from = []")), place).start()
    assert who(daemon.once()) == "a"
    daemon.reload(owned(shaped([b], affinity="from = []")))
    assert who(daemon.once()) == "b"
    assert "ready" in succeed(daemon, "status"), "root may use it"
    done = subprocess.run([sys.executable, "-c", ASK_STATUS, place.socket, str(account.pw_uid), str(account.pw_gid)],
                          capture_output=True, text=True, timeout=seconds(60))
    assert done.stdout.startswith("HTTP/1.1 200"), ("so may the user itself", done)
    assert daemon.stop() == 0
    assert not os.path.exists(place.socket), "its file is gone with it"


def test_an_unknown_user_is_an_error_that_says_what_to_do(life):
    place, _ = place_of_user(life)
    place.config.write_text(owned(shaped([("a", "127.0.0.1:9")]), "nobody-of-that-name")(place))
    done = run_limpetd("-c", str(place.config))
    assert done.returncode == 1 and "nobody-of-that-name" in done.stderr and "useradd" in done.stderr, done
