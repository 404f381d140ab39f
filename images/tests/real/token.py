"""Gives tokens to a registry's clients, as the distribution specification has it: over TLS, signed with RS256.

token.py CERTIFICATE KEY USER:PASSWORD REFRESH-TOKEN; prints its port once it listens. Who says nothing of himself may
pull what lies below public/; the user, by password or refresh token, may do everything.
"""
import base64, http.server, json, ssl, subprocess, sys, time, urllib.parse

CERTIFICATE, KEY, USER, REFRESH = sys.argv[1:]
X5C = [base64.b64encode(ssl.PEM_cert_to_DER_cert(open(CERTIFICATE).read())).decode()]


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(user, fields):
    access = []
    for scope in fields.get("scope", []):
        kind, name, actions = scope.split(":")
        allowed = actions.split(",") if user else ["pull"] if name.startswith("public/") else []
        access.append({"type": kind, "name": name, "actions": allowed})
    now = int(time.time())
    claims = {"iss": "issuer", "sub": user, "aud": fields["service"][0], "iat": now, "nbf": now - 60, "exp": now + 600,
              "jti": str(time.time_ns()), "access": access}
    parts = [{"typ": "JWT", "alg": "RS256", "x5c": X5C}, claims]
    text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", KEY], input=text.encode(), stdout=subprocess.PIPE, check=True)
    return f"{text}.{encoded(signed.stdout)}"


class Issuer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        said = self.headers.get("Authorization")
        known = said == "Basic " + base64.b64encode(USER.encode()).decode()
        fields = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        self.give("token", fields, known, said is None)

    def do_POST(self):
        fields = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        known = fields.get("grant_type") == ["refresh_token"] and fields.get("refresh_token") == [REFRESH]
        self.give("access_token", fields, known, False)

    def give(self, name, fields, known, anybody):
        if not known and not anybody:
            return self.say(401, {"errors": [{"code": "UNAUTHORIZED", "message": "who is that?"}]})
        self.say(200, {name: token(USER.split(":")[0] if known else "", fields)})

    def say(self, status, answer):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
