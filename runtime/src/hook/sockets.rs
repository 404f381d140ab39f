//! Which sockets of the host's could a container talk to? By those of engines, of systemd and of message buses other programs are started;
//! a directory in which such a one lives, or will, is as good as the socket. Any other that is shown by itself leads to a program that
//! is behind no airlock.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use bottle_images::contains::Trees;

use super::{Configuration, Refusal};

/// Where they are listened at; `*` is any one directory.
const STARTING: [&str; 33] = [
    "/run/docker.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "/run/containerd/containerd.sock.ttrpc",
    "/run/crio/crio.sock",
    "/run/cri-dockerd.sock",
    "/run/dockershim.sock",
    "/run/buildkit/buildkitd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/k0s/containerd.sock",
    "/run/nri/nri.sock",
    "/run/user/*/podman/podman.sock",
    "/run/user/*/docker.sock",
    "/run/user/*/containerd/containerd.sock",
    "/run/user/*/buildkit/buildkitd.sock",
    "/run/user/*/bus",
    "/run/user/*/systemd/private",
    "/run/systemd/private",
    "/run/dbus/system_bus_socket",
    "/run/libvirt/libvirt-sock",
    "/run/libvirt/virtqemud-sock",
    "/run/libvirt/virtlxcd-sock",
    "/run/lxd.socket",
    "/run/incus/unix.socket",
    "/run/snapd.socket",
    "/var/lib/lxd/unix.socket",
    "/var/lib/incus/unix.socket",
    "/var/snap/lxd/common/lxd/unix.socket",
    "/var/lib/kubelet/device-plugins/kubelet.sock",
    "/var/lib/kubelet/pod-resources/kubelet.sock",
    "/var/lib/rancher/k3s/agent/containerd/containerd.sock",
    "/var/run/docker.sock",
];

pub(super) fn refused(configuration: &Configuration) -> Vec<Refusal> {
    let shown = configuration.shown().into_iter().map(|(source, _)| source).filter(|source| source.exists());
    let shown: BTreeSet<PathBuf> = shown.collect();
    let (sockets, directories): (Vec<PathBuf>, Vec<PathBuf>) = shown.into_iter().partition(|source| is_socket(source));
    let trees = Trees::of(&directories);
    let is_held = |place: &Path| trees.as_ref().map_or(true, |trees| !matches!(trees.holding(place), Ok(None)));
    let held =
        places().into_iter().filter(|(place, _)| is_held(place)).map(|(_, socket)| Refusal::EngineSocket(socket));
    sockets.into_iter().map(bound).chain(held).collect()
}

/// Of one that is bound by itself, wherever it comes from.
fn bound(socket: PathBuf) -> Refusal {
    let starts = STARTING.iter().any(|known| Path::new(known).file_name() == socket.file_name());
    if starts { Refusal::EngineSocket(socket) } else { Refusal::Socket(socket) }
}

fn is_socket(source: &Path) -> bool {
    std::fs::metadata(source).is_ok_and(|about| about.file_type().is_socket())
}

/// Where they are really, links followed, or the nearest directory above, in which they will be; and one of those that are there.
fn places() -> BTreeMap<PathBuf, PathBuf> {
    let users = std::fs::read_dir("/run/user").into_iter().flatten().flatten();
    // Whoever comes is called by no number yet.
    let users = users.filter_map(|user| user.file_name().into_string().ok()).chain(["*".to_owned()]);
    let users: Vec<String> = users.collect();
    let spelled = STARTING.iter().flat_map(|socket| match socket.contains('*') {
        false => vec![(*socket).to_owned()],
        true => users.iter().map(|user| socket.replace('*', user)).collect(),
    });
    let nearest = |socket: &Path| socket.ancestors().find_map(|above| above.canonicalize().ok());
    spelled.map(PathBuf::from).filter_map(|socket| Some((nearest(&socket)?, socket))).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use serde_json::json;

    use super::super::Exception;
    use super::super::refusals::tests::{good, refused};
    use super::*;

    #[test]
    fn an_engines_socket_is_refused_wherever_it_comes_from_and_any_other_by_another_name() {
        let place = tempfile::tempdir().unwrap();
        for (name, exception) in [("docker.sock", Exception::EngineSocket), ("agent", Exception::HostSocket)] {
            let socket = place.path().join(name);
            UnixListener::bind(&socket).unwrap();
            let mut mounted = good();
            mounted["mounts"] = json!([{"destination": "/s", "type": "bind", "source": socket}]);
            let found = refused(&mounted, &[]);
            assert_eq!(found.iter().map(Refusal::exception).collect::<Vec<_>>(), [Some(exception)]);
            assert_eq!(refused(&mounted, &[exception]), []);
        }
        let directory = place.path().join("bus");
        std::fs::create_dir(&directory).unwrap();
        let mut mounted = good();
        mounted["mounts"] = json!([{"destination": "/s", "type": "bind", "source": directory}]);
        assert_eq!(refused(&mounted, &[]), []);
    }

    #[test]
    fn a_directory_in_which_a_socket_will_be_is_as_good_as_the_socket() {
        let place = tempfile::tempdir().unwrap();
        let link = place.path().join("link");
        std::os::unix::fs::symlink("/var/lib", &link).unwrap();
        let mut mounted = good();
        for directory in [Path::new("/"), Path::new("/run"), Path::new("/var"), &link] {
            mounted["mounts"] =
                json!([{"destination": "/s", "type": "bind", "source": directory, "options": ["bind"]}]);
            let found = refused(&mounted, &[Exception::OtherMounts]);
            assert!(found.iter().any(|it| matches!(it, Refusal::EngineSocket(_))), "{}", directory.display());
            assert_eq!(refused(&mounted, &[Exception::EngineSocket]), []);
        }
        for directory in [place.path(), Path::new("/usr"), Path::new("/etc")] {
            mounted["mounts"] = json!([{"destination": "/s", "type": "bind", "source": directory}]);
            assert_eq!(refused(&mounted, &[]), [], "{}", directory.display());
        }
    }
}
