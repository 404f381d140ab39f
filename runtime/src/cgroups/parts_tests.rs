//! Limits in version 2, on a model of it: no kernel here has controllers there.

use super::super::asked::{Limits, Processes};
use super::super::model::Unified;
use super::*;

const MOUNT: &str = "30 23 0:27 / /cg rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";

fn limits() -> Limits {
    Limits { memory: Some("64m".parse().unwrap()), cpus: Some("1.5".parse().unwrap()), processes: Processes::most(100) }
}

fn seen(group: &str) -> Seen {
    Seen { groups: format!("0::{group}\n"), mounts: MOUNT.into() }
}

fn made(tree: &Unified, group: &str) -> Result<Parts<Unified>, LimitError> {
    Parts::make(tree.clone(), limits(), planned(&limits(), &seen(group), "bottle-1")?)
}

/// As systemd hands a user's scope down.
fn delegated() -> Unified {
    Unified::new("/cg", "cpu memory pids").with_all_handed_down()
}

impl Unified {
    fn with_all_handed_down(self) -> Unified {
        for controller in ["cpu", "memory", "pids"] {
            self.write(Path::new("/cg/cgroup.subtree_control"), &format!("+{controller}")).unwrap();
        }
        self.with("/cg/app.slice", "cpu memory pids").with("/cg/app.slice/run.scope", "")
    }
}

#[test]
fn all_limits_are_set_in_one_group_beside_the_own_one() {
    let tree = delegated();
    let parts = made(&tree, "/app.slice/run.scope").unwrap();
    parts.take_in(42).unwrap();
    parts.bound_the_rest().unwrap();
    let read = |file: &str| tree.read(&Path::new("/cg/app.slice/bottle-1").join(file)).unwrap();
    assert_eq!(read("cgroup.procs"), "42\n");
    let found = parts.read_back().unwrap();
    let said = ["cpu.max", "memory.max", "memory.swap.max", "pids.max"]
        .map(|file| found[&format!("/cg/app.slice/bottle-1/{file}")].as_str());
    assert_eq!(said, ["150000 100000", "67108864", "67108864", "101"]);
    assert!(parts.demand_member("0::/app.slice/bottle-1\n").is_ok());
    assert!(matches!(parts.demand_member("0::/app.slice/run.scope\n"), Err(LimitError::Outside(_))));
}

#[test]
fn the_group_goes_with_what_holds_it() {
    let tree = delegated();
    let before = tree.groups();
    drop(made(&tree, "/app.slice/run.scope").unwrap());
    assert_eq!(tree.groups(), before);
}

#[test]
fn where_a_group_can_hand_controllers_down_it_is_told_to() {
    let tree = Unified::new("/cg", "cpu memory pids");
    let parts = made(&tree, "/").unwrap();
    assert_eq!(tree.read(Path::new("/cg/bottle-1/memory.max")).unwrap(), "67108864\n");
    drop(parts);
    assert_eq!(tree.groups(), [Path::new("/cg")]);
}

#[test]
fn a_controller_that_is_not_handed_down_is_an_error_with_a_hint_and_leaves_nothing() {
    for (controllers, what) in [("memory pids", Controller::Cpu), ("", Controller::Memory)] {
        let tree = Unified::new("/cg", controllers);
        let error = made(&tree, "/").unwrap_err();
        assert!(matches!(error, LimitError::Nowhere { what: missing } if missing == what), "{error}");
        assert!(error.hint().unwrap().contains(what.option()));
        assert_eq!(tree.groups(), [Path::new("/cg")]);
    }
}

#[test]
fn a_group_that_holds_processes_and_so_hands_nothing_down_is_an_error_with_a_hint() {
    let tree = Unified::new("/cg", "cpu memory pids");
    for controller in ["cpu", "memory", "pids"] {
        tree.write(Path::new("/cg/cgroup.subtree_control"), &format!("+{controller}")).unwrap();
    }
    let tree = tree.with("/cg/session", "").with("/cg/session/own", "");
    tree.set("/cg/session/cgroup.procs", "7\n");
    let error = made(&tree, "/session/own").unwrap_err();
    assert!(matches!(error, LimitError::Closed { unified: true, .. }), "{error}");
    assert!(error.hint().unwrap().contains("systemd-run"));
    assert_eq!(tree.groups().len(), 3);
}

#[test]
fn a_limit_that_is_not_what_was_written_is_an_error() {
    let tree = delegated();
    let parts = made(&tree, "/app.slice/run.scope").unwrap();
    parts.bound_the_rest().unwrap();
    tree.set("/cg/app.slice/bottle-1/memory.max", "max\n");
    assert!(matches!(parts.read_back(), Err(LimitError::Differs { found, .. }) if found == "max"));
}

#[test]
fn what_ran_short_is_counted_by_the_kernel() {
    let tree = delegated();
    let parts = made(&tree, "/app.slice/run.scope").unwrap();
    assert_eq!((parts.kills(), parts.refusals()), (0, 0));
    tree.set("/cg/app.slice/bottle-1/memory.events", "low 0\noom 4\noom_kill 2\n");
    tree.set("/cg/app.slice/bottle-1/pids.events", "max 9\n");
    assert_eq!((parts.kills(), parts.refusals()), (2, 9));
}

#[test]
fn version_1_has_a_group_in_each_hierarchy() {
    let mounts =
        "32 31 0:29 / /cg/cpu rw - cgroup cgroup rw,cpu,pids\n35 31 0:32 / /cg/memory rw - cgroup cgroup rw,memory";
    let seen = Seen { groups: "4:memory:/a\n1:cpu,pids:/\n".into(), mounts: mounts.into() };
    let parts = planned(&limits(), &seen, "bottle-1").unwrap();
    let paths: Vec<&str> = parts.iter().filter_map(|part| part.path.to_str()).collect();
    assert_eq!(paths, ["/cg/memory/a/bottle-1", "/cg/cpu/bottle-1"]);
}

#[test]
fn where_groups_are_closed_the_hint_says_how_to_get_one() {
    let closed = |errno| LimitError::Closed {
        what: Controller::Pids,
        parent: "/cg/pids".into(),
        unified: false,
        source: io::Error::from_raw_os_error(errno),
    };
    assert!(closed(libc::EACCES).hint().unwrap().contains("mkdir -p /cg/pids/$USER"));
    assert!(closed(libc::EROFS).hint().unwrap().contains("leave --pids-limit out"));
}
