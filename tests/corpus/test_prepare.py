"""prepare: what stops it, what it leaves out on demand, what it prints."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dsnet.corpus.manifests import read_manifests
from dsnet.corpus.prepare import count_table, find_audio, prepare, run_prepare
from dsnet.corpus.utterance import Utterance
from dsnet.errors import CorpusError


def write(path, seed, seconds=0.2):
    path.parent.mkdir(exist_ok=True)
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, int(seconds * 16000))
    soundfile.write(path, samples, 16000)


@pytest.fixture
def corpus(tmp_path):
    for i in range(4):
        write(tmp_path / "corpus" / f"s{i % 2}-{'NW'[i // 2]}.wav", seed=i)
    return tmp_path / "corpus"


def find(corpus_dir):
    for path in sorted(corpus_dir.rglob("*.wav")):
        speaker, emotion = path.stem.split("-")
        yield Utterance(path.stem, speaker, emotion, path)


def run(monkeypatch, *args):
    monkeypatch.setattr(sys, "argv", ["local/prepare.py", *map(str, args)])
    run_prepare(find)


def test_good_corpus(corpus, tmp_path, monkeypatch, capsys):
    write(corpus / "s1-T.wav", seed=0)  # the audio of s0-N again
    run(monkeypatch, corpus, tmp_path / "m", "--nj", "2")
    _, supervisions = read_manifests(tmp_path / "m")
    assert [s.id for s in supervisions] == ["s0-N", "s0-W", "s1-N", "s1-T", "s1-W"]
    out = capsys.readouterr().out
    assert ["s1", "1", "1", "1", "3"] in [line.split() for line in out.splitlines()]
    assert "5 utterances of 2 speakers, 0.00 h, 16000 Hz" in out
    assert "2 utterances have the same audio as another: s0-N, s1-T" in out
    assert "2 utterances have the same audio as another and another label: s0-N N, s1-T T" in out
    assert "one person" not in out  # a single recording may be a slip
    assert not (tmp_path / "m" / "dropped.txt").exists()


def test_the_corpus_is_only_read(corpus, tmp_path, monkeypatch):
    def listing():
        return {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in [corpus, *corpus.rglob("*")]}

    for path in corpus.iterdir():
        path.chmod(0o444)
    corpus.chmod(0o555)  # root may write all the same, so compare too
    before = listing()
    run(monkeypatch, corpus, tmp_path / "m")
    assert listing() == before
    corpus.chmod(0o755)


def test_bad_audio_stops_or_is_dropped_and_counted(corpus, tmp_path, monkeypatch, capsys):
    for i in range(12):
        (corpus / f"bad{i:02d}-N.wav").write_bytes(b"")
    with pytest.raises(SystemExit) as caught:
        run(monkeypatch, corpus, tmp_path / "m")
    message = str(caught.value)
    assert message.startswith("prepare: 12 of 16 utterances have audio that cannot be used")
    assert "bad09-N" in message and "bad10-N" not in message and "0 bytes" in message
    assert "--drop-bad-audio true" in message
    assert not (tmp_path / "m").exists()

    run(monkeypatch, corpus, tmp_path / "m", "--drop-bad-audio", "true")
    assert "12 of 16 utterances dropped" in capsys.readouterr().out
    lines = (tmp_path / "m" / "dropped.txt").read_text().splitlines()
    assert len(lines) == 12
    assert lines[0].split("\t")[0] == "bad00-N"
    assert len(read_manifests(tmp_path / "m")[1]) == 4

    for path in corpus.glob("bad*"):
        path.unlink()
    run(monkeypatch, corpus, tmp_path / "m")
    assert not (tmp_path / "m" / "dropped.txt").exists()


def test_two_files_with_one_id(corpus, tmp_path, monkeypatch):
    write(corpus / "copy" / "s0-N.wav", seed=9)
    with pytest.raises(SystemExit, match=r"id 's0-N': .*copy/s0-N\.wav and .*corpus/s0-N\.wav"):
        run(monkeypatch, corpus, tmp_path / "m")


def test_ids_and_sexes_are_refused_together(tmp_path):
    def utterance(name, **more):
        return Utterance(name, "ann", "N", tmp_path / f"{name}.wav", **more)

    twice = [utterance(f"u{i}", sex="female") for i in range(22)] * 2
    found = [*[Utterance(**vars(u)) for u in twice], utterance("v", sex="male"), utterance("w")]
    with pytest.raises(CorpusError) as caught:
        prepare(found, tmp_path / "m")
    lines = str(caught.value).splitlines()
    assert lines[0] == "the corpus: 23 problems"
    assert "  22 ids of two utterances; the first 20:" in lines and "id 'u20'" not in str(lines)
    assert lines[-1].startswith("    speaker 'ann' is female in 'u0' and male in 'v'; correct one")


def test_missing_and_empty_corpus_folder(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match="--corpus-dir: .*nowhere: no such folder"):
        run(monkeypatch, tmp_path / "nowhere", tmp_path / "m")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="--corpus-dir: .*empty: no utterance found"):
        run(monkeypatch, tmp_path / "empty", tmp_path / "m")


@pytest.mark.parametrize(("where", "begin"), [("", "--corpus-dir: /"), ("/a.txt", "/")])
def test_what_a_recipe_says_of_the_folder_is_told_by_the_option(
    tmp_path, monkeypatch, where, begin
):
    def looks(corpus_dir):
        raise CorpusError(f"{corpus_dir}{where}: not as it should be")

    monkeypatch.setattr(sys, "argv", ["prepare.py", str(tmp_path), str(tmp_path / "m")])
    with pytest.raises(SystemExit) as stopped:
        run_prepare(looks)
    assert str(stopped.value).startswith(f"prepare: {begin}")


def test_one_person_under_two_names(corpus, tmp_path, monkeypatch, capsys):
    for seed, name in ((0, "s2-N"), (2, "s2-W"), (1, "s3-N")):  # s0 twice, s1 once
        write(corpus / f"{name}.wav", seed)
    run(monkeypatch, corpus, tmp_path / "m")
    notes = [line for line in capsys.readouterr().out.splitlines() if "one person" in line]
    words = "speakers s0 and s2 have 2 identical recordings: one person under two names?"
    assert notes == [f"note: {words}"]


def test_names_that_look_alike_are_told(corpus, tmp_path, monkeypatch, capsys):
    write(corpus / "S1-n.wav", 20)
    write(corpus / "s01-N.wav", 21)
    run(monkeypatch, corpus, tmp_path / "m")
    notes = [line for line in capsys.readouterr().out.splitlines() if "look alike" in line]
    assert [note.partition(" look")[0] for note in notes] == [
        "note: speakers S1 and s01 and s1",
        "note: labels N and n",
    ]


@pytest.fixture
def stereo(corpus):
    """The corpus with stereo files: s2-N and s2-W have two voices, s2-T one in both channels."""
    for name in ("N", "W"):
        samples = np.random.default_rng(ord(name)).uniform(-0.5, 0.5, (3200, 2))
        soundfile.write(corpus / f"s2-{name}.wav", samples, 16000)
    soundfile.write(corpus / "s2-T.wav", np.repeat(samples[:, :1], 2, axis=1), 16000)
    return corpus


def test_channels_that_differ_are_counted_and_equal_ones_are_no_news(
    stereo, tmp_path, monkeypatch, capsys
):
    run(monkeypatch, stereo, tmp_path / "m")
    (note,) = [line for line in capsys.readouterr().out.splitlines() if "channel" in line]
    assert note == (
        "note: 2 recordings have several channels that differ: channel 0 is taken; channel: mean "
        "averages them (egs/README.md, Channels): s2-N, s2-W"
    )
    run(monkeypatch, stereo, tmp_path / "m", "--channel", "0")
    assert "channel" not in capsys.readouterr().out


@pytest.mark.parametrize(("channel", "in_manifest"), [("", 0), ("mean", [0, 1])])
def test_the_channel_is_written_into_the_manifests(
    stereo, tmp_path, monkeypatch, channel, in_manifest
):
    run(monkeypatch, stereo, tmp_path / "m", "--channel", channel)
    _, supervisions = read_manifests(tmp_path / "m")
    assert supervisions["s2-N"].channel == in_manifest
    assert supervisions["s0-N"].channel == 0  # mono


def test_a_channel_that_is_none(stereo, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, stereo, tmp_path / "m", "--channel", "left")
    assert "'left'; expected 0 for the first, 1, ... or mean" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="is on channel 1, but the file has 1"):
        run(monkeypatch, stereo, tmp_path / "m", "--channel", "1")


def test_nothing_left(tmp_path):
    bad = [Utterance("a", "s", "N", Path(tmp_path / "a.wav"))]
    with pytest.raises(CorpusError, match="none of the 1 utterances"):
        prepare(bad, tmp_path / "m", drop_bad_audio=True)


def test_count_table():
    table = count_table([("b", "N"), ("a", "N"), ("a", "long"), ("a", "N")])
    assert [line.split() for line in table.splitlines()] == [
        ["speaker", "N", "long", "total"],
        ["a", "2", "1", "3"],
        ["b", "1", "0", "1"],
        ["total", "3", "1", "4"],
    ]


def test_levels_are_counted_and_an_empty_channel_is_no_silence(
    corpus, tmp_path, monkeypatch, capsys
):
    wave = np.random.default_rng(9).normal(size=3200).astype("float32")
    wave /= np.abs(wave).max()
    soundfile.write(corpus / "s0-faint.wav", np.sign(wave) / 32768, 16000)
    soundfile.write(corpus / "s0-left.wav", np.stack([wave * 5e-3, wave], 1), 16000)
    soundfile.write(corpus / "s0-right.wav", np.stack([wave * 0, wave], 1), 16000)
    soundfile.write(corpus / "s0-scale.wav", wave * 9830, 16000, subtype="FLOAT")
    with pytest.raises(SystemExit) as caught:
        run(monkeypatch, corpus, tmp_path / "m")
    message = str(caught.value)
    assert "2 of 8 utterances have audio that cannot be used" in message
    assert "of channel 0 is 0, but there is signal on channel 1" in message
    assert "samples reach 9830; full scale is 1" in message
    run(monkeypatch, corpus, tmp_path / "m", "--drop-bad-audio", "true")
    lines = capsys.readouterr().out.splitlines()
    for note in (
        "1 utterances are inaudible: the peak is below -60 dB of full scale: s0-faint",
        "1 utterances are 40 dB weaker than another channel of the file: s0-left",
        "1 utterances are dropped that are empty on the channel taken, and not on another: "
        "s0-right",
    ):
        assert f"note: {note}" in lines


def test_of_many_speakers_the_table_has_the_largest_and_counts_the_others():
    pairs = [(f"s{n:03}", "N") for n in range(103) for _ in range(1 if n in (7, 8, 9) else 2)]
    lines = count_table(pairs).splitlines()
    assert len(lines) == 1 + 100 + 1 + 1  # header, speakers, total, note
    assert not any(line.startswith(("s007", "s008", "s009")) for line in lines)
    assert lines[-2].split() == ["total", "203", "203"]
    assert lines[-1] == "(the 100 speakers with the most; 3 others have 3 together, 1 to 1 each)"


def test_nobody_known_is_no_speaker(corpus, tmp_path, capsys):
    path = next(corpus.rglob("*.wav"))
    known = Utterance("a-1", "a", "N", path)
    nobody = [Utterance(f"x-{n}", None, "N", path, recording="x") for n in (1, 2)]
    assert [u.speaker for u in nobody] == ["unknown-x-1", "unknown-x-2"]
    assert known.speaker_is_known and not nobody[0].speaker_is_known
    prepare([known, *nobody], tmp_path / "m")
    out = capsys.readouterr().out
    assert "3 utterances of 1 speakers" in out and ["(unknown)", "2", "2"] in [
        line.split() for line in out.splitlines()
    ]
    assert "note: 2 of them of unknown speakers (unknown_speakers of a task)" in out
    _, supervisions = read_manifests(tmp_path / "m")
    found = {s.id: s.custom.get("unknown_speaker") for s in supervisions}
    assert found == {"a-1": None, "x-1": True, "x-2": True}


def test_audio_is_found_whatever_the_case_of_its_suffix(tmp_path):
    for name in ("b/x.WAV", "a/y.wav", "a/._y.wav", ".c/z.wav", "a/n.txt", "w.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_audio(tmp_path, depth=2) == [tmp_path / "a/y.wav", tmp_path / "b/x.WAV"]
    assert find_audio(tmp_path) == [tmp_path / "w.wav"]
    (tmp_path / "b/x.wav").touch()
    with pytest.raises(CorpusError, match="x.wav: beside it lies x.WAV; which is"):
        find_audio(tmp_path, depth=2)
