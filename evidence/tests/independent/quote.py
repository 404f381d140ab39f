"""Does an attestation hold a TPM's quote that was made for it?

Written from docs/attestation.md alone. The `openssl` command is asked whether an ECDSA signature holds.
"""
import hashlib
import os
import re
import subprocess
import tempfile
from typing import Any

from attestation import Refusal, digest
from canonical import Bad, demand, parse
from forms import by_name, members, string, unbase64, within
from signatures import MAX_KEY, Trouble, read_file

SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
FORM = members(attested=string, key=string, pcrs=by_name(digest), signature=string)


def spki_of(pem: str) -> bytes:
    """The SPKI DER of a P-256 key in PEM, as it is written."""
    match = re.fullmatch(r"-----BEGIN PUBLIC KEY-----\n((?:[A-Za-z0-9+/=]{1,64}\n)+)-----END PUBLIC KEY-----\n", pem)
    demand(match is not None, "no public key in PEM")
    body = match.group(1).split("\n")[:-1]
    demand(all(len(line) == 64 for line in body[:-1]), "lines of another length")
    der = unbase64("".join(body))
    demand(len(der) == len(SPKI) + 64 and der.startswith(SPKI), "no P-256 key")
    return der


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, length: int) -> bytes:
        demand(length <= len(self.data), "it ends too early")
        taken, self.data = self.data[:length], self.data[length:]
        return taken

    def sized(self) -> bytes:
        return self.take(int.from_bytes(self.take(2), "big"))

    def expect(self, hexadecimal: str) -> None:
        demand(self.take(len(hexadecimal) // 2).hex() == hexadecimal, f"not {hexadecimal}")

    def end(self) -> None:
        demand(self.data == b"", "something comes after it")


def integer(number: bytes) -> bytes:
    """An ASN.1 INTEGER."""
    demand(len(number) <= 32, "a number of more than 32 bytes")
    number = number.lstrip(b"\0")
    number = b"\0" + number if not number or number[0] > 127 else number
    return bytes([2, len(number)]) + number


def signature_of(data: bytes) -> bytes:
    reader = Reader(data)
    reader.expect("0018000b")
    both = integer(reader.sized()) + integer(reader.sized())
    reader.end()
    return bytes([0x30, len(both)]) + both


def holds(pem: str, message: bytes, signature: bytes) -> bool:
    with tempfile.TemporaryDirectory(prefix="verify-") as directory:
        paths = [os.path.join(directory, name) for name in ("key", "message", "signature")]
        for path, data in zip(paths, (pem.encode(), message, signature)):
            with open(path, "wb") as file:
                file.write(data)
        command = ["openssl", "dgst", "-sha256", "-verify", paths[0], "-signature", paths[2], paths[1]]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0


def attested_of(data: bytes) -> tuple[bytes, list[int], bytes]:
    """The question, the PCRs, and the digest of their values."""
    reader = Reader(data)
    reader.expect("ff5443478018")
    reader.sized()
    question = reader.sized()
    reader.take(25)
    reader.expect("00000001000b")
    bits = int.from_bytes(reader.take(reader.take(1)[0]), "little")
    demand(bits < 2**24, "more PCRs than there are")
    values = reader.sized()
    reader.end()
    return question, [n for n in range(24) if bits >> n & 1], values


def verify_quote(data: bytes, statement: dict[str, Any], path: str, expected: list[tuple[int, str]]) -> None:
    """Checks 1 to 9, in their order."""
    try:
        given = spki_of(read_file(path, MAX_KEY).decode())
    except (Bad, ValueError):
        raise Trouble(f"{path}: not a P-256 public key in PEM") from None
    predicate = statement["predicate"]
    if "tpm.quote" not in predicate["facts"]:
        raise Refusal("QuoteMissing", "no TPM said anything")
    value = predicate["facts"]["tpm.quote"]["value"]
    try:
        within(FORM, value, "tpm.quote")
        numbers = ["%d" % n for n in range(24)]
        demand(all(name in numbers for name in value["pcrs"]), "no PCR has this number")
        attested, signature = unbase64(value["attested"]), unbase64(value["signature"])
        if spki_of(value["key"]) != given:
            raise Refusal("QuoteWrongKey", "by another key")
        der = signature_of(signature)
        if not holds(value["key"], attested, der):
            raise Refusal("QuoteBadSignature", "it does not hold")
        question, pcrs, digest_of_values = attested_of(attested)
    except Bad as e:
        raise Refusal("QuoteMalformed", str(e)) from None
    asked = '{"key":"%s","nonce":' + parse_back(predicate["nonce"]) + ',"run":' + parse_back(predicate["run"]) + "}"
    keys = [entry["keyid"] for entry in parse(data)["signatures"]]
    questions = [hashlib.sha256(b"bottle tpm quote v1\n" + asked.replace("%s", key, 1).encode()).digest() for key in keys]
    if question not in questions:
        raise Refusal("QuoteMismatch", "made for another attestation")
    values = b"".join(bytes.fromhex(value["pcrs"][str(n)]) for n in sorted(map(int, value["pcrs"])))
    if sorted(map(int, value["pcrs"])) != pcrs or hashlib.sha256(values).digest() != digest_of_values:
        raise Refusal("PcrMismatch", "not the values that were quoted")
    for number, must in expected:
        if value["pcrs"].get(str(number)) != must:
            raise Refusal("PcrMismatch", f"PCR {number} has not the value expected")


def parse_back(text: str) -> str:
    """The canonical form of a string."""
    short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
    return '"' + "".join(short.get(c) or (c if c >= " " else f"\\u{ord(c):04x}") for c in text) + '"'
