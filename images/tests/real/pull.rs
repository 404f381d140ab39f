//! What comes from a registry, and what does not.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bottle_images::{BlobError, Digest, Event, PullError};

use super::made::{Layer, Packed, layout, noise};
use super::place::Place;
use super::server::{Server, insecure, logged_in};

fn image(place: &Place) -> (std::path::PathBuf, Digest) {
    let first = Layer::new().directory("bin", 0o755).file("bin/tool", "one").bytes();
    let second = Layer::new().directory("etc", 0o755).file("etc/conf", "two").bytes();
    let third = Layer::new().directory("lib", 0o755).file("lib/so", "three").bytes();
    layout(&place.path("layout"), vec![(first, Packed::Gzip), (second, Packed::Zstd), (third, Packed::Plain)])
}

#[test]
fn an_image_comes_with_a_password_over_plain_http_where_that_is_configured() {
    let place = Place::new();
    let server = Server::start(&place.path("registry"));
    let (layout, digest) = image(&place);
    server.push(&layout, "team/tool:1");
    place.configure("registries.conf", &insecure(&[&server]));
    let refused = place.pull(&server.name("team/tool:1")).unwrap_err();
    assert!(matches!(refused, PullError::Refused { known: false, .. }), "{refused:?}");
    assert!(refused.hint().unwrap().contains("podman login"));
    place.configure("auth.json", &logged_in(&[&server]));
    let loaded = place.pull(&server.name("team/tool:1")).unwrap();
    assert_eq!(loaded.image.digest(), digest);
    let unpacked = place.unpack(&loaded);
    assert_eq!(std::fs::read(unpacked.layers()[1].join("etc/conf")).unwrap(), b"two");
    let missing = place.pull(&server.name("team/tool:2")).unwrap_err();
    assert!(matches!(missing, PullError::NotFound { .. }), "{missing:?}");
    let by_digest = place.pull(&format!("{}@{digest}", server.name("team/tool"))).unwrap();
    assert_eq!(by_digest.image, loaded.image);
}

