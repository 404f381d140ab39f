//! Does each decision say which process wanted it, as the host counts, whoever looks and however it was asked for? (E6)

use std::collections::HashSet;

use bottle_evidence::audit::{Decision, Known, Process};

use crate::world::{World, path};

fn known(decision: &Decision) -> &Known {
    match &decision.process {
        Process::Known(known) => known,
        Process::Unknown(why) => panic!("{why:?}: {decision:?}"),
    }
}

#[test]
fn a_decision_names_the_process_that_connected_and_its_program() {
    let world = World::new();
    let script = "import subprocess
print(https('api.allowed.example'), https('evil.attacker.example'), https('11.6.6.6'))
print(subprocess.run(['curl', '-sS', '-o', '/dev/null', '-w', '%{http_code}', 'https://api.allowed.example'],
    capture_output=True, text=True).stdout)";
    let (said, run) = world.allow(&["api.allowed.example"]).python(script);
    assert_eq!(said, ["200 NONAME ECONNRESET", "200"]);
    let [first, denied, child] = &run.log.decisions().map(known).collect::<Vec<_>>()[..] else { panic!("{run:#?}") };
    let workload = run.log.start().workload;
    assert_eq!((first.pid, first.start), (workload.pid, workload.start), "as the attestation has the first process");
    assert_eq!((denied.pid, denied.start, denied.uid), (first.pid, first.start, first.uid));
    assert!(first.exe.as_str().contains("/python3"), "{first:?}");
    assert!(child.exe.as_str().ends_with("/curl") && child.pid != first.pid, "{child:?}");
    let shown = world.verb(&["audit", "show", path(&world.path("audit-0.jsonl")), "--pid", &child.pid.to_string()]).1;
    assert_eq!(shown.lines().count(), 2, "its decision and what became of it: {shown}");
    assert!(shown.contains(&format!(", {} (pid {})", child.exe, child.pid)), "{shown}");
}

#[test]
fn grandchildren_whose_parents_are_gone_and_children_of_other_threads_are_found() {
    let world = World::new();
    let script = "import os, threading
def orphan():
    (ours, theirs), (parent, grandparent) = os.pipe(), os.pipe()
    if os.fork() == 0:
        if os.fork() == 0:
            os.close(grandparent)
            os.read(parent, 1)  # until both above are done with it
            os.write(theirs, https('api.allowed.example').encode())
        os._exit(0)
    os.wait()
    os.close(grandparent)
    os.close(theirs)
    return os.read(ours, 9).decode()
def child():
    pid = os.fork()
    if pid == 0: os._exit(int(https('api.allowed.example')) // 10)
    return os.waitpid(pid, 0)[1] >> 8
of_thread = []
other = threading.Thread(target=lambda: of_thread.append(child())); other.start(); other.join()
print(of_thread, orphan(), https('api.allowed.example'))";
    let (said, run) = world.allow(&["api.allowed.example"]).python(script);
    assert_eq!(said, ["[20] 200 200"]);
    let pids: HashSet<u32> = run.log.decisions().map(|decision| known(decision).pid).collect();
    assert_eq!(pids.len(), 3, "{run:#?}");
}

#[test]
fn a_request_to_the_explicit_proxy_is_that_of_the_process_which_sent_it() {
    let world = World::new();
    let bottle = world.bottle(&["--proxy-env", "--allow", "api.allowed.example"]);
    let run = bottle.run(&["sh", "-c", "curl -sS -o /dev/null https://api.allowed.example/a; true"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(known(run.log.attempt().0).exe.as_str().ends_with("/curl"), "{run:#?}");
}

#[test]
fn an_executable_is_named_by_a_text_whatever_the_workload_calls_it() {
    let world = World::new();
    let name = "x\u{1b}[2J\n\"y";
    let script =
        format!("cp $(command -v curl) '/tmp/{name}' && '/tmp/{name}' -sS -o /dev/null https://api.allowed.example");
    let run = world.allow(&["api.allowed.example"]).run(&["sh", "-c", &script]);
    assert_eq!(run.code, 0, "{run:#?}");
    let (decision, _) = run.log.attempt();
    assert!(known(decision).exe.as_str().ends_with(name), "{decision:?}");
    let shown = world.verb(&["audit", "show", path(&world.path("audit-0.jsonl"))]).1;
    assert!(shown.contains(r"x\u{1b}[2J\n") && !shown.contains('\u{1b}'), "{shown}");
}
