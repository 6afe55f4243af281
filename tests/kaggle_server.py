"""A stand-in for Kaggle on 127.0.0.1, to which the real client talks, and which fails on demand.

Two variables of the environment send the client here, see `KaggleServer.environment`: it then speaks plain http to
"localhost" through a proxy, and the proxy is this server, which serves every address it is asked for.

Faults are set by the name of a call, a list of them for successive requests:
`server.faults["CreateSubmission"] = [status(500), drop]`.
"""

import base64
import io
import json
import socket
import threading
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

SLUG = "house-prices-advanced-regression-techniques"
TOKEN = "KGAT_s3cr3t-token-of-the-tests"
KEY = "0123456789abcdef-key-of-the-tests"
USERNAME = "tester"

Fault = Callable[["_Handler", bytes], None]


class KaggleServer:
    """State of the stand-in; a test sets it and reads what came.

    Attributes:
        files: of the archive, {name: content}.
        archive: the archive's bytes; None to zip `files`.
        mirror: {file name: content} of the public mirror.
        faults: {call: faults for its next requests}; calls are Kaggle's methods, and Storage, Upload, Mirror.
        calls: every call in order.
        uploads: bodies that arrived whole.
        submissions: what Kaggle has.
        script: what each question for a submission changes in it, one after the other; the last one stays.
        leaderboard: scores from the best.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.archive: bytes | None = None
        self.mirror: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.calls: list[str] = []
        self.authorizations: list[str] = []
        self.uploads: list[bytes] = []
        self.submissions: list[dict[str, Any]] = []
        self.script: list[dict[str, Any]] = [{"status": "COMPLETE", "publicScore": "0.12345"}]
        self.leaderboard = [0.11, 0.12, 0.13, 0.14]
        self.page_size = 3
        self.valid_tokens = {TOKEN}
        self.valid_keys = {KEY}
        self.has_entered = True
        self.is_closed = False
        self.limits: dict[str, Any] = {"numToday": 1, "numTotal": 3, "numAllowedNow": 9}
        self.next_ref = 56073536
        self.stopping = threading.Event()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.kaggle = self
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables that send the client here; set them before the client is imported."""
        return {"KAGGLE_API_ENVIRONMENT": "LOCALHOST", "HTTP_PROXY": self.address, "NO_PROXY": ""}

    def stop(self) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def archive_bytes(self) -> bytes:
        return zip_of(self.files) if self.archive is None else self.archive

    def step(self, submission: dict[str, Any]) -> dict[str, Any]:
        """The submission after the script's next step."""
        if self.script:
            submission.update(self.script[0])
            if len(self.script) > 1:
                self.script.pop(0)
        return submission


@contextmanager
def kaggle_server() -> Iterator[KaggleServer]:
    server = KaggleServer()
    try:
        yield server
    finally:
        server.stop()


