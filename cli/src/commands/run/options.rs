//! What does the command line ask of a run?

use std::path::PathBuf;

use bottle_images::{ImageRef, Tmpfs, Volume};
use bottle_runtime::caller::Caller;
use bottle_runtime::cgroups::{Limits, Processes};
use bottle_runtime::options::{ProxyEnv, RunOptions, Stdio};
use bottle_runtime::records::{Afterwards, Name};
use bottle_runtime::ulimit::Ulimit;
use bottle_runtime::{Publish, PublishError, UpstreamProxy, UpstreamProxyError};

use super::{env_file, unseen};
use crate::args::RunArgs;
use crate::report::{Failure, Reporter};
use crate::{rules, tpm};

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

/// A number of processes that nobody can have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("--pids-limit {0}: not a number of processes")]
struct NoNumber(i64);

/// A URL that is no proxy's. It is not shown: it may hold a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{from} is unusable")]
struct NoProxy {
    from: &'static str,
    source: UpstreamProxyError,
}

/// More processors than there are.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("--cpus: this machine has not so many processors")]
struct TooManyCpus;

/// Reads the arguments. Nothing is looked at but what the policy is in.
pub fn read(args: &RunArgs, caller: &Caller, reporter: Reporter) -> Result<RunOptions, Failure> {
    let (image, command) = args.split();
    let image = ImageRef::parse(image).map_err(|error| {
        let hint = error.hint();
        Failure::new(error).with_hint(hint)
    })?;
    // An image that can't be run says so itself; mostly it is a command before which the image was forgotten.
    if !matches!(image, ImageRef::Stored(_))
        && let Some(option) = args.misplaced()
    {
        return Err(Failure::new(Misplaced { option: option.to_owned() })
            .with_hint("options of bottle go before the image: bottle run OPTIONS IMAGE -- COMMAND"));
    }
    let mut options = RunOptions::new(image, command.to_vec());
    let stated = rules::stated(&args.policy, caller, reporter)?;
    rules::idle(&stated.rules).iter().for_each(|sentence| reporter.say(sentence));
    options.rules = stated.rules;
    options.policy_files = stated.files;
    options.env = in_files(&args.env_file, caller)?;
    options.env.extend(variables(&args.env, caller)?);
    options.volumes = args.volume.iter().map(|text| volume(text)).collect::<Result<_, _>>()?;
    options.tmpfs = args.tmpfs.iter().map(|text| tmpfs(text)).collect::<Result<_, _>>()?;
    options.read_only = args.read_only;
    options.keep = args.keep.clone();
    options.user = args.user.clone();
    options.entrypoint = args.entrypoint.clone();
    options.workdir = args.workdir.clone();
    options.stdio = stdio(args.interactive, args.tty);
    options.proxy_env = if args.proxy_env { ProxyEnv::Set } else { ProxyEnv::Unset };
    options.upstream_proxy = upstream_proxy(args, caller, reporter)?;
    options.publish = args.publish.iter().map(|text| publish(text)).collect::<Result<_, _>>()?;
    options.audit = args.audit.clone();
    options.audit_max_size = args.audit_max_size;
    options.attestation = args.attestation.clone();
    options.nonce = args.nonce;
    options.key = args.key.clone();
    options.tpm = tpm::used(args.tpm.as_deref(), caller)?;
    options.timeout = args.timeout;
    options.name = name(args.name.as_deref())?;
    options.afterwards = afterwards(args);
    options.limits = limits(args)?;
    options.ulimits = args.ulimit.iter().map(|text| ulimit(text)).collect::<Result<_, _>>()?;
    unseen::tell(&stated.made_of, &options, &caller.home).iter().for_each(|sentence| reporter.say(sentence));
    Ok(options)
}

/// The variable that holds the URL of the upstream proxy where no option does.
const UPSTREAM_PROXY: &str = "BOTTLE_UPSTREAM_PROXY";

