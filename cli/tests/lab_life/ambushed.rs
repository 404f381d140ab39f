//! Can a workload that lies in wait get hold of who enters its bottle, or of what that executes?

use crate::detached::Detached;
use crate::entered::shell;
use crate::host;
use crate::world::{World, said};

/// What a workload does that waits for somebody to enter: it looks into each process that comes, and tries to get hold of it, of
/// what it holds and of what it executes. It writes down what it could do before the process executed the program that was asked for.
const AMBUSH: &str = r#"
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
own = {int(name) for name in os.listdir("/proc") if name.isdigit()}
print("ready", flush=True)
while True:
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) in own or int(name) == os.getpid():
            continue
        base = f"/proc/{name}"
        try:
            exe = os.readlink(base + "/exe")
        except OSError:
            continue
        if "bottle" not in exe:
            continue
        try:
            status = open(base + "/status").read()
            links = {link: os.readlink(base + "/fd/" + link) for link in os.listdir(base + "/fd")}
        except OSError:
            continue
        field = lambda key: next(l.split(":")[1].strip() for l in status.splitlines() if l.startswith(key + ":"))
        confined = field("Seccomp_filters") == FILTERS and int(field("CapEff"), 16) == 0 and field("NoNewPrivs") == "1"
        print("seen", "confined" if confined else "PRIVILEGED", flush=True)
        try:
            os.close(os.open(base + "/exe", os.O_WRONLY))
            print("WRITABLE", flush=True)
        except OSError:
            pass
        for kind in links.values():
            if not kind.startswith(("pipe:", "/dev/null")):
                print("LEAKED", kind, flush=True)
"#;

#[test]
fn who_lies_in_wait_inside_never_gets_hold_of_it_while_it_has_a_privilege() {
    let world = World::new();
    let filters = host::status(std::process::id(), "Seccomp_filters").unwrap_or_default();
    let filters = filters.parse::<u32>().unwrap_or(0) + 3;
    std::fs::write(world.project("ambush.py"), AMBUSH.replace("FILTERS", &format!("'{filters}'"))).unwrap();
    let bottle = Detached::start(&world, &["host", "--", "python3", "ambush.py"]);
    bottle.wait_for("ready");
    for _ in 0..30 {
        let said = shell(&world, &bottle, "echo ok");
        // What is tampered with while it is on hold does not run.
        assert!(said.code == 125 || said.ok() == "ok\n", "{said:?}");
    }
    let logs = bottle.logs(&[]);
    assert_eq!(bottle.inspect()["state"], "running", "it lay in wait all the time: {logs:?}");
    for word in ["PRIVILEGED", "WRITABLE", "LEAKED"] {
        assert!(!logs.out.contains(word), "{}", logs.out);
    }
    if host::is_root() {
        assert!(!logs.out.contains("seen"), "root's can't be looked into at all: {}", logs.out);
    }
}

/// A program that is a script whose interpreter is the process itself executes bottle, from where nobody can write it
/// (CVE-2019-5736).
#[test]
fn bottles_own_program_can_not_be_written_through_who_enters() {
    let world = World::new();
    let copy = world.path("bottle");
    std::fs::copy(crate::world::BOTTLE, &copy).unwrap();
    let before = std::fs::read(&copy).unwrap();
    std::fs::write(world.project("trap"), "#!/proc/self/exe\n").unwrap();
    std::fs::set_permissions(world.project("trap"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let writer = r#"
import os
print("ready", flush=True)
while True:
    for name in os.listdir("/proc"):
        try:
            program = os.open(f"/proc/{name}/exe", os.O_PATH)
            if "bottle" in os.readlink(f"/proc/self/fd/{program}"):
                for _ in range(200):
                    try:
                        os.write(os.open(f"/proc/self/fd/{program}", os.O_WRONLY | os.O_TRUNC), b"overwritten")
                        print("OVERWRITTEN", flush=True)
                    except OSError:
                        pass
            os.close(program)
        except (OSError, ValueError):
            pass
"#;
    std::fs::write(world.project("writer.py"), writer).unwrap();
    let program = copy.to_str().unwrap();
    let id =
        said(world.program(program).args(["run", "-d", "host", "--", "python3", "writer.py"])).ok().trim().to_owned();
    let bottle = Detached::held(&world, &id);
    bottle.wait_for("ready");
    for _ in 0..20 {
        let _ = said(world.program(program).args(["exec", &id, "./trap"]));
        let _ = said(world.program(program).args(["exec", &id, "/proc/self/exe"]));
    }
    assert!(!bottle.logs(&[]).out.contains("OVERWRITTEN"));
    assert_eq!(bottle.inspect()["state"], "running", "it tried all the time");
    drop(bottle);
    assert!(std::fs::read(&copy).unwrap() == before);
}
