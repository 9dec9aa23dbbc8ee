"""The download.sh of the recipes, run as users run them against a server on this machine."""

import fcntl
import hashlib
import io
import resource
import runpy
import stat
import subprocess
import tarfile
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[2]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def wav(seed: int, num_samples: int = 3200) -> bytes:
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, num_samples)
    stream = io.BytesIO()
    soundfile.write(stream, samples, 16000, format="WAV")
    return stream.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


EMODB = {
    "wav/03a01Fa.wav": wav(0, 100_000),
    "wav/08b10Wd.wav": wav(1),
    "erkennung.txt": b"Nr. Satz erkannt natuerlich\n1 03a01Fa.wav 90,00 75,50\n",
}


@dataclass
class Server:
    """What a test serves, how, and what was asked for.

    Args:
        address: of the server.
        files: content of each path.
        cut_after: bytes of a body after which it closes the connection; 0: never.
        cuts: how often it does.
        hang_after: bytes of the body of a path after which it sends no more.
        asked: path of each request.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: int = 0
    cuts: int = 0
    hang_after: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def url(self, path: str) -> str:
        return self.address + path


@pytest.fixture
def server():
    state, over = Server(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.partition("?")[0]
            state.asked.append(path)
            if path not in state.files:
                return self.send_error(404)
            body = state.files[path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            limit = state.hang_after.get(path, len(body))
            if state.cuts:
                state.cuts -= 1
                limit = state.cut_after
            self.wfile.write(body[:limit])
            if path in state.hang_after:
                over.wait()

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.daemon_threads = True
        state.address = f"http://127.0.0.1:{httpd.server_port}"
        threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
        yield state
        over.set()
        httpd.shutdown()


class Downloader:
    """Runs a recipe's download.sh into a folder whose path has spaces and other letters."""

    def __init__(self, server: Server, top: Path, env: dict[str, str]):
        self.server, self.env = server, {**env, "no_proxy": "127.0.0.1"}
        self.target = top / "Korpora für alle" / "the corpus"
        self.work = self.target.with_name("the corpus.download")

    def start(self, recipe: str, *options: str, **kwargs) -> subprocess.Popen:
        script = ROOT / "egs" / recipe / "local" / "download.sh"
        return subprocess.Popen(
            ["bash", str(script), str(self.target), *options],
            env=self.env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **kwargs,
        )

    def run(self, recipe: str, *options: str, **kwargs) -> tuple[int, str]:
        process = self.start(recipe, *options, **kwargs)
        out, err = process.communicate(timeout=30)
        return process.returncode, out + err

    def ok(self, recipe: str, *options: str) -> str:
        status, text = self.run(recipe, *options)
        assert status == 0, text
        return text

    def fails(self, recipe: str, *options: str, **kwargs) -> str:
        """Run, and make sure that it says why in words and that nothing came of it."""
        status, text = self.run(recipe, *options, **kwargs)
        assert status == 1 and "Traceback" not in text, text
        assert not self.target.exists()
        return text


@pytest.fixture
def downloader(server, tmp_path, environment):
    return Downloader(server, tmp_path, environment())


@pytest.fixture
def emodb(server):
    """Serve a small EmoDB; return the options that ask for it."""
    server.files["/download.zip"] = zipped(EMODB)
    return ["--url", server.url("/download.zip")]


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def utterances(recipe: str, folder: Path) -> list:
    prepare = ROOT / "egs" / recipe / "local" / "prepare.py"
    return list(runpy.run_path(str(prepare))["utterances"](folder))


@pytest.mark.parametrize("recipe", ["emodb", "ravdess", "crema_d"])
def test_help(recipe, environment):
    script = ROOT / "egs" / recipe / "local" / "download.sh"
    for args in ([], ["--help"]):
        command = ["bash", str(script), *args]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True)
        assert done.returncode == 0 and f"egs/{recipe}/local/download.sh FOLDER" in done.stdout
        assert "Needs 0." in done.stdout and "set -E" not in done.stdout


