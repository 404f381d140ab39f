//! What is a `dir:` image? An unpacked root file system below a layer that vanishes.

use std::path::Path;

use crate::context::Context;
use crate::origin::Origin;
use crate::plan::{Kind, Mount, MountPlan, Owner, Root};
use crate::resolve::ResolveError;
use crate::{environment, etc, mountinfo, volumes};

/// Plans a root file system that was unpacked into a directory. The working directory is not shared.
pub(crate) fn plan(path: &Path, context: &Context) -> Result<MountPlan, ResolveError> {
    let origin = Origin::from(&context.cwd, "image directory", path)?;
    let lower = origin.end().to_owned();
    let failed = |source| ResolveError::Path { what: "image directory", path: lower.clone(), source };
    if !lower.is_dir() {
        return Err(failed(std::io::ErrorKind::NotADirectory.into()));
    }
    let host = mountinfo::read().map_err(failed)?;
    let home = if context.uid == 0 { "/root".into() } else { Path::new("/home").join("user") };
    let mut user = environment::user(context, home);
    user.shell = "/bin/sh".into();
    let mut plan = MountPlan {
        root: Root::Overlay { layers: vec![lower], like: 0, kept: None },
        read_only: false,
        mounts: vec![
            Mount::new("/tmp", Kind::Directory { mode: 0o1777, owner: Owner::Root }),
            Mount::new("/run", Kind::Directory { mode: 0o755, owner: Owner::Root }),
            Mount::new(&user.home, Kind::Directory { mode: 0o700, owner: Owner::User }),
            Mount::new("/proc", Kind::Proc),
            Mount::new("/dev", Kind::Devices),
        ],
        env: environment::foreign(context, &user),
        workdir: environment::workdir(context, Path::new("/"))?,
        writable: Vec::new(),
        warnings: Vec::new(),
        user,
    };
    let replaced = ["/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/hosts", "/etc/hostname"];
    let own = etc::own_files(context, &plan.user).into_iter();
    plan.mounts.extend(own.filter(|file| replaced.iter().any(|path| file.target == Path::new(path))));
    // The last of bottle's own: it is mounted in the agent's network namespace, which is still being built.
    plan.mounts.push(Mount::new("/sys", Kind::Sysfs));
    volumes::add(&mut plan, context, &host)?;
    origin.not_led_by(&plan.writable)?;
    Ok(plan)
}
