//! What if the system's programs do not what they are there for? Played for an ordinary user, by root, in a mount namespace of its own.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::json;

use crate::place::{Place, Said, Whose, text};

/// Runs bottle as the ordinary user of the tests, after a script of root's has changed what the system looks like.
fn as_ordinary_user(place: &Place, prepare: &str, words: &str) -> Said {
    // A directory that the user can use, with a program that it can reach.
    let (home, bottle) = (place.path("user"), place.path("bottle"));
    if !home.exists() {
        std::fs::create_dir(&home).unwrap();
        std::fs::copy(env!("CARGO_BIN_EXE_bottle"), &bottle).unwrap();
        std::fs::set_permissions(&home, PermissionsExt::from_mode(0o777)).unwrap();
        std::fs::set_permissions(home.parent().unwrap(), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let script = format!(
        "set -e; mount --make-rprivate /; mount -t tmpfs test /mnt; {prepare}\n\
         exec setpriv --reuid bottle-test --regid bottle-test --clear-groups env -i PATH=/usr/bin:/bin HOME={0} BOTTLE_ROOT={0}/state \
         sh -c 'cd; b={1}; {words}'",
        text(&home),
        text(&bottle)
    );
    Command::new("unshare").args(["--mount", "sh", "-c", &script]).output().unwrap().into()
}

const MAP: &str = "$b run owners -- cat /proc/self/uid_map";

fn load(place: &Place) {
    let load = format!("$b image load --tag owners docker-archive:{}", text(&place.path("image.tar")));
    as_ordinary_user(place, "", &load).ok();
}

#[test]
fn a_program_that_refuses_ends_the_run_with_a_reason_and_a_hint() {
    let place = Place::new(&json!({}));
    if place.whose() != Whose::Nobodys {
        return;
    }
    load(&place);
    let usual = as_ordinary_user(&place, "", MAP);
    assert_eq!(usual.ok().lines().count(), 2, "{usual:?}");
    let refuse = "cp /bin/false /mnt/refusing; chmod 4755 /mnt/refusing; mount --bind /mnt/refusing /usr/bin/newgidmap";
    let refused = as_ordinary_user(&place, refuse, MAP);
    assert!(refused.refused().contains("/usr/bin/newgidmap refused"), "{refused:?}");
    assert!(refused.err.contains("hint: `bottle doctor`"), "{refused:?}");
    let doctor = as_ordinary_user(&place, refuse, "$b doctor || true");
    assert!(doctor.ok().contains("several ids inside    no       no image can be run"), "{doctor:?}");
    // One that says that all is well, and maps nothing.
    let lie = "cp /bin/true /mnt/lying; chmod 4755 /mnt/lying; mount --bind /mnt/lying /usr/bin/newuidmap";
    let refused = as_ordinary_user(&place, lie, MAP);
    assert!(refused.refused().contains("mapped something else than it was told"), "{refused:?}");
}

#[test]
fn without_a_program_or_a_range_a_run_has_one_id_and_doctor_says_what_mends_it() {
    let place = Place::new(&json!({}));
    if place.whose() != Whose::Nobodys {
        return;
    }
    load(&place);
    let plain = "mount --bind /bin/true /usr/bin/newuidmap";
    let none = "touch /mnt/none; mount --bind /mnt/none /etc/subuid; mount --bind /mnt/none /etc/subgid";
    let half = "touch /mnt/none; mount --bind /mnt/none /etc/subgid";
    let small = "sed s/65536/65535/ /etc/subuid > /mnt/small; mount --bind /mnt/small /etc/subuid";
    let cases = [
        (plain, "sudo apt-get install --reinstall uidmap"),
        (none, "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 bottle-test"),
        (half, "sudo usermod --add-subgids 100000-165535 bottle-test"),
        (small, "sudo usermod --add-subuids "),
    ];
    for (prepare, mend) in cases {
        let one = as_ordinary_user(&place, prepare, MAP);
        assert_eq!(
            (one.ok().lines().count(), one.ok().split_whitespace().nth(2)),
            (1, Some("1")),
            "{prepare}: {one:?}"
        );
        let doctor = as_ordinary_user(&place, prepare, "$b doctor || true");
        let said = doctor.ok().split_once("several ids inside").unwrap().1;
        assert!(said.trim_start().starts_with("no ") && said.contains("one id inside"), "{prepare}: {doctor:?}");
        assert!(said.contains(mend), "{prepare}: {said}");
    }
}

#[test]
fn what_somebody_has_put_on_path_is_not_executed() {
    let place = Place::new(&json!({}));
    if place.whose() != Whose::Nobodys {
        return;
    }
    load(&place);
    let words = "mkdir -p bin; printf \"#!/bin/sh\\ntouch $HOME/executed\\n\" > bin/newuidmap; chmod 755 bin/newuidmap; \
                 PATH=$HOME/bin:$PATH $b run owners -- true; ls";
    let ran = as_ordinary_user(&place, "", words);
    assert_eq!(ran.ok().split_whitespace().collect::<Vec<_>>(), ["bin", "state"], "{ran:?}");
    // Nor one of the system's that its owner, who is not root, can change.
    let owned = "cp /usr/bin/newuidmap /mnt/owned; chown bottle-test /mnt/owned; chmod 4755 /mnt/owned; mount --bind /mnt/owned /usr/bin/newuidmap";
    assert_eq!(as_ordinary_user(&place, owned, MAP).ok().lines().count(), 1);
}

#[test]
fn layers_of_another_range_are_left_alone_and_the_image_is_unpacked_anew() {
    let place = Place::new(&json!({}));
    if place.whose() != Whose::Nobodys {
        return;
    }
    load(&place);
    as_ordinary_user(&place, "", "$b run --keep work owners -- touch /kept").ok();
    let other =
        "for k in subuid subgid; do echo bottle-test:500000000:65536 > /mnt/$k; mount --bind /mnt/$k /etc/$k; done";
    let moved = as_ordinary_user(
        &place,
        other,
        "$b run -u 33:34 owners -- sh -c \"cat /proc/self/uid_map; stat -c %u:%g /www\"",
    );
    assert!(moved.ok().contains("500000001") && moved.out.ends_with("33:34\n"), "{moved:?}");
    // Those that nobody needs any more are named, and nothing else is removed.
    let pruned = as_ordinary_user(&place, other, "$b image prune");
    assert!(pruned.code == 1 && pruned.err.contains("hint: sudo rm -rf "), "{pruned:?}");
    let again = as_ordinary_user(&place, other, "$b run --pull never owners -- stat -c %u:%g /www");
    assert_eq!((again.ok(), again.err.as_str()), ("33:34\n", ""));
    let kept = as_ordinary_user(&place, other, "$b run --keep work owners -- true");
    assert!(kept.refused().contains("has files of other ids"), "{kept:?}");
}
