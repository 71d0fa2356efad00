"""A status page in the test's own process that behaves as Statuspage's API does, with the moods that servers have."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hemmelig-token"
PAGE = "/v1/pages/side1"


@dataclass
class Page:
    """`moods` are taken one per call that changes something: a status to answer with; "lost" does it and hangs up."""

    incidents: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    moods: list[int | str] = field(default_factory=list)


@contextmanager
def status_server(page: Page) -> Iterator[str]:
    """The address of the page's API."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self._is_let_in():
                name = self.path.removeprefix(f"{PAGE}/incidents/")
                if name == "unresolved":
                    found = [each for each in page.incidents.values() if each["status"] != "resolved"]
                    self._answer(200, found)
                elif name in page.incidents:
                    self._answer(200, page.incidents[name])
                else:
                    self._answer(404, {"error": "Not found"})

        def do_POST(self) -> None:
            if self._is_let_in():
                self._change(201, None)

        def do_PATCH(self) -> None:
            if self._is_let_in():
                self._change(200, self.path.removeprefix(f"{PAGE}/incidents/"))

        def _change(self, status: int, name: str | None) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["incident"]
            mood = page.moods.pop(0) if page.moods else None
            if isinstance(mood, int):
                self._answer(mood, {"error": "…"})
                return
            if name is None:
                name = f"inc{len(page.incidents) + 1}"
                page.incidents[name] = {
                    "id": name,
                    "name": body["name"],
                    "metadata": body.get("metadata", {}),
                    "incident_updates": [],
                }
            incident = page.incidents[name]
            incident["status"] = body["status"]
            incident["incident_updates"].insert(0, {"status": body["status"], "body": body["body"]})
            if mood == "lost":
                self.close_connection = True
                self.connection.close()
                return
            self._answer(status, incident)

        def _is_let_in(self) -> bool:
            page.calls.append(f"{self.command} {self.path}")
            if self.headers.get("Authorization") == f"OAuth {TOKEN}":
                return True
            self._answer(401, {"error": "Could not authenticate"})
            return False

        def _answer(self, status: int, content: Any) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{PAGE}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
