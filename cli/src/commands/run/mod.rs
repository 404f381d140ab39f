//! `bottle run`: what was typed becomes a run; what the run tells becomes lines.

mod changes;
pub mod detached;
mod env_file;
pub(super) mod news;
pub mod options;
mod unseen;

use std::io::IsTerminal;
use std::process::ExitCode;

use bottle_images::ImageRef;
use bottle_runtime::caller::Caller;
use bottle_runtime::options::{RunOptions, Stdio};
use bottle_runtime::{Event, HeadStart, RunError, descriptors};

use super::image;
use crate::args::RunArgs;
use crate::report::{Failure, Reporter};
use crate::sys;

/// The exit code of bottle's own failures.
pub(super) const FAILED: u8 = 125;

/// Runs the verb; the exit code is the command's.
pub fn run(args: &RunArgs, caller: &Caller, reporter: Reporter) -> Result<ExitCode, Failure> {
    sys::share_one_arena();
    fail_on_panic();
    if args.detach {
        let options = options_and_image(args, caller, reporter)?;
        return detached::start(&options, args, caller, reporter);
    }
    // For bottle's own part; the command has what the caller had.
    let descriptors = descriptors::raise();
    let ahead = HeadStart::begin(caller).map_err(failure)?;
    let options = RunOptions { descriptors, ..options_and_image(args, caller, reporter)? };
    // The terminal is raw while the command has it: a line feed alone does not go back to the margin.
    let raw = if args.tty { reporter.for_raw_terminal() } else { reporter };
    let outcome = bottle_runtime::run_ahead(ahead, options, caller, move |event| match event {
        Event::Changed { .. } | Event::Over(_) => news::tell(&event, reporter),
        _ => news::tell(&event, raw),
    });
    sys::end_when_asked();
    Ok(ExitCode::from(outcome.map_err(failure)?.status.code()))
}

/// What was asked for, and the image by its digest: it is here then.
fn options_and_image(args: &RunArgs, caller: &Caller, reporter: Reporter) -> Result<RunOptions, Failure> {
    let mut options = options::read(args, caller, reporter).map_err(|failure| failure.with_code(FAILED))?;
    options.image_name = Some(args.split().0.to_owned());
    tell_of_deaf_shells(&options, reporter);
    if let ImageRef::Stored(source) = &options.image {
        let digest = image::ensure(source, args.pull, caller, reporter);
        options.image = ImageRef::Manifest(digest.map_err(|failure| failure.with_code(FAILED))?);
    }
    Ok(options)
}

/// A fault of bottle's own is a failure like others. What has been started ends with this process.
pub(super) fn fail_on_panic() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        std::process::exit(FAILED.into());
    }));
}

/// A shell that nobody can talk to ends at once, in silence.
fn tell_of_deaf_shells(options: &RunOptions, reporter: Reporter) {
    // What an image of the store begins with need not be a shell.
    let is_shell = options.command.is_empty() && !matches!(options.image, ImageRef::Stored(_));
    if is_shell && options.stdio == Stdio::Streams && std::io::stdin().is_terminal() {
        reporter.say("warning: without -it a shell does not hear what is typed");
    }
}

pub(super) fn failure(error: RunError) -> Failure {
    let (code, hint) = (error.exit_code(), error.hint());
    Failure { code, hint, ..Failure::new(error) }
}
