//! Is a bottle confined as docs/confinement.md says, and in no row less than runc and podman are? Read from /proc and /dev inside.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::image::image;
use crate::world::{World, said};

const DOCUMENT: &str = include_str!("../../../docs/confinement.md");

/// The four cells of each row of the table that begins with this word.
fn table(first: &str) -> Vec<[&'static str; 4]> {
    let head = format!("| {first} |");
    let rows = DOCUMENT.lines().skip_while(move |line| !line.starts_with(&head)).skip(2);
    let rows = rows.take_while(|line| line.starts_with("| "));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        cells.try_into().unwrap_or_else(|cells| panic!("not four cells: {cells:?}"))
    })
    .collect()
}

/// What bottle's cell of the first table says.
fn bottle(what: &str) -> &'static str {
    table("what").into_iter().find(|row| row[0] == what).unwrap_or_else(|| panic!("no row {what}"))[3]
}

/// What a script prints in each kind of image.
fn each(script: &str, judge: impl Fn(&str)) {
    let world = World::new();
    judge(world.shell(script).ok());
    let image = image(&world, &json!({ "Env": ["PATH=/bin"] }));
    judge(said(&mut world.run(&[&image, "--", "sh", "-c", script])).ok());
}

#[test]
fn no_path_is_less_closed_than_under_runc_and_podman() {
    let closed = |how: &str| ["shown", "read-only", "masked"].iter().position(|known| *known == how).unwrap();
    let rows = table("path");
    assert!(rows.len() > 20, "{rows:?}");
    for [path, runc, podman, bottle] in rows {
        assert!(closed(bottle) >= closed(runc).max(closed(podman)), "{path}");
    }
}

#[test]
fn each_path_is_closed_as_the_document_says() {
    let paths: Vec<&str> = table("path").iter().map(|row| row[0]).collect();
    // What is there, what of it can be seen, and whether it can be written.
    let script = format!(
        "for it in {}; do [ -e $it ] || continue; w=no; \
         if [ -d $it ]; then n=$(ls -A $it | wc -l); mkdir $it/x 2>/dev/null && w=yes; \
         else n=$(head -c 1 $it 2>/dev/null | wc -c); (: >> $it) 2>/dev/null && w=yes; fi; \
         echo $it $((n)) $w; done",
        paths.join(" ")
    );
    each(&script, |printed| {
        let found: BTreeMap<&str, (u64, &str)> = printed
            .lines()
            .map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                (words[0], (words[1].parse().unwrap(), words[2]))
            })
            .collect();
        assert!(found.len() > 8, "{found:?}");
        for [path, _, _, bottle] in table("path") {
            let Some((seen, written)) = found.get(path) else { continue };
            assert_eq!(*written, "no", "{path}");
            assert!(bottle != "masked" || *seen == 0, "{path} shows {seen}");
        }
    });
}

#[test]
fn what_is_mounted_in_proc_and_sys_is_read_only_and_in_the_document() {
    let known: BTreeSet<&str> = table("path").iter().map(|row| row[0]).collect();
    // What it is mounted on, how, and at last whether there is something to mount it on.
    let there = table("path").iter().map(|row| format!("[ -e {0} ] && echo there {0};", row[0])).collect::<String>();
    each(&format!("cut -d' ' -f5,6 /proc/self/mountinfo; {there} true"), |printed| {
        let lines: Vec<(&str, &str)> = printed.lines().map(|line| line.split_once(' ').unwrap()).collect();
        let mounts = || lines.iter().filter(|(at, _)| at.starts_with("/proc/") || at.starts_with("/sys"));
        for (at, options) in mounts() {
            assert!(options.split(',').any(|option| option == "ro"), "{at} {options}");
            assert!(known.contains(at) || *at == "/sys", "{at} is not in docs/confinement.md");
        }
        for (_, path) in lines.iter().filter(|(word, path)| *word == "there" && path.starts_with("/proc/")) {
            assert!(mounts().any(|(at, _)| at == path), "{path} is as the kernel has it");
        }
    });
}

#[test]
fn the_devices_are_those_of_the_document() {
    let expected: BTreeSet<&str> =
        table("in /dev").into_iter().filter(|row| row[3] == "yes").map(|row| row[0]).collect();
    each("ls /dev", |printed| assert_eq!(printed.lines().collect::<BTreeSet<_>>(), expected));
}

#[test]
fn what_a_process_may_do_is_what_the_document_says() {
    each("cat /proc/self/status; grep core /proc/self/limits", |status| {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap_or_else(|| panic!("{name}: {status}")).trim().to_owned()
        };
        let capabilities = |name: &str| u64::from_str_radix(&field(name), 16).unwrap().count_ones().to_string();
        assert_eq!(capabilities("CapEff"), bottle("effective capabilities"));
        assert_eq!(capabilities("CapBnd"), bottle("bounding set"));
        assert_eq!(field("NoNewPrivs"), bottle("no_new_privs"));
        // The test itself may lie under some.
        let own = crate::host::status(std::process::id(), "Seccomp_filters").unwrap().parse::<u32>().unwrap();
        assert_eq!((field("Seccomp_filters").parse::<u32>().unwrap() - own).to_string(), bottle("seccomp filters"));
        let core = status.lines().last().unwrap();
        assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..], ["1", "1", "bytes"]);
    });
}

#[test]
fn a_sandbox_of_a_programs_own_works_inside() {
    let world = World::new();
    // landlock_create_ruleset, landlock_restrict_self, with no_new_privs set already.
    let script = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nhandled = ctypes.c_uint64(2)\n\
                  ruleset = libc.syscall(444, ctypes.byref(handled), ctypes.c_size_t(8), 0)\n\
                  assert ruleset >= 0, ctypes.get_errno()\nassert libc.syscall(446, ruleset, 0) == 0\n\
                  print(open('/etc/hostname').read() != '')\ntry: open('x', 'w')\nexcept PermissionError: print('closed')";
    let said = said(&mut world.run(&["host", "--", "python3", "-c", script]));
    assert_eq!(said.ok(), "True\nclosed\n");
}
