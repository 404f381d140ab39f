//! What does a notification of packet rules or of a device's settings name?

use crate::survey::message::Attributes;
use crate::survey::rules;

/// The length of the header before every notification's own part.
const HEADER: usize = 16;

/// What was done, by the message numbers of nftables that are announced, and to what.
pub(crate) fn rules(kind: u16, bytes: &[u8]) -> String {
    let what = match kind & 0xff {
        0 => "table added or changed",
        2 => "table removed",
        3 => "chain added or changed",
        5 => "chain removed",
        6 => "rule added",
        8 => "rule removed",
        9 | 12 => "set added or changed",
        11 | 14 => "set removed or changed",
        15 => "new generation",
        18 => "object added or changed",
        20 => "object removed",
        _ => "changed",
    };
    match bytes.get(HEADER..).and_then(|payload| rules::named(kind, payload)) {
        Some(name) => format!("packet rules: {what}: {name}"),
        None => format!("packet rules: {what}"),
    }
}

/// Which setting of which device is what now, as `struct netconfmsg` and its attributes say (linux/netconf.h).
pub(crate) fn setting(bytes: &[u8]) -> String {
    let attributes = bytes.get(HEADER + 4..).and_then(|bytes| Attributes::of(bytes).ok());
    let family = match bytes.get(HEADER).map(|family| i32::from(*family)) {
        Some(libc::AF_INET) => "IPv4",
        Some(libc::AF_INET6) => "IPv6",
        _ => "unknown family",
    };
    let value = |number| {
        let value = attributes.as_ref().and_then(|attributes| attributes.value(number))?;
        value.try_into().ok().map(i32::from_ne_bytes)
    };
    let device = match value(DEVICE) {
        Some(-1) => "all devices".to_owned(),
        Some(-2) => "new devices".to_owned(),
        Some(index) => format!("device {index}"),
        None => "a device".to_owned(),
    };
    let made = SETTINGS.iter().filter_map(|(number, name)| Some(format!("{name} is {}", value(*number)?)));
    let made: Vec<String> = made.collect();
    let made = match &made[..] {
        [] => "changed or removed",
        [one] => one,
        // All of a device that is new or has another name.
        _ => "announced anew",
    };
    format!("{family} settings of {device}: {made}")
}

const DEVICE: u16 = 1;

const SETTINGS: [(u16, &str); 7] = [
    (2, "forwarding"),
    (3, "rp_filter"),
    (4, "mc_forwarding"),
    (5, "proxy_arp or proxy_ndp"),
    (6, "ignore_routes_with_linkdown"),
    (7, "the stack's input"),
    (8, "bc_forwarding"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_cut_short_names_as_much_as_it_has() {
        let attribute =
            |number: u16, value: [u8; 4]| [&8_u16.to_ne_bytes()[..], &number.to_ne_bytes(), &value].concat();
        let whole =
            [vec![0; HEADER], vec![2, 0, 0, 0], attribute(1, (-1_i32).to_ne_bytes()), attribute(2, [1, 0, 0, 0])];
        let whole = whole.concat();
        assert_eq!(setting(&whole), "IPv4 settings of all devices: forwarding is 1");
        for length in 0..whole.len() {
            assert!(setting(&whole[..length]).ends_with("changed or removed"), "{length}");
            assert_eq!(rules(0x0a06, &vec![0; length.min(HEADER)]), "packet rules: rule added");
        }
    }
}
