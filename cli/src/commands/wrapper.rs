//! `bottle-oci`: this program by another name, as the runtime of an engine. It edits the configuration of a container that is to be a
//! bottle, and becomes the engine's own runtime, with the same arguments, descriptors, directory and variables.

use std::convert::Infallible;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use bottle_runtime::caller::Caller;
use bottle_runtime::hook::{Exception, Joined, Judged, Settings, admit, judge};
use bottle_runtime::report::chain;
use bottle_runtime::wrapper::{Bundle, BundleError, Call, Hooks, How, Makes, Network, Vsock, edit, log, read, wrapped};

use super::bottles::shelf;
use super::hook::create::{near, refused};
use crate::report::{Failure, escape};
use crate::sys;

/// The name of the link to this program.
const NAME: &str = "bottle-oci";

/// What the hooks need to find the same state as the caller.
const VARIABLES: [&str; 4] = ["BOTTLE_ROOT", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "HOME"];

/// A checkpoint has what nobody has attested.
#[derive(Debug, thiserror::Error)]
#[error("the container is to be a bottle, and a bottle is not restored from a checkpoint")]
struct Restored;

/// Acts as a runtime if this program was called by that name. Returns only where it failed.
pub fn dispatch() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let name = arguments.next()?;
    (Path::new(&name).file_name() == Some(OsStr::new(NAME))).then(|| be(&arguments.collect::<Vec<_>>()))
}

fn be(arguments: &[OsString]) -> ExitCode {
    let call = read(arguments);
    let failure = match &call {
        Ok(call) => go_on(call).unwrap_err(),
        Err(error) => Failure::new(error.clone()),
    };
    let why = chain(failure.error.as_ref()).join(": ");
    let hint = failure.hint.map_or(String::new(), |hint| format!("; hint: {hint}"));
    let message = escape(&format!("{NAME}: {why}{hint}").replace('\n', " "));
    if let Ok(call) = &call {
        log::error(call, &message);
    }
    eprintln!("{message}");
    // As runc and crun end where they could not do what they were asked for.
    ExitCode::FAILURE
}

fn go_on(call: &Call) -> Result<Infallible, Failure> {
    let settings = Settings::read(call.settings.as_deref()).map_err(Failure::new)?;
    if let Some(makes) = &call.makes {
        prepare(makes, call, &settings)?;
    }
    let runtime = wrapped(&settings).map_err(|error| {
        Failure::new(error).with_hint("name one by its path as `runtime` in the settings of the hooks")
    })?;
    become_runtime(&runtime, &call.passed)
}

/// Judges the container that is to be made, and edits its configuration where it is no longer none of our business.
fn prepare(makes: &Makes, call: &Call, settings: &Settings) -> Result<(), Failure> {
    let unread = |error: BundleError| {
        let hint = error.hint();
        Failure { hint, ..Failure::new(error) }
    };
    let bundle = Bundle::read(&makes.bundle).map_err(unread)?;
    let configuration = bundle.configuration().map_err(unread)?;
    let caller = Caller::of_hook().map_err(Failure::new)?;
    let joined = match configuration.joins() {
        true => Joined::by_path(&configuration, &shelf(&caller)?.all().map_err(Failure::new)?).map_err(near)?,
        false => None,
    };
    let judged = judge(&configuration, settings, joined).map_err(refused)?;
    let (network, joined) = match &judged {
        Judged::LeftAlone => return Ok(()),
        Judged::Bottled { .. } => (Network::New, None),
        Judged::Joins(joined) => (Network::Joined, Some(joined)),
    };
    if makes.how == How::Restored {
        return Err(Failure::new(Restored));
    }
    let program = std::env::current_exe().map_err(Failure::new)?;
    let variables = VARIABLES.iter().filter_map(|name| Some(format!("{name}={}", caller.variables.get(*name)?)));
    let hooks = Hooks {
        program: text(&program)?,
        settings: call.settings.as_deref().map(text).transpose()?,
        variables: &variables.collect::<Vec<_>>(),
    };
    let mut document = bundle.document().map_err(Failure::new)?;
    let vsock = if settings.lets_pass(Exception::Vsock) { Vsock::LetPass } else { Vsock::Denied };
    edit(&mut document, network, vsock, &hooks).map_err(Failure::new)?;
    let edited = bundle.with(&document).map_err(Failure::new)?;
    admit(&edited, settings, caller.nested.as_ref(), joined, Path::new("/proc/self/exe")).map_err(refused)?;
    bundle.replace(&document).map_err(Failure::new)
}

/// A path that JSON can hold, and that means the same file elsewhere.
fn text(path: &Path) -> Result<&str, Failure> {
    let text = path.to_str().filter(|_| path.is_absolute());
    text.ok_or_else(|| Failure::new(format!("{} is no absolute path in UTF-8", path.display())))
}

/// Executes the engine's runtime in our place: signals, exit code, descriptors and terminal are its own from here on.
fn become_runtime(runtime: &Path, arguments: &[OsString]) -> Result<Infallible, Failure> {
    let words = std::iter::once(runtime.as_os_str()).chain(arguments.iter().map(OsString::as_os_str));
    let words = words.map(|word| CString::new(word.as_bytes())).collect::<Result<Vec<_>, _>>();
    let words = words.map_err(Failure::new)?;
    sys::end_by_broken_pipes();
    nix::unistd::execv(&words[0], &words)
        .map_err(|errno| Failure::new(format!("cannot execute {}: {}", runtime.display(), errno.desc())))
}