#[test]
fn plain_http_is_not_taken_where_it_is_not_configured() {
    let place = Place::new();
    let server = Server::start(&place.path("registry"));
    let error = place.pull(&server.name("x")).unwrap_err();
    assert!(matches!(error, PullError::Network { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("insecure"));
}

#[test]
fn a_mirror_is_asked_first_and_the_registry_where_it_fails() {
    let place = Place::new();
    let (mirror, real) = (Server::start(&place.path("mirror")), Server::start(&place.path("real")));
    let (layout, digest) = image(&place);
    mirror.push(&layout, "both:1");
    real.push(&layout, "both:1");
    real.push(&layout, "one:1");
    let configuration = format!(
        "unqualified-search-registries = ['r.example']\n[[registry]]\nprefix = 'r.example'\nlocation = '127.0.0.1:{}'\ninsecure = true\n\
         [[registry.mirror]]\nlocation = '127.0.0.1:{}'\ninsecure = true\n",
        real.port, mirror.port
    );
    place.configure("registries.conf", &configuration);
    place.configure("auth.json", &logged_in(&[&mirror, &real]));
    for (name, from) in [("both:1", mirror.port), ("one:1", real.port)] {
        let seen = Mutex::new(Vec::new());
        let listener = |event| {
            if let Event::Resolved { from, .. } = event {
                seen.lock().unwrap().push(from);
            }
        };
        let loaded = place.pull_and_tell(name, &listener).unwrap();
        assert_eq!(loaded.image.digest(), digest);
        assert_eq!(loaded.names, [format!("r.example/{name}")]);
        assert_eq!(seen.into_inner().unwrap(), [format!("127.0.0.1:{from}")]);
    }
}

/// Passes connections on to a registry, and breaks each answer off after so many bytes; nobody is answered after so many
/// that were broken off. How many those are.
fn breaking(to: u16, after: usize, most: usize) -> (u16, std::sync::Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let broken = std::sync::Arc::new(AtomicUsize::new(0));
    let count = broken.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            if count.load(Ordering::Relaxed) >= most {
                continue;
            }
            let (mut client, mut server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", to)).unwrap());
            let (mut up, mut down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut up, &mut down));
            let count = count.clone();
            std::thread::spawn(move || {
                let copied = std::io::copy(&mut (&mut server).take(after as u64), &mut client).unwrap_or(0);
                count.fetch_add(usize::from(copied == after as u64), Ordering::Relaxed);
                let _ = client.flush();
                let _ = client.shutdown(std::net::Shutdown::Both);
                let _ = server.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    (port, broken)
}

/// Has the registry hold an image of 5 MiB, `big:1`: its layer and digest.
fn big(place: &Place, server: &Server) -> (Vec<u8>, Digest) {
    let content = noise(5 << 20);
    let layer = Layer::new().add(tar::EntryType::Regular, "noise", (0o644, 0, 0), "", &content).bytes();
    let (layout, digest) = layout(&place.path("layout"), vec![(layer.clone(), Packed::Plain)]);
    server.push(&layout, "big:1");
    (layer, digest)
}

/// The name of that image by another port, which is configured as the registry's own.
fn through(port: u16, place: &Place, server: &Server) -> String {
    let configuration = format!("[[registry]]\nlocation = '127.0.0.1:{port}'\ninsecure = true\n");
    place.configure("registries.conf", &(insecure(&[server]) + &configuration));
    let (logged_in, own) = (logged_in(&[server]), server.port.to_string());
    place.configure("auth.json", &logged_in.replace(&own, &port.to_string()));
    server.name("big:1").replace(&own, &port.to_string())
}

#[test]
fn a_download_that_is_cut_off_for_good_is_given_up_and_a_later_one_goes_on_with_it() {
    let place = Place::new();
    let server = Server::start(&place.path("registry"));
    let (layer, digest) = big(&place, &server);
    let (port, broken) = breaking(server.port, 1 << 20, 2);
    let name = through(port, &place, &server);
    let retries = AtomicUsize::new(0);
    let listener =
        |event| _ = retries.fetch_add(usize::from(matches!(event, Event::Retrying { .. })), Ordering::Relaxed);
    let error = place.pull_and_tell(&name, &listener).unwrap_err();
    assert!(matches!(error, PullError::Network { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("reachable"), "{error:?}");
    // Twice it got on, and after that it was tried a bounded number of times.
    assert_eq!((broken.load(Ordering::Relaxed), retries.load(Ordering::Relaxed)), (2, 7));
    assert_eq!(place.count("partial"), 1);
    assert!(place.store.names().unwrap().is_empty());
    place.configure("auth.json", &logged_in(&[&server]));
    let started = Mutex::new(BTreeMap::new());
    let listener = |event| {
        if let Event::Started { blob, resumed, .. } = event {
            started.lock().unwrap().insert(blob, resumed);
        }
    };
    assert_eq!(place.pull_and_tell(&server.name("big:1"), &listener).unwrap().image.digest(), digest);
    assert!(started.into_inner().unwrap()[&Digest::of(&layer)] > 1 << 20);
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_ended() {
    let place = Place::new();
    let server = Server::start(&place.path("registry"));
    let (layer, digest) = big(&place, &server);
    let (port, broken) = breaking(server.port, 1 << 20, usize::MAX);
    let through = through(port, &place, &server);
    let positions = Mutex::new(BTreeMap::<Digest, Vec<u64>>::new());
    let listener = |event| {
        if let Event::Progress { blob, position } = event {
            positions.lock().unwrap().entry(blob).or_default().push(position);
        }
    };
    let loaded = place.pull_and_tell(&through, &listener).unwrap();
    assert_eq!(loaded.image.digest(), digest);
    assert!(broken.load(Ordering::Relaxed) >= 4);
    // It never went back: what had arrived was kept.
    let positions = positions.into_inner().unwrap();
    assert!(positions[&Digest::of(&layer)].windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn what_an_earlier_attempt_damaged_is_had_anew() {
    let place = Place::new();
    let server = Server::start(&place.path("registry"));
    let (layout, digest) = image(&place);
    server.push(&layout, "x:1");
    place.configure("registries.conf", &insecure(&[&server]));
    place.configure("auth.json", &logged_in(&[&server]));
    let blob = Layer::new().directory("lib", 0o755).file("lib/so", "three").bytes();
    std::fs::write(place.path("images/partial").join(Digest::of(&blob).hex()), "damaged").unwrap();
    assert_eq!(place.pull(&server.name("x:1")).unwrap().image.digest(), digest);
    assert_eq!(place.count("partial"), 0);
}

/// A registry that gives one answer to everything that begins with the path, and 404 to the rest.
fn lying(answers: Vec<(String, Vec<u8>)>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answers = std::sync::Arc::new(answers);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, answers) = (client.unwrap(), answers.clone());
            std::thread::spawn(move || answer(client, &answers));
        }
    });
    port
}

fn answer(mut client: TcpStream, answers: &[(String, Vec<u8>)]) {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match client.read(&mut buffer) {
            Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let answer = answers.iter().find(|(begin, _)| path.starts_with(begin));
    let head = |status: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n")
    };
    // Who asks may have gone.
    let _ = match answer {
        Some((_, body)) => {
            client.write_all(head("200 OK", body.len()).as_bytes()).and_then(|()| client.write_all(body))
        }
        None => client.write_all(head("404 Not Found", 0).as_bytes()),
    };
}

/// A registry that gives the first byte of a layer only when as many are asked for at once.
fn waiting_for_all(answers: Vec<(String, Vec<u8>)>, together: &[String]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let all = std::sync::Arc::new(std::sync::Barrier::new(together.len()));
    let (answers, together) = (std::sync::Arc::new(answers), std::sync::Arc::new(together.to_vec()));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, all, answers, together) = (client.unwrap(), all.clone(), answers.clone(), together.clone());
            std::thread::spawn(move || {
                let mut begun = [0; 4096];
                let count = client.peek(&mut begun).unwrap_or(0);
                let begun = String::from_utf8_lossy(&begun[..count]).into_owned();
                if together.iter().any(|path| begun.starts_with(&format!("GET {path} "))) {
                    all.wait();
                }
                answer(client, &answers);
            });
        }
    });
    port
}

#[test]
fn the_layers_of_an_image_come_at_the_same_time() {
    let place = Place::new();
    let (layout, digest) = image(&place);
    let manifest = std::fs::read(layout.join("blobs/sha256").join(digest.hex())).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let path = |described: &serde_json::Value| format!("/v2/x/blobs/{}", described["digest"].as_str().unwrap());
    let layers: Vec<String> = document["layers"].as_array().unwrap().iter().map(path).collect();
    let blob = |path: String| {
        let name = path.rsplit(':').next().unwrap().to_owned();
        (path, std::fs::read(layout.join("blobs/sha256").join(name)).unwrap())
    };
    let blobs = layers.iter().cloned().chain([path(&document["config"])]).map(blob);
    let others = [("/v2/x/manifests/".to_owned(), manifest.clone()), ("/v2/".to_owned(), Vec::new())];
    let port = waiting_for_all(blobs.chain(others).collect(), &layers);
    place.configure("registries.conf", &format!("[[registry]]\nlocation = '127.0.0.1:{port}'\ninsecure = true\n"));
    assert_eq!(place.pull(&format!("127.0.0.1:{port}/x")).unwrap().image.digest(), digest);
}

/// This one waits for the end of a request, and a handshake has none.
#[test]
fn a_plain_registry_that_is_silent_where_tls_begins_is_not_waited_for() {
    let place = Place::new();
    let (layout, digest) = image(&place);
    let manifest = std::fs::read(layout.join("blobs/sha256").join(digest.hex())).unwrap();
    let blobs = std::fs::read_dir(layout.join("blobs/sha256")).unwrap().map(|blob| blob.unwrap().path());
    let blobs = blobs.map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (format!("/v2/x/blobs/sha256:{name}"), std::fs::read(path).unwrap())
    });
    let others = [("/v2/x/manifests/".to_owned(), manifest), ("/v2/".to_owned(), Vec::new())];
    let port = lying(blobs.chain(others).collect());
    place.configure("registries.conf", &format!("[[registry]]\nlocation = '127.0.0.1:{port}'\ninsecure = true\n"));
    let begun = std::time::Instant::now();
    assert_eq!(place.pull(&format!("127.0.0.1:{port}/x")).unwrap().image.digest(), digest);
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// All blobs of a layout at their paths, each with its last bit changed.
fn flipped(layout: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let blobs = std::fs::read_dir(layout.join("blobs/sha256")).unwrap().map(|blob| blob.unwrap().path());
    let flipped = blobs.map(|path| {
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        (format!("/v2/x/blobs/sha256:{}", path.file_name().unwrap().to_str().unwrap()), bytes)
    });
    flipped.collect()
}