def zip_of(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


# ---- faults ----


def status(code: int, message: str = "", *, nested: bool = False, headers: dict[str, str] | None = None) -> Fault:
    """An error with a JSON body in either of Kaggle's two forms."""
    content: dict[str, Any] = {"code": code, "message": message}
    body = json.dumps({"error": content} if nested else content).encode()
    return lambda handler, _: handler.reply(code, body, headers=headers)


def page(code: int, text: str = "<html><body>Sign in</body></html>", content_type: str = "text/html") -> Fault:
    """A page where an API's answer is due."""
    return lambda handler, _: handler.reply(code, text.encode(), content_type)


def drop(handler: "_Handler", _: bytes) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def drop_after_acting(handler: "_Handler", body: bytes) -> None:
    """Do what was asked, and lose the answer."""
    handler.muted = True
    handler.serve(body)
    drop(handler, body)


def stall(handler: "_Handler", _: bytes) -> None:
    """Never answer."""
    handler.server.kaggle.stopping.wait(20)
    handler.close_connection = True


def cut(share: float, *, declare_length: bool = True) -> Fault:
    """The archive, cut off."""

    def fault(handler: "_Handler", _: bytes) -> None:
        archive = handler.server.kaggle.archive_bytes()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/zip")
        if declare_length:
            handler.send_header("Content-Length", str(len(archive)))
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(archive[: int(len(archive) * share)])
        handler.close_connection = True

    return fault


# ---- the server ----


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    kaggle: KaggleServer

    def handle_error(self, *_: Any) -> None:
        """Broken connections are what it is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    muted = False

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        self._take()

    def do_GET(self) -> None:
        self._take()

    def do_PUT(self) -> None:
        self._take()

    def _take(self) -> None:
        kaggle = self.server.kaggle
        n_bytes = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(n_bytes)
        name = self._call_name()
        kaggle.calls.append(name)
        kaggle.authorizations.append(self.headers.get("Authorization", ""))
        if kaggle.faults[name]:
            kaggle.faults[name].pop(0)(self, body)
        else:
            self.serve(body)

    def _call_name(self) -> str:
        path = urlsplit(self.path).path
        if path.startswith("/api/v1/"):
            return path.rpartition("/")[2]
        if path.startswith("/upload/"):
            return "Upload"
        return "Storage" if path.startswith("/storage/") else "Mirror"

    def serve(self, body: bytes) -> None:
        name = self._call_name()
        if name == "Upload":
            self.server.kaggle.uploads.append(body)
            self.reply(200, b"")
        elif name == "Storage":
            self.reply(200, self.server.kaggle.archive_bytes(), "application/zip")
        elif name == "Mirror":
            content = self.server.kaggle.mirror.get(urlsplit(self.path).path.rpartition("/")[2])
            self.reply(200 if content else 404, content or b"", "text/csv")
        else:
            self._serve_call(name, json.loads(body or b"{}"))

    def _serve_call(self, name: str, request: dict[str, Any]) -> None:
        kaggle = self.server.kaggle
        if name == "IntrospectToken":
            active = request["token"] in kaggle.valid_tokens
            return self._answer({"active": active, "username": USERNAME} if active else {"active": False})
        if not self._is_authorized():
            return status(401, "Unauthenticated")(self, b"")
        if request.get("competitionName", SLUG) != SLUG:
            return status(404, "Competition not found")(self, b"")
        if name == "DownloadDataFiles":
            return self.reply(302, b"", headers={"Location": f"{kaggle.address}/storage/archive.zip?signed=1"})
        answers = {
            "GetCompetition": self._competition,
            "GetSubmissionLimits": lambda _: kaggle.limits,
            "StartSubmissionUpload": lambda _: {"token": "blob-token", "createUrl": f"{kaggle.address}/upload/1"},
            "CreateSubmission": self._create,
            "ListSubmissions": self._list,
            "GetSubmission": self._look_up,
            "GetLeaderboard": self._leaderboard,
        }
        return self._answer(answers[name](request))

    def _competition(self, _: dict[str, Any]) -> dict[str, Any]:
        kaggle = self.server.kaggle
        return {"userHasEntered": kaggle.has_entered, "submissionsDisabled": kaggle.is_closed}

    def _create(self, request: dict[str, Any]) -> dict[str, Any]:
        kaggle = self.server.kaggle
        kaggle.next_ref += 1
        description = request.get("submissionDescription", "")
        submission = {"ref": kaggle.next_ref, "description": description, "status": "PENDING", "publicScore": ""}
        kaggle.submissions.insert(0, submission)
        return {"message": "Successfully submitted to House Prices", "ref": kaggle.next_ref}

    def _list(self, request: dict[str, Any]) -> dict[str, Any]:
        size = request.get("pageSize", 20)
        start = (request.get("page", 1) - 1) * size
        return {"submissions": self.server.kaggle.submissions[start : start + size]}

    def _look_up(self, request: dict[str, Any]) -> dict[str, Any]:
        kaggle = self.server.kaggle
        return kaggle.step(next(submission for submission in kaggle.submissions if submission["ref"] == request["ref"]))

    def _leaderboard(self, request: dict[str, Any]) -> dict[str, Any]:
        kaggle = self.server.kaggle
        start = int(request.get("pageToken") or 0)
        end = start + kaggle.page_size
        teams = [{"teamName": f"team {score}", "score": str(score)} for score in kaggle.leaderboard[start:end]]
        return {"submissions": teams} | ({"nextPageToken": str(end)} if end < len(kaggle.leaderboard) else {})

    def _is_authorized(self) -> bool:
        kaggle = self.server.kaggle
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer":
            return value in kaggle.valid_tokens
        if scheme == "Basic":
            username, _, key = base64.b64decode(value).decode().partition(":")
            return username == USERNAME and key in kaggle.valid_keys
        return False

    def _answer(self, content: dict[str, Any]) -> None:
        self.reply(200, json.dumps(content).encode())

    def reply(
        self,
        code: int,
        body: bytes,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> None:
        if self.muted:
            return
        self.send_response(code)
        always = {
            "Content-Type": content_type,
            "Content-Length": str(len(body)),
            # Newer than any client, so that the client would say so.
            "X-Kaggle-ApiVersion": "99.0.0",
        }
        for header, value in (always | (headers or {})).items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(body)
