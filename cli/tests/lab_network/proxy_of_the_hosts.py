"""A CONNECT proxy on the lab's host: address, file for the heads that it gets, what it is like, and the names that it knows."""
import json, socket, sys, threading

address, heads, manner, names = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
listener = socket.create_server((address, 0))
print(listener.getsockname()[1], flush=True)


def pour(source, sink):
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client):
    head = b""
    while b"\r\n\r\n" not in head:
        piece = client.recv(65536)
        if not piece:
            return client.close()
        head += piece
    with open(heads, "a") as file:
        file.write(json.dumps(head.decode()) + "\n")
    if manner != "open":
        client.sendall(manner.encode().decode("unicode_escape").encode())
        return client.close()
    host, port = head.split(b" ")[1].decode().rsplit(":", 1)
    server = socket.create_connection((names.get(host, host.strip("[]")), int(port)), 10)
    # The first bytes of a server that speaks first may come with the answer.
    client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 lab\r\n\r\n")
    threading.Thread(target=pour, args=(server, client)).start()
    pour(client, server)


while True:
    threading.Thread(target=serve, args=(listener.accept()[0],)).start()
