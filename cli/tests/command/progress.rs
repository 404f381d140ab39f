//! Does a person see that a pull goes on, on a terminal, and does a file get lines and no drawing?

use std::io::Read;
use std::process::Stdio;

use crate::place::{Place, terminal};
use crate::registry::{Proxy, Server, layout, noise};

/// An image of 8 MiB behind a way that is slow enough to be watched.
fn slow(place: &Place) -> (Server, Proxy, String) {
    let server = Server::start(place);
    layout(place, "layout", &noise(8 << 20));
    server.push(place, "layout", "big:1");
    let proxy = Proxy::start(server.port);
    server.configure(place, proxy.port);
    let name = format!("127.0.0.1:{}/big:1", proxy.port);
    (server, proxy, name)
}

/// The digest of the image's one layer, and how much of it there is, as they are shown.
fn layer(place: &Place) -> (String, String) {
    let blobs = std::fs::read_dir(place.path("layout/blobs/sha256")).expect("blobs").flatten();
    let sizes = blobs.map(|blob| (blob.metadata().expect("a blob").len(), blob.file_name()));
    let (size, name) = sizes.max().expect("a layer");
    let total = format!("MiB/{:.2} MiB", size as f64 / f64::from(1 << 20));
    (name.to_str().expect("hex")[..12].to_owned(), total)
}

#[test]
fn on_a_terminal_a_bar_grows_and_is_gone_at_the_end() {
    bottle_lab::require();
    let place = Place::new();
    let (_server, _proxy, name) = slow(&place);
    let (mut seen, other) = terminal();
    let mut command = place.command(&["image", "pull", &name]);
    command.env("HOME", place.path("home")).env("TERM", "xterm").stdout(Stdio::null()).stderr(other);
    let mut child = command.spawn().expect("the built command");
    drop(command);
    let mut shown = Vec::new();
    // The last one at the other side leaves: that is an error here, and the end.
    let _ = seen.read_to_end(&mut shown);
    assert!(child.wait().expect("it ended").success());
    let shown = String::from_utf8_lossy(&shown).into_owned();
    let (layer, total) = layer(&place);
    let (drawn, rest) = shown.rsplit_once(&total).unwrap_or_else(|| panic!("no bar with {total}: {shown:?}"));
    assert!(drawn.contains(&layer), "whose bar it is: {shown:?}");
    let positions = shown.split(&total).filter_map(|before| before.rsplit(' ').nth(1)?.parse::<f64>().ok());
    let positions: Vec<f64> = positions.collect();
    assert!(
        positions.len() > 5 && positions.is_sorted() && positions[0] < positions[positions.len() - 1],
        "{positions:?}"
    );
    let lengths = |line: &str| line.matches('█').count();
    let bars: Vec<usize> = shown.split(&layer).map(lengths).collect();
    assert!(bars.iter().any(|length| *length > 20) && bars.iter().any(|length| (1..20).contains(length)), "{bars:?}");
    // The lines are cleared, and what is said stays.
    assert!(rest.contains("\x1b[2K") && rest.contains(&format!("{name} is here")), "{rest:?}");
}

#[test]
fn into_a_pipe_a_line_is_said_for_what_is_done_and_nothing_is_drawn() {
    bottle_lab::require();
    let place = Place::new();
    let (_server, proxy, name) = slow(&place);
    proxy.hurry();
    let mut command = place.command(&["image", "pull", &name]);
    let output = command.env("HOME", place.path("home")).env("TERM", "xterm").output().expect("the built command");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{said}");
    assert!(!said.contains(['\x1b', '\r', '█']), "{said:?}");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.contains(&format!("bottle: {} is stored", layer(&place).0).as_str()), "{said}");
    assert_eq!(lines.last().copied(), Some(format!("bottle: {name} is here").as_str()), "{said}");
}
