//! What is the `host` image? The host's own programs, a fresh home, and the working directory.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::mountinfo;
use crate::origin::Origin;
use crate::plan::{Access, Kind, Mount, MountPlan, Owner, Root};
use crate::resolve::ResolveError;
use crate::{environment, etc, repository, share, toolchain, volumes};

/// The trees of programs. Everything at the top that begins with `lib` comes with them.
const PROGRAMS: [&str; 4] = ["usr", "bin", "sbin", "opt"];

/// Directories that the host lives by; none of them is a project.
#[rustfmt::skip]
const SYSTEM: [&str; 13] = [
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/opt", "/proc", "/run", "/sbin", "/sys", "/usr", "/var",
];

/// Plans the `host` image around the caller's working directory.
pub(crate) fn plan(context: &Context) -> Result<MountPlan, ResolveError> {
    let cwd = working_directory(context)?;
    let user = environment::user(context, context.home.clone());
    let host = mountinfo::read().map_err(|source| ResolveError::Path {
        what: "list of mounts",
        path: "/proc/self/mountinfo".into(),
        source,
    })?;
    let mut plan = MountPlan {
        root: Root::Tmpfs,
        read_only: false,
        mounts: programs(&context.host),
        env: environment::host(context, &user),
        workdir: environment::workdir(context, &cwd)?,
        writable: vec![cwd.clone()],
        warnings: Vec::new(),
        user,
    };
    plan.mounts.extend(etc::mounts(context, &plan.user));
    plan.mounts.extend(fresh(&plan.user.home));
    let (toolchains, origins) = toolchain::mounts(context, &host, &mut plan.warnings);
    plan.mounts.extend(toolchains);
    plan.mounts.extend([
        Mount::new("/proc", Kind::Proc),
        Mount::new("/dev", Kind::Devices),
        Mount::new("/sys", Kind::Sysfs),
    ]);
    plan.mounts.extend(share::mounts(&cwd, &cwd, Access::ReadWrite, &host, &context.home, &mut plan.warnings)?);
    plan.warnings.extend(repository::has_linked_repository(&cwd).map(|path| {
        format!("{} is a symbolic link: bottle can't keep the workload from changing what git executes", path.display())
    }));
    volumes::add(&mut plan, context, &host)?;
    origins.iter().try_for_each(|origin| origin.not_led_by(&plan.writable))?;
    Ok(plan)
}

fn programs(host: &Path) -> Vec<Mount> {
    let mut names: Vec<String> = PROGRAMS.map(String::from).to_vec();
    let top = std::fs::read_dir(host).into_iter().flatten().flatten();
    let mut libraries: Vec<String> = top.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    libraries.retain(|name| name.starts_with("lib"));
    libraries.sort();
    names.extend(libraries);
    names.iter().filter_map(|name| tree(host, name)).collect()
}

/// A symlink stays one, so that `/bin` and `/usr/bin` remain the same directory. What only root may read there is root's alone,
/// also where root runs the bottle.
fn tree(host: &Path, name: &str) -> Option<Mount> {
    let source = host.join(name);
    let target = Path::new("/").join(name);
    match std::fs::read_link(&source) {
        Ok(to) => Some(Mount::new(target, Kind::Symlink { to })),
        Err(_) => source.is_dir().then(|| Mount::new(target, Kind::ReadOnly { source })),
    }
}

/// The directories that begin empty. Home comes last, since it may lie in one of them.
fn fresh(home: &Path) -> Vec<Mount> {
    let directory = |target: &str, mode, owner| Mount::new(target, Kind::Directory { mode, owner });
    let mut mounts = vec![
        directory("/tmp", 0o1777, Owner::Root),
        directory("/run", 0o755, Owner::Root),
        directory("/run/lock", 0o1777, Owner::Root),
        directory("/var", 0o755, Owner::Root),
        directory("/var/tmp", 0o1777, Owner::Root),
        directory("/var/cache", 0o755, Owner::Root),
        directory("/var/lib", 0o755, Owner::Root),
        directory("/var/log", 0o755, Owner::Root),
        Mount::new("/var/run", Kind::Symlink { to: "/run".into() }),
    ];
    mounts.push(Mount::new(home, Kind::Directory { mode: 0o700, owner: Owner::User }));
    mounts
}

