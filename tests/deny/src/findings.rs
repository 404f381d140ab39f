//! What is wrong with a set of packages? Pure: packages in, findings out.

use std::fmt;

use serde::Deserialize;

use crate::tables::{BANNED, LEAST};
use crate::{licence, version};

/// One package, as `cargo metadata` tells of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// None for the workspace's own.
    source: Option<String>,
}

/// What is wrong with one package.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    Licence { package: String, licence: String },
    Unsafe { package: String, least: &'static str, because: &'static str },
    Banned { package: String, because: &'static str },
    Source { package: String, source: String },
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Licence { package, licence } => {
                write!(out, "{package}: the licence `{licence}` is not allowed")
            }
            Self::Unsafe { package, least, because } => write!(out, "{package}: at least {least} is needed: {because}"),
            Self::Banned { package, because } => write!(out, "{package}: banned: {because}"),
            Self::Source { package, source } => {
                write!(out, "{package}: comes from {source}, not from the registry")
            }
        }
    }
}

/// Reads the packages out of what `cargo metadata` printed.
pub(crate) fn parse(metadata: &[u8]) -> serde_json::Result<Vec<Package>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    Ok(serde_json::from_slice::<Metadata>(metadata)?.packages)
}

/// All that is wrong, in the packages' order.
pub(crate) fn findings(packages: &[Package]) -> Vec<Finding> {
    packages.iter().flat_map(of_package).collect()
}

fn of_package(package: &Package) -> Vec<Finding> {
    let shown = || format!("{} {}", package.name, package.version);
    let mut found = Vec::new();
    let licence = package.license.clone().unwrap_or_default();
    if !licence::allowed(&licence) {
        found.push(Finding::Licence { package: shown(), licence });
    }
    for (name, least, because) in LEAST {
        if *name == package.name && !version::at_least(&package.version, least) {
            found.push(Finding::Unsafe { package: shown(), least, because });
        }
    }
    for (name, because) in BANNED {
        if *name == package.name {
            found.push(Finding::Banned { package: shown(), because });
        }
    }
    if let Some(source) = package.source.as_deref().filter(|source| !source.starts_with("registry+")) {
        found.push(Finding::Source { package: shown(), source: source.to_owned() });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(package: &str) -> Vec<Finding> {
        let metadata = format!(r#"{{"packages":[{package}]}}"#);
        findings(&parse(metadata.as_bytes()).unwrap())
    }

    #[test]
    fn a_good_package_has_no_findings() {
        let good = r#"{"name":"hickory-proto","version":"0.26.3","license":"MIT OR Apache-2.0","source":"registry+x"}"#;
        assert_eq!(found(good), []);
    }

    #[test]
    fn a_version_with_an_advisory_is_found() {
        let old = r#"{"name":"hickory-proto","version":"0.26.2","license":"MIT","source":"registry+x"}"#;
        assert!(matches!(found(old)[..], [Finding::Unsafe { .. }]), "{:?}", found(old));
    }

    #[test]
    fn a_licence_that_is_not_listed_or_not_given_is_found() {
        for licence in [r#""AGPL-3.0""#, "null"] {
            let package = format!(r#"{{"name":"x","version":"1.0.0","license":{licence},"source":null}}"#);
            assert!(matches!(found(&package)[..], [Finding::Licence { .. }]), "{licence}");
        }
    }

    #[test]
    fn a_banned_package_and_one_from_elsewhere_are_found() {
        let banned = r#"{"name":"openssl-sys","version":"9.9.9","license":"MIT","source":"registry+x"}"#;
        assert!(matches!(found(banned)[..], [Finding::Banned { .. }]));
        let elsewhere = r#"{"name":"x","version":"1.0.0","license":"MIT","source":"git+https://x.test/x"}"#;
        assert!(matches!(found(elsewhere)[..], [Finding::Source { .. }]));
    }
}
