//! The DNS sinkhole, on sockets and leases handed in.