fn working_directory(context: &Context) -> Result<PathBuf, ResolveError> {
    let origin = Origin::of("working directory", &context.cwd)?;
    // The kernel names it without links: one that is there now was laid since.
    if !origin.is_plain() {
        return Err(ResolveError::Moved { path: context.cwd.clone() });
    }
    let cwd = origin.end().to_owned();
    let refused = |why| Err(ResolveError::TooWide { path: cwd.clone(), why });
    if cwd == Path::new("/") {
        return refused("is the root of the host");
    }
    if SYSTEM.iter().any(|system| Path::new(system).starts_with(&cwd)) {
        return refused("belongs to the host's system");
    }
    if ["/tmp", "/var/tmp"].iter().any(|shared| cwd == Path::new(shared)) {
        return refused("is where everybody's programs leave their sockets");
    }
    if ["/proc", "/sys", "/dev"].iter().any(|kernel| cwd.starts_with(kernel)) {
        return refused("belongs to the kernel");
    }
    for home in homes(context) {
        if is_at_or_above(&cwd, &home) {
            return refused("is or holds a home directory");
        }
    }
    Ok(cwd)
}

/// The caller's home, as HOME and as passwd(5) say, those of other people, and the ones that hold everybody's.
fn homes(context: &Context) -> Vec<PathBuf> {
    let passwd = std::fs::read(context.host.join("etc/passwd")).unwrap_or_default();
    let passwd = String::from_utf8_lossy(&passwd).into_owned();
    let listed = passwd.lines().filter_map(|line| home_of_a_person(line, context.uid));
    let homes = [context.home.as_path(), Path::new("/root"), Path::new("/home")].into_iter().chain(listed);
    homes.filter_map(|home| home.canonicalize().ok()).collect()
}

/// Services have homes too, which may well be somebody's project.
fn home_of_a_person(line: &str, own: u32) -> Option<&Path> {
    const PEOPLE: std::ops::Range<u32> = 1000..65_534;
    let fields: Vec<&str> = line.split(':').collect();
    let [_, _, uid, _, _, home, _] = fields[..] else { return None };
    let uid: u32 = uid.parse().ok()?;
    (uid == own || PEOPLE.contains(&uid)).then(|| Path::new(home)).filter(|home| home.is_absolute())
}

/// By device and inode, so that another name for the directory does not help.
fn is_at_or_above(directory: &Path, path: &Path) -> bool {
    let identity = |path: &Path| std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    let Some(wanted) = identity(directory) else {
        return true;
    };
    path.ancestors().any(|ancestor| identity(ancestor) == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_one_whatever_home_says_and_a_services_is_none() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path().canonicalize().unwrap();
        for name in ["etc", "own", "other", "site", "elsewhere"] {
            std::fs::create_dir(top.join(name)).unwrap();
        }
        let line = |name: &str, uid| format!("{name}:x:{uid}:{uid}::{}:/bin/sh\n", top.join(name).display());
        let passwd = [line("own", 1000), line("other", 1001), line("site", 33)].concat();
        std::fs::write(top.join("etc/passwd"), passwd).unwrap();
        let refused = |directory: &str| {
            let mut context = Context::new(1000, 1000, "own", &top.join("elsewhere"), &top.join(directory));
            context.host.clone_from(&top);
            matches!(working_directory(&context), Err(ResolveError::TooWide { .. }))
        };
        assert!(refused("own") && refused("other") && refused("elsewhere"));
        assert!(!refused("site"));
    }
}
