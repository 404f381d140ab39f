"""Writes a docker archive (argv[1]) of busybox whose files belong to several users, with the configuration in argv[2]; argv[3] says
how many more files there are, argv[4] that one belongs to ids beyond those of a range."""

import hashlib
import io
import json
import sys
import tarfile

PROGRAMS = "sh ls mkdir cat id echo env pwd touch stat rm true sleep find chmod cp kill".split()
PASSWD = "root:x:0:0:root:/root:/bin/sh\nwww:x:33:34::/www:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n"
GROUP = "root:x:0:\nwww:x:34:\nnode:x:1000:\n"


def layer(entries):
    """Each entry is a name, its mode, its uid and gid, and its content; a name that ends in a slash is a directory."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, mode, (uid, gid), content in entries:
            info = tarfile.TarInfo(name.rstrip("/"))
            info.mode, info.uid, info.gid = mode, uid, gid
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content if info.size else b""))
    return stream.getvalue()


busybox = open("/bin/busybox", "rb").read()
root, www, node = (0, 0), (33, 34), (1000, 1000)
lower = [("./", 0o755, root, b""), ("bin/", 0o755, root, b""), ("etc/", 0o755, root, b""), ("home/", 0o755, root, b"")]
lower += [("bin/busybox", 0o755, root, busybox), ("etc/passwd", 0o644, root, PASSWD.encode()), ("etc/group", 0o644, root, GROUP.encode())]
lower += [("bin/" + program, 0o777, root, "busybox") for program in PROGRAMS]
lower += [("www/", 0o750, www, b""), ("www/page", 0o640, www, b"page\n"), ("www/link", 0o777, www, "page")]
lower += [("home/node/", 0o700, node, b""), ("home/node/busybox", 0o700, node, busybox), ("home/node/set", 0o4711, node, b"set\n")]
lower += [("last", 0o644, (65535, 65535), b"")] + [("beyond", 0o644, (70000, 80000), b"") for _ in sys.argv[4:]]
lower += [(f"many/{number}", 0o644, www, b"x") for number in range(int(sys.argv[3]))]
# One directory is only passed through, one is hidden, one file replaced, and one linked to.
upper = [("www/below/file", 0o600, node, b"file\n"), ("www/page", 0o644, node, b"new\n"), ("home/.wh.none", 0o644, root, b"")]
layers = [layer(lower), layer(upper)]
digests = ["sha256:" + hashlib.sha256(content).hexdigest() for content in layers]
config = {"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"], **json.loads(sys.argv[2])}}
config["rootfs"] = {"type": "layers", "diff_ids": digests}
files = {"config.json": json.dumps(config).encode(), "0.tar": layers[0], "1.tar": layers[1]}
files["manifest.json"] = json.dumps([{"Config": "config.json", "RepoTags": ["test/owners:1"], "Layers": ["0.tar", "1.tar"]}]).encode()
with tarfile.open(sys.argv[1], "w") as archive:
    for name, content in files.items():
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
