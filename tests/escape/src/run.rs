//! How is each attempt made? In a process of its own with a time limit, several at once, so that none touches the next.

use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use crate::attempt::Company;
use crate::catalogue::{self, Item};
use crate::field::Field;
use crate::sys;
use crate::token::Token;
use crate::tried::{Ended, Line, Report, Tried};

const AT_ONCE: usize = 24;
const GLANCE: Duration = Duration::from_millis(5);

/// Which attempts to make.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Only those of this class.
    pub class: Option<String>,
    /// Only these, if any are named.
    pub only: Vec<String>,
}

impl Choice {
    /// Whether it is to be made.
    pub fn takes(&self, item: &Item) -> bool {
        self.class.as_ref().is_none_or(|class| *class == item.class)
            && (self.only.is_empty() || self.only.contains(&item.id))
    }
}

/// Makes the attempts, and gives each report as soon as it is there. The process must have one thread.
///
/// # Errors
/// Where no process or pipe can be made at all.
pub fn run(field: &Field, choice: &Choice, mut report: impl FnMut(&Item, Report)) -> io::Result<()> {
    let all = catalogue::all();
    let chosen = all.iter().enumerate().filter(|(_, item)| choice.takes(item));
    let (alone, together): (Vec<_>, Vec<_>) = chosen.partition(|(_, item)| item.company == Company::Alone);
    for (most, mut waiting) in [(AT_ONCE, together), (1, alone)] {
        waiting.reverse();
        let mut running: Vec<Running<'_>> = Vec::new();
        while !(waiting.is_empty() && running.is_empty()) {
            while running.len() < most {
                let Some((place, item)) = waiting.pop() else { break };
                running.push(Running::start(item, field, &Token::of(field, &item.id, place as u16))?);
            }
            std::thread::sleep(GLANCE);
            let (over, still): (Vec<_>, Vec<_>) =
                running.into_iter().map(Running::look).partition(|one| one.ended.is_some());
            running = still;
            over.into_iter().for_each(|one| report(one.item, one.finish()));
        }
    }
    Ok(())
}

struct Running<'a> {
    item: &'a Item,
    child: i32,
    lines: PipeReader,
    said: Vec<u8>,
    deadline: Instant,
    ended: Option<Ended>,
}

impl<'a> Running<'a> {
    fn start(item: &'a Item, field: &Field, token: &Token) -> io::Result<Self> {
        let (lines, write) = io::pipe()?;
        let deadline = Instant::now() + Duration::from_secs(item.seconds.into());
        let Some(child) = sys::fork()? else { child(item, field, token, Tried::new(write)) };
        sys::never_wait(lines.as_fd())?;
        Ok(Self { item, child, lines, said: Vec::new(), deadline, ended: None })
    }

    /// Reads what has come, and sees whether the process has ended or must.
    fn look(mut self) -> Self {
        let status = sys::ended(self.child);
        // Errors are the end of what can be read for now.
        let _ = self.lines.read_to_end(&mut self.said);
        self.ended = match status {
            Ok(Some(status)) if libc::WIFSIGNALED(status) => Some(Ended::Signal(libc::WTERMSIG(status))),
            Ok(Some(status)) => Some(Ended::Exit(libc::WEXITSTATUS(status))),
            Ok(None) if Instant::now() < self.deadline => None,
            _ => Some(Ended::TimedOut),
        };
        if self.ended.is_some() {
            self.end_group();
        }
        self
    }

    /// Its children too. Those that are gone already need no signal.
    fn end_group(&self) {
        for target in [-self.child, self.child] {
            let _ = sys::call(
                libc::SYS_kill,
                &mut [sys::Arg::Number(target as u64), sys::Arg::Number(libc::SIGKILL as u64)],
            );
        }
        let _ = sys::ended(self.child);
    }

    fn finish(self) -> Report {
        let (mut tried, mut output, mut ways) = (Vec::new(), String::new(), Vec::new());
        let mut ended = self.ended.unwrap_or(Ended::TimedOut);
        for line in self.said.split(|byte| *byte == b'\n') {
            match serde_json::from_slice(line) {
                Ok(Line::Step(step)) => tried.push(step),
                Ok(Line::Output(text)) => output.push_str(&text),
                Ok(Line::Way(what)) => ways.push(what),
                Ok(Line::NotApplicable(why)) => ended = Ended::NotApplicable(why),
                Ok(Line::Done) => ended = Ended::Done,
                // The empty rest after the last line, or a line cut by the end of its writer.
                Err(_) => {}
            }
        }
        Report { id: self.item.id.clone(), tried, output, ways, ended }
    }
}

/// The attempt's own process, from fork to end.
fn child(item: &Item, field: &Field, token: &Token, mut tried: Tried) -> ! {
    let _ = sys::call(libc::SYS_setpgid, &mut [sys::Arg::Number(0), sys::Arg::Number(0)]);
    let line = match item.make(field, token, &mut tried) {
        Ok(()) => Line::Done,
        Err(why) => Line::NotApplicable(why.0),
    };
    tried.say(&line);
    sys::exit(0)
}
