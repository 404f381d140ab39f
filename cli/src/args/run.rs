//! What does `bottle run` take?

use std::path::PathBuf;
use std::time::Duration;

use bottle_evidence::Digest;
use clap::Args;

use super::policy::PolicyArgs;
use super::value::duration;

/// `bottle run`.
#[derive(Debug, Args)]
#[command(after_help = RUN_HELP, override_usage = "bottle run [OPTIONS] IMAGE [--] [COMMAND [ARG...]]")]
pub struct RunArgs {
    /// What may be reached.
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// Set a variable inside; KEY alone takes it from the caller's environment
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    pub env: Vec<String>,
    /// Show a host file or directory inside, read-write unless :ro is added
    #[arg(short, long, value_name = "HOST:INSIDE[:ro]")]
    pub volume: Vec<String>,
    /// The working directory inside
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<PathBuf>,
    /// Pass on what is typed at the terminal; pipes and files are passed on without it
    #[arg(short, long)]
    pub interactive: bool,
    /// Give the command a terminal of its own, for shells and editors; it reads what is typed
    #[arg(short, long)]
    pub tty: bool,
    /// Set HTTPS_PROXY and its friends inside, for programs that need to be told
    #[arg(long)]
    pub proxy_env: bool,
    /// Where the audit log goes (default: the run's own directory)
    #[arg(long, value_name = "FILE")]
    pub audit: Option<PathBuf>,
    /// Where the attestation goes (default: the run's own directory)
    #[arg(long, value_name = "FILE")]
    pub attestation: Option<PathBuf>,
    /// What the attestation is to carry, in hex, for `attest verify --nonce` (default: random)
    #[arg(long, value_name = "HEX")]
    pub nonce: Option<Digest>,
    /// The private key that signs both (default: one that is made on first use)
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Kill the command after this time: 90, 90s, 15m, 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// The image, then the command: all that follows IMAGE belongs to the command.
    #[arg(required = true, trailing_var_arg = true, num_args = 1.., hide = true)]
    pub image_and_command: Vec<String>,
}

const RUN_HELP: &str = "\
Arguments:
  IMAGE    host       this machine's own programs, and the working directory read-write
           dir:PATH   a root file system in a directory
  COMMAND  runs inside; what follows IMAGE is never read as an option of bottle.
           Without one a shell is started, which needs -it to hear you

Without --policy and --allow nothing can be reached.

Policy, key, log and attestation can't lie where the command can write: in the working directory, or
in a -v without :ro. Git's settings and hooks of a shared repository are read-only inside: there
`git config` says \"Device or resource busy\"; `git -c` and `git config --global` work.

Exit code: the command's own; 128+N after signal N (137 after --timeout); 125 bottle failed or was
misused, and standard error says so if the command ran; 126 the command cannot be executed; 127 there
is no such command.

Examples:
  bottle run --allow api.github.com host -- curl -sI https://api.github.com
  bottle run --policy ../agent.yaml --audit ../a.jsonl host -- npm install
  bottle run -it host -- bash";

impl RunArgs {
    /// An option that stands after the image, where only a `--` could make it a command.
    pub fn misplaced(&self) -> Option<&str> {
        self.image_and_command.get(1).map(String::as_str).filter(|word| word.starts_with('-') && *word != "--")
    }

    /// The image and the command; the first `--` after the image separates and is dropped.
    pub fn split(&self) -> (&str, &[String]) {
        match self.image_and_command.split_first() {
            Some((image, [separator, command @ ..])) if separator == "--" => (image, command),
            Some((image, command)) => (image, command),
            None => ("", &[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Verb};

    fn run(line: &str) -> RunArgs {
        match Cli::try_parse_from(line.split(' ')).expect(line).verb {
            Verb::Run(run) => run,
            other => panic!("{other:?}"),
        }
    }

    fn command(line: &str) -> Vec<String> {
        let run = run(line);
        let (image, command) = run.split();
        assert_eq!(image, "host", "{line}");
        command.to_vec()
    }

    #[test]
    fn what_follows_the_image_is_the_command() {
        assert_eq!(command("bottle run host npm install"), ["npm", "install"]);
        assert_eq!(command("bottle run host curl -sI https://a.example"), ["curl", "-sI", "https://a.example"]);
        assert_eq!(command("bottle run --allow x.example host -- curl -v -e k"), ["curl", "-v", "-e", "k"]);
        assert_eq!(command("bottle run host"), [""; 0]);
        assert_eq!(command("bottle run host --policy x"), ["--policy", "x"]);
        assert_eq!(command("bottle run host --help"), ["--help"]);
    }

    #[test]
    fn only_the_separator_right_after_the_image_is_dropped() {
        assert_eq!(command("bottle run host -- npm run -- x"), ["npm", "run", "--", "x"]);
        assert_eq!(command("bottle run host npm run -- x"), ["npm", "run", "--", "x"]);
        assert_eq!(command("bottle run host -- -- x"), ["--", "x"]);
    }

    #[test]
    fn options_before_the_image_are_bottles() {
        let run = run("bottle run --allow a.example --allow tcp://b.example:22 -e A=1 -e B -it -w /x host true");
        assert_eq!(run.policy.allow, ["a.example", "tcp://b.example:22"]);
        assert_eq!(run.env, ["A=1", "B"]);
        assert!(run.interactive && run.tty);
        assert_eq!(run.split(), ("host", &["true".to_owned()][..]));
    }

    #[test]
    fn allow_all_excludes_a_policy() {
        for line in [
            "bottle run --allow-all --policy p.yaml host true",
            "bottle run --allow-all --allow a.example host true",
            "bottle run --allow-all --mode enforce host true",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
