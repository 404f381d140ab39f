//! Does `-t` give a terminal of the bottle's own, with the size of the caller's?

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Action, Winsize, tcflow, tcgetattr, tcsetwinsize};

use crate::detached::Detached;
use crate::running::{Held, Processes};
use crate::world::{LIMIT, World};

/// A terminal that the test holds, with a bottle on its other side.
pub struct Terminal {
    master: OwnedFd,
    lines: BufReader<File>,
    child: Child,
    other: OwnedFd,
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

impl Terminal {
    pub fn start(mut command: Command) -> Terminal {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let other = ioctl_tiocgptpeer(&master, flags).unwrap();
        tcsetwinsize(&master, size(33, 77)).unwrap();
        let end = || other.try_clone().unwrap();
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let lines = BufReader::new(File::from(master.try_clone().unwrap()));
        Terminal { master, lines, child, other }
    }

    /// The next line that shows on the terminal.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub fn type_in(&self, text: &str) {
        File::from(self.master.try_clone().unwrap()).write_all(text.as_bytes()).unwrap();
    }

    pub fn end(mut self) -> i32 {
        assert!(Held::new(self.child.id()).ends_within(LIMIT), "it still runs");
        self.child.wait().unwrap().code().unwrap()
    }
}

#[test]
fn the_workloads_terminal_has_the_callers_size_and_follows_it() {
    let world = World::new();
    let script = "stty size; trap 'stty size; exit 5' WINCH; echo ready; while :; do sleep 0.1; done";
    let mut terminal = Terminal::start(world.run(&["-t", "host", "--", "bash", "-c", script]));
    assert_eq!(terminal.line(), "33 77");
    assert_eq!(terminal.line(), "ready");
    tcsetwinsize(&terminal.master, size(44, 99)).unwrap();
    // The kernel tells those whose controlling terminal it is; this test's session has none.
    Held::new(terminal.child.id()).signal(Signal::WINCH);
    assert_eq!(terminal.line(), "44 99");
    assert_eq!(terminal.end(), 5);
}

#[test]
fn a_command_can_not_hide_what_is_said_after_its_end() {
    let world = World::new();
    // A control string without an end swallows what follows on a terminal.
    let script = r"echo x > Makefile; echo; printf '\033]0;'";
    let mut terminal = Terminal::start(world.run(&["-t", "host", "--", "bash", "-c", script]));
    assert_eq!(terminal.line(), "");
    let said = terminal.line();
    let (hidden, shown) = said.split_once("\x18\x1b\\").expect("the string is ended");
    assert!(hidden.starts_with("\x1b]0;") && shown.contains("the command changed files"), "{said:?}");
    assert!(terminal.line().ends_with("/Makefile"));
    assert_eq!(terminal.end(), 0);
}

