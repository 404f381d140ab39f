//! Which system calls have no safe wrapper? Every `unsafe` block of this crate, each with its reason.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::sched::CloneFlags;

/// A packet socket that is bound to one link: it sends whole Ethernet frames, and receives those of one protocol
/// (`ETH_P_*`). To close it takes the kernel several milliseconds.
///
/// # Errors
/// `EPERM` without CAP_NET_RAW or under the workload's seccomp filter.
pub fn packet_socket(link: &str, protocol: u16) -> io::Result<OwnedFd> {
    // SAFETY: socket(2) takes integers only; the result is checked before it is owned.
    let raw = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `raw` was just returned by socket(2) and is owned by nothing else.
    let socket = unsafe { OwnedFd::from_raw_fd(raw) };
    // SAFETY: all-zero is a valid sockaddr_ll, a plain C struct of integers.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = nix::net::if_::if_nametoindex(link)? as i32;
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the pointer and length describe `address`, which lives across the call.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if bound < 0 { Err(io::Error::last_os_error()) } else { Ok(socket) }
}

/// How many programs on devices are attached to a control group of version 2 itself.
///
/// # Errors
/// `EPERM` without power over the machine's programs, `EINVAL` where the kernel has none for groups.
pub(crate) fn device_programs(group: BorrowedFd<'_>) -> io::Result<u32> {
    /// `union bpf_attr` as BPF_PROG_QUERY has it (linux, include/uapi/linux/bpf.h). No room for numbers of programs: only how many there are is asked.
    #[repr(C)]
    struct Query {
        target: u32,
        kind: u32,
        query_flags: u32,
        attach_flags: u32,
        programs: u64,
        count: u32,
        padding: u32,
    }
    const BPF_PROG_QUERY: libc::c_long = 16;
    const BPF_CGROUP_DEVICE: u32 = 6;
    let target = group.as_raw_fd().cast_unsigned();
    let (query_flags, attach_flags, programs, count, padding) = (0, 0, 0, 0, 0);
    let mut query = Query { target, kind: BPF_CGROUP_DEVICE, query_flags, attach_flags, programs, count, padding };
    // SAFETY: the pointer and length describe `query`, which lives across the call, and the kernel writes nothing but into it: it was given no other place.
    let done = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_QUERY, &raw mut query, size_of::<Query>()) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(query.count) }
}

/// Registers a channel with the current tokio runtime.
pub(crate) fn register_channel(
    channel: crate::channel::Channel,
) -> io::Result<tokio::io::unix::AsyncFd<crate::channel::Channel>> {
    // SAFETY: a Channel owns its descriptor, gives no mutable access to it and closes it only when dropped.
    Ok(unsafe { tokio::io::unix::AsyncFd::register(channel) }?)
}

/// Registers a descriptor with the current tokio runtime.
pub(crate) fn register(descriptor: OwnedFd) -> io::Result<tokio::io::unix::AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is open for as long as it lives and always the same descriptor.
    Ok(unsafe { tokio::io::unix::AsyncFd::register(descriptor) }?)
}

/// Which side of [`fork_sibling`] returned.
#[derive(Debug)]
pub enum Forked {
    /// The process that called; the new one's id in the caller's pid namespace.
    Original(i32),
    /// The new process: pid 1 where a pid namespace was asked for.
    Sibling,
}

/// Forks a process whose parent is the caller's parent (CLONE_PARENT), so that the supervisor can wait for it, in new
/// namespaces of these kinds (CLONE_NEW*).
///
/// # Errors
/// `Unsupported` in a process with threads: the new process goes on in Rust code on a copy of its memory, where
/// another thread's locks would stay locked for ever.
pub fn fork_sibling(namespaces: CloneFlags) -> io::Result<Forked> {
    fork_sibling_alone(Alone::now()?, namespaces)
}

/// That the process has one thread. It starts none as long as it holds this.
#[derive(Debug)]
pub(crate) struct Alone(());

