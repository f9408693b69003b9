# SPDX-License-Identifier: Apache-2.0
"""Mistakes of a configuration: one run shows all of them, each at its place, and none that only follows from another."""

import os
import re
import socket
import threading

from harness import tls
from harness.config import pool, whole
from harness.control import limpetctl
from harness.daemon import Place, run_limpetd
from harness.deadline import seconds, wait_until
from harness.life import shaped


def mistakes(text, name):
    """(line, what is said) of each, of a whole output."""
    return [(int(line), said) for line, said in re.findall(rf"{re.escape(name)}:(\d+):\d+: error: (.*)", text)]


def check(life, text):
    path = f"{life.dir}/checked.toml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    done = run_limpetd("-c", path, "--check")
    return mistakes(done.stderr, "checked.toml")


def line_of(text, part):
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def sound(life, keys="", health="", **tables):
    return whole(Place(f"{life.dir}/p"), pool("web", [("a", "127.0.0.1:3000")], keys, health, **tables))


def test_a_module_named_wrongly_does_not_hide_the_mistakes_of_its_table(life):
    text = sound(life, 'chain = ["request_id", "affinty", "balance"]',
                 affinity='from = ["kookie"]\non_gone = "mvoe"\nsecure = true')
    said = check(life, text)
    assert [line for line, _ in said] == [line_of(text, part) for part in ("affinty", "kookie", "mvoe", "secure")], said


def test_a_table_of_a_module_outside_the_chain_is_looked_at_like_any_other(life):
    text = sound(life, 'chain = ["balance"]', health='active = { type = "htp" }', retry="attempts = 2",
                 mcp='bind_to = "somebody"')
    said = check(life, text)
    assert [line for line, _ in said] == [line_of(text, part) for part in ("htp", "somebody")], said
    assert check(life, text.replace("htp", "http").replace("somebody", "off")) == []


def test_what_cannot_be_read_of_mcp_is_said_once(life):
    text = sound(life, 'chain = ["affinity", "balance"]', affinity='from = ["mcp"]', mcp='bind_to = "somebody"')
    said = check(life, text)
    assert len(said) == 1 and "names nobody" in said[0][1], said


def test_a_variable_that_is_not_set_is_one_mistake(life):
    text = sound(life).replace("127.0.0.1:3000", "${LIMPET_TEST_UNSET}")
    text += '[[listener]]\nname = "tls"\nbind = ["${LIMPET_TEST_UNSET}"]\n'
    text += 'tls = { certificates = [{ cert = "${LIMPET_TEST_UNSET}", key = "${LIMPET_TEST_UNSET}" }] }\n'
    os.environ.pop("LIMPET_TEST_UNSET", None)
    said = check(life, text)
    assert len(said) == 4 and all("LIMPET_TEST_UNSET is not set" in what for _, what in said), said


def test_a_wrong_certificate_is_shown_at_its_row(life):
    pair = tls.Authority(f"{life.dir}/ca").issue("test.example")
    text = sound(life) + f'''[[listener]]
name = "tls"
bind = ["127.0.0.1:0"]
[listener.tls]
client_auth = "required"
client_ca = "/nonexistent/ca.pem"
tickets = {{ file = "/nonexistent/tickets" }}
[[listener.tls.certificates]]
cert = "{pair.cert}"
key = "{pair.key}"
[[listener.tls.certificates]]
cert = "/nonexistent/cert.pem"
key = "/nonexistent/key.pem"
'''
    said = check(life, text)
    parts = ("/nonexistent/ca.pem", "/nonexistent/tickets", "/nonexistent/cert.pem", "/nonexistent/key.pem")
    assert [(line, part in what) for (line, what), part in zip(said, parts)] == \
        [(line_of(text, part), True) for part in parts], said
    assert len(said) == len(parts), said


def test_the_files_of_tls_to_replicas_are_shown_at_their_keys(life):
    text = sound(life, tls='enabled = true\nca = "/nonexistent/ca.pem"\ncert = "/nonexistent/own.pem"\n'
                           'key = "/nonexistent/own.key"')
    said = check(life, text)
    assert [line for line, _ in said] == [line_of(text, part) for part in ("ca.pem", "own.pem", "own.key")], said


