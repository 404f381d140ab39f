//! Is a command in a bottle what it is outside? Its exit code, its streams, its signals.

use std::io::{Read, Write};
use std::process::Stdio;

use rustix::pipe::pipe;
use rustix::process::Signal;

use crate::running::Held;
use crate::world::{LIMIT, World, said};

#[test]
fn programs_of_the_host_run_without_an_image() {
    let world = World::new();
    for command in ["git --version", "python3 --version", "node --version", "curl --version"] {
        let words: Vec<&str> = command.split(' ').collect();
        said(world.run(&["host"]).args(words)).ok();
    }
}

#[test]
fn a_run_whose_policy_comes_late_goes_on_all_the_same() {
    let world = World::new();
    let mut command = world.run(&["--policy", "/dev/stdin", "host", "--", "echo", "ran"]);
    let mut running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // What is begun ahead waits meanwhile, for longer than any process of a bottle may be silent: it is time that is tried here.
    std::thread::sleep(std::time::Duration::from_secs(5));
    running.stdin.take().unwrap().write_all(b"version: 1\ndomains: []\n").unwrap();
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout == b"ran\n", "{output:?}");
}

#[test]
fn the_streams_can_be_opened_by_their_names() {
    let world = World::new();
    let said = world.shell("echo one > /dev/stderr; echo two | tee /dev/stdout; echo three >> /proc/self/fd/1");
    assert_eq!((said.out.as_str(), said.err.as_str(), said.code), ("two\ntwo\nthree\n", "one\n", 0));
}

#[test]
fn the_working_directory_is_shared_and_what_is_made_there_is_the_callers() {
    use std::os::unix::fs::MetadataExt;
    let world = World::new();
    std::fs::write(world.project("given"), "from outside\n").unwrap();
    assert_eq!(world.shell("cat given; echo made > made; mkdir sub").ok(), "from outside\n");
    assert_eq!(std::fs::read_to_string(world.project("made")).unwrap(), "made\n");
    let own = rustix::process::geteuid().as_raw();
    for name in ["made", "sub"] {
        assert_eq!(std::fs::metadata(world.project(name)).unwrap().uid(), own);
    }
}

#[test]
fn the_exit_code_passes_through() {
    let world = World::new();
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("exit 125", 125), ("exit 255", 255)] {
        assert_eq!(world.shell(script).code, code, "{script}");
    }
    for (signal, code) in [("TERM", 143), ("KILL", 137), ("SEGV", 139), ("PIPE", 141)] {
        let said = world.shell(&format!("kill -{signal} $$"));
        assert_eq!((said.code, said.err.as_str()), (code, ""), "{signal}");
    }
}

