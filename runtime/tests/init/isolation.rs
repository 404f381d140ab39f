//! What does the held workload look like from outside, and what does it see from inside?

use crate::harness::Claim;
use crate::supervisor::{BASE, Held, World, as_ordinary_user, world};

pub(crate) const CLAIMS: &[Claim] = &[
    ("the_held_workload_is_confined", || held(&world())),
    ("the_held_workload_is_confined_for_an_ordinary_user", || held(&as_ordinary_user())),
    ("init_is_powerless_before_the_workload_runs", || powerless_init(&world())),
    ("the_workload_sees_nothing_of_the_host", || inside(&world())),
    ("the_workload_sees_nothing_of_the_host_for_an_ordinary_user", || inside(&as_ordinary_user())),
    ("the_workload_is_never_host_root", || never_root(&world())),
    ("switches_of_the_kernel_are_out_of_reach", || switches(&world())),
    ("switches_of_the_kernel_are_out_of_reach_for_an_ordinary_user", || switches(&as_ordinary_user())),
    ("a_program_that_claims_root_gets_no_capability", || no_capabilities(&world())),
];

fn hold(world: &World, argv: &[&str]) -> Held {
    world.start(&world.plan(argv)).held().unwrap()
}

fn held(world: &World) {
    let held = hold(world, &["true"]);
    assert!(held.executable.ends_with("/true"), "{}", held.executable);
    let status = |name: &str| held.status(held.workload, name);
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status(set), "0000000000000000", "{set}");
    }
    assert_eq!(
        (status("NoNewPrivs"), status("Seccomp"), status("Seccomp_filters")),
        ("1".into(), "2".into(), "3".into())
    );
    for kind in ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"] {
        let own = std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().display().to_string();
        assert_ne!(held.namespace(held.workload, kind), own, "{kind}");
    }
    assert_eq!(descriptors(&held), ["0", "1", "2", "pipe", "pipe"]);
    let limits = held.proc("limits");
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>(), ["1", "1", "bytes"]);
    held.release().finish();
}

/// The streams by number, and what else is open by its kind: the pipes by which it is held, which execve closes.
fn descriptors(held: &Held) -> Vec<String> {
    let mut numbers: Vec<u32> = std::fs::read_dir(format!("/proc/{}/fd", held.workload))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    let kind = |number: &u32| {
        let target = std::fs::read_link(format!("/proc/{}/fd/{number}", held.workload)).unwrap();
        let target = target.display().to_string();
        if *number < 3 { number.to_string() } else { target.split(':').next().unwrap_or_default().to_owned() }
    };
    numbers.iter().map(kind).collect()
}

fn powerless_init(world: &World) {
    let held = hold(world, &["true"]);
    let status = |name: &str| held.status(held.first, name);
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(status(set), "0000000000000000", "{set}");
    }
    assert_eq!((status("NoNewPrivs"), status("Seccomp")), ("1".into(), "2".into()));
    if world.is_root() {
        assert_eq!(status("Uid"), format!("{BASE} {BASE} {BASE} {BASE}"));
        // The user namespace of the workload is its own: init is in the one around it.
        assert_ne!(held.namespace(held.first, "user"), held.namespace(held.workload, "user"));
        assert_eq!(held.namespace(held.first, "net"), held.namespace(held.workload, "net"));
    }
    held.release().finish();
}

fn inside(world: &World) {
    assert_eq!(
        world.shell("cat /proc/1/exe 2>/dev/null >/dev/null || ls -l /proc/1/exe 2>&1 >/dev/null | grep -o denied"),
        "denied\n"
    );
    assert_eq!(world.shell("ls /proc/1/root /proc/1/fd 2>&1 | grep -c denied"), "2\n");
    assert_eq!(world.shell("id -u"), format!("{}\n", world.uid));
    assert_eq!(world.shell("hostname 2>/dev/null || cat /proc/sys/kernel/hostname"), "bottle\n");
    assert_eq!(world.shell("cat /etc/resolv.conf"), "nameserver 28.0.0.1\n");
    assert_eq!(world.shell("ls /proc/self/fd | wc -l"), "4\n", "0, 1, 2, and the directory itself");
    assert_eq!(world.shell("echo ${SECRET_TOKEN-none}"), "none\n");
    assert_eq!(world.shell("ls -A ~ /run /tmp | grep -v -e : -e '^$' -e lock -e bottle-init || true"), "");
    assert_eq!(world.shell("find /run /tmp /dev /var -type s 2>/dev/null | wc -l"), "0\n");
    assert_eq!(
        world.shell("ls /dev | tr '\\n' ' '"),
        "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero "
    );
    assert_eq!(world.shell("cat /etc/shadow 2>&1 | grep -c 'No such file'"), "1\n");
    let processes = world.shell("ls -d /proc/[0-9]* | wc -l");
    assert!(processes.trim().parse::<u32>().unwrap() <= 4, "{processes}");
}

fn never_root(world: &World) {
    let held = hold(world, &["true"]);
    let outside = if world.is_root() { BASE } else { world.uid };
    assert_eq!(held.status(held.workload, "Uid"), [outside; 4].map(|uid| uid.to_string()).join(" "));
    // An ordinary user can't give groups up: the kernel lets nobody gain access by leaving one.
    let groups = if world.is_root() { String::new() } else { held.status(std::process::id(), "Groups") };
    assert_eq!(held.status(held.workload, "Groups"), groups);
    let map = held.proc("uid_map");
    let map: Vec<u32> = map.split_whitespace().map(|number| number.parse().unwrap()).collect();
    let expected = if world.is_root() { vec![0, BASE, 65_536] } else { vec![world.uid, world.uid, 1] };
    assert_eq!(map, expected);
    held.release().finish();
}

fn switches(world: &World) {
    let writes = "for f in /proc/sys/kernel/core_pattern /proc/sys/net/ipv4/ip_forward /proc/sysrq-trigger \
                  /sys/kernel/uevent_helper /sys/class/net/lo/mtu; do (echo 1 > $f) 2>/dev/null && echo wrote $f; done; \
                  head -c1 /proc/kcore; cat /proc/kmsg /proc/keys /proc/timer_list 2>/dev/null; \
                  mount -t tmpfs none /mnt 2>/dev/null && echo mounted; unshare -U true 2>/dev/null && echo unshared; true";
    assert_eq!(world.shell(&format!("exec 2>/dev/null; {writes}")), "");
}

fn no_capabilities(world: &World) {
    assert_eq!(world.shell("grep -h Cap /proc/self/status | grep -vc 0000000000000000; true"), "0\n");
}
