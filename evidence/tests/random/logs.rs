//! What could a run leave in its log? Any entries in any order that the writer takes, sealed now and then, in one file or several.

use bottle_evidence::audit::{Choice, Decision, Drift, Ended, Entry, Inbound, InboundOutcome, Outcome, Process, Seen};

use super::Random;
use crate::recorded::{self, Recorder};

/// A log of a run or a few. Only the first is called `run-1`, as the one that was attested.
pub fn log(random: &mut Random) -> Vec<u8> {
    let mut recorder = Recorder::new();
    let runs = 1 + random.below(3);
    for number in 1..=runs {
        run(random, &mut recorder, &format!("run-{number}"));
    }
    // One that was interrupted.
    if random.once_in(8) {
        recorder.add(recorded::start("run-9"));
    }
    recorder.bytes
}

/// A log of the run that was attested, alone.
pub fn of_one(random: &mut Random) -> Vec<u8> {
    let mut recorder = Recorder::new();
    run(random, &mut recorder, "run-1");
    recorder.bytes
}

fn run(random: &mut Random, recorder: &mut Recorder, id: &str) {
    recorder.add(recorded::start(id));
    recorder.seal();
    let (mut open, mut entered, mut drifted) = (Vec::new(), Vec::new(), false);
    for number in 1..=random.below(12) as u64 {
        match random.below(9) {
            0..3 => {
                recorder.add(Entry::Decision(decision(random, number)));
                open.push(number);
            }
            3 if !open.is_empty() => {
                let attempt = open.swap_remove(random.below(open.len()));
                recorder.add(Entry::Outcome(outcome(random, attempt)));
            }
            4 => {
                recorder.add(Entry::Inbound(Inbound { port: random.number() as u16, ..recorded::inbound(number) }));
                entered.push(number);
            }
            5 if !entered.is_empty() => {
                let connection = entered.swap_remove(random.below(entered.len()));
                recorder.add(Entry::InboundOutcome(left(random, connection)));
            }
            6 => recorder.add(Entry::DnsDenied(denied(random))),
            7 if !drifted => {
                drifted = random.once_in(4);
                recorder.add(match drifted {
                    true => Entry::Drift(Drift { what: "route".into(), detail: random.text().as_str().into() }),
                    false => Entry::RunExec(recorded::exec()),
                });
            }
            8 if recorder.chain.unsealed() > 0 => recorder.segment(),
            _ => recorder.add(Entry::Refused(recorded::refused())),
        }
        if random.once_in(4) && recorder.chain.unsealed() > 0 {
            recorder.seal();
        }
    }
    // What the attested run is attested by again.
    if id == "run-1" && !drifted && random.once_in(2) {
        recorder.add(Entry::RunRenew(recorded::renewed()));
    }
    recorder.end();
    recorder.seal();
}

fn decision(random: &mut Random, attempt: u64) -> Decision {
    let text = random.text();
    let seen = [
        Seen::Nothing,
        Seen::Tls { sni: Some(text.as_str().into()), ech: true },
        Seen::Http { host: None, port: Some(random.number() as u16) },
        Seen::Opaque,
        Seen::Unparsable { why: text.as_str().into() },
    ];
    let choice = *random.pick(&[Choice::Allow, Choice::Observe, Choice::Escalate, Choice::Deny]);
    let addresses = ["11.0.0.1", "::1", "2001:db8::1:0:0:1", "::ffff:1.2.3.4", "1::", "0.0.0.0"];
    let names = [None, Some("a.example".into()), Some("b.example".into()), Some(text.as_str().into())];
    let known = recorded::judged(attempt, "a.example", choice);
    Decision {
        name: random.pick(&names).clone(),
        address: random.pick(&addresses).parse().unwrap(),
        port: *random.pick(&[443, 80, 0, 65_535]),
        seen: random.pick(&seen).clone(),
        process: random.pick(&[Process::UNKNOWN, Process::UNSOUGHT, known.process.clone()]).clone(),
        ..known
    }
}

fn outcome(random: &mut Random, attempt: u64) -> Outcome {
    let result = *random.pick(&[Ended::Closed, Ended::Refused, Ended::Unreachable, Ended::Cut, Ended::Reset]);
    let counted = result != Ended::Cut || random.once_in(2);
    let mut amount = || counted.then(|| random.amount());
    let (bytes_up, bytes_down, millis) = (amount(), amount(), amount());
    Outcome { bytes_up, bytes_down, millis, ..recorded::ended(attempt, result) }
}

fn left(random: &mut Random, connection: u64) -> InboundOutcome {
    let result = *random.pick(&[Ended::Closed, Ended::Cut, Ended::Reset]);
    InboundOutcome { bytes_in: Some(random.amount()), ..recorded::inbound_ended(connection, result) }
}

fn denied(random: &mut Random) -> bottle_evidence::audit::DnsDenied {
    let (name, count) = (random.text(), random.amount());
    bottle_evidence::audit::DnsDenied { count, ..recorded::denied(&name) }
}
