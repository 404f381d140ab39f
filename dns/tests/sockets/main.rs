//! The sinkhole on real loopback sockets, asked by real messages.

mod datagram;
mod server;
mod stream;
