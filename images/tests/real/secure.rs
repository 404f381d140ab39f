//! What comes over TLS from a registry that wants tokens, and for which machine.

use bottle_images::PullError;
use serde_json::json;

use super::made::{Layer, Layers, Packed, index, layout, machine};
use super::place::Place;
use super::server::{REFRESH, Server, logged_in};

fn layers(content: &str) -> Layers {
    vec![(Layer::new().directory("etc", 0o755).file("etc/conf", content).bytes(), Packed::Gzip)]
}

/// Lets the place believe what the registry's authority signed.
fn believe(place: &Place, server: &Server) {
    let file = format!("certs.d/127.0.0.1:{}/ca.crt", server.port);
    place.configure(&file, &String::from_utf8(server.authority()).unwrap());
}

#[test]
fn a_token_is_had_for_a_password_for_a_refresh_token_and_by_anybody() {
    let place = Place::new();
    let server = Server::secure(&place.path("registry"));
    let (layout, digest) = layout(&place.path("layout"), layers("one"));
    server.push(&layout, "public/tool:1");
    server.push(&layout, "team/tool:1");
    believe(&place, &server);
    assert_eq!(place.pull(&server.name("public/tool:1")).unwrap().image.digest(), digest);
    let refused = place.pull(&server.name("team/tool:1")).unwrap_err();
    assert!(matches!(refused, PullError::Refused { known: false, .. }), "{refused:?}");
    place.configure("auth.json", &logged_in(&[&server]));
    assert_eq!(place.pull(&server.name("team/tool:1")).unwrap().image.digest(), digest);
    let identity = |token: &str| json!({ "auths": { format!("127.0.0.1:{}", server.port): { "auth": "YW5uOg==", "identitytoken": token } } });
    place.configure("auth.json", &identity(REFRESH).to_string());
    assert_eq!(place.pull(&server.name("team/tool:1")).unwrap().image.digest(), digest);
    place.configure("auth.json", &identity("another").to_string());
    let refused = place.pull(&server.name("team/tool:1")).unwrap_err();
    assert!(matches!(refused, PullError::Refused { known: true, .. }), "{refused:?}");
    assert!(!format!("{refused} {refused:?}").contains("another"), "{refused:?}");
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let place = Place::new();
    let (server, other) = (Server::secure(&place.path("registry")), Server::secure(&place.path("other")));
    let (layout, _) = layout(&place.path("layout"), layers("one"));
    server.push(&layout, "public/tool:1");
    let name = server.name("public/tool:1");
    let refused = place.pull(&name).unwrap_err();
    assert!(matches!(refused, PullError::Network { .. }), "{refused:?}");
    // What is believed of one registry is not of another.
    believe(&place, &other);
    assert!(matches!(place.pull(&name), Err(PullError::Network { .. })));
    assert!(place.store.names().unwrap().is_empty());
}

#[test]
fn of_images_for_several_machines_this_ones_is_taken() {
    let place = Place::new();
    let server = Server::secure(&place.path("registry"));
    believe(&place, &server);
    let directory = place.path("layout");
    let foreign = if machine() == "amd64" { "arm64" } else { "amd64" };
    let images = [("s390x", "one"), (foreign, "two"), (machine(), "three"), ("riscv64", "four")];
    let whole = index(&directory, &images.map(|(architecture, content)| (architecture, layers(content))));
    server.push(&directory, "public/many:1");
    let by_tag = place.pull(&server.name("public/many:1")).unwrap();
    let unpacked = place.unpack(&by_tag);
    assert_eq!(std::fs::read(unpacked.layers()[0].join("etc/conf")).unwrap(), b"three");
    let by_digest = place.pull(&format!("{}@{whole}", server.name("public/many"))).unwrap();
    assert_eq!(by_digest.image.digest(), by_tag.image.digest());
    // The others' layers were not fetched: one manifest, one configuration, one layer, and the index where it is kept.
    assert!(place.count("blobs/sha256") <= 4, "{}", place.count("blobs/sha256"));
    let others = place.path("others");
    index(&others, &[("s390x", layers("one")), (foreign, layers("two"))]);
    server.push(&others, "public/others:1");
    let error = place.pull(&server.name("public/others:1")).unwrap_err();
    assert!(error.to_string().contains("linux/s390x"), "{error}");
}
