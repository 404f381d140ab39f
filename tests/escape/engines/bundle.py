"""Makes an OCI bundle: bundle.py PLACE DIRECTORY COMMAND... as engines make them by default, with bottle's hooks.

The directory is shared where it lies. The container has the capabilities of common engines and their seccomp profile, by which
`bottle hook seccomp` has made that no socket of AF_VSOCK is opened. Its ids
outside are nobody's where root calls, and the caller's own elsewhere. BOTTLE, SETTINGS and BOTTLE_ROOT say what the hooks are."""

import json
import os
import subprocess
import sys
import tempfile

POWERS = (
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT"
)
CAPABILITIES = ["CAP_" + name for name in POWERS.split()]
PROFILE = "/usr/share/containers/seccomp.json"


def seccomp():
    """The profile that podman comes with, as podman would hand it to its runtime."""
    with open(PROFILE) as file:
        profile = json.load(file)

    def holds(rule):
        wanted, unwanted = rule.get("includes") or {}, rule.get("excludes") or {}
        arches = wanted.get("arches", ["amd64"])
        return (
            "amd64" in arches
            and all(power in CAPABILITIES for power in wanted.get("caps", []))
            and not any(power in CAPABILITIES for power in unwanted.get("caps", []))
        )

    kept = ("names", "action", "args", "errnoRet")
    rules = [{key: rule[key] for key in kept if rule.get(key)} for rule in profile["syscalls"] if holds(rule)]
    native = profile["archMap"][0]
    whole = {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile["defaultErrnoRet"],
        "architectures": [native["architecture"], *native["subArchitectures"]],
        "syscalls": rules,
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(whole, file)
        file.flush()
        return json.loads(subprocess.check_output([os.environ["BOTTLE"], "hook", "seccomp", file.name]))


def hook(timeout, *words):
    environment = ["BOTTLE_ROOT=" + os.environ["BOTTLE_ROOT"]]
    return {"path": os.environ["BOTTLE"], "args": ["bottle", "hook", *words], "env": environment, "timeout": timeout}


def mapping(own):
    return [{"containerID": 0, "hostID": own or 1_500_000_000, "size": 1 if own else 65536}]


def mount(destination, kind, *options):
    return {"destination": destination, "type": kind, "source": kind, "options": list(options)}


def configuration(directory, command):
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": command,
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "cwd": directory,
            "capabilities": {kind: CAPABILITIES for kind in ("bounding", "effective", "permitted")},
        },
        "root": {"path": "rootfs"},
        "hostname": "engine",
        "mounts": [
            mount("/proc", "proc", "nosuid", "noexec", "nodev"),
            mount("/dev", "tmpfs", "nosuid", "mode=755", "size=64k"),
            mount("/dev/shm", "tmpfs", "nosuid", "noexec", "nodev", "mode=1777", "size=64m"),
            mount("/dev/mqueue", "mqueue", "nosuid", "noexec", "nodev"),
            mount("/sys", "sysfs", "nosuid", "noexec", "nodev", "ro"),
            {"destination": directory, "type": "none", "source": directory, "options": ["bind", "rprivate", "rw"]},
        ],
        "hooks": {
            "createRuntime": [hook(180, "create", "--settings", os.environ["SETTINGS"])],
            "poststop": [hook(60, "stop")],
        },
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network", "user", "cgroup")],
            "uidMappings": mapping(os.geteuid()),
            "gidMappings": mapping(os.getegid()),
            "seccomp": seccomp(),
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    }


def main():
    place, directory, *command = sys.argv[1:]
    root = os.path.join(place, "rootfs")
    for name in ("", "dev", "etc", "proc", "sys", "tmp", directory.lstrip("/")):
        os.makedirs(os.path.join(root, name), exist_ok=True)
    for name in (place, root):
        os.chmod(name, 0o755)
    with open(os.path.join(place, "config.json"), "w") as file:
        json.dump(configuration(directory, command), file)


main()
