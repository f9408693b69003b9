# SPDX-License-Identifier: Apache-2.0
"""Tables out of figures: Markdown that reads as plain text, then who is ahead of whom."""

import statistics

import workloads

TITLES = {
    "run": "Processor time of the proxy, µs per unit: median (min-max), × the floor's",
    "syscalls": "System calls per unit (strace; traced, a proxy does more per wakeup)",
    "instructions": "User-space instructions per unit (callgrind)",
    "memory": "Bytes per idle connection or stream (proportional set size)",
}
FORMATS = {"run": "{:.1f}", "syscalls": "{:.2f}", "instructions": "{:,.0f}", "memory": "{:,.0f}"}
US, REFERENCE = "limpet", "floor"


def is_us(name):
    return name.split("-")[0] == US


def in_order(values):
    return list(dict.fromkeys(values))


class Figures:
    """The values of one command by workload, contender and repetition."""

    def __init__(self, command, figures):
        self.command = command
        self.figures = [figure for figure in figures if figure["command"] == command]
        self.workloads = in_order(figure["workload"] for figure in self.figures)
        self.contenders = in_order(figure["contender"] for figure in self.figures)

    def values(self, workload, contender):
        """Values by repetition."""
        return {figure["repetition"]: figure["value"] for figure in self.figures
                if (figure["workload"], figure["contender"]) == (workload, contender)}

    def ratios(self, workload, contender, other):
        """One contender's value over another's, within each repetition."""
        mine, theirs = self.values(workload, contender), self.values(workload, other)
        return [mine[i] / theirs[i] for i in mine if theirs.get(i, 0) > 0]

    def text(self, value):
        return FORMATS[self.command].format(value)

    def cell(self, workload, contender):
        values = list(self.values(workload, contender).values())
        if not values:
            return "-"
        text = self.text(statistics.median(values))
        if len(values) > 1:
            text += f" ({self.text(min(values))}-{self.text(max(values))})"
        ratios = self.ratios(workload, contender, REFERENCE)
        if self.command == "run" and ratios:
            text += f" **{statistics.median(ratios):.2f}**"
        return text

    def table(self):
        rows = [["", *self.contenders]]
        for name in self.workloads:
            workload = workloads.ALL[name]
            rows.append([f"{name}: {workload.about}, per {workload.unit}",
                         *(self.cell(name, contender) for contender in self.contenders)])
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
                 for row in rows]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join(lines)

    def standings(self):
        """One line per workload, one of ours and peer: ahead of it or behind it."""
        lines = []
        for workload in self.workloads:
            for ours in filter(is_us, self.contenders):
                for peer in self.contenders:
                    if not is_us(peer) and peer != REFERENCE:
                        lines += self.standing(workload, ours, peer)
        return "\n".join(lines)

    def standing(self, workload, ours, peer):
        ratios = self.ratios(workload, ours, peer)
        if not ratios:
            return []
        ratio = statistics.median(ratios)
        place = "ahead of" if ratio < 1 else "behind"
        agreeing = sum((each < 1) == (ratio < 1) for each in ratios)
        often = f" in {agreeing} of {len(ratios)} repetitions" if len(ratios) > 1 else ""
        return [f"{workload}: {ours} is {place} {peer}{often}: {ratio:.2f} × its figure"]

    def rates(self):
        """How many handshakes a second of processor time does; how many connections were idle."""
        for name in self.workloads:
            if self.command == "run" and workloads.ALL[name].is_handshake:
                yield f"{name}, per CPU second: " + ", ".join(
                    f"{contender} {1e6 / statistics.median(values.values()):,.0f}"
                    for contender in self.contenders if (values := self.values(name, contender)))
        counts = in_order(figure.get("connections") for figure in self.figures)
        if self.command == "memory" and counts != [None]:
            yield f"{' and '.join(f'{count:,}' for count in counts if count)} of them each time"

    def troubles(self):
        """What went wrong under load, which makes a figure doubtful."""
        for figure in self.figures:
            wrong = [f"{figure[key]} {what}" for key, what in
                     (("errors", "broken answers"), ("moved", "sessions moved"))
                     if figure.get(key)]
            if wrong:
                yield (f"{figure['contender']}, {figure['workload']}, repetition "
                       f"{figure['repetition'] + 1}: {', '.join(wrong)}")

    def calls(self):
        """The system calls by name."""
        for figure in self.figures:
            if figure["repetition"] == 0 and figure.get("calls"):
                most = sorted(figure["calls"].items(), key=lambda item: -item[1])
                yield (f"{figure['workload']}, {figure['contender']}: " +
                       ", ".join(f"{name} {count:.2f}" for name, count in most if count >= 0.01))


def troubles(record):
    return [line for command in TITLES
            for line in Figures(command, record["figures"]).troubles()]


def show(record):
    """The whole record as text."""
    parts = []
    for command, title in TITLES.items():
        figures = Figures(command, record["figures"])
        if figures.figures:
            parts += [f"{title}\n\n{figures.table()}", figures.standings(),
                      "\n".join(figures.rates()), "\n".join(figures.calls())]
    parts.append("\n".join(record.get("lines", [])))
    wrong = troubles(record) + record["failures"] + record["notes"]
    parts.append("\n".join(f"! {line}" for line in wrong))
    parts.append("\n".join(f"{name}: {version}" for name, version in record["versions"].items()))
    parts.append(f"{record['date']}, {record['machine']}. To repeat: {record['repeat']}")
    return "\n\n".join(part for part in parts if part)
