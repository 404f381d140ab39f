//! What does it cost to have a decision recorded? The supervisor's own code, driven over the dialler's channel.
//!
//! Connections cost far more than decisions, so none are made: this program is the dialler, and says of each attempt what it
//! decided and how it ended. Half are allowed. The disk is the one that a plain write and fdatasync(2) are timed on, by turns.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bottle_evidence::audit::{Entry, RunStart, Workload};
use bottle_evidence::key::SigningKey;
use bottle_evidence::predicate::Mode;
use bottle_evidence::sha256;
use bottle_policy::{Name, Reason, Request, Rules, Seen, Target as Wanted};
use bottle_proxy::{Attempt, Outcome, Refusal, Way};
use bottle_runtime::channel::Channel;
use bottle_runtime::dialler::message::{Decision, DecisionRecord, FromDialler, ToDialler};
use bottle_runtime::supervisor::ledger::Ledger;
use bottle_runtime::supervisor::recorder::Recorder;
use bottle_runtime::supervisor::recording;
use bottle_runtime::supervisor::who::Who;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use crate::Failure;
use crate::figure::{Figure, Target};
use crate::measure::Setting;

/// As many attempts as a dialler works on between decision and connection.
const AT_ONCE: u64 = 1024;
/// How long decisions come as fast as they are recorded, in each round.
const SUSTAINED: Duration = Duration::from_secs(3);
/// Decisions one by one, and as many plain writes, in each round.
const ONE_BY_ONE: u64 = 50;

/// Cost, rate and delay.
pub(crate) fn figures(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let (mut cost, mut rate) = (Vec::new(), Vec::new());
    let (mut recorded, mut written) = (Vec::new(), Vec::new());
    for round in 0..setting.rounds {
        let directory = setting.at(&format!("decisions-{round}"));
        std::fs::create_dir(&directory)?;
        let mut dialler = Driver::new(&directory.join("audit.jsonl"))?;
        let mut plain = File::create(directory.join("plain"))?;
        for _ in 0..ONE_BY_ONE {
            recorded.push(millis(|| dialler.one())?);
            written.push(millis(|| Ok(plain.write_all(&[b'x'; 900]).and_then(|()| plain.sync_data())?))?);
        }
        let (count, took, cpu) = dialler.flood()?;
        rate.push(count as f64 / took.as_secs_f64());
        cost.push(cpu.as_secs_f64() * 1e6 / count as f64);
        std::fs::remove_dir_all(&directory)?;
    }
    let beside = Some(("fdatasync", written));
    Ok(vec![
        Figure::new("decisions, both ends' CPU for each", "us", Target::AtMost(60.0, 30.0), cost, None),
        Figure::new("decisions a second, sustained", "", Target::AtLeast(20_000.0, 40_000.0), rate, None),
        Figure::new("decision one by one, delay", "ms", Target::AtMost(2.0, 1.2), recorded, beside),
    ])
}

fn millis(work: impl FnOnce() -> Result<(), Failure>) -> Result<f64, Failure> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed().as_secs_f64() * 1000.0)
}

/// The dialler's end of a supervisor that records.
struct Driver {
    channel: Channel,
    last: u64,
}

impl Driver {
    fn new(log: &Path) -> Result<Driver, Failure> {
        let key = Arc::new(SigningKey::from_seed([7; 32]));
        let rules = Arc::new(Rules::deny_all());
        let policy = bottle_evidence::Digest(rules.digest());
        let recorder = Recorder::new(Ledger::open(log, key)?, rules, Box::new(|_| ()));
        recorder.record(&Entry::RunStart(RunStart {
            run: "bench".into(),
            attestation: sha256(b"none"),
            workload: Workload { pid: 1, start: 1 },
            command: vec!["true".into()],
            mode: Mode::Enforce,
            policy,
        }));
        recorder.commit().map_err(|_| "the log can't be written")?;
        recorder.begin();
        let (supervisor, channel) = Channel::pair()?;
        let (ended, _) = tokio::sync::oneshot::channel();
        // Nothing here holds these connections: each is asked for in the kernel, and found nowhere.
        let who = Who::new(bottle_netns::Connections::open()?, File::open("/proc/self/ns/net")?)?;
        recording::serve(supervisor, Arc::new(recorder), who, ended)?;
        Ok(Driver { channel, last: 0 })
    }

    /// One decision, from its sending to its acknowledgement.
    fn one(&mut self) -> Result<(), Failure> {
        self.decide()?;
        self.recorded().map(drop)
    }

    /// How many were recorded in which time, and what all threads here needed for it.
    fn flood(&mut self) -> Result<(u64, Duration, Duration), Failure> {
        let (begun, before) = (Instant::now(), processor_time()?);
        let (mut open, mut count) = (0, 0);
        while begun.elapsed() < SUSTAINED || open > 0 {
            while open < AT_ONCE && begun.elapsed() < SUSTAINED {
                self.decide()?;
                open += 1;
            }
            for attempt in self.recorded()? {
                let outcome = Outcome::refused(attempt, &Refusal::unreachable("gone"), 7);
                self.channel.send(&FromDialler::Ended(outcome), &[])?;
                (open, count) = (open - 1, count + 1);
            }
        }
        Ok((count, begun.elapsed(), processor_time()? - before))
    }

    fn decide(&mut self) -> Result<(), Failure> {
        self.last += 1;
        let target = Wanted::Lease(Name::parse("api.example.com").map_err(|error| error.to_string())?);
        let request = Request { target, port: 443, seen: Seen::Tls { sni: None, ech: false } };
        let (source, original) = ("28.0.0.2:4000".parse()?, "28.1.2.3:443".parse()?);
        let attempt = Attempt { id: self.last, source, original, way: Way::Transparent, request, denied: None };
        let allowed = self.last.is_multiple_of(2);
        let decision =
            if allowed { Decision::Allow("domains[2] at 7:5".into()) } else { Decision::Deny(Reason::NoRule) };
        Ok(self.channel.send(&FromDialler::Decided(DecisionRecord { attempt, decision }), &[])?)
    }

    fn recorded(&self) -> Result<Vec<u64>, Failure> {
        match self.channel.recv::<ToDialler>()?.0 {
            ToDialler::Recorded(attempts) => Ok(attempts),
            ToDialler::NotRecorded(_) => Err("a decision could not be recorded".into()),
        }
    }
}

/// Of all threads of this program, in the kernel and outside.
fn processor_time() -> Result<Duration, Failure> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = |time: TimeVal| Duration::from_micros((time.tv_sec() * 1_000_000 + time.tv_usec()).unsigned_abs());
    Ok(micros(usage.user_time()) + micros(usage.system_time()))
}
