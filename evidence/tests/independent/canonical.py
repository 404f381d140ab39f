"""Is this JSON text in canonical form, and what is its value?

Written from docs/attestation.md and docs/audit.md alone, by someone who had not seen bottle's code.
Canonical form is a local property: each token, the order of members, and no white space.
"""
import json
import math
import re
from typing import Any

MAX_DEPTH = 127


class Bad(Exception):
    """Bytes or a value that are not in the form that is demanded."""


def demand(holds: bool, what: str) -> None:
    if not holds:
        raise Bad(what)


STRING = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\bfnrt]|u00(?:0[0-7be-f]|1[0-9a-f]))[^"\\\x00-\x1f]*+)*+"'
TOKEN = re.compile(STRING + r'|["{}\[\] \t\r\n]')


def parse(data: bytes) -> Any:
    """The value of a JSON text in canonical form. An `int` is a number without sign, point and exponent."""
    depth = 0
    try:
        text = data.decode("utf-8")
        for match in TOKEN.finditer(text):
            token = match.group()
            if token in "{[":
                depth += 1
                demand(depth <= MAX_DEPTH, f"more than {MAX_DEPTH} arrays and objects within one another")
            elif token in "}]":
                depth -= 1
            elif len(token) == 1:  # white space, or what begins no string in canonical form
                raise Bad(f"not canonical at character {match.start()}")
        return json.loads(text, object_pairs_hook=ordered, parse_int=number_of, parse_float=number_of,
                          parse_constant=number_of)
    except ValueError as e:
        raise Bad(f"no canonical JSON: {ascii(str(e)[:200])}") from None


def write(value: Any) -> str:
    """The canonical form of a value that was parsed."""
    if type(value) is dict:
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{write(name)}:{write(value[name])}" for name in names) + "}"
    if type(value) is list:
        return "[" + ",".join(map(write, value)) + "]"
    if type(value) in (int, float):
        return spell(float(value))
    # Strings, true, false and null: the escapes are the same.
    return json.dumps(value, ensure_ascii=False)


def ordered(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name.encode("utf-16-be") for name, _ in pairs]
    demand(all(a < b for a, b in zip(names, names[1:])), "members are twice or out of order")
    return dict(pairs)


def number_of(token: str) -> int | float:
    """Its value, if it is spelled as ECMAScript does, which takes 25 characters at most."""
    if len(token) > 25 or not math.isfinite(value := float(token)) or spell(value) != token:
        raise Bad(f"the number {token[:25]} is not in canonical form")
    return int(token) if token.isdigit() else value


def spell(value: float) -> str:
    """A finite double as ECMAScript spells it. `repr` finds the digits: shortest, and of these the nearest."""
    if value == 0:
        return "0"
    sign, number = ("-" if value < 0 else ""), repr(abs(value))
    mantissa, _, exponent = number.partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    n = int(exponent or 0) + len(whole) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    k = len(digits)
    if k <= n <= 21:
        return sign + digits + "0" * (n - k)
    if 0 < n <= 21:
        return sign + digits[:n] + "." + digits[n:]
    if -6 < n <= 0:
        return sign + "0." + "0" * -n + digits
    return sign + digits[0] + ("." + digits[1:] if k > 1 else "") + f"e{n - 1:+d}"