def test_fresh_and_again(downloader, server, emodb):
    text = downloader.ok("emodb", *emodb)
    assert tree(downloader.target) == EMODB
    assert sha256(server.files["/download.zip"]) in text and "3 files, complete" in text
    assert not downloader.work.exists()
    assert [u.id for u in utterances("emodb", downloader.target)] == ["03a01Fa", "08b10Wd"]
    server.asked.clear()
    assert "nothing to do" in downloader.ok("emodb", *emodb)
    assert server.asked == [] and tree(downloader.target) == EMODB


def test_a_folder_at_the_top_of_the_archive_is_no_part_of_the_corpus(downloader, server):
    server.files["/e.zip"] = zipped({f"EmoDB 1.0/{name}": data for name, data in EMODB.items()})
    downloader.ok("emodb", "--url", server.url("/e.zip?download=1"))
    assert tree(downloader.target) == EMODB


def test_an_empty_folder_is_filled_another_one_is_not_touched(downloader, emodb):
    downloader.target.mkdir(parents=True)
    (downloader.target / "thesis.txt").write_text("mine")
    status, text = downloader.run("emodb", *emodb)
    assert status == 1 and "is there, but holds no wav; give a new folder" in text
    assert tree(downloader.target) == {"thesis.txt": b"mine"}
    (downloader.target / "thesis.txt").unlink()
    downloader.ok("emodb", *emodb)
    assert tree(downloader.target) == EMODB


def test_a_killed_download_leaves_nothing_that_looks_whole(downloader, server, emodb, wait_for):
    half = len(server.files["/download.zip"]) // 2
    server.hang_after["/download.zip"] = half
    process = downloader.start("emodb", *emodb)
    wait_for(lambda: any(path.stat().st_size > 0 for path in downloader.work.glob("tmp*")))
    process.kill()
    process.communicate()
    assert not downloader.target.exists() and not (downloader.work / "archive").exists()
    server.hang_after.clear()
    downloader.ok("emodb", *emodb)
    assert tree(downloader.target) == EMODB and not downloader.work.exists()


def test_a_download_that_was_not_unpacked_is_not_repeated(downloader, server, emodb):
    downloader.work.mkdir(parents=True)
    (downloader.work / "archive").write_bytes(server.files["/download.zip"])
    (downloader.work / "unpacking" / "wav").mkdir(parents=True)
    (downloader.work / "unpacking" / "wav" / "half.wav").write_bytes(b"RI")
    downloader.ok("emodb", *emodb)
    assert tree(downloader.target) == EMODB and server.asked == []


def test_a_connection_that_breaks_is_tried_again(downloader, server, emodb):
    server.cut_after, server.cuts = len(server.files["/download.zip"]) // 2, 1
    downloader.ok("emodb", *emodb)
    assert tree(downloader.target) == EMODB and len(server.asked) == 2


def test_a_connection_that_breaks_again_and_again(downloader, server, emodb):
    server.cut_after, server.cuts = 1000, 2
    text = downloader.fails("emodb", *emodb)
    assert "1000 bytes read" in text and "Run the same command again" in text
    assert not (downloader.work / "archive").exists()


def test_truncated(downloader, server, emodb):
    whole = server.files["/download.zip"]
    server.files["/download.zip"] = whole[: len(whole) // 2]
    text = downloader.fails("emodb", *emodb)
    assert f"{downloader.work / 'archive'}: " in text and "Remove it, then run again" in text
    checksum = ["--checksum", f"sha256:{sha256(whole)}"]
    text = downloader.fails("emodb", *emodb, *checksum)
    assert f"expected sha256:{sha256(whole)} but got" in text
    server.files["/download.zip"] = whole
    downloader.ok("emodb", *emodb, *checksum)
    assert tree(downloader.target) == EMODB


def test_tampered(downloader, server, emodb):
    data = bytearray(server.files["/download.zip"])
    wanted = hashlib.md5(data).hexdigest()
    data[1000] ^= 1  # in the compressed samples of the first file
    server.files["/download.zip"] = bytes(data)
    text = downloader.fails("emodb", *emodb, "--checksum", f"md5:{wanted}")
    assert f"expected md5:{wanted} but got {hashlib.md5(data).hexdigest()}" in text
    assert "Remove it, then run again" in downloader.fails("emodb", *emodb)  # by its CRC


def test_ravdess_has_the_checksum_of_its_record(downloader, server):
    server.files["/r.zip"] = zipped({f"Actor_{n:02}/a.wav": wav(n) for n in (1, 24)})
    text = downloader.fails("ravdess", "--url", server.url("/r.zip"))
    assert "expected md5:bc696df654c87fed845eb13823edef8a" in text
    md5 = hashlib.md5(server.files["/r.zip"]).hexdigest()
    downloader.ok("ravdess", "--url", server.url("/r.zip"), "--checksum", f"md5:{md5}")
    assert sorted(tree(downloader.target)) == ["Actor_01/a.wav", "Actor_24/a.wav"]


def test_another_archive(downloader, server):
    server.files["/x.zip"] = zipped({"speech/a.wav": b"", "readme": b""})
    text = downloader.fails("emodb", "--url", server.url("/x.zip"))
    assert "it holds readme, speech, but no wav; is it this corpus?" in text


def zip_with(name: str, mode: int = 0) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("wav/a.wav", b"good")
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, b"../../evil")
    return stream.getvalue()


