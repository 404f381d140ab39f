//! Is this test running inside the sealed lab that `tests/run` makes?

use std::fs;

const HINT: &str = "hint: run `tests/run`, or `tests/run -p CRATE` for one crate";

/// Ends the test with a hint unless it runs under `tests/run`, in a namespace with no way out.
///
/// # Panics
/// When `BOTTLE_LAB` is not `1`, or when some route of the current namespace leaves the loopback link.
pub fn require() {
    let asked = std::env::var_os("BOTTLE_LAB").is_some_and(|value| value == "1");
    assert!(asked, "this test needs the lab and was started without it\n{HINT}");
    let v4 = fs::read_to_string("/proc/thread-self/net/route").unwrap_or_default();
    let v6 = fs::read_to_string("/proc/thread-self/net/ipv6_route").unwrap_or_default();
    if let Some(link) = way_out(&v4, &v6) {
        panic!("this test needs a sealed namespace, and this one has a route over {link}\n{HINT}");
    }
}

/// The first link other than loopback that a route goes over, given the kernel's two route tables.
fn way_out<'a>(v4: &'a str, v6: &'a str) -> Option<&'a str> {
    let v4 = v4.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    let v6 = v6.lines().filter_map(|line| line.split_whitespace().next_back());
    v4.chain(v6).find(|link| *link != "lo")
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4_HEAD: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

    #[test]
    fn loopback_routes_are_no_way_out() {
        let v6 = "00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000002 00000000 80200001       lo\n";
        assert_eq!(way_out(V4_HEAD, v6), None);
    }

    #[test]
    fn a_route_over_any_other_link_is_a_way_out() {
        let v4 = format!("{V4_HEAD}eth0\t00000000\t0100000B\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
        assert_eq!(way_out(&v4, ""), Some("eth0"));
    }
}
