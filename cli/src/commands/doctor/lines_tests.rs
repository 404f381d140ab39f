//! Does each finding give the line that it should? Kernels that are not at hand are played by their errno.

use std::collections::BTreeMap;

use super::super::attempt::ATTEMPTS;
use super::super::hooks::Hook;
use super::*;

/// A host on which everything works, seen by an ordinary user.
fn well() -> Findings {
    Findings {
        uid: 1000,
        program: "/usr/bin/bottle".into(),
        attempts: ATTEMPTS.into_iter().map(|attempt| (attempt, Answer::Worked(None))).collect(),
        settings: BTreeMap::new(),
        filtered: false,
        cgroups: Cgroups::Two,
        files: Some((1024, 524_288)),
        dumps_reach_a_helper: false,
        tpm: None,
        hooks: Vec::new(),
        profile: None,
        data: Ok("/home/ann/.local/share/bottle".into()),
    }
}

fn failing(attempt: Attempt, step: Step, errno: i32) -> Findings {
    let mut found = well();
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    found.attempts.insert(attempt, Answer::Failed { step, errno: Some(errno), text });
    found
}

fn line(found: &Findings, what: &str) -> Line {
    lines(found).into_iter().find(|line| line.what == what).expect(what)
}

fn mend(found: &Findings, what: &str) -> String {
    let line = line(found, what);
    assert_eq!(line.state, State::No, "{line:?}");
    line.mend.expect(what)
}

#[test]
fn a_host_where_everything_works_has_no_mend_and_is_usable() {
    let lines = lines(&well());
    assert!(usable(&lines));
    assert!(lines.iter().all(|line| line.mend.is_none()), "{lines:?}");
}

#[test]
fn what_was_not_tried_is_never_a_yes() {
    let mut found = well();
    for answer in found.attempts.values_mut() {
        *answer = Answer::NotTried("the attempt ended with signal 9".into());
    }
    let tried_nothing: Vec<_> =
        lines(&found).into_iter().filter(|line| line.state == State::Yes).map(|line| line.what).collect();
    // These are read, not tried.
    assert_eq!(tried_nothing, ["no core dumps", "evidence directory", "open files", "control groups"]);
    found.attempts.clear();
    assert!(lines(&found).iter().filter(|line| line.state == State::Yes).count() == 4);
}

#[test]
fn apparmors_restriction_is_mended_by_a_profile_for_this_program() {
    // Ubuntu gives the namespace and takes its capabilities, so the next step fails.
    let mut found = failing(Attempt::NetworkNamespace, Step::Namespace, libc::EPERM);
    found.settings.insert("kernel/apparmor_restrict_unprivileged_userns", 1);
    let mend = mend(&found, "network namespaces");
    assert!(
        mend.contains("profile bottle /usr/bin/bottle flags=(unconfined)") && mend.contains("apparmor_parser"),
        "{mend}"
    );
    assert!(!usable(&lines(&found)));
}

#[test]
fn a_limit_that_can_not_be_set_blocks_nothing_and_says_what_mends_it() {
    let mut found = well();
    let (text, hint) = ("cannot limit memory".to_owned(), "run bottle as root".to_owned());
    found.attempts.insert(Attempt::MemoryLimit, Answer::Refused { text: text.clone(), mend: Some(hint.clone()) });
    assert_eq!((line(&found, "--memory").detail, mend(&found, "--memory")), (text, hint));
    assert!(usable(&lines(&found)));
    let fixed = failing(Attempt::HigherLimit, Step::Elsewhere, libc::EPERM);
    assert!(mend(&fixed, "higher --ulimit").contains("limits.conf"));
}

#[test]
fn debians_switch_is_mended_by_the_switch() {
    let mut found = failing(Attempt::UserNamespace, Step::Namespace, libc::EPERM);
    found.settings.insert("kernel/unprivileged_userns_clone", 0);
    assert_eq!(mend(&found, "user namespaces"), "sudo sysctl -w kernel.unprivileged_userns_clone=1");
}

#[test]
fn a_limit_of_namespaces_is_mended_by_raising_it() {
    let found = failing(Attempt::UserNamespace, Step::Namespace, libc::ENOSPC);
    assert_eq!(mend(&found, "user namespaces"), "sudo sysctl -w user.max_user_namespaces=15000");
    let found = failing(Attempt::NetworkNamespace, Step::Namespace, libc::ENOSPC);
    assert_eq!(mend(&found, "network namespaces"), "sudo sysctl -w user.max_net_namespaces=15000");
}

