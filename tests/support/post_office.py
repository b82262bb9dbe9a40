"""Mail servers for tests: accepting, refusing, or silent."""

import re
import socketserver
import threading
from contextlib import suppress
from typing import Self


class PostOffice:
    """A mail server: `with PostOffice() as office:`; received mails are in `office.mails`."""

    def __init__(self, *refusals: str, is_mute: bool = False) -> None:
        self.mails: list[str] = []
        self.refusals = list(refusals)
        """Replies to the next attempts to send, in order, before mail is accepted."""
        self.came = threading.Condition()
        self.speaks = threading.Event()
        if not is_mute:
            self.speaks.set()
        office = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                office.speaks.wait()
                # A client that had to wait may be gone.
                with suppress(OSError):
                    self.converse()

            def converse(self) -> None:
                self.say("220 ready")
                while line := self.rfile.readline():
                    verb = line[:4].upper()
                    if verb == b"MAIL" and office.refusals:
                        self.say(office.refusals.pop(0))
                    elif verb == b"DATA":
                        self.say("354 go on")
                        self.take()
                    else:
                        self.say("221 bye" if verb == b"QUIT" else "250 ok")

            def say(self, answer: str) -> None:
                self.wfile.write(f"{answer}\r\n".encode())

            def take(self) -> None:
                lines = list(iter(self.rfile.readline, b".\r\n"))
                with office.came:
                    office.mails.append(b"".join(lines).decode())
                    office.came.notify_all()
                self.say("250 taken")

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads = True, True
            request_queue_size = 100

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]

    @property
    def url(self) -> str:
        """The value of EMAIL_URL for this server."""
        return f"smtp://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.speaks.set()
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, count: int) -> list[str]:
        """The mails, once at least `count` have come."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.mails) >= count, 30), self.mails
            return list(self.mails)


def links(mail: str) -> list[str]:
    """All links in a mail."""
    return re.findall(r"https?://\S+", mail.replace("=\r\n", ""))
