//! What an image name means: a root file system as a mount plan, mounting nothing.
//!
//! [`ImageRef::parse`] reads the name, [`resolve`] looks at the host and says what goes where ([`MountPlan`]).
//! [`contains`] tells whether a path lies in what the workload can write, [`changed`] which files that the host
//! would execute later differ after a run.

mod context;
mod reference;
mod tmpfs;
mod volume;

mod name;
mod source;

mod digest;
mod event;
mod id_map;
mod ids;
pub mod limits;
mod media;
mod platform;

mod config;
mod containers;
mod ensure;
mod image;
mod layer;
mod load;
mod manifest;
mod pull;
mod spelling;
mod store;
mod unpack;
mod unpacked;

mod plan;
mod resolve;

mod accounts;
mod behind;
mod directory;
mod environment;
mod etc;
mod executed;
mod host;
mod obeyed;
mod repository;
mod share;
mod stored;
mod toolchain;
mod volumes;

mod origin;
mod plain_file;
mod read_only;
mod route;
mod scan;

pub mod changed;
pub mod contains;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod mountinfo;
pub mod settings;

pub use accounts::{AccountError, ids_of};
pub use config::{Config, ConfigError, NoCommand};
pub use containers::{AuthError, Credentials, Endpoint, Places, Registries, RegistriesError, ShortNameError};
pub use context::{Context, Place};
pub use digest::{Digest, DigestError};
pub use ensure::{EnsureError, Pull, ensure};
pub use event::{Event, Listener};
pub use id_map::{IDS, IdMap, Line, OneMap, spelled};
pub use ids::{Ids, Steward};
pub use image::{Image, ImageError};
pub use layer::{ArchiveError, Devices, LayerError, Opaque, Owners, UnpackOptions};
pub use load::{LoadError, Loaded, load};
pub use manifest::{Layer, ManifestError};
pub use media::{MediaError, Packing};
pub use name::{Name, NameError, Written};
pub use plan::{Access, Kind, Mount, MountPlan, Owner, Root, User};
pub use pull::{PullError, pull};
pub use reference::{ImageRef, ImageRefError};
pub use resolve::{ResolveError, Resolved, resolve};
pub use source::{Source, SourceError};
pub use spelling::{ID_DIGITS, LookUpError, here, identified, look_up, spellings};
pub use store::{BlobError, Ingest, Names, NamesError, PruneError, Pruned, Session, Store, StoreError, remove_tree};
pub use tmpfs::{Tmpfs, TmpfsError};
pub use unpack::{UnpackError, unpack};
pub use unpacked::{Layers, Unpacked};
pub use volume::{Volume, VolumeError};
