//! Which toolchains below home does the caller use? Those that PATH names, without what they know of credentials.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::mountinfo::MountPoint;
use crate::origin::Origin;
use crate::plain_file;
use crate::plan::{Kind, Mount};

/// A toolchain that installs itself below home.
struct Toolchain {
    /// A directory below home; on PATH itself, or one below it is.
    root: &'static str,
    /// What of it (`.`: all) or beside it is shown, each below home. Nothing here is known to hold credentials.
    shown: &'static [&'static str],
}

const TOOLCHAINS: [Toolchain; 11] = [
    // Not ~/.cargo itself: `credentials.toml` lies there. The registry's sources are shown so that builds work offline.
    Toolchain {
        root: ".cargo",
        shown: &[
            ".cargo/bin",
            ".cargo/env",
            ".cargo/registry",
            ".cargo/git",
            ".cargo/config.toml",
            ".cargo/config",
            ".rustup",
        ],
    },
    Toolchain { root: ".rustup", shown: &[".rustup"] },
    Toolchain { root: ".nvm", shown: &[".nvm"] },
    Toolchain { root: ".pyenv", shown: &[".pyenv"] },
    Toolchain { root: ".volta", shown: &[".volta/bin", ".volta/tools"] },
    Toolchain { root: "go", shown: &["go/bin", "go/pkg"] },
    Toolchain { root: "sdk", shown: &["sdk"] },
    Toolchain { root: ".local/go", shown: &[".local/go"] },
    // uv keeps tokens in ~/.local/share/uv/credentials.
    Toolchain { root: ".local/bin", shown: &[".local/bin", ".local/share/uv/python", ".local/share/uv/tools"] },
    Toolchain { root: ".deno", shown: &[".deno/bin"] },
    Toolchain { root: ".bun", shown: &[".bun/bin", ".bun/install/global"] },
];

/// Words that a settings file with a credential in it has.
const TELLTALES: [&str; 5] = ["token", "password", "secret", "_auth", "credential"];

/// The mounts for every toolchain that is on PATH, and where they come from. What looks like it holds a credential is left out,
/// with a warning.
pub(crate) fn mounts(
    context: &Context,
    mounted: &[MountPoint],
    warnings: &mut Vec<String>,
) -> (Vec<Mount>, Vec<Origin>) {
    let path = context.variables.get("PATH").map_or("", String::as_str);
    let used = |toolchain: &&Toolchain| {
        let root = context.home.join(toolchain.root);
        path.split(':').any(|entry| Path::new(entry).starts_with(&root))
    };
    let mut shown: Vec<&str> = TOOLCHAINS.iter().filter(used).flat_map(|toolchain| toolchain.shown).copied().collect();
    shown.sort_unstable();
    shown.dedup();
    let (mut mounts, mut origins) = (Vec::new(), Vec::new());
    for place in shown.into_iter().map(|name| context.home.join(name)) {
        let Ok(origin) = Origin::of("toolchain", &place) else { continue };
        mounts.extend(show(&place, origin.end().to_owned(), context.uid, mounted, warnings));
        origins.push(origin);
    }
    (mounts, origins)
}

fn show(place: &Path, source: PathBuf, uid: u32, mounted: &[MountPoint], warnings: &mut Vec<String>) -> Vec<Mount> {
    if source.is_dir() {
        let masked = npm_settings(&source).into_iter();
        let masked = masked.filter_map(|file| Some(place.join(file.strip_prefix(&source).ok()?)));
        let masked: Vec<Mount> = masked.map(|target| Mount::new(target, Kind::MaskFile)).collect();
        return [vec![Mount::new(place, Kind::system(source, mounted))], masked].concat();
    }
    if holds_credential(&source) {
        warnings.push(format!("{} is not shown to the workload: it seems to hold a credential", place.display()));
        return Vec::new();
    }
    // Root's workload owns nothing of the host's: a program that meets settings which it can't read gives up.
    if uid == 0 && !source.metadata().is_ok_and(|file| file.permissions().mode() & 0o004 != 0) {
        warnings.push(format!("{} is not shown to the workload: only root may read it", place.display()));
        return Vec::new();
    }
    vec![Mount::new(place, Kind::ReadOnly { source })]
}

fn holds_credential(file: &Path) -> bool {
    let Ok(text) = plain_file::read(file) else {
        return true;
    };
    let text = String::from_utf8_lossy(&text).to_lowercase();
    TELLTALES.iter().any(|word| text.contains(word))
}

/// Node's version managers keep a global npmrc with each version, and npm keeps tokens in it.
fn npm_settings(tree: &Path) -> Vec<PathBuf> {
    let versions = [tree.join("versions/node"), tree.join("image/node"), tree.join("node")];
    let versions = versions.iter().filter_map(|path| std::fs::read_dir(path).ok()).flatten().flatten();
    versions.map(|version| version.path().join("etc/npmrc")).filter(|file| file.is_file()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home_with(files: &[&str]) -> (tempfile::TempDir, Context) {
        let home = tempfile::tempdir().unwrap();
        for file in files {
            let path = home.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let top = home.path().canonicalize().unwrap();
        let context = Context::new(1, 1, "u", &top, &top);
        (home, context)
    }

    fn targets(mounts: &[Mount], home: &Path) -> Vec<String> {
        let relative = mounts.iter().map(|mount| mount.target.strip_prefix(home).unwrap());
        relative.map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn cargo_is_shown_without_its_credentials() {
        let (_home, mut context) = home_with(&[".cargo/bin/cargo", ".cargo/credentials.toml", ".rustup/settings.toml"]);
        context.variables.insert("PATH".into(), format!("/bin:{}/.cargo/bin", context.home.display()));
        let (mounts, _) = mounts(&context, &[], &mut Vec::new());
        assert_eq!(targets(&mounts, &context.home), [".cargo/bin", ".rustup"]);
    }

    #[test]
    fn what_is_not_on_path_is_not_shown() {
        let (_home, mut context) = home_with(&[".cargo/bin/cargo", ".pyenv/shims/python"]);
        context.variables.insert("PATH".into(), format!("{}/.pyenv/shims", context.home.display()));
        assert_eq!(targets(&mounts(&context, &[], &mut Vec::new()).0, &context.home), [".pyenv"]);
    }

    #[test]
    fn settings_with_a_token_are_left_out_and_said() {
        let (_home, mut context) = home_with(&[".cargo/bin/cargo"]);
        std::fs::write(context.home.join(".cargo/config.toml"), "[registry]\ntoken = 'x'\n").unwrap();
        context.variables.insert("PATH".into(), format!("{}/.cargo/bin", context.home.display()));
        let mut warnings = Vec::new();
        assert_eq!(targets(&mounts(&context, &[], &mut warnings).0, &context.home), [".cargo/bin"]);
        assert!(warnings[0].contains("config.toml"));
    }

    #[test]
    fn the_npmrc_of_a_node_version_is_masked() {
        let (_home, mut context) = home_with(&[".nvm/versions/node/v20/etc/npmrc", ".nvm/versions/node/v20/bin/node"]);
        context.variables.insert("PATH".into(), format!("{}/.nvm/versions/node/v20/bin", context.home.display()));
        let (mounts, _) = mounts(&context, &[], &mut Vec::new());
        assert_eq!(targets(&mounts, &context.home), [".nvm", ".nvm/versions/node/v20/etc/npmrc"]);
        assert_eq!(mounts[1].kind, Kind::MaskFile);
    }
}
