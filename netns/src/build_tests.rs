//! How does a kernel that refuses become an error that says why?

use super::*;

fn refused(index: usize, errno: Errno) -> BuildError {
    let model = ruleset(&Layout::default(), Side::Gate);
    rule_refused(Side::Gate, &model, WireError::Refused { index, errno })
}

#[test]
fn one_address_that_is_not_taken_yet_is_waited_for() {
    let local = |address: Ipv6Addr| {
        let mut route = RouteMessage::default();
        route.header.kind = RouteType::Local;
        route.attributes.push(RouteAttribute::Destination(RouteAddress::Inet6(address)));
        RouteNetlinkMessage::NewRoute(route)
    };
    let (loopback, own) = (Ipv6Addr::LOCALHOST, Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));
    assert!(!all_local(&[local(own)], &[loopback, own]));
    assert!(all_local(&[local(own), local(loopback)], &[loopback, own]));
}

fn entry_with(word: &str) -> usize {
    let model = ruleset(&Layout::default(), Side::Gate);
    let has = |object| serde_json::to_string(object).is_ok_and(|text| text.contains(word));
    model.objects.iter().position(has).expect("the gate's rules have it")
}

#[test]
fn a_kernel_without_tproxy_is_told_apart() {
    assert!(matches!(refused(entry_with("tproxy"), Errno::ENOENT), BuildError::NoTproxy { .. }));
    assert!(matches!(refused(entry_with("reject"), Errno::ENOENT), BuildError::Rule { .. }));
}

#[test]
fn a_kernel_without_nf_tables_is_told_apart() {
    assert!(matches!(refused(usize::MAX, Errno::EINVAL), BuildError::NoNfTables { .. }));
    assert!(matches!(refused(0, Errno::EOPNOTSUPP), BuildError::NoNfTables { .. }));
}

#[test]
fn a_kernel_without_veth_is_told_apart() {
    let refused = |step| link_refused(step, "g0".into(), Side::Gate, Errno::EOPNOTSUPP);
    assert!(matches!(refused(links::MAKE_VETH), BuildError::NoVeth { .. }));
    assert!(matches!(refused("add the route"), BuildError::Link { .. }));
}
