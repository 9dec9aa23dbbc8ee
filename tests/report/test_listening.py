"""Mistakes to listen to: the surest ones, those that count, where their sound is."""

import base64
import dataclasses
import io

import numpy as np
import pytest
import soundfile
from lhotse import Recording, RecordingSet, SupervisionSegment, SupervisionSet
from lhotse.audio import AudioSource

from dsnet.corpus.manifests import write_manifests
from dsnet.report.listening import surest_mistakes
from dsnet.report.summary import summarise
from dsnet.results.runs import Results

RATE = 8000


@pytest.fixture
def corpus(recipe, small_task, tmp_path):
    """Write 0.5 s of noise for each utterance: a FLAC file with those of each speaker."""
    rng = np.random.default_rng(0)
    recordings, segments = [], []
    for speaker in "ABCD":
        own = sorted(utt for utt in small_task.utt2emo if utt[0] == speaker)
        path = tmp_path / f"{speaker} 1.flac"
        samples = rng.uniform(-0.5, 0.5, RATE // 2 * len(own))
        soundfile.write(path, samples, RATE)
        source = AudioSource("file", [0], str(path))
        seconds = len(samples) / RATE
        recordings.append(Recording(speaker, [source], RATE, len(samples), seconds))
        for number, utt in enumerate(own):
            segments.append(
                SupervisionSegment(utt, speaker, number / 2, 0.5, 0, text="hm", speaker=speaker)
            )
    write_manifests(
        recipe.manifests,
        RecordingSet.from_recordings(recordings),
        SupervisionSet.from_segments(segments),
    )
    return tmp_path


@pytest.fixture
def listen(recipe, small_task, make_exp, fake_system, score_runs, tmp_path):
    """Return a function that finds the mistakes of a system that hears A_neutral_0 beforehand."""
    make_exp(small_task, {"base": fake_system(info={"given": ["A_neutral_0"]})}, seeds=2)
    results, _ = score_runs(small_task)
    summary = summarise(results, 0)

    def find(sound="link"):
        return surest_mistakes(results, summary, recipe, tmp_path / "out", sound), results

    return find


def test_the_surest_mistakes_of_the_mean_of_seeds(corpus, listen, small_task, recipe):
    found, results = listen()
    (row,) = results.systems
    tables = {}
    for run in row.runs:  # by hand, from the files
        lines = (run.folder / "test" / "posteriors.tsv").read_text().splitlines()
        for line in lines[1:]:
            utt, *values = line.split("\t")
            tables.setdefault(utt, []).append([float(value) for value in values])
    means = {utt: np.mean(values, 0) for utt, values in tables.items() if utt != "A_neutral_0"}
    classes = small_task.classes
    wrong = {
        utt: max(values)
        for utt, values in means.items()
        if classes[int(np.argmax(values))] != small_task.utt2emo[utt]
    }
    assert (found.num_mistakes, found.num_scored) == (len(wrong), len(means))
    assert [one.utterance for one in found.mistakes] == sorted(wrong, key=lambda u: -wrong[u])[:12]
    first = found.mistakes[0]
    assert first.label == small_task.utt2emo[first.utterance] != first.answer
    assert first.scores == pytest.approx(dict(zip(classes, means[first.utterance], strict=True)))
    assert (first.speaker, first.text, first.seconds) == (first.utterance[0], "hm", 0.5)
    assert first.picture.startswith("data:image/png;base64,")


def test_a_link_leads_to_the_utterance_within_its_recording(corpus, listen, small_task):
    found, _ = listen()
    for one in found.mistakes:
        own = sorted(utt for utt in small_task.utt2emo if utt[0] == one.speaker)
        start = own.index(one.utterance) / 2
        assert one.sound == f"../{one.speaker}%201.flac#t={start:.3f},{start + 0.5:.3f}"


def test_sound_within_the_page_is_that_of_the_utterance(corpus, listen):
    found, _ = listen("embed")
    head, _, content = found.mistakes[0].sound.partition(",")
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(content)))
    assert head == "data:audio/wav;base64" and rate == 16000 and len(samples) == 8000
    silent = listen("none")[0].mistakes
    assert [(one.sound, one.picture, one.text) for one in silent] == [("", "", None)] * len(silent)


def test_without_the_recordings_there_is_a_note(corpus, listen):
    for path in corpus.glob("*.flac"):
        path.unlink()
    found, _ = listen()
    assert found.mistakes == [] and found.num_mistakes > 0
    assert found.note.startswith("Cannot be listened to: ") and "1.flac" in found.note


def test_without_posteriors_there_is_nothing(corpus, listen, recipe):
    (row,) = listen()[1].systems
    runs = [dataclasses.replace(run, folder=None) for run in row.runs]
    gone = Results(row.test_set.classes, [row.test_set], [dataclasses.replace(row, runs=runs)])
    assert surest_mistakes(gone, summarise(gone, 0), recipe, recipe.folder, "link") is None