#[test]
fn colours_printers_and_screens_that_hide_text_are_undone_before_it() {
    let world = World::new();
    let hide = r"\033]4;0;#000\007\033]10;#000\007\033]11;#000\007\033[8m\033[5i\016\033[?1049h\033[?2l";
    let script = format!("echo x > Makefile; echo; printf '{hide}'");
    let mut terminal = Terminal::start(world.run(&["-t", "host", "--", "bash", "-c", &script]));
    assert_eq!(terminal.line(), "");
    let said = terminal.line();
    let (_, undone) = said.split_once("\x18\x1b\\").expect("the string is ended");
    let (undone, _) = undone.split_once("bottle").expect("something is said");
    for undo in
        ["\x1b<", "\x1b[4i", "\x0f", "\x1b[?1049l", "\x1b[0m", "\x1b]104\x1b\\", "\x1b]110\x1b\\", "\x1b]111\x1b\\"]
    {
        assert!(undone.contains(undo), "{undo:?} in {undone:?}");
    }
    assert!(terminal.line().ends_with("/Makefile"));
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_detached_command_can_not_hide_what_its_log_says_either() {
    let world = World::new();
    let script = r"echo x > Makefile; echo; printf '\033]10;#000\007\033[?1049h\033]0;\n'";
    let detached = Detached::shell(&world, script);
    assert!(detached.is_gone());
    let mut terminal = Terminal::start(world.bottle(&["logs", "-t", &detached.id]));
    terminal.line();
    let hidden = terminal.line();
    assert!(hidden.ends_with("\x1b]0;"), "{hidden:?}");
    let said = terminal.line();
    let (undone, shown) = said.split_once("bottle").expect("something is said");
    assert!(undone.starts_with("\x18\x1b\\") && undone.contains("\x1b[?1049l"), "{said:?}");
    let shown = shown.split_once(": ").expect("what is said").1;
    assert!(shown.starts_with("20") && shown.contains("the command changed files"), "{said:?}");
    assert!(terminal.line().ends_with("/Makefile"));
    assert_eq!(terminal.end(), 0);
}

#[test]
fn what_is_typed_arrives_and_control_c_interrupts_the_workload() {
    let world = World::new();
    let script = "tty; read line; echo got $line; trap 'exit 6' INT; echo ready; while :; do sleep 0.1; done";
    let mut terminal = Terminal::start(world.run(&["-it", "host", "--", "bash", "-c", script]));
    assert!(terminal.line().starts_with("/dev/pts/"), "a terminal of the bottle's own instance");
    terminal.type_in("hello\r");
    // It is shown as typed by the bottle's terminal, since the caller's is raw.
    assert_eq!(terminal.line(), "hello");
    assert_eq!(terminal.line(), "got hello");
    assert_eq!(terminal.line(), "ready");
    terminal.type_in("\x03");
    assert_eq!(terminal.end(), 6);
}

#[test]
fn a_job_is_stopped_by_control_z_and_goes_on_in_the_foreground() {
    let world = World::new();
    let script = "set -m; sh -c 'echo running; read line; echo got $line'; echo job $?; fg >/dev/null; echo job $?";
    let mut terminal = Terminal::start(world.run(&["-it", "host", "--", "bash", "-c", script]));
    // What is typed is shown too, and bash tells of its jobs.
    let mut wait_for = |typed: &str, line: &str| {
        terminal.type_in(typed);
        while !terminal.line().ends_with(line) {}
    };
    wait_for("", "running");
    wait_for("\x1a", "job 148");
    wait_for("on\r", "got on");
    wait_for("", "job 0");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn the_callers_terminal_is_as_before_when_the_run_is_over() {
    let world = World::new();
    let mut terminal = Terminal::start(world.run(&["-t", "host", "--", "sh", "-c", "echo ready; read x"]));
    let raw = |terminal: &Terminal| tcgetattr(&terminal.other).unwrap().local_modes;
    assert_eq!(terminal.line(), "ready");
    let while_running = raw(&terminal);
    terminal.type_in("\r");
    assert!(Held::new(terminal.child.id()).ends_within(LIMIT));
    assert_ne!(raw(&terminal), while_running);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn without_t_the_workload_never_has_the_callers_terminal() {
    let world = World::new();
    let script = "for fd in 0 1 2; do test -t $fd && echo terminal $fd; done; readlink /proc/self/fd/0; (: < /dev/tty) 2>/dev/null || echo none";
    let mut terminal = Terminal::start(world.run(&["host", "--", "bash", "-c", script]));
    assert_eq!(terminal.line(), "/dev/null");
    assert_eq!(terminal.line(), "none");
    assert_eq!(terminal.end(), 0);
}

/// What is said of the end would show on the same terminal.
#[test]
fn drift_ends_a_run_whose_terminal_somebody_has_stopped() {
    for options in [&["-t"][..], &[]] {
        let world = World::new();
        let script = ["host", "--", "sh", "-c", "echo ready; yes"];
        let mut terminal = Terminal::start(world.run(&[options, &script].concat()));
        assert_eq!(terminal.line(), "ready");
        tcflow(&terminal.other, Action::OOff).unwrap();
        Processes::of(terminal.child.id()).gate.signal(Signal::KILL);
        assert_eq!(terminal.end(), 137);
        assert_eq!((world.entries_of("drift").len(), world.entries_of("run.end").len()), (1, 1));
        world.verify_log().ok();
    }
}

/// Runs it with this standard input; its exit code and what it showed.
fn typed(input: Stdio, text: &str, command: &[&str]) -> (i32, String) {
    let world = World::new();
    let mut run = world.run(&[&["-it", "host", "--"], command].concat());
    let mut child = run.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes()).unwrap();
    }
    assert!(Held::new(child.id()).ends_within(LIMIT), "it still waits for input");
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_shell_without_input_ends() {
    assert_eq!(typed(Stdio::null(), "", &["bash"]).0, 0);
    assert_eq!(typed(Stdio::piped(), "exit 7\n", &["bash"]).0, 7);
}

#[test]
fn a_program_reads_what_is_piped_to_its_end_and_so_does_the_next() {
    let (code, shown) = typed(Stdio::piped(), "one\ntwo", &["sh", "-c", "stty -echo; cat; cat; echo; echo done"]);
    assert_eq!(code, 0);
    assert!(shown.contains("one\r\ntwo") && shown.ends_with("done\r\n"), "{shown:?}");
}
