//! Is each requirement one that spoils it alone?

use super::*;

type Spoil = Box<dyn Fn(&mut ProcessFacts)>;

fn namespaces(inode: u32) -> std::collections::BTreeMap<String, String> {
    let names = ["user", "pid", "mnt", "ipc", "uts", "cgroup", "net"];
    names.map(|name| (name.to_owned(), format!("{name}:[{inode}]"))).into()
}

fn supervisor() -> ProcessFacts {
    ProcessFacts {
        uids: "0 0 0 0".into(),
        gids: "0 0 0 0".into(),
        groups: "0".into(),
        capabilities: ["CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd"].map(|set| (set.into(), "ff".into())).into(),
        no_new_privs: false,
        seccomp: 0,
        seccomp_filters: 0,
        namespaces: namespaces(1),
        uid_map: vec!["0 0 4294967295".into()],
        gid_map: vec!["0 0 4294967295".into()],
        descriptors: [(0, "/dev/pts/0".into())].into(),
        mounts: vec!["/ ext4 rw".into(), "/proc proc rw".into()],
    }
}

/// Confined, apart, and holding what every role may hold.
fn in_order() -> ProcessFacts {
    ProcessFacts {
        uids: "7 7 7 7".into(),
        gids: "7 7 7 7".into(),
        groups: String::new(),
        capabilities: ["CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd"].map(|set| (set.into(), "00".into())).into(),
        no_new_privs: true,
        seccomp: 2,
        seccomp_filters: 2,
        namespaces: namespaces(2),
        uid_map: vec!["0 7 1".into()],
        gid_map: vec!["0 8 1".into()],
        descriptors: [(0, "/dev/null".into()), (1, "pipe".into())].into(),
        mounts: vec!["/ tmpfs ro".into()],
    }
}

fn maps() -> Maps {
    (vec![(0, 7, 1)], vec![(0, 8, 1)])
}

/// What each role's requirements say of the facts, and of the same facts within the host's network.
fn judged(facts: &ProcessFacts, own: &ProcessFacts) -> [bool; 4] {
    let mut on_host = facts.clone();
    on_host.namespaces.insert("net".into(), own.namespaces["net"].clone());
    [
        workload(facts, own, "net:[2]", maps()).is_ok(),
        init_process(facts, own, Some(maps())).is_ok(),
        gate_process(facts, own).is_ok(),
        dialler_process(&on_host, own).is_ok(),
    ]
}

#[test]
fn a_process_in_order_is_accepted() {
    assert_eq!(judged(&in_order(), &supervisor()), [true; 4]);
}

#[test]
fn one_privilege_too_many_is_refused_in_every_process() {
    let set = |name: &str| {
        let name = name.to_owned();
        move |facts: &mut ProcessFacts| drop(facts.capabilities.insert(name.clone(), "01".into()))
    };
    let cases: [(&str, Spoil); 8] = [
        ("root", Box::new(|facts| facts.uids = "7 7 0 7".into())),
        ("groups", Box::new(|facts| facts.groups = "4".into())),
        ("effective", Box::new(set("CapEff"))),
        ("ambient", Box::new(set("CapAmb"))),
        ("bounding", Box::new(set("CapBnd"))),
        ("privileges", Box::new(|facts| facts.no_new_privs = false)),
        ("seccomp", Box::new(|facts| facts.seccomp = 0)),
        ("filters", Box::new(|facts| facts.seccomp_filters = 1)),
    ];
    for (what, spoil) in cases {
        let mut facts = in_order();
        spoil(&mut facts);
        assert_eq!(judged(&facts, &supervisor()), [false; 4], "{what}");
    }
}

#[test]
fn filters_that_were_there_before_do_not_count() {
    let own = ProcessFacts { seccomp: 2, seccomp_filters: 1, ..supervisor() };
    assert_eq!(judged(&in_order(), &own), [false; 4]);
    assert_eq!(judged(&ProcessFacts { seccomp_filters: 3, ..in_order() }, &own), [true; 4]);
}

#[test]
fn a_shared_pid_namespace_is_refused() {
    let mut facts = in_order();
    facts.namespaces.insert("pid".into(), "pid:[1]".into());
    assert_eq!(judged(&facts, &supervisor()), [false, false, false, true]);
}

#[test]
fn a_file_of_the_callers_is_refused_where_the_workloads_bytes_are_handled() {
    let mut facts = in_order();
    facts.descriptors.insert(5, "/etc/shadow".into());
    assert_eq!(judged(&facts, &supervisor()), [false, true, false, false]);
}

#[test]
fn ids_that_were_not_planned_are_refused_in_the_workload_and_in_init() {
    let spoils: [Spoil; 5] = [
        Box::new(|facts| facts.uid_map = vec!["0 0 4294967295".into()]),
        Box::new(|facts| facts.gid_map = vec!["0 0 1".into()]),
        Box::new(|facts| facts.uid_map.push("1 100000 65535".into())),
        Box::new(|facts| facts.gid_map.clear()),
        Box::new(|facts| facts.uid_map = vec!["0 8 1".into()]),
    ];
    for spoil in spoils {
        let mut facts = in_order();
        spoil(&mut facts);
        assert_eq!(judged(&facts, &supervisor()), [false, false, true, true], "{facts:?}");
    }
}

#[test]
fn an_init_of_roots_is_in_no_user_namespace() {
    let own = supervisor();
    let with = |inode| ProcessFacts { namespaces: namespaces(inode), ..in_order() };
    assert!(init_process(&with(2), &own, None).is_err());
    let mut in_hosts = with(2);
    in_hosts.namespaces.insert("user".into(), own.namespaces["user"].clone());
    assert!(init_process(&in_hosts, &own, None).is_ok());
}

#[test]
fn an_ordinary_user_keeps_groups_and_a_bounding_set_of_no_use() {
    let own = ProcessFacts { uids: "7 7 7 7".into(), ..supervisor() };
    let mut facts = ProcessFacts { groups: "7 100".into(), ..in_order() };
    assert_eq!(judged(&facts, &own), [true; 4]);
    facts.capabilities.insert("CapBnd".into(), "ff".into());
    assert_eq!(judged(&facts, &own), [false, false, false, true]);
}
