//! How does an image come from a registry? Its manifest, its configuration, and its layers several at a time, all verified.

pub(crate) mod challenge;
mod error;
mod registry;
mod resolver;
mod scheme;
mod tls;
mod token;
mod transfer;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub use error::PullError;

use crate::config::Config;
use crate::containers::{Places, Registries};
use crate::digest::Digest;
use crate::event::{Event, Listener};
use crate::image::Image;
use crate::limits;
use crate::load::Loaded;
use crate::manifest::{Found, Manifest};
use crate::name::{Name, Written};
use crate::platform::Platform;
use crate::store::Store;
use registry::Registry;

/// How many blobs are transferred at a time.
const PARALLEL: usize = 4;

/// Pulls an image, or what of it is not in the store. Blocks, on threads of its own besides this one: not for use within an
/// asynchronous runtime.
///
/// # Errors
/// [`PullError`]
pub fn pull(
    store: &Store,
    written: &Written,
    registries: &Registries,
    places: &Places,
    listener: Listener<'_>,
) -> Result<Loaded, PullError> {
    let _session = store.enter()?;
    let mut tried = Vec::new();
    for name in registries.names(written)? {
        for endpoint in registries.endpoints(&name)? {
            let place = format!("{}/{}", endpoint.host, endpoint.repository);
            match Registry::new(endpoint, places).and_then(|registry| from(store, &registry, &name, listener)) {
                Ok(image) => {
                    let names = vec![name.to_string()];
                    store.set_names(&names, image.digest())?;
                    return Ok(Loaded { image, names });
                }
                Err(error) => tried.push((place, error)),
            }
        }
    }
    match tried.pop() {
        Some((_, error)) if tried.is_empty() => Err(error),
        last => {
            tried.extend(last);
            Err(PullError::Nowhere { name: written.to_string(), tried })
        }
    }
}

fn from(store: &Store, registry: &Registry, name: &Name, listener: Listener<'_>) -> Result<Image, PullError> {
    let (digest, bytes, manifest) = manifest(store, registry, name)?;
    let (from, shown) = (registry.endpoint.host.clone(), name.to_string());
    listener(Event::Resolved { name: shown, manifest: digest, from });
    transfer::blob(store, registry, manifest.config, manifest.config_size, listener)?;
    let config = store.read_blob(&manifest.config, "a configuration", limits::CONFIG)?;
    let config = Config::parse(&config, manifest.layers.len())?;
    let platform = Platform::host();
    if !config.architecture.is_empty() && config.architecture != platform.architecture {
        let (theirs, ours) = (&config.architecture, &platform.architecture);
        listener(Event::Note(format!("the image is built for {theirs:?}, and this machine is {ours}")));
    }
    layers(store, registry, &manifest, listener)?;
    // Last, so that a manifest in the store has all that it names.
    store.put(&bytes)?;
    Ok(Image::read(store, digest)?)
}

/// The manifest for this machine.
fn manifest(store: &Store, registry: &Registry, name: &Name) -> Result<(Digest, Vec<u8>, Manifest), PullError> {
    let mut wanted = (name.wanted(), name.digest());
    for _ in 0..4 {
        let known = wanted.1.filter(|digest| store.has(digest));
        let (bytes, declared) = match known {
            Some(digest) => (store.read_blob(&digest, "a manifest", limits::MANIFEST)?, None),
            None => registry.manifest(&wanted.0)?,
        };
        let actual = Digest::of(&bytes);
        if let Some(wanted) = wanted.1.filter(|wanted| *wanted != actual) {
            return Err(PullError::OtherManifest { host: registry.endpoint.host.clone(), wanted, actual });
        }
        match Found::parse(&bytes, declared.as_deref())? {
            Found::Manifest(manifest) => return Ok((actual, bytes, manifest)),
            Found::Index(index) => {
                let entry = index.choose(&Platform::host())?;
                wanted = (entry.digest.to_string(), Some(entry.digest));
            }
        }
    }
    Err(registry.answer("indexes within indexes".into()))
}

fn layers(store: &Store, registry: &Registry, manifest: &Manifest, listener: Listener<'_>) -> Result<(), PullError> {
    let wanted: BTreeMap<Digest, u64> = manifest.layers.iter().map(|layer| (layer.digest, layer.size)).collect();
    let wanted: Vec<(Digest, u64)> = wanted.into_iter().collect();
    let (next, stop, failure) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL.min(wanted.len()) {
            scope.spawn(|| {
                while let Some(&(digest, size)) = wanted.get(next.fetch_add(1, Ordering::Relaxed))
                    && !stop.load(Ordering::Relaxed)
                {
                    if let Err(error) = transfer::blob(store, registry, digest, size, listener) {
                        stop.store(true, Ordering::Relaxed);
                        failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
                    }
                }
            });
        }
    });
    failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).map_or(Ok(()), Err)
}
