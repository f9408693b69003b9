# SPDX-License-Identifier: Apache-2.0
"""The access log: how exchanges ended, and its file over reloads."""

import json
import os
import signal

from harness.client import request
from harness.control import limpetctl
from harness.deadline import wait_until
from harness.life import shaped


def endless(peer, _):
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
    peer.wait_for_end()


def begun(daemon, target):
    """A client in the middle of an endless response."""
    client = daemon.client()
    client.send(request("GET", target))
    assert client.response_head().status == 200
    return client


def ending_of(daemon, target):
    return daemon.wait_log(lambda line: line["path"] == target)["ending"]


def test_a_client_that_goes_in_the_middle_is_logged_as_gone(life):
    daemon = life.daemon([life.replica(handle=endless)])
    begun(daemon, "/closes").close()
    assert ending_of(daemon, "/closes") == "client-gone"
    begun(daemon, "/resets").reset()
    assert ending_of(daemon, "/resets") == "client-gone"


def test_a_client_that_goes_before_the_response_is_logged_as_gone(life):
    a = life.replica(handle=lambda peer, _: peer.wait_for_end())
    daemon = life.daemon([a])
    client = daemon.client()
    client.send(request("GET", "/early"))
    a.wait_for_requests(1)
    client.reset()  # only closing could be half of it, and the response still be wanted
    assert ending_of(daemon, "/early") == "client-gone"


def test_what_the_end_of_a_drain_cuts_is_logged_as_shutdown(life):
    daemon = life.daemon([life.replica(handle=endless)], daemon='drain_timeout = "300ms"')
    client = begun(daemon, "/cut")
    assert daemon.stop() == 0
    assert ending_of(daemon, "/cut") == "shutdown"
    client.close()


def test_what_ends_by_itself_is_logged_as_complete(life):
    daemon = life.daemon([life.replica()])
    daemon.once("GET", "/whole")
    assert ending_of(daemon, "/whole") == "complete"


# -- over reloads --------------------------------------------------------------------------------------------


def logging_to(config, path, more=""):
    return lambda place: config(place).replace(f'path = "{place.access_log}"', f'path = "{path}"') + more


def paths_in(file):
    return [json.loads(line)["path"] for line in file.read_text().splitlines()] if file.exists() else []


def threads(daemon):
    return len(os.listdir(f"/proc/{daemon.pid}/task"))


def test_a_refused_reload_leaves_the_log_as_it_was(life):
    config = shaped([life.replica()])
    daemon = life.prepare(config).start()
    before = threads(daemon)
    other = daemon.place.dir / "other.log"
    broken = '\n[pool.web.request_id]\nnonsense = 1\n'  # found by the module, after the log was opened
    daemon.write_config(logging_to(config, other, broken))
    assert limpetctl(daemon, "reload").returncode != 0
    assert threads(daemon) == before, "what was opened for it is closed"
    daemon.once("GET", "/kept")
    assert ending_of(daemon, "/kept") == "complete"
    moved = daemon.place.access_log.rename(daemon.place.dir / "moved.log")
    daemon.signal(signal.SIGUSR1)
    wait_until(daemon.place.access_log.exists, "the old file is the one that is opened again")
    daemon.write_config(config)
    assert limpetctl(daemon, "reload").returncode == 0
    daemon.once("GET", "/after")
    wait_until(lambda: paths_in(daemon.place.access_log) == ["/after"], "and the one that is written")
    assert paths_in(moved) == ["/kept"] and paths_in(other) == []


def test_toggling_the_path_moves_the_lines_and_keeps_no_old_writer(life):
    config = shaped([life.replica()])
    daemon = life.prepare(config).start()
    before = threads(daemon)
    files = [daemon.place.dir / f"log{number}" for number in range(2)]
    for turn in range(6):
        daemon.write_config(logging_to(config, files[turn % 2]))
        assert limpetctl(daemon, "reload").returncode == 0
        daemon.once("GET", f"/turn{turn}")
    wait_until(lambda: [paths_in(file) for file in files] ==
               [["/turn0", "/turn2", "/turn4"], ["/turn1", "/turn3", "/turn5"]], "each line is in its file")
    wait_until(lambda: threads(daemon) == before, "one writer is left")


def test_the_log_can_be_switched_off_and_on_again(life):
    config = shaped([life.replica()])
    daemon = life.prepare(config).start()
    before = threads(daemon)
    daemon.write_config(shaped(life.replicas, access_log='format = "off"'))
    assert limpetctl(daemon, "reload").returncode == 0
    wait_until(lambda: threads(daemon) == before - 1, "nobody writes")
    daemon.once("GET", "/unseen")
    daemon.write_config(config)
    assert limpetctl(daemon, "reload").returncode == 0
    daemon.once("GET", "/seen")
    wait_until(lambda: paths_in(daemon.place.access_log) == ["/seen"], "the lines come again")
