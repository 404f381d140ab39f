//! Does another parser read the same server name out of the same bytes? Where two differ, an upstream may follow either.

use bottle_policy::Name;
use rustls::server::Acceptor;

/// How the second opinion differs.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Disagreement {
    #[error("a second parser refuses the ClientHello")]
    Refused,
    #[error("a second parser finds no end of the ClientHello")]
    Incomplete,
    #[error("a second parser reads another server name")]
    Name,
}

/// Gives the records to rustls's acceptor, which only parses: no configuration, key or provider is involved.
pub(super) fn agrees(mut records: &[u8], sni: Option<&Name>) -> Result<(), Disagreement> {
    let mut acceptor = Acceptor::default();
    while !records.is_empty() {
        let before = records.len();
        acceptor.read_tls(&mut records).map_err(|_| Disagreement::Refused)?;
        match acceptor.accept() {
            Ok(Some(accepted)) => {
                let theirs = accepted.client_hello().server_name().map(|name| Name::from_wire(name.as_bytes()));
                let same = match (theirs, sni) {
                    (Some(Ok(theirs)), Some(ours)) => theirs == *ours,
                    (None, None) => true,
                    _ => false,
                };
                return if same { Ok(()) } else { Err(Disagreement::Name) };
            }
            Ok(None) if records.len() < before => {}
            Ok(None) => return Err(Disagreement::Incomplete),
            Err(_) => return Err(Disagreement::Refused),
        }
    }
    Err(Disagreement::Incomplete)
}
