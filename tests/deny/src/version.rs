//! Is one version at least another? Pure; a pre-release is less than its release.

/// Whether `version` is `least` or later. What is no version is not.
pub(crate) fn at_least(version: &str, least: &str) -> bool {
    match (parse(version), parse(least)) {
        (Some(version), Some(least)) => version >= least,
        _ => false,
    }
}

/// Three numbers, and whether it is a release.
fn parse(version: &str) -> Option<([u64; 3], bool)> {
    let version = version.split('+').next()?;
    let (numbers, release) = version.split_once('-').map_or((version, true), |(numbers, _)| (numbers, false));
    let mut numbers = numbers.split('.').map(str::parse);
    let three = [numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?];
    numbers.next().is_none().then_some((three, release))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(at_least("0.26.10", "0.26.3") && at_least("1.0.0", "0.99.99") && at_least("0.26.3", "0.26.3"));
        assert!(!at_least("0.26.2", "0.26.3") && !at_least("0.9.0", "0.10.0"));
    }

    #[test]
    fn build_names_do_not_count_and_pre_releases_are_less() {
        assert!(at_least("1.2.1+spec-1.1.0", "1.2.1"));
        assert!(!at_least("1.2.1-rc.1", "1.2.1"));
        assert!(!at_least("1.2", "1.2.0") && !at_least("new", "0.0.1"));
    }
}