#[test]
fn what_a_registry_lies_about_is_an_error_and_leaves_nothing() {
    let place = Place::new();
    let (layout, digest) = image(&place);
    let manifest = std::fs::read(layout.join("blobs/sha256").join(digest.hex())).unwrap();
    let other = lying(vec![("/v2/x/manifests/".into(), manifest.clone()), ("/v2/x/blobs/".into(), b"other".to_vec())]);
    let endless = lying(vec![("/v2/x/manifests/".into(), vec![b' '; 5 << 20])]);
    let longer =
        lying(vec![("/v2/x/manifests/".into(), manifest.clone()), ("/v2/x/blobs/".into(), vec![b'x'; 1 << 20])]);
    let old = lying(vec![("/v2/x/manifests/".into(), br#"{"schemaVersion":1,"fsLayers":[]}"#.to_vec())]);
    // As long as it should be, and one bit is another.
    let changed = lying([vec![("/v2/x/manifests/".to_owned(), manifest.clone())], flipped(&layout)].concat());
    let unknown = String::from_utf8(manifest.clone()).unwrap().replace("layer.v1.tar", "layer.v9.cpio");
    let unknown = lying(vec![("/v2/x/manifests/".into(), unknown.into_bytes())]);
    let configuration = [other, longer, endless, old, changed, unknown]
        .map(|port| format!("[[registry]]\nlocation = '127.0.0.1:{port}'\ninsecure = true\n"));
    place.configure("registries.conf", &configuration.concat());
    let wrong = place.pull(&format!("127.0.0.1:{other}/x")).unwrap_err();
    assert!(matches!(wrong, PullError::Blob(BlobError::Short { .. })), "{wrong:?}");
    let wrong = place.pull(&format!("127.0.0.1:{longer}/x")).unwrap_err();
    assert!(matches!(wrong, PullError::Blob(BlobError::TooLong { .. })), "{wrong:?}");
    let wrong = place.pull(&format!("127.0.0.1:{changed}/x")).unwrap_err();
    assert!(matches!(wrong, PullError::Blob(BlobError::Mismatch { .. })), "{wrong:?}");
    let wrong = place.pull(&format!("127.0.0.1:{unknown}/x")).unwrap_err();
    let told = (wrong.to_string(), wrong.hint().unwrap_or_default());
    assert!(told.0.contains("layer.v9.cpio") && told.1.contains("an artifact"), "{told:?}");
    let wrong = place.pull(&format!("127.0.0.1:{other}/x@{}", Digest::of(b"wanted"))).unwrap_err();
    assert!(matches!(wrong, PullError::OtherManifest { .. }), "{wrong:?}");
    assert!(matches!(place.pull(&format!("127.0.0.1:{endless}/x")), Err(PullError::Answer { .. })));
    let error = place.pull(&format!("127.0.0.1:{old}/x")).unwrap_err();
    assert!(error.hint().unwrap().contains("schema 2"), "{error:?}");
    assert!(place.store.names().unwrap().is_empty());
    assert_eq!((place.count("blobs/sha256"), place.count("partial")), (0, 0));
}
