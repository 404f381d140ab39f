"""What the tests' clients inside a bottle share: how a call ended is printed in one word."""
import errno, json, os, select, socket, ssl, struct, sys, threading, time

PATIENCE = 10
# Read before anything connects: it takes a while, and who connects and then says nothing for long is denied.
TRUST = ssl.create_default_context()


def end(call, *arguments):
    """The call's value, or the name of its error: ECONNRESET, ECONNREFUSED, EOF, TIMEOUT, ..."""
    try:
        return call(*arguments)
    except socket.timeout:
        return "TIMEOUT"
    except ssl.SSLEOFError:
        return "EOF"
    except ssl.SSLError as error:
        return error.reason
    except socket.gaierror as error:
        return {socket.EAI_NONAME: "NONAME", socket.EAI_AGAIN: "AGAIN"}.get(error.errno, str(error))
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def tcp(host, port):
    return socket.create_connection((host, port), PATIENCE)


def say(stream, text):
    """Sends text, and gives what comes back up to the end, or the name of the error."""
    def talk():
        stream.sendall(text if isinstance(text, bytes) else text.encode())
        got = b""
        while piece := stream.recv(65536):
            got += piece
        return got.decode("latin-1") if got else "EOF"
    return end(talk)


def tls(stream, name):
    """Wraps a connection; no name means no SNI, and then nothing is checked."""
    context = TRUST
    if name is None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(stream, server_hostname=name)


def get(name, path="/", more=""):
    return f"GET {path} HTTP/1.1\r\nHost: {name}\r\n{more}Connection: close\r\n\r\n"


def https(host, port=443, name=""):
    """An HTTPS request to `host` under `name`; the status, or how it ended."""
    return end(lambda: status(say(tls(tcp(host, port), name if name != "" else host), get(name or host))))


def http(host, port=80, name=None):
    return end(lambda: status(say(tcp(host, port), get(name or host))))


def status(answer):
    return answer.split(" ")[1] if answer.startswith("HTTP/") else answer


def question(name, kind=1, number=0xB077, more=b""):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 1 if more else 0) + labels + struct.pack(">BHH", 0, kind, 1) + more


def ask(server, name, kind=1, more=b"", patience=PATIENCE):
    """A question over UDP, from a connected socket; the answer's bytes."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as stream:
        stream.settimeout(patience)
        stream.connect((server, 53))
        stream.send(question(name, kind, more=more))
        return stream.recv(4096)


def ask_until_answered(server, name):
    """As resolvers do: a datagram may be lost where many are sent."""
    answer = "TIMEOUT"
    while answer == "TIMEOUT":
        answer = end(lambda: ask(server, name, patience=1))
    return answer


def code(answer):
    return answer[3] & 15


def datagram(address, port, payload=b"x"):
    """Sends a datagram and waits for anything at all."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as stream:
        stream.settimeout(PATIENCE)
        stream.connect((address, port))
        stream.send(payload)
        return stream.recv(4096)
