"""The server of the live page: on this machine alone, for whoever has its address.

A web page elsewhere can make the browser send requests here. None is answered without the random
token of the address, under another host name (DNS rebinding) or from another origin.
"""

import json
import secrets
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cellxai.report.live.page import render_live
from cellxai.verbs.view.jobs import Jobs
from cellxai.verbs.view.viewed_run import ViewedRun

HOST = "127.0.0.1"
MOST_BYTES = 64 * 2**20  # of an image; how many pixels are decoded, the readers limit
CHUNK = 2**16
PATIENCE_S = 30  # for a client that sends nothing
DEFAULT_METHODS = ("gradcam", "integrated-gradients", "lime")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class RefusedError(Exception):
    """A request that is not served: its status and a line that says why."""

    def __init__(self, status: HTTPStatus, line: str) -> None:
        super().__init__(line)
        self.status = status


class LiveServer(ThreadingHTTPServer):
    """Serves the page of some runs.

    Args:
        runs: The runs that may be asked.
        folder: Where dropped images lie until they are answered.
        port: 0 for a free one.

    Raises:
        OSError: If the port is taken.
    """

    daemon_threads = True

    def __init__(self, runs: Sequence[ViewedRun], folder: Path, port: int = 0) -> None:
        super().__init__((HOST, port), Handler)
        self.token = secrets.token_urlsafe(24)
        self.jobs = Jobs(runs, folder)
        self.jobs.start()

    @property
    def hosts(self) -> tuple[str, str]:
        """The names under which it answers."""
        return f"{HOST}:{self.server_port}", f"localhost:{self.server_port}"

    @property
    def address(self) -> str:
        """The address of the page."""
        return f"http://{self.hosts[0]}/?token={self.token}"

    def page(self) -> str:
        """The page as HTML."""
        names = [run.name for run in self.jobs.runs]
        methods = [(name, name in DEFAULT_METHODS) for name in self.jobs.explainers]
        return render_live(names, methods, self.token, MOST_BYTES)

    def close(self) -> None:
        """Ends the worker and gives the port back."""
        self.jobs.stop()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: LiveServer  # pyright: ignore[reportIncompatibleVariableOverride]
    timeout = PATIENCE_S
    server_version, sys_version = "cellxai", ""

    def do_GET(self) -> None:
        """The page, or what is known of an image."""
        self._serve(self._get)

    def do_POST(self) -> None:
        """Takes an image."""
        self._serve(self._post)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing: the address in it holds the token."""

    def _serve(self, answer) -> None:
        try:
            self._check_host()
            answer(urlsplit(self.path))
        except RefusedError as refusal:
            self.close_connection = True  # the rest of the request is not read
            self._reply(refusal.status, "application/json", json.dumps({"problem": str(refusal)}))

    def _get(self, address) -> None:
        if address.path == "/":
            self._check_token(parse_qs(address.query).get("token", [""])[0])
            return self._reply(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page())
        self._check_token(self.headers.get("X-Token", ""))
        job = self.server.jobs.find(address.path.removeprefix("/images/"))
        if job is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "no such image, or its answer was forgotten")
        return self._reply(HTTPStatus.OK, "application/json", json.dumps(job.as_json()))

    def _post(self, address) -> None:
        self._check_token(self.headers.get("X-Token", ""))
        if address.path != "/images":
            raise RefusedError(HTTPStatus.NOT_FOUND, "images are sent to /images")
        asked = parse_qs(address.query)
        run = self._find_run(asked.get("run", [""])[0])
        methods = self._find_methods(asked.get("methods", [""])[0])
        if self.server.jobs.is_full:
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "many images wait; try again later")
        path = self.server.jobs.new_file()
        self._receive(path)
        name = self.server.jobs.add(run, path, methods)
        self._reply(HTTPStatus.ACCEPTED, "application/json", json.dumps({"job": name}))

    def _check_host(self) -> None:
        origin = self.headers.get("Origin")
        own = {f"http://{host}" for host in self.server.hosts}
        if self.headers.get("Host") not in self.server.hosts or (origin and origin not in own):
            raise RefusedError(HTTPStatus.FORBIDDEN, f"only {self.server.hosts[0]} is answered")

    def _check_token(self, token: str) -> None:
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            raise RefusedError(HTTPStatus.FORBIDDEN, "open the address that `cellxai view` printed")

    def _find_run(self, place: str) -> ViewedRun:
        runs = self.server.jobs.runs
        if not (place.isascii() and place.isdigit() and int(place) < len(runs)):
            raise RefusedError(HTTPStatus.BAD_REQUEST, f"run: expected a number below {len(runs)}")
        return runs[int(place)]

    def _find_methods(self, words: str) -> list[str]:
        names = list(dict.fromkeys(filter(None, words.split(","))))
        if unknown := [name for name in names if name not in self.server.jobs.explainers]:
            raise RefusedError(HTTPStatus.BAD_REQUEST, f"methods: {unknown[0]!r} is none")
        return names

    def _receive(self, path: Path) -> None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length) == 0:
            raise RefusedError(HTTPStatus.LENGTH_REQUIRED, "expected an image and its length")
        left = int(length)
        if left > MOST_BYTES:
            line = f"the image has {left} bytes, expected {MOST_BYTES} at most"
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, line)
        with path.open("xb") as file:
            while left and (chunk := self.rfile.read(min(left, CHUNK))):
                file.write(chunk)
                left -= len(chunk)
        if left:
            path.unlink()
            raise RefusedError(HTTPStatus.BAD_REQUEST, "the image was cut off")

    def _reply(self, status: HTTPStatus, kind: str, text: str) -> None:
        content = text.encode("utf-8", errors="replace")
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
