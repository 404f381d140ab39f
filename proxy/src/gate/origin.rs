//! Where did the workload want to go when its connection was redirected here?

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

/// Finds the destination that a connection had before it was redirected.
pub trait OriginalDst: Send + Sync + 'static {
    /// The destination. An error denies the connection.
    fn original(&self, stream: &TcpStream) -> io::Result<SocketAddr>;
}

/// With TPROXY the destination is the accepted socket's own address.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalAddress;

impl OriginalDst for LocalAddress {
    fn original(&self, stream: &TcpStream) -> io::Result<SocketAddr> {
        stream.local_addr()
    }
}
