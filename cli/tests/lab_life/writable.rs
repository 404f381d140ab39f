//! What can a workload change with `--read-only` and `--tmpfs`, in each kind of image?

use crate::world::{Said, World, said, text};

/// Directories that a program in a container may want to write to, and whether it could.
const TRY: &str = "for place in / /etc /usr /opt /var /tmp /var/tmp /run \"$HOME\" . \"$@\"; do
    if touch \"$place/made\" 2>/dev/null; then echo \"+$place\"; else echo \"-$place\"; fi
done";

/// The host's shell, in an image that has nothing of its own but `rootfs/var/tmp`.
fn in_a_directory(world: &World, options: &[&str], script: &str) -> Said {
    let root = world.path("rootfs");
    for name in ["usr", "etc", "opt", "var/tmp"] {
        std::fs::create_dir_all(root.join(name)).unwrap();
    }
    for name in ["bin", "lib", "lib64"] {
        if let Ok(to) = std::fs::read_link(format!("/{name}")) {
            std::os::unix::fs::symlink(to, root.join(name)).unwrap();
        }
    }
    let project = format!("{}:/work", text(&world.path("project")));
    let image = format!("dir:{}", text(&root));
    let mut words = options.to_vec();
    words.extend([
        "-v",
        "/usr:/usr:ro",
        "-v",
        &project,
        "-w",
        "/work",
        &image,
        "--",
        "sh",
        "-c",
        script,
        "sh",
        "/work",
    ]);
    said(&mut world.run(&words))
}

fn in_the_host_image(world: &World, options: &[&str], script: &str) -> Said {
    let mut words = options.to_vec();
    words.extend(["host", "--", "sh", "-c", script, "sh"]);
    said(&mut world.run(&words))
}

fn writable(said: &Said) -> Vec<&str> {
    said.ok().lines().filter_map(|line| line.strip_prefix('+')).collect()
}

#[test]
fn with_read_only_home_scratch_and_what_is_shared_are_left_to_the_workload() {
    let world = World::new();
    let home = text(&world.path("home")).to_owned();
    assert_eq!(writable(&in_the_host_image(&world, &["--read-only"], TRY)), ["/tmp", "/var/tmp", "/run", &home, "."]);
    assert!(world.project("made").exists());
    let said = in_a_directory(&world, &["--read-only"], TRY);
    let homes = ["/root", "/home/user"];
    let writable = writable(&said);
    assert!(homes.contains(&writable[2]), "{said:?}");
    assert_eq!([&writable[..2], &writable[3..]].concat(), ["/tmp", "/run", ".", "/work"]);
}

#[test]
fn without_it_more_can_be_changed_and_no_change_outlives_the_bottle() {
    let world = World::new();
    let said = in_a_directory(&world, &[], TRY);
    for place in ["/", "/etc", "/opt", "/var", "/var/tmp"] {
        assert!(writable(&said).contains(&place), "{place}: {said:?}");
        assert!(!world.path("rootfs").join(place.trim_start_matches('/')).join("made").exists(), "{place}");
    }
}

/// A mount that is not as planned is refused by the attestation, so it is enough to ask the workload.
#[test]
fn a_tmpfs_is_as_large_as_asked_and_executes_nothing_where_that_is_asked() {
    let world = World::new();
    let script = "head -c 1048576 /dev/zero >/scratch/fits && ! head -c 1 /dev/zero 2>/dev/null >/scratch/more
        rm /scratch/*; cp /bin/true /scratch/true; stat -c %a /scratch; /scratch/true";
    for run in [in_the_host_image, in_a_directory] {
        let said = run(&world, &["--tmpfs", "/scratch:size=1m,mode=1711,noexec"], script);
        assert_eq!((said.code, said.out.trim()), (126, "1711"), "{said:?}");
    }
    let said =
        in_the_host_image(&world, &["--read-only", "--tmpfs", "/scratch"], "cp /bin/true /scratch/true; /scratch/true");
    said.ok();
}

#[test]
fn a_tmpfs_that_is_none_is_refused_with_a_hint() {
    let world = World::new();
    let said = said(&mut world.run(&["--tmpfs", "scratch", "host", "--", "true"]));
    assert_eq!(said.code, 125);
    assert!(said.err.contains("the tmpfs \"scratch\" is not at a plain absolute path\nhint: write DIR"), "{said:?}");
}
