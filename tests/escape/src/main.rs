//! How does one use it? `run` and `list` inside, `stage` outside.

use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use bottle_escape::field::Field;
use bottle_escape::run::Choice;
use bottle_escape::say::say;
use bottle_escape::{catalogue, neighbour, pulse, run, stage, table};

const USAGE: &str = "usage: bottle-escape run --field FIELD.json [--class CLASS] [--only ID]... [--json] inside: make the attempts
       bottle-escape list [--json]                                                  what there is to try
       bottle-escape stage --field FIELD.json --secrets SECRETS.json [--proxy ADDRESS:PORT] [--stand-ins] -- COMMAND...
                                                                                    outside: canaries around a sandbox
       bottle-escape pulse --field FIELD.json                                       inside: send each millisecond, count in `beats`
       bottle-escape neighbour --field FIELD.json                                   in another sandbox: write down what comes
       bottle-escape victim                                                         a process that waits until its input ends";

fn main() -> ExitCode {
    match parse(std::env::args_os().skip(1)).ok_or_else(|| USAGE.to_owned()).and_then(act) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bottle-escape: {why}");
            ExitCode::from(2)
        }
    }
}

#[derive(Default)]
struct Arguments {
    verb: String,
    field: Option<PathBuf>,
    secrets: Option<PathBuf>,
    proxy: Option<SocketAddr>,
    choice: Choice,
    json: bool,
    stand_ins: bool,
    command: Vec<OsString>,
}

fn parse(mut given: impl Iterator<Item = OsString>) -> Option<Arguments> {
    let mut arguments = Arguments { verb: given.next()?.into_string().ok()?, ..Arguments::default() };
    while let Some(word) = given.next() {
        match word.to_str()? {
            "--field" => arguments.field = Some(given.next()?.into()),
            "--secrets" => arguments.secrets = Some(given.next()?.into()),
            "--proxy" => arguments.proxy = Some(given.next()?.to_str()?.parse().ok()?),
            "--class" => arguments.choice.class = Some(given.next()?.into_string().ok()?),
            "--only" => arguments.choice.only.push(given.next()?.into_string().ok()?),
            "--json" => arguments.json = true,
            "--stand-ins" => arguments.stand_ins = true,
            "--" => arguments.command = given.by_ref().collect(),
            _ => return None,
        }
    }
    Some(arguments)
}

fn act(arguments: Arguments) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    match arguments.verb.as_str() {
        "list" => {
            for item in catalogue::all() {
                let line = if arguments.json { table::json(&item) } else { table::listed(&item) };
                writeln!(out, "{line}").map_err(|error| error.to_string())?;
            }
            Ok(())
        }
        "run" => {
            let field = read(arguments.field)?;
            let made = run::run(&field, &arguments.choice, |item, report| {
                let line = if arguments.json { table::json(&report) } else { table::reported(item, &report) };
                // Nobody reads any more: the attempts are made all the same.
                let _ = say(&line);
            });
            made.map_err(|error| error.to_string())
        }
        "stage" => {
            let (field, secrets) = (read::<Field>(arguments.field)?, read(arguments.secrets)?);
            let around = stage::Around { proxy: arguments.proxy, stand_ins: arguments.stand_ins };
            let staged =
                stage::stage(&field, &secrets, &around, &arguments.command).map_err(|error| error.to_string())?;
            writeln!(out, "{}", table::json(&staged)).map_err(|error| error.to_string())
        }
        "neighbour" => neighbour::listen(&read(arguments.field)?).map_err(|error| error.to_string()),
        "pulse" => pulse::beat(&read(arguments.field)?, "beats".as_ref()).map_err(|error| error.to_string()),
        "victim" => {
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).map(drop).map_err(|error| error.to_string())
        }
        _ => Err(USAGE.into()),
    }
}

fn read<T: serde::de::DeserializeOwned>(path: Option<PathBuf>) -> Result<T, String> {
    let path = path.ok_or(USAGE)?;
    let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}
