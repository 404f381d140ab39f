//! Which address inside the bottle stands for a name?

use std::{
    collections::HashMap,
    net::Ipv4Addr,
    sync::{PoisonError, RwLock},
};

use hmac::{Hmac, KeyInit, Mac};
use ipnet::Ipv4Net;
use sha2::Sha256;

use crate::Name;

/// The default pool, used only inside the sealed pair. `ip_ranges` may not overlap it.
pub const POOL: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(28, 0, 0, 0), 8);

/// How many names one bottle can hold.
pub const MOST: usize = 65_536;

/// The names that have an address, both ways.
///
/// An address is a keyed hash of its name, so it is the same for the whole run and, with the same key, in the next one,
/// unless another name took it first; it is never given to a second name. Without the key, an address tells nothing of its name.
pub struct Leases {
    key: [u8; 32],
    pool: Ipv4Net,
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    by_name: HashMap<Name, Ipv4Addr>,
    by_address: HashMap<Ipv4Addr, Name>,
}

/// All addresses of the pool that may be leased are taken, or [`MOST`] names hold one.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("no address is left for another name")]
pub struct Full;

impl Leases {
    /// An empty table. The first /16 of the pool holds the gate and the agent and is never leased, so a pool longer than /15 leases nothing.
    pub fn new(key: [u8; 32], pool: Ipv4Net) -> Self {
        Self { key, pool: pool.trunc(), table: RwLock::default() }
    }

    /// The address that stands for `name`, new or the one it has.
    pub fn lease(&self, name: &Name) -> Result<Ipv4Addr, Full> {
        if let Some(address) = self.read().by_name.get(name) {
            return Ok(*address);
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = table.by_name.get(name) {
            return Ok(*address);
        }
        if table.by_name.len() >= MOST {
            return Err(Full);
        }
        let address = self.free_address(&table, name).ok_or(Full)?;
        table.by_name.insert(name.clone(), address);
        table.by_address.insert(address, name.clone());
        Ok(address)
    }

    /// The name that `address` stands for, if it was leased.
    pub fn name(&self, address: Ipv4Addr) -> Option<Name> {
        self.read().by_address.get(&address).cloned()
    }

    /// How many names hold an address.
    pub fn len(&self) -> usize {
        self.read().by_name.len()
    }

    /// Whether no name holds an address yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts at the hash and steps on to the next free address. With at most 65,536 names this ends soon.
    fn free_address(&self, table: &Table, name: &Name) -> Option<Ipv4Addr> {
        const SKIPPED: u64 = 1 << 16;
        let pool_size = 1u64 << (32 - self.pool.prefix_len());
        let reserved_end = 2;
        let size = pool_size.checked_sub(SKIPPED + reserved_end).filter(|size| *size > 0)?;
        let first = u64::from(u32::from(self.pool.network())) + SKIPPED;
        let start = self.hash(name) % size;
        (0..size.min(2 * MOST as u64))
            .map(|step| Ipv4Addr::from((first + (start + step) % size) as u32))
            .find(|address| !table.by_address.contains_key(address))
    }

    /// HMAC-SHA256 (RFC 2104) of the name, first eight bytes.
    fn hash(&self, name: &Name) -> u64 {
        let mut hash = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        hash.update(name.as_str().as_bytes());
        let digest: [u8; 32] = hash.finalize().into_bytes().into();
        u64::from_be_bytes(*digest.first_chunk().expect("32 bytes hold 8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).expect(text)
    }

    /// The last address that a host could have: a probe tries one that no name holds.
    fn never_leased(pool: Ipv4Net) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(pool.broadcast()) & !1)
    }

    #[test]
    fn a_name_keeps_its_address_in_this_run_and_the_next() {
        let (one, two) = (Leases::new([7; 32], POOL), Leases::new([7; 32], POOL));
        let address = one.lease(&name("a.example"));
        assert_eq!(address, one.lease(&name("A.example.")));
        assert!(two.lease(&name("b.example")).is_ok());
        assert_eq!(address, two.lease(&name("a.example")));
        assert_ne!(address, Leases::new([8; 32], POOL).lease(&name("a.example")));
    }

    #[test]
    fn an_address_gives_its_name_back_and_no_other_does() {
        let leases = Leases::new([0; 32], POOL);
        let address = leases.lease(&name("a.example")).expect("room");
        assert_eq!(leases.name(address), Some(name("a.example")));
        assert_eq!(leases.name(never_leased(POOL)), None);
    }

    #[test]
    fn every_address_lies_in_the_pool_outside_its_first_16_and_is_given_once() {
        let leases = Leases::new([3; 32], POOL);
        let first: Ipv4Net = "28.0.0.0/16".parse().expect("a network");
        let mut seen = std::collections::HashSet::new();
        for i in 0..MOST {
            let address = leases.lease(&name(&format!("n{i}.example"))).expect("room");
            assert!(POOL.contains(&address) && !first.contains(&address));
            assert!(address != POOL.broadcast() && address != never_leased(POOL));
            assert!(seen.insert(address), "{address} was given twice");
        }
        assert_eq!(leases.lease(&name("one.more.example")), Err(Full));
        assert!(leases.lease(&name("n0.example")).is_ok(), "known names still answer");
        assert_eq!(leases.len(), MOST);
    }

    #[test]
    fn names_that_collide_get_different_addresses_until_the_pool_is_full() {
        let pool: Ipv4Net = "28.0.0.0/15".parse().expect("a network");
        let leases = Leases::new([1; 32], pool);
        let room = (1usize << 16) - 2;
        let given: std::collections::HashSet<_> =
            (0..room).map(|i| leases.lease(&name(&format!("n{i}.example"))).expect("room")).collect();
        assert_eq!(given.len(), room);
        assert!(!given.contains(&never_leased(pool)));
        assert_eq!(leases.lease(&name("more.example")), Err(Full));
    }

    #[test]
    fn a_pool_without_room_beyond_its_first_16_leases_nothing() {
        let leases = Leases::new([1; 32], "28.0.0.0/16".parse().expect("a network"));
        assert_eq!(leases.lease(&name("a.example")), Err(Full));
    }

    #[test]
    fn threads_agree_on_one_address() {
        let leases = Leases::new([9; 32], POOL);
        let addresses: std::collections::HashSet<_> = std::thread::scope(|scope| {
            let ask = || leases.lease(&name("same.example")).expect("room");
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert_eq!((addresses.len(), leases.len()), (1, 1));
    }
}
