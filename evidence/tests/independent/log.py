"""Is an audit log whole, and is an attestation that of one of its runs?

Written from docs/attestation.md and docs/audit.md alone, by someone who had not seen bottle's code.
A log is read line by line. What is kept of it is what its rules refer back to: the ids of its runs (hashed), and the attempts
and rows of the run that is open.
"""
import hashlib
import os
import re
from dataclasses import dataclass, field
from typing import Any

from attestation import Demands, Refusal, verify_attestation
from canonical import Bad, demand, parse
from forms import integer, members, micros, within
from lines import LINES
from rows import Rows
from signatures import Keys, Trouble

MAX_LINE = 4_194_304


class Problem(Exception):
    """A log is refused, at a line: `line N: WHY`, or `file F, line N: WHY` where it is not in the first file."""


@dataclass
class Run:
    """A run that is open."""
    start: dict[str, Any]
    rows: Rows = field(default_factory=Rows)
    attempts: dict[int, tuple[int, bool] | None] = field(default_factory=dict)  # row, denied; None: has its outcome
    inbound: dict[int, bool] = field(default_factory=dict)  # connections from outside; whether it has its outcome
    drifted: bool = False


class Log:
    """A log up to some line. `line` takes the next one, `finish` says whether it is whole."""

    def __init__(self, keys: Keys, head: tuple[int, str] | None, attestation: str | None) -> None:
        self.keys, self.head, self.attestation = keys, head, attestation
        self.count, self.sealed = 0, 0  # lines so far; the last seal's
        self.file, self.fresh = 1, False  # the file that is read; whether its first line must be a segment
        self.hash = "0" * 64
        self.run: Run | None = None
        self.begun = 0  # when the last run.start or torn was written
        self.ids: set[bytes] = set()
        self.last_start = 0
        self.files: dict[int, int] = {}  # the file of each run's first line
        self.ended: list[int] = []  # first lines of the runs whose end is unsealed
        self.incomplete: int | None = None  # first line of the first run that is, whatever comes
        self.bound: tuple[dict[str, Any], dict[str, Any]] | None = None  # the first line that names it, and its run.start
        self.bound_again = False

    def begin_file(self, number: int) -> None:
        self.file, self.fresh = number, number > 1

    def refuse(self, line: int, why: str, file: int | None = None) -> Problem:
        file = self.file if file is None else file
        return Problem(f"file {file}, line {line}: {why}" if file > 1 else f"line {line}: {why}")

    def line(self, raw: bytes) -> None:
        """Checks 2 to 8."""
        number = self.count + 1
        try:
            line = parse(raw)
            demand(type(line) is dict and type(line.get("kind")) is str and line["kind"] in LINES, "no known kind")
            LINES[line["kind"]](line)
            self.stands_in_file(line)
            demand(line["seq"] == number, f"seq is {line['seq']}")
            demand(line["prev"] == self.hash, "prev is not the hash of the line before")
            if line["kind"] == "seal":
                self.check_seal(line)
            self.place(line)
            if line["kind"] in ("run.start", "torn"):
                self.begun = micros(line["time"])
            self.hash = hashlib.sha256(raw).hexdigest()
            demand(self.head is None or self.head[0] != number or self.head[1] == self.hash, "not the head given")
        except Bad as e:
            raise self.refuse(number, str(e)) from None
        self.count, self.fresh = number, False

    def stands_in_file(self, line: dict[str, Any]) -> None:
        """Check 3."""
        demand((line["kind"] == "segment") == self.fresh, "a segment begins each further file, and nothing else")
        demand(not self.fresh or line["number"] == self.file, "another file's number")

    def check_seal(self, line: dict[str, Any]) -> None:
        demand(line["key"] in self.keys, "sealed by no key that was given")
        signed = '{"key":"%(key)s","kind":"seal","prev":"%(prev)s","seq":%(seq)d,"time":"%(time)s"}' % line
        message = b"bottle audit seal v1\n" + signed.encode()
        demand(self.keys.holds(line["key"], message, bytes.fromhex(line["signature"])), "the seal does not hold")
        demand(not self.keys.retired_before(line["key"], self.begun), "sealed by a key that had been retired")

    def place(self, line: dict[str, Any]) -> None:
        """Check 7: may it stand here? If so, what follows from it."""
        kind = line["kind"]
        if kind == "run.start":
            self.start(line)
        elif kind == "torn":
            demand(line["unsealed"] == self.count - self.sealed, "unsealed is not how many lines are unsealed")
            lost = self.ended + ([self.last_start] if self.run else [])
            self.incomplete = self.incomplete or next(iter(lost), None)
            self.run = None
        elif kind == "segment":
            demand(self.count == self.sealed, "a line of the file before is unsealed")
        elif kind == "seal":
            demand(self.count > self.sealed, "a seal, and no line is unsealed")
            self.sealed, self.ended = line["seq"], []
        elif self.run is None:
            raise Bad(f"{kind}, and no run is open")
        elif kind == "run.end":
            self.end(self.run, line)
        elif kind == "decision":
            demand(line["attempt"] not in self.run.attempts, "the attempt has its decision already")
            demand(line["policy"] == self.run.start["policy"], "another policy than run.start")
            self.run.attempts[line["attempt"]] = (self.run.rows.decision(line), line["decision"] == "deny")
        elif kind == "outcome":
            self.outcome(self.run, line)
        elif kind == "inbound":
            demand(line["connection"] not in self.run.inbound, "the connection was taken in already")
            self.run.inbound[line["connection"]] = False
        elif kind == "inbound.outcome":
            self.inbound_outcome(self.run, line)
        elif kind == "run.renew":
            demand(not self.run.drifted, "attested again after a drift")
            self.name(line, self.run.start)
        elif kind == "drift":
            self.run.drifted = True
        elif kind == "dns.denied":
            self.run.rows.dns(line)

    def start(self, line: dict[str, Any]) -> None:
        demand(self.run is None, "run.start, and a run is open")
        run = hashlib.sha256(line["run"].encode()).digest()
        demand(run not in self.ids, "the run began already")
        self.ids.add(run)
        self.run, self.last_start = Run(line), line["seq"]
        self.files[self.last_start] = self.file
        self.name(line, line)

    def name(self, line: dict[str, Any], start: dict[str, Any]) -> None:
        """Takes note of a line that names an attestation, in the run that began so."""
        if line["attestation"] == self.attestation:
            self.bound_again = self.bound is not None
            self.bound = self.bound or (line, start)

    def outcome(self, run: Run, line: dict[str, Any]) -> None:
        demand(line["attempt"] in run.attempts, "an outcome without a decision")
        decided = run.attempts[line["attempt"]]
        if decided is None:
            raise Bad("the attempt has its outcome already")
        check_amounts(line, "bytes_up", "bytes_down", "millis")
        run.attempts[line["attempt"]] = None
        run.rows.outcome(*decided, line)

    def inbound_outcome(self, run: Run, line: dict[str, Any]) -> None:
        demand(line["connection"] in run.inbound, "an outcome of no connection from outside")
        demand(not run.inbound[line["connection"]], "the connection has its outcome already")
        check_amounts(line, "bytes_in", "bytes_out", "millis")
        run.inbound[line["connection"]] = True

    def end(self, run: Run, line: dict[str, Any]) -> None:
        demand(line["count"] == line["seq"] - run.start["seq"], "count is not the run's lines")
        demand(line["head"] == line["prev"], "head is not prev")
        demand(line["command"] == run.start["command"], "another command than run.start")
        demand(line["hosts"] == run.rows.rows, "hosts are not what the lines add up to")
        check_opened(line["refused"], len(run.attempts))
        self.run = None
        self.ended.append(self.last_start)

    def finish(self) -> None:
        """Checks 9 to 12."""
        if self.count == 0:
            raise self.refuse(1, "the log is empty")
        if self.head and not 0 < self.head[0] <= self.count:
            raise self.refuse(self.count + 1, "the head given is no line of this log")
        if self.incomplete or self.run:
            first = self.incomplete or self.last_start
            raise self.refuse(first, "the run has no end", self.files[first])
        if self.sealed != self.count:
            raise self.refuse(self.sealed + 1, "no seal follows")


