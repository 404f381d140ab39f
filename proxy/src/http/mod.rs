//! What does one plain HTTP request say, where does it end, and what may go on to a server? And what does a proxy answer?
//!
//! Strict on purpose: whatever two servers might read in two ways is refused here. All pure.

mod body;
mod chunked;
mod fields;
mod head;
mod requests;
mod response;
mod rewrite;
mod tunnel;

pub use body::{Body, BodyError};
pub use head::{Form, Head, HeadError};
pub use requests::{Requests, Step};
pub use response::{Answer, Answers};
pub use rewrite::{for_origin, without_upgrade};
pub use tunnel::{Opening, Tunnel};
