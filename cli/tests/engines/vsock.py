"""Which ways are there to open a socket of AF_VSOCK? Each is closed at once; nothing is connected or sent."""

import ctypes
import os
import platform

VSOCK, STREAM = 40, 1
libc = ctypes.CDLL(None, use_errno=True)


def say(what, make, *arguments):
    """Whether a child can, since a filter may kill for it."""
    child = os.fork()
    if child == 0:
        os._exit(0 if make(*arguments) >= 0 else 1)
    print(what, "shut" if os.waitpid(child, 0)[1] else "open", flush=True)


def call(number, *arguments):
    return libc.syscall(*(ctypes.c_long(it) if isinstance(it, int) else it for it in (number, *arguments)))


def narrow(number, *arguments):
    """A call as programs of 32 bits make it (int 0x80)."""
    libc.mmap.restype = ctypes.c_void_p
    everything, private_anonymous_low = 7, 0x62
    place = libc.mmap(None, ctypes.c_size_t(4096), everything, private_anonymous_low, -1, ctypes.c_long(0))
    ctypes.memmove(place + 2048, (ctypes.c_uint32 * 3)(VSOCK, STREAM, 0), 12)
    values = [place + 2048 if it is None else it for it in arguments] + [0, 0]
    code = b"\x53\xb8" + number.to_bytes(4, "little")
    for register, value in zip((b"\xbb", b"\xb9", b"\xba"), values):
        code += register + value.to_bytes(4, "little")
    ctypes.memmove(place, code + b"\xcd\x80\x5b\xc3", len(code) + 4)
    return ctypes.CFUNCTYPE(ctypes.c_int)(place)()


SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]
say("plain", call, SOCKET, VSOCK, STREAM, 0)
say("upper half", call, SOCKET, 1 << 32 | VSOCK, STREAM, 0)
say("ring", call, 425, 1, ctypes.create_string_buffer(120))
if platform.machine() == "x86_64":
    say("x32", call, 0x40000000 | 41, VSOCK, STREAM, 0)
    say("32 bits", narrow, 359, VSOCK, STREAM, 0)
    say("32 bits, one call for all", narrow, 102, 1, None)
