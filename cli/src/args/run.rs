//! What does `bottle run` take?

use std::path::PathBuf;
use std::time::Duration;

use bottle_evidence::Digest;
use bottle_runtime::cgroups::{Cpus, Memory};
use bottle_runtime::kept::KeptName;
use bottle_runtime::segments;
use clap::{Args, ValueEnum};

use super::policy::PolicyArgs;
use super::value::{digest, duration};

/// When an image is pulled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Pull {
    /// Each time
    Always,
    /// Where it is not here yet
    #[default]
    Missing,
    /// Never
    Never,
}

impl From<Pull> for bottle_images::Pull {
    fn from(pull: Pull) -> bottle_images::Pull {
        match pull {
            Pull::Always => bottle_images::Pull::Always,
            Pull::Missing => bottle_images::Pull::Missing,
            Pull::Never => bottle_images::Pull::Never,
        }
    }
}

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
    /// Set the variables of a file, a line KEY=VALUE for each; -e goes before them
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// Show a host file or directory inside, read-write unless :ro is added
    #[arg(short, long, value_name = "HOST:INSIDE[:ro]")]
    pub volume: Vec<String>,
    /// Mount an empty file system in memory: DIR[:size=64m,mode=1777,noexec]
    #[arg(long, value_name = "DIR[:OPTIONS]")]
    pub tmpfs: Vec<String>,
    /// Make the root read-only; home, /tmp, /var/tmp and /run stay writable, and vanish
    #[arg(long)]
    pub read_only: bool,
    /// Keep what is changed in the image's files under this name, and go on with it next time
    #[arg(long, value_name = "NAME")]
    pub keep: Option<KeptName>,
    /// Run as this user of the image: NAME, UID, NAME:GROUP or UID:GID (default: the one that the image names)
    #[arg(short, long, value_name = "USER")]
    pub user: Option<String>,
    /// Execute this instead of the image's entrypoint and command, with what follows IMAGE; "" stands for none
    #[arg(long, value_name = "PROGRAM")]
    pub entrypoint: Option<String>,
    /// When to ask the registry for the image
    #[arg(long, value_enum, default_value_t = Pull::Missing, value_name = "WHEN")]
    pub pull: Pull,
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
    /// Let this machine's programs, and nobody else's, connect to a port inside: 8080:80, 127.0.0.1:8080:80 (IPv6 in brackets); 80
    /// alone takes a port that is free
    #[arg(short, long, value_name = "[[ADDRESS:]HOSTPORT:]PORT")]
    pub publish: Vec<String>,
    /// Dial everything through this proxy, by CONNECT: http://HOST:PORT (default: $BOTTLE_UPSTREAM_PROXY)
    #[arg(long, value_name = "URL")]
    pub upstream_proxy: Option<String>,
    /// Where the audit log goes (default: see below)
    #[arg(long, value_name = "FILE")]
    pub audit: Option<PathBuf>,
    /// Let a file of the audit log grow to so many bytes (64m), and go on in another beside it: FILE.2, FILE.3
    #[arg(long, default_value_t = segments::USUAL, hide_default_value = true, value_name = "SIZE", value_parser = bottle_runtime::cgroups::bytes)]
    pub audit_max_size: u64,
    /// Where the attestation goes (default: beside the audit log)
    #[arg(long, value_name = "FILE")]
    pub attestation: Option<PathBuf>,
    /// What the attestation is to carry, 64 hex digits, for `attest verify --nonce` (default: random)
    #[arg(long, value_name = "HEX", value_parser = digest)]
    pub nonce: Option<Digest>,
    /// The private key that signs both (default: one that is made on first use)
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The TPM 2.0 that keeps the key, and quotes in the attestation in which state the machine is: a device, or swtpm's socket
    /// (default: $BOTTLE_TPM; else /dev/tpmrm0 where it keeps the key)
    #[arg(long, value_name = "PATH")]
    pub tpm: Option<PathBuf>,
    /// Return when the command runs, and print the bottle's id; `bottle logs` has what it writes
    #[arg(short, long)]
    pub detach: bool,
    /// What the bottle is called, for `ps`, `exec`, `stop` and the like
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Forget the bottle when it has ended, as one is that has no name and was not detached; its evidence stays
    #[arg(long)]
    pub rm: bool,
    /// Give the command so much memory: 512m, 1.5g. As much again of swap, where there is any
    #[arg(short, long, value_name = "SIZE")]
    pub memory: Option<Memory>,
    /// Give the command so many processors' time: 2, 1.5, 0.25
    #[arg(long, value_name = "NUMBER")]
    pub cpus: Option<Cpus>,
    /// Give the command so many processes and threads at a time (-1 or 0: as many as it likes)
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub pids_limit: Option<i64>,
    /// Limit each process inside: nofile=1024:4096, nproc=100, cpu=60
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    pub ulimit: Vec<String>,
    /// Kill the command after this time: 90, 90s, 15m, 1h30m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// The image, then the command: all that follows IMAGE belongs to the command.
    #[arg(required = true, trailing_var_arg = true, num_args = 1.., hide = true, value_name = "IMAGE")]
    pub image_and_command: Vec<String>,
}

const RUN_HELP: &str = "\
Arguments:
  IMAGE    host       this machine's own programs, and the working directory read-write
           dir:PATH   a root file system in a directory
           NAME       an image in the store, or else pulled from a registry; docker://NAME is the same
           oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME]
                      an image in a directory or file
  COMMAND  runs inside; what follows IMAGE is never read as an option of bottle.
           Without one a shell is started, which needs -it to hear you

Without --policy, --preset and --allow nothing can be reached. The log is runs/RUN/audit.jsonl below
$BOTTLE_ROOT/data, else below /var/lib/bottle or $XDG_DATA_HOME/bottle (~/.local/share/bottle).

What is piped into bottle is read at once, as ssh does: `</dev/null` keeps a loop's own list. Home is
fresh: -v ~/.gitconfig:$HOME/.gitconfig:ro shows git's identity, -v REPO:REPO the repository around.

Through --upstream-proxy only the proxy's own name is looked up: it resolves the names that are allowed, and what
addresses they have is its word. A URL with credentials, http://USER:PASSWORD@HOST:PORT, goes into $BOTTLE_UPSTREAM_PROXY:
everybody on the machine can see a command line. host.bottle.internal is dialled straight, and so is an image's registry.

A published port is at 127.0.0.1 and ::1, for whoever is on this machine; `bottle ps` says where. Inside, the server
may listen on any address, 127.0.0.1 too, and sees who connects as 127.0.0.1. Only TCP; each connection is in the log.

What is changed in an image vanishes with the bottle, unless --keep names it: `bottle keep` lists and
removes what is kept.

Policy, settings of a preset, key, log and attestation can't lie where the command can write: in the
working directory, or in a -v without :ro. Git's settings and hooks of a shared repository are read-only inside: there
`git config` says \"Device or resource busy\"; `git -c` and `git config --global` work.

Exit code: the command's own; 128+N after signal N (137 after --timeout, and when memory ran out); 125 bottle failed or was
misused, and standard error says so if the command ran; 126 the command cannot be executed; 127 there
is no such command.

Examples:
  bottle run --allow api.github.com host -- curl -sI https://api.github.com
  bottle run --policy ../agent.yaml --audit ../a.jsonl host -- npm install
  bottle run --preset npm -v ~/.npmrc:$HOME/.npmrc:ro host -- npm install
  bottle run -it host -- bash
  bottle run -p 8080:3000 host -- npm run dev
  bottle run -d --name build host -- make";

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
            Verb::Run(run) => *run,
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
