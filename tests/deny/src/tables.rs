//! What is allowed? Licences, least versions and bans, each with its reason. The only place to edit.

/// Licences that ask for nothing but their own text.
pub(crate) const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "NCSA",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Package, the first version without a known advisory in the line that is used here, and what was wrong before.
pub(crate) const LEAST: &[(&str, &str, &str)] = &[
    ("bytes", "1.11.1", "RUSTSEC-2026-0007, integer overflow in reserve"),
    ("crossbeam-channel", "0.5.15", "RUSTSEC-2025-0024, double free on drop"),
    ("curve25519-dalek", "4.1.3", "RUSTSEC-2024-0344, timing of scalar subtraction"),
    ("ed25519-dalek", "2.0.0", "RUSTSEC-2022-0093, signing with a foreign public key"),
    ("h2", "0.4.4", "RUSTSEC-2024-0332, continuation frames without end"),
    ("hickory-net", "0.26.3", "advisories against earlier releases of hickory-dns"),
    ("hickory-proto", "0.26.3", "RUSTSEC-2026-0119 and later advisories, work without bound on crafted messages"),
    ("hickory-resolver", "0.26.3", "CVE-2026-93657 and others, bogus answers taken for valid"),
    ("hickory-server", "0.26.3", "advisories against earlier releases of hickory-dns"),
    ("idna", "1.0.0", "RUSTSEC-2024-0421, names that are not what they look like"),
    ("ring", "0.17.12", "RUSTSEC-2025-0009, panic on overflow"),
    ("rustls", "0.23.18", "RUSTSEC-2024-0399, panic on a crafted ClientHello in Acceptor"),
    ("rustls-webpki", "0.103.13", "RUSTSEC-2026-0104 and others, revocation and name constraints"),
    ("slab", "0.4.11", "RUSTSEC-2025-0047, access out of bounds"),
    ("tar", "0.4.45", "RUSTSEC-2026-0067 and 0068, links followed while unpacking"),
    ("time", "0.3.47", "RUSTSEC-2026-0009, stack exhaustion while parsing"),
    ("tokio", "1.44.2", "RUSTSEC-2025-0023, broadcast clones without Sync"),
    ("tracing-subscriber", "0.3.20", "RUSTSEC-2025-0055, escape sequences reach the terminal"),
    ("tungstenite", "0.20.1", "RUSTSEC-2023-0065, headers without end"),
];

/// Packages that must not come in, by whatever way.
pub(crate) const BANNED: &[(&str, &str)] = &[
    ("libnftables1-sys", "GPL, and netlink is spoken directly"),
    ("native-tls", "TLS is rustls, everywhere"),
    ("openssl", "TLS is rustls, everywhere"),
    ("openssl-sys", "a C library that the built program would need"),
    ("rustables", "GPL"),
    ("serde_yaml", "unmaintained; documents are read with spans by serde-saphyr"),
];
