//! What can a workload see and do in a real bottle, in each kind of image? It reports itself; the test judges.

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use crate::host;
use crate::world::{World, said, text};

/// What the workload found out about itself, once for each image.
static REPORTS: LazyLock<[(&str, Value); 2]> =
    LazyLock::new(|| [("host", report(host_image)), ("dir", report(directory_image))]);

fn host_image(_world: &World) -> Vec<String> {
    vec!["host".into()]
}

/// A root file system that is somebody else's: a skeleton, with the host's programs as a read-only volume.
fn directory_image(world: &World) -> Vec<String> {
    let root = world.path("rootfs");
    for name in ["usr", "etc", "tmp", "proc", "dev", "work"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        if let Ok(to) = fs::read_link(format!("/{name}")) {
            std::os::unix::fs::symlink(to, root.join(name)).unwrap();
        }
    }
    let project = format!("{}:/work", world.path("project").display());
    ["-v", "/usr:/usr:ro", "-v", &project, "-w", "/work", &format!("dir:{}", root.display())].map(str::to_owned).into()
}

/// Runs the script with doors in its reach that must not open: sockets of the host by path and by abstract name, and
/// a descriptor that a careless parent left open.
fn report(image: fn(&World) -> Vec<String>) -> Value {
    let world = World::new();
    let _by_path = UnixListener::bind(world.path("door.sock")).unwrap();
    let name = SocketAddr::from_abstract_name("bottle-test-door").unwrap();
    let _by_name = UnixListener::bind_addr(&name).unwrap();
    fs::write(world.project("report.py"), include_str!("report.py")).unwrap();
    fs::write(world.path("secret"), "secret").unwrap();
    let mut command: Command = world.program("sh");
    let leak = "exec 7<\"$0\" 8</etc 9<>\"$0\"; exec \"$@\"";
    command.args(["-c", leak, text(&world.path("secret")), crate::world::BOTTLE, "run", "--audit"]);
    command.arg(world.audit()).args(image(&world));
    command.args(["--", "python3", "report.py", text(&world.path("door.sock"))]);
    let said = said(&mut command);
    let mut report: Value = serde_json::from_str(said.ok()).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    report["host"] = host::links("/proc/self/ns").into_iter().collect();
    report
}

/// Judges the report of each image.
fn each(judge: impl Fn(&Value)) {
    for (image, report) in &*REPORTS {
        println!("{image}: {report:#}");
        judge(report);
    }
}

#[test]
fn it_has_no_capability_and_can_get_none() {
    each(|report| {
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(report["status"][set], "0000000000000000", "{set}");
        }
        assert_eq!(report["status"]["NoNewPrivs"], "1");
        assert_eq!(report["status"]["Seccomp"], "2");
    });
}

#[test]
fn it_is_never_root_on_the_host() {
    let world = World::new();
    let running = world.start(&["host", "--", "sh", "-c", "echo ready; cat"]).ready();
    let processes = running.processes();
    for process in [&processes.workload, &processes.init, &processes.gate, &processes.dialler] {
        for field in ["Uid", "Gid"] {
            let ids = host::status(process.pid, field).unwrap();
            assert!(ids.split(' ').all(|id| id != "0"), "{} {ids}", host::first_argument(process.pid));
        }
        let groups = host::status(process.pid, "Groups").unwrap();
        assert!(!host::is_root() || groups.is_empty(), "{groups}");
        assert_eq!(host::status(process.pid, "CapEff").unwrap(), "0000000000000000");
    }
    running.finish().ok();
    each(|report| {
        let map = report["uid_map"].as_str().unwrap();
        assert!(map.lines().all(|line| line.split_whitespace().nth(1) != Some("0")), "{map}");
    });
}

#[test]
fn every_namespace_is_its_own() {
    each(|report| {
        let own: Vec<&str> = report["namespaces"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for kind in ["user", "pid", "mnt", "ipc", "uts", "cgroup", "net"] {
            let one = own.iter().find(|name| name.starts_with(&format!("{kind}:"))).unwrap();
            assert!(!report["host"].as_array().unwrap().contains(&Value::from(*one)), "{one}");
        }
    });
}

#[test]
fn it_sees_no_process_but_its_own() {
    each(|report| {
        let seen: Vec<&str> = report["processes"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert!(seen[0].starts_with("bottle-init") && seen[1].contains("report.py"), "{seen:?}");
    });
}

#[test]
fn it_inherits_no_descriptor() {
    each(|report| {
        let open: Vec<&str> = report["descriptors"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(open[0], "0 /dev/null");
        assert!(open[1].starts_with("1 pipe:[") && open[2].starts_with("2 pipe:["), "{open:?}");
        assert_eq!(open.len(), 3, "{open:?}");
    });
}

#[test]
fn no_door_of_the_host_opens() {
    each(|report| {
        for (door, result) in report["doors"].as_object().unwrap() {
            assert_ne!(result, "open", "{door}");
        }
    });
}

#[test]
fn what_it_must_not_call_is_refused() {
    each(|report| {
        let calls = report["calls"].as_object().unwrap();
        assert!(calls.len() > 25, "{calls:?}");
        for (call, result) in calls {
            // Landlock is asked before the kernel looks for the capability.
            let by_landlock = call == "mknod" && result == "EACCES";
            assert!(by_landlock || ["EPERM", "ENOSYS"].contains(&result.as_str().unwrap()), "{call}: {result}");
        }
    });
}

#[test]
fn what_programs_need_works() {
    each(|report| {
        for (what, result) in report["works"].as_object().unwrap() {
            assert_eq!(result, "yes", "{what}");
        }
    });
}

#[test]
fn the_kernels_switches_are_out_of_reach() {
    each(|report| {
        for (file, result) in report["switches"].as_object().unwrap() {
            assert_eq!(result, "no", "{file}");
        }
        assert_eq!(report["core"], serde_json::json!([1, 1]), "zero would start a helper at the end of a pipe");
    });
}
