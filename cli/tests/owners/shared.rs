//! Is what is shared the command's own, whoever it is inside, and the caller's outside?

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::place::{Place, Said, own};

#[test]
fn what_is_shared_belongs_to_the_command_inside_and_to_the_caller_outside() {
    let place = Place::loaded(&json!({ "User": "node" }));
    fs::write(place.path("share/given"), "given\n").unwrap();
    for (options, user) in
        [(&[][..], "1000:1000"), (&["-u", "0"], "0:0"), (&["-u", "www"], "33:34"), (&["-u", "77"], "77:0")]
    {
        let volume = place.volume();
        let options = [&["-v", volume.as_str()], options].concat();
        let script = "stat -c %u:%g /share /share/given; echo more >> /share/given; echo x > /share/made; stat -c %u:%g /share/made";
        assert_eq!(place.shell(&options, script).ok(), format!("{user}\n{user}\n{user}\n"), "{user}");
        let made = fs::metadata(place.path("share/made")).unwrap();
        assert_eq!((made.uid(), made.gid()), own(), "{user}");
        fs::remove_file(place.path("share/made")).unwrap();
    }
    assert_eq!(fs::read_to_string(place.path("share/given")).unwrap(), "given\nmore\nmore\nmore\nmore\n");
}

#[test]
fn the_images_own_files_are_the_commands_beside_what_is_shared() {
    let place = Place::loaded(&json!({ "User": "node" }));
    let volume = place.volume();
    let script = "stat -c %u:%g ~ ~/busybox; mkdir ~/d && cp ~/busybox ~/d && ~/d/busybox echo copied; stat -c %u:%g ~/d/busybox";
    assert_eq!(place.shell(&["-v", &volume], script).ok(), "1000:1000\n1000:1000\ncopied\n1000:1000\n");
}

#[test]
fn a_terminal_and_pipes_are_the_commands_whoever_it_is() {
    let place = Place::loaded(&json!({ "User": "www" }));
    assert_eq!(place.shell(&[], "echo out > /dev/stdout; echo err > /dev/stderr").ok(), "out\n");
    // script(1) gives it a terminal.
    let bottle = place.command(&["run", "-it", "owners", "--", "stat", "-c", "%u", "/dev/pts/0"]);
    let words = std::iter::once(bottle.get_program()).chain(bottle.get_args()).map(|word| word.to_str().unwrap());
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &words.collect::<Vec<_>>().join(" "), "/dev/null"]).stdin(Stdio::null());
    terminal.envs(bottle.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(place.path("home"));
    let said = Said::from(terminal.output().unwrap());
    assert!(said.ok().lines().any(|line| line.trim().ends_with("33")), "{said:?}");
}
