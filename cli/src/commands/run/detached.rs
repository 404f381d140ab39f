//! `bottle run -d`: who supervises a bottle whose caller does not wait for it? This program, executed again in a session of its own.
//!
//! It reads the same arguments, and tells the one that was typed when the command runs or why it never will. From then on
//! all that it says goes into the bottle's log.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Mutex, PoisonError};

use bottle_images::{Digest, ImageRef};
use bottle_runtime::caller::Caller;
use bottle_runtime::channel::Channel;
use bottle_runtime::event::Event;
use bottle_runtime::options::{Output, RunOptions};
use bottle_runtime::report::chain;
use bottle_runtime::{UpstreamProxy, descriptors, roles};
use clap::Parser;
use serde::{Deserialize, Serialize};

use super::{FAILED, failure, news, options};
use crate::args::{Cli, RunArgs, Verb};
use crate::report::{Failure, Reporter, escape};
use crate::{stdout, sys};

/// The name under which this program is executed to supervise a bottle apart from its caller.
const NAME: &str = "bottle-detached";

/// From the one that was typed: what its arguments do not tell.
#[derive(Serialize, Deserialize)]
struct Begin {
    /// By which file it was started.
    invoked: Option<PathBuf>,
    /// The image in the store, where it is one.
    image: Option<Digest>,
    /// With its credentials, which are taken out of the arguments.
    upstream_proxy: Option<UpstreamProxy>,
}

/// To the one that was typed; the last is `Running` or `Failed`.
#[derive(Serialize, Deserialize)]
enum Word {
    /// Something that the person should read.
    Said(String),
    /// The command was executed.
    Running { id: String },
    /// It was not.
    Failed { code: u8, why: Vec<String>, hint: Option<String> },
}

/// Why a detached bottle did not start.
#[derive(Debug, thiserror::Error)]
enum DetachError {
    /// This program can't be executed again.
    #[error("cannot start a supervisor apart from this terminal")]
    Start(#[source] io::Error),
    /// It ended and did not say why.
    #[error("the supervisor ended before the command ran")]
    Silent(#[source] io::Error),
}

/// An error and its sources, as another process told them.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
struct Told {
    what: String,
    source: Option<Box<Told>>,
}

impl Told {
    fn of(why: Vec<String>) -> Option<Box<Told>> {
        why.into_iter().rev().fold(None, |source, what| Some(Box::new(Told { what, source })))
    }
}

/// Starts the supervisor and waits until the command runs. Prints the bottle's id.
pub(super) fn start(
    options: &RunOptions,
    args: &RunArgs,
    caller: &Caller,
    reporter: Reporter,
) -> Result<ExitCode, Failure> {
    let failed = |error| Failure::new(error).with_code(FAILED);
    let image = if let ImageRef::Manifest(digest) = options.image { Some(digest) } else { None };
    let upstream_proxy = options.upstream_proxy.clone();
    let arguments = without_credentials(std::env::args_os().skip(1), args, upstream_proxy.as_ref());
    let begin = Begin { invoked: caller.invoked.clone(), image, upstream_proxy };
    let channel = spawn(arguments).map_err(|source| failed(DetachError::Start(source)))?;
    // A supervisor that is gone has said why, which is heard next.
    let _ = channel.send(&begin, &[]);
    loop {
        match channel.recv::<Word>().map_err(|source| failed(DetachError::Silent(source)))?.0 {
            Word::Said(line) => reporter.say(&line),
            Word::Running { id } => {
                stdout::line(&id)?;
                return Ok(ExitCode::SUCCESS);
            }
            Word::Failed { code, why, hint } => {
                let error =
                    Told::of(why).map_or_else(|| "nothing was said".into(), |told| told as Box<dyn std::error::Error>);
                return Err(Failure { code, error, hint });
            }
        }
    }
}

/// The arguments, in which the URL of the upstream proxy has no credentials any more: others can read them for as long as the
/// bottle lives. Options come before the command, so the first that is the URL is the option's.
fn without_credentials(
    arguments: impl Iterator<Item = OsString>,
    args: &RunArgs,
    proxy: Option<&UpstreamProxy>,
) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.collect();
    let (Some(url), Some(proxy)) = (&args.upstream_proxy, proxy) else { return arguments };
    let spellings = ["", "--upstream-proxy="].map(|prefix| (format!("{prefix}{url}"), format!("{prefix}{proxy}")));
    for argument in &mut arguments {
        if let Some((_, instead)) = spellings.iter().find(|(written, _)| *argument == **written) {
            *argument = instead.into();
            break;
        }
    }
    arguments
}

fn spawn(arguments: Vec<OsString>) -> io::Result<Channel> {
    let (ours, theirs) = Channel::pair()?;
    let mut supervisor = Command::new("/proc/self/exe");
    supervisor.arg0(NAME).args(arguments);
    supervisor.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    Ok(ours)
}

/// Supervises a detached bottle if this process was executed for that, and then gives its exit code.
pub fn dispatch() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let is_detached = arguments.next().is_some_and(|name| name == NAME);
    // Without its channel there is nobody to tell.
    is_detached.then(|| be(arguments.collect()).unwrap_or(ExitCode::from(FAILED)))
}

