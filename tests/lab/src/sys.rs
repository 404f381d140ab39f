//! Which system calls have no safe wrapper? Every `unsafe` block of this crate, each with its reason.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// Room for one packet with its header; longer packets are cut.
const FRAME: usize = 2048;
const FRAMES: usize = 8192;
const BLOCK: usize = 64 * 1024;
/// Where the kernel puts the `sockaddr_ll` in a frame: after the header, aligned.
const ADDRESS: usize = size_of::<libc::tpacket2_hdr>().next_multiple_of(libc::TPACKET_ALIGNMENT);

/// One packet as the kernel handed it over.
pub(crate) struct Frame<'a> {
    pub(crate) link: u32,
    pub(crate) outgoing: bool,
    pub(crate) seconds: u32,
    pub(crate) nanoseconds: u32,
    pub(crate) length: u32,
    pub(crate) bytes: &'a [u8],
}

/// A packet socket on all links of the namespace it was made in, with a ring that the kernel fills.
///
/// A ring, because a plain packet socket charges whole 64 KiB segments to a buffer that an ordinary user can't enlarge.
pub(crate) struct PacketRing {
    socket: OwnedFd,
    memory: NonNull<u8>,
    next: usize,
}

// SAFETY: the ring's memory belongs to this value alone, and is read only through `&mut self`.
unsafe impl Send for PacketRing {}

impl PacketRing {
    pub(crate) fn open() -> io::Result<Self> {
        let socket = packet_socket()?;
        set(&socket, libc::PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V2 as libc::c_int))?;
        let (size, count) = (FRAME as u32, FRAMES as u32);
        let blocks = (FRAME * FRAMES / BLOCK) as u32;
        set(
            &socket,
            libc::PACKET_RX_RING,
            &libc::tpacket_req {
                tp_block_size: BLOCK as u32,
                tp_block_nr: blocks,
                tp_frame_size: size,
                tp_frame_nr: count,
            },
        )?;
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a fresh mapping chosen by the kernel, of exactly the ring's size; the result is checked before use.
        let memory =
            unsafe { libc::mmap(std::ptr::null_mut(), FRAME * FRAMES, protection, flags, socket.as_raw_fd(), 0) };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { socket, memory, next: 0 })
    }

    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.socket.try_clone()
    }

    /// Gives every packet that has arrived to `take` and the frames back to the kernel.
    pub(crate) fn drain(&mut self, mut take: impl FnMut(Frame<'_>)) {
        loop {
            // SAFETY: `next` is below FRAMES, so the frame lies within the mapping, which lives as long as `self`.
            let frame = unsafe { self.memory.add(self.next * FRAME) };
            // SAFETY: the frame begins with `tp_status`, a u32 shared with the kernel; frames are 2048-aligned.
            let status = unsafe { AtomicU32::from_ptr(frame.cast().as_ptr()) };
            if status.load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
                return;
            }
            // SAFETY: TP_STATUS_USER gives the frame to us until the status is reset: header and address are initialised
            // by the kernel and lie within the frame at these offsets, both suitably aligned.
            let (head, address) = unsafe {
                (frame.cast::<libc::tpacket2_hdr>().read(), frame.add(ADDRESS).cast::<libc::sockaddr_ll>().read())
            };
            let start = usize::from(head.tp_mac).min(FRAME);
            let length = (head.tp_snaplen as usize).min(FRAME - start);
            // SAFETY: start + length stays within the frame, which the kernel does not touch until the status is reset.
            let bytes = unsafe { std::slice::from_raw_parts(frame.add(start).as_ptr(), length) };
            take(Frame {
                link: address.sll_ifindex as u32,
                outgoing: address.sll_pkttype == libc::PACKET_OUTGOING,
                seconds: head.tp_sec,
                nanoseconds: head.tp_nsec,
                length: head.tp_len,
                bytes,
            });
            status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
            self.next = (self.next + 1) % FRAMES;
        }
    }

    /// The name of a link in the namespace that the socket was made in, whichever namespace the caller is in.
    pub(crate) fn link_name(&self, index: u32) -> Option<String> {
        // SAFETY: all-zero is a valid ifreq, a plain C struct with a union of integers and arrays.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        request.ifr_ifru.ifru_ifindex = index as i32;
        // SAFETY: SIOCGIFNAME reads the index from and writes the name to `request`, which lives across the call.
        let found = unsafe { libc::ioctl(self.socket.as_raw_fd(), libc::SIOCGIFNAME as _, &raw mut request) };
        let name = request.ifr_name.iter().take_while(|byte| **byte != 0).map(|byte| *byte as u8).collect();
        if found < 0 { None } else { String::from_utf8(name).ok() }
    }

    /// How many packets the kernel dropped since this was last asked.
    pub(crate) fn lost(&self) -> io::Result<u32> {
        let mut stats = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        let mut length = size_of_val(&stats) as libc::socklen_t;
        let (socket, option) = (self.socket.as_raw_fd(), libc::PACKET_STATISTICS);
        // SAFETY: pointer and length describe `stats`, which lives across the call.
        let got =
            unsafe { libc::getsockopt(socket, libc::SOL_PACKET, option, (&raw mut stats).cast(), &raw mut length) };
        if got < 0 { Err(io::Error::last_os_error()) } else { Ok(stats.tp_drops) }
    }
}

impl Drop for PacketRing {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping that `open` made; nothing borrows from it any more.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), FRAME * FRAMES) };
    }
}

/// Keeps every descriptor but the standard three from the program that this process becomes.
pub(crate) fn keep_descriptors_private() -> io::Result<()> {
    // SAFETY: close_range(2) takes integers only; with this flag it closes nothing now, so no owner loses its descriptor.
    let done = unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn packet_socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    let protocol = libc::c_int::from((libc::ETH_P_ALL as u16).to_be());
    // SAFETY: socket(2) takes integers only; the result is checked before it is owned.
    let raw = unsafe { libc::socket(libc::AF_PACKET, kind, protocol) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `raw` was just returned by socket(2) and is owned by nothing else.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

fn set<T>(socket: &OwnedFd, option: libc::c_int, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    let value: *const T = value;
    // SAFETY: pointer and length describe `value`, which lives across the call.
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, value.cast(), length) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