impl Alone {
    /// Asks /proc, which may show another pid namespace later.
    ///
    /// # Errors
    /// `Unsupported` in a process with threads.
    pub(crate) fn now() -> io::Result<Alone> {
        let alone = std::fs::read_dir("/proc/self/task")?.count() == 1;
        alone.then_some(Alone(())).ok_or_else(|| io::ErrorKind::Unsupported.into())
    }
}

/// The same by who knows that it is alone.
pub(crate) fn fork_sibling_alone(_alone: Alone, namespaces: CloneFlags) -> io::Result<Forked> {
    let flags = libc::c_long::from(namespaces.bits() | libc::CLONE_PARENT | libc::SIGCHLD);
    // SAFETY: without CLONE_VM and with a null stack, clone(2) behaves as fork(2), and this process has one thread.
    let result = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    match result {
        0 => Ok(Forked::Sibling),
        pid if pid > 0 => Ok(Forked::Original(pid as i32)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Replaces the first argument, by which ps shows a process and others find it. A longer name than it had is cut.
pub fn set_first_argument(name: &str) -> io::Result<()> {
    let room = std::env::args_os().next().map_or(0, |first| first.len());
    set_arguments(name, room)
}

/// Replaces all arguments by a name, which is cut where they had less room.
pub fn replace_arguments(name: &str) -> io::Result<()> {
    set_arguments(name, usize::MAX)
}

/// Fills so much of the arguments, but for the last zero byte, with a name and with zeros.
fn set_arguments(name: &str, room: usize) -> io::Result<()> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect()).unwrap_or_default();
    // proc_pid_stat(5): fields 48 and 49, arg_start and arg_end; the first here is field 3.
    let address = |field: usize| fields.get(field - 3).and_then(|it| it.parse::<usize>().ok());
    let (Some(start), Some(end)) = (address(48), address(49)) else { return Err(io::ErrorKind::InvalidData.into()) };
    let room = room.min(end.saturating_sub(start + 1));
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(room, 0);
    // SAFETY: the kernel put the arguments there for this process to keep; `room` bytes are theirs, without the last zero
    // byte. The process has one thread, so nobody reads them meanwhile.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), std::ptr::with_exposed_provenance_mut(start), room) };
    Ok(())
}

/// Drops a capability, by its number, from the calling thread's bounding set. Says whether the kernel knows that number.
pub fn drop_from_bounding_set(capability: u32) -> io::Result<bool> {
    // SAFETY: PR_CAPBSET_DROP takes integers only.
    let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0) };
    match io::Error::last_os_error() {
        _ if result == 0 => Ok(true),
        error if error.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        error => Err(error),
    }
}

