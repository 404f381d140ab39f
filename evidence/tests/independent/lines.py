"""Which members does a line of each kind have, and of which types?

Written from docs/attestation.md and docs/audit.md alone, by someone who had not seen bottle's code.
"""
from typing import Any

from attestation import MODE, digest
from canonical import demand
from forms import (Type, address, array, boolean, by_name, hexadecimal, integer, members, nullable, one_of, string, text,
                   time)
from rows import CHOICES

port, number, small = integer(65_536), integer(), integer(2**32)
SEEN = {"nothing": members(protocol=string), "opaque": members(protocol=string),
        "tls": members(protocol=string, sni=nullable(text), ech=boolean),
        "http": members(protocol=string, host=nullable(text), port=nullable(port)),
        "unparsable": members(protocol=string, why=text)}
ROW = members(bytes_down=number, bytes_up=number, connections=number, decision=one_of(*CHOICES), denied=number,
              millis=number, name=text, port=nullable(port))


def seen(v: Any) -> None:
    demand(type(v) is dict and type(v.get("protocol")) is str and v["protocol"] in SEEN, "not what bytes showed")
    SEEN[v["protocol"]](v)


def process(v: Any) -> None:
    if v not in ("unknown", "unsought"):
        members(exe=text, pid=small, start=number, uid=small)(v)


def line_of(**kinds: Type) -> Type:
    return members(kind=string, prev=digest, seq=number, time=time, **kinds)


LINES = {
    "run.start": line_of(attestation=digest, command=array(text), mode=MODE, policy=digest, run=text,
                         workload=members(pid=small, start=number)),
    "decision": line_of(address=address, attempt=number, decision=one_of(*CHOICES), name=nullable(text), policy=digest,
                        port=port, process=process, reason=nullable(text), rule=nullable(text), seen=seen),
    "outcome": line_of(attempt=number, bytes_down=nullable(number), bytes_up=nullable(number), millis=nullable(number),
                       reason=nullable(text), result=one_of("closed", "refused", "unreachable", "cut", "reset"),
                       upstream=nullable(address)),
    "inbound": line_of(address=address, connection=number, inside=port, peer=address, peer_port=port, port=port),
    "inbound.outcome": line_of(bytes_in=nullable(number), bytes_out=nullable(number), connection=number,
                               millis=nullable(number),
                               result=one_of("closed", "refused", "unreachable", "cut", "reset")),
    "dns.denied": line_of(count=number, name=text, qtype=text, reason=text),
    "refused": line_of(**{"class": text}, address=nullable(address), port=nullable(port), protocol=text,
                       source_port=nullable(port)),
    "run.exec": line_of(command=array(text), user=text),
    "run.renew": line_of(attestation=digest, nonce=digest),
    "drift": line_of(detail=text, what=text),
    "torn": line_of(bytes=number, sha256=digest, unsealed=number),
    "segment": line_of(number=number),
    "seal": line_of(key=digest, signature=hexadecimal(128)),
    "run.end": line_of(command=array(text), count=number, exit=integer(256), head=digest, hosts=array(ROW),
                       millis=number, reason=nullable(text), refused=by_name(number, text)),
}

