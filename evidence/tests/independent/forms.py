"""Is this value of the type that a table demands? A type is a function that raises Bad.

Written from docs/attestation.md and docs/audit.md alone, by someone who had not seen bottle's code.
"""
import base64
import datetime
import ipaddress
import re
from collections.abc import Callable
from typing import Any

from canonical import Bad, demand

Type = Callable[[Any], None]


def integer(below: int = 2**64) -> Type:
    return lambda v: demand(type(v) is int and v < below, f"not an integer below {below}")


def string(v: Any) -> None:
    demand(type(v) is str, "not a string")


def boolean(v: Any) -> None:
    demand(type(v) is bool, "neither true nor false")


def anything(_: Any) -> None:
    pass


def text(v: Any) -> None:
    demand(type(v) is str and len(v) <= 256 and len(v.encode()) <= 256, "not a string of at most 256 bytes")


def hexadecimal(digits: int) -> Type:
    pattern = re.compile(f"[0-9a-f]{{{digits}}}")
    return lambda v: demand(type(v) is str and bool(pattern.fullmatch(v)), f"not {digits} digits 0-9a-f")


def one_of(*choices: str) -> Type:
    return lambda v: demand(type(v) is str and v in choices, "none of " + ", ".join(choices))


def nullable(kind: Type) -> Type:
    return lambda v: None if v is None else kind(v)


def array(kind: Type) -> Type:
    def check(v: Any) -> None:
        demand(type(v) is list, "not an array")
        for i, item in enumerate(v):
            within(kind, item, f"[{i}]")
    return check


def by_name(kind: Type, names: Type = anything) -> Type:
    def check(v: Any) -> None:
        demand(type(v) is dict, "not an object")
        for name, item in v.items():
            within(names, name, " a name")
            within(kind, item, "." + ascii(name))
    return check


def members(**kinds: Type) -> Type:
    def check(v: Any) -> None:
        demand(type(v) is dict and v.keys() == kinds.keys(), "not an object of just " + ", ".join(sorted(kinds)))
        for name, kind in kinds.items():
            within(kind, v[name], "." + name)
    return check


def within(kind: Type, value: Any, where: str) -> None:
    try:
        kind(value)
    except Bad as e:
        raise Bad(f"{where}{'' if str(e)[:1] in '.[' else ': '}{e}") from None


EPOCH = datetime.datetime(1970, 1, 1)
TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{6})Z")
LAST_TIME = "9999-12-30T21:59:59.999999Z"


def micros(v: str) -> int:
    """Microseconds since 1970 of a time that has its form."""
    match = TIME.fullmatch(v)
    if not match:
        raise Bad("not a time")
    try:
        moment = datetime.datetime(*map(int, match.groups()))
    except ValueError:
        raise Bad("not a time that exists") from None
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


def time(v: Any) -> None:
    demand(type(v) is str and micros(v) >= 0 and v <= LAST_TIME, "not a time between 1970 and 9999")


def address(v: Any) -> None:
    demand(type(v) is str and bool(re.fullmatch(r"[0-9a-f:.]{2,45}", v)), "not an address")
    try:
        ip = ipaddress.ip_address(v)
    except ValueError:
        raise Bad("not an address") from None
    mapped = ip.ipv4_mapped if ip.version == 6 else None
    demand(v == (f"::ffff:{mapped}" if mapped else str(ip)), "an address in another spelling")


def unbase64(v: Any) -> bytes:
    try:
        data = base64.b64decode(v, validate=True)
    except ValueError:
        raise Bad("not base64") from None
    demand(base64.b64encode(data).decode() == v, "not canonical base64")
    return data
