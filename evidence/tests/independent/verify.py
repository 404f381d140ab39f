#!/usr/bin/env python3
"""An independent verifier of bottle's attestations and audit logs.

Written from docs/attestation.md and docs/audit.md alone, by someone who had not seen bottle's code. It needs Python's standard
library (3.11) and the `openssl` command, which is asked whether an Ed25519 signature holds, and nothing of bottle.

  verify.py attestation FILE --key PUB [...]   prints `ok`, or a refusal's name and what is wrong; exits with its code
  verify.py log FILE --key PUB [...]           prints `ok LINES`, or `line N: WHY`, `file F, line N: WHY` or `attestation: WHY`
                                               and exits with 1
  verify.py export FILE --key PUB [...]        prints `ok`, or `export: STEP: WHY` and exits with 1
  verify.py cases                              reads such arguments, a JSON array a line, and answers each with a line,
                                               a JSON array of exit code and what would be printed

What can't be read, and a misused option, exit with 2.
"""
import argparse
import datetime
import functools
import hashlib
import json
import re
import sys
from collections.abc import Callable
from typing import Any

from attestation import EXITS, MAX_ENVELOPE, Demands, Refusal, verify_attestation
from canonical import Bad
from export import MAX_EXPORT, verify_export
from forms import EPOCH
from log import Log, Problem, verify_bound, verify_log
from quote import verify_quote
from signatures import Keys, Trouble, read_file


def option(pattern: str, convert: Callable[[str], Any] = str) -> Callable[[str], Any]:
    def value(given: str) -> Any:
        if not re.fullmatch(pattern, given):
            raise argparse.ArgumentTypeError(f"{ascii(given)} is not what is expected")
        return convert(given)
    return value


def rfc3339(given: str) -> int:
    """Microseconds since 1970; what is finer is cut off."""
    try:
        moment = datetime.datetime.fromisoformat(given.upper())
    except ValueError:
        raise argparse.ArgumentTypeError("there is no such time") from None
    return (moment - EPOCH.replace(tzinfo=datetime.timezone.utc)) // datetime.timedelta(microseconds=1)


@functools.cache
def parser() -> argparse.ArgumentParser:
    hexes = option("[0-9a-f]{64}")
    top = argparse.ArgumentParser(allow_abbrev=False, description="Verifies bottle's attestations and audit logs.")
    commands = top.add_subparsers(dest="command", required=True)
    attestation = commands.add_parser("attestation", allow_abbrev=False)
    log = commands.add_parser("log", allow_abbrev=False)
    export = commands.add_parser("export", allow_abbrev=False)
    for command in (attestation, log, export):
        command.add_argument("file")
        command.add_argument("--key", action="append", required=True)
    zone = r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
    attestation.add_argument("--at", type=option(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?" + zone, rfc3339))
    attestation.add_argument("--max-age", type=option("[0-9]{1,18}", int))
    attestation.add_argument("--mode", choices=["enforce", "observe"])
    for name in ("--nonce", "--policy", "--image", "--binary"):
        attestation.add_argument(name, type=hexes)
    attestation.add_argument("--tpm-ak")
    attestation.add_argument("--pcr", action="append", default=[], type=option(
        "(1?[0-9]|2[0-3])=[0-9a-f]{64}", lambda p: (int(p.split("=")[0]), p.split("=")[1])))
    boot = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    attestation.add_argument("--boot-id", type=option(boot, str))
    attestation.add_argument("--network", type=option("[0-9]{1,20}", int))
    attestation.add_argument("--workload", type=option("[0-9]{1,10}:[0-9]{1,20}",
                                                       lambda w: tuple(int(n) for n in w.split(":"))))
    log.add_argument("--attestation")
    log.add_argument("--head", type=option("[0-9]{1,20}:[0-9a-f]{64}",
                                           lambda h: (int(h.split(":")[0]), h.split(":")[1])))
    return top


def run_attestation(given: argparse.Namespace, keys: Keys) -> str:
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - EPOCH
    at = now // datetime.timedelta(microseconds=1) if given.at is None else given.at
    digests = {"policy": given.policy, "image": given.image, "binary": given.binary}
    data = read_file(given.file, MAX_ENVELOPE)
    demands = Demands(at, given.max_age, given.nonce, given.mode, digests, given.boot_id, given.network, given.workload)
    statement = verify_attestation(data, keys, demands)
    if given.tpm_ak is not None:
        verify_quote(data, statement, given.tpm_ak, given.pcr)
    return "ok"


def run_log(given: argparse.Namespace, keys: Keys) -> str:
    data = None if given.attestation is None else read_file(given.attestation, MAX_ENVELOPE)
    log = Log(keys, given.head, None if data is None else hashlib.sha256(data).hexdigest())
    verify_log(given.file, log)
    if data is not None:
        verify_bound(data, log)
    return f"ok {log.count}"


def run_export(given: argparse.Namespace, keys: Keys) -> str:
    verify_export(read_file(given.file, MAX_EXPORT), keys)
    return "ok"


def verdict(arguments: list[str]) -> tuple[int, str]:
    """Exit code, and what is to be said."""
    try:
        given = parser().parse_args(arguments)
        keys = Keys(given.key)
        return 0, {"attestation": run_attestation, "log": run_log, "export": run_export}[given.command](given, keys)
    except Refusal as e:
        return EXITS[e.name], str(e)
    except Problem as e:
        return 1, str(e)
    except Bad as e:
        return 1, f"attestation: {e}"
    except (Trouble, OSError, MemoryError) as e:
        return 2, f"verify.py: {ascii(str(e))}"


def main() -> None:
    if sys.argv[1:] == ["cases"]:
        for case in sys.stdin:
            print(json.dumps(verdict(json.loads(case))), flush=True)
        return
    code, said = verdict(sys.argv[1:])
    print(said, file=sys.stderr if code == 2 else sys.stdout)
    sys.exit(code)


if __name__ == "__main__":
    main()