/// Forks. `None` in the child, its id in the parent.
///
/// # Errors
/// `Unsupported` in a process with threads, as [`fork_sibling`].
pub fn fork_child() -> io::Result<Option<i32>> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // SAFETY: this process has one thread, so no lock can stay locked in the child.
    match unsafe { libc::fork() } {
        0 => Ok(None),
        pid if pid > 0 => Ok(Some(pid)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sends a signal by its number, be it one that only some C libraries have a name for.
pub fn signal_process(pidfd: BorrowedFd<'_>, number: i32) -> io::Result<()> {
    let (none, flags) = (std::ptr::null::<libc::siginfo_t>(), 0);
    // SAFETY: without a siginfo_t the kernel makes one, as for kill(2); the rest are integers.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), number, none, flags) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The wait status of a process that has ended and that somebody else has waited for. Kernels before 6.15 do not tell.
pub fn exit_status(pidfd: BorrowedFd<'_>) -> Option<i32> {
    /// `struct pidfd_info` of linux/pidfd.h in its first version.
    #[repr(C)]
    struct Info {
        mask: u64,
        control_group: u64,
        ids: [u32; 11],
        exit_code: i32,
    }
    const EXIT: u64 = 1 << 3;
    // _IOWR(0xFF, 11, struct pidfd_info)
    const PIDFD_GET_INFO: u32 = 3 << 30 | (size_of::<Info>() as u32) << 16 | 0xFF << 8 | 11;
    let mut info = Info { mask: EXIT, control_group: 0, ids: [0; 11], exit_code: 0 };
    // SAFETY: the request says how large `info` is, which lives across the call and is written by the kernel within that.
    let result = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) };
    (result == 0 && info.mask & EXIT != 0).then_some(info.exit_code)
}

/// Opens the user namespace that owns one, which is the one around it where that is a user namespace itself (ioctl_ns(2)).
pub(crate) fn owner_of(namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: the descriptor is open for the call; NS_GET_USERNS takes no argument.
    let raw = unsafe { libc::ioctl(namespace.as_raw_fd(), libc::NS_GET_USERNS) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor to us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Ends the process at once: no destructor runs and nothing is flushed.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit(2) takes an integer and does not return.
    unsafe { libc::_exit(code) }
}

/// The kernel's `struct mount_attr`, which libc does not have for every target.
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Sets attributes (`MOUNT_ATTR_*`) on a whole detached mount tree, and maps its ids by a user namespace if one is given.
///
/// # Errors
/// `EINVAL` where one of the file systems can't map ids, `EPERM` without CAP_SYS_ADMIN over the file system.
pub fn set_tree_attributes(tree: BorrowedFd<'_>, set: u64, ids: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let map = if ids.is_some() { libc::MOUNT_ATTR_IDMAP } else { 0 };
    let attributes = MountAttributes {
        set: set | map,
        clear: 0,
        propagation: 0,
        user_namespace: ids.map_or(0, |ids| ids.as_raw_fd() as u64),
    };
    mount_setattr(tree, &attributes, libc::AT_RECURSIVE)
}

/// Makes one mount read-only, and none of those below it.
pub(crate) fn make_read_only(mount: BorrowedFd<'_>) -> io::Result<()> {
    let attributes = MountAttributes { set: libc::MOUNT_ATTR_RDONLY, clear: 0, propagation: 0, user_namespace: 0 };
    mount_setattr(mount, &attributes, 0)
}

fn mount_setattr(mount: BorrowedFd<'_>, attributes: &MountAttributes, how: libc::c_int) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | how;
    // SAFETY: the empty path is a C string, and the pointer and size describe `attributes`, which lives across the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_ref(attributes),
            size_of::<MountAttributes>(),
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sends a signal by its number, a real-time one too, to a process or, where `whom` is negative, to a group.
pub(crate) fn send_signal(whom: i32, number: i32) -> io::Result<()> {
    // SAFETY: kill(2) takes integers.
    let result = unsafe { libc::kill(whom, number) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The same to a process that is held. One that is gone needs none.
pub(crate) fn send_signal_to(pidfd: BorrowedFd<'_>, number: i32) {
    let nothing: *const libc::siginfo_t = std::ptr::null();
    // SAFETY: pidfd_send_signal(2) takes integers, and no siginfo.
    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), number, nothing, 0) };
}

/// From here on a write beyond the limit of file sizes fails, and does not kill the one who writes.
pub(crate) fn let_too_large_writes_fail() {
    // SAFETY: SIG_IGN installs no code of ours, and this number can be set.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// What a signal does to this process; nothing where it can't be told.
pub(crate) fn signal_action(number: i32) -> Option<libc::sigaction> {
    // SAFETY: all-zero is a valid value of this plain C struct.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live struct that the kernel fills; no action is set.
    let result = unsafe { libc::sigaction(number, std::ptr::null(), &raw mut action) };
    (result == 0).then_some(action)
}

/// Has a signal do what it did before.
pub(crate) fn set_signal_action(number: i32, action: &libc::sigaction) {
    // SAFETY: the action is one that sigaction(2) gave for this number in this process, so its handler is code of this program
    // that was installed for it.
    unsafe { libc::sigaction(number, std::ptr::from_ref(action), std::ptr::null_mut()) };
}

/// Gives every signal its default action and unblocks all: what a program expects to start with.
pub fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: SIG_DFL installs no code of ours. Numbers that can't be set are refused and stay as they were.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: all-zero is the empty set of this plain C struct.
    let none: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live set; the old mask is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) };
}

