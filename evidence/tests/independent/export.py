"""Does an export hold: one run's lines, attestations and policy in one signed file?

Written from docs/attestation.md and docs/audit.md alone, by someone who had not seen bottle's code.
"""
import hashlib
from typing import Any

from attestation import ENVELOPE, Refusal, open_envelope
from canonical import Bad, demand, parse, write
from forms import array, members, micros, string, time, within
from log import MAX_LINE, Log, Problem, verify_bound
from signatures import Keys

MAX_EXPORT = 268_435_456
PAYLOAD_TYPE = "application/vnd.bottle.incident+json"


class Lines(Log):
    """Lines of a log that stand in no file, and go on from a line that is not there."""
    segment: int | None = None

    def stands_in_file(self, line: dict[str, Any]) -> None:
        if line["kind"] == "segment":
            demand(line["number"] == (self.segment + 1 if self.segment else max(line["number"], 2)), "another segment's number")
            self.segment = line["number"]


def verify_export(data: bytes, keys: Keys) -> None:
    """The steps of the section, each of which raises a Problem that names it."""
    demand_step("envelope", len(data) <= MAX_EXPORT)
    payload = step("envelope", lambda: open_envelope(data, keys, PAYLOAD_TYPE))
    export = step("form", lambda: form(payload))
    signers = [entry["keyid"] for entry in parse(data)["signatures"]]
    demand_step("retired", not any(keys.retired_before(key, micros(export["exported"])) for key in signers))
    log = step("log", lambda: lines(export["log"], keys, None))
    demand_step("one run", len(log.ids) == 1 and log.last_start == log.count - len(export["log"]) + 1)
    attested(export["attestation"], export["log"], keys, "start")
    if "renewed" in export:
        attested(export["renewed"], export["log"], keys, "running")
    policy = hashlib.sha256(export["policy"].encode()).hexdigest()
    demand_step("policy", policy == parse(export["log"][0].encode())["policy"])
    step("end", log.finish)


def step(name: str, check: Any) -> Any:
    try:
        return check()
    except (Bad, Refusal, Problem) as e:
        raise Problem(f"export: {name}: {e}") from None


def demand_step(name: str, holds: bool) -> None:
    step(name, lambda: demand(holds, "it does not hold"))


def form(payload: bytes) -> dict[str, Any]:
    export = parse(payload)
    kinds = {"attestation": ENVELOPE, "exported": time, "log": array(string), "policy": string}
    if type(export) is dict and "renewed" in export:
        kinds["renewed"] = ENVELOPE
    within(members(**kinds), export, "export")
    return export


def lines(texts: list[str], keys: Keys, attestation: str | None) -> Lines:
    """The lines, each of which may stand where it does."""
    log = Lines(keys, None, attestation)
    for number, raw in enumerate(text.encode() for text in texts):
        demand(len(raw) <= MAX_LINE, "a line is too long")
        if number == 0:
            first = parse(raw)
            demand(type(first) is dict and type(first.get("seq")) is int and first["seq"] > 0, "no seq")
            if first["seq"] > 1:
                log.count = log.sealed = first["seq"] - 1
                log.hash = first.get("prev")
        log.line(raw)
    demand(texts != [], "there is no line")
    return log


def attested(envelope: dict[str, Any], texts: list[str], keys: Keys, stage: str) -> None:
    data = write(envelope).encode()
    log = lines(texts, keys, hashlib.sha256(data).hexdigest())
    step("attestation", lambda: verify_bound(data, log))
    is_start = log.bound is not None and log.bound[0]["kind"] == "run.start"
    demand_step("attestation", is_start == (stage == "start"))