#[test]
fn what_cannot_be_executed_is_126_and_what_is_not_there_127_and_misuse_125() {
    let world = World::new();
    std::fs::write(world.project("text"), "no program\n").unwrap();
    for (arguments, code) in [
        (&["host", "--", "./text"][..], 126),
        (&["host", "--", "/tmp"], 126),
        (&["host", "--", "no-such-program"], 127),
        (&["host", "--", "/no/such/program"], 127),
        (&["no-such-image", "--", "true"], 125),
        (&["--no-such-option", "host", "--", "true"], 125),
        (&["--allow", "not a name", "host", "--", "true"], 125),
    ] {
        let said = said(&mut world.run(arguments));
        assert_eq!(said.code, code, "{arguments:?} {said:?}");
        assert_eq!(said.out, "");
        assert!(!said.err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_run_whose_command_was_not_there_has_an_end_in_the_log() {
    let world = World::new();
    assert_eq!(said(&mut world.run(&["host", "--", "no-such-program"])).code, 127);
    world.shell("true").ok();
    world.verify_log().ok();
}

#[test]
fn signals_are_forwarded_and_the_workloads_answer_passes_through() {
    for (signal, name, code) in [(Signal::TERM, "TERM", 9), (Signal::INT, "INT", 10), (Signal::USR1, "USR1", 11)] {
        let world = World::new();
        // A shell's `read` that has just begun would miss it.
        let script = format!(
            "import signal as s; s.pthread_sigmask(s.SIG_BLOCK, [s.SIG{name}]); print('ready', flush=True)\n\
             s.sigwait([s.SIG{name}]); print('{name}', flush=True); exit({code})"
        );
        let mut running = world.start(&["host", "--", "python3", "-c", &script]).ready();
        running.signal(signal);
        assert_eq!(running.line(), name);
        assert_eq!(running.end().code, code);
    }
}

#[test]
fn a_signal_that_the_workload_does_not_catch_ends_it() {
    let world = World::new();
    let running = world.start(&["host", "--", "sh", "-c", "echo ready; exec sleep 1000"]).ready();
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, 143);
    world.verify_log().ok();
}

#[test]
fn standard_input_is_a_pipe_to_its_end() {
    let world = World::new();
    let mut running = world.start(&["host", "--", "sh", "-c", "echo ready; wc -c"]).ready();
    for _ in 0..100 {
        running.write(&"x".repeat(10_000));
    }
    assert_eq!(running.finish().ok().trim(), "1000000");
}

#[test]
fn a_file_as_input_and_output_is_copied_and_not_handed_over() {
    let world = World::new();
    std::fs::write(world.path("input"), "from a file\n").unwrap();
    let (input, output) = (world.path("input"), world.path("output"));
    let mut command = world.run(&["host", "--", "sh", "-c", "cat; readlink /proc/self/fd/0 /proc/self/fd/1 >&2"]);
    command.stdin(std::fs::File::open(input).unwrap()).stdout(std::fs::File::create(&output).unwrap());
    let said = said(command.stderr(Stdio::piped()));
    assert_eq!(said.code, 0);
    assert_eq!(std::fs::read_to_string(output).unwrap(), "from a file\n");
    assert_eq!(said.err.matches("pipe:[").count(), 2, "{}", said.err);
}

/// As the same user, a pipe can be opened in the other direction by whoever has one end of it.
#[test]
fn a_pipe_of_the_callers_is_neither_written_to_nor_read_from_the_wrong_side() {
    let world = World::new();
    let (input, to_input) = pipe().unwrap();
    let (output, to_output) = pipe().unwrap();
    std::fs::File::from(to_output.try_clone().unwrap()).write_all(b"of another program\n").unwrap();
    let script = "import os\n\
                  for end in 0, 1, 2:\n\
                  \x20try: os.write(os.open(f'/proc/self/fd/{end}', os.O_WRONLY | os.O_NONBLOCK), b'planted\\n')\n\
                  \x20except OSError: pass\n\
                  \x20if end == 0: continue\n\
                  \x20try: stolen = os.read(os.open(f'/proc/self/fd/{end}', os.O_RDONLY | os.O_NONBLOCK), 4096)\n\
                  \x20except OSError: continue\n\
                  \x20if b'another' in stolen: open('stolen', 'wb').write(stolen)\n";
    let mut command = world.run(&["host", "--", "python3", "-c", script]);
    command.stdin(input.try_clone().unwrap()).stdout(to_output.try_clone().unwrap()).stderr(to_output);
    assert!(command.status().unwrap().success());
    drop((command, to_input));
    let read = |end| {
        let mut text = String::new();
        std::fs::File::from(end).read_to_string(&mut text).unwrap();
        text
    };
    assert_eq!(read(input), "", "a shell that reads its script there would run it");
    assert!(read(output).starts_with("of another program\n"));
    assert!(!world.project("stolen").exists());
}

#[test]
fn output_and_error_of_one_file_keep_their_order() {
    let world = World::new();
    let (ours, theirs) = pipe().unwrap();
    let script = "for i in $(seq 1000); do echo $i; echo $i >&2; done";
    let mut command = world.run(&["host", "--", "sh", "-c", script]);
    let mut child = command.stdout(theirs.try_clone().unwrap()).stderr(theirs).spawn().unwrap();
    drop(command);
    let mut text = String::new();
    std::fs::File::from(ours).read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    let expected: String = (1..=1000).map(|number| format!("{number}\n{number}\n")).collect();
    assert!(text == expected, "{text}");
}

#[test]
fn a_reader_that_goes_away_ends_an_endless_writer() {
    let world = World::new();
    let mut running = world.start(&["host", "--", "sh", "-c", "yes"]);
    assert_eq!(running.line(), "y");
    let said = running.close_output();
    assert_eq!(said.code, 141, "{said:?}");
    world.verify_log().ok();
}

#[test]
fn a_time_limit_ends_the_run_and_says_so() {
    let world = World::new();
    let said = said(&mut world.run(&["--timeout", "1", "host", "--", "sleep", "1000"]));
    assert_eq!(said.code, 137, "{said:?}");
    assert!(said.err.contains("--timeout"), "{said:?}");
    let end = &world.entries_of("run.end")[0];
    assert!(end["reason"].as_str().unwrap().contains("--timeout"), "{end}");
    world.verify_log().ok();
}

#[test]
fn a_reader_that_does_not_read_holds_no_run_past_its_time_limit() {
    let world = World::new();
    let running = world.start(&["--timeout", "1", "host", "--", "yes"]);
    let supervisor = Held::new(running.pid());
    assert!(supervisor.ends_within(LIMIT), "it waits for its reader");
    running.bury();
    world.verify_log().ok();
}