#[test]
fn a_containers_filter_is_named_as_the_cause() {
    let mut found = failing(Attempt::UserNamespace, Step::Namespace, libc::EPERM);
    found.uid = 0;
    found.filtered = true;
    assert!(mend(&found, "user namespaces").contains("seccomp=unconfined"));
}

#[test]
fn a_kernel_without_user_namespaces_says_so() {
    let found = failing(Attempt::UserNamespace, Step::Namespace, libc::EINVAL);
    assert!(mend(&found, "user namespaces").contains("CONFIG_USER_NS"));
}

#[test]
fn each_kernel_part_of_the_airlock_has_its_own_mend() {
    for (step, what, word) in [
        (Step::Veth, "veth", "modprobe veth"),
        (Step::Nftables, "nf_tables", "modprobe nf_tables"),
        (Step::Tproxy, "tproxy", "modprobe nft_tproxy"),
        (Step::Nflog, "nflog", "nfnetlink_log"),
        (Step::Setting, "network settings", "IPv6"),
    ] {
        let found = failing(Attempt::Airlock, step, libc::EOPNOTSUPP);
        assert!(mend(&found, what).contains(word), "{what}");
        assert!(!usable(&lines(&found)), "{what}");
    }
}

#[test]
fn steps_after_the_failed_one_are_unknown_and_those_before_it_worked() {
    let found = failing(Attempt::Airlock, Step::Tproxy, libc::ENOENT);
    let state = |what| line(&found, what).state;
    assert_eq!((state("veth"), state("nf_tables")), (State::Yes, State::Yes));
    assert_eq!(state("tproxy"), State::No);
    assert_eq!((state("nflog"), state("listening sockets")), (State::Unknown, State::Unknown));
}

#[test]
fn an_attempt_that_fails_before_its_subject_says_nothing_about_it() {
    let found = failing(Attempt::Overlay, Step::Namespace, libc::EPERM);
    assert_eq!(line(&found, "overlay").state, State::Unknown);
}

#[test]
fn a_proc_that_a_container_hides_blocks_and_has_a_mend() {
    let found = failing(Attempt::Proc, Step::Elsewhere, libc::EPERM);
    assert!(mend(&found, "/proc of its own").contains("systempaths=unconfined"));
    assert!(!usable(&lines(&found)));
}

#[test]
fn overlay_and_idmapped_mounts_do_not_block() {
    for (attempt, what) in [(Attempt::Overlay, "overlay"), (Attempt::Idmap, "idmapped mounts")] {
        let found = failing(attempt, Step::Elsewhere, libc::ENOSYS);
        assert!(!mend(&found, what).is_empty());
        assert!(usable(&lines(&found)));
    }
}

#[test]
fn landlock_blocks_since_the_dialler_does_not_start_without_it() {
    assert!(!usable(&lines(&failing(Attempt::Landlock, Step::Elsewhere, libc::EOPNOTSUPP))));
}

#[test]
fn a_blocking_check_that_has_no_answer_is_not_usable() {
    use Attempt::{CpuLimit, HigherLimit, Idmap, MemoryLimit, Overlay, ProcessLimit, SubordinateIds};
    let can_do_without = [Overlay, Idmap, MemoryLimit, CpuLimit, ProcessLimit, HigherLimit, SubordinateIds];
    for attempt in ATTEMPTS.into_iter().filter(|attempt| !can_do_without.contains(attempt)) {
        let mut found = well();
        found.attempts.insert(attempt, Answer::NotTried("the attempt ended with signal 9".into()));
        assert!(!usable(&lines(&found)), "{attempt:?}");
    }
}

#[test]
fn an_airlock_that_fails_at_no_known_step_is_not_usable() {
    let found = failing(Attempt::Airlock, Step::Elsewhere, libc::EIO);
    assert_eq!(line(&found, "veth").state, State::Unknown);
    assert!(!usable(&lines(&found)));
}

#[test]
fn landlock_off_and_landlock_absent_have_different_mends() {
    assert!(mend(&failing(Attempt::Landlock, Step::Elsewhere, libc::EOPNOTSUPP), "Landlock").contains("lsm="));
    assert!(mend(&failing(Attempt::Landlock, Step::Elsewhere, libc::ENOSYS), "Landlock").contains("5.13"));
}

#[test]
fn a_kernel_that_can_not_change_a_mounts_attributes_is_too_old() {
    let found = failing(Attempt::ReadOnlyProgram, Step::Elsewhere, libc::ENOSYS);
    assert!(mend(&found, "read-only program").contains("5.12"));
}

