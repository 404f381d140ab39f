//! Do an image's files belong to whom the image says?

use std::process::Command;

use serde_json::json;

use crate::place::{Place, Whose, text};

const LOOK: &str = "stat -c '%u:%g %a %n' / /bin /bin/busybox /www /www/page /www/link /www/below /www/below/file /home/node \
                    /home/node/busybox /last /beyond";

#[test]
fn files_belong_to_whom_the_image_says() {
    let place = Place::with(&json!({}), 0, &["beyond"]);
    place.load();
    let expected = "0:0 755 /\n0:0 755 /bin\n0:0 755 /bin/busybox\n33:34 750 /www\n1000:1000 644 /www/page\n33:34 777 /www/link\n\
                    0:0 755 /www/below\n1000:1000 600 /www/below/file\n1000:1000 700 /home/node\n\
                    1000:1000 700 /home/node/busybox\n65535:65535 644 /last\n65534:65534 644 /beyond\n";
    // Who has one id may look into what is closed to others.
    let look = |place: &Place, user: &str| place.shell(&["-u", user], &format!("{LOOK} 2>&1"));
    match place.whose() {
        Whose::Callers => {
            let all_mine = expected.lines().map(|line| format!("0:0 {}\n", line.split_once(' ').unwrap().1));
            assert_eq!(look(&place, "0").ok(), all_mine.collect::<String>());
        }
        Whose::Range | Whose::Nobodys => {
            // Nobody has a capability, uid 0 neither: each directory is looked into by its owner.
            let mut seen = look(&place, "0").out;
            seen.push_str(&look(&place, "33:34").out);
            seen.push_str(&look(&place, "1000:1000").out);
            for line in expected.lines() {
                assert!(seen.contains(&format!("{line}\n")), "{line}\n{seen}");
            }
        }
    }
}

#[test]
fn what_is_anothers_is_closed_as_its_mode_says_and_what_is_ones_own_is_open() {
    let place = Place::loaded(&json!({ "User": "node" }));
    let script = "id -u; echo x > ~/made && cat ~/made; cat /www/below/file 2>/dev/null || echo closed; touch /made 2>/dev/null || echo roots";
    let expected = match place.whose() {
        Whose::Callers => "1000\nx\nfile\n",
        Whose::Range | Whose::Nobodys => "1000\nx\nclosed\nroots\n",
    };
    assert_eq!(place.shell(&[], script).ok(), expected);
    assert_eq!(place.shell(&["-u", "0:0"], "touch /made; stat -c %u:%g /made").ok(), "0:0\n");
}

#[test]
fn a_program_that_only_its_owner_may_read_is_measured_and_runs() {
    let place = Place::loaded(&json!({ "User": "node" }));
    let ran = place.bottle(&["run", "owners", "--", "/home/node/busybox", "id", "-u"]);
    assert_eq!((ran.ok(), ran.err.as_str()), ("1000\n", ""));
}

#[test]
fn what_is_said_of_a_directory_that_no_layer_mentions_and_of_bottles_own_files_is_roots() {
    let place = Place::loaded(&json!({ "WorkingDir": "/made/deep" }));
    let script = "stat -c %u:%g /made /made/deep /etc/hosts /run /tmp; pwd";
    assert_eq!(place.shell(&["-u", "0"], script).ok(), "0:0\n0:0\n0:0\n0:0\n0:0\n/made/deep\n");
}

/// All of a tree that everybody may look into, as `find` of the same busybox prints it.
const LIST: &str = "find / -xdev -exec stat -c '%n %u:%g %a %F' {} + 2>&1; true";

#[test]
fn owners_are_those_that_podman_shows_as_the_same_user() {
    let place = Place::loaded(&json!({}));
    if place.whose() == Whose::Callers {
        // podman needs a range, too.
        assert!(place.bottle(&["run", "owners", "--", "true"]).ok().is_empty());
        return;
    }
    let archive = format!("docker-archive:{}", text(&place.path("image.tar")));
    // podman takes no more than 50 characters here.
    let run = tempfile::tempdir_in("/tmp").unwrap();
    let script = "podman --root $1 --runroot $2 --storage-driver vfs --events-backend file --cgroup-manager cgroupfs pull -q $0 >/dev/null && \
                  m=$(podman --root $1 --runroot $2 --storage-driver vfs image mount localhost/test/owners:1) && chroot $m /bin/sh -c \"$3\"";
    let root = place.path("podman");
    let mut podman = match place.whose() {
        Whose::Range => {
            let mut podman = Command::new("podman");
            podman.args(["--root", text(&root), "--runroot"]).arg(run.path()).args(["unshare", "sh"]);
            podman
        }
        _ => Command::new("sh"),
    };
    let theirs = podman.args(["-c", script, &archive, text(&root)]).arg(run.path()).arg(LIST);
    let theirs = theirs.env("HOME", place.path("home")).env("XDG_RUNTIME_DIR", run.path()).output().unwrap();
    // Ends the process by which podman keeps a user's namespaces for its next call.
    let mut end = Command::new("podman");
    end.args(["--root", text(&root), "--runroot"]).arg(run.path()).args([
        "--storage-driver",
        "vfs",
        "system",
        "migrate",
    ]);
    let ended = end.env("HOME", place.path("home")).env("XDG_RUNTIME_DIR", run.path()).output().unwrap();
    assert!(ended.status.success() && !run.path().join("libpod/tmp/pause.pid").exists(), "{ended:?}");
    assert!(theirs.status.success(), "{theirs:?}");
    let said = String::from_utf8(theirs.stderr).unwrap();
    let theirs = String::from_utf8(theirs.stdout).unwrap();
    let ours = ["0:0", "33:34", "1000:1000"].map(|user| place.shell(&["-u", user], LIST).out).concat();
    let mut compared = 0;
    for line in
        theirs.lines().filter(|line| line.starts_with("/bin") || line.contains("/www") || line.contains("/home"))
    {
        assert!(ours.lines().any(|our| our == line), "{line}\n{ours}");
        compared += 1;
    }
    assert!(compared > 20, "{theirs:?} {said}");
}
