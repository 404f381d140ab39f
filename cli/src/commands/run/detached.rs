//! `bottle run -d`: who supervises a bottle whose caller does not wait for it? This program, executed again in a session of its own.
//!
//! It reads the same arguments, and tells the one that was typed when the command runs or why it never will. From then on
//! all that it says goes into the bottle's log.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use bottle_images::{Digest, ImageRef};
use bottle_runtime::caller::Caller;
use bottle_runtime::event::Event;
use bottle_runtime::options::{Output, RunOptions};
use bottle_runtime::{UpstreamProxy, descriptors};
use clap::Parser;
use serde::{Deserialize, Serialize};

use super::{FAILED, failure, news, options};
use crate::args::{Cli, RunArgs, Verb};
use crate::commands::apart::{self, Starter};
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

/// Starts the supervisor and waits until the command runs. Prints the bottle's id.
pub(super) fn start(
    options: &RunOptions,
    args: &RunArgs,
    caller: &Caller,
    reporter: Reporter,
) -> Result<ExitCode, Failure> {
    let image = if let ImageRef::Manifest(digest) = options.image { Some(digest) } else { None };
    let upstream_proxy = options.upstream_proxy.clone();
    let arguments = without_credentials(std::env::args_os().skip(1), args, upstream_proxy.as_ref());
    let begin = Begin { invoked: caller.invoked.clone(), image, upstream_proxy };
    let id = apart::start(NAME, arguments, &begin, None, |line| reporter.say(line));
    stdout::line(&id?)?;
    Ok(ExitCode::SUCCESS)
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

/// Supervises a detached bottle if this process was executed for that, and then gives its exit code.
pub fn dispatch() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let is_detached = arguments.next().is_some_and(|name| name == NAME);
    // Without its channel there is nobody to tell.
    is_detached.then(|| be(arguments.collect()).unwrap_or(ExitCode::from(FAILED)))
}

fn be(arguments: Vec<OsString>) -> io::Result<ExitCode> {
    let (begin, starter) = apart::begin::<Begin>()?;
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
pub fn words_in_log(event: &Event) -> Vec<String> {
    news::words(event).iter().map(|line| escape(line).replace('\n', r"\n")).collect()
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
