//! Is the lab what its tests take it for? Sealed, answering plain clients, seeing everything, leaving nothing.

mod capture;
mod common;
mod dns;
mod lifetime;
mod peers;
mod sealed;
mod web;
