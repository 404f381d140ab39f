//! What does the caller tell of itself? The crate reads the file system, never the environment.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::ids::Ids;
use crate::tmpfs::Tmpfs;
use crate::volume::Volume;

/// Who asks, from where, and with which options.
#[derive(Clone, Debug)]
pub struct Context {
    /// The caller's uid; the workload has the same number inside.
    pub uid: u32,
    /// The caller's gid.
    pub gid: u32,
    /// What the caller can do with owners.
    pub ids: Ids,
    /// Which uid and gid inside the caller is, where there is a range of ids.
    pub place: Place,
    /// The caller's login name.
    pub name: String,
    /// The caller's home directory.
    pub home: PathBuf,
    /// The directory that bottle was called in.
    pub cwd: PathBuf,
    /// The caller's environment.
    pub variables: BTreeMap<String, String>,
    /// What `-e` sets, in order.
    pub env: Vec<(String, String)>,
    /// What `-v` shows, in order.
    pub volumes: Vec<Volume>,
    /// What `--tmpfs` makes, in order.
    pub tmpfs: Vec<Tmpfs>,
    /// Whether `--read-only` was given.
    pub read_only: bool,
    /// Whom `-u` names, of those in the image.
    pub user: Option<String>,
    /// What `--entrypoint` says; empty means none.
    pub entrypoint: Option<String>,
    /// What is to be executed; empty means the image's own command.
    pub command: Vec<String>,
    /// Where the store of images is.
    pub store: PathBuf,
    /// What `-w` says.
    pub workdir: Option<PathBuf>,
    /// Who answers DNS inside.
    pub nameserver: IpAddr,
    /// The bottle's host name.
    pub hostname: String,
    /// Where the host's files are: `/`, or a directory that plays it in a test.
    pub host: PathBuf,
}

/// Who inside is the caller, where there are several ids?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Who a layer that is gone on with has found to be.
    Known((u32, u32)),
    /// The image's user, whose shared files then are: files leave the bottle.
    User,
    /// The image's user if something is shared, else 0: each image is unpacked once for that.
    UserWhereShared,
}

impl Context {
    /// A caller without options.
    pub fn new(uid: u32, gid: u32, name: &str, home: &Path, cwd: &Path) -> Context {
        Context {
            uid,
            gid,
            ids: Ids::Plain { uid },
            place: Place::UserWhereShared,
            name: name.to_owned(),
            home: home.to_owned(),
            cwd: cwd.to_owned(),
            variables: BTreeMap::new(),
            env: Vec::new(),
            volumes: Vec::new(),
            tmpfs: Vec::new(),
            read_only: false,
            user: None,
            entrypoint: None,
            command: Vec::new(),
            store: PathBuf::new(),
            workdir: None,
            nameserver: IpAddr::from([28, 0, 0, 1]),
            hostname: "bottle".to_owned(),
            host: PathBuf::from("/"),
        }
    }
}
