//! Does an engine notice that `bottle-oci` stands before its runtime? The same calls with and without, and what came of them.

use std::fs;
use std::io::{IoSliceMut, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::{Value, json};

use crate::bundle::Bundle;
use crate::host;
use crate::scene::{Scene, name};
use crate::world::{Said, said, text};

/// Who is called: the runtime, or the wrapper before the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Runtime,
    Wrapper,
}

/// A world in which nothing is bottled, and one of its containers.
struct Trial {
    scene: Scene,
    bundle: Bundle,
    who: Who,
    runtime: &'static str,
}

impl Trial {
    fn new(who: Who, script: &str) -> Trial {
        Trial::of("/usr/sbin/runc", who, script)
    }

    fn of(runtime: &'static str, who: Who, script: &str) -> Trial {
        let scene = Scene::new();
        scene.settings(&json!({"unannotated": "left-alone", "runtime": runtime}));
        let mut bundle = scene.bundle(script);
        bundle.configuration.as_object_mut().unwrap().remove("hooks");
        bundle.write();
        Trial { scene, bundle, who, runtime }
    }

    fn command(&self, words: &[&str]) -> Command {
        self.through(&[], words)
    }

    /// By another program, which executes what it is told.
    fn through(&self, other: &[&str], words: &[&str]) -> Command {
        let mut all: Vec<String> = other.iter().map(|word| (*word).to_owned()).collect();
        match self.who {
            Who::Runtime => all.push(self.runtime.to_owned()),
            Who::Wrapper => all.extend(self.scene.wrapping()),
        }
        if self.runtime.ends_with("crun") {
            all.push("--cgroup-manager=disabled".to_owned());
        }
        all.extend(["--root".to_owned(), text(&self.scene.path("runc")).to_owned()]);
        let mut command = self.scene.world.program(&all[0]);
        command.args(&all[1..]).args(words).current_dir(&self.bundle.place);
        command
    }

    fn id(&self) -> String {
        name(&self.bundle)
    }

    /// What came of it, without what differs from one container to the next.
    fn says(&self, words: &[&str]) -> (i32, String, String) {
        let words: Vec<String> = words.iter().map(|word| word.replace("ID", &self.id())).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.same(&said(&mut self.command(&words)))
    }

    fn same(&self, said: &Said) -> (i32, String, String) {
        (said.code, self.plain(&said.out), self.plain(&said.err))
    }

