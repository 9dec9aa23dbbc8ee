"""The programs, as typed."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import kaldiio
import numpy as np
import pytest
import soundfile
from lhotse import SupervisionSet
from tiny_bundles import CLASSES, RATE, sound

from dsnet import __main__ as program


@pytest.fixture
def dsnet(tiny_folder, capsys, monkeypatch, tmp_path):
    """Call `dsnet WORD...` with the tiny model; return exit status, output, messages."""
    monkeypatch.setenv("DSNET_SPEAKERS", str(tmp_path / "speakers"))
    monkeypatch.chdir(tmp_path)

    def call(command, *words, stdin=b""):
        monkeypatch.setattr(
            sys, "argv", ["dsnet", command, "--model", str(tiny_folder), *map(str, words)]
        )
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = program.main()
        return status, *capsys.readouterr()

    return call


def read(path):
    return soundfile.read(path, dtype="float32")


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_table_for_people(dsnet, write_sound):
    write_sound("talk.wav", 1.5)
    status, out, err = dsnet("predict", "talk.wav")
    assert (status, err) == (0, "")
    head, row = (line.split() for line in out.splitlines())
    assert head == ["file", "start", "end", "label", "confidence"]
    assert row[:3] == ["talk.wav", "0.00", "1.50"]
    assert row[3] in CLASSES


def test_csv_holds_what_python_gives(dsnet, write_sound, recognizer):
    path = write_sound("talk.flac", 1.5)
    status, out, _ = dsnet("predict", "--format", "csv", "talk.flac")
    [row] = rows_of(out)
    expected = recognizer(*read(path))
    assert status == 0
    assert [float(row[name]) for name in CLASSES] == pytest.approx(
        list(expected.scores.values()), abs=1e-5
    )
    assert (row["label"], row["error"]) == (expected.label, "")
    assert sum(float(row[name]) for name in CLASSES) == pytest.approx(1, abs=1e-5)


def test_folders_are_searched_and_what_is_left_out_is_counted(dsnet, write_sound, tmp_path):
    for name in ("calls/b.wav", "calls/a.flac", "calls/deep/c.ogg"):
        write_sound(name)
    (tmp_path / "calls/notes.txt").write_text("no sound")
    status, out, err = dsnet("predict", "--format", "csv", "calls")
    assert [row["file"] for row in rows_of(out)] == [
        "calls/a.flac", "calls/b.wav", "calls/deep/c.ogg",
    ]  # fmt: skip
    assert status == 0
    assert "1 files in the folders are not sound files" in err


def test_linked_folders_are_searched_once(dsnet, write_sound, tmp_path):
    write_sound("calls/a.wav")
    write_sound("other/b.wav", seed=1)
    (tmp_path / "calls/linked").symlink_to("../other")
    (tmp_path / "other/back").symlink_to("../calls")
    (tmp_path / "calls/._a.wav").write_text("what a Mac leaves beside a file")
    _, out, err = dsnet("predict", "--format", "csv", "calls")
    assert [row["file"] for row in rows_of(out)] == ["calls/a.wav", "calls/linked/b.wav"]
    assert err == ""


def test_enrolment_says_what_it_leaves_out(dsnet, write_sound, tmp_path):
    write_sound("calls/a.wav", 2)
    (tmp_path / "calls/b.m4a").write_text("no sound that libsndfile reads")
    status, _, err = dsnet("enrol", "bob", "--any", "calls")
    assert status == 0 and "1 files in the folders are not sound files" in err


def test_turns_that_would_have_one_key_are_all_kept(dsnet, write_sound, tmp_path):
    write_sound("a.wav", 2)
    turn = "SPEAKER a 1 0.0 {} <NA> <NA> x <NA> <NA>\n"
    (tmp_path / "t.rttm").write_text(turn.format(1.0) + turn.format(1.5))
    dsnet("predict", "a.wav", "--segments", "t.rttm", "--embeddings", "e", "--embeddings-file",
          "x.ark")  # fmt: skip
    assert sorted(kaldiio.load_scp("x.e.scp")) == ["a-x-00000000", "a-x-00000000-2"]


def test_a_file_that_fails_is_a_row_and_the_others_are_done(dsnet, write_sound, tmp_path):
    names = ["a.wav", "bad.wav", "none.wav", "silent.wav", "short.wav", "nan.wav", "z.wav"]
    write_sound("a.wav"), write_sound("z.wav")
    (tmp_path / "bad.wav").write_bytes(b"not a sound")
    soundfile.write("silent.wav", np.zeros(RATE), RATE)
    soundfile.write("short.wav", sound(0.01), RATE)
    soundfile.write("nan.wav", np.full(RATE, np.nan), RATE, subtype="FLOAT")
    status, out, err = dsnet("predict", "--format", "csv", *names)
    rows = rows_of(out)
    assert status == 1
    assert [row["file"] for row in rows] == names
    assert [bool(row["label"]) for row in rows] == [True, *[False] * 5, True]
    for row, words in zip(
        rows[1:6], ["not readable", "no such file", "no signal", "too short", "not finite"],
        strict=True,
    ):  # fmt: skip
        assert words in row["error"]
    assert "5 of 7 could not be judged" in err
    status, out, _ = dsnet("predict", "--format", "jsonl", *names)
    assert status == 1
    assert [("error" in json.loads(line)) for line in out.splitlines()] == [
        not row["label"] for row in rows
    ]


@pytest.mark.parametrize("name", ["with space.wav", "Grüße.wav", "two\nlines.wav", "-x.wav"])
def test_names(dsnet, write_sound, name):
    write_sound(name)
    status, out, _ = dsnet("predict", "--format", "csv", "--", name)
    assert status == 0
    assert [row["file"] for row in rows_of(out)] == [name]
    status, out, _ = dsnet("predict", "--", name)
    assert len(out.splitlines()) == 2


def test_a_name_of_any_bytes(dsnet, write_sound, tmp_path):
    name = os.fsdecode(b"caf\xe9.wav")
    write_sound("a.wav").rename(tmp_path / name)
    status, _, _ = dsnet("predict", "--format", "csv", "--output", "out.csv", name)
    assert status == 0
    assert b"caf\xe9.wav" in (tmp_path / "out.csv").read_bytes()


def test_lists_of_files(dsnet, write_sound):
    for name in ("a.wav", "b b.wav"):
        write_sound(name)
    _, out, _ = dsnet("predict", "--format", "csv", "-", stdin=b"b b.wav\na.wav\n\n")
    assert [row["file"] for row in rows_of(out)] == ["b b.wav", "a.wav"]
    _, out, _ = dsnet("predict", "--format", "csv", "-0", "-", stdin=b"b b.wav\0a.wav\0")
    assert [row["file"] for row in rows_of(out)] == ["b b.wav", "a.wav"]
    status, _, err = dsnet("predict", "-", stdin=b"")
    assert status == 1
    assert "the list on standard input is empty" in err


def test_windows_are_judged_as_recordings_of_their_own(dsnet, write_sound, recognizer):
    path = write_sound("talk.wav", 4.2)
    _, out, _ = dsnet("predict", "--windows", "2", "--hop", "1", "--format", "csv", "talk.wav")
    rows = rows_of(out)
    spans = [(float(row["start"]), float(row["end"])) for row in rows]
    assert spans == [(0, 2), (1, 3), (2, 4), (2.2, 4.2)]
    samples, rate = read(path)
    for row, (start, end) in zip(rows, spans, strict=True):
        own = recognizer(samples[round(start * rate) : round(end * rate)], rate)
        assert float(row["confidence"]) == pytest.approx(own.confidence, abs=1e-5)


def test_segments_of_three_kinds_are_the_same(dsnet, write_sound, tmp_path):
    write_sound("talk.wav", 4.0)
    (tmp_path / "turns.rttm").write_text(
        "SPKR-INFO talk 1 <NA> <NA> <NA> unknown anna <NA> <NA>\n"
        "SPEAKER talk 1 0.50 1.25 <NA> <NA> anna <NA> <NA>\n"
        "SPEAKER other 1 0.50 1.25 <NA> <NA> bob <NA> <NA>\n"
    )
    (tmp_path / "segments").write_text("anna talk 0.5 1.75\nbob other 0.5 1.75\n")
    (tmp_path / "turns.jsonl").write_text(
        '{"id": "anna", "recording_id": "talk", "start": 0.5, "duration": 1.25, "channel": 0}\n'
        '{"id": "bob", "recording_id": "other", "start": 0.5, "duration": 1.25, "channel": 0}\n'
    )
    found = []
    for name in ("turns.rttm", "segments", "turns.jsonl"):
        status, out, err = dsnet("predict", "--segments", name, "--format", "csv", "talk.wav")
        assert status == 0
        assert "segments of 1 other recordings are passed over" in err
        found.append(rows_of(out))
    assert found[0] == found[1] == found[2]
    [row] = found[0]
    assert (row["segment"], row["start"], row["end"]) == ("anna", "0.50", "1.75")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("anna talk 0.5\n", "turns:1: not a segment"),
        ("anna talk 2 1\n", "turns:1: not a segment .*from 2 to 1 s"),
        ("anna other 0 1\n", "no segment of talk; it has those of other"),
        ("", "no segment of talk; it has those of none"),
    ],
)
def test_wrong_segments_are_refused(dsnet, write_sound, tmp_path, text, words):
    write_sound("talk.wav")
    (tmp_path / "turns").write_text(text)
    status, out, err = dsnet("predict", "--segments", "turns", "talk.wav")
    assert (status, out) == (1, "")
    assert __import__("re").search(words, err)


def test_a_segment_beyond_the_end_is_a_row_with_an_error(dsnet, write_sound, tmp_path):
    write_sound("talk.wav", 1.0)
    (tmp_path / "turns").write_text("a talk 0 1\nb talk 5 6\n")
    status, out, _ = dsnet("predict", "--segments", "turns", "--format", "csv", "talk.wav")
    assert status == 1
    errors = [row["error"] for row in rows_of(out)]
    assert errors == ["", "begins at 5.00 s, but the recording has 1.00 s"]


def test_a_silent_window_is_no_failure_but_a_silent_file_is(dsnet):
    talk = np.concatenate([sound(1.0), np.zeros(2 * RATE), sound(1.0)])
    soundfile.write("talk.wav", talk, RATE)
    soundfile.write("silent.wav", np.zeros(4 * RATE), RATE)
    options = ("--windows", "1", "--hop", "1", "--format", "csv")
    status, out, _ = dsnet("predict", *options, "talk.wav")
    assert (status, [bool(row["label"]) for row in rows_of(out)]) == (0, [True, False, False, True])
    status, _, err = dsnet("predict", *options, "talk.wav", "silent.wav")
    assert (status, "1 of 2 could not be judged" in err) == (1, True)


def test_lhotse_reads_its_form(dsnet, write_sound):
    write_sound("talk.wav", 3.0)
    dsnet(
        "predict", "--windows", "1", "--hop", "1", "--format", "lhotse", "--output", "out.jsonl",
        "talk.wav",
    )  # fmt: skip
    found = list(SupervisionSet.from_file("out.jsonl"))
    assert [(s.recording_id, s.start, s.duration) for s in found] == [
        ("talk", 0, 1), ("talk", 1, 1), ("talk", 2, 1),
    ]  # fmt: skip
    assert {s.custom["emotion"] for s in found} <= set(CLASSES)
    assert len({s.id for s in found}) == 3


def test_label_tracks_and_rttm(dsnet, write_sound):
    write_sound("my talk.wav", 2.0)
    options = ("--windows", "1", "--hop", "1", "my talk.wav")
    _, out, _ = dsnet("predict", "--format", "audacity", *options)
    assert [line.split("\t")[:2] for line in out.splitlines()] == [
        ["0.000000", "1.000000"], ["1.000000", "2.000000"],
    ]  # fmt: skip
    _, out, _ = dsnet("predict", "--format", "rttm", *options)
    assert [line.split()[:5] for line in out.splitlines()] == [
        ["EMOTION", "my_talk", "1", "0.000", "1.000"],
        ["EMOTION", "my_talk", "1", "1.000", "1.000"],
    ]
    assert all(len(line.split()) == 10 for line in out.splitlines())


def test_embeddings(dsnet, write_sound, recognizer):
    paths = [write_sound(f"{name}.wav", seed=seed) for seed, name in enumerate("ab")]
    dsnet("predict", "--embeddings", "e,s", "a.wav", "b.wav")
    kept = np.load("embeddings.npz")
    assert kept["files"].tolist() == ["a.wav", "b.wav"]
    expected = [recognizer(*read(path)).embeddings["s"] for path in paths]
    assert np.allclose(kept["s"], expected, atol=1e-6)
    status, _, err = dsnet("predict", "--embeddings", "e", "a.wav")
    assert status == 1
    assert "embeddings.npz exists" in err
    dsnet("predict", "--embeddings", "s", "--embeddings-file", "x.ark", "a.wav", "b.wav")
    ark = kaldiio.load_scp("x.s.scp")
    assert np.allclose(ark["b-00000000"], expected[1], atol=1e-6)
    status, _, err = dsnet("predict", "--embeddings", "q", "--embeddings-file", "y.npz", "a.wav")
    assert (status, "the model has h, s, e" in err) == (1, True)


def test_an_output_that_exists_is_kept(dsnet, write_sound, tmp_path):
    write_sound("a.wav")
    (tmp_path / "out.csv").write_text("mine")
    status, _, err = dsnet("predict", "--output", "out.csv", "--format", "csv", "a.wav")
    assert (status, (tmp_path / "out.csv").read_text()) == (1, "mine")
    assert "out.csv exists; choose another name, or give --overwrite" in err
    status, _, _ = dsnet(
        "predict", "--output", "out.csv", "--overwrite", "--format", "csv", "a.wav"
    )
    assert (status, len(rows_of((tmp_path / "out.csv").read_text()))) == (0, 1)


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "link.wav", "--output", "a.wav"],
        ["predict", "a.wav", "--output", "deep/../a.wav"],
        ["predict", "a.wav", "--neutral", "b.wav", "--output", "b.wav"],
        ["predict", "a.wav", "--segments", "turns.rttm", "--output", "turns.rttm"],
    ],
)
def test_nothing_that_is_read_is_written_over(dsnet, write_sound, tmp_path, words):
    write_sound("a.wav")
    write_sound("b.wav", seed=1)
    (tmp_path / "deep").mkdir()
    (tmp_path / "link.wav").symlink_to("a.wav")
    (tmp_path / "turns.rttm").write_text("SPEAKER a 1 0.0 0.5 <NA> <NA> x <NA> <NA>\n")
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    status, _, err = dsnet(*words, "--overwrite")
    assert status == 1 and "written over what is read" in err
    assert {path: path.read_bytes() for path in before} == before


def test_a_speaker_who_is_not_enrolled_is_answered_by_those_who_are(
    dsnet, write_sound, tiny_folder
):
    write_sound("a.wav", 2)
    assert dsnet("enrol", "anna", "a.wav")[0] == 0
    status, _, err = dsnet("predict", "a.wav", "--speaker", "Bob B")
    assert status == 1 and "no speaker 'Bob B' is enrolled" in err and "(but anna, in" in err
    assert f"Enrol with: dsnet enrol --model {tiny_folder} 'Bob B' FILE..." in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--hop", "1"], "--hop goes with --windows"),
        (["--windows", "0.1"], "half a second or more"),
        (["--windows", "3", "--hop", "0"], "0.01 seconds or more"),
        (["--windows", "3", "--hop", "nan"], "0.01 seconds or more"),
        (["--windows", "inf"], "from half a second"),
        (["--num-threads", "0"], "1 or more"),
        (["--channel", "²"], "0, 1, ... or mix"),
        (["--output", "a.wav", "--overwrite"], "over what is read"),
        (["--explain", "x", "--output", "x"], "or twice"),
        ([""], "is a variable not set"),
        (["--windows", "3", "--segments", "x"], "choose one"),
        (["--segments", "nothing"], "cannot be read"),
        (["--reject", "20"], "a share between 0 and 1"),
        (["--reject", "0.01"], "wrong more often"),
        (["--channel", "left"], "0, 1, ... or mix"),
        (["--speaker", "nobody"], "no speaker 'nobody' is enrolled"),
        (["--neutral", "none.wav"], "clip none.wav: no such file"),
        (["--embeddings", "e", "--embeddings-file", "e.txt"], "ends in .npz or .ark"),
        (["--embeddings", "e", "--embeddings-file", "a,b.ark"], "takes no comma in a path"),
        (["--output", "none/out.csv"], "--output none/out.csv: No such file"),
        (["--encoder", "folder"], "needs none"),
        (["--device", "cuda:7"], "--device cuda:7: not available here"),
    ],
)
def test_wrong_options_are_refused(dsnet, write_sound, words, message):
    write_sound("a.wav")
    status, out, err = dsnet("predict", "a.wav", *words)
    assert (status, out) == (1, "")
    assert message in err
    assert err.startswith("dsnet predict: ")


def test_a_speaker_is_enrolled_and_heard(dsnet, write_sound, recognizer):
    clips = [write_sound(f"clip_{k}.wav", 1.2, seed=k) for k in range(3)]
    path = write_sound("talk.wav", 1.0, seed=9)
    status, out, _ = dsnet("enrol", "anna", *clips)
    assert status == 0
    assert "anna: enrolled with 3 neutral clips, 4 s, for tiny" in out
    status, out, _ = dsnet("enrol", "anna", *clips)
    assert "enrolled again" in out
    profile = recognizer.enrol("x", [read(c) for c in clips])
    expected = recognizer(*read(path), speaker=profile)
    for words in (["--speaker", "anna", path], [path, "--neutral", *clips]):
        status, out, _ = dsnet("predict", "--format", "csv", *words)
        [row] = rows_of(out)
        assert (status, row["label"]) == (0, expected.label)
        assert float(row["confidence"]) == pytest.approx(expected.confidence, abs=1e-4)
    status, _, _ = dsnet("enrol", "bob", "--any", *clips)
    _, out, _ = dsnet("predict", "--format", "csv", "--speaker", "bob", path)
    assert float(rows_of(out)[0]["confidence"]) != pytest.approx(expected.confidence, abs=1e-4)


def test_doubts_about_clips_are_said(dsnet, write_sound, recognizer):
    clips = [write_sound(f"clip_{k}.wav", 1.2, seed=k) for k in range(9)]
    write_sound("short.wav", 0.5)
    noise = np.random.default_rng(0).standard_normal(2 * RATE) * 0.1
    soundfile.write("noise.wav", noise, RATE)
    status, _, err = dsnet("enrol", "noise", "noise.wav")
    assert status == 0
    assert "noise.wav: loud and quiet parts differ by" in err
    status, _, err = dsnet("enrol", "anna", *clips, "short.wav")
    clips += ["short.wav"]
    assert status == 0
    assert "short.wav: 0.5 s say little" in err
    emotional = [c for c in clips if recognizer(*read(c)).label != "neutral"]
    assert len(emotional) > 3
    assert f"{emotional[0]}: sounds like" in err
    assert f"the same of {len(emotional) - 1} others" in err


def test_what_is_unusual_is_said_once(dsnet, write_sound):
    write_sound("telephone.wav", rate=8000)
    soundfile.write("stereo.wav", np.stack([sound(1, 1), sound(1, 2)], 1), RATE)
    soundfile.write("loud.wav", (sound() * 40).clip(-1, 1), RATE)
    soundfile.write("faint.wav", np.sign(sound()) / 32768, RATE)
    soundfile.write("upside_down.wav", np.stack([sound(), -0.99 * sound()], 1), RATE)
    names = ("telephone.wav", "stereo.wav", "loud.wav", "faint.wav", "upside_down.wav")
    status, _, err = dsnet("predict", *names)
    assert status == 0
    for words in (
        "telephone.wav: sampled below 16000 Hz",
        "2 of 5 files: several channels, mixed down",
        "loud.wav: clipped",
        "faint.wav: inaudible: the peak is below -60 dB of full scale",
        "upside_down.wav: 40 dB weaker than another channel of the file",
    ):
        assert err.count(words) == 1


def test_a_recording_too_long_to_be_judged_at_once(dsnet, write_sound):
    write_sound("long.flac", 601, rate=8000)
    status, out, _ = dsnet("predict", "--format", "csv", "long.flac")
    assert status == 1
    assert "give --windows 3 for a time line" in rows_of(out)[0]["error"]


def test_what_cannot_be_written_is_named(dsnet, write_sound, tmp_path, monkeypatch):
    write_sound("a.wav", 2.0)
    (tmp_path / "file").write_text("in the way")
    for words in (
        ["predict", "a.wav", "--output", "file/out.csv"],
        ["predict", "a.wav", "--explain", "file/out.html"],
        ["predict", "a.wav", "--embeddings", "e", "--embeddings-file", "file/e.npz"],
    ):
        status, _, err = dsnet(*words)
        assert status == 1
        assert "file" in err and "Traceback" not in err
    monkeypatch.setenv("DSNET_SPEAKERS", str(tmp_path / "file"))
    status, _, err = dsnet("enrol", "anna", "a.wav")
    assert (status, "dsnet enrol: " in err) == (1, True)


def test_a_damaged_window_is_a_failure(dsnet, write_sound):
    path = write_sound("a.flac", 8.0)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    status, out, err = dsnet("predict", "--windows", "1", "--format", "rttm", "a.flac")
    assert status == 1
    assert "a.flac: " in err
    assert "EMOTION a 1 0.000" in out


def test_what_is_wrong_with_a_name_is_a_row(dsnet, write_sound, tmp_path):
    write_sound("a.wav")
    (tmp_path / "x.raw").write_bytes(bytes(3000))
    names = b"x.raw\nnul\0byte.wav\n" + b"y" * 300 + b".wav\na.wav\r\n/dev/zero\n"
    status, out, _ = dsnet("predict", "--format", "csv", "-", stdin=names)
    rows = rows_of(out)
    assert status == 1
    assert [bool(row["label"]) for row in rows] == [False, False, False, True, False]
    assert "is a device" in rows[-1]["error"]


def test_parts_of_an_enrolled_clip_are_judged_without_it(dsnet, write_sound):
    clips = [write_sound(f"clip_{k}.wav", 2.0, seed=k) for k in range(3)]
    dsnet("enrol", "anna", *clips)
    dsnet("enrol", "others", *clips[1:])
    found = [
        dsnet("predict", "--windows", "1", "--speaker", name, "--format", "csv", clips[0])[1]
        for name in ("anna", "others")
    ]
    assert found[0] == found[1]


def test_copies_of_a_clip_count_once(dsnet, write_sound):
    path = write_sound("a.wav", 1.5)
    status, out, err = dsnet("enrol", "anna", path, path, path)
    assert status == 0
    assert "2 clips are copies of others" in err
    assert "enrolled with 1 neutral clips" in out


def test_a_clip_that_is_no_speech_is_named(dsnet, write_sound):
    write_sound("a.wav")
    soundfile.write("silent.wav", np.zeros(RATE), RATE)
    status, _, err = dsnet("enrol", "anna", "a.wav", "silent.wav")
    assert (status, "clip silent.wav: no signal" in err) == (1, True)


def test_equal_names_are_refused_where_names_are_all(dsnet, write_sound):
    for name in ("one/a.wav", "two/a.wav"):
        write_sound(name)
    status, _, err = dsnet("predict", "--format", "lhotse", "one", "two")
    assert (status, "2 recordings are named a" in err) == (1, True)


def test_a_recording_on_standard_input(tiny_folder, write_sound, tmp_path):
    path = write_sound("a.flac", 1.5)
    with path.open("rb") as sound:
        done = subprocess.run(
            f"cat | {sys.executable} -m dsnet predict --model {tiny_folder} /dev/stdin",
            stdin=sound, shell=True, capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert done.stdout.splitlines()[1].split()[:3] == ["/dev/stdin", "0.00", "1.50"]


def test_a_recording_through_a_pipe_that_lost_its_end(tiny_folder, write_sound):
    content = write_sound("a.wav", 1.5).read_bytes()[:20000]
    words = [sys.executable, "-m", "dsnet", "predict", "--model", tiny_folder, "/dev/stdin"]
    done = subprocess.run(words, input=content, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"cut off" in done.stdout


def test_unknown_commands_are_answered(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["dsnet", "predcit"])
    assert program.main() == 2
    assert "did you mean 'predict'?" in capsys.readouterr().err


def start(tiny_folder, folder, *words, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "dsnet", "predict", "--model", tiny_folder, *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_closed_pipe_is_no_error(tiny_folder, write_sound, tmp_path):
    for k in range(40):
        write_sound(f"calls/{k:02d}.wav", 0.3, seed=k)
    with start(tiny_folder, tmp_path, "calls") as process:
        assert process.stdout.readline().startswith("file")
        process.stdout.close()
        err = process.stderr.read()
    assert "Traceback" not in err
    assert "BrokenPipe" not in err


def test_what_is_done_stays_when_it_is_interrupted(tiny_folder, write_sound, tmp_path):
    names = "\n".join(["a.wav"] * 20000)
    write_sound("a.wav", 2.0)
    (tmp_path / "list").write_text(names)
    with (tmp_path / "list").open() as listed:
        process = start(
            tiny_folder, tmp_path, "--format", "csv", "--output", "out.csv", "-", stdin=listed
        )
        for _ in range(600):
            out = tmp_path / "out.csv"
            if out.exists() and out.read_text().count("\n") > 5:
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    rows = rows_of(out.read_text())
    assert len(rows) > 4
    assert all(row["label"] in CLASSES for row in rows)
