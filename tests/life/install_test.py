# SPDX-License-Identifier: Apache-2.0
"""make install: everything in its place under DESTDIR and PREFIX, and what an operator changed is kept."""

import os
import pathlib
import shutil
import stat
import subprocess

from harness.daemon import LIMPETD, ROOT
from harness.deadline import Skip, seconds

BUILT = ROOT / "build"


def install(life, prefix="/opt/limpet"):
    """Installs what is built into a folder of the test and returns that."""
    if shutil.which("make") is None:
        raise Skip("there is no make")
    if pathlib.Path(LIMPETD).resolve() != BUILT / "limpetd" or not (BUILT / "limpetctl").exists():
        raise Skip("make install takes build/limpetd and build/limpetctl; these tests run others")
    destination = pathlib.Path(life.dir) / "root"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    # -o all: what is built is installed as it is, whatever was edited since.
    done = subprocess.run(["make", "-s", "-o", "all", "install", f"DESTDIR={destination}", f"PREFIX={prefix}"],
                          cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds(60))
    assert done.returncode == 0, done
    return destination


def test_install_puts_programs_manuals_configuration_and_units_in_place(life):
    root = install(life)
    prefix = root / "opt/limpet"
    files = {str(path.relative_to(root)): stat.S_IMODE(path.stat().st_mode)
             for path in root.rglob("*") if path.is_file()}
    wanted = {"opt/limpet/sbin/limpetd": 0o755, "opt/limpet/bin/limpetctl": 0o755, "etc/limpet/limpet.toml": 0o644,
              "opt/limpet/lib/systemd/system/limpet.service": 0o644, "opt/limpet/lib/sysusers.d/limpet.conf": 0o644,
              "opt/limpet/lib/tmpfiles.d/limpet.conf": 0o644, "opt/limpet/share/doc/limpet/LICENSE": 0o644}
    for page in (ROOT / "man").glob("*.[1578]"):
        wanted[f"opt/limpet/share/man/man{page.suffix[1:]}/{page.name}"] = 0o644
    for example in (ROOT / "conf").glob("*.toml"):
        wanted[f"opt/limpet/share/doc/limpet/{example.name}"] = 0o644
    for path, mode in wanted.items():
        assert files.get(path) == mode, (path, oct(files.get(path, 0)), sorted(files))
    outside = [path for path in files if not path.startswith(("opt/limpet/", "etc/limpet/"))]
    assert not outside, outside
    unit = (prefix / "lib/systemd/system/limpet.service").read_text()
    assert "ExecStart=/opt/limpet/sbin/limpetd " in unit and "/usr/sbin" not in unit, unit
    for program in ("sbin/limpetd", "bin/limpetctl"):
        done = subprocess.run([prefix / program, "--version"], capture_output=True, text=True, timeout=seconds(60))
        assert done.returncode == 0 and "limpet" in done.stdout, done


def test_a_second_install_keeps_the_configuration_that_is_there(life):
    mine = install(life) / "etc/limpet/limpet.toml"
    mine.write_text("# mine\n")
    assert (install(life) / "etc/limpet/limpet.toml").read_text() == "# mine\n"
