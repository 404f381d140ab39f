//! Which of several manifests is for this machine?

use serde::Deserialize;

/// What a machine runs: an architecture, and its variants from the best to the least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Platform {
    /// As Go and OCI spell it: amd64, arm64.
    pub(crate) architecture: String,
    /// Variants that run, best first; the empty one is a manifest that names none.
    pub(crate) variants: Vec<String>,
}

/// What a manifest is for, as an index says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Claimed {
    pub(crate) os: String,
    pub(crate) architecture: String,
    pub(crate) variant: Option<String>,
}

impl Platform {
    /// This machine.
    pub(crate) fn host() -> Platform {
        let (architecture, variants): (&str, &[&str]) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", &["", "v1"]),
            "aarch64" => ("arm64", &["v8", ""]),
            "arm" => ("arm", &["v7", "v6", "v5", ""]),
            "x86" => ("386", &[""]),
            "powerpc64" if cfg!(target_endian = "little") => ("ppc64le", &[""]),
            "loongarch64" => ("loong64", &[""]),
            other => (other, &[""]),
        };
        let mut variants: Vec<String> = variants.iter().map(|&variant| variant.to_owned()).collect();
        variants.extend(levels());
        Platform { architecture: architecture.to_owned(), variants }
    }

    /// The position of the manifest that fits best, or None.
    pub(crate) fn choose<'a>(&self, claimed: impl Iterator<Item = Option<&'a Claimed>>) -> Option<usize> {
        let rank = |claimed: &Claimed| {
            let fits = claimed.os == "linux" && claimed.architecture == self.architecture;
            let variant = claimed.variant.as_deref().unwrap_or_default();
            fits.then(|| self.variants.iter().position(|known| known == variant)).flatten()
        };
        let ranked = claimed.enumerate().filter_map(|(position, claimed)| Some((rank(claimed?)?, position)));
        ranked.min().map(|(_, position)| position)
    }
}

impl std::fmt::Display for Claimed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(formatter, "/{variant}"))
    }
}

/// Higher levels of amd64 that this processor has: taken where nothing plainer is there.
#[cfg(target_arch = "x86_64")]
fn levels() -> Vec<String> {
    let second = is_x86_feature_detected!("sse4.2") && is_x86_feature_detected!("popcnt");
    let third = second
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("fma");
    [(second, "v2"), (third, "v3")].iter().filter(|(has, _)| *has).map(|(_, level)| (*level).to_owned()).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn levels() -> Vec<String> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimed(os: &str, architecture: &str, variant: &str) -> Claimed {
        let variant = (!variant.is_empty()).then(|| variant.to_owned());
        Claimed { os: os.into(), architecture: architecture.into(), variant }
    }

    fn choose(architecture: &str, variants: &[&str], claims: &[Claimed]) -> Option<usize> {
        let variants = variants.iter().map(|&variant| variant.to_owned()).collect();
        Platform { architecture: architecture.into(), variants }.choose(claims.iter().map(Some))
    }

    #[test]
    fn the_best_variant_that_runs_is_chosen() {
        let arms = [claimed("linux", "arm", "v5"), claimed("linux", "arm", "v8"), claimed("linux", "arm", "v7")];
        assert_eq!(choose("arm", &["v7", "v6", "v5"], &arms), Some(2));
        assert_eq!(
            choose("arm64", &["v8", ""], &[claimed("linux", "arm64", ""), claimed("linux", "arm64", "v8")]),
            Some(1)
        );
    }

    #[test]
    fn other_systems_and_attestations_are_not() {
        let claims =
            [claimed("windows", "amd64", ""), claimed("unknown", "unknown", ""), claimed("linux", "s390x", "")];
        assert_eq!(choose("amd64", &[""], &claims), None);
        assert_eq!(Platform::host().choose([None].into_iter()), None);
    }
}
