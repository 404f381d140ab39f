"""Writes a docker archive (argv[1]) of busybox in two layers, with the configuration in argv[2], and prints its diff ids."""

import hashlib
import io
import json
import sys
import tarfile

PROGRAMS = "sh ls mkdir cat id echo env pwd touch stat rm true".split()
PASSWD = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1001::/home/ann:/bin/sh\n"
GROUP = "root:x:0:\nann:x:1001:\nstaff:x:50:\n"


def layer(entries):
    """Each entry is a name, its mode, its owner, and its content; a name that ends in a slash is a directory."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, mode, owner, content in entries:
            info = tarfile.TarInfo(name.rstrip("/"))
            info.mode, info.uid, info.gid = mode, owner, owner
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content if info.size else b""))
    return stream.getvalue()


busybox = open("/bin/busybox", "rb").read()
lower = [("./", 0o711, 0, b""), ("bin/", 0o755, 0, b""), ("etc/", 0o755, 0, b""), ("home/", 0o755, 0, b""), ("home/ann/", 0o750, 1000, b"")]
lower += [("bin/busybox", 0o755, 0, busybox), ("etc/passwd", 0o644, 0, PASSWD.encode()), ("etc/group", 0o644, 0, GROUP.encode())]
lower += [("bin/" + program, 0o777, 0, "busybox") for program in PROGRAMS]
lower += [("etc/gone", 0o644, 0, b"gone\n"), ("etc/motd", 0o644, 0, b"lower\n")]
layers = [layer(lower), layer([("etc/.wh.gone", 0o644, 0, b""), ("etc/motd", 0o644, 0, b"upper\n")])]
digests = ["sha256:" + hashlib.sha256(content).hexdigest() for content in layers]
config = {"architecture": "amd64", "os": "linux", "config": json.loads(sys.argv[2])}
config["rootfs"] = {"type": "layers", "diff_ids": digests}
files = {"config.json": json.dumps(config).encode(), "0.tar": layers[0], "1.tar": layers[1]}
manifest = [{"Config": "config.json", "RepoTags": ["test/small:1"], "Layers": ["0.tar", "1.tar"]}]
files["manifest.json"] = json.dumps(manifest).encode()
with tarfile.open(sys.argv[1], "w") as archive:
    for name, content in files.items():
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