    fn plain(&self, text: &str) -> String {
        let place = self.scene.path("").display().to_string();
        let text = text.replace(&self.id(), "ID").replace(place.trim_end_matches('/'), "PLACE");
        // Times, process ids and columns that grow with them.
        let mut plain = String::new();
        for word in text.split_inclusive(|letter: char| letter.is_whitespace() || "\",:=()".contains(letter)) {
            let number = word.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
            let is_counted =
                number.len() > 1 && number.bytes().all(|byte| byte.is_ascii_digit() || b"TZ-.".contains(&byte));
            plain.push_str(if is_counted { "N " } else { word });
        }
        plain.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// The same trial of both.
fn both<T: PartialEq + std::fmt::Debug>(script: &str, trial: impl Fn(&Trial) -> T) -> T {
    let [without, with] = [Who::Runtime, Who::Wrapper].map(|who| trial(&Trial::new(who, script)));
    assert_eq!(with, without);
    with
}

#[test]
fn what_makes_no_container_says_and_gives_the_same() {
    for words in [
        &["--version"][..],
        &["--help"],
        &["help"],
        &["features"],
        &["spec", "--help"],
        &["create", "--help"],
        &["create"],
        &["run"],
        &["nonsense"],
        &["--nonsense"],
        &["list"],
        &["state", "missing"],
        &["kill", "missing"],
        &["delete", "missing"],
        &["exec", "missing", "true"],
        &[],
    ] {
        both("true", |trial| trial.says(words));
    }
    both("true", |trial| {
        fs::create_dir(trial.scene.path("spec")).unwrap();
        let mut spec = trial.command(&["spec"]);
        let code = said(spec.current_dir(trial.scene.path("spec"))).code;
        (code, fs::read(trial.scene.path("spec/config.json")).unwrap())
    });
}

#[test]
fn a_containers_life_is_the_same_step_by_step() {
    let steps = [
        &["create", "ID"][..],
        &["state", "ID"],
        &["create", "ID"],
        &["list"],
        &["start", "ID"],
        &["start", "ID"],
        &["exec", "ID", "sh", "-c", "echo out; echo err >&2; exit 3"],
        &["exec", "ID", "nowhere"],
        // Without how busy it is.
        &["ps", "ID", "-o", "pid,user,args"],
        // Without a control group that freezes, both say so.
        &["pause", "ID"],
        &["state", "ID"],
        &["resume", "ID"],
        &["update", "--pids-limit", "nonsense", "ID"],
        &["delete", "ID"],
        &["kill", "ID", "NONSENSE"],
        &["kill", "ID", "KILL"],
        &["delete", "--force", "ID"],
        &["state", "ID"],
    ];
    let life = both("busybox sleep 60", |trial| {
        let step = |words: &&[&str]| {
            if words[0] != "create" {
                return trial.says(words);
            }
            // The container keeps the streams of whoever creates it: nobody waits for a pipe's end.
            let [out, err] = ["out", "err"].map(|name| fs::File::create(trial.scene.path(name)).unwrap());
            let mut create = trial.command(&["create", &trial.id()]);
            let code = create.stdout(out).stderr(err).status().unwrap().code().unwrap();
            let [out, err] = ["out", "err"].map(|name| fs::read_to_string(trial.scene.path(name)).unwrap());
            (code, trial.plain(&out), trial.plain(&err))
        };
        steps.iter().map(step).collect::<Vec<_>>()
    });
    let codes: Vec<i32> = life.iter().map(|(code, _, _)| *code).collect();
    // What an ordinary user can't is told likewise: to list the processes of a container, without control groups.
    assert_eq!((codes[0], codes[1], codes[4], codes[6], codes[17]), (0, 0, 0, 3, 1), "{life:?}");
    assert_ne!(codes[2], 0);
}

#[test]
fn exit_codes_are_the_containers_own() {
    for (script, code) in
        [("exit 0", 0), ("exit 1", 1), ("exit 125", 125), ("exit 126", 126), ("exit 127", 127), ("kill -KILL $$", 137)]
    {
        // Pid 1 hears no signal of its own without a handler.
        let script = script.replace("kill -KILL $$", "sh -c 'kill -KILL $$'; exit $?");
        assert_eq!(both(&script, |trial| trial.says(&["run", "ID"])).0, code, "{script}");
    }
    let script = "trap 'exit 33' INT; echo ready; while :; do busybox sleep 0.05; done";
    let interrupted = both(script, |trial| {
        let mut engine = trial.command(&["run", &trial.id()]);
        let mut engine = engine.stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = [0; 6];
        engine.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
        // The runtime passes on what it gets.
        let pid = rustix::process::Pid::from_child(&engine);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        engine.wait().unwrap().code()
    });
    assert_eq!(interrupted, Some(33));
}

#[test]
fn streams_variables_and_the_working_directory_pass() {
    let told = both("busybox cat; echo $$ >&2; pwd; env", |trial| {
        let mut engine = trial.command(&["run", &trial.id()]);
        let engine = engine.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut engine = engine.spawn().unwrap();
        engine.stdin.take().unwrap().write_all(b"from outside\n").unwrap();
        trial.same(&Said::from(engine.wait_with_output().unwrap()))
    });
    assert!(told.0 == 0 && told.1.starts_with("from outside /"), "{told:?}");
}

#[test]
fn descriptors_that_are_kept_for_the_container_reach_it() {
    let told = both("busybox cat <&3; busybox cat <&4; echo $LISTEN_FDS", |trial| {
        let [first, second] = ["first", "second"].map(|name| {
            fs::write(trial.scene.path(name), format!("{name}\n")).unwrap();
            text(&trial.scene.path(name)).to_owned()
        });
        let open = ["sh", "-c", "exec 3<$0 4<$1; shift; exec \"$@\"", &first, &second];
        trial.same(&said(&mut trial.through(&open, &["run", "--preserve-fds", "2", &trial.id()])))
    });
    assert_eq!((told.0, told.1.as_str()), (0, "first second"), "{told:?}");
}

#[test]
fn a_console_comes_by_its_socket() {
    let seen = both("busybox tty; busybox stty size; exit 5", |trial| {
        let mut configuration = trial.bundle.configuration.clone();
        configuration["process"]["terminal"] = json!(true);
        configuration["process"]["consoleSize"] = json!({"height": 20, "width": 70});
        configuration["mounts"].as_array_mut().unwrap().push(json!({"destination": "/dev/pts", "type": "devpts",
            "source": "devpts", "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]}));
        fs::write(trial.bundle.place.join("config.json"), configuration.to_string()).unwrap();
        // A socket's path must be short.
        let short = tempfile::tempdir_in("/tmp").unwrap();
        let socket = short.path().join("console");
        let listener = UnixListener::bind(&socket).unwrap();
        let mut engine = trial.command(&["run", "--console-socket", text(&socket), "--detach", &trial.id()]);
        let mut engine = engine.spawn().unwrap();
        let mut console = fs::File::from(descriptor(&listener));
        assert!(engine.wait().unwrap().success());
        let mut seen = Vec::new();
        // The end of a terminal's other side is an error.
        let _ = console.read_to_end(&mut seen);
        said(&mut trial.command(&["delete", "--force", &trial.id()])).ok();
        String::from_utf8(seen).unwrap()
    });
    assert!(seen.starts_with("/dev/pts/0"), "{seen}");
}

/// The one that somebody who connects hands over.
fn descriptor(listener: &UnixListener) -> OwnedFd {
    let (stream, _) = listener.accept().unwrap();
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; 4096];
    recvmsg(&stream, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap();
    let rights = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut all) => all.next(),
        _ => None,
    });
    rights.expect("a descriptor")
}

#[test]
fn what_a_bottled_container_gives_is_what_it_gives_without() {
    let script = "busybox cat; echo err >&2; exit 42";
    let run = |is_bottled: bool| {
        let trial = Trial::new(if is_bottled { Who::Wrapper } else { Who::Runtime }, script);
        if is_bottled {
            trial.scene.settings(&json!({}));
        }
        let mut engine = trial.command(&["run", &trial.id()]);
        let engine = engine.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut engine = engine.spawn().unwrap();
        engine.stdin.take().unwrap().write_all(b"in\n").unwrap();
        let said = Said::from(engine.wait_with_output().unwrap());
        let files: Value = serde_json::from_slice(&fs::read(trial.bundle.place.join("config.json")).unwrap()).unwrap();
        assert_eq!(files["hooks"].is_object(), is_bottled);
        trial.scene.assert_nothing_left();
        (said.code, said.out)
    };
    assert_eq!(run(true), run(false));
    assert_eq!(run(true), (42, "in\n".to_owned()));
}

#[test]
fn crun_is_told_the_same() {
    for words in [&["--version"][..], &["--help"], &["list"], &["state", "missing"], &["nonsense"], &["spec", "--help"]]
    {
        let [without, with] =
            [Who::Runtime, Who::Wrapper].map(|who| Trial::of("/usr/bin/crun", who, "true").says(words));
        assert_eq!(with, without, "{words:?}");
    }
    // It wants control groups of the second version alone, so that it is shown no others.
    let show = "umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec \"$@\"";
    let [without, with] = [Who::Runtime, Who::Wrapper].map(|who| {
        let trial = Trial::of("/usr/bin/crun", who, "echo out; echo err >&2; exit 9");
        let shown = ["unshare", "--mount", "sh", "-c", show, "sh"];
        trial.same(&said(&mut trial.through(&shown, &["run", &trial.id()])))
    });
    assert_eq!(with, without);
    // An ordinary user can't be shown them.
    assert_eq!(with.0, if host::is_root() { 9 } else { 1 }, "{with:?}");
}
