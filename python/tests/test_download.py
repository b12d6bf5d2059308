"""Downloads, against a server that misbehaves."""

import hashlib
import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from metarec.cache import cache_folder
from metarec.datasets import download
from metarec.errors import DownloadError


def archive(name="ml-tiny"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr(f"{name}/ratings.csv", "1,2,3\n" * 20_000)
    return file.getvalue()


class Server(ThreadingHTTPServer):
    """Serves one archive; tests change what it does."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = archive()
        self.checksum = f"MD5 (ml-tiny.zip) = {hashlib.md5(self.body).hexdigest()}\n"
        self.status, self.stop_after, self.ranges = 200, [], []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/ml-tiny.zip"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        if self.path.endswith(".md5"):
            self.answer(200 if server.checksum else 404, (server.checksum or "").encode())
            return
        start = 0
        if "Range" in self.headers:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        server.ranges.append(start)
        if server.status != 200:
            self.answer(server.status, b"")
        elif start >= len(server.body):
            self.answer(416, b"")
        else:
            limit = server.stop_after.pop(0) if server.stop_after else None
            self.answer(206 if start else 200, server.body[start:], start, limit)

    def answer(self, status, body, start=0, limit=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 206:
            total = start + len(body)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.end_headers()
        self.wfile.write(body[:limit])


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def fetch(server, tmp_path):
    return download.fetch_archive(server.url, "ml-tiny", tmp_path / "cache")


def left(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache").iterdir())


def test_fetched_checked_unpacked_and_kept(server, tmp_path):
    folder = fetch(server, tmp_path)
    assert (folder / "ratings.csv").stat().st_size == 120_000
    assert left(tmp_path) == ["ml-tiny"]
    server.status = 500
    assert fetch(server, tmp_path) == folder
    assert server.ranges == [0]


def test_a_wrong_checksum_leaves_nothing(server, tmp_path):
    server.checksum = "MD5 (ml-tiny.zip) = " + "0" * 32
    with pytest.raises(DownloadError, match=r"expected MD5 0000.*, got [0-9a-f]{32}"):
        fetch(server, tmp_path)
    assert left(tmp_path) == []


def test_no_checksum_no_download(server, tmp_path):
    server.checksum = ""
    with pytest.raises(DownloadError, match=r"\.md5: Not Found"):
        fetch(server, tmp_path)
    server.checksum = "<html>sorry</html>"
    with pytest.raises(DownloadError, match="expected an MD5 checksum, got '<html>"):
        fetch(server, tmp_path)
    assert server.ranges == []


def test_a_truncated_download_is_continued(server, tmp_path):
    server.stop_after = [100, 50]
    fetch(server, tmp_path)
    assert server.ranges == [0, 100, 150]
    assert left(tmp_path) == ["ml-tiny"]


def test_after_too_many_truncations_the_next_call_continues(server, tmp_path):
    server.stop_after = [100, 50, 25]
    with pytest.raises(DownloadError, match=r"ml-tiny.zip: .*175 of \d+ bytes"):
        fetch(server, tmp_path)
    assert left(tmp_path) == ["ml-tiny.zip.part"]
    fetch(server, tmp_path)
    assert server.ranges == [0, 100, 150, 175]


def test_a_complete_part_needs_no_bytes(server, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "ml-tiny.zip.part").write_bytes(server.body)
    assert (fetch(server, tmp_path) / "ratings.csv").exists()


def test_a_part_of_another_file_is_thrown_away(server, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "ml-tiny.zip.part").write_bytes(b"other")
    with pytest.raises(DownloadError, match="expected MD5"):
        fetch(server, tmp_path)
    assert (fetch(server, tmp_path) / "ratings.csv").exists()


def test_a_server_error_is_told(server, tmp_path):
    server.status = 500
    with pytest.raises(DownloadError, match=r"ml-tiny.zip: Internal Server Error.*give its folder"):
        fetch(server, tmp_path)


def test_no_server_is_told(tmp_path):
    with pytest.raises(DownloadError, match="refused"):
        download.fetch_archive("http://127.0.0.1:9/x.zip", "x", tmp_path)


@pytest.mark.parametrize("body", [b"not a zip", archive("other")])
def test_something_else_than_the_archive_is_refused(server, tmp_path, body):
    server.body, server.checksum = body, hashlib.md5(body).hexdigest()
    with pytest.raises(DownloadError, match="expected a zip archive with a folder 'ml-tiny'"):
        fetch(server, tmp_path)
    assert "ml-tiny" not in left(tmp_path)


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "metarec"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/somewhere")
    assert str(cache_folder()) == "/somewhere/.cache/metarec"
