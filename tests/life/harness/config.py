# SPDX-License-Identifier: Apache-2.0
"""Configurations as tests need them: short to write, quick to start, nothing of the machine in them."""

import json

# Balances without regard to how quick replicas are, for tests that want sessions on each of them.
EVENLY = 'policy = "round-robin"\nslow_start = "off"'
QUIET_HEALTH = 'active = { type = "off" }\ninitial = "up"\n'


def pool(name="web", replicas=(), keys='preset = "web"', health=QUIET_HEALTH, **tables):
    """One pool. `replicas` are Replica objects, (id, address) pairs or texts of whole entries; further
    arguments are tables of the pool: affinity="…", balance="…", timeouts="…"."""
    toml = f"\n[pool.{name}]\n{keys}\n"
    if health:
        toml += f"[pool.{name}.health]\n{health}\n"
    for table, text in tables.items():
        toml += f"[pool.{name}.{table}]\n{text}\n"
    for replica in replicas:
        toml += f"[[pool.{name}.replica]]\n{_entry(replica)}\n"
    return toml


def entry(replica, **keys):
    """A replica with further keys: entry(a, weight=2, revision="v1", backup=True)."""
    text = f'id = "{replica.id}"\naddress = "{replica.address}"\n'
    return text + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())


def _entry(replica):
    if isinstance(replica, str):
        return replica
    if isinstance(replica, tuple):
        return f'id = "{replica[0]}"\naddress = "{replica[1]}"\n'
    return entry(replica)


def whole(place, pools, *, daemon="", listener="", routes=None, limits="", timeouts="", keys="",
          access_log='format = "json"', workers=2, more=""):
    """A whole file for the daemon that lives at `place` (see daemon.Place)."""
    if isinstance(pools, (list, tuple)):
        pools = "".join(pools)
    if routes is None:
        routes = '[[route]]\npath = "/"\npool = "web"\n'
    timeouts_table = f"[timeouts]\n{timeouts}\n" if timeouts else ""
    limits_table = f"[limits]\n{limits}\n" if limits else ""
    keys_table = f"[keys]\n{keys}\n" if keys else ""
    return f"""
[daemon]
workers = {workers}
pin = false
user = ""
state_dir = "{place.state_dir}"
{daemon}
[admin]
bind = "127.0.0.1:{place.admin_port}"
socket = "{place.socket}"
[access_log]
path = "{place.access_log}"
{access_log}
{keys_table}{limits_table}{timeouts_table}
[[listener]]
name = "web"
bind = ["127.0.0.1:{place.port}"]
{listener}
{routes}
{more}
{pools}
"""
