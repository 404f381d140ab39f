//! `bottle logs`: what did a detached bottle write, and what does it write still?

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use bottle_runtime::caller::Caller;
use bottle_runtime::log::{Follow, Line, LogError, Stream};

use super::{find, shelf};
use crate::args::{LogsArgs, Tail};
use crate::report::{Failure, Reporter};
use crate::stdout;

/// What the workload wrote goes where it wrote it, and what bottle said to standard error.
struct Printer {
    timestamps: bool,
    reporter: Reporter,
    /// The stream that has begun a line and not ended it.
    open: Option<Stream>,
    /// False once the workload wrote to a terminal since bottle did, perhaps to hide what bottle says.
    trusted: bool,
}

/// Runs the verb.
pub fn run(args: &LogsArgs, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    let known = find(&shelf(caller)?, &args.name)?;
    let mut follow = Follow::open(&known).map_err(|error| match error {
        LogError::None => Failure::new(error).with_code(1),
        other => Failure::new(other),
    })?;
    let mut printer = Printer { timestamps: args.timestamps, reporter, open: None, trusted: true };
    let told = tell(&mut follow, args, &mut printer);
    printer.recover();
    match told {
        // Who read it has seen enough.
        Err(failure) if stdout::is_unread(&failure) => Ok(ExitCode::SUCCESS),
        told => told.map(|()| ExitCode::SUCCESS),
    }
}

fn tell(follow: &mut Follow, args: &LogsArgs, printer: &mut Printer) -> Result<(), Failure> {
    match args.tail {
        Tail::Lines(most) => last(follow, most, printer)?,
        Tail::All => all(follow, printer)?,
    }
    let mut more = args.follow;
    while more {
        more = follow.wait().map_err(Failure::new)?;
        all(follow, printer)?;
    }
    Ok(())
}

fn all(follow: &mut Follow, printer: &mut Printer) -> Result<(), Failure> {
    follow.read(|line| printer.print(line)).map_err(Failure::new)?.map_err(stdout::unwritten)?;
    io::stdout().flush().map_err(stdout::unwritten)
}

/// A part of a line, kept: its time, its stream, whether it ends the line, and its text.
type Part = (String, Stream, bool, Vec<u8>);

/// The last lines of those that are there. Parts of a line count once.
fn last(follow: &mut Follow, most: usize, printer: &mut Printer) -> Result<(), Failure> {
    let (mut kept, mut ends): (VecDeque<Part>, usize) = (VecDeque::new(), 0);
    let keep = |line: &Line<'_>| {
        kept.push_back((line.time.to_owned(), line.stream, line.ended, line.text.to_owned()));
        ends += usize::from(line.ended);
        while ends > most || (most == 0 && !kept.is_empty()) {
            ends -= usize::from(kept.pop_front().is_some_and(|(_, _, ended, _)| ended));
        }
        Ok::<(), io::Error>(())
    };
    follow.read(keep).map_err(Failure::new)?.map_err(Failure::new)?;
    for (time, stream, ended, text) in &kept {
        let line = Line { time, stream: *stream, ended: *ended, text };
        printer.print(&line).map_err(stdout::unwritten)?;
    }
    io::stdout().flush().map_err(stdout::unwritten)
}

impl Printer {
    fn print(&mut self, line: &Line<'_>) -> io::Result<()> {
        if line.stream == Stream::Bottle {
            io::stdout().flush()?;
            self.recover();
            let text = String::from_utf8_lossy(line.text);
            let time = if self.timestamps { format!("{} ", line.time) } else { String::new() };
            self.reporter.say(&format!("{time}{text}"));
            return Ok(());
        }
        self.trusted &= !match line.stream {
            Stream::Error => io::stderr().is_terminal(),
            _ => io::stdout().is_terminal(),
        };
        let mut bytes = Vec::with_capacity(line.text.len() + 32);
        if self.timestamps && self.open != Some(line.stream) {
            bytes.extend(line.time.as_bytes());
            bytes.push(b' ');
        }
        bytes.extend(line.text);
        bytes.extend(line.ended.then_some(b'\n'));
        self.open = (!line.ended).then_some(line.stream);
        match line.stream {
            Stream::Error => io::stderr().write_all(&bytes),
            _ => io::stdout().write_all(&bytes),
        }
    }

    /// Undoes what the workload may have done to the terminal.
    fn recover(&mut self) {
        if !std::mem::replace(&mut self.trusted, true) {
            self.reporter.recover();
        }
    }
}