/// From the command line, else from the environment, where an empty text is none.
fn upstream_proxy(args: &RunArgs, caller: &Caller, reporter: Reporter) -> Result<Option<UpstreamProxy>, Failure> {
    let (given, from) = match &args.upstream_proxy {
        Some(url) => (Some(url), "--upstream-proxy"),
        None => (caller.variables.get(UPSTREAM_PROXY).filter(|url| !url.is_empty()), UPSTREAM_PROXY),
    };
    let Some(url) = given else { return Ok(None) };
    let proxy = UpstreamProxy::parse(url).map_err(|source| {
        let hint = source.hint();
        Failure::new(NoProxy { from, source }).with_hint(hint)
    })?;
    if proxy.has_credentials() && args.upstream_proxy.is_some() {
        reporter.say(&format!(
            "warning: others can see the credentials on the command line; {UPSTREAM_PROXY} keeps them to yourself"
        ));
    }
    Ok(Some(proxy))
}

/// What each `--env-file` sets; the last one of a name counts.
fn in_files(files: &[PathBuf], caller: &Caller) -> Result<Vec<(String, String)>, Failure> {
    let each: Vec<_> = files.iter().map(|file| env_file::read(&caller.cwd.join(file))).collect::<Result<_, _>>()?;
    Ok(each.concat())
}

