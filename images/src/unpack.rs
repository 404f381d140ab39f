//! How does an image become lower directories for an overlay? Each layer once, shared by all images that have it.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{CWD, Mode, OFlags};

use crate::digest::Digest;
use crate::event::{Event, Listener};
use crate::image::Image;
use crate::layer::{self, Below, Budget, LayerError, Record, Source, UnpackOptions};
use crate::store::{BlobError, Lock, Store, StoreError, failed, remove_tree, sync_directory};
use crate::unpacked::Unpacked;

/// Why an image was not unpacked. No half-made layer stays; whole ones do, for the next attempt.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The store could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A layer is not in the store.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A layer can't be unpacked.
    #[error("cannot unpack the layer {layer}")]
    Layer {
        /// The digest of its archive, unpacked.
        layer: Digest,
        /// Why.
        source: LayerError,
    },
    /// Who has the right to give files away could not do it.
    #[error("{what}")]
    Steward {
        /// What went wrong.
        what: String,
        /// What to do about it, where that is known.
        hint: Option<String>,
    },
    /// What is written beside an unpacked layer is damaged.
    #[error("the unpacked layer {} is damaged", path.display())]
    Damaged {
        /// The layer.
        path: PathBuf,
        /// Where it stops making sense.
        source: serde_json::Error,
    },
}

impl UnpackError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            UnpackError::Store(error) => error.hint(),
            UnpackError::Blob(error) => error.hint(),
            UnpackError::Layer { source, .. } => source.hint(),
            UnpackError::Steward { hint, .. } => hint.clone(),
            UnpackError::Damaged { path, .. } => Some(format!("remove {}: it is unpacked again", path.display())),
        }
    }
}

/// Under which names layers of these archives, lowest first, may lie in the store.
pub(crate) fn keys(diff_ids: &[Digest]) -> BTreeSet<Digest> {
    (0..diff_ids.len()).flat_map(|position| [diff_ids[position], upon(diff_ids, position)]).collect()
}

/// The name of a layer that means something else upon those below it than by itself.
fn upon(diff_ids: &[Digest], position: usize) -> Digest {
    let below: Vec<String> = diff_ids[..=position].iter().map(Digest::to_string).collect();
    Digest::of(format!("upon {}", below.join(" ")).as_bytes())
}

/// Unpacks what is not unpacked yet, several layers at a time, and holds all layers of the image.
///
/// # Errors
/// [`UnpackError`]
pub fn unpack(
    store: &Store,
    image: &Image,
    options: UnpackOptions,
    listener: Listener<'_>,
) -> Result<Unpacked, UnpackError> {
    let _session = store.enter()?;
    let flavour = store.layers_path().join(options.flavour());
    std::fs::create_dir_all(&flavour).map_err(failed("make", &flavour))?;
    // One process at a time: a hundred that start the same image unpack it once.
    let _alone = Lock::exclusive(&store.lock_path(&options.flavour()))?;
    let work = Work { store, image, options, listener, flavour, budget: Budget::default(), fresh: Mutex::default() };
    let unpacked = work.all();
    // What was made before something went wrong is whole: it is kept.
    work.name_all().and(unpacked)
}

/// One image being unpacked.
struct Work<'a> {
    store: &'a Store,
    image: &'a Image,
    options: UnpackOptions,
    listener: Listener<'a>,
    flavour: PathBuf,
    budget: Budget,
    /// Layers that are whole and wait to be synced and named.
    fresh: Mutex<Vec<Half>>,
}

/// A layer that has no name yet. Dropped, it is removed.
struct Half {
    path: PathBuf,
    key: Digest,
    held: File,
}

impl Drop for Half {
    fn drop(&mut self) {
        // What stays is removed by the next prune.
        let _ = remove_tree(&self.path);
    }
}

/// A layer of the image: where it is (or will be), and what is written beside it.
struct Made {
    key: Digest,
    record: Record,
    /// Whether it was unpacked just now.
    fresh: bool,
    /// Its files.
    directory: File,
    /// The directory around them, locked.
    held: File,
}

