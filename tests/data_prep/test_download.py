"""A publisher on loopback that fails in every way it can."""

import contextlib
import dataclasses
import gzip
import http.server
import json
import os
import threading
from types import SimpleNamespace

import pytest

from data_prep import download, package_index
from data_prep.errors import UnavailableError
from data_prep.folder import sha256
from data_prep.sources import DATASETS, Place
from tests.data_prep import publishers
from tests.data_prep.conftest import load
from tests.data_prep.test_formats import amazon_lines, assert_story, numbered

PATH = "/data/amazon/productGraph/categoryFiles/reviews_Automotive_5.json.gz"
# mtime=0: the bytes, and so the sizes of every cut, are the same in each process.
GOOD = gzip.compress(b"\n".join(amazon_lines(literal=False)) * 40, mtime=0)


class _Handler(http.server.BaseHTTPRequestHandler):
    """Asks the test's list of answers first, then serves files with ranges."""

    def do_GET(self):
        server = self.server.publisher
        start = 0
        wanted = self.headers.get("Range")
        server.requests.append((self.path, wanted))
        if server.script:
            answer = server.script.pop(0)
            if answer is not None:
                answer(self)
                return
        content = server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        if wanted and server.ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            end = f"{len(content) - 1}/{len(content)}"
            self.send_header("Content-Range", f"bytes {start}-{end}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:])

    def log_message(self, *args):
        pass


def cut(after: int):
    """Promises the whole file and closes after some bytes of it."""

    def answer(handler):
        content = handler.server.publisher.files.get(handler.path, b"x" * 99)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:after])

    return answer


def status(code: int):
    return lambda handler: handler.send_error(code)


def redirect(to: str):
    def answer(handler):
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.end_headers()

    return answer


