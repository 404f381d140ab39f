//! Is a dump of packet rules read in full: a rule more is a rule more in what is read?

use bottle_netns::fuzz;

use super::Reading;

pub(super) fn read(bytes: &[u8]) -> Reading {
    if !is_the_kernels(bytes) {
        return Reading::Refused;
    }
    let Some((messages, rules)) = fuzz::packet_rules(bytes) else { return Reading::Refused };
    let read = rules.tables.len() + rules.chains.len() + rules.rules.len() + rules.objects.len() + rules.sets.len();
    assert_eq!(read, messages, "an object of nftables is left out");
    let twice = fuzz::packet_rules(&[bytes, bytes].concat());
    if let Some((more, again)) = twice.filter(|(more, _)| *more == 2 * messages && messages > 0) {
        assert!(more > messages && again != rules, "a rule that is there twice is not seen");
    }
    Reading::Accepted
}

const NEW_RULE: u16 = 0x0a06;
const NEW_SET: u16 = 0x0a09;
const NEW_SET_ELEMENT: u16 = 0x0a0c;
/// Where attributes begin: after the headers of netlink and of netfilter.
const HEADERS: usize = 16 + 4;

/// What the crate that decodes rules takes for granted, with a panic where it is not so: the kernel writes the data of an
/// expression as one whole attribute. A panic ends the run, so it opens nothing; but it would hide what comes behind it.
fn is_the_kernels(mut dump: &[u8]) -> bool {
    while let Some(header) = dump.first_chunk::<6>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let Some(message) = dump.get(..length).filter(|message| message.len() >= HEADERS) else { return true };
        let whole = match u16::from_ne_bytes([header[4], header[5]]) {
            NEW_RULE => rule(&message[HEADERS..]).is_some(),
            // There are none in a bottle: one that is found is a deviation, whatever is in it.
            NEW_SET | NEW_SET_ELEMENT => false,
            _ => true,
        };
        if !whole {
            return false;
        }
        dump = dump.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    true
}

/// NFTA_RULE_EXPRESSIONS, NFTA_LIST_ELEM, NFTA_EXPR_NAME and NFTA_EXPR_DATA.
fn rule(bytes: &[u8]) -> Option<()> {
    for (_, list) in attributes(bytes)?.into_iter().filter(|(kind, _)| *kind == 4) {
        for (_, element) in attributes(list)? {
            let parts = attributes(element)?;
            let of = |wanted: u16| parts.iter().filter(move |(kind, _)| *kind == wanted).map(|(_, value)| *value);
            let data: &[u16] = match of(1).next().unwrap_or_default() {
                b"cmp\0" => &[3],
                b"immediate\0" => &[2],
                b"bitwise\0" => &[4, 5, 7],
                _ => continue,
            };
            for value in of(2) {
                let whole = |(kind, value): &(u16, &[u8])| {
                    !data.contains(kind) || attributes(value).is_some_and(|all| all.len() == 1)
                };
                attributes(value)?.iter().all(whole).then_some(())?;
            }
        }
    }
    Some(())
}

/// Number and value of each attribute, if they fill the bytes.
fn attributes(mut bytes: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let [a, b, c, d] = *bytes.first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([a, b]));
        found.push((u16::from_ne_bytes([c, d]) & 0x3fff, bytes.get(4..length)?));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(found)
}
