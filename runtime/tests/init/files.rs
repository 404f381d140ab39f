//! Which files does the workload change, and whose are they afterwards?

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use bottle_images::{ImageRef, Kind, Mount, Root, Volume};

use crate::harness::Claim;
use crate::supervisor::{World, as_ordinary_user, as_root, world};

pub(crate) const CLAIMS: &[Claim] = &[
    ("writes_in_the_working_directory_are_the_owners", || own_writes(&world())),
    ("writes_in_the_working_directory_are_the_owners_for_an_ordinary_user", || own_writes(&as_ordinary_user())),
    ("root_writes_as_the_owner_of_anothers_directory", as_root_claim_foreign_owner),
    ("the_hosts_programs_are_read_only", || assert_usr_read_only(&world())),
    ("the_hosts_programs_are_read_only_for_an_ordinary_user", || assert_usr_read_only(&as_ordinary_user())),
    ("what_only_root_may_read_of_the_hosts_programs_is_not_readable", private_of_roots),
    ("no_file_becomes_setuid_in_a_shared_directory", || no_setuid(&world())),
    ("no_file_becomes_setuid_in_a_shared_directory_for_an_ordinary_user", || no_setuid(&as_ordinary_user())),
    ("what_git_executes_can_not_be_changed", || git(&world())),
    ("what_git_executes_can_not_be_changed_for_an_ordinary_user", || git(&as_ordinary_user())),
    ("a_host_socket_in_the_working_directory_is_masked", || socket(&world())),
    ("a_host_socket_in_the_working_directory_is_masked_for_an_ordinary_user", || socket(&as_ordinary_user())),
    ("a_volume_is_shown_read_only_or_writable", || volumes(&world())),
    ("a_volume_is_shown_read_only_or_writable_for_an_ordinary_user", || volumes(&as_ordinary_user())),
    ("a_directory_image_is_never_changed", || directory_image(&world())),
    ("a_directory_image_is_never_changed_for_an_ordinary_user", || directory_image(&as_ordinary_user())),
    ("layers_lie_upon_one_another_and_none_is_changed", || layers(&world())),
    ("layers_lie_upon_one_another_and_none_is_changed_for_an_ordinary_user", || layers(&as_ordinary_user())),
    ("a_toolchain_below_home_works_without_its_credentials", || toolchain(&world())),
    ("a_toolchain_below_home_works_without_its_credentials_for_an_ordinary_user", || toolchain(&as_ordinary_user())),
    ("the_environment_is_what_was_asked_for", || environment(&world())),
    ("no_mount_is_left_on_the_host", || no_mount_left(&world())),
];

fn own_writes(world: &World) {
    world.shell("mkdir sub && echo text > sub/file && chmod 750 sub/file");
    let metadata = std::fs::metadata(world.path().join("sub/file")).unwrap();
    assert_eq!((metadata.uid(), metadata.mode() & 0o7777), (world.uid, 0o750));
    assert_eq!(std::fs::read_to_string(world.path().join("sub/file")).unwrap(), "text\n");
}

fn as_root_claim_foreign_owner() {
    if !rustix::process::geteuid().is_root() {
        // An ordinary user can't give a directory away: for that user the claim holds by the kernel's word.
        return assert!(chown(world().path(), Some(0), None).is_err());
    }
    for owner in [1234, 4_000_000] {
        let world = as_root();
        std::fs::write(world.path().join("theirs"), "").unwrap();
        chown(world.path(), Some(owner), Some(owner)).unwrap();
        chown(world.path().join("theirs"), Some(owner), Some(owner)).unwrap();
        assert_eq!(world.shell("echo x > new && echo y >> theirs && stat -c %u theirs && id -u"), "0\n0\n");
        assert_eq!(std::fs::metadata(world.path().join("new")).unwrap().uid(), owner);
    }
}

fn assert_usr_read_only(world: &World) {
    assert_eq!(world.shell("touch /usr/bin/bottle-test-tool 2>/dev/null || echo refused"), "refused\n");
}

