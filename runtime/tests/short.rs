//! What comes of a message when this process can have no more descriptors? In a program of its own: the limit is the process's.

use std::fs::File;
use std::os::fd::AsFd;

use bottle_runtime::channel::Channel;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn a_message_whose_descriptor_finds_no_room_comes_without_it_where_that_is_borne() {
    let (ours, theirs) = Channel::pair().unwrap();
    let file = File::open("/dev/null").unwrap();
    for number in 0..2 {
        ours.send(&number, &[file.as_fd()]).unwrap();
    }
    let lowest = rustix::io::fcntl_dupfd_cloexec(&file, 0).unwrap();
    let limit =
        Rlimit { current: Some(std::os::fd::AsRawFd::as_raw_fd(&lowest) as u64), ..getrlimit(Resource::Nofile) };
    drop(lowest);
    setrlimit(Resource::Nofile, limit).unwrap();
    let (number, descriptors) = theirs.recv_though_short::<u32>().unwrap();
    assert_eq!((number, descriptors.len()), (0, 0));
    let error = theirs.recv::<u32>().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::MFILE.raw_os_error()));
}
