#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Text that belongs to one machine and not to the project: absolute paths of somebody's machine, addresses of package
registries, download addresses in lock files. Prints `file:line: what`; the exit code is 1 when there is one."""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED_FOLDERS = {"build", "node_modules", "__pycache__", ".git"}
THIS = os.path.relpath(os.path.abspath(__file__), ROOT)
DOCUMENTS = (".md", ".1", ".5", ".7", ".8", ".toml", ".service", ".socket")
HOME_OR_WORK = re.compile(r"(?<![\w.$}/-])/(?:work|home|root)/[\w.-]+")
SCRATCH = re.compile(r"(?<![\w.$}/-])/tmp/[\w.-]+")
REGISTRY = re.compile(r"\b(?:deb|registry|packages|pypi|files)\.[a-z0-9-]+\.(?:org|com|net|io)\b")
RESOLVED = re.compile(r'"resolved"\s*:')


def main():
    breaches = []
    for place, folders, names in os.walk(ROOT):
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
        for name in sorted(names):
            path = os.path.relpath(os.path.join(place, name), ROOT)
            if path == THIS:
                continue
            try:
                with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                    lines = file.read().splitlines()
            except UnicodeDecodeError:
                continue
            rules = [(HOME_OR_WORK, "a path of one machine"), (REGISTRY, "the address of a package registry")]
            if name.endswith(DOCUMENTS):
                rules.append((SCRATCH, "a path of one machine"))
            if "lock" in name:
                rules.append((RESOLVED, "a download address in a lock file"))
            for number, line in enumerate(lines, 1):
                for pattern, what in rules:
                    found = pattern.search(line)
                    if found:
                        breaches.append(f"{path}:{number}: {what}: {found.group(0)}")
    for text in breaches:
        print(text)
    print(f"prose: {len(breaches)} breaches" if breaches else "prose: nothing of one machine")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