fn be(arguments: Vec<OsString>) -> io::Result<ExitCode> {
    let channel = roles::take_channel()?;
    rustix::process::setsid()?;
    let begin = channel.recv::<Begin>()?.0;
    let starter = Starter(Mutex::new(Some(channel)));
    let caller = Caller { invoked: begin.invoked, ..Caller::current()? };
    match options(&arguments, begin.image, &caller) {
        Err(failure) => Ok(starter.fail(&failure)),
        Ok(options) => Ok(supervise(RunOptions { upstream_proxy: begin.upstream_proxy, ..options }, &caller, starter)),
    }
}

fn options(arguments: &[OsString], image: Option<Digest>, caller: &Caller) -> Result<RunOptions, Failure> {
    let words = std::iter::once(OsString::from("bottle")).chain(arguments.iter().cloned());
    // They were read once already.
    let Verb::Run(args) = Cli::try_parse_from(words).map_err(Failure::new)?.verb else {
        return Err(Failure::new("only `bottle run` detaches"));
    };
    let mut options = options::read(&args, caller, Reporter::for_stderr())?;
    options.image_name = Some(args.split().0.to_owned());
    if let Some(digest) = image {
        options.image = ImageRef::Manifest(digest);
    }
    options.output = Output::Log(words_in_log);
    Ok(options)
}

fn supervise(mut options: RunOptions, caller: &Caller, starter: Starter) -> ExitCode {
    sys::share_one_arena();
    super::fail_on_panic();
    options.descriptors = descriptors::raise();
    let starter = std::sync::Arc::new(starter);
    let hearing = std::sync::Arc::clone(&starter);
    match bottle_runtime::run(options, caller, move |event| hearing.hear(&event)) {
        Ok(outcome) => ExitCode::from(outcome.status.code()),
        Err(error) => starter.fail(&failure(error)),
    }
}

/// Each line stays one, whatever stands in it.
fn words_in_log(event: &Event) -> Vec<String> {
    news::words(event).iter().map(|line| escape(line).replace('\n', r"\n")).collect()
}

/// The one that was typed, until it was told that the command runs.
struct Starter(Mutex<Option<Channel>>);

impl Starter {
    fn hear(&self, event: &Event) {
        let mut channel = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = channel.as_ref() else { return };
        // Where nobody waits any more the bottle runs on: it is listed, and can be stopped.
        if let Event::Running { id } = event {
            let _ = open.send(&Word::Running { id: id.clone() }, &[]);
            *channel = None;
        } else {
            news::words(event).into_iter().for_each(|line| drop(open.send(&Word::Said(line), &[])));
        }
    }

    fn fail(&self, failure: &Failure) -> ExitCode {
        let channel = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (why, hint) = (chain(failure.error.as_ref()), failure.hint.clone());
        if let Some(open) = channel.as_ref() {
            let _ = open.send(&Word::Failed { code: failure.code, why, hint }, &[]);
        }
        ExitCode::from(failure.code)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn the_supervisors_arguments_have_no_credentials() {
        let url = "http://u:s3cret@p.example:3128";
        for option in [format!("--upstream-proxy {url}"), format!("--upstream-proxy={url}")] {
            let line = format!("bottle run -d {option} host curl {url}");
            let Verb::Run(args) = Cli::try_parse_from(line.split(' ')).expect("good").verb else { panic!("{line}") };
            let proxy = UpstreamProxy::parse(url).expect("a proxy");
            let left = without_credentials(line.split(' ').map(OsString::from), &args, Some(&proxy));
            let left = left.join(OsStr::new(" ")).into_string().expect("text");
            // The command's own argument is the command's.
            assert_eq!(left, line.replacen("u:s3cret@", "", 1));
        }
    }
}
