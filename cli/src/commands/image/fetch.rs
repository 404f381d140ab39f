//! `bottle image pull` and `load`: how does an image get here?

use std::process::ExitCode;

use bottle_images::{
    Digest, EnsureError, Loaded, PullError, Registries, Source, Store, Written, ensure as ensure_image, here,
    load as load_image, pull as pull_image,
};
use bottle_runtime::caller::Caller;

use super::failure;
use super::progress::Progress;
use crate::args::Pull;
use crate::report::{Failure, Reporter};
use crate::stdout;

/// A file where a registry's name was expected.
#[derive(Debug, thiserror::Error)]
#[error("{0} is no name in a registry")]
struct NotInRegistry(String);

/// A name for an image that is none.
#[derive(Debug, thiserror::Error)]
#[error("an image can't be called {0:?}")]
struct NoName(String);

/// The image that a run names, which is fetched where it must be. Nothing is printed but what goes on.
pub fn ensure(source: &Source, pull: Pull, caller: &Caller, reporter: Reporter) -> Result<Digest, Failure> {
    let store = super::store(caller)?;
    let progress = Progress::of_what_is_new(reporter);
    let tell = |event| progress.tell(event);
    let (places, ids) = (caller.containers(), caller.ids());
    let ensured = ensure_image(&store, source, pull.into(), &places, &ids, &caller.cwd, &tell).map_err(|error| {
        let pulled = if let EnsureError::Pull(error) = &error { Some(error) } else { None };
        let instead = pulled.and_then(|error| command_instead(&source.to_string(), error));
        failure(instead.or(error.hint()), error)
    })?;
    progress.clear();
    Ok(ensured)
}

/// What has no colon and no slash may well be a command before which the image was forgotten.
fn command_instead(name: &str, error: &PullError) -> Option<String> {
    let plain = !name.contains([':', '/', '@']);
    let image = error.hint().map_or(String::new(), |hint| format!("; for an image: {hint}"));
    plain.then(|| format!("for this machine's own `{name}` write `host -- {name}`{image}"))
}

/// Pulls each, and prints the digest of each manifest.
pub(super) fn pull(
    store: &Store,
    names: &[String],
    packed: bool,
    caller: &Caller,
    reporter: Reporter,
) -> Result<ExitCode, Failure> {
    let written: Vec<Written> = names.iter().map(|name| registry_name(name)).collect::<Result<_, _>>()?;
    let places = caller.containers();
    let registries = Registries::load(&places).map_err(|error| failure(error.hint(), error))?;
    for name in &written {
        let progress = Progress::new(reporter);
        let loaded = pull_image(store, name, &registries, &places, &|event| progress.tell(event))
            .map_err(|error| failure(error.hint(), error))?;
        finish(store, &loaded, packed, caller, &progress)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn registry_name(name: &str) -> Result<Written, Failure> {
    match Source::parse(name) {
        Ok(Source::Registry(written)) => Ok(written),
        Ok(_) => Err(Failure::new(NotInRegistry(name.to_owned())).with_hint(format!("bottle image load {name}"))),
        Err(error) => Err(Failure::new(error).with_hint("a name is [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]")),
    }
}

/// Loads each, and prints the digest of each manifest.
pub(super) fn load(
    store: &Store,
    sources: &[String],
    tag: Option<&str>,
    packed: bool,
    caller: &Caller,
    reporter: Reporter,
) -> Result<ExitCode, Failure> {
    let parsed = sources.iter().map(|source| Source::parse(source));
    let sources: Vec<Source> = parsed.collect::<Result<_, _>>().map_err(|error| {
        Failure::new(error)
            .with_hint("a source is oci:DIRECTORY[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME]")
    })?;
    let tag = tag.map(tag_name).transpose()?;
    for source in &sources {
        let progress = Progress::new(reporter);
        let mut loaded = load_image(store, source, &caller.cwd, &|event| progress.tell(event))
            .map_err(|error| failure(error.hint(), error))?;
        if let Some(tag) = &tag {
            store
                .set_names(std::slice::from_ref(tag), loaded.image.digest())
                .map_err(|error| failure(error.hint(), error))?;
            loaded.names.insert(0, tag.clone());
        }
        finish(store, &loaded, packed, caller, &progress)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn tag_name(tag: &str) -> Result<String, Failure> {
    let name = here(tag).filter(|name| name.digest().is_none()).map(|name| name.to_string());
    name.ok_or_else(|| Failure::new(NoName(tag.to_owned())).with_hint("a name is [HOST[:PORT]/]REPOSITORY[:TAG]"))
}

fn unpacked(store: &Store, loaded: &Loaded, caller: &Caller, progress: &Progress) -> Result<(), Failure> {
    let unpacked = caller
        .ids()
        .unpack(store, &loaded.image, (0, 0), &|event| progress.tell(event))
        .map_err(|error| failure(error.hint(), error))?;
    unpacked.notes().iter().for_each(|note| progress.say(note));
    Ok(())
}

fn finish(store: &Store, loaded: &Loaded, packed: bool, caller: &Caller, progress: &Progress) -> Result<(), Failure> {
    if !packed {
        unpacked(store, loaded, caller, progress)?;
    }
    progress.end(&loaded.names);
    stdout::line(&loaded.image.digest().to_string())
}