/// What each `-e` sets.
pub fn variables(texts: &[String], caller: &Caller) -> Result<Vec<(String, String)>, Failure> {
    texts.iter().filter_map(|text| variable(text, caller).transpose()).collect()
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

fn name(text: Option<&str>) -> Result<Option<Name>, Failure> {
    text.map(|text| text.parse().map_err(Failure::new)).transpose()
}

/// What somebody has called by a name or left running can be asked after later.
fn afterwards(args: &RunArgs) -> Afterwards {
    let asked_after = args.name.is_some() || args.detach;
    if asked_after && !args.rm { Afterwards::Keep } else { Afterwards::Forget }
}

fn volume(text: &str) -> Result<Volume, Failure> {
    Volume::parse(text).map_err(|error| {
        let hint = error.hint();
        Failure::new(error).with_hint(hint)
    })
}

fn publish(text: &str) -> Result<Publish, Failure> {
    text.parse().map_err(|error: PublishError| {
        let hint = error.hint();
        Failure::new(error).with_hint(hint)
    })
}

fn tmpfs(text: &str) -> Result<Tmpfs, Failure> {
    Tmpfs::parse(text).map_err(|error| {
        let hint = error.hint();
        Failure::new(error).with_hint(hint)
    })
}

fn limits(args: &RunArgs) -> Result<Limits, Failure> {
    let most = |number| u32::try_from(number).ok().and_then(Processes::most);
    let processes = match args.pids_limit {
        // As elsewhere.
        None | Some(-1 | 0) => None,
        Some(number) => Some(most(number).ok_or_else(|| {
            Failure::new(NoNumber(number)).with_hint("give 1 or more, or -1 for as many as the command likes")
        })?),
    };
    if let Some(cpus) = args.cpus {
        let there = std::thread::available_parallelism().map_or(usize::MAX, usize::from);
        if cpus.exceed(there) {
            return Err(Failure::new(TooManyCpus)
                .with_hint(format!("give up to {there}, as many as there are for this process")));
        }
    }
    Ok(Limits { memory: args.memory, cpus: args.cpus, processes })
}

fn ulimit(text: &str) -> Result<Ulimit, Failure> {
    text.parse().map_err(|error: bottle_runtime::ulimit::UlimitError| {
        let hint = error.hint();
        Failure::new(error).with_hint(hint)
    })
}

/// What `-i` and `-t` mean.
pub fn stdio(interactive: bool, tty: bool) -> Stdio {
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
        read(&args, &caller, Reporter::for_stderr())
    }

    #[test]
    fn every_option_arrives() {
        let line = "bottle run --allow a.example -e A=1 -e TOKEN -e ABSENT -v /x:/y:ro -p 8080:80 -p [::1]:443:443/tcp -w /z -i --proxy-env \
                    --audit a.jsonl --attestation b.json --nonce NONCE --key c.key --timeout 2m \
                    -m 512m --cpus 0.5 --pids-limit 100 --ulimit nofile=64:128 --ulimit nproc=9 host -- npm install";
        let line = line.replace("NONCE", &"0a".repeat(32));
        let options = options(&line.split_whitespace().collect::<Vec<_>>().join(" ")).expect("good options");
        assert_eq!(options.image, ImageRef::Host);
        assert_eq!(options.command, ["npm", "install"]);
        assert_eq!(options.env, [("A".into(), "1".into()), ("TOKEN".into(), "t0p".into())]);
        assert_eq!(options.volumes.len(), 1);
        assert_eq!(options.publish, ["8080:80", "[::1]:443:443"].map(|text| text.parse().expect(text)));
        assert_eq!(options.workdir, Some("/z".into()));
        assert_eq!(options.stdio, Stdio::Interactive);
        assert_eq!(options.proxy_env, ProxyEnv::Set);
        assert_eq!(options.audit, Some("a.jsonl".into()));
        assert_eq!(options.attestation, Some("b.json".into()));
        assert_eq!(options.nonce, Some(bottle_evidence::Digest([10; 32])));
        assert_eq!(options.key, Some("c.key".into()));
        assert_eq!(options.timeout, Some(Duration::from_secs(120)));
        assert_eq!(options.limits.memory, Some("512m".parse().expect("memory")));
        assert_eq!(options.limits.cpus, Some("0.5".parse().expect("processors")));
        assert_eq!(options.limits.processes, Processes::most(100));
        assert_eq!(options.ulimits.iter().map(ToString::to_string).collect::<Vec<_>>(), ["nofile=64:128", "nproc=9:9"]);
        assert_eq!(options.rules.domains().len(), 1);
    }

    #[test]
    fn the_upstream_proxy_is_an_option_or_a_variable_and_never_shown() {
        let with = |line: &str, variable: &str| {
            let Verb::Run(args) = Cli::try_parse_from(line.split(' ')).expect(line).verb else { panic!("{line}") };
            let mut caller = Caller::current().expect("a working directory");
            caller.variables = [(UPSTREAM_PROXY.into(), variable.into())].into();
            let options = read(&args, &caller, Reporter::for_stderr());
            options.map(|options| options.upstream_proxy.map(|proxy| format!("{proxy:?}")))
        };
        let found =
            |line: &str, variable: &str| with(line, variable).unwrap_or_else(|failure| panic!("{}", failure.error));
        assert_eq!(found("bottle run host true", ""), None);
        let credentials = "UpstreamProxy(http://p.example:3128 with credentials)";
        assert_eq!(found("bottle run host true", "http://u:s3cret@p.example:3128").as_deref(), Some(credentials));
        let option = "bottle run --upstream-proxy http://q.example:8080 host true";
        assert_eq!(found(option, "http://p.example:3128").as_deref(), Some("UpstreamProxy(http://q.example:8080)"));
        for url in ["https://u:s3cret@p.example:3128", "u:s3cret@p.example:3128", "http://u:s3cret@p.example"] {
            let failure = with("bottle run host true", url).expect_err(url);
            let said = bottle_runtime::report::chain(failure.error.as_ref()).join(": ");
            assert!(!said.contains("s3cret") && failure.hint.is_some(), "{said}");
        }
    }

    #[test]
    fn without_options_nothing_may_be_reached() {
        let options = options("bottle run host true").expect("good options");
        assert_eq!(options.rules.digest(), bottle_policy::Rules::deny_all().digest());
        assert_eq!(options.stdio, Stdio::Streams);
    }

    #[test]
    fn a_limit_of_none_is_as_many_processes_as_there_may_be() {
        for line in ["bottle run --pids-limit -1 host true", "bottle run --pids-limit=0 host true"] {
            assert_eq!(options(line).expect(line).limits, Limits::default(), "{line}");
        }
    }

    #[test]
    fn a_terminal_is_one_with_and_without_input() {
        for line in ["bottle run -t host sh", "bottle run -it host sh"] {
            assert_eq!(options(line).expect(line).stdio, Stdio::Terminal);
        }
    }

    #[test]
    fn what_is_wrong_has_a_hint() {
        for line in [
            "bottle run -e =x host true",
            "bottle run -v /x host true",
            "bottle run -p 80:80:80 host true",
            "bottle run dir: true",
            "bottle run --pids-limit -2 host true",
            "bottle run --cpus 99999 host true",
            "bottle run --ulimit core=1 host true",
        ] {
            assert!(options(line).expect_err(line).hint.is_some(), "{line}");
        }
    }
}
