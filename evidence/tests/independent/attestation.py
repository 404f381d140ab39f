"""Does an attestation hold, and is it the one that was demanded?

Written from docs/attestation.md and docs/audit.md alone, by someone who had not seen bottle's code.
"""
import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from canonical import Bad, demand, parse, write
from forms import (anything, array, boolean, by_name, hexadecimal, members, micros, one_of, string, text, time, unbase64,
                   within)
from signatures import Keys

MAX_ENVELOPE = 16_777_216
PAYLOAD_TYPE = "application/vnd.in-toto+json"
EXITS = {"Malformed": 10, "WrongKey": 11, "BadSignature": 12, "MissingEgressProxyBinding": 13, "ProbeFailed": 14,
         "NotYetValid": 15, "Expired": 16, "NonceMismatch": 17, "ModeNotEnforced": 18, "ModeNotObserved": 19,
         "DigestMismatch": 20, "OtherBoot": 21, "OtherNamespace": 22, "QuoteMissing": 30, "QuoteMalformed": 31,
         "QuoteWrongKey": 32, "QuoteBadSignature": 33, "QuoteMismatch": 34, "PcrMismatch": 35}


class Refusal(Exception):
    """An attestation is refused, by a stable name."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} {why}")
        self.name = name


digest = hexadecimal(64)
MODE = one_of("enforce", "observe")
STAGE = one_of("running", "start")
ENVELOPE = members(payload=string, payloadType=string, signatures=array(members(keyid=digest, sig=string)))
FACT = members(basis=one_of("asserted", "behavioural", "measured"), how=text, value=anything)
PROBE = members(confined=boolean, expected=text, held=boolean, name=text, observed=text)
PREDICATE = members(expires=time, facts=by_name(FACT), issued=time, mode=MODE, nonce=digest, probes=array(PROBE),
                    run=text, stage=STAGE)
STATEMENT = members(_type=string, predicate=PREDICATE, predicateType=string,
                    subject=array(members(name=string, digest=members(sha256=digest))))
BOTH_SIDES = ("namespace links addresses routes rules neighbours sysctls ruleset listeners processes").split()
MEASURED = ["host.boot-id", "host.kernel", *(f"{s}.{n}" for n in BOTH_SIDES for s in ("agent", "gate")),
            "workload.identity", *(f"{s}.{n}" for n in ("process", "executable")
                                   for s in ("workload", "init", "gate", "dialler"))]
ASSERTED = ["workload.seccomp-program", "gate.seccomp-program", "bottle.version"]
PROBES = {"tcp-v4": "reset", "tcp-v6": "reset", "udp-v4": "refused", "udp-v6": "refused", "icmp": "refused",
          "raw-ip": "refused", "packet": "refused", "dns-udp": "nxdomain", "dns-udp-foreign": "nxdomain",
          "dns-udp-loopback": "nxdomain", "dns-tcp-foreign": "nxdomain", "connect-denied": "403",
          "gate-challenge": "[0-9a-f]{64}"}


@dataclass
class Demands:
    """What the verifier's owner demands of an attestation."""
    now: int
    max_age: int | None = None
    nonce: str | None = None
    mode: str | None = None
    digests: dict[str, str | None] = field(default_factory=dict)
    boot_id: str | None = None
    network: int | None = None
    workload: tuple[int, int] | None = None


def verify_attestation(data: bytes, keys: Keys, demands: Demands) -> dict[str, Any]:
    """The statement, if the envelope holds. Checks 1 to 23, in their order."""
    try:
        if len(data) > MAX_ENVELOPE:
            raise Bad("too many bytes")
        payload = open_envelope(data, keys)
        statement = parse(payload)
        within(STATEMENT, statement, "statement")
        demand(statement["_type"] == "https://in-toto.io/Statement/v1", "another _type")
    except Bad as e:
        raise Refusal("Malformed", str(e)) from None
    issued = micros(statement["predicate"]["issued"])
    for entry in parse(data)["signatures"]:
        if keys.retired_before(entry["keyid"], issued):
            raise Refusal("WrongKey", f"{entry['keyid']} had been retired")
    check_binding(statement)
    check_time(statement["predicate"], demands)
    check_demands(statement, demands)
    return statement


