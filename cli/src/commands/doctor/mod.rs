//! `bottle doctor`: what can this host do, what not, and what mends it?

pub mod attempt;

mod airlock;
mod findings;
mod hooks;
mod lines;
mod mend;
mod profile;
mod tries;

use std::process::ExitCode;

use bottle_runtime::caller::Caller;
use serde_json::json;

use crate::args::DoctorArgs;
use crate::report::{Failure, Reporter, escape};
use crate::{state, stdout};
use lines::{Line, State};

/// Runs the verb.
pub fn run(args: &DoctorArgs, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    let data = state::open(caller).map(|state| state.data).map_err(|failure| failure.error.to_string());
    let lines = lines::lines(&findings::find(caller, data));
    let usable = lines::usable(&lines);
    if args.json {
        stdout::json(&json!({ "usable": usable, "checks": lines }))?;
    } else {
        for line in &lines {
            stdout::line(&render(line))?;
        }
    }
    if usable {
        if !args.json {
            stdout::line("bottle can run here")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    reporter.say(&verdict(&lines));
    Ok(ExitCode::from(1))
}

/// What is missing; where nothing is known to be, what has no answer.
fn verdict(lines: &[Line]) -> String {
    let blocking = |state| lines.iter().filter(move |line| line.blocks && line.state == state).map(|line| line.what);
    let missing: Vec<_> = blocking(State::No).collect();
    if missing.is_empty() {
        let unknown: Vec<_> = blocking(State::Unknown).collect();
        return format!("it is not known whether bottle can run here: {}", unknown.join(", "));
    }
    format!("bottle cannot run here: {}", missing.join(", "))
}

/// `veth                 no       detail`, and below it the mend.
fn render(line: &Line) -> String {
    let state = match line.state {
        State::Yes => "yes",
        State::No if line.blocks => "NO",
        State::No => "no",
        State::Unknown => "unknown",
    };
    let mut text = format!("{:<22}{state:<9}{}", line.what, escape(&line.detail)).trim_end().to_owned();
    if let Some(mend) = &line.mend {
        text.push_str(&format!("\n{:<22}mend:    {}", "", escape(mend)));
    }
    text
}