/// As /usr and /opt are shown: files of root's that nobody else may read stay root's, whoever runs the bottle.
fn private_of_roots() {
    let world = world();
    let programs = tempfile::tempdir().unwrap();
    let path = |name: &str| programs.path().join(name);
    for (name, mode) in [("", 0o755), ("open", 0o755), ("closed", 0o700)] {
        std::fs::create_dir_all(path(name)).unwrap();
        std::fs::set_permissions(path(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    for (name, mode) in [("key", 0o600), ("open/key", 0o600), ("closed/key", 0o644), ("public", 0o644)] {
        std::fs::write(path(name), format!("{name}\n")).unwrap();
        std::fs::set_permissions(path(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    let mut plan =
        world.plan(&["sh", "-c", "cat /opted/key /opted/open/key /opted/closed/key /opted/public 2>/dev/null"]);
    let source = programs.path().canonicalize().unwrap();
    plan.files.mounts.push(Mount::new("/opted", Kind::ReadOnly { source }));
    let output = world.start(&plan).held().unwrap().release().finish().output;
    // What an ordinary user's own programs keep to their owner, that user may read inside too.
    let expected = if world.is_root() { "public\n" } else { "key\nopen/key\nclosed/key\npublic\n" };
    assert_eq!(output, expected);
}

fn no_setuid(world: &World) {
    let tries = "touch f; for m in 4755 2755 6755 u+s g+s; do chmod $m f 2>/dev/null && echo $m; done; \
                 cp /bin/true t && chmod +s t 2>/dev/null && echo copied; \
                 mkdir d && chmod g+s d 2>/dev/null && echo directory; true";
    assert_eq!(world.shell(tries), "");
    let python = "import os\n\
                  for flags, mode in [(os.O_CREAT | os.O_WRONLY, 0o4755), (os.O_CREAT | os.O_WRONLY, 0o2755)]:\n\
                  \x20 try: os.open('g', flags, mode); print('made')\n\
                  \x20 except PermissionError: pass\n\
                  try: os.mknod('n', 0o104755); print('made')\n\
                  except PermissionError: pass\n\
                  os.open('plain', os.O_CREAT | os.O_WRONLY, 0o755)\n";
    std::fs::write(world.path().join("try.py"), python).unwrap();
    assert_eq!(world.shell("python3 try.py"), "");
    for entry in std::fs::read_dir(world.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o6000, 0);
    }
}

fn git(world: &World) {
    let path = world.path();
    std::fs::create_dir_all(path.join(".git/objects")).unwrap();
    std::fs::write(path.join(".git/config"), "[core]\n").unwrap();
    let tries = "(echo x > .git/hooks/pre-commit) 2>/dev/null && echo hook; \
                 (echo x >> .git/config) 2>/dev/null && echo config; \
                 rm -f .git/config 2>/dev/null && echo removed; \
                 mv .git/hooks .git/h2 2>/dev/null && echo moved hooks; \
                 echo '[core]' > .git/config.lock; mv .git/config.lock .git/config 2>/dev/null && echo replaced; \
                 mv .git old 2>/dev/null && echo moved; rm -rf .git 2>/dev/null && echo removed all; \
                 mkdir -p .git/refs && echo ref > .git/HEAD && cat .git/HEAD";
    assert_eq!(world.shell(tries), "ref\n");
    assert_eq!(std::fs::read_to_string(path.join(".git/config")).unwrap(), "[core]\n");
    assert_eq!(std::fs::read_dir(path.join(".git/hooks")).unwrap().count(), 0);
    assert_eq!(std::fs::metadata(path.join(".git/hooks")).unwrap().uid(), world.uid);
}

fn socket(world: &World) {
    let listener = std::os::unix::net::UnixListener::bind(world.path().join("agent.sock")).unwrap();
    listener.set_nonblocking(true).unwrap();
    let connect = "import socket\n\
                   s = socket.socket(socket.AF_UNIX)\n\
                   try: s.connect('agent.sock'); print('connected')\n\
                   except OSError as e: print('refused')\n";
    std::fs::write(world.path().join("try.py"), connect).unwrap();
    assert_eq!(world.shell("python3 try.py"), "refused\n");
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

fn volumes(world: &World) {
    let mut world = World { volumes: Vec::new(), ..take(world) };
    for name in ["readable", "writable"] {
        std::fs::create_dir(world.path().join(name)).unwrap();
    }
    let volume = |text: String| Volume::parse(&text).unwrap();
    let top = world.path().display().to_string();
    world.volumes = vec![volume(format!("{top}/readable:/r:ro")), volume(format!("{top}/writable:/deep/w"))];
    assert_eq!(world.shell("touch /r/x 2>/dev/null || echo refused; echo y > /deep/w/y"), "refused\n");
    assert_eq!(std::fs::read_to_string(world.path().join("writable/y")).unwrap(), "y\n");
}

/// The same world again, to be changed.
fn take(world: &World) -> World {
    let again = if world.is_root() { crate::supervisor::as_root() } else { as_ordinary_user() };
    assert_eq!(again.uid, world.uid);
    again
}

/// A root file system of the host's static parts: a shell and what it is linked with.
fn root_file_system(root: &Path) {
    for directory in ["bin", "etc", "tmp"] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    std::fs::write(root.join("etc/release"), "image\n").unwrap();
    let copied = std::process::Command::new("sh")
        .args(["-c", "for f in /bin/sh /bin/cat $(ldd /bin/sh /bin/cat | grep -o '/[^ ]*' | grep -v :); do mkdir -p \"$1$(dirname $f)\" && cp -L $f \"$1$f\"; done", "sh"])
        .arg(root)
        .status()
        .unwrap();
    assert!(copied.success());
}

fn directory_image(world: &World) {
    let mut world = take(world);
    let root = world.path().join("rootfs");
    root_file_system(&root);
    world.image = ImageRef::Directory(root.clone());
    assert_eq!(
        world.shell("cat /etc/release; echo changed > /etc/release; cat /etc/release; pwd"),
        "image\nchanged\n/\n"
    );
    assert_eq!(std::fs::read_to_string(root.join("etc/release")).unwrap(), "image\n");
    assert!(!root.join("etc/resolv.conf").exists());
    assert_eq!(world.shell("cat /etc/resolv.conf"), "nameserver 28.0.0.1\n");
}

/// As many as images have, with names as long as they get: more than fits into one word for the kernel.
fn layers(world: &World) {
    const MANY: usize = 100;
    let mut world = take(world);
    let base = world.path().join("base");
    root_file_system(&base);
    std::fs::write(base.join("etc/gone"), "").unwrap();
    world.image = ImageRef::Directory(base.clone());
    let mut plan = world.plan(&["sh", "-c", "cat /etc/release /etc/0 /etc/98; echo /etc/g*; echo x > /etc/release"]);
    let mut layers = vec![base.canonicalize().unwrap()];
    for number in 0..MANY {
        let layer = world.path().join(format!("{number:0>64}"));
        std::fs::create_dir_all(layer.join("etc")).unwrap();
        std::fs::write(layer.join("etc/release"), format!("layer {number}\n")).unwrap();
        std::fs::write(layer.join(format!("etc/{number}")), format!("{number}\n")).unwrap();
        layers.insert(0, layer.canonicalize().unwrap());
    }
    let whiteout = layers[1].join("etc/gone");
    let (kind, mode) = (rustix::fs::FileType::CharacterDevice, rustix::fs::Mode::empty());
    rustix::fs::mknodat(rustix::fs::CWD, &whiteout, kind, mode, rustix::fs::makedev(0, 0)).unwrap();
    plan.files.root = Root::Overlay { layers: layers.clone(), like: 1, kept: None };
    let output = world.start(&plan).held().unwrap().release().finish().output;
    assert_eq!(output, "layer 99\n0\n98\n/etc/g*\n");
    assert_eq!(std::fs::read_to_string(layers[0].join("etc/release")).unwrap(), "layer 99\n");
}

fn no_mount_left(world: &World) {
    let before = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    world.shell("true");
    assert_eq!(std::fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
}

fn toolchain(world: &World) {
    let mut world = take(world);
    let home = tempfile::tempdir().unwrap();
    let cargo = home.path().join(".cargo");
    std::fs::create_dir_all(cargo.join("bin")).unwrap();
    std::fs::write(cargo.join("bin/tool"), "#!/bin/sh\necho tool\n").unwrap();
    std::fs::set_permissions(cargo.join("bin/tool"), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(cargo.join("credentials.toml"), "token = 'x'").unwrap();
    std::fs::write(home.path().join(".netrc"), "secret").unwrap();
    world.home = home.path().canonicalize().unwrap();
    world.path = format!("{}/bin:{}", cargo.display(), world.path);
    let script = "tool; ls ~/.cargo; ls -A ~; echo mine > ~/.cargo/bin/tool && cat ~/.cargo/bin/tool; \
                  echo made > ~/.cargo/credentials.toml && cat ~/.cargo/credentials.toml";
    // The directory itself is made by bottle: it belongs to uid 0 inside, or to the only user that there is.
    assert_eq!(world.shell(script), "tool\nbin\n.cargo\nmine\nmade\n");
    assert!(std::fs::read_to_string(cargo.join("bin/tool")).unwrap().contains("echo tool"));
    assert_eq!(std::fs::read_to_string(cargo.join("credentials.toml")).unwrap(), "token = 'x'");
}

fn environment(world: &World) {
    let mut world = take(world);
    world.env = vec![("ASKED".into(), "a b".into())];
    assert_eq!(world.shell("echo $ASKED $HOME $USER $SHELL"), format!("a b {} tester /bin/sh\n", world.home.display()));
}
