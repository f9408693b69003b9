#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of the tree that a program can check: sizes, layers, homes of libraries, words, first lines.

Prints the figures, then every breach as `file:line: what (rule)`; the exit code is 1 when there is one.
The rules are explained in ARCHITECTURE.md and CONTRIBUTING.md. Needs universal-ctags for the function lengths."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from statistics import median

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOP = {"Makefile", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE",
       "daemon", "modules", "conf", "systemd", "tests", "man", "build"}
FILE_LINES_MAX = 600
FILE_LINES_SOFT = 400
FILE_LINES_MEDIAN_MAX = 200
FUNCTION_LINES_MAX = 70

# Which folder may include what, besides itself. A pattern is matched against the path in the #include line.
BELOW_PROXY = ["daemon/base/*", "daemon/event/*", "daemon/http/*", "daemon/config/*", "daemon/metrics/*",
               "daemon/net/*", "daemon/module/*"]
TOP_LAYER = BELOW_PROXY + ["daemon/proxy/*", "daemon/control/*", "daemon/demo/*", "daemon/*.h", "modules/registry.h"]
FOR_MODULES = ["daemon/module/*", "daemon/http/*", "daemon/config/reader.h", "daemon/metrics/counter.h",
               "daemon/base/*"]
MAY_INCLUDE = {
    "daemon/base": [],
    "daemon/event": ["daemon/base/*"],
    "daemon/http": ["daemon/base/*"],
    "daemon/config": ["daemon/base/*"],
    "daemon/metrics": ["daemon/base/*"],
    "daemon/net": ["daemon/base/*", "daemon/event/*", "daemon/config/*", "daemon/metrics/*"],
    "daemon/module": ["daemon/base/*", "daemon/http/*", "daemon/config/reader.h", "daemon/metrics/counter.h"],
    "daemon/proxy": BELOW_PROXY,
    "daemon/control": TOP_LAYER,
    "daemon/demo": TOP_LAYER,
    "daemon/limpetctl": ["daemon/base/*", "daemon/version.h"],
    "daemon": TOP_LAYER,
    "modules": FOR_MODULES,
}
KNOW_ALL_MODULES = ["modules/registry.cc", "daemon/main.cc"]

# Where a library may be named. In headers none is, save in those that HEADERS_TOO lists.
HOMES = [
    (r"event2/|event\.h$", ["daemon/event/*"]),
    (r"openssl/", ["daemon/net/tls_*", "modules/affinity/token_crypto.*", "tests/*"]),
    (r"nghttp2/", ["daemon/http/http2_*.cc", "tests/unit/http/http2_*", "tests/fuzz/http2_*", "tests/bench/*"]),
    (r"toml\+\+|toml\.hpp", ["daemon/config/*"]),
    (r"prometheus/", ["daemon/metrics/exposition.cc"]),
    (r"hiredis", ["modules/mcp/redis_*"]),
    (r"doctest", ["tests/*"]),
    (r"nlohmann/", ["daemon/control/*", "daemon/limpetctl/*", "daemon/demo/*", "tests/*"]),
    (r"CLI/", ["daemon/options.cc", "daemon/limpetctl/*"]),
    (r"spdlog/|fmt/", ["daemon/base/log.cc"]),
    (r"xxhash", ["daemon/base/hash.cc"]),
    (r"simdjson", ["modules/*", "daemon/module/principal.cc", "daemon/demo/*"]),
    (r"systemd/", ["daemon/notify.cc"]),
    (r"llhttp", ["tests/*"]),
]
HEADERS_TOO = ["tests/*"]

WORDS = re.compile(r"(?<![A-Za-z])(?:up|down)streams?(?![a-z])|(?<![A-Za-z])backends?(?![a-z])", re.IGNORECASE)
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')
SPDX = "// SPDX-License-Identifier: Apache-2.0"

breaches = []


def breach(path, line, what, rule):
    breaches.append(f"{path}:{line}: {what} ({rule})")


def matches(path, patterns):
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def files_below(*folders, endings):
    found = []
    for folder in folders:
        for place, children, names in os.walk(os.path.join(ROOT, folder)):
            children[:] = sorted(set(children) - {"node_modules", "__pycache__"})
            found += [os.path.relpath(os.path.join(place, name), ROOT) for name in names if name.endswith(endings)]
    return sorted(found)


def lines_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


def concern_of(path):
    """The folder whose row in MAY_INCLUDE is meant, and the folder that is the file's own."""
    parts = path.split("/")
    if parts[0] == "modules":
        return "modules", "/".join(parts[:-1])
    return ("/".join(parts[:2]), "/".join(parts[:2])) if len(parts) > 2 else (parts[0], parts[0])


def check_include(path, number, bracket, target):
    if bracket == "<":
        check_library(path, number, target)
        return
    layer, own = concern_of(path)
    if layer not in MAY_INCLUDE:
        breach(path, number, f"folder {layer} has no place among the layers", "R1 includes go down")
        return
    if not os.path.exists(os.path.join(ROOT, target)):
        breach(path, number, f'"{target}" is not a path from the top of the tree', "R1 includes go down")
        return
    if path in KNOW_ALL_MODULES:
        return
    if target.startswith("modules/") and target != "modules/registry.h" and not target.startswith(own + "/"):
        breach(path, number, f'names the module file "{target}"', "R3 only modules/registry.cc and daemon/main.cc know modules")
    elif not target.startswith(own + "/") and not matches(target, MAY_INCLUDE[layer]):
        breach(path, number, f'{layer} may not include "{target}"', "R1 includes go down")