def open_envelope(data: bytes, keys: Keys, payload_type: str = PAYLOAD_TYPE) -> bytes:
    envelope = parse(data)
    within(ENVELOPE, envelope, "envelope")
    demand(envelope["payloadType"] == payload_type, "another payloadType")
    payload = unbase64(envelope["payload"])
    demand(envelope["signatures"] != [], "no signature")
    message = f"DSSEv1 {len(payload_type)} {payload_type} {len(payload)} ".encode() + payload
    seen: set[str] = set()
    for entry in envelope["signatures"]:
        key = entry["keyid"]
        demand(key not in seen, f"{key} signed twice")
        seen.add(key)
        if key not in keys:
            raise Refusal("WrongKey", f"{key} is no key that was given")
        signature = unbase64(entry["sig"])
        demand(len(signature) == 64, "a signature is not 64 bytes")
        if not keys.holds(key, message, signature):
            raise Refusal("BadSignature", f"that of {key} does not hold")
    return payload


def check_binding(statement: dict[str, Any]) -> None:
    """Checks 10 to 14."""
    def need(holds: bool, why: str) -> None:
        if not holds:
            raise Refusal("MissingEgressProxyBinding", why)
    predicate = statement["predicate"]
    need(statement["predicateType"] == "urn:bottle:predicate:egress-binding:v1", "another predicateType")
    names = [s["name"] for s in statement["subject"]]
    need(names == [predicate["run"], "binary", "image", "policy"], "other subjects")
    for name in MEASURED + ASSERTED:
        fact = predicate["facts"].get(name)
        need(fact is not None, f"no fact {name}")
        need(fact["value"] is not None and fact["value"] != "", f"the fact {name} says nothing")
        need(fact["basis"] == "measured" or name in ASSERTED, f"the fact {name} is not measured")
    state = write({name: fact["value"] for name, fact in predicate["facts"].items() if fact["basis"] == "measured"})
    if hashlib.sha256(state.encode()).hexdigest() != statement["subject"][0]["digest"]["sha256"]:
        raise Refusal("DigestMismatch", "the first subject is not what was measured")
    for name, expected in PROBES.items():
        # While it runs one probe is demanded, and that where `confined` is false; what else is there is a further one.
        if predicate["stage"] == "running" and name != "gate-challenge":
            continue
        ways = [False, True] if predicate["stage"] == "start" else [False]
        probes = [p for p in predicate["probes"] if p["name"] == name and p["confined"] in ways]
        need(sorted(p["confined"] for p in probes) == ways, f"the probe {name} is not there just as often as it must be")
        need(all(re.fullmatch(expected, p["expected"]) for p in probes), f"the probe {name} expects something else")
    for probe in predicate["probes"]:
        if not probe["held"] or probe["observed"] != probe["expected"]:
            raise Refusal("ProbeFailed", f"{ascii(probe['name'])} observed {ascii(probe['observed'])}")


def check_time(predicate: dict[str, Any], demands: Demands) -> None:
    """Checks 15 to 18."""
    issued, expires, now = micros(predicate["issued"]), micros(predicate["expires"]), demands.now
    if expires <= issued:
        raise Refusal("Expired", "it expires no later than it was issued")
    if issued > now:
        raise Refusal("NotYetValid", f"issued {predicate['issued']}")
    if now >= expires:
        raise Refusal("Expired", f"since {predicate['expires']}")
    if demands.max_age is not None and now - issued > demands.max_age * 1_000_000:
        raise Refusal("Expired", f"older than {demands.max_age} seconds")


def check_demands(statement: dict[str, Any], demands: Demands) -> None:
    """Checks 19 to 23."""
    predicate = statement["predicate"]
    if demands.nonce not in (None, predicate["nonce"]):
        raise Refusal("NonceMismatch", f"it is {predicate['nonce']}")
    if demands.mode not in (None, predicate["mode"]):
        name = "ModeNotEnforced" if demands.mode == "enforce" else "ModeNotObserved"
        raise Refusal(name, f"it is {predicate['mode']}")
    found = {s["name"]: s["digest"]["sha256"] for s in statement["subject"][1:]}
    for name in ("policy", "image", "binary"):
        if demands.digests.get(name) not in (None, found[name]):
            raise Refusal("DigestMismatch", f"{name} is {found[name]}")
    value = {name: fact["value"] for name, fact in predicate["facts"].items()}
    if demands.boot_id not in (None, value["host.boot-id"]):
        raise Refusal("OtherBoot", f"it is {ascii(value['host.boot-id'])}")
    if demands.network is not None:
        namespace = value["agent.namespace"]
        inode = namespace.get("inode") if type(namespace) is dict else None
        if type(inode) is not int or inode != demands.network:
            raise Refusal("OtherNamespace", "agent.namespace has another inode")
    if demands.workload is not None:
        identity, (pid, start) = value["workload.identity"], demands.workload
        good = type(identity) is dict and all(type(v) is int for v in identity.values())
        if not good or identity != {"pid": pid, "start": start}:
            raise Refusal("OtherNamespace", "workload.identity is another")