def tar_with(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for member, content in (("wav/a.wav", b"good"), (name, b"evil")):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            if member == name:
                info.type, info.linkname = kind, link
                info.size = len(content) if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: zip_with("../evil"), "'../evil' leads out of its folder"),
        (lambda: zip_with("wav/../../../evil"), "leads out of its folder"),
        (lambda: zip_with("/evil"), "leads out of its folder"),
        (lambda: zip_with("..\\evil"), "leads out of its folder"),
        (lambda: tar_with("../evil"), "outside the destination"),
        (lambda: tar_with("wav/link", tarfile.SYMTYPE, "/evil"), "absolute path"),
        (lambda: tar_with("wav/link", tarfile.LNKTYPE, "../../evil"), "outside the destination"),
        (lambda: tar_with("wav/pipe", tarfile.FIFOTYPE), "is a special file"),
    ],
)
def test_members_that_do_not_stay_inside(make, message, downloader, server, tmp_path):
    server.files["/e.zip"] = make()
    assert message in downloader.fails("emodb", "--url", server.url("/e.zip"))
    assert not list(tmp_path.rglob("*evil*"))


def test_a_link_in_a_zip_is_none_on_disk(downloader, server):
    server.files["/e.zip"] = zip_with("wav/link", stat.S_IFLNK | 0o777)
    downloader.ok("emodb", "--url", server.url("/e.zip"))
    assert not (downloader.target / "wav" / "link").is_symlink()


def test_tar(downloader, server):
    server.files["/e.tar.gz"] = tar_with("wav/b.wav")
    downloader.ok("emodb", "--url", server.url("/e.tar.gz"))
    assert tree(downloader.target) == {"wav/a.wav": b"good", "wav/b.wav": b"evil"}


def test_a_tar_that_was_cut_off(downloader, server):
    server.files["/e.tar.gz"] = tar_with("wav/b.wav")[:-30]
    text = downloader.fails("emodb", "--url", server.url("/e.tar.gz"))
    assert "Remove it, then run again" in text


def test_by_hand_where_the_address_gives_nothing(downloader, server):
    options = ["--url", server.url("/emodb.zip?download=1")]
    text = downloader.fails("emodb", *options)
    place = downloader.work / "archive"
    assert "404" in text and f"put it at\n  {place}\n" in text
    server.asked.clear()
    place.write_bytes(b"something else")
    assert "Remove it, then run again" in downloader.fails("emodb", *options)
    place.write_bytes(zipped(EMODB))
    downloader.ok("emodb", *options)
    assert tree(downloader.target) == EMODB and server.asked == []


def test_no_network(downloader):
    text = downloader.fails("emodb", "--url", "http://127.0.0.1:9/e.zip")
    assert "Connection refused" in text and "put it at" in text


def test_an_address_of_another_kind(downloader):
    assert "No connection adapters" in downloader.fails("emodb", "--url", "file:///etc/passwd")


def test_no_room(downloader, server, emodb):
    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    assert len(server.files["/download.zip"]) > 100_000
    text = downloader.fails("emodb", *emodb, preexec_fn=little_room)
    assert "File too large" in text and not (downloader.work / "archive").exists()
    downloader.ok("emodb", *emodb)
    assert tree(downloader.target) == EMODB


