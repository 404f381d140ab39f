//! Which system calls have no safe wrapper? Every `unsafe` block of this crate, each with its reason.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// One argument of a system call.
pub(crate) enum Arg<'a> {
    Number(u64),
    In(&'a [u8]),
    Out(&'a mut [u8]),
}

/// Calls that would take memory or control flow from under the program itself.
const NOT_SAFE: &[libc::c_long] = &[
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_shmat,
    libc::SYS_clone,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigreturn,
];

/// Any system call by number. Give calls that read or write structures with pointers in them only pointers that live long enough.
pub(crate) fn call(number: libc::c_long, arguments: &mut [Arg<'_>]) -> io::Result<u64> {
    if NOT_SAFE.contains(&number) || arguments.len() > 6 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut words = [0_u64; 6];
    for (word, argument) in words.iter_mut().zip(arguments) {
        *word = match argument {
            Arg::Number(number) => *number,
            Arg::In(bytes) => bytes.as_ptr() as u64,
            Arg::Out(bytes) => bytes.as_mut_ptr() as u64,
        };
    }
    // SAFETY: there is no other way to make calls that no library wraps. Buffers are borrowed for as long as the call lasts,
    // callers give their lengths, and calls that change this process's own memory or handlers are refused above.
    let result = unsafe { libc::syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result as u64) }
}

/// Waits until something can be written, or nothing ever can again.
pub(crate) fn await_writable(stream: BorrowedFd<'_>) -> io::Result<()> {
    let mut waiting = libc::pollfd { fd: stream.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: one live structure, and its number.
    let result = unsafe { libc::poll(&raw mut waiting, 1, -1) };
    let error = io::Error::last_os_error();
    if result == -1 && error.kind() != io::ErrorKind::Interrupted { Err(error) } else { Ok(()) }
}

/// A socket of any family, type and protocol.
pub(crate) fn socket(family: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    let numbers = [family, kind, protocol].map(|number| Arg::Number(number as u64));
    owned(call(libc::SYS_socket, &mut { numbers })?)
}

/// The descriptor that a call has just made.
pub(crate) fn owned(descriptor: u64) -> io::Result<OwnedFd> {
    let descriptor = i32::try_from(descriptor).map_err(|_| io::ErrorKind::InvalidData)?;
    // SAFETY: callers pass the result of a call that made a descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Sends bytes to a socket address in the kernel's own form; see [`v4`], [`v6`], [`unix`].
pub(crate) fn send_to(socket: &OwnedFd, bytes: &[u8], address: &[u8]) -> io::Result<u64> {
    let length = |bytes: &[u8]| Arg::Number(bytes.len() as u64);
    let descriptor = Arg::Number(socket.as_raw_fd() as u64);
    let flags = Arg::Number(libc::MSG_NOSIGNAL as u64);
    // A pointer that is not null would be an address, however short.
    let to = if address.is_empty() { Arg::Number(0) } else { Arg::In(address) };
    call(libc::SYS_sendto, &mut [descriptor, Arg::In(bytes), length(bytes), flags, to, length(address)])
}

/// Connects to a socket address in the kernel's own form.
pub(crate) fn connect(socket: &OwnedFd, address: &[u8]) -> io::Result<u64> {
    let arguments = [Arg::Number(socket.as_raw_fd() as u64), Arg::In(address), Arg::Number(address.len() as u64)];
    call(libc::SYS_connect, &mut { arguments })
}

/// Sets an option of a socket.
pub(crate) fn set(socket: &OwnedFd, level: i32, option: i32, value: &[u8]) -> io::Result<u64> {
    let [socket, level, option, length] =
        [socket.as_raw_fd(), level, option, value.len() as i32].map(|number| Arg::Number(number as u64));
    call(libc::SYS_setsockopt, &mut [socket, level, option, Arg::In(value), length])
}

/// Binds to a socket address in the kernel's own form.
pub(crate) fn bind(socket: &OwnedFd, address: &[u8]) -> io::Result<u64> {
    let arguments = [Arg::Number(socket.as_raw_fd() as u64), Arg::In(address), Arg::Number(address.len() as u64)];
    call(libc::SYS_bind, &mut { arguments })
}

/// Sends bytes with one control message: its level, its type, its value.
pub(crate) fn send_with(socket: &OwnedFd, bytes: &[u8], address: &[u8], control: (i32, i32, &[u8])) -> io::Result<u64> {
    let (level, kind, value) = control;
    let head = [
        (16 + value.len() as u64).to_ne_bytes(),
        [level, kind].map(i32::to_ne_bytes).concat().try_into().unwrap_or_default(),
    ];
    let mut message = [&head.concat()[..], value].concat();
    message.resize(message.len().next_multiple_of(8), 0);
    let vector = [bytes.as_ptr() as u64, bytes.len() as u64].map(u64::to_ne_bytes).concat();
    let pointer = |bytes: &[u8]| if bytes.is_empty() { 0 } else { bytes.as_ptr() as u64 };
    let words =
        [pointer(address), address.len() as u64, pointer(&vector), 1, pointer(&message), message.len() as u64, 0];
    let words = words.map(u64::to_ne_bytes).concat();
    let descriptor = Arg::Number(socket.as_raw_fd() as u64);
    call(libc::SYS_sendmsg, &mut [descriptor, Arg::In(&words), Arg::Number(libc::MSG_NOSIGNAL as u64)])
}

/// Mounts something; an empty kind is none.
pub(crate) fn mount(source: &str, target: &Path, kind: &str, flags: libc::c_ulong) -> io::Result<()> {
    let text = |text: &[u8]| [text, b"\0"].concat();
    let (source, target, kind) =
        (text(source.as_bytes()), text(target.as_os_str().as_encoded_bytes()), text(kind.as_bytes()));
    let arguments = [Arg::In(&source), Arg::In(&target), Arg::In(&kind), Arg::Number(flags), Arg::Number(0)];
    call(libc::SYS_mount, &mut { arguments }).map(drop)
}

/// Makes a FIFO.
pub(crate) fn fifo(path: &Path) -> io::Result<u64> {
    let path = [path.as_os_str().as_encoded_bytes(), b"\0"].concat();
    let [here, kind, device] = [libc::AT_FDCWD as u64, u64::from(libc::S_IFIFO | 0o666), 0].map(Arg::Number);
    call(libc::SYS_mknodat, &mut [here, Arg::In(&path), kind, device])
}

/// What a file's capabilities are called among its attributes.
pub(crate) const CAPABILITIES: &[u8] = b"security.capability\0";

/// Whether a file has capabilities.
pub(crate) fn has_capabilities(path: &Path) -> bool {
    let path = [path.as_os_str().as_encoded_bytes(), b"\0"].concat();
    let [nothing, size] = [Arg::Number(0), Arg::Number(0)];
    call(libc::SYS_lgetxattr, &mut [Arg::In(&path), Arg::In(CAPABILITIES), nothing, size]).is_ok()
}

/// What the machine is called: all that uname(2) says.
pub(crate) fn names() -> Vec<u8> {
    let mut names = vec![0; size_of::<libc::utsname>()];
    let _ = call(libc::SYS_uname, &mut [Arg::Out(&mut names)]);
    names
}

/// Memory that is shared with something else: a socket's ring, or a segment of System V.
pub(crate) struct Shared {
    start: *mut u8,
    length: usize,
}

impl Shared {
    /// Maps the start of a descriptor.
    pub(crate) fn map(descriptor: &OwnedFd, length: usize) -> io::Result<Self> {
        let (access, descriptor) = (libc::PROT_READ | libc::PROT_WRITE, descriptor.as_raw_fd());
        // SAFETY: the kernel chooses the place, so that no memory of the program's own is replaced.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length, access, libc::MAP_SHARED, descriptor, 0) };
        if start == libc::MAP_FAILED {
            Err(io::Error::last_os_error())
        } else {
            Ok(Self { start: start.cast(), length })
        }
    }

    /// Attaches a segment.
    pub(crate) fn attach(segment: u64, length: usize) -> io::Result<Self> {
        // SAFETY: the kernel chooses the place, so that no memory of the program's own is replaced.
        let start = unsafe { libc::shmat(segment as i32, std::ptr::null(), 0) };
        if start as isize == -1 { Err(io::Error::last_os_error()) } else { Ok(Self { start: start.cast(), length }) }
    }

    /// Copies bytes there; what goes beyond the end is left out.
    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        for (place, byte) in (at..self.length).zip(bytes) {
            // SAFETY: within what was mapped, which stays so until the process ends.
            unsafe { self.start.add(place).write_volatile(*byte) };
        }
    }

    /// Copies all bytes.
    pub(crate) fn read(&self) -> Vec<u8> {
        // SAFETY: within what was mapped, which stays so until the process ends.
        (0..self.length).map(|place| unsafe { self.start.add(place).read_volatile() }).collect()
    }
}

/// A `sockaddr_in`.
pub(crate) fn v4(address: Ipv4Addr, port: u16) -> Vec<u8> {
    [&(libc::AF_INET as u16).to_ne_bytes()[..], &port.to_be_bytes(), &address.octets(), &[0; 8]].concat()
}

/// A `sockaddr_in6`.
pub(crate) fn v6(address: SocketAddrV6) -> Vec<u8> {
    let family = (libc::AF_INET6 as u16).to_ne_bytes();
    let (port, scope) = (address.port().to_be_bytes(), address.scope_id().to_ne_bytes());
    [&family[..], &port, &[0; 4], &address.ip().octets(), &scope].concat()
}

/// A `sockaddr_un` by path, or by abstract name where the first byte is NUL.
pub(crate) fn unix(name: &[u8]) -> Vec<u8> {
    [&(libc::AF_UNIX as u16).to_ne_bytes()[..], name].concat()
}

/// A call by the numbers of 32-bit programs, with numbers only.
///
/// # Errors
/// What the kernel says; where there are no such programs, that it is not supported.
#[cfg(target_arch = "x86_64")]
pub(crate) fn call32(number: u32, words: [u32; 3]) -> io::Result<u64> {
    let result: u32;
    // SAFETY: there is no other way to enter the kernel by that gate. It takes three numbers and no pointer, the register
    // that the compiler keeps for itself is restored, and all others that the kernel may change are named.
    unsafe {
        std::arch::asm!(
            "xchg rbx, {first}",
            "int 0x80",
            "xchg rbx, {first}",
            first = inout(reg) u64::from(words[0]) => _,
            inlateout("eax") number => result,
            in("ecx") words[1],
            in("edx") words[2],
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    match result.cast_signed() {
        code @ -4095..0 => Err(io::Error::from_raw_os_error(-code)),
        value => Ok(value.cast_unsigned().into()),
    }
}

/// No other architecture has that gate.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn call32(_: u32, _: [u32; 3]) -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Forks a process with one thread: nothing in the child, its id in the parent.
pub(crate) fn fork() -> io::Result<Option<i32>> {
    // SAFETY: the programs that call this have one thread, so no lock is held by another one in the child.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        child => Ok(Some(child)),
    }
}

/// Ends this process at once, without running what a parent's copy would run again.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: it does not return, and touches no memory.
    unsafe { libc::_exit(code) }
}

/// The wait status of a child, if it has ended.
pub(crate) fn ended(child: i32) -> io::Result<Option<i32>> {
    let mut status = 0;
    // SAFETY: writes an integer that lives on this stack.
    match unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        _ => Ok(Some(status)),
    }
}

/// Makes reading from a descriptor never wait.
pub(crate) fn never_wait(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let numbers = [descriptor.as_raw_fd() as u64, libc::F_SETFL as u64, libc::O_NONBLOCK as u64];
    call(libc::SYS_fcntl, &mut numbers.map(Arg::Number)).map(drop)
}

/// A new terminal: the end that sees all, and the end that programs have.
pub(crate) fn terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let (mut master, mut slave) = (-1, -1);
    let (name, options, size) = (std::ptr::null_mut(), std::ptr::null(), std::ptr::null());
    // SAFETY: writes two integers that live on this stack; the rest is null, which means the defaults.
    if unsafe { libc::openpty(&raw mut master, &raw mut slave, name, options, size) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok((owned(master as u64)?, owned(slave as u64)?))
}

/// Makes the command lead a session whose terminal is its standard input.
pub(crate) fn lead_session(command: &mut Command) {
    let lead = || {
        call(libc::SYS_setsid, &mut [])?;
        call(libc::SYS_ioctl, &mut [0, libc::TIOCSCTTY, 0].map(Arg::Number)).map(drop)
    };
    // SAFETY: between fork and exec it makes two system calls and allocates nothing.
    unsafe { command.pre_exec(lead) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_the_kernel_s_sizes() {
        assert_eq!(v4(Ipv4Addr::LOCALHOST, 1).len(), size_of::<libc::sockaddr_in>());
        let v6_length = v6("[::1]:1".parse().expect("an address")).len();
        assert_eq!(v6_length, size_of::<libc::sockaddr_in6>());
    }

    #[test]
    fn a_call_that_moves_memory_is_refused() {
        assert!(call(libc::SYS_munmap, &mut []).is_err());
    }
}
