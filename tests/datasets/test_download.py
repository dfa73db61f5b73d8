"""Fetching, from a server on this machine that can send a wrong file or stop in the middle."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from efficientdl.datasets.download import NotFetched, Remote, fetch

CONTENT = bytes(range(256)) * 2000  # half a megabyte that is not all the same
PIECE = 65536  # what is written at a time
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Sends `server.content`, in the way that `server.cut` and `server.ranges` say."""

    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.asked.append(asked)
        if server.status != 200:
            self.send_error(server.status)
            return
        start = (
            int(asked.removeprefix("bytes=").removesuffix("-")) if asked and server.ranges else 0
        )
        if start >= len(server.content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(server.content) - start))
        self.end_headers()
        cut = server.cuts.pop(0) if server.cuts else None
        self.wfile.write(server.content[start:cut])
        self.wfile.flush()
        self.close_connection = True

    def log_message(self, *_):
        """Says nothing."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.status, server.ranges = CONTENT, 200, True
        server.cuts, server.asked = [], []
        server.url = f"http://127.0.0.1:{server.server_port}/file.bin"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_fetches_once_and_then_reads_the_cache(server, tmp_path):
    remote = Remote(server.url, SHA256)
    path = fetch(remote, "file.bin", folder=tmp_path)
    assert path.read_bytes() == CONTENT
    assert fetch(remote, "file.bin", folder=tmp_path) == path
    assert server.asked == [None]
    assert [p.name for p in tmp_path.iterdir()] == ["file.bin"]


def test_md5_serves_too(server, tmp_path):
    known = "md5:" + hashlib.md5(CONTENT).hexdigest()
    assert fetch(Remote(server.url, known), "a", folder=tmp_path / "new").read_bytes() == CONTENT


def test_a_wrong_file_is_removed_and_said(server, tmp_path):
    server.content = CONTENT[:-1] + b"!"
    said = r"file.bin from 127.0.0.1:\d+ is not the file that was expected .* was removed"
    with pytest.raises(NotFetched, match=said):
        fetch(Remote(server.url, SHA256), "file.bin", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
    server.content = CONTENT
    assert fetch(Remote(server.url, SHA256), "file.bin", folder=tmp_path).is_file()


def test_goes_on_by_itself_where_it_was_cut_off(server, tmp_path):
    server.cuts = [2 * PIECE + 1000, 4 * PIECE]  # the first one in the middle of a piece
    path = fetch(Remote(server.url, SHA256), "file.bin", folder=tmp_path)
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={2 * PIECE}-", f"bytes={4 * PIECE}-"]


def test_what_is_there_is_kept_for_the_next_try(server, tmp_path):
    server.cuts = [2 * PIECE, 2 * PIECE]  # the second answer ends before its first byte
    remote = Remote(server.url, SHA256)
    with pytest.raises(NotFetched, match="was cut off after 131,072 bytes, which are kept"):
        fetch(remote, "file.bin", folder=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["file.bin.part"]
    server.asked.clear()
    assert fetch(remote, "file.bin", folder=tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=131072-"]
    assert [p.name for p in tmp_path.iterdir()] == ["file.bin"]


def test_a_server_that_cannot_resume_sends_it_all_again(server, tmp_path):
    server.ranges = False
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:1000])
    assert fetch(Remote(server.url, SHA256), "file.bin", folder=tmp_path).read_bytes() == CONTENT


def test_a_part_that_is_whole_is_taken(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    assert fetch(Remote(server.url, SHA256), "file.bin", folder=tmp_path).read_bytes() == CONTENT


def test_a_part_of_another_file_is_found_out(server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(b"x" * 1000)
    with pytest.raises(NotFetched, match="checksum differs"):
        fetch(Remote(server.url, SHA256), "file.bin", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_cache_is_fetched_again(server, tmp_path):
    remote = Remote(server.url, SHA256)
    path = fetch(remote, "file.bin", folder=tmp_path)
    path.write_bytes(b"damaged")
    assert fetch(remote, "file.bin", folder=tmp_path).read_bytes() == CONTENT


def test_a_file_that_is_gone(server, tmp_path):
    server.status = 404
    with pytest.raises(NotFetched, match=r"has no file.bin: it answered 404"):
        fetch(Remote(server.url, SHA256), "file.bin", folder=tmp_path)


def test_no_network(server, tmp_path):
    url = server.url.replace(str(server.server_port), "1")  # nobody listens at port 1
    with pytest.raises(NotFetched, match=r"127.0.0.1:1 cannot be reached"):
        fetch(Remote(url, SHA256), "file.bin", folder=tmp_path)