/// A layer by itself; None for one that can't be told without those below.
type Outcome = Result<Option<Made>, UnpackError>;

impl Work<'_> {
    fn all(&self) -> Result<Unpacked, UnpackError> {
        let diff_ids = self.image.diff_ids();
        let mut alone = self.each_alone()?;
        let (mut paths, mut layers, mut held) = (Vec::new(), Vec::<File>::new(), Vec::new());
        let mut notes = BTreeSet::new();
        let mut root = 0;
        for (position, diff_id) in diff_ids.iter().enumerate() {
            let below = Below { layers: &layers, options: self.options };
            let failed = |source| UnpackError::Layer { layer: *diff_id, source };
            let made = match alone[position].take() {
                Some(made) if made.record.fits(&below).map_err(failed)? => made,
                _ => self.one(position, upon(diff_ids, position), Some(&below))?,
            };
            if self.hides_all(&made)? {
                // An overlay merges the roots of all its layers, whatever they say.
                (paths, layers, held) = (Vec::new(), Vec::new(), Vec::new());
                root = 0;
            } else if !made.record.implies_root() {
                root = paths.len();
            }
            notes.extend(made.fresh.then_some(made.record.notes).into_iter().flatten());
            paths.push(self.flavour.join(made.key.hex()));
            held.push(made.held);
            layers.push(made.directory);
        }
        Ok(Unpacked::new(&paths, root, notes.into_iter().collect(), held))
    }

    /// Whether nothing below this layer shows.
    fn hides_all(&self, made: &Made) -> Result<bool, StoreError> {
        let opaque = self.options.opaque.is_set(&made.directory, b"");
        opaque.map_err(|error| failed("look at", &self.flavour.join(made.key.hex()))(error.into()))
    }

    /// All layers, as each is by itself; None for one that can't be told without those below.
    fn each_alone(&self) -> Result<Vec<Option<Made>>, UnpackError> {
        let diff_ids = self.image.diff_ids();
        let mut all: Vec<Option<Made>> = diff_ids.iter().map(|_| None).collect();
        let mut missing = Vec::new();
        // The same archive may be in an image more than once.
        for at in (0..diff_ids.len()).filter(|&at| !diff_ids[..at].contains(&diff_ids[at])) {
            all[at] = self.there(at, diff_ids[at])?;
            missing.extend(all[at].is_none().then_some(at));
        }
        for (position, made) in self.several(&missing) {
            all[position] = made?;
        }
        for position in 0..diff_ids.len() {
            if let Some(first) = diff_ids[..position].iter().position(|other| *other == diff_ids[position]) {
                all[position] = all[first].as_ref().map(|made| self.again(made)).transpose()?;
            }
        }
        Ok(all)
    }

    /// Unpacks these, several at a time, until one fails. They are told in their order.
    fn several(&self, positions: &[usize]) -> Vec<(usize, Outcome)> {
        if positions.is_empty() {
            return Vec::new();
        }
        let diff_ids = self.image.diff_ids();
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(positions.len());
        let (next, stopped) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let results: Mutex<Vec<(usize, Outcome)>> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(&position) = positions.get(next.fetch_add(1, Ordering::Relaxed))
                        && stopped.load(Ordering::Relaxed) == 0
                    {
                        let made = match self.one(position, diff_ids[position], None) {
                            Err(UnpackError::Layer { source: LayerError::NeedsBelow, .. }) => Ok(None),
                            made => made.map(Some),
                        };
                        stopped.fetch_add(usize::from(made.is_err()), Ordering::Relaxed);
                        lock(&results).push((position, made));
                    }
                });
            }
        });
        let mut results = std::mem::take(&mut *lock(&results));
        results.sort_by_key(|(position, _)| *position);
        results
    }

    fn again(&self, made: &Made) -> Result<Made, UnpackError> {
        let (directory, held) = (self.hold(&made.directory)?, self.hold(&made.held)?);
        Ok(Made { key: made.key, record: made.record.clone(), fresh: made.fresh, directory, held })
    }

    /// Another descriptor of the same: a lock lasts until the last one is closed.
    fn hold(&self, file: &File) -> Result<File, StoreError> {
        file.try_clone().map_err(failed("hold", &self.flavour))
    }

    /// One layer: found, or unpacked.
    fn one(&self, position: usize, key: Digest, below: Option<&Below<'_>>) -> Result<Made, UnpackError> {
        if let Some(made) = self.there(position, key)? {
            return Ok(made);
        }
        let layer = self.image.diff_ids()[position];
        (self.listener)(Event::Unpacking { layer });
        let blob = &self.image.layers()[position];
        let file = self.store.open_blob(&blob.digest)?;
        let half = self.begin(key)?;
        let directory = open_directory(&half.path.join("fs"))?;
        let (to, held) = (OwnedFd::from(self.hold(&directory)?), self.hold(&half.held)?);
        let source = Source { file, packing: blob.packing, packed: blob.size, diff_id: layer };
        let record = layer::unpack(source, to, self.options, below, &self.budget)
            .map_err(|source| UnpackError::Layer { layer, source })?;
        let (path, damaged) =
            (half.path.join("layer.json"), |source| UnpackError::Damaged { path: half.path.clone(), source });
        let text = serde_json::to_vec(&record).map_err(damaged)?;
        std::fs::write(&path, text).map_err(failed("write", &path))?;
        lock(&self.fresh).push(half);
        (self.listener)(Event::Unpacked { layer, already: false });
        Ok(Made { key, record, fresh: true, directory, held })
    }

    /// One layer, if it was unpacked before.
    fn there(&self, position: usize, key: Digest) -> Result<Option<Made>, UnpackError> {
        let Some(made) = self.found(key)? else { return Ok(None) };
        let layer = self.image.diff_ids()[position];
        let counted = self.budget.files(made.record.files).and_then(|()| self.budget.bytes(made.record.bytes));
        counted.map_err(|source| UnpackError::Layer { layer, source })?;
        (self.listener)(Event::Unpacked { layer, already: true });
        Ok(Some(made))
    }

    /// A layer that has its name, held from now on.
    fn found(&self, key: Digest) -> Result<Option<Made>, UnpackError> {
        let path = self.flavour.join(key.hex());
        let text = match std::fs::read(path.join("layer.json")) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(failed("read", &path))?,
        };
        let record =
            serde_json::from_slice(&text).map_err(|source| UnpackError::Damaged { path: path.clone(), source })?;
        let (directory, held) = (open_directory(&path.join("fs"))?, open_directory(&path)?);
        Lock::directory_shared(&held, &path)?;
        Ok(Some(Made { key, record, fresh: false, directory, held }))
    }

    fn begin(&self, key: Digest) -> Result<Half, UnpackError> {
        let path = self.store.tmp_path().join(format!("{}-{}", std::process::id(), key.hex()));
        remove_tree(&path).map_err(failed("remove", &path))?;
        let made = std::fs::create_dir(&path).and_then(|()| std::fs::create_dir(path.join("fs")));
        made.map_err(failed("make", &path))?;
        let held = open_directory(&path)?;
        Lock::directory_shared(&held, &path)?;
        Ok(Half { path, key, held })
    }

    /// Makes all that was unpacked durable, and gives it its names.
    fn name_all(&self) -> Result<(), UnpackError> {
        let fresh = std::mem::take(&mut *lock(&self.fresh));
        if fresh.is_empty() {
            return Ok(());
        }
        let flavour = File::open(&self.flavour).map_err(failed("open", &self.flavour))?;
        rustix::fs::syncfs(&flavour).map_err(|error| failed("sync", &self.flavour)(error.into()))?;
        for half in fresh {
            let place = self.flavour.join(half.key.hex());
            std::fs::rename(&half.path, &place).map_err(failed("name", &place))?;
        }
        Ok(sync_directory(&self.flavour)?)
    }
}

pub(crate) fn open_directory(path: &Path) -> Result<File, StoreError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(CWD, path, flags, Mode::empty());
    opened.map(File::from).map_err(|error| failed("open", path)(error.into()))
}

/// What a panicking thread left is still a list.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
