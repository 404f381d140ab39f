/* Attacks on the kernel's interface. Prints the name of each one that is not refused, then "done". */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define REFUSED(name, call)                        \
    do {                                           \
        if ((long)(call) >= 0) puts(name);         \
    } while (0)
#define HIGH 0xffffffff00000000UL

static void sockets(void) {
    for (int family = 0; family < 64; family++)
        for (int type = 0; type < 16; type++)
            for (int protocol = 0; protocol < 300; protocol++) {
                int made = socket(family, type, protocol);
                if (made < 0) continue;
                int is_unix = family == AF_UNIX && type != SOCK_RAW;
                int is_internet = (family == AF_INET || family == AF_INET6) && (type == SOCK_STREAM || type == SOCK_DGRAM)
                                  && (protocol == 0 || protocol == IPPROTO_TCP || protocol == IPPROTO_UDP);
                int is_route = family == AF_NETLINK && protocol == 0;
                if (!is_unix && !is_internet && !is_route) printf("socket %d %d %d\n", family, type, protocol);
                close(made);
            }
    REFUSED("packet, high family", syscall(SYS_socket, HIGH | AF_PACKET, SOCK_RAW, 0));
    REFUSED("raw, high type", syscall(SYS_socket, AF_INET, HIGH | SOCK_RAW, 1));
    REFUSED("mptcp, high protocol", syscall(SYS_socket, AF_INET, SOCK_STREAM, HIGH | 262));
    REFUSED("uevents, high protocol", syscall(SYS_socket, AF_NETLINK, SOCK_RAW, HIGH | 15));
}

static void namespaces(void) {
    long flags[] = {CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP};
    for (int i = 0; i < 7; i++)
        for (int high = 0; high < 2; high++) {
            long child = syscall(SYS_clone, (high ? HIGH : 0) | flags[i] | SIGCHLD, 0, 0, 0, 0);
            if (child == 0) _exit(0);
            REFUSED("clone", child);
            REFUSED("unshare", syscall(SYS_unshare, (high ? HIGH : 0) | flags[i]));
        }
    REFUSED("setns", syscall(SYS_setns, open("/proc/self/ns/net", O_RDONLY), 0));
    REFUSED("owner of a namespace", ioctl(open("/proc/self/ns/mnt", O_RDONLY), 0xb701));
}

static void kernel(void) {
    char scratch[256] = {0};
    REFUSED("io_uring", syscall(SYS_io_uring_setup, 1, scratch));
    REFUSED("bpf", syscall(SYS_bpf, 0, scratch, 64));
    REFUSED("perf", syscall(SYS_perf_event_open, scratch, 0, -1, -1, 0));
    REFUSED("userfaultfd", syscall(SYS_userfaultfd, 1));
    REFUSED("add_key", syscall(SYS_add_key, "user", "x", "y", 1, -3));
    REFUSED("mount", mount("none", "/tmp", "tmpfs", 0, 0));
    REFUSED("remount", mount("none", "/proc/sys", "", MS_REMOUNT | MS_BIND, 0));
    REFUSED("umount of a mask", umount2("/proc/kcore", MNT_DETACH));
    REFUSED("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/proc", 1));
    REFUSED("move_mount", syscall(SYS_move_mount, AT_FDCWD, "/proc", AT_FDCWD, "/tmp", 0));
    REFUSED("handle", syscall(SYS_name_to_handle_at, AT_FDCWD, "/", scratch, scratch, 0));
    for (int fd = 0; fd < 3; fd++) {
        REFUSED("TIOCSTI", syscall(SYS_ioctl, fd, 0x5412L, "x"));
        REFUSED("TIOCSTI, high", syscall(SYS_ioctl, fd, HIGH | 0x5412L, "x"));
        REFUSED("TIOCLINUX, high", syscall(SYS_ioctl, fd, HIGH | 0x541cL, "\2"));
    }
    const char *closed[] = {"/proc/sys/kernel/core_pattern", "/proc/sys/net/ipv4/conf/all/route_localnet",
                            "/proc/sysrq-trigger", "/proc/1/mem", "/sys/kernel/uevent_helper", "/proc/kcore",
                            "/dev/kmsg", "/dev/net/tun", "/sys/class/net/eth0/mtu", "/proc/1/oom_score_adj"};
    for (unsigned i = 0; i < sizeof closed / sizeof *closed; i++) REFUSED(closed[i], open(closed[i], O_RDWR));
    const char *hidden[] = {"/proc/1/environ", "/proc/1/fd", "/proc/1/root/etc", "/proc/1/maps", "/proc/1/ns/net",
                            "/etc/shadow", "/proc/keys"};
    for (unsigned i = 0; i < sizeof hidden / sizeof *hidden; i++) REFUSED(hidden[i], open(hidden[i], O_RDONLY));
    REFUSED("ptrace of init", ptrace(PTRACE_SEIZE, 1, 0, 0));
    struct iovec here = {scratch, 8}, there = {(void *)0x400000, 8};
    struct rlimit none = {0, 0};
    REFUSED("limits of init", prlimit(1, RLIMIT_NOFILE, &none, 0));
    REFUSED("limits of init, high", syscall(SYS_prlimit64, HIGH | 1, RLIMIT_CPU, &none, 0));
    REFUSED("memory of init", process_vm_readv(1, &here, 1, &there, 1, 0));
    REFUSED("descriptor of init", syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, 1, 0), 0, 0));
}

static void modes(void) {
    int file = open("file", O_CREAT | O_RDWR, 0755);
    REFUSED("fchmod", fchmod(file, 04755));
    REFUSED("fchmod, high", syscall(SYS_fchmod, file, HIGH | 02755));
    REFUSED("fchmodat", syscall(SYS_fchmodat, AT_FDCWD, "file", 04755));
    REFUSED("fchmodat2", syscall(452, AT_FDCWD, "file", 02755, 0));
    REFUSED("openat", syscall(SYS_openat, AT_FDCWD, "new", O_CREAT | O_RDWR, 04755));
    REFUSED("O_TMPFILE", syscall(SYS_openat, AT_FDCWD, ".", O_TMPFILE | O_RDWR, 04755));
    REFUSED("mknodat", syscall(SYS_mknodat, AT_FDCWD, "new", S_IFREG | 04755, 0));
    REFUSED("a disk", syscall(SYS_mknodat, AT_FDCWD, "disk", S_IFBLK | 0600, 0x801));
    char capabilities[20] = {1, 0, 0, 2, -1, -1, -1, -1};
    REFUSED("capabilities", setxattr("file", "security.capability", capabilities, sizeof capabilities, 0));
    mkdir("directory", 06777);
}

#ifdef __x86_64__
static void other_numbers(void) {
    REFUSED("x32", syscall(0x40000000 | SYS_getpid));
    pid_t child = fork();
    if (child == 0) {
        long result;
        __asm__ volatile("int $0x80" : "=a"(result) : "a"(20), "b"(0), "c"(0), "d"(0) : "memory");
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFSIGNALED(status)) puts("i386");
}
#else
static void other_numbers(void) {}
#endif

int main(void) {
    sockets();
    namespaces();
    kernel();
    modes();
    other_numbers();
    puts("done");
    return 0;
}
