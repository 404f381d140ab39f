//! Are all spellings of a name one name, and none of them an address?

use std::net::IpAddr;

use bottle_policy::{Host, Name, Pattern, Rules, why};
use idna::uts46::{AsciiDenyList, Hyphens, Uts46};

use super::Reading;
use crate::pieces;

pub(super) fn read(bytes: &[u8]) -> Reading {
    let on_the_wire = Name::from_wire(bytes);
    let Some(text) = pieces::text(bytes) else {
        assert!(on_the_wire.is_err());
        return Reading::Refused;
    };
    let _ = (Rules::allow_flags(&[text]), why::ask(text));
    if let Ok(pattern) = Pattern::parse(text) {
        assert_eq!(Pattern::parse(&pattern.to_string()), Ok(pattern));
    }
    if let Ok((host, Some(port))) = Host::parse_with_port(text) {
        assert_eq!(Host::parse_with_port(&format!("{host}:{port}")), Ok((host, Some(port))));
    }
    let parsed = Name::parse(text);
    if text.is_ascii() {
        assert_eq!(parsed, on_the_wire);
        assert_eq!(parsed, Name::parse(&text.to_ascii_uppercase()), "case matters");
    }
    let Ok(name) = parsed else { return Reading::Refused };
    spellings(text, &name);
    Reading::Accepted
}

fn spellings(text: &str, name: &Name) {
    assert!(name.as_str().parse::<IpAddr>().is_err(), "{name} is an address");
    assert_eq!(Name::parse(name.as_str()).as_ref(), Ok(name), "not canonical");
    if !text.ends_with(['.', '。', '．', '｡']) {
        assert_eq!(Name::parse(&format!("{text}.")).as_ref(), Ok(name), "a trailing dot matters");
    }
    let (shown, _) = Uts46::new().to_unicode(name.as_str().as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow);
    // What looks like an A-label once more when it is shown has no other spelling than its own.
    let again = shown.split('.').any(|label| label.starts_with("xn--"));
    assert!(again || Name::parse(&shown).as_ref() == Ok(name), "the name as it is shown, {shown}, is another");
    assert!(
        Pattern::parse(text).is_ok_and(|pattern| pattern.matches(name)) || name.is_reserved() || text.starts_with('.')
    );
}
