# SPDX-License-Identifier: Apache-2.0
"""The Prometheus text format, read for tests."""

import re

_LINE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([^ ]+)(?: [0-9]+)?$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Metrics:
    def __init__(self, text):
        self.text = text
        self.samples = []
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            found = _LINE.match(line)
            assert found, f"not a sample: {line!r}"
            labels = dict(_LABEL.findall(found.group(2) or ""))
            self.samples.append((found.group(1), labels, float(found.group(3))))

    def sum(self, name, /, **labels):
        """The sum of the samples of that name that carry these labels."""
        return sum(value for found, carried, value in self.samples
                   if found == name and labels.items() <= carried.items())

    def has(self, name, /, **labels):
        return any(found == name and labels.items() <= carried.items()
                   for found, carried, _ in self.samples)

    def labels(self, name, label):
        return {carried.get(label) for found, carried, _ in self.samples if found == name}
