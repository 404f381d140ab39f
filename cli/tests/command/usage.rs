//! Are verbs and options exactly those that the help names?

use bottle_lab::elf::needs_an_interpreter;

use crate::place::Place;

#[test]
fn an_unknown_verb_is_misuse_with_exit_code_2() {
    for verb in ["attach", "learn", "frobnicate"] {
        let said = Place::new().bottle(&[verb]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{verb}");
        assert!(said.err.contains("unrecognized subcommand"), "{}", said.err);
    }
}

#[test]
fn verbs_and_options_of_other_tools_are_answered_with_what_bottle_has_instead() {
    for (arguments, advice) in [
        (&["pull", "debian"][..], "tip: bottle image pull NAME"),
        (&["images"], "tip: bottle image ls"),
        (&["attach", "x"], "tip: bottle logs -f NAME"),
        (&["restart", "x"], "--keep NAME"),
        (&["cp", "x", "y"], "-v HOST:INSIDE"),
        (&["ls"], "tip: bottle ps"),
        (&["wait", "x"], "tip: bottle logs -f NAME ends"),
        (&["stats"], "tip: there is none"),
        (&["kill", "-9", "x"], "tip: write -s 9"),
        (&["logs", "--since", "1h", "x"], "-n LINES"),
        (&["load", "-i", "x.tar"], "docker-archive:FILE"),
        (&["build", "."], "podman, buildah"),
        (&["login", "x"], "auth.json"),
        (&["container", "ls"], "bottle ps"),
        (&["top", "x"], "bottle exec NAME ps"),
        (&["port", "x"], "bottle ps shows"),
        (&["version"], "bottle --version"),
        (&["image", "list"], "bottle image ls"),
        (&["image", "ls", "-q"], "ls --json"),
        (&["image", "prune", "-af"], "nothing is asked"),
        (&["image", "rm", "-f", "x"], "nothing is asked"),
        (&["image", "load", "-i", "x.tar"], "docker-archive:FILE"),
        (&["image", "pull", "--tls-verify=false", "x"], "registries.conf"),
        (&["ps", "--filter", "name=x"], "--json"),
        (&["ps", "--no-trunc"], "--json"),
        (&["inspect", "-f", "{{.Id}}", "x"], "JSON"),
        (&["rm", "-a"], "$(bottle ps -aq)"),
        (&["rm", "-fv", "x"], "no volumes"),
        (&["stop", "--all"], "$(bottle ps -q)"),
    ] {
        let said = Place::new().bottle(arguments);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{arguments:?}");
        assert!(said.err.contains(advice) && said.err.matches("tip: ").count() == 1, "{}", said.err);
    }
}

/// Nobody has a bottle or an image that is called like an option.
#[test]
fn no_option_is_advised_to_be_passed_as_a_name() {
    for arguments in
        [&["rm", "-z", "x"][..], &["image", "rm", "-z", "x"], &["inspect", "-z", "x"], &["exec", "-z", "x"]]
    {
        let said = Place::new().bottle(arguments);
        assert!(said.err.contains("'-z'") && !said.err.contains("as a value"), "{arguments:?}: {}", said.err);
    }
    let said = Place::new().bottle(&["exec", "-d", "x", "true"]);
    assert!(said.code == 125 && said.err.contains("ends with who brought it in"), "{}", said.err);
}

#[test]
fn what_is_missing_after_exec_is_named() {
    let said = Place::new().bottle(&["exec", "web"]);
    assert_eq!(said.code, 125);
    assert_eq!(
        said.err,
        "bottle: no command was given\nhint: say what to run after the bottle's name: bottle exec -it web sh\n"
    );
    assert!(Place::new().bottle(&["exec"]).err.contains("<NAME>..."));
}

#[test]
fn how_much_of_the_output_is_told_in_words() {
    let said = Place::new().bottle(&["logs", "--tail", "some", "x"]);
    assert!(said.code == 2 && said.err.contains("write a number of lines, or all"), "{}", said.err);
    assert!(Place::new().bottle(&["logs", "--tail", "all", "x"]).err.contains("there is no bottle"));
}

#[test]
fn output_that_nothing_takes_is_an_error_also_where_it_is_help() {
    for arguments in [&["help"][..], &["--version"], &["policy", "schema"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
        let said = Place::new().command(arguments).stdout(full).output().map(crate::place::Said::from).expect("bottle");
        assert_eq!(said.code, 2, "{arguments:?}");
        assert!(said.err.starts_with("bottle: cannot write to standard output\n  because: No space"), "{}", said.err);
    }
}

#[test]
fn no_verb_prints_help_on_standard_error_with_exit_code_2() {
    let said = Place::new().bottle(&[]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("Usage: bottle"), "{}", said.err);
}

#[test]
fn help_goes_to_standard_output_and_names_every_verb() {
    let said = Place::new().bottle(&["--help"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    for verb in ["run", "why", "policy", "audit", "attest", "image", "keep", "doctor", "demo"] {
        assert!(said.out.contains(&format!("\n  {verb} ")), "{verb}");
    }
}

#[test]
fn help_of_a_verb_is_had_both_ways() {
    for verb in ["run", "audit", "doctor"] {
        let [one, other] = [["help", verb], [verb, "--help"]].map(|arguments| Place::new().bottle(&arguments));
        assert_eq!((one.code, &one.out), (0, &other.out), "{verb}");
    }
}

#[test]
fn the_version_is_the_packages() {
    let said = Place::new().bottle(&["--version"]);
    assert_eq!(said.out, format!("bottle {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn misuse_of_run_exits_with_125_since_other_codes_are_the_commands() {
    let place = Place::new();
    place.write("bad.yaml", "version: 1\nsurprise: 1\n");
    for arguments in [
        &["run"][..],
        &["run", "--frobnicate", "host", "true"],
        &["run", "--allow-all", "--policy", "p.yaml", "host", "true"],
        &["run", "--policy", "nowhere.yaml", "host", "true"],
        &["run", "--policy", "bad.yaml", "host", "true"],
        &["run", "--allow", "https://x.example", "host", "true"],
        &["run", "--timeout", "soon", "host", "true"],
        &["run", "-e", "=x", "host", "true"],
        &["run", "-v", "/x", "host", "true"],
        &["run", "-p", "8080:80/udp", "host", "true"],
        &["run", "-p", "0.0.0.0:8080:80", "host", "true"],
        &["run", "-p", "http", "host", "true"],
        &["run", "alpine", "true"],
    ] {
        let said = place.bottle(arguments);
        assert_eq!((said.code, said.out.as_str()), (125, ""), "{arguments:?}: {}", said.err);
        assert!(!said.err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn options_of_other_tools_are_answered_with_what_bottle_has_instead() {
    for (option, advice) in [
        ("-P", "write -p PORT or -p HOSTPORT:PORT"),
        ("--expose=80", "write -p PORT or -p HOSTPORT:PORT"),
        ("--network", "--allow says"),
        ("--net=host", "--allow says"),
        ("--hostname", "beginning of its id"),
        ("--memory-swap=1g", "as much again of swap"),
        ("--cpu-shares=512", "write --cpus NUMBER"),
        ("--dns", "as this machine does"),
        ("--add-host", "as this machine does"),
        ("--platform", "this machine's is taken"),
        ("--restart", "run it again"),
        ("--init", "each bottle has an init"),
        ("--gpus", "devices"),
        ("--cap-drop=ALL", "nothing in a bottle has capabilities"),
        ("--security-opt=no-new-privileges", "always on"),
        ("--userns=keep-id", "namespaces of its own"),
        ("--label=a=b", "--name NAME"),
        ("--shm-size=1g", "--tmpfs /dev/shm:size=SIZE"),
        ("--stop-timeout=3", "bottle stop -t TIME"),
        ("-q", "bottle image pull it"),
    ] {
        let said = Place::new().bottle(&["run", option, "host", "true"]);
        assert_eq!(said.code, 125, "{option}");
        assert!(said.err.contains(advice) && !said.err.contains("as a value"), "{option}: {}", said.err);
    }
    let said = Place::new().bottle(&["run", "--alow", "a.example", "host", "true"]);
    assert!(said.err.contains("'--allow'") && !said.err.contains("as a value"), "{}", said.err);
}

#[test]
fn an_option_after_the_image_is_misuse_and_not_a_command() {
    for arguments in [&["--allow", "a.example", "--", "true"][..], &["-it", "bash"], &["--help"]] {
        let said = Place::new().bottle(&[&["run", "host"], arguments].concat());
        assert_eq!((said.code, said.out.as_str()), (125, ""), "{arguments:?}");
        let what = format!("{} stands after the image", arguments[0]);
        assert!(said.err.contains(&what) && said.err.contains("hint: options of bottle go before"), "{}", said.err);
    }
}

#[test]
fn a_forgotten_image_is_told_with_the_line_that_works() {
    let said = Place::new().bottle(&["run", "curl", "-sI", "https://a.example"]);
    assert_eq!(said.code, 125);
    assert!(
        said.err.contains("hint: for this machine's own `curl` write `host -- curl`; for an image: "),
        "{}",
        said.err
    );
}

#[test]
fn a_policy_error_of_run_shows_the_place_in_the_file() {
    let place = Place::new();
    place.write("bad.yaml", "version: 1\nsurprise: 1\n");
    let said = place.bottle(&["run", "--policy", "bad.yaml", "host", "true"]);
    assert!(said.err.starts_with("bottle: bad.yaml:2:1: ") && said.err.contains('^'), "{}", said.err);
}

#[test]
fn the_help_of_run_says_what_the_images_are_and_that_nothing_is_reached_by_default() {
    let said = Place::new().bottle(&["run", "--help"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(said.out.contains("Usage: bottle run [OPTIONS] IMAGE [--] [COMMAND [ARG...]]"), "{}", said.out);
    assert!(said.out.contains("Without --policy, --preset and --allow nothing can be reached."), "{}", said.out);
    assert!(said.out.contains("dir:PATH"), "{}", said.out);
    assert!(said.out.contains("`git config` says \"Device or resource busy\""), "{}", said.out);
}

#[test]
fn help_says_what_the_exit_codes_mean() {
    for verb in [&["why"][..], &["policy", "check"], &["audit", "verify"], &["attest", "verify"], &["doctor"]] {
        let said = Place::new().bottle(&[verb, &["--help"]].concat());
        assert!(said.out.contains("Exit code: 0"), "{verb:?}: {}", said.out);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    let mut child = place
        .command(&["policy", "schema"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the built command");
    drop(child.stdout.take());
    let said = crate::place::Said::from(child.wait_with_output().expect("its end"));
    assert_eq!((said.code, said.err.as_str()), (0, ""));
}

/// It is copied to hosts with another C library, and executed beside images that have none.
#[test]
fn the_program_is_one_file_that_needs_no_other() {
    assert!(!needs_an_interpreter(assert_cmd::cargo::cargo_bin!("bottle")).unwrap());
}
