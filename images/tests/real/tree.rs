//! Are two trees the same? Names, types, modes, owners, times, links, content and attributes of all.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::place::{Place, is_root, tool};

/// One line for each file: what find(1) can tell of it, and digests and extended attributes.
const LIST: &str = r#"
import hashlib, os, stat, sys
root, owners, begun = sys.argv[1], sys.argv[2] == 'owners', float(sys.argv[3])
lines, first = [], {}
for directory, names, files in os.walk(root):
    for path in [directory] + [os.path.join(directory, name) for name in files + [n for n in names if os.path.islink(os.path.join(directory, n))]]:
        state, name = os.lstat(path), os.path.relpath(path, root)
        # Of a directory that no entry mentions the time is anybody's. Names of one file are grouped by the first of them in the order of names.
        if stat.S_ISREG(state.st_mode):
            first.setdefault((state.st_dev, state.st_ino), []).append(name)
        what = [name, stat.filemode(state.st_mode), '-' if name == '.' or state.st_mtime == 0 or state.st_mtime > begun else str(state.st_mtime_ns)]
        what.append('%d:%d' % (state.st_uid, state.st_gid) if owners else '-')
        if stat.S_ISLNK(state.st_mode):
            what.append(os.readlink(path))
        if stat.S_ISREG(state.st_mode):
            what.append(str(state.st_size))
            if owners or state.st_mode & 0o400:
                what.append(hashlib.sha256(open(path, 'rb').read()).hexdigest())
        if stat.S_ISCHR(state.st_mode) or stat.S_ISBLK(state.st_mode):
            what.append(hex(state.st_rdev))
        for attribute in sorted(os.listxattr(path, follow_symlinks=False)):
            if not attribute.startswith(('user.overlay.', 'trusted.overlay.', 'user.rootlesscontainers', 'security.selinux')):
                what.append(attribute + '=' + os.getxattr(path, attribute, follow_symlinks=False).hex())
        lines.append(' '.join(what))
for names in first.values():
    if len(names) > 1:
        lines.append('same: ' + ' '.join(sorted(names)))
print('\n'.join(sorted(lines)))
"#;

fn list(place: &Place, root: &Path) -> Command {
    let mut command = Command::new("python3");
    command.args(["-c", LIST]).arg(root).arg(if is_root() { "owners" } else { "mine" });
    command.arg(place.begun().to_string());
    command
}

/// What lies below a directory, a line for each file.
pub fn listed(place: &Place, root: &Path) -> String {
    String::from_utf8(tool(&mut list(place, root)).stdout).unwrap()
}

/// What an overlay of the layers shows, mounted in a namespace of its own.
pub fn merged(place: &Place, layers: &[std::path::PathBuf]) -> String {
    let mount = place.path("merged");
    std::fs::create_dir_all(&mount).unwrap();
    // overlayfs wants two lower layers where there is no upper one.
    let empty = place.path("empty");
    std::fs::create_dir_all(&empty).unwrap();
    let lower: Vec<String> = layers.iter().rev().chain([&empty]).map(|layer| layer.display().to_string()).collect();
    let (namespaces, option) = if is_root() { ("-m", "") } else { ("-rm", "userxattr,") };
    let script = r#"mount -t overlay overlay -o "$1" "$2" && shift 2 && exec "$@""#;
    let mut command = Command::new("unshare");
    command
        .args([namespaces, "sh", "-c", script, "sh"])
        .arg(format!("{option}lowerdir={}", lower.join(":")))
        .arg(&mount);
    let list = list(place, &mount);
    command.arg(list.get_program()).args(list.get_args());
    String::from_utf8(tool(&mut command).stdout).unwrap()
}

/// What umoci makes of the image.
pub fn by_umoci(place: &Place, layout: &Path) -> String {
    let bundle = place.path("bundle");
    let mut command = Command::new("umoci");
    command.args(["unpack", "--image"]).arg(format!("{}:t", layout.display()));
    if !is_root() {
        command.arg("--rootless");
    }
    tool(command.arg(&bundle));
    listed(place, &bundle.join("rootfs"))
}

/// Two lists that must say the same, and something.
pub fn same(ours: &str, theirs: &str) {
    let (ours, theirs): (BTreeSet<&str>, BTreeSet<&str>) = (ours.lines().collect(), theirs.lines().collect());
    let only = |one: &BTreeSet<&str>, other: &BTreeSet<&str>| -> Vec<String> {
        one.difference(other).take(20).map(|&line| line.to_owned()).collect()
    };
    let (here, there) = (only(&ours, &theirs), only(&theirs, &ours));
    assert!(here.is_empty() && there.is_empty(), "only here: {here:#?}\nonly there: {there:#?}");
    assert!(ours.len() > 1);
}
