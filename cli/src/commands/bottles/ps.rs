//! `bottle ps`: which bottles are there?

use std::process::ExitCode;
use std::time::SystemTime;

use bottle_evidence::Time;
use bottle_runtime::caller::Caller;
use bottle_runtime::records::Known;

use super::text::{age, status};
use super::{inspect, shelf};
use crate::args::PsArgs;
use crate::report::{Failure, escape};
use crate::stdout;

const COLUMNS: usize = 7;
const TITLES: [&str; COLUMNS] = ["ID", "NAME", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS"];

/// The longest command that is shown whole, in characters.
const WIDTH: usize = 30;

/// Runs the verb.
pub fn run(args: &PsArgs, caller: &Caller) -> Result<ExitCode, Failure> {
    let mut all = shelf(caller)?.all().map_err(Failure::new)?;
    all.retain(|known| args.all || known.is_alive());
    if args.json {
        stdout::json(&all.iter().map(inspect::as_json).collect::<Vec<_>>())?;
    } else if args.quiet {
        all.iter().try_for_each(|known| stdout::line(&short(known)))?;
    } else {
        let now = Time::from(SystemTime::now());
        let rows = std::iter::once(TITLES.map(str::to_owned)).chain(all.iter().map(|known| row(known, now)));
        table(&rows.collect::<Vec<_>>())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn short(known: &Known) -> String {
    known.record.id.chars().take(12).collect()
}

fn row(known: &Known, now: Time) -> [String; COLUMNS] {
    let record = &known.record;
    let created = format!("{} ago", age(record.created, now));
    let cells = [
        short(known),
        record.name.to_string(),
        record.image.clone(),
        cut(&record.command.join(" ")),
        created,
        status(known, now),
        ports(known),
    ];
    cells.map(|cell| escape(&cell).replace('\n', " "))
}

/// As docker shows them, while there is somebody to connect to.
fn ports(known: &Known) -> String {
    let shown = known.record.published.iter().filter(|_| known.is_alive()).map(ToString::to_string);
    shown.collect::<Vec<_>>().join(", ")
}

fn cut(command: &str) -> String {
    if command.chars().count() <= WIDTH {
        return command.to_owned();
    }
    command.chars().take(WIDTH - 1).chain(['…']).collect()
}

fn table(rows: &[[String; COLUMNS]]) -> Result<(), Failure> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        stdout::line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_is_cut_at_a_character() {
        assert_eq!(cut("sleep 60"), "sleep 60");
        assert_eq!(cut(&"ä".repeat(31)), format!("{}…", "ä".repeat(29)));
    }
}