#[test]
fn one_id_inside_is_said_with_its_mend_and_does_not_block() {
    let mut found = well();
    let refused = Answer::Refused { text: "one id inside".into(), mend: Some("sudo apt-get install uidmap".into()) };
    found.attempts.insert(Attempt::SubordinateIds, refused);
    let several = line(&found, "several ids inside");
    assert_eq!((several.state, several.blocks), (State::No, false));
    assert_eq!(several.mend.as_deref(), Some("sudo apt-get install uidmap"));
    assert!(usable(&lines(&found)));
    found.attempts.insert(Attempt::SubordinateIds, Answer::NotTried("root".into()));
    assert_eq!(line(&found, "several ids inside").state, State::Unknown);
}

#[test]
fn a_tpm_has_a_line_where_one_was_asked_and_blocks_nothing() {
    let line = |tpm| lines(&Findings { tpm, ..well() }).into_iter().find(|line| line.what == "TPM 2.0");
    assert_eq!(line(None), None);
    assert_eq!(line(Some(Ok("0a".into()))).map(|line| line.state), Some(State::Yes));
    let none = line(Some(Err(("no device".into(), Some("look"))))).expect("a line");
    assert_eq!((none.state, none.mend.as_deref(), none.blocks), (State::No, Some("look"), false));
}

#[test]
fn hooks_whose_program_is_gone_are_told_and_where_none_are_installed_nothing_is() {
    let hook = |name: &str, works| Hook {
        file: format!("/h/{name}").into(),
        program: "/usr/bin/bottle".into(),
        settings: None,
        works,
    };
    let line = |hooks| lines(&Findings { hooks, ..well() }).into_iter().find(|line| line.what == "hooks of engines");
    assert_eq!(line(Vec::new()), None);
    assert_eq!(line(vec![hook("a", true), hook("b", true)]).map(|line| line.state), Some(State::Yes));
    let gone = line(vec![hook("a", true), hook("b", false)]).expect("a line");
    assert!(
        gone.state == State::No && !gone.blocks && gone.detail.starts_with("/h/b calls /usr/bin/bottle"),
        "{gone:?}"
    );
    assert!(gone.mend.unwrap().contains("bottle-oci"));
}

#[test]
fn a_profile_of_podmans_by_which_its_containers_are_refused_is_told_with_what_makes_another() {
    let line = |file: &str, shut| {
        let profile = Some(Profile { file: file.into(), shut });
        lines(&Findings { profile, ..well() })
            .into_iter()
            .find(|line| line.what == "seccomp of podman")
            .expect("a line")
    };
    assert!(lines(&well()).iter().all(|line| line.what != "seccomp of podman"));
    assert_eq!(line("/usr/share/containers/seccomp.json", true).state, State::Yes);
    let open = line("/usr/share/containers/seccomp.json", false);
    assert!(open.state == State::No && !open.blocks && open.detail.contains("AF_VSOCK"), "{open:?}");
    assert!(open.mend.unwrap().starts_with("bottle hook seccomp /usr/share/containers/seccomp.json >/etc/containers/"));
    let own = line("/etc/containers/seccomp.json", false).mend.unwrap();
    assert!(own.contains(">/etc/containers/seccomp.json.new && mv"), "{own}");
}

#[test]
fn an_unwritable_evidence_directory_blocks() {
    let found = Findings { data: Err("/x: Read-only file system".into()), ..well() };
    assert!(mend(&found, "evidence directory").contains("BOTTLE_ROOT"));
    assert!(!usable(&lines(&found)));
}

#[test]
fn a_low_limit_of_open_files_is_said_but_does_not_block() {
    let found = Findings { files: Some((256, 1024)), ..well() };
    assert!(mend(&found, "open files").contains("ulimit"));
    assert!(usable(&lines(&found)));
}

#[test]
fn enough_open_files_are_as_many_as_the_gate_can_use() {
    assert_eq!(connections(ENOUGH_FILES), connections(u64::MAX));
    let found = Findings { files: Some((256, 1024)), ..well() };
    let expected = format!("{} connections at a time", GateLimits::for_descriptors(1024).proxy.connections);
    assert!(line(&found, "open files").detail.ends_with(&expected));
}

#[test]
fn no_control_groups_do_not_block() {
    let found = Findings { cgroups: Cgroups::None, ..well() };
    assert_eq!(line(&found, "control groups").state, State::No);
    assert!(usable(&lines(&found)));
}

#[test]
fn core_dumps_that_reach_a_program_of_the_hosts_block() {
    let found = Findings { dumps_reach_a_helper: true, ..well() };
    assert!(mend(&found, "no core dumps").contains("prlimit --core=1:1"));
    assert!(!usable(&lines(&found)));
}
