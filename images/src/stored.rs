//! What is an image in the store? Its layers below one that vanishes, and what its configuration says.

use std::path::{Path, PathBuf};

use crate::accounts::{self, Account};
use crate::config::Config;
use crate::context::Context;
use crate::origin::Origin;
use crate::plan::{Kind, Mount, MountPlan, Owner, Root, User};
use crate::resolve::ResolveError;
use crate::unpacked::Unpacked;
use crate::volume::clean;
use crate::{environment, etc, mountinfo, volumes};

/// Plans a root file system from an image's layers. The working directory is not shared.
pub(crate) fn plan(unpacked: &Unpacked, config: &Config, context: &Context) -> Result<MountPlan, ResolveError> {
    let like = unpacked.layers().iter().rev().position(|layer| layer == unpacked.root()).unwrap_or(0);
    let layers = layers(unpacked)?;
    let user = user(unpacked, config, context)?;
    let host = mountinfo::read().map_err(|source| ResolveError::Path {
        what: "list of mounts",
        path: "/proc/self/mountinfo".into(),
        source,
    })?;
    let workdir = match Path::new(&config.working_dir) {
        path if path == Path::new("") || path == Path::new("/") => PathBuf::from("/"),
        path => clean(path).ok_or_else(|| ResolveError::Workdir { path: path.to_owned() })?,
    };
    let workdir = environment::workdir(context, &workdir)?;
    let mut plan = MountPlan {
        root: Root::Overlay { layers, like, kept: None },
        read_only: false,
        mounts: vec![
            Mount::new("/tmp", Kind::Directory { mode: 0o1777, owner: Owner::Root }),
            Mount::new("/run", Kind::Directory { mode: 0o755, owner: Owner::Root }),
            Mount::new("/proc", Kind::Proc),
            Mount::new("/dev", Kind::Devices),
        ],
        env: environment::image(context, &user, &config.env),
        writable: Vec::new(),
        warnings: Vec::new(),
        workdir,
        user,
    };
    let replaced = ["/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/hosts", "/etc/hostname"];
    let own = etc::own_files(context, &plan.user).into_iter();
    plan.mounts.extend(own.filter(|file| replaced.iter().any(|path| file.target == Path::new(path))));
    // The last of bottle's own: it is mounted in the agent's network namespace, which is still being built.
    plan.mounts.push(Mount::new("/sys", Kind::Sysfs));
    // As docker and podman: where it is missing it is made.
    if plan.workdir != Path::new("/") {
        plan.mounts.push(Mount::new(&plan.workdir, Kind::Directory { mode: 0o755, owner: Owner::Root }));
    }
    volumes::add(&mut plan, context, &host)?;
    Ok(plan)
}

/// The layers' directories, the topmost first.
fn layers(unpacked: &Unpacked) -> Result<Vec<PathBuf>, ResolveError> {
    // The store is nobody's but the caller's, so that whatever its path leads through is, too.
    let led = |layer: &PathBuf| Origin::of("image", layer).map(|origin| origin.end().to_owned());
    unpacked.layers().iter().rev().map(led).collect()
}

/// Who the command is: whom `-u` names, else the image, as its own files say.
pub(crate) fn user(unpacked: &Unpacked, config: &Config, context: &Context) -> Result<User, ResolveError> {
    let asked = context.user.as_deref().unwrap_or(&config.user);
    let Account { uid, gid, name, home, shell } = accounts::find(asked, &layers(unpacked)?)?;
    let (home, shell) = (home.unwrap_or_else(|| "/".into()), shell.unwrap_or_else(|| "/bin/sh".into()));
    Ok(User { uid, gid, name, home, shell })
}