/// Gives back to the kernel what a start took and running does not need: what was freed, and the mapped pages of the program.
pub(crate) fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) takes an integer, may be called by any thread at any time, and touches no live allocation.
    unsafe {
        libc::malloc_trim(0)
    };
    // SAFETY: the callback keeps to what dl_iterate_phdr(3) says of it; it takes no data.
    unsafe { libc::dl_iterate_phdr(Some(unmap_program), std::ptr::null_mut()) };
}

/// For each of its pages that is needed again there is a fault, which finds it in the page cache.
unsafe extern "C" fn unmap_program(
    object: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    _data: *mut libc::c_void,
) -> libc::c_int {
    // SAFETY: the C library passes a valid description for the time of the call, with that many program headers.
    let (base, segments) = unsafe {
        let object = &*object;
        (object.dlpi_addr, std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()))
    };
    // SAFETY: sysconf(3) takes an integer, and knows the size of a page everywhere.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64;
    // Relocated pages lie in a segment that can be written as far as its flags say, and would be lost.
    for segment in segments.iter().filter(|it| it.p_type == libc::PT_LOAD && it.p_flags & libc::PF_W == 0) {
        let (begin, end) = (base + segment.p_vaddr, base + segment.p_vaddr + segment.p_memsz);
        let first = begin - begin % page;
        let start = std::ptr::with_exposed_provenance_mut(first as usize);
        // SAFETY: these pages are a private mapping of the program's file that was never written to: what is read there
        // later is the same as before.
        unsafe { libc::madvise(start, (end - first) as usize, libc::MADV_DONTNEED) };
    }
    // The program comes first, and the others are libraries.
    1
}

/// Closes every descriptor but those named, whoever owns it. Only for a process that owns none yet, or is about to
/// execute another program or to end without running destructors: owners hold closed descriptors afterwards.
pub fn close_all_but(kept: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut kept: Vec<u32> = kept.iter().map(|fd| fd.as_raw_fd() as u32).collect();
    kept.sort_unstable();
    let mut first = 0;
    for fd in kept {
        if first < fd {
            close_range(first, fd - 1)?;
        }
        first = fd + 1;
    }
    close_range(first, u32::MAX)
}

fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: close_range(2) takes integers; see `close_all_but` for what callers promise about owners.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A size of this process in KiB, by its name in /proc/self/status.
    fn size(name: &str) -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }

    #[cfg(target_env = "gnu")]
    #[test]
    fn what_was_freed_goes_back_to_the_kernel() {
        let blocks: Vec<Vec<u8>> = (0..4096).map(|_| vec![1; 8192]).collect();
        // One that stays above them: the allocator gives back by itself only what lies at the end.
        let last = vec![1_u8; 8192];
        drop(blocks);
        let before = size("VmRSS:");
        give_back_memory();
        assert!(size("VmRSS:") + 16 * 1024 < before, "{} KiB of {before}", size("VmRSS:"));
        drop(last);
    }

    #[test]
    fn pages_of_the_program_that_are_not_needed_any_more_are_not_kept() {
        const ALONE: &str = "BOTTLE_TEST_ALONE";
        const NAME: &str = "sys::tests::pages_of_the_program_that_are_not_needed_any_more_are_not_kept";
        // Other tests' threads execute the same program: by itself it is another process.
        if std::env::var_os(ALONE).is_none() {
            let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
            assert!(alone.args(["--exact", NAME]).env(ALONE, "").status().unwrap().success());
            return;
        }
        let before = size("RssFile:");
        give_back_memory();
        assert!(size("RssFile:") < before, "{} KiB of {before}", size("RssFile:"));
        // What is executed and read again is what it was.
        assert_eq!(bottle_evidence::sha256(b"abc"), bottle_evidence::sha256(&[97, 98, 99]));
    }
}
