//! Which programs are used, and whose power do they have?

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use bottle_lab::Helper;

use super::sandbox::layout;

/// A program of this build, beside the current one or beside its folder `deps` or `examples`.
pub fn beside(name: &str) -> PathBuf {
    let current = std::env::current_exe().unwrap();
    let mut folders = current.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    folders.find(|program| program.is_file()).unwrap_or_else(|| panic!("{name} is not built"))
}

/// The static program that `tests/run` has built.
pub fn static_program() -> PathBuf {
    PathBuf::from(std::env::var_os("BOTTLE_ESCAPE").expect("BOTTLE_ESCAPE names the static program; run `tests/run`"))
}

/// Root gives up the machine first: in an open sandbox attempts have all power over the lab, and must have none over the
/// machine that it runs on.
pub fn powerless(directory: &Path) -> Helper {
    let lab = directory.join("bottle-lab");
    fs::copy(beside("bottle-lab"), &lab).unwrap();
    if !is_root() {
        return Helper::new(lab, [""; 0]);
    }
    open_to_all(directory);
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];
    Helper::new(
        "setpriv",
        nobody.into_iter().map(Into::into).chain([lab.into_os_string()]).collect::<Vec<std::ffi::OsString>>(),
    )
}

/// Lets whoever runs attempts, and who is not root, write in the range's directories.
pub fn open_to_all(directory: &Path) {
    for name in ["project", "home", "neighbour", "state", ""] {
        fs::set_permissions(directory.join(name), fs::Permissions::from_mode(0o777)).unwrap();
    }
}

/// Whom `tests/run` makes, with a range of subordinate ids.
pub const USER: &str = "bottle-test";

/// Gives an ordinary user the range's directories, bottle, and the layout of an image: where they were built may be out of its reach.
pub fn hand_over(directory: &Path, image: &str) {
    let top = directory.to_str().unwrap();
    fs::copy(beside("bottle"), directory.join("bottle")).unwrap();
    done("cp", &["-r", layout(image).to_str().unwrap(), top]);
    done("chown", &["-R", &format!("{USER}:"), top]);
    open_to_all(directory);
}

/// Gives an ordinary user what is below the range's directory, and bottle. The directory itself stays root's, whose settings hooks take
/// from nowhere else.
pub fn hand_over_below(directory: &Path) {
    fs::copy(beside("bottle"), directory.join("bottle")).unwrap();
    // A stand-in for a display listens in it.
    fs::create_dir(directory.join(".X11-unix")).unwrap();
    for name in ["project", "home", "neighbour", "state", ".X11-unix"] {
        done("chown", &["-R", &format!("{USER}:"), directory.join(name).to_str().unwrap()]);
    }
}

fn done(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}");
}

pub fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}
