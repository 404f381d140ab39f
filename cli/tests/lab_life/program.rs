//! Can bottle's own program be overwritten through the process of it that lives beside the workload?

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::io::Errno;

use crate::host;
use crate::running::Running;
use crate::world::{BOTTLE, World, said};

/// What the workload tries on every process that it sees, itself among them, and on every thread: to write the file that
/// it executes. It says where it could.
const ATTEMPTS: &str = r#"
for program in /proc/[0-9]*/exe /proc/self/exe /proc/[0-9]*/task/*/exe; do
    case $(readlink "$program") in *bottle*) echo "$program shows"; esac
    (exec 3>>"$program") 2>/dev/null && echo "$program opens"
done
echo ready
read -r forever || exit 0
"#;

/// A bottle from a copy of the program, which belongs to whoever runs it, and so to the workload of an ordinary user.
fn start(world: &World, copy: &Path) -> Running {
    fs::copy(BOTTLE, copy).unwrap();
    started(world, copy)
}

fn started(world: &World, copy: &Path) -> Running {
    let mut run = world.program(copy.to_str().unwrap());
    run.args(["run", "--name", "copy", "host", "--", "sh", "-c", ATTEMPTS]);
    Running::start(run).ready()
}

#[test]
fn bottles_own_program_can_not_be_written_through_init() {
    let world = World::new();
    let copy = world.path("bottle");
    let running = start(&world, &copy);
    let before = fs::read(&copy).unwrap();
    let init = format!("/proc/{}/exe", running.processes().init.pid);
    // Whoever may look into it, as root may, finds the mount read-only, also when nothing executes the file any more.
    let held = match File::options().read(true).custom_flags(libc::O_PATH).open(&init) {
        Ok(held) => Some(held),
        Err(refused) => {
            assert!(!host::is_root());
            assert_eq!(refused.raw_os_error(), Some(libc::EACCES));
            None
        }
    };
    running.finish().ok();
    if let Some(held) = held {
        let again = format!("/proc/self/fd/{}", held.as_raw_fd());
        let refused = OpenOptions::new().write(true).open(again).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(Errno::ROFS.raw_os_error()));
    }
    assert!(OpenOptions::new().write(true).open(&copy).is_ok(), "it is its owner's to write elsewhere");
    assert!(fs::read(&copy).unwrap() == before);
}

/// As /usr of some distributions is, until root changes something there.
#[test]
fn a_disk_that_is_writable_again_is_not_where_init_executes_from() {
    let world = World::new();
    let disk = world.path("disk");
    fs::create_dir(&disk).unwrap();
    let mount = |options: &str, what: &[&str]| {
        said(world.privileged("mount").args(["-t", "tmpfs", "-o", options]).args(what).arg(&disk)).ok();
    };
    let owner = rustix::process::geteuid().as_raw();
    mount(&format!("mode=700,uid={owner}"), &["disk"]);
    let copy = disk.join("bottle");
    said(world.program("cp").args([BOTTLE.as_ref(), copy.as_path()])).ok();
    mount("remount,ro", &[]);
    let running = started(&world, &copy);
    mount("remount,rw", &[]);
    said(&mut world.bottle(&["attest", "renew", "copy", "--nonce", &"0".repeat(64)])).ok();
    running.finish().ok();
}
