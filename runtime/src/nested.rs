//! Is uid 0 the host's root, or an ordinary user within a user namespace that its engine has made (user_namespaces(7))?
//!
//! podman calls the hooks of an ordinary user's containers so. Its root has power over that namespace and what is in it, over nothing
//! else, and only those of the user's ids that were given to it.

use std::io;
use std::ops::Range;

use bottle_images::Line;

/// What shows nobody in particular (`/proc/sys/kernel/overflowuid`): many containers have a user of that number.
const NOBODY: u32 = 65534;

/// The user namespace of which this process is root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nested {
    /// Who its root is outside of it.
    pub user: u32,
    /// Ids that it has as uids and as gids: the highest of them, and never its root.
    pub(crate) ids: Range<u32>,
}

impl Nested {
    /// Nothing where uid 0 is the host's, or the calling process is somebody else.
    ///
    /// # Errors
    /// Where the kernel does not tell.
    pub fn find() -> io::Result<Option<Nested>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let map = |file: &str| {
            let text = std::fs::read_to_string(format!("/proc/self/{file}"))?;
            lines(&text).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
        };
        Ok(nested(&map("uid_map")?, &map("gid_map")?))
    }
}

/// The lines `inside outside count` of uid_map or gid_map.
pub(crate) fn lines(map: &str) -> Option<Vec<Line>> {
    let line = |text: &str| {
        let numbers: Option<Vec<u32>> = text.split_ascii_whitespace().map(|number| number.parse().ok()).collect();
        let [inside, outside, count] = <[u32; 3]>::try_from(numbers?).ok()?;
        Some((inside, outside, count))
    };
    map.lines().map(line).collect()
}

/// All ids, each as itself.
const WHOLE: [Line; 1] = [(0, 0, u32::MAX)];

fn nested(uids: &[Line], gids: &[Line]) -> Option<Nested> {
    if uids == WHOLE {
        return None;
    }
    // Its root has no name outside where the map says nothing of it, and then nobody can be told from anybody.
    let user = uids.iter().find(|line| line.0 == 0).map_or(u32::MAX, |line| line.1);
    let largest =
        |map: &[Line]| map.iter().map(|(first, _, count)| *first..first.saturating_add(*count)).max_by_key(Range::len);
    let ids = match (largest(uids), largest(gids)) {
        (Some(uids), Some(gids)) => uids.start.max(gids.start).max(1)..uids.end.min(gids.end),
        _ => 0..0,
    };
    let below_nobody = if ids.start < NOBODY { ids.start..ids.end.min(NOBODY) } else { ids };
    Some(Nested { user, ids: below_nobody })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_root_is_nobody_elses() {
        assert_eq!(nested(&WHOLE, &WHOLE), None);
    }

    #[test]
    fn an_engines_root_is_its_user_and_has_the_ids_that_it_was_given() {
        let podman = [(0, 1001, 1), (1, 100_000, 65_536)];
        assert_eq!(nested(&podman, &podman), Some(Nested { user: 1001, ids: 1..NOBODY }));
        let few = [(0, 1001, 1), (1, 100_000, 1000)];
        assert_eq!(nested(&podman, &few).unwrap().ids, 1..1001);
        let elsewhere = [(0, 5_000_000, 200_000)];
        assert_eq!(nested(&elsewhere, &elsewhere).unwrap().ids, 1..NOBODY);
    }

    #[test]
    fn where_its_user_has_no_range_there_is_no_id_for_others() {
        let alone = [(0, 1001, 1)];
        let found = nested(&alone, &alone).unwrap();
        assert!(found.user == 1001 && found.ids.is_empty());
    }
}
