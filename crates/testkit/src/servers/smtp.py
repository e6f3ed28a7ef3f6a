"""A mail server for tests: takes mail, refuses it, is slow or breaks off, as the recipient says.

Arguments: the directory where mails are put, the port, how the connection is protected (`none`,
`starttls`, `tls`), certificate and key, and a user and a password, or two empty ones.
"""

import asyncio
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

directory, port, encryption, certificate, key, user, password = sys.argv[1:]


class Handler:
    """What is done with a mail is in the local part of its recipient."""

    def __init__(self):
        self.count = len([name for name in os.listdir(directory) if name.endswith(".mail")])

    async def handle_RCPT(self, server, session, envelope, address, options):
        local = address.split("@")[0]
        if local == "refused":
            return f"550 5.1.1 there is no mailbox <{address}>"
        if local == "later":
            return "451 4.3.0 try again later"
        if local == "slow":
            await asyncio.sleep(3600)
        if local == "cut":
            server.transport.abort()
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        local = envelope.rcpt_tos[0].split("@")[0]
        if local == "content":
            return "554 5.6.0 nobody wants to read this"
        self.count += 1
        name = os.path.join(directory, f"{self.count:04}")
        with open(name + ".part", "wb") as file:
            file.write(f"MAIL FROM: {envelope.mail_from}\r\n".encode())
            for recipient in envelope.rcpt_tos:
                file.write(f"RCPT TO: {recipient}\r\n".encode())
            file.write(f"AUTH: {session.auth_data or ''}\r\n".encode())
            file.write(envelope.original_content)
        os.rename(name + ".part", name + ".mail")
        if local == "cutlate":
            server.transport.abort()
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    """Compares with the one user that there is."""
    given = (data.login.decode(), data.password.decode())
    if given != (user, password):
        return AuthResult(success=False, handled=False)
    return AuthResult(success=True, auth_data=f"{mechanism} {user}")


async def main():
    context = None
    if encryption != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    starttls = encryption == "starttls"
    handler = Handler()

    def protocol():
        return SMTP(
            handler,
            hostname="mail.test",
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=authenticate if user else None,
            auth_required=bool(user),
            # Without this, it offers signing in also where nobody can.
            auth_exclude_mechanism=[] if user else ["LOGIN", "PLAIN"],
            auth_require_tls=starttls,
        )

    server = await asyncio.get_running_loop().create_server(
        protocol,
        "127.0.0.1",
        int(port),
        ssl=context if encryption == "tls" else None,
    )
    with open(os.path.join(directory, "port.part"), "w") as file:
        file.write(str(server.sockets[0].getsockname()[1]))
    os.rename(os.path.join(directory, "port.part"), os.path.join(directory, "port"))
    await server.serve_forever()


asyncio.run(main())
