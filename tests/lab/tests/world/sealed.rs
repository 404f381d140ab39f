//! Is the lab's host sealed? Whatever is sent from it arrives in the lab's internet or nowhere.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use crate::common::{is_root, output, start};
use bottle_lab::addresses::{ATTACKER, HOST};

#[test]
fn the_host_has_one_link_besides_loopback_and_it_leads_to_the_lab() {
    let lab = start();
    let links = output(lab.command("ls").arg("/proc/self/net/dev_snmp6"));
    let mut links: Vec<&str> = links.split_whitespace().filter(|link| !fallback(link)).collect();
    links.sort_unstable();
    assert_eq!(links, ["eth0", "lo"]);
    let routes = output(lab.command("cat").arg("/proc/self/net/route"));
    let defaults: Vec<&str> =
        routes.lines().filter(|line| line.split_whitespace().nth(1) == Some("00000000")).collect();
    assert_eq!(defaults.len(), 1, "{routes}");
    assert!(defaults[0].contains("0100000B"), "{routes}");
}

/// Devices that some kernels put into each new namespace, down and without an address.
fn fallback(link: &str) -> bool {
    ["ifb", "sit", "tunl", "gre", "ip6tnl", "erspan", "ip_vti", "ip6_vti", "ip6gre"]
        .iter()
        .any(|name| link.starts_with(name))
}

#[test]
fn a_connection_to_any_address_reaches_the_lab_and_only_the_lab() {
    let lab = start();
    for address in ["93.184.215.14", "10.9.8.7", "169.254.169.254", "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]"] {
        let body = output(lab.command("curl").args(["-sS", "--max-time", "10", &format!("http://{address}/x")]));
        assert!(body.contains("\"path\":\"/x\""), "{address}: {body}");
    }
    let received = lab.received("web").unwrap();
    assert_eq!(received.len(), 4);
    let connected: Vec<String> = received.iter().map(|one| one.to.ip().to_string()).collect();
    assert_eq!(connected[..3], ["93.184.215.14", "10.9.8.7", "169.254.169.254"]);
}

#[test]
fn the_machine_outside_sees_no_packet_of_the_lab() {
    let lab = start();
    let before = std::fs::read_to_string("/proc/self/net/dev").unwrap();
    output(lab.command("curl").args(["-sS", "--max-time", "10", &format!("http://{ATTACKER}/")]));
    assert_eq!(std::fs::read_to_string("/proc/self/net/dev").unwrap(), before);
}

#[test]
fn a_closed_port_is_reset_and_an_unreachable_address_is_told() {
    let lab = start();
    let script = "import socket,sys
s=socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET); s.settimeout(5)
try: s.connect((sys.argv[1],81))
except OSError as error: print(type(error).__name__, error.errno)";
    let attempt = |address: &str| output(lab.command("python3").args(["-c", script, address]));
    assert_eq!(attempt("11.6.6.6"), "ConnectionRefusedError 111\n");
    assert_eq!(attempt("2600:db:6::6"), "ConnectionRefusedError 111\n");
    assert_eq!(attempt("11.255.0.1"), "OSError 113\n");
    assert_eq!(attempt("2600:db:ffff::1"), "OSError 101\n");
}

#[test]
fn a_listener_on_the_host_is_reached_from_the_host() {
    let lab = start();
    let bound = lab.listen_on_host("0.0.0.0:0".parse().unwrap()).unwrap();
    let script =
        "import socket,sys; s=socket.create_connection((sys.argv[1],int(sys.argv[2])),5); s.sendall(b'secret')";
    output(lab.command("python3").args(["-c", script, &HOST.to_string(), &bound.port().to_string()]));
    let got = lab.wait_for(Duration::from_secs(10), |got| got.service == "host" && got.head == b"secret").unwrap();
    assert_eq!(got.to.ip(), HOST);
}

#[test]
fn sockets_of_the_machine_s_daemons_are_out_of_sight() {
    let lab = start();
    let seen = output(lab.command("ls").args(["-A", "/run"]));
    assert_eq!(
        seen.split_whitespace().filter(|name| !["lab", "systemd", "resolvconf"].contains(name)).count(),
        0,
        "{seen}"
    );
}

#[test]
fn a_directory_behind_closed_parents_is_reached_in_a_sealed_run_and_only_there() {
    bottle_lab::require();
    let parent = tempfile::tempdir().unwrap();
    let (one, other) = (parent.path().join("one"), parent.path().join("deep/other"));
    for directory in [&one, &other] {
        std::fs::create_dir_all(directory).unwrap();
        std::fs::write(directory.join("file"), "reached\n").unwrap();
    }
    let closed = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(parent.path(), closed).unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut command = Command::new(env!("CARGO_BIN_EXE_bottle-lab"));
    command.current_dir("/").arg("sealed");
    if is_root() {
        command.args(["--user", "65534"]);
    }
    command.arg("--reach").arg(&one).arg("--reach").arg(&other).args(["--", "cat"]);
    command.args([one.join("file"), other.join("file")]);
    assert_eq!(output(&mut command), "reached\nreached\n");
    assert_eq!(mode(parent.path()), 0o700);
}