def test_two_at_once(downloader, server, emodb):
    downloader.work.mkdir(parents=True)
    with (downloader.work / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert "another run" in downloader.fails("emodb", *emodb)
    assert server.asked == []
    downloader.ok("emodb", *emodb)


# CREMA-D: an archive of pointers, then the files that they stand for.

CLIPS = ["1001_DFA_ANG_XX", "1001_IEO_NEU_XX", "1076_IEO_SAD_HI"]
ACTORS = b'"ActorID","Age","Sex"\n1001,51,"Male"\n1076,25,"Female"\n'
VOTES = b'"","FileName","VoiceVote"\n' + b"".join(
    f'"{i}","{clip}","{vote}"\n'.encode()
    for i, (clip, vote) in enumerate(zip(CLIPS, ["A", "N", "A:S"], strict=True), 1)
)


def pointer(data: bytes) -> bytes:
    head = "version https://git-lfs.github.com/spec/v1"
    return f"{head}\noid sha256:{sha256(data)}\nsize {len(data)}\n".encode()


@pytest.fixture
def crema_d(server):
    """Serve a small CREMA-D; return the options that ask for it."""
    audio = {f"AudioWAV/{clip}.wav": wav(i, 2000) for i, clip in enumerate(CLIPS)}
    files = {name: pointer(data) for name, data in audio.items()}
    files |= {"VideoDemographics.csv": ACTORS, "processedResults/summaryTable.csv": VOTES}
    files |= {"VideoFlash/1001_DFA_ANG_XX.flv": pointer(b"flash"), "finishedResponses.csv": b"big"}
    server.files["/abc.zip"] = zipped({f"CREMA-D-abc/{name}": data for name, data in files.items()})
    server.files |= {f"/media/{name}": data for name, data in audio.items()}
    return ["--url", server.url("/abc.zip"), "--lfs-url", server.url("/media")]


def test_lfs(downloader, server, crema_d):
    text = downloader.ok("crema_d", *crema_d)
    wanted = {f"AudioWAV/{clip}.wav": server.files[f"/media/AudioWAV/{clip}.wav"] for clip in CLIPS}
    wanted |= {"VideoDemographics.csv": ACTORS, "processedResults/summaryTable.csv": VOTES}
    assert tree(downloader.target) == wanted
    assert "3 files to fetch" in text and sha256(server.files["/abc.zip"]) in text
    found = [
        (u.id, u.sex, u.custom["voice_vote"]) for u in utterances("crema_d", downloader.target)
    ]
    assert found == [
        ("1001_DFA_ANG_XX", "male", "ANG"),
        ("1001_IEO_NEU_XX", "male", "NEU"),
        ("1076_IEO_SAD_HI", "female", "tie"),
    ]


def test_lfs_goes_on_with_what_is_missing(downloader, server, crema_d):
    name = f"/media/AudioWAV/{CLIPS[1]}.wav"
    data = server.files.pop(name)
    text = downloader.fails("crema_d", *crema_d)
    assert server.url(name) in text and "404" in text and "Run the same command again" in text
    server.asked.clear()
    server.files[name] = data
    downloader.ok("crema_d", *crema_d)
    assert server.asked == [name]
    assert len(tree(downloader.target)) == 5


def test_lfs_killed_within_a_file(downloader, server, crema_d, wait_for):
    name = f"AudioWAV/{CLIPS[0]}.wav"
    server.hang_after[f"/media/{name}"] = 1000
    process = downloader.start("crema_d", *crema_d)
    wait_for(lambda: f"/media/{name}" in server.asked)
    process.kill()
    process.communicate()
    assert not downloader.target.exists()
    server.hang_after.clear()
    downloader.ok("crema_d", *crema_d)
    found = tree(downloader.target)
    assert found[name] == server.files[f"/media/{name}"] and len(found) == 5


def test_lfs_file_that_is_not_what_its_pointer_says(downloader, server, crema_d):
    name = f"/media/AudioWAV/{CLIPS[2]}.wav"
    data, server.files[name] = server.files[name], server.files[name][:-2] + b"!!"
    text = downloader.fails("crema_d", *crema_d)
    assert CLIPS[2] in text and f"expected {sha256(data)} but got" in text
    server.files[name] = data
    downloader.ok("crema_d", *crema_d)
    assert tree(downloader.target)[f"AudioWAV/{CLIPS[2]}.wav"] == data
