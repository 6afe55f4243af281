"""A stand-in for Kaggle on 127.0.0.1, to which the real client talks, and which fails on demand.

Two variables of the environment send the client here, see `KaggleServer.environment`: it then speaks plain http to
"localhost" through a proxy, and the proxy is this server, which serves every address it is asked for.

Faults are set by the name of a call, a list of them for successive requests:
`server.faults["CreateSubmission"] = [status(500), drop]`.
"""

# ruff: noqa: N802, N815  # Kaggle's names, and http.server's

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

TOKEN = "KGAT_s3cr3t-token-of-the-tests"
KEY = "0123456789abcdef-key-of-the-tests"
USERNAME = "tester"
BASIC = "Basic " + base64.b64encode(f"{USERNAME}:{KEY}".encode()).decode()

Fault = Callable[["Handler", bytes], None]


class KaggleServer:
    """State of the stand-in; a test sets it and reads what came.

    Attributes:
        files: of the archive, {name: content}.
        archive: the archive's bytes; None to zip `files`.
        mirror: {file name: content} of the public mirror.
        faults: {call: faults for its next requests}; calls are Kaggle's methods, and Storage, Upload, Mirror.
        calls, authorizations: every call in order, and its Authorization header.
        script: changes of a submission, one with each request for it; the last one stays.
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
        self.has_entered, self.is_closed = True, False
        self.limits: dict[str, Any] = {"numToday": 1, "numTotal": 3, "numAllowedNow": 9}
        self.stopping = threading.Event()
        self._http = _Server(("127.0.0.1", 0), Handler)
        self._http.kaggle = self
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        """Variables that send the client here; set them before the client is imported."""
        return {"KAGGLE_API_ENVIRONMENT": "LOCALHOST", "HTTP_PROXY": self.address, "NO_PROXY": ""}

    def stop(self) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()

    def archive_bytes(self) -> bytes:
        return zip_of(self.files) if self.archive is None else self.archive

    # ---- Kaggle's methods ----

    def GetCompetition(self, _: Any) -> dict[str, Any]:
        return {"userHasEntered": self.has_entered, "submissionsDisabled": self.is_closed}

    def GetSubmissionLimits(self, _: Any) -> dict[str, Any]:
        return self.limits

    def StartSubmissionUpload(self, _: Any) -> dict[str, Any]:
        return {"token": "blob-token", "createUrl": f"{self.address}/upload/1"}

    def CreateSubmission(self, request: dict[str, Any]) -> dict[str, Any]:
        ref = 56073537 + len(self.submissions)
        submission = {"ref": ref, "description": request["submissionDescription"], "status": "PENDING"}
        self.submissions.insert(0, submission)
        return {"message": "Successfully submitted to House Prices", "ref": ref}

    def ListSubmissions(self, request: dict[str, Any]) -> dict[str, Any]:
        start = (request["page"] - 1) * request["pageSize"]
        return {"submissions": self.submissions[start : start + request["pageSize"]]}

    def GetSubmission(self, request: dict[str, Any]) -> dict[str, Any]:
        submission = next(submission for submission in self.submissions if submission["ref"] == request["ref"])
        submission.update(self.script.pop(0) if len(self.script) > 1 else self.script[0])
        return submission

    def GetLeaderboard(self, request: dict[str, Any]) -> dict[str, Any]:
        start = int(request.get("pageToken") or 0)
        teams = [{"score": str(score)} for score in self.leaderboard[start : start + 3]]
        return {"submissions": teams} | ({"nextPageToken": str(start + 3)} if start + 3 < len(self.leaderboard) else {})


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


def drop(handler: "Handler", _: bytes) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def drop_after_acting(handler: "Handler", body: bytes) -> None:
    """Do what was asked, and lose the answer."""
    handler.muted = True
    handler.serve(body)
    drop(handler, body)


def stall(handler: "Handler", _: bytes) -> None:
    """Never answer."""
    handler.server.kaggle.stopping.wait(20)
    handler.close_connection = True


def cut(share: float, *, declare_length: bool = True) -> Fault:
    """The archive, cut off."""

    def fault(handler: "Handler", _: bytes) -> None:
        archive = handler.server.kaggle.archive_bytes()
        handler.send_response(200)
        if declare_length:
            handler.send_header("Content-Length", str(len(archive)))
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


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    muted = False

    def log_message(self, *_: Any) -> None:
        """Stay silent."""

    def _take(self) -> None:
        kaggle = self.server.kaggle
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path).path.split("/")
        self.name = parts[-1]
        self.call = {"api": self.name, "upload": "Upload", "storage": "Storage"}.get(parts[1], "Mirror")
        kaggle.calls.append(self.call)
        kaggle.authorizations.append(self.headers.get("Authorization", ""))
        (kaggle.faults[self.call].pop(0) if kaggle.faults[self.call] else Handler.serve)(self, body)

    do_POST = do_GET = do_PUT = _take

    def serve(self, body: bytes) -> None:
        kaggle = self.server.kaggle
        if self.call == "Upload":
            kaggle.uploads.append(body)
            self.reply(200, b"")
        elif self.call == "Storage":
            self.reply(200, kaggle.archive_bytes(), "application/zip")
        elif self.call == "Mirror":
            content = kaggle.mirror.get(self.name)
            self.reply(200 if content else 404, content or b"", "text/csv")
        elif self.call == "IntrospectToken":
            active = json.loads(body)["token"] == TOKEN
            self.reply(200, json.dumps({"active": active, "username": USERNAME if active else ""}).encode())
        elif self.headers.get("Authorization") not in (f"Bearer {TOKEN}", BASIC):
            status(401, "Unauthenticated")(self, b"")
        elif self.call == "DownloadDataFiles":
            self.reply(302, b"", headers={"Location": f"{kaggle.address}/storage/archive.zip?signed=1"})
        else:
            self.reply(200, json.dumps(getattr(kaggle, self.call)(json.loads(body))).encode())

    def reply(
        self, code: int, body: bytes, kind: str = "application/json", headers: dict[str, str] | None = None
    ) -> None:
        if self.muted:
            return
        self.send_response(code)
        # A version newer than any client's, so that the client would say so.
        usual = {"Content-Type": kind, "Content-Length": str(len(body)), "X-Kaggle-ApiVersion": "99.0.0"}
        for header, value in (usual | (headers or {})).items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(body)