def check_library(path, number, target):
    for pattern, homes in HOMES:
        if not re.match(pattern, target):
            continue
        if not matches(path, homes):
            breach(path, number, f"<{target}> belongs to {', '.join(homes) or 'no file yet'}", "R2 one home a library")
        elif path.endswith(".h") and not matches(path, HEADERS_TOO):
            breach(path, number, f"<{target}> in a header", "R2 library types stay in sources")


def check_opening(path, lines):
    if not lines or lines[0] != SPDX:
        breach(path, 1, f"first line is not `{SPDX}`", "first line")
    if not path.endswith(".h"):
        return
    if "#pragma once" not in lines[:3]:
        breach(path, 2, "no #pragma once after the first line", "headers")
        return
    after = lines.index("#pragma once") + 1
    following = [line for line in lines[after:after + 2] if line.strip()]
    if not following or not following[0].startswith("//"):
        breach(path, after + 1, "no room sign: what this file is, what it is not, its neighbours", "headers")


def check_words(path, lines, rule="words: client, replica"):
    for number, line in enumerate(lines, 1):
        found = WORDS.search(line)
        if found:
            breach(path, number, f"the word `{found.group(0)}`", rule)


def check_size(path, lines):
    if len(lines) > FILE_LINES_MAX:
        breach(path, FILE_LINES_MAX + 1, f"{len(lines)} lines, {FILE_LINES_MAX} allowed", "file size")


def functions(paths):
    """(lines, path, first line, name) of every function."""
    if not paths:
        return []
    if not shutil.which("ctags"):
        sys.exit("rooms: ctags is missing; `make deps` installs universal-ctags")
    run = subprocess.run(["ctags", "--output-format=json", "--fields=+ne", "--languages=C++", "--kinds-C++=f",
                          "--langmap=C++:.cc.h", "-f", "-", "-L", "-"], cwd=ROOT, input="\n".join(paths),
                         capture_output=True, text=True, check=True)
    found = []
    for row in run.stdout.splitlines():
        tag = json.loads(row)
        if tag.get("_type") == "tag" and "end" in tag:
            found.append((tag["end"] - tag["line"] + 1, tag["path"], tag["line"], tag["name"]))
    return sorted(found)


def share_of_comments(paths, texts):
    comments = code = 0
    for path in paths:
        for line in texts[path][1:]:
            bare = line.strip()
            if bare.startswith("//"):
                comments += 1
            elif bare:
                code += 1
    return 100 * comments / max(1, comments + code)


def percentile(values, percent):
    return values[min(len(values) - 1, len(values) * percent // 100)] if values else 0


def main():
    for name in sorted(os.listdir(ROOT)):
        if not name.startswith(".") and name not in TOP:
            breach(name, 1, "does not belong at the top of the tree", "top level")

    product = files_below("daemon", "modules", endings=(".h", ".cc"))
    test_code = files_below("tests", endings=(".h", ".cc"))
    texts = {path: lines_of(path) for path in product + test_code}
    for path, lines in texts.items():
        check_opening(path, lines)
        check_size(path, lines)
        is_product = path in product
        for number, line in enumerate(lines, 1):
            include = INCLUDE.match(line)
            if include and (is_product or include.group(1) == "<"):
                check_include(path, number, include.group(1), include.group(2))
        if is_product:
            check_words(path, lines)
    for path in files_below("man", "modules", endings=(".1", ".5", ".7", ".8", ".md")):
        check_words(path, lines_of(path))
    for path in files_below("tests", endings=(".py", ".mjs", ".cjs", ".sh")):
        check_size(path, lines_of(path))

    measured = functions(product + test_code)
    for length, path, line, name in measured:
        if length > FUNCTION_LINES_MAX:
            breach(path, line, f"{name} has {length} lines, {FUNCTION_LINES_MAX} allowed", "function size")

    sizes = sorted(len(texts[path]) for path in product)
    lengths = [row[0] for row in measured if row[1] in set(product)]
    headers = [path for path in product if path.endswith(".h")]
    sources = [path for path in product if path.endswith(".cc")]
    if sizes:
        middle = int(median(sizes))
        largest = max(product, key=lambda path: len(texts[path]))
        print(f"files: {len(sizes)}, lines median {middle}, p90 {percentile(sizes, 90)}, "
              f"max {sizes[-1]} ({largest}), above {FILE_LINES_SOFT}: {sum(size > FILE_LINES_SOFT for size in sizes)}")
        if middle > FILE_LINES_MEDIAN_MAX:
            breach("daemon", 1, f"median file has {middle} lines, {FILE_LINES_MEDIAN_MAX} allowed", "file size")
    if lengths:
        print(f"functions: {len(lengths)}, lines median {int(median(lengths))}, p90 {percentile(lengths, 90)}, max {lengths[-1]}")
    print(f"comments: headers {share_of_comments(headers, texts):.0f} %, sources {share_of_comments(sources, texts):.0f} %; "
          f"tests: {len(test_code)} C++ files, {sum(len(texts[path]) for path in test_code)} lines")

    for text in breaches:
        print(text)
    print(f"rooms: {len(breaches)} breaches" if breaches else "rooms: all rules kept")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
