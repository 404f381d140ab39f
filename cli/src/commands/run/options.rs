//! What does the command line ask of a run?

use bottle_images::{ImageRef, Volume};
use bottle_runtime::caller::Caller;
use bottle_runtime::options::{ProxyEnv, RunOptions, Stdio};

use crate::args::RunArgs;
use crate::report::Failure;
use crate::rules;

/// An `-e` without a name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("-e {0}: a variable needs a name")]
struct NamelessVariable(String);

/// An option where the command should begin.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{option} stands after the image, where the command begins")]
struct Misplaced {
    option: String,
}

/// Reads the arguments. Nothing is looked at but the policy files.
pub fn read(args: &RunArgs, caller: &Caller) -> Result<RunOptions, Failure> {
    let (image, command) = args.split();
    let image = ImageRef::parse(image).map_err(|error| {
        let hint = error.hint();
        Failure::new(error).with_hint(hint)
    })?;
    if let Some(option) = args.misplaced() {
        return Err(Failure::new(Misplaced { option: option.to_owned() })
            .with_hint("options of bottle go before the image: bottle run OPTIONS IMAGE -- COMMAND"));
    }
    let mut options = RunOptions::new(image, command.to_vec());
    options.rules = rules::rules(&args.policy)?;
    options.policy_files = args.policy.policy.clone();
    options.env = args.env.iter().filter_map(|text| variable(text, caller).transpose()).collect::<Result<_, _>>()?;
    options.volumes = args.volume.iter().map(|text| volume(text)).collect::<Result<_, _>>()?;
    options.workdir = args.workdir.clone();
    options.stdio = stdio(args.interactive, args.tty);
    options.proxy_env = if args.proxy_env { ProxyEnv::Set } else { ProxyEnv::Unset };
    options.audit = args.audit.clone();
    options.attestation = args.attestation.clone();
    options.nonce = args.nonce;
    options.key = args.key.clone();
    options.timeout = args.timeout;
    Ok(options)
}

/// `KEY=VALUE`, or `KEY` with the caller's value; nothing where the caller has none.
fn variable(text: &str, caller: &Caller) -> Result<Option<(String, String)>, Failure> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, caller.variables.get(text).map(String::as_str)),
    };
    if name.is_empty() {
        return Err(Failure::new(NamelessVariable(text.to_owned())).with_hint("write -e KEY=VALUE, or -e KEY"));
    }
    Ok(value.map(|value| (name.to_owned(), value.to_owned())))
}

fn volume(text: &str) -> Result<Volume, Failure> {
    Volume::parse(text).map_err(|error| {
        let hint = error.hint();
        Failure::new(error).with_hint(hint)
    })
}

fn stdio(interactive: bool, tty: bool) -> Stdio {
    match (interactive, tty) {
        (_, true) => Stdio::Terminal,
        (true, false) => Stdio::Interactive,
        (false, false) => Stdio::Streams,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Verb};

    fn options(line: &str) -> Result<RunOptions, Failure> {
        let Verb::Run(args) = Cli::try_parse_from(line.split(' ')).expect(line).verb else { panic!("{line}") };
        let mut caller = Caller::current().expect("a working directory");
        caller.variables = [("TOKEN".into(), "t0p".into())].into();
        read(&args, &caller)
    }

    #[test]
    fn every_option_arrives() {
        let line = "bottle run --allow a.example -e A=1 -e TOKEN -e ABSENT -v /x:/y:ro -w /z -i --proxy-env \
                    --audit a.jsonl --attestation b.json --nonce NONCE --key c.key --timeout 2m host -- npm install";
        let line = line.replace("NONCE", &"0a".repeat(32));
        let options = options(&line.split_whitespace().collect::<Vec<_>>().join(" ")).expect("good options");
        assert_eq!(options.image, ImageRef::Host);
        assert_eq!(options.command, ["npm", "install"]);
        assert_eq!(options.env, [("A".into(), "1".into()), ("TOKEN".into(), "t0p".into())]);
        assert_eq!(options.volumes.len(), 1);
        assert_eq!(options.workdir, Some("/z".into()));
        assert_eq!(options.stdio, Stdio::Interactive);
        assert_eq!(options.proxy_env, ProxyEnv::Set);
        assert_eq!(options.audit, Some("a.jsonl".into()));
        assert_eq!(options.attestation, Some("b.json".into()));
        assert_eq!(options.nonce, Some(bottle_evidence::Digest([10; 32])));
        assert_eq!(options.key, Some("c.key".into()));
        assert_eq!(options.timeout, Some(Duration::from_secs(120)));
        assert_eq!(options.rules.domains().len(), 1);
    }

    #[test]
    fn without_options_nothing_may_be_reached() {
        let options = options("bottle run host true").expect("good options");
        assert_eq!(options.rules.digest(), bottle_policy::Rules::deny_all().digest());
        assert_eq!(options.stdio, Stdio::Streams);
    }

    #[test]
    fn a_terminal_is_one_with_and_without_input() {
        for line in ["bottle run -t host sh", "bottle run -it host sh"] {
            assert_eq!(options(line).expect(line).stdio, Stdio::Terminal);
        }
    }

    #[test]
    fn what_is_wrong_has_a_hint() {
        for line in ["bottle run -e =x host true", "bottle run -v /x host true", "bottle run alpine true"] {
            assert!(options(line).expect_err(line).hint.is_some(), "{line}");
        }
    }
}