def check_amounts(line: dict[str, Any], *names: str) -> None:
    unknown = [line[name] is None for name in names]
    demand(not any(unknown) or (all(unknown) and line["result"] == "cut"), "amounts are null that may not be")


def check_opened(refused: dict[str, int], decisions: int) -> None:
    """Opening packets: what is not accounted for is undecided."""
    if "opened" not in refused and "answered" not in refused:
        return
    demand(all(name in refused for name in ("opened", "answered", "undecided")), "a part of what was opened")
    accounted = decisions + refused["answered"] + refused.get("flood", 0) + refused.get("unheard", 0)
    demand(refused["undecided"] == max(0, refused["opened"] - accounted), "undecided is not what is left of opened")


def verify_log(path: str, log: Log) -> None:
    try:
        for number, name in enumerate(files_of(path, log), 1):
            if log.fresh:
                raise log.refuse(log.count + 1, "the file has no line, and another follows")
            log.begin_file(number)
            with open(name, "rb") as file:
                while raw := file.readline(MAX_LINE + 1):
                    if not raw.endswith(b"\n"):
                        raise log.refuse(log.count + 1, "too long" if len(raw) > MAX_LINE else "torn: it has no line feed")
                    log.line(raw[:-1])
        if log.fresh:
            log.file -= 1
    except OSError as e:
        raise Trouble(f"{path}: {e}") from None
    log.finish()


def files_of(path: str, log: Log) -> list[str]:
    """The log's files in their order; a problem where one is missing."""
    folder, name = os.path.split(path)
    further = (re.fullmatch(re.escape(name) + r"\.([1-9][0-9]*)", other) for other in os.listdir(folder or "."))
    numbers = sorted(int(match[1]) for match in further if match and int(match[1]) > 1)
    for expected, number in enumerate(numbers, 2):
        if number != expected:
            raise log.refuse(1, "the file is missing", expected)
    return [path] + [f"{path}.{number}" for number in numbers]


def verify_bound(data: bytes, log: Log) -> None:
    """Check 13: the attestation is that of a run in this log."""
    if log.bound is None:
        raise Bad("no run of this log names it")
    line, start = log.bound
    try:
        statement = verify_attestation(data, log.keys, Demands(micros(line["time"])))
    except Refusal as e:
        raise Bad(str(e)) from None
    predicate = statement["predicate"]
    identity = predicate["facts"]["workload.identity"]["value"]
    demand(not log.bound_again, "two lines name it")
    stage = "start" if line["kind"] == "run.start" else "running"
    demand(predicate["stage"] == stage, "it is of another stage")
    demand(start["run"] == predicate["run"], "it is of another run")
    demand(start["mode"] == predicate["mode"], "it is of another mode")
    demand(start["policy"] == statement["subject"][3]["digest"]["sha256"], "it is of another policy")
    within(members(pid=integer(), start=integer()), identity, "workload.identity")
    demand(start["workload"] == identity, "it is of another workload")
    demand(line.get("nonce") in (None, predicate["nonce"]), "it has another nonce")
