//! What can a compromised gate do by itself?

use std::net::SocketAddr;

use bottle_lab::addresses::{ATTACKER, ATTACKER_V6};
use rustix::io::Errno;

use crate::calls;
use crate::puppet::Puppet;
use crate::scene;
use crate::world::World;

const TOKEN: &[u8] = b"token-of-the-compromised-gate";

#[test]
fn a_compromised_gate_can_open_start_and_reach_nothing() {
    let world = World::new();
    let running = scene::bottle(&world);
    let gate = Puppet::hold(&running.processes().gate);
    calls::assert_refused(&gate, &[libc::SYS_accept4, libc::SYS_splice, libc::SYS_pipe2]);
    for family in 0..64 {
        for kind in 1..=10 {
            assert_eq!(gate.call(libc::SYS_socket, &[family, kind, 0]), Err(Errno::PERM), "family {family}");
        }
    }
    drop(gate);
    scene::assert_unharmed(&world, running);
}

#[test]
fn a_compromised_gate_can_lead_no_socket_that_it_holds_elsewhere() {
    let world = World::new();
    let running = scene::bottle(&world);
    let gate = Puppet::hold(&running.processes().gate);
    let targets = [SocketAddr::from((ATTACKER, 9)), SocketAddr::from((ATTACKER_V6, 9))];
    let kinds = [libc::SOCK_STREAM, libc::SOCK_DGRAM];
    let of = |family| kinds.into_iter().flat_map(|kind| gate.sockets(family, kind)).collect::<Vec<u64>>();
    let sockets = [of(libc::AF_INET), of(libc::AF_INET6)].concat();
    assert!(sockets.len() >= 6, "its listeners: {sockets:?}");
    for socket in sockets {
        for target in targets {
            assert_eq!(gate.connect(socket, target), Err(Errno::PERM));
            assert_eq!(gate.call(libc::SYS_bind, &[socket]), Err(Errno::PERM));
            // One that is connected is so to the workload or to an allowed host, and takes no other address.
            let (name, length) = (gate.space(128), gate.put(&128_u32.to_ne_bytes()));
            if gate.call(libc::SYS_getpeername, &[socket, name, length]).is_err() {
                // Where it is sent to has no uplink: what the call says does not matter.
                let _ = gate.send_to(socket, target, TOKEN);
            }
            let fast_open = libc::MSG_FASTOPEN as u64;
            assert_eq!(gate.call(libc::SYS_sendto, &[socket, 0, 0, fast_open]), Err(Errno::PERM));
        }
        for (level, option) in [(libc::SOL_SOCKET, libc::SO_BINDTODEVICE), (libc::IPPROTO_IP, libc::IP_OPTIONS)] {
            assert_eq!(gate.call(libc::SYS_setsockopt, &[socket, level as u64, option as u64]), Err(Errno::PERM));
        }
    }
    drop(gate);
    scene::assert_unharmed(&world, running);
    let seen = world.lab.all_packets().unwrap();
    let strays = seen.iter().filter(|packet| {
        let to_attacker = packet.destination().is_some_and(|to| targets.map(|target| target.ip()).contains(&to.ip()));
        to_attacker || packet.bytes.windows(TOKEN.len()).any(|window| window == TOKEN)
    });
    assert_eq!(strays.count(), 0);
}

/// nfnetlink carries the packet log and the rules alike, so the sockets for the one reach the other.
#[test]
fn a_compromised_gate_can_not_flush_the_rules_by_the_sockets_of_the_packet_log() {
    let world = World::new();
    let running = scene::bottle(&world);
    let gate = Puppet::hold(&running.processes().gate);
    let sockets: Vec<u64> =
        [libc::SOCK_RAW, libc::SOCK_DGRAM].into_iter().flat_map(|kind| gate.sockets(libc::AF_NETLINK, kind)).collect();
    assert!(sockets.len() >= 2, "one for each namespace");
    for socket in sockets {
        gate.forget();
        let batch = flush();
        let at = gate.put(&batch);
        let dont_wait = libc::MSG_DONTWAIT as u64;
        gate.call(libc::SYS_sendto, &[socket, at, batch.len() as u64, dont_wait, 0, 0]).unwrap();
        let room = gate.space(8192);
        gate.call(libc::SYS_recvfrom, &[socket, room, 8192, dont_wait, 0, 0]).unwrap();
        let error = i32::from_ne_bytes(gate.get(room + 16, 4).try_into().unwrap());
        assert_eq!(Errno::from_raw_os_error(-error), Errno::PERM);
        // What else is said is not for the gate to stumble over.
        while gate.call(libc::SYS_recvfrom, &[socket, room, 8192, dont_wait, 0, 0]).is_ok() {}
    }
    drop(gate);
    scene::assert_unharmed(&world, running);
}

/// A batch that deletes all tables (nfnetlink.h, nf_tables.h).
fn flush() -> Vec<u8> {
    const NF_TABLES: u8 = 10;
    const DELETE_TABLE: u16 = ((NF_TABLES as u16) << 8) | 2;
    let (begin, end) = (message(0x10, [0, 0, 0, NF_TABLES]), message(0x11, [0, 0, 0, NF_TABLES]));
    [begin, message(DELETE_TABLE, [0; 4]), end].concat()
}

/// One netlink message that asks for an answer.
fn message(kind: u16, body: [u8; 4]) -> Vec<u8> {
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
    let (length, number) = (20_u32.to_ne_bytes(), 1_u32.to_ne_bytes());
    [&length[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &number, &[0; 4], &body].concat()
}
