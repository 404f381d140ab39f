//! Does the capture show every packet, on each link?

use crate::common::{output, start};
use bottle_lab::addresses::{ATTACKER, HOST, WEB};
use bottle_lab::{Lab, Options, Packet};

#[test]
fn a_syn_is_seen_on_both_ends_of_the_link() {
    let lab = start();
    let script = "import socket,sys; s=socket.socket(); s.settimeout(5); s.connect_ex((sys.argv[1],4445))";
    output(lab.command("python3").args(["-c", script, &ATTACKER.to_string()]));
    for (link, outgoing) in [("host/eth0", true), ("internet/wan0", false)] {
        let packets = lab.packets(link).unwrap();
        let syns: Vec<&Packet> = packets.iter().filter(|packet| packet.is_syn()).collect();
        assert_eq!(syns.len(), 1, "{link}: {packets:?}");
        assert_eq!(syns[0].destination(), Some((ATTACKER, 4445).into()));
        assert_eq!(syns[0].source().unwrap().ip(), HOST);
        assert_eq!(syns[0].outgoing, outgoing);
        assert!(packets.iter().any(Packet::is_reset));
    }
}

#[test]
fn a_name_in_a_client_hello_is_in_the_capture() {
    let lab = start();
    output(lab.command("curl").args(["-sS", "https://web.lab.example/"]));
    let packets = lab.packets("host/eth0").unwrap();
    let shown = packets.iter().filter(|packet| {
        packet.destination() == Some((WEB, 443).into()) || packet.destination().is_some_and(|to| to.port() == 443)
    });
    let shown = shown.filter(|packet| packet.payload().windows(15).any(|part| part == b"web.lab.example")).count();
    assert_eq!(shown, 1);
}

#[test]
fn an_idle_lab_sends_nothing() {
    let lab = start();
    let packets = lab.all_packets().unwrap();
    let sent: Vec<&Packet> = packets.iter().filter(|packet| !packet.is_housekeeping()).collect();
    assert!(sent.is_empty(), "{sent:?}");
}

#[test]
fn a_hundred_megabytes_lose_no_packet() {
    let lab = start();
    let url = "http://web.lab.example/bytes/100000000";
    output(lab.command("curl").args(["-sS", "-o", "/dev/null", url]));
    let carried: u64 = lab
        .packets("host/eth0")
        .unwrap()
        .iter()
        .filter(|packet| !packet.outgoing)
        .map(|packet| u64::from(packet.length))
        .sum();
    assert!(carried > 100_000_000, "{carried}");
}

#[test]
fn a_capture_is_a_file_that_tools_read() {
    let lab = start();
    output(lab.command("curl").args(["-sS", "http://web.lab.example/"]));
    let file = lab.pcapng().unwrap();
    assert_eq!(file[..4], [0x0a, 0x0d, 0x0d, 0x0a]);
    assert_eq!(lab.all_packets().unwrap().first().map(|packet| packet.link.split('/').count()), Some(2));
}

#[test]
fn without_a_capture_there_are_no_packets() {
    bottle_lab::require();
    let lab = Lab::start(Options::default().without_capture()).unwrap();
    output(lab.command("curl").args(["-sS", "http://web.lab.example/"]));
    assert!(lab.all_packets().unwrap().is_empty());
}
