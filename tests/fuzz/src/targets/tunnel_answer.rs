//! Is what an upstream proxy answers to CONNECT read in one way, however it is cut, and no further than its end?

use bottle_proxy::http::{Opening, Tunnel};

use super::Reading;

pub(super) fn read(bytes: &[u8]) -> Reading {
    let whole = Tunnel::default().push(bytes);
    assert!(whole.0 <= bytes.len() && whole.0 <= Tunnel::MOST + 1, "more than there was");
    for size in [1, 7] {
        let (mut tunnel, mut taken, mut opening) = (Tunnel::default(), 0, Opening::Waiting);
        for piece in bytes.chunks(size) {
            let (count, next) = tunnel.push(piece);
            (taken, opening) = (taken + count, next);
            if opening != Opening::Waiting {
                break;
            }
        }
        assert_eq!((taken, opening), whole, "in one piece and in pieces of {size}");
    }
    (whole.1 == Opening::Open).into()
}
