//! A container in a pod behind an airlock, as `kubectl run --stdin --rm` has one: `bottle-cri SOCKET GROUP DIRECTORY COMMAND…`. A
//! directory is shared where it lies; input, output and exit code are the container's.

use std::io::{Read, Write, stderr, stdin, stdout};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use bottle_cri::{Attach, Attached, Cri, DefaultProfile, EXITED, Pod, Wanted, shown};

/// How long a runtime may take to notice an end.
const LIMIT: Duration = Duration::from_secs(30);

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [socket, group, directory, command @ ..] = words.as_slice() else {
        panic!("bottle-cri SOCKET GROUP DIRECTORY COMMAND…")
    };
    let cri = Cri::connect(Path::new(socket));
    let logs = tempfile::tempdir().unwrap();
    let mut wanted = Wanted::new(group, "bottle", group);
    wanted.sandbox.log_directory = logs.path().to_str().unwrap().to_owned();
    let pod = wanted.run(&cri).unwrap();
    let code = run(&cri, &pod, directory, command);
    pod.remove();
    relay(&std::fs::read_to_string(logs.path().join("log")).unwrap());
    std::process::exit(code);
}

/// Runs a container to its end; its exit code.
fn run(cri: &Cri, pod: &Pod<'_>, directory: &str, command: &[String]) -> i32 {
    let mut config = pod.configuration("one");
    config.command = command.to_vec();
    directory.clone_into(&mut config.directory);
    config.mounts = shown(&[(directory, directory)], false).collect();
    "log".clone_into(&mut config.log);
    (config.stdin, config.stdin_once) = (true, true);
    config.linux.as_mut().unwrap().security.as_mut().unwrap().seccomp = Some(DefaultProfile {});
    let container = pod.start(config).unwrap();
    // Whose container has ended has no streams any more.
    let asked = Attach { container: container.clone(), stdin: true, ..Attach::default() };
    if let Ok(streams) = cri.ask("Attach", asked) {
        let input = Attached::open(&streams, |host, port| TcpStream::connect((host, port)).unwrap());
        std::thread::spawn(move || feed(input));
    }
    // Its output is in its log: over a stream it would cross the host's loopback, where the escape suite looks for what got out.
    cri.wait(&container);
    let begun = Instant::now();
    loop {
        let seen = pod.seen(&container);
        if seen.state == EXITED {
            return seen.code;
        }
        assert!(begun.elapsed() < LIMIT, "{seen:?}");
    }
}

/// Passes on what comes in, and its end.
fn feed(mut input: Attached<TcpStream>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stdin().read(&mut buffer) {
        input.write(&buffer[..length]);
    }
    input.close();
}

/// Writes what a log says that a container wrote: a time, a stream, F or P for a line that is whole or not, and the text.
fn relay(log: &str) {
    for line in log.lines() {
        let [_, stream, tag, text] = line.splitn(4, ' ').collect::<Vec<_>>()[..] else { panic!("{line:?}") };
        let text = text.to_owned() + if tag == "F" { "\n" } else { "" };
        match stream {
            "stdout" => stdout().write_all(text.as_bytes()).unwrap(),
            _ => stderr().write_all(text.as_bytes()).unwrap(),
        }
    }
}