@pytest.fixture
def publisher(monkeypatch):
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    state = SimpleNamespace(files={PATH: GOOD}, script=[], requests=[], ranges=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.publisher = state
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def fetch_automotive(command, publisher):
    return lambda *flags: command(
        "--dataset=automotive",
        f"--mirror={publisher.url}",
        "--allow_count_mismatch",
        *flags,
    )


def _assert_right(result, tmp_path):
    assert result.code == 0, result.err
    assert_story_of_forty(load(tmp_path / "data/automotive"))
    assert sorted(os.listdir(tmp_path / "raw")) == [
        "checksums.json",
        "reviews_Automotive_5.json.gz",
    ]


def assert_story_of_forty(prepared):
    prepared.stats["duplicates_dropped"] -= 39 * 9
    assert_story(prepared)


def _assert_refused(result, tmp_path, code, said):
    assert result.code == code
    assert said in result.err.splitlines()[-1]
    errors = [line for line in result.err.splitlines() if "warning" not in line]
    assert len(errors) == 1
    assert not (tmp_path / "data").exists()
    assert not list((tmp_path / "raw").iterdir())


def test_a_clean_download(fetch_automotive, publisher, tmp_path):
    _assert_right(fetch_automotive(), tmp_path)
    recorded = json.loads((tmp_path / "raw/checksums.json").read_text())
    assert list(recorded) == ["reviews_Automotive_5.json.gz"]
    assert len(publisher.requests) == 1


def test_a_flat_mirror_serves_by_file_name(fetch_automotive, publisher, tmp_path):
    publisher.files = {"/reviews_Automotive_5.json.gz": GOOD}
    _assert_right(fetch_automotive(), tmp_path)


def test_a_cut_connection_is_resumed(fetch_automotive, publisher, tmp_path):
    publisher.script = [cut(50), cut(0), None]
    _assert_right(fetch_automotive(), tmp_path)
    assert [wanted for _, wanted in publisher.requests] == [
        None,
        "bytes=50-",
        None,  # the second answer ignored the range: from the start
    ]


def test_a_host_without_ranges_sends_the_whole_again(
    fetch_automotive, publisher, tmp_path
):
    publisher.ranges = False
    publisher.script = [cut(80)]
    _assert_right(fetch_automotive(), tmp_path)


def test_a_partial_file_of_an_earlier_process_is_resumed(
    fetch_automotive, publisher, tmp_path
):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/reviews_Automotive_5.json.gz.part").write_bytes(GOOD[:70])
    _assert_right(fetch_automotive(), tmp_path)
    assert publisher.requests == [(PATH, "bytes=70-")]


@pytest.mark.parametrize(
    "stale",
    [b"x" * 70, GOOD + b"more", b"x" * len(GOOD)],
    ids=["shorter", "longer", "same length"],
)
def test_a_stale_partial_file_is_fetched_afresh(
    fetch_automotive, publisher, tmp_path, stale
):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/reviews_Automotive_5.json.gz.part").write_bytes(stale)
    _assert_right(fetch_automotive(), tmp_path)


def test_a_busy_host_is_asked_again(fetch_automotive, publisher, tmp_path):
    publisher.script = [status(503), status(429), status(500)]
    _assert_right(fetch_automotive(), tmp_path)


def test_a_redirect_is_followed(fetch_automotive, publisher, tmp_path):
    publisher.files["/elsewhere"] = GOOD
    publisher.script = [redirect("/elsewhere")]
    _assert_right(fetch_automotive(), tmp_path)


def test_a_host_that_stays_busy(fetch_automotive, publisher, tmp_path):
    publisher.script = [status(503)] * 99
    _assert_refused(fetch_automotive(), tmp_path, 3, "HTTP 503")
    assert len(publisher.requests) == 8  # four attempts, by path and by file name


def test_a_redirect_that_never_ends(fetch_automotive, publisher, tmp_path):
    publisher.script = [redirect(PATH)] * 99
    _assert_refused(fetch_automotive(), tmp_path, 3, "HTTP 302")


def test_a_redirect_to_a_local_file_is_refused(fetch_automotive, publisher, tmp_path):
    publisher.script = [redirect("file:///etc/hostname")] * 99
    _assert_refused(fetch_automotive(), tmp_path, 3, "HTTP 302")


def test_a_host_without_the_file(fetch_automotive, publisher, tmp_path):
    publisher.files = {}
    _assert_refused(fetch_automotive(), tmp_path, 3, "HTTP 404")
    assert len(publisher.requests) == 2


@pytest.mark.parametrize(
    "content",
    [GOOD[:-30], GOOD[:200] + b"\0\0\0\0" + GOOD[204:], b"<html>login</html>", b""],
    ids=["truncated", "corrupted", "html", "empty"],
)
def test_a_damaged_gzip_is_refused(fetch_automotive, publisher, tmp_path, content):
    publisher.files[PATH] = content
    result = fetch_automotive()
    _assert_refused(result, tmp_path, 2, "nothing was kept")


def test_a_connection_cut_for_good(fetch_automotive, publisher, tmp_path):
    publisher.script = [cut(0)] * 99
    _assert_refused(fetch_automotive(), tmp_path, 3, "cut off after 0 of")


def test_a_host_that_is_down(command, tmp_path, publisher):
    result = command("--dataset=automotive", "--mirror=http://127.0.0.1:1")
    _assert_refused(result, tmp_path, 3, "refused")


def test_a_name_that_does_not_resolve_is_asked_once(command, tmp_path, monkeypatch):
    slept = []
    monkeypatch.setattr(download.time, "sleep", slept.append)
    result = command("--dataset=automotive", "--mirror=http://no.such.invalid")
    _assert_refused(result, tmp_path, 3, "cannot be resolved")
    assert not slept


def test_a_wrong_checksum_is_refused(command, publisher, tmp_path):
    content = publishers.zip_of(
        tmp_path / "ml-1m.zip", {"ml-1m/ratings.dat": b"\n".join(numbered("::"))}
    ).read_bytes()
    publisher.files = {"/ml-1m.zip": content}
    result = command("--dataset=ml1m", f"--mirror={publisher.url}")
    _assert_refused(result, tmp_path, 2, "SHA-256 is")

    flags = ("--allow_count_mismatch", "--allow_checksum_mismatch")
    result = command("--dataset=ml1m", f"--mirror={publisher.url}", *flags)
    assert (result.code, "accepted" in result.err) == (0, True)
    assert_story(load(tmp_path / "data/ml1m"))
    assert os.listdir(tmp_path / "raw") == ["ml-1m.zip"]


def test_a_later_file_that_differs_from_the_first_is_refused(
    fetch_automotive, publisher, tmp_path
):
    _assert_right(fetch_automotive(), tmp_path)
    raw = tmp_path / "raw/reviews_Automotive_5.json.gz"
    before = load(tmp_path / "data/automotive").stats

    raw.write_bytes(gzip.compress(b"\n".join(amazon_lines(literal=True))))
    result = fetch_automotive()
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "first download" in result.err
    raw.unlink()
    publisher.files[PATH] = gzip.compress(b"\n".join(amazon_lines(literal=True)))
    result = fetch_automotive("--seed=1")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert sorted(os.listdir(tmp_path / "raw")) == ["checksums.json"]
    assert load(tmp_path / "data/automotive").stats == before


def test_a_checksum_is_not_kept_where_the_counts_are_wrong(
    command, publisher, tmp_path
):
    result = command("--dataset=automotive", f"--mirror={publisher.url}")
    assert result.code == 2
    assert "--allow_count_mismatch" in result.err
    assert os.listdir(tmp_path / "raw") == ["reviews_Automotive_5.json.gz"]
    assert not (tmp_path / "data").exists()


def test_mirrors_are_tried_in_turn(publisher, tmp_path):
    place = Place(
        "file.json.gz",
        urls=(
            f"{publisher.url}/gone",
            "http://no.such.invalid/x",
            publisher.url + PATH,
        ),
    )
    path = download.fetch(place, tmp_path / "raw", None)
    assert path.read_bytes() == GOOD


def test_two_processes_at_once_download_once(publisher, tmp_path):
    place = Place("file.json.gz", urls=(publisher.url + PATH,))
    threads = [
        threading.Thread(target=download.fetch, args=(place, tmp_path / "raw", None))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert os.listdir(tmp_path / "raw") == ["file.json.gz"]
    assert (tmp_path / "raw/file.json.gz").read_bytes() == GOOD
    assert len(publisher.requests) == 1


def _pip(tmp_path, wheel: bytes | None):
    """Stands in for `pip download`: puts a wheel into --dest, or fails."""

    def run(command, **kwargs):
        if wheel is None:
            error = package_index.subprocess.CalledProcessError(1, command)
            error.stderr = "trace\nERROR: no network\n"
            raise error
        dest = next(flag for flag in command if flag.startswith("--dest="))
        name = DATASETS["ml100k"].places[1].path
        with open(f"{dest.removeprefix('--dest=')}/{name}", "wb") as file:
            file.write(wheel)

    return run


def test_ml100k_falls_back_to_the_wheel(command, tmp_path, monkeypatch):
    members = {
        "recbole/x/ml-100k.inter": b"user_id:token\titem_id:token\trating:float\t"
        b"timestamp:float\n" + b"\n".join(numbered("\t")),
        "recbole/x/ml-100k.item": b"item_id:token\tmovie_title:token_seq\t"
        b"release_year:token\tclass:token_seq\n9\tM, Les\t1995\tAction Film-Noir\n"
        b"10\tZed (1994)\tV\tDrama\n",
    }
    wheel = publishers.zip_of(tmp_path / "wheel", members).read_bytes()
    monkeypatch.setattr(download, "_download", _no_host)
    monkeypatch.setattr(package_index.subprocess, "run", _pip(tmp_path, None))
    result = command("--dataset=ml100k")
    _assert_refused(result, tmp_path, 3, "ERROR: no network")

    monkeypatch.setattr(package_index.subprocess, "run", _pip(tmp_path, wheel))
    result = command("--dataset=ml100k")
    _assert_refused(result, tmp_path, 2, "SHA-256 is")

    places = list(DATASETS["ml100k"].places)
    right = sha256(tmp_path / "wheel")
    places[1] = places[1]._replace(sha256=right)
    with _places(monkeypatch, "ml100k", tuple(places)):
        result = command("--dataset=ml100k", "--allow_count_mismatch")
    assert result.code == 0, result.err
    prepared = load(tmp_path / "data/ml100k")
    assert_story(prepared)
    assert prepared.stats["source"]["kind"] == "package"
    items = (tmp_path / "data/ml100k/items.csv").read_text(encoding="utf-8")
    assert '9,"M, Les (1995)",Action|Film-Noir\n10,Zed (1994),Drama\n' in items


def _no_host(url, part):
    raise UnavailableError("the host's name cannot be resolved")


@contextlib.contextmanager
def _places(monkeypatch, key, places):
    changed = dataclasses.replace(DATASETS[key], places=places)
    monkeypatch.setitem(DATASETS, key, changed)
    yield
