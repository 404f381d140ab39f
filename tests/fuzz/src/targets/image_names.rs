//! Is an image's name the same when it is written again, and nothing but what a registry's path may hold?

use bottle_images::{ImageRef, Written};

use super::Reading;
use crate::pieces;

pub(super) fn read(bytes: &[u8]) -> Reading {
    let Some(text) = pieces::text(bytes) else { return Reading::Refused };
    let _ = ImageRef::parse(text);
    let Ok(written) = text.parse::<Written>() else { return Reading::Refused };
    assert_eq!(written.to_string().parse::<Written>().as_ref(), Ok(&written));
    if let Some(name) = written.full() {
        let again: Written = name.to_string().parse().expect("a full name is a name");
        assert_eq!(again.full().map(|again| again.to_string()), Some(name.to_string()));
        let path = format!("/v2/{}/manifests/{}", name.repository(), name.wanted());
        assert!(path.split('/').skip(1).all(|part| !part.is_empty() && part != "." && part != ".."), "{path}");
        assert!(path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%\\".contains(&byte)), "{path}");
    }
    Reading::Accepted
}
