"""What can this process see and do? One JSON object on standard output."""

import ctypes
import errno
import fcntl
import json
import os
import resource
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)
report = {}


def read(path):
    with open(path, errors="replace") as file:
        return file.read()


report["status"] = dict(line.split(":\t", 1) for line in read("/proc/self/status").splitlines() if ":\t" in line)
report["uid_map"] = read("/proc/self/uid_map")
report["namespaces"] = [os.readlink("/proc/self/ns/" + name) for name in os.listdir("/proc/self/ns")]
# As programs with secrets do, which end where it fails; it succeeds, and changes nothing.
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.prlimit(0, resource.RLIMIT_CORE, (0, 0))
report["core"] = resource.getrlimit(resource.RLIMIT_CORE)

processes = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
report["processes"] = [read("/proc/%d/cmdline" % pid).replace("\0", " ") for pid in processes]

report["descriptors"] = []
for number in range(1024):
    try:
        report["descriptors"].append("%d %s" % (number, os.readlink("/proc/self/fd/%d" % number)))
    except FileNotFoundError:
        pass


def tried(function):
    """The name of the error with which it fails, or `open`."""
    try:
        function()
        return "open"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def connect(address):
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(5)
    one.connect(address)


doors = {"the test's own": sys.argv[1], "abstract": "\0bottle-test-door"}
for path in ["/run/dbus/system_bus_socket", "/run/systemd/private", "/var/run/docker.sock", "/run/user/0/bus", "/tmp/.X11-unix/X0"]:
    doors[path] = path
report["doors"] = {name: tried(lambda: connect(address)) for name, address in doors.items()}
report["doors"]["init's memory"] = tried(lambda: open("/proc/1/mem", "rb").read(1))
report["doors"]["init's executable"] = tried(lambda: open("/proc/1/exe", "rb").read(1))
report["doors"]["init's root"] = tried(lambda: os.listdir("/proc/1/root/"))
report["doors"]["init's descriptors"] = tried(lambda: os.listdir("/proc/1/fd"))


def call(number, *arguments):
    arguments = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]

    def attempt():
        if libc.syscall(ctypes.c_long(number), *arguments) < 0:
            number_of_error = ctypes.get_errno()
            raise OSError(number_of_error, os.strerror(number_of_error))

    return tried(attempt)


def family(domain, kind, protocol=0):
    return tried(lambda: socket.socket(domain, kind, protocol).close())


calls = {}
X86 = os.uname().machine == "x86_64"
if X86:
    calls.update(
        mount=call(165, b"none", b"/tmp", b"tmpfs", 0, 0),
        umount2=call(166, b"/tmp", 0),
        pivot_root=call(155, b"/", b"/"),
        chroot=call(161, b"/"),
        unshare_user=call(272, 0x10000000),
        unshare_net=call(272, 0x40000000),
        setns=call(308, 0, 0),
        clone_newuser=call(56, 0x10000000 | 17, 0, 0, 0, 0),
        clone3=call(435, 0, 0),
        io_uring_setup=call(425, 8, 0),
        bpf=call(321, 0, 0, 0),
        perf_event_open=call(298, 0, 0, -1, -1, 0),
        userfaultfd=call(323, 0),
        add_key=call(248, b"user", b"x", b"x", 1, -3),
        request_key=call(249, b"user", b"x", 0, -3),
        keyctl=call(250, 0, -3, 0),
        open_by_handle_at=call(304, -100, 0, 0),
        name_to_handle_at=call(303, -100, b"/", 0, 0, 0),
        fsopen=call(430, b"tmpfs", 0),
        open_tree=call(428, -100, b"/", 1),
        kexec_load=call(246, 0, 0, 0, 0),
        init_module=call(175, 0, 0, b""),
        reboot=call(169, 0, 0, 0),
        syslog=call(103, 3, 0, 0),
        sethostname=call(170, b"x", 1),
        clock_settime=call(227, 0, 0),
        swapon=call(167, b"/x", 0),
        fanotify_init=call(300, 0, 0),
        x32_getpid=call(0x40000000 + 39),
    )
calls["packet socket"] = family(socket.AF_PACKET, socket.SOCK_RAW, 3)
calls["raw socket"] = family(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
calls["ping socket"] = family(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
calls["SCTP socket"] = family(socket.AF_INET, socket.SOCK_STREAM, 132)
calls["MPTCP socket"] = family(socket.AF_INET, socket.SOCK_STREAM, 262)
calls["vsock"] = family(40, socket.SOCK_STREAM)
calls["kernel crypto"] = family(38, socket.SOCK_SEQPACKET)
calls["bluetooth"] = family(31, socket.SOCK_RAW)
calls["CAN"] = family(29, socket.SOCK_RAW, 1)
calls["netfilter netlink"] = family(socket.AF_NETLINK, socket.SOCK_RAW, 12)
calls["audit netlink"] = family(socket.AF_NETLINK, socket.SOCK_RAW, 9)
calls["TIOCSTI"] = tried(lambda: fcntl.ioctl(0, 0x5412, b"x"))
calls["TIOCLINUX"] = tried(lambda: fcntl.ioctl(0, 0x541C, b"\x03"))
with open("of-mine", "w"):
    pass
calls["chmod u+s"] = tried(lambda: os.chmod("of-mine", 0o4755))
calls["chmod g+s"] = tried(lambda: os.chmod("of-mine", 0o2755))
calls["mknod"] = tried(lambda: os.mknod("device", 0o020600, os.makedev(1, 1)))
report["calls"] = calls


def works(function):
    try:
        function()
        return "yes"
    except OSError as error:
        return str(error)


def pair():
    one, other = socket.socketpair()
    one.send(b"x")
    assert other.recv(1) == b"x"


report["works"] = {
    "TCP": works(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)),
    "UDP over IPv6": works(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)),
    "routes": works(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)),
    "socket pairs": works(pair),
    "loopback": works(lambda: socket.create_server(("127.0.0.1", 0)).close()),
    "children": works(lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)),
    "temporary files": works(lambda: open("/tmp/x", "w").close()),
    "chmod": works(lambda: os.chmod("of-mine", 0o755)),
    "threads": works(lambda: __import__("threading").Thread(target=lambda: None).start()),
}


def switch(path):
    try:
        with open(path, "r+b", buffering=0) as file:
            file.write(b"0")
        return "written"
    except OSError:
        return "no"


def secret(path):
    try:
        with open(path, "rb", buffering=0) as file:
            return "read" if file.read(1) else "no"
    except OSError:
        return "no"


report["switches"] = {
    path: switch(path)
    for path in [
        "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches",
        "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/hostname", "/proc/irq/default_smp_affinity", "/sys/kernel/uevent_helper",
        "/sys/class/net/lo/mtu", "/sys/power/state", "/sys/fs/cgroup/cgroup.procs", "/dev/mem", "/dev/vda", "/dev/kmsg", "/dev/fuse",
        "/proc/1/oom_score_adj",
    ]
}
report["switches"].update({
    path: secret(path)
    for path in ["/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/key-users", "/proc/timer_list", "/proc/sched_debug",
                 "/proc/1/environ", "/etc/shadow"]
})
print(json.dumps(report))
