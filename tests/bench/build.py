# SPDX-License-Identifier: Apache-2.0
"""Builds the bench's own programs (src/) where they are missing or older than their sources."""

import glob
import os
import subprocess

from contenders import BUILD, ROOT

TLS = ("-lssl", "-lcrypto")
PROGRAMS = {"replica": (), "replica_mcp": (), "load_mcp": (), "load": TLS, "floor": TLS,
            "replica_h2": ("-lnghttp2", *TLS), "load_h2": ("-lnghttp2", *TLS),
            "floor_h2": ("-lnghttp2", *TLS), "floor_to_h2": ("-lnghttp2", *TLS)}
FLAGS = ["-std=c++20", "-O2", "-g", "-Wall", "-Wextra", "-I", ROOT]


def build():
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "src")
    os.makedirs(BUILD, exist_ok=True)
    headers = glob.glob(folder + "/*.h")
    for program, libraries in PROGRAMS.items():
        source, output = f"{folder}/{program}.cc", f"{BUILD}/{program}"
        newest = max(os.path.getmtime(path) for path in (source, *headers))
        if not os.path.exists(output) or os.path.getmtime(output) < newest:
            compiler = os.environ.get("CXX", "g++")
            subprocess.run([compiler, *FLAGS, "-o", output, source, *libraries],
                           check=True)
