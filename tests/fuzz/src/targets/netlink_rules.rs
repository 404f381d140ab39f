//! Is a dump of packet rules read in full: a rule more is a rule more in what is read?

use bottle_netns::fuzz;

use super::Reading;

pub(super) fn read(bytes: &[u8]) -> Reading {
    let Some((messages, rules)) = fuzz::packet_rules(bytes) else { return Reading::Refused };
    let read = rules.tables.len() + rules.chains.len() + rules.rules.len() + rules.objects.len() + rules.sets.len();
    assert_eq!(read, messages, "an object of nftables is left out");
    let twice = fuzz::packet_rules(&[bytes, bytes].concat());
    if let Some((more, again)) = twice.filter(|(more, _)| *more == 2 * messages && messages > 0) {
        assert!(more > messages && again != rules, "a rule that is there twice is not seen");
    }
    Reading::Accepted
}
