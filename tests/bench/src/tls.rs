//! Which certificate does the benchmark's server have, and how does its client know it?

use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, version};

use crate::Failure;

/// Makes a certificate for a name, and its key, as PEM files.
pub(crate) fn make(name: &str, certificate: &Path, key: &Path) -> Result<(), Failure> {
    let made = rcgen::generate_simple_self_signed([name.to_owned()])?;
    std::fs::write(certificate, made.cert.pem())?;
    Ok(std::fs::write(key, made.signing_key.serialize_pem())?)
}

/// Every handshake is a whole one: no tickets are given.
pub(crate) fn server(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, Failure> {
    let builder = ServerConfig::builder_with_provider(ring::default_provider().into());
    let builder = builder.with_protocol_versions(&[&version::TLS13])?.with_no_client_auth();
    let chain = vec![CertificateDer::from_pem_file(certificate)?];
    let mut config = builder.with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Trusts that one certificate and resumes nothing.
pub(crate) fn client(certificate: &Path) -> Result<Arc<ClientConfig>, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let builder = ClientConfig::builder_with_provider(ring::default_provider().into());
    let builder = builder.with_protocol_versions(&[&version::TLS13])?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}
