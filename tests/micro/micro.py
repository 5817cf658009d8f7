#!/usr/bin/env python3
"""micro.py - microbenchmarks of the simulated core against published measurements.

Assembles every row of the tables beside this file, runs it in `pie stat` for LOOPS and for 2 x LOOPS rounds, and
compares the difference per unit with the row's figure. README.md describes the tables.

  micro.py [--uarch NAME] [--set PATH=VALUE]... [--jobs N] [--tsv FILE] [--curves] [REGEX]
                                  measure (rows whose name matches); --curves: the knees' too
  micro.py --show NAME            print the assembly of a row
  micro.py --native [REGEX]       run the programs on this machine: they must end with status 0
  micro.py --sources [REGEX]      compare the restated figures with ../shared (PIE_SHARED)

Exit status: 0 all within 10 %, 1 some are not, 2 wrong input, 77 --sources without the files."""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("PIE_SOURCE", os.path.join(HERE, "..", ".."))
PIE = os.environ.get("PIE", os.path.join(SOURCE, "build", "pie"))
SHARED = os.environ.get("PIE_SHARED", os.path.join(SOURCE, "..", "shared"))
TABLES = ["scalar", "vector", "x87", "memory", "frontend", "knees"]

# A placeholder stands for each register of its set in turn; the whole code is repeated for each.
INTEGERS = ["ax", "bx", "dx", "bp"]
EXTENDED = ["r8", "r9", "r10", "r11"]
REGISTERS = {
    "$q": ["r" + r for r in INTEGERS] + EXTENDED,
    "$d": ["e" + r for r in INTEGERS] + [r + "d" for r in EXTENDED],
    "$w": INTEGERS + [r + "w" for r in EXTENDED],
    "$b": ["al", "bl", "dl", "bpl"] + [r + "b" for r in EXTENDED],
    "$x": ["xmm%d" % i for i in range(12)],
    "$y": ["ymm%d" % i for i in range(12)],
    "$m": ["mm%d" % i for i in range(6)],
    "$f": ["st(%d)" % i for i in range(1, 7)],
}
HOT_INSNS, COLD_INSNS = 400, 4000  # per round; the uop cache holds 1,536 uops and 8 KiB of code at most
ROUNDS = {"hot": 20, "cold": 4, "loop": 4000, "limit": 20, "overlap": 8, "rise": 12}
HARD, CLOSE = 0.10, 0.03  # errors above the first fail, above the second are counted


class Wrong(Exception):
    """Wrong input: one line, what and where."""


