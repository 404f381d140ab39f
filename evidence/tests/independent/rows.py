"""What did a run come to, host by host?

Written from docs/attestation.md and docs/audit.md alone, by someone who had not seen bottle's code.
"""
from typing import Any

CHOICES = ["allow", "observe", "escalate", "deny"]
MAX_SUM = 2**53 - 1


def add(row: dict[str, Any], name: str, amount: int) -> None:
    row[name] = min(row[name] + amount, MAX_SUM)


class Rows:
    """What a run came to, host by host."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.index: dict[str, int] = {}
        self.ported: set[int] = set()  # rows with a decision

    def of(self, host: str) -> int:
        if host in self.index:
            return self.index[host]
        if len(self.rows) > 1024:
            return 1024
        name = host if len(self.rows) < 1024 else "(others)"
        self.index[name] = len(self.rows)
        self.rows.append({"bytes_down": 0, "bytes_up": 0, "connections": 0, "decision": "allow", "denied": 0,
                          "millis": 0, "name": name, "port": None})
        return self.index[name]

    def decision(self, line: dict[str, Any]) -> int:
        at = self.of(line["address"] if line["name"] is None else line["name"])
        row = self.rows[at]
        row["decision"] = max(row["decision"], line["decision"], key=CHOICES.index)
        add(row, "connections", 1)
        add(row, "denied", line["decision"] == "deny")
        row["port"] = line["port"] if at not in self.ported or row["port"] == line["port"] else None
        self.ported.add(at)
        return at

    def outcome(self, at: int, denied: bool, line: dict[str, Any]) -> None:
        row = self.rows[at]
        if line["result"] == "refused" and not denied:
            row["decision"] = "deny"
            add(row, "denied", 1)
        for name in ("bytes_up", "bytes_down", "millis"):
            add(row, name, line[name] or 0)

    def dns(self, line: dict[str, Any]) -> None:
        row = self.rows[self.of(line["name"])]
        row["decision"] = "deny"
        add(row, "denied", line["count"])
