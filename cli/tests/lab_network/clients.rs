//! Do the clients that people have work as they are, without a proxy setting? (F9)

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::packages::{self, has, serving, tool};
use crate::world::{World, path};

#[test]
fn curl_follows_a_redirect_to_an_allowed_host_and_no_other() {
    let world = World::new();
    let bottle = || world.allow(&["api.allowed.example", "web.lab.example"]);
    let to = |host: &str| format!("https://web.lab.example/redirect?https://{host}/there");
    let run = bottle().run(&["curl", "-sSL", &to("api.allowed.example")]);
    assert!(run.ok().contains(r#""path":"/there""#), "{}", run.out);
    let run = bottle().run(&["curl", "-sSL", &to("evil.attacker.example")]);
    assert_eq!((run.code, run.out.as_str()), (6, ""), "{}", run.err);
}

#[test]
fn git_clones_over_https() {
    has("git");
    let (_directory, world) = serving("git.allowed.example", |directory| {
        tool(
            directory,
            "git init -q -b main work; cd work; echo text >file; git add file
             git -c user.name=a -c user.email=a@b commit -q -m first
             cd ..; git clone -q --bare work repo.git; cd repo.git; git update-server-info",
        );
    });
    let run = world.allow(&["git.allowed.example"]).run(&[
        "sh",
        "-c",
        "git clone -q https://git.allowed.example/repo.git copy && cat copy/file",
    ]);
    assert_eq!(run.ok(), "text");
}

#[test]
fn pip_installs_from_an_index() {
    let (_directory, world) = serving("pypi.allowed.example", packages::index_of_pip);
    let run = world.allow(&["pypi.allowed.example"]).run(&[
        "sh",
        "-c",
        "python3 -m pip install -q --disable-pip-version-check --no-cache-dir --cert /etc/ssl/certs/ca-certificates.crt \
         --index-url https://pypi.allowed.example/simple --target lib tiny && PYTHONPATH=lib python3 -c 'import tiny; print(tiny.WORD)'",
    ]);
    assert_eq!(run.ok(), "installed");
}

#[test]
fn npm_installs_from_a_registry() {
    has("npm");
    let registry = |directory: &Path| packages::registry_of_npm(directory, "npm.allowed.example");
    let (_directory, world) = serving("npm.allowed.example", registry);
    let run = world
        .allow(&["npm.allowed.example"])
        .option("-e", "NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt")
        .run(&[
            "sh",
            "-c",
            "npm install --silent --no-audit --no-fund --registry https://npm.allowed.example/ tiny && node -p 'require(\"tiny\")'",
        ]);
    assert_eq!(run.ok(), "installed");
}

#[test]
fn node_fetches() {
    has("node");
    let world = World::new();
    let script = "
const https = require('https')
const one = () => new Promise((done, failed) => https.get('https://api.allowed.example/', answer => { answer.resume(); done(answer.statusCode) }).on('error', failed))
const denied = url => fetch(url).then(answer => answer.status, error => error.cause.code)
Promise.all([one(), fetch('https://api.allowed.example/').then(answer => answer.status), denied('https://evil.attacker.example/'), denied('https://11.6.6.6/')])
    .then(all => { console.log(...all); process.exit() })";
    let run = world
        .allow(&["api.allowed.example"])
        .option("-e", "NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt")
        .run(&["node", "-e", script]);
    assert_eq!(run.ok(), "200 200 ENOTFOUND ECONNRESET");
}

#[test]
fn python_fetches() {
    let world = World::new();
    let script = "import urllib.request as u
print(u.urlopen('https://api.allowed.example/').status)
for url in 'https://evil.attacker.example/', 'https://11.6.6.6/':
    try: u.urlopen(url)
    except u.URLError as error: print(type(error.reason).__name__)";
    let run = world.allow(&["api.allowed.example"]).run(&["python3", "-c", script]);
    assert_eq!(run.ok(), "200\ngaierror\nConnectionResetError");
}

/// Go reads /etc/resolv.conf itself where it is built without C, and asks for A and AAAA over UDP from one socket each.
#[test]
fn a_static_go_program_fetches_with_its_own_resolver() {
    has("go");
    let world = World::new();
    let source = r#"package main
import ("errors"; "fmt"; "net"; "net/http"; "os"; "syscall")
func main() {
    for _, url := range os.Args[1:] {
        answer, err := http.Get(url)
        var dns *net.DNSError
        switch {
        case err == nil: fmt.Println(answer.StatusCode, answer.Proto)
        case errors.As(err, &dns): fmt.Println("not found", dns.IsNotFound)
        case errors.Is(err, syscall.ECONNRESET): fmt.Println("reset")
        default: fmt.Println(err)
        }
    }
}
"#;
    fs::write(world.path("main.go"), source).unwrap();
    let output = Command::new("go")
        .args(["build", "-tags", "netgo", "-o", path(&world.project("fetch")), path(&world.path("main.go"))])
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=mod")
        .env("GOCACHE", world.path("cache"))
        .env("GOTOOLCHAIN", "local")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let urls = ["https://api.allowed.example/", "https://evil.attacker.example/", "https://11.6.6.6/"];
    let run = world.allow(&["api.allowed.example"]).run(&["./fetch", urls[0], urls[1], urls[2]]);
    assert_eq!(run.ok(), "200 HTTP/2.0\nnot found true\nreset");
}

#[test]
fn getent_and_the_c_library_find_names_over_udp_and_tcp() {
    let world = World::new();
    let script = "getent ahosts api.allowed.example | cut -d. -f1 | sort -u; RES_OPTIONS=use-vc getent ahosts api.allowed.example | cut -d. -f1 | sort -u; getent ahosts evil.attacker.example; echo $?";
    let run = world.allow(&["api.allowed.example"]).run(&["sh", "-c", script]);
    assert_eq!(run.ok(), "28\n28\n2");
}

/// musl asks for A and AAAA over one socket at once, and takes the first server that answers.
#[test]
fn a_static_musl_program_finds_names_and_connects() {
    has("musl-gcc");
    let world = World::new();
    let source = r#"
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int count, char **names) {
    for (int at = 1; at < count; at++) {
        struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
        int error = getaddrinfo(names[at], "80", &hints, &found);
        if (error) { puts(error == EAI_NONAME ? "not found" : gai_strerror(error)); continue; }
        int stream = socket(found->ai_family, SOCK_STREAM, 0);
        char said[512];
        int length = connect(stream, found->ai_addr, found->ai_addrlen) ? -1 :
            snprintf(said, sizeof said, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", names[at]);
        if (length > 0) length = write(stream, said, length) < 0 ? -1 : read(stream, said, sizeof said);
        if (length < 12) puts(errno == ECONNRESET ? "reset" : strerror(errno)); else printf("%.12s\n", said);
        close(stream);
    }
    return 0;
}
"#;
    fs::write(world.path("fetch.c"), source).unwrap();
    let (program, source) = (world.project("fetch"), world.path("fetch.c"));
    let output = Command::new("musl-gcc").args(["-static", "-o", path(&program), path(&source)]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = ["api.allowed.example", "evil.attacker.example", "11.6.6.6"];
    let run = world.allow(&["http://api.allowed.example"]).run(&["./fetch", names[0], names[1], names[2]]);
    assert_eq!(run.ok(), "HTTP/1.1 200\nnot found\nreset");
}

/// Java looks names up through the C library and keeps its own trust store, so the bundle is given to it in the program.
#[test]
fn java_fetches() {
    has("java");
    let world = World::new();
    world.write("Fetch.java", include_str!("Fetch.java"));
    let urls = ["https://api.allowed.example/", "https://evil.attacker.example/", "https://11.6.6.6/"];
    let run = world.allow(&["api.allowed.example"]).run(&[&["java", "Fetch.java"], &urls[..]].concat());
    assert_eq!(run.ok(), "200\nnot found\nreset");
}

/// The toolchain that `tests/run` was started with is the only cargo that there is.
#[test]
fn cargo_fetches_from_a_sparse_registry() {
    let toolchain = std::env::var("BOTTLE_TEST_TOOLCHAIN").expect("BOTTLE_TEST_TOOLCHAIN, which tests/run sets");
    let registry = |directory: &Path| packages::registry_of_cargo(directory, "crates.allowed.example");
    let (_directory, world) = serving("crates.allowed.example", registry);
    fs::create_dir_all(world.project(".cargo")).unwrap();
    fs::create_dir_all(world.project("src")).unwrap();
    world.write(".cargo/config.toml", "[registries.lab]\nindex = \"sparse+https://crates.allowed.example/index/\"\n");
    world.write("src/lib.rs", "");
    let dependency = "tiny = { version = \"1\", registry = \"lab\" }";
    world.write("Cargo.toml", format!("[package]\nname = \"x\"\nversion = \"0.1.0\"\n[dependencies]\n{dependency}\n"));
    let run = world
        .allow(&["crates.allowed.example"])
        .option("-v", format!("{toolchain}:/toolchain:ro"))
        .option("-e", "PATH=/toolchain/bin:/usr/bin:/bin")
        .option("-e", "CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt")
        .run(&["sh", "-c", "cargo fetch -q && cd ~/.cargo/registry/src/*/tiny-1.0.0 && cat src/lib.rs"]);
    assert_eq!(run.ok(), "pub fn f() {}");
}