def test_a_start_tries_everything_and_tells_all_that_fails(life):
    place = life.place()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        place.port = taken.getsockname()[1]
        text = shaped([("a", "127.0.0.1:9")])(place)
        text = text.replace(f'path = "{place.access_log}"', 'path = "/nonexistent/access.log"')
        text = text.replace(f'state_dir = "{place.state_dir}"', 'state_dir = "/nonexistent/folder/state"')
        text = text.replace(f'socket = "{place.socket}"', 'socket = "/nonexistent/folder/control.sock"')
        text = text.replace("[pool.web]", "[pool.web]\nretri = 1")
        place.config.write_text(text)
        done = run_limpetd("-c", str(place.config))
    assert done.returncode == 1
    said = mistakes(done.stderr, "limpet.toml")
    parts = ("state_dir =", "socket =", "/nonexistent/access.log", "bind = [", "retri")
    assert sorted(line for line, _ in said) == sorted(line_of(text, part) for part in parts), done.stderr


def test_what_is_wrong_already_is_not_tried(life):
    place = life.place()
    text = shaped([("a", "127.0.0.1:9")])(place)
    text = text.replace(f'path = "{place.access_log}"', 'path = 5')
    unset = place.dir / "${LIMPET_TEST_UNSET}"
    text = text.replace(f'state_dir = "{place.state_dir}"', f'state_dir = "{unset}"')
    text = text.replace(f'socket = "{place.socket}"', f'socket = "{unset}"')
    place.config.write_text(text)
    done = run_limpetd("-c", str(place.config))
    said = mistakes(done.stderr, "limpet.toml")
    assert [line for line, _ in said] == [line_of(text, part) for part in ("state_dir =", "socket =", "path = 5")], said
    assert not unset.exists()


def test_a_refused_start_leaves_no_log(life):
    place = life.place()
    place.config.write_text(shaped([("a", "127.0.0.1:9")])(place) + "\n[pool.web.request_id]\nnonsense = 1\n")
    assert run_limpetd("-c", str(place.config)).returncode == 1
    assert not place.access_log.exists()


def test_a_refused_reload_tries_everything_and_leaves_no_log(life):
    config = shaped([life.replica()])
    daemon = life.prepare(config).start()
    other, empty, full = (daemon.place.dir / f"{name}.log" for name in ("other", "empty", "full"))
    empty.touch()
    full.write_text("a line of before\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        more = f'\n[[listener]]\nname = "more"\nbind = ["127.0.0.1:{taken.getsockname()[1]}"]\n'
        for log in (other, empty, full, "/nonexistent/x.log"):
            daemon.write_config(lambda place, log=log: config(place).replace(str(place.access_log), str(log)) + more)
            done = limpetctl(daemon, "reload")
            assert done.returncode != 0
            assert "in use" in done.stdout + done.stderr
            assert ("x.log" in done.stdout + done.stderr) == (log == "/nonexistent/x.log")
    wait_until(lambda: not other.exists(), "the file that was made for it is gone")
    assert empty.exists() and full.read_text() == "a line of before\n"


def test_every_mistake_of_a_file_of_replicas_is_shown(life):
    listed = f"{life.dir}/replicas"
    with open(listed, "w", encoding="ascii") as file:
        file.write("a nowhere\nb 127.0.0.1:3000 weigth=3\n")
    text = whole(Place(f"{life.dir}/p"), f'\n[pool.web]\n[pool.web.discovery]\ntype = "file"\npath = "{listed}"\n')
    said = check(life, text)
    assert len(said) == 2 and "replicas:1:3" in said[0][1] and "weigth" in said[1][1], said


def test_a_pipe_is_read_like_a_file_and_not_waited_for_without_end(life):
    path = f"{life.dir}/piped.toml"
    os.mkfifo(path)
    text = sound(life) + "[nonsense]\nx = 1\n"

    def write():
        with open(path, "w", encoding="utf-8") as pipe:
            pipe.write(text)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    done = run_limpetd("-c", path, "--check")
    writer.join(seconds(10))
    assert [line for line, _ in mistakes(done.stderr, "piped.toml")] == [line_of(text, "[nonsense]")], done.stderr
    done = run_limpetd("-c", path, "--check")
    assert done.returncode == 1 and "is a pipe, and nobody has written to it for 5s" in done.stderr, done.stderr