class Row:
    """A line of a table."""

    def __init__(self, table, number, line):
        self.where = "%s.table:%d" % (table, number)
        fields = [f.strip() for f in line.split("|", 4)]
        if len(fields) != 5 or not all(fields):
            raise Wrong("%s: five columns separated by | are needed" % self.where)
        self.name, kind, cycles, self.source, code = fields
        self.is_open = kind.endswith("?")  # nobody has published a figure
        kind = kind.rstrip("?")
        match = re.fullmatch(r"(hot|cold|loop|limit)(?:\*(\d+))?(?:/(\d+))?"
                             r"|(overlap|rise) (\d+)\.\.(\d+)(?:/(\d+))? ([+*-]\d+)|(absent)", kind)
        if not match:
            raise Wrong("%s: no kind '%s'" % (self.where, kind))
        self.kind = match[1] or match[4] or match[9]
        self.knee = match[4] is not None
        ends = re.fullmatch(r"([\d.]+?)(?:\.\.([\d.]+))?", cycles)
        if not ends:
            raise Wrong("%s: '%s' is neither a figure nor a range a..b" % (self.where, cycles))
        self.low, self.high = float(ends[1]), float(ends[2] or ends[1])
        self.expected = cycles
        code, _, setup = code.partition(" where ")
        self.setup, self.code = setup, expand(code)
        self.units = int(match[3] or 0) or (len(self.code) if self.code else 1)
        self.copies = int(match[2] or 0)
        if self.knee:
            self.sweep = range(int(match[5]), int(match[6]) + 1, int(match[7] or 1))
            self.correction = match[8]
            self.copies = 1
        elif self.kind == "loop":
            self.copies = 1
        elif not self.copies and self.kind != "absent":
            insns = sum(count_insns(c) for c in self.code)
            self.copies = max(1, (COLD_INSNS if self.kind == "cold" else HOT_INSNS) // max(1, insns))

    def assembly(self, n=0):
        """body.inc, with @n for N."""
        lines = ["    .set LOOPS, %d" % ROUNDS[self.kind], "    .set COPIES, %d" % self.copies,
                 "    .set OWN_LOOP, %d" % (self.kind == "loop"), "    .set N, %d" % n, "    .macro SETUP"]
        lines += statements(self.setup) + ["    .endm", "    .macro BODY"]
        for code in self.code:
            lines += statements(code)
        return "\n".join(lines + ["    .endm", ""])

    def error(self, value):
        """How far @value is from the expected figure or range, as a fraction of it."""
        if value < self.low:
            return value / self.low - 1
        return value / self.high - 1 if value > self.high else 0.0


def expand(code):
    """@code once, or once per register of its placeholders."""
    used = [p for p in REGISTERS if p in code]
    if not used:
        return [code]
    copies = []
    for i in range(min(len(REGISTERS[p]) for p in used)):
        copy = code
        for p in used:
            copy = copy.replace(p, REGISTERS[p][i])
        copies.append(copy)
    return copies


def statements(code):
    return ["    " + s.strip() for s in code.split(";") if s.strip()]


def count_insns(code):
    """About how many instructions; repetitions multiply."""
    total, factors = 0, [1]
    for s in statements(code):
        s = re.sub(r"^\d+:\s*", "", s.strip())
        if s.startswith(".rept"):
            factors.append(factors[-1] * int(s.split()[1]))
        elif s.startswith(".irp"):
            factors.append(factors[-1] * (s.count(",")))
        elif s.startswith(".endr"):
            factors.pop()
        elif s.startswith(".byte") or s and not s.startswith("."):
            total += factors[-1]
    return total


def read_tables():
    rows, names = [], set()
    for table in TABLES:
        with open(os.path.join(HERE, table + ".table")) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip() and not line.startswith("#"):
                    row = Row(table, number, line)
                    if row.name in names:
                        raise Wrong("%s: a second '%s'" % (row.where, row.name))
                    names.add(row.name)
                    rows.append(row)
    return rows


def tool(argv, row):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise Wrong("%s: %s: %s failed (%d): %s" % (row.where, row.name, os.path.basename(argv[0]),
                                                    done.returncode, (done.stderr or done.stdout).strip()[:600]))
    return done.stdout


def build(row, folder, n=0):
    """The ELF file of @row."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        with open(os.path.join(place, "body.inc"), "w") as body:
            body.write(row.assembly(n))
        elf = os.path.join(folder, "%s.%d" % (row.name, n))
        tool(["as", "-I", place, "-o", elf + ".o", os.path.join(HERE, "frame.s")], row)
        tool(["ld", "-static", "-o", elf, elf + ".o"], row)
        os.unlink(elf + ".o")
    return elf


def cycles_per_round(row, folder, model, n=0):
    elf = build(row, folder, n)
    counts = []
    for words in ([], ["again"]):
        out = json.loads(tool([PIE, "stat", "--json"] + model + [elf, "--"] + words, row))
        counts.append(out["cycles"])
    fallback = out.get("unknown_forms", 0)
    os.unlink(elf)
    if fallback:
        raise Wrong("%s: %s: %d unknown forms" % (row.where, row.name, fallback))
    return (counts[1] - counts[0]) / ROUNDS[row.kind]


def measure(row, folder, model):
    """The row's figure: cycles per unit, or a size (None when the curve has no knee)."""
    if not row.knee:
        return cycles_per_round(row, folder, model) / row.copies / row.units
    curve = {n: cycles_per_round(row, folder, model, n) for n in row.sweep}
    row.curve = curve
    first, last = row.sweep[0], row.sweep[-1]
    if row.kind == "overlap":
        if curve[first] > 0.7 * curve[last]:
            return None
        # the last N at which the curve climbs faster than at its end, where only the instructions' own cost is left
        own = (curve[last] - curve[last - 6]) / 6
        n = max(n for n in row.sweep if n > first and curve[n] - curve[n - 1] > own + 2)
    else:
        above = [n for n in row.sweep if curve[n] / n > 1.02 * curve[first] / first]
        if not above:
            return None
        n = above[0] - row.sweep.step + 1  # the last that fits, and the window of the loop's end
    return n * int(row.correction[1:]) if row.correction[0] == "*" else n + int(row.correction)


def check_sources(rows):
    """The restated figures against the files they come from. Returns how many differ."""
    folder = os.path.join(SHARED, "data", "skylake")
    if not os.path.isdir(folder):
        print("skipped: no %s; set PIE_SHARED" % folder)
        sys.exit(77)
    instlat, uops = {}, {}
    with open(os.path.join(folder, "skl_instlat_6700k.tsv")) as lines:
        for line in lines:
            _, name, latency, throughput = line.rstrip("\n").split("\t")
            instlat.setdefault(name, []).append((latency, throughput))
    with open(os.path.join(folder, "skl_instr.tsv")) as lines:
        head = next(lines).rstrip("\n").split("\t")
        for line in lines:
            fields = line.rstrip("\n").split("\t")
            uops[fields[0]] = fields[head.index("tp_meas")]
    n_wrong = n_checked = 0
    for row in rows:
        kind, _, name = row.source.partition(" ")
        name = re.sub(r"( \(the chain\)| \(latency column\)|:.*)$", "", name)
        if kind == "I":  # several instructions with "and": their sum
            found = [v for pair in instlat.get(name, []) for v in pair if v != "-"]
            if " and " in name:
                found = [str(sum(float(instlat[part][0][0]) for part in name.split(" and ")))]
        elif kind == "U" and name in uops:
            found = [uops[name]]
        else:
            continue
        right = [v for v in found if abs(float(v) - row.low) < 0.006]
        n_checked += 1
        if not right:
            n_wrong += 1
            print("%s: %s: %s is not in %s" % (row.where, row.name, row.expected, found or "the file"))
    print("%d restated figures compared, %d differ" % (n_checked, n_wrong))
    return n_wrong


def known_deviations():
    """Figures of rows that are known to be beyond 10 %, by name."""
    with open(os.path.join(HERE, "deviations.txt")) as lines:
        return {line.split()[0]: float(line.split()[1]) for line in lines if not line.startswith("#")}


def report(results, tsv, known):
    """Print the table. Returns how many rows are beyond 10 % that should not be, or are not what @known says."""
    lines, n_beyond, n_close, n_hard, n_wrong = [], 0, 0, 0, 0
    for row, value, problem in results:
        error = row.error(value) if value is not None else None
        hard = row.kind not in ("limit", "absent") and not row.is_open
        if row.kind == "absent":
            verdict = "absent: " + row.code[0]
        elif problem:
            verdict = "FAILED: " + problem
        elif value is None:
            verdict = "BEYOND: no knee"
        elif row.kind == "limit":
            verdict = "known limit"
        elif row.is_open:
            verdict = "no figure published"
        else:
            verdict = "BEYOND" if abs(error) > HARD else "off" if abs(error) > CLOSE else ""
        if hard:
            n_hard += 1
            n_close += error is not None and abs(error) <= CLOSE
            beyond = error is None or abs(error) > HARD
            n_beyond += beyond
            if row.name in known and value is not None and abs(value - known[row.name]) < 0.01 and beyond:
                verdict = "BEYOND, known: deviations.txt"
            elif row.name in known:
                verdict += " NOT WHAT deviations.txt SAYS"
                n_wrong += 1
            else:
                n_wrong += beyond
        lines.append((row.name, "-" if value is None else "%.3f" % value, row.expected,
                      "-" if error is None else "%+.1f%%" % (100 * error), row.source, verdict))
    head = ("name", "pie", "expected", "error", "source", "")
    widths = [max(len(line[i]) for line in lines + [head]) for i in range(6)]
    for line in [head] + lines:
        print("  ".join([line[0].ljust(widths[0])] + [line[i].rjust(widths[i]) for i in (1, 2, 3)] +
                        [line[4].ljust(widths[4]), line[5]]).rstrip())
    if tsv:
        with open(tsv, "w") as out:
            for line in [head[:5] + ("verdict",)] + lines:
                out.write("\t".join(line) + "\n")
    print("%d rows: %d within 3 %%, %d beyond 10 %%; %d known limits, without a figure and absent, not counted" %
          (n_hard, n_close, n_beyond, len(lines) - n_hard))
    return n_wrong


def main():
    parser = argparse.ArgumentParser(usage=__doc__, add_help=False)
    parser.add_argument("--uarch", default="skylake")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--tsv")
    parser.add_argument("--show", metavar="NAME")
    parser.add_argument("--native", action="store_true")
    parser.add_argument("--sources", action="store_true")
    parser.add_argument("--curves", action="store_true")
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("regex", nargs="?", default="")
    args = parser.parse_args()
    if args.help:
        print(__doc__)
        return 0
    rows = read_tables()
    if args.show:
        found = [row for row in rows if row.name == args.show]
        if not found:
            raise Wrong("no row '%s'" % args.show)
        print(found[0].assembly(found[0].sweep[0] if found[0].knee else 0), end="")
        return 0
    model = ["--uarch", args.uarch] + [word for value in args.set for word in ("--set", value)]
    rows = [row for row in rows if re.search(args.regex, row.name)]
    if not rows:
        raise Wrong("no row matches '%s'" % args.regex)
    if args.sources:
        return 1 if check_sources(rows) else 0

    with tempfile.TemporaryDirectory(prefix="pie-micro.") as folder:
        def job(row):
            try:
                if row.kind == "absent":
                    return row, None, ""
                if args.native:
                    for n in [row.sweep[0], row.sweep[-1]] if row.knee else [0]:
                        tool([build(row, folder, n)], row)
                    return row, None, ""
                return row, measure(row, folder, model), ""
            except Wrong as wrong:
                return row, None, str(wrong)

        if not args.native:  # a model that does not load is said once
            probe = Row("probe", 1, "probe|hot|1|-|nop")
            tool([PIE, "stat", "--json"] + model + [build(probe, folder)], probe)
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            results = list(pool.map(job, rows))
    if args.native:
        problems = [problem for _, _, problem in results if problem]
        print("\n".join(problems + ["%d rows, %d failed" % (len(rows), len(problems))]))
        return 1 if problems else 0
    if args.curves:
        for row, _, _ in results:
            for n, cycles in getattr(row, "curve", {}).items():
                print("%s %d %.2f" % (row.name, n, cycles))
    known = known_deviations() if args.uarch == "skylake" and not args.set else {}
    return 1 if report(results, args.tsv, known) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Wrong, re.error) as wrong:
        print("micro.py: %s" % wrong, file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has seen enough
        sys.exit(1)
