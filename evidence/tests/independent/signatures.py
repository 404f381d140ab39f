"""Which keys may be used, and does a signature hold? The `openssl` command is asked.

Written from docs/attestation.md and docs/audit.md alone, by someone who had not seen bottle's code.
"""
import base64
import functools
import hashlib
import os
import re
import subprocess
import tempfile

from canonical import Bad, demand
from forms import micros, time, unbase64

MAX_KEY = 65_536
SMALL_ORDER = {bytes.fromhex(h) for h in (
    "00" * 32, "01" + "00" * 31, "ec" + "ff" * 30 + "7f", "ed" + "ff" * 30 + "7f", "ee" + "ff" * 30 + "7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")}


class Trouble(Exception):
    """Not the evidence's fault: a file, a key, an option or openssl. Exit code 2."""


def read_file(path: str, limit: int) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as e:
        raise Trouble(f"{path}: {e}") from None
    if len(data) > limit:
        raise Trouble(f"{path}: more than {limit} bytes")
    return data


EOL = rb"(?:\r\n|\n|\r)"
PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----" + EOL + rb"([A-Za-z0-9+/]{59}=)" + EOL + rb"-----END PUBLIC KEY-----" + EOL + rb"?")
SPKI = bytes.fromhex("302a300506032b6570032100")
P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def unsigned(point: bytes) -> bytes:
    return point[:31] + bytes([point[31] & 0x7F])


def body_of(data: bytes) -> str:
    """The base64 between the boundaries. Lines before the first one are skipped."""
    data.decode("utf-8")
    begin = 0 if data.startswith(b"-----BEGIN ") else data.find(b"\n-----BEGIN ") + 1
    match = PEM.fullmatch(data, begin)
    demand(match is not None and b"\0" not in data, "not in PEM")
    return match.group(1).decode()


def retirement_of(data: bytes) -> int | None:
    """When the key was retired, if a line before it says so."""
    before = b"" if data.startswith(b"-----BEGIN ") else data[:data.find(b"\n-----BEGIN ")]
    said = [line.decode() for line in before.split(b"\n") if line.startswith(b"Retired:")]
    demand(len(said) <= 1 and all(line.startswith("Retired: ") for line in said), "not one line that says when")
    for line in said:
        time(line[9:])
        return micros(line[9:])
    return None


def read_key(path: str) -> tuple[bytes, int | None]:
    """The SPKI DER of a public key that may be used, and when it was retired."""
    data = read_file(path, MAX_KEY)
    retired = None
    try:
        der = unbase64(body_of(data))
        retired = retirement_of(data)
    except (Bad, ValueError):
        der = b""
    if len(der) != 44 or not der.startswith(SPKI):
        raise Trouble(f"{path}: not an Ed25519 public key in PEM")
    y = int.from_bytes(unsigned(der[12:]), "little") % P
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    if pow(x2, (P - 1) // 2, P) not in (0, 1):
        raise Trouble(f"{path}: no point of the curve")
    if unsigned(der[12:]) in SMALL_ORDER:
        raise Trouble(f"{path}: a key of small order")
    return der, retired


@functools.cache
def openssl_holds(pem: bytes, message: bytes, signature: bytes) -> bool:
    with tempfile.TemporaryDirectory(prefix="verify-") as directory:
        paths = [os.path.join(directory, name) for name in ("key", "message", "signature")]
        for path, data in zip(paths, (pem, message, signature)):
            with open(path, "wb") as file:
                file.write(data)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", paths[0], "-rawin", "-in", paths[1],
                   "-sigfile", paths[2]]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0 and b"Signature Verification Failure" not in done.stdout:
        raise Trouble("openssl: " + ascii(done.stderr[:200].decode(errors="replace")))
    return done.returncode == 0


class Keys:
    """The keys that were given, by id, in PEM."""

    def __init__(self, paths: list[str]) -> None:
        self.pems: dict[str, bytes] = {}
        self.retired: dict[str, int] = {}
        for der, retired in map(read_key, paths):
            pem = b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(der) + b"\n-----END PUBLIC KEY-----\n"
            key = hashlib.sha256(der).hexdigest()
            self.pems[key] = pem
            if retired is not None:
                self.retired[key] = min(retired, self.retired.get(key, retired))

    def __contains__(self, key: str) -> bool:
        return key in self.pems

    def retired_before(self, key: str, moment: int) -> bool:
        return self.retired.get(key, moment) < moment

    def holds(self, key: str, message: bytes, signature: bytes) -> bool:
        if unsigned(signature[:32]) in SMALL_ORDER:
            return False
        return openssl_holds(self.pems[key], message, signature)
