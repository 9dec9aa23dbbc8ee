"""Figures: which are drawn, how large they are, and what a map does with odd embeddings."""

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dsnet.errors import ScoringError
from dsnet.report.figures.all import draw_figures
from dsnet.report.figures.classes import draw_confusions
from dsnet.report.figures.curves import draw_curves
from dsnet.report.figures.embeddings import EmbeddingMap, draw_map, embedding_map, layout
from dsnet.report.figures.forest import draw_forest
from dsnet.report.figures.matrices import draw_matrix_confusions
from dsnet.report.figures.plotting import BACKGROUND, WIDTH, file_stem, look, wrapped
from dsnet.report.figures.probes import draw_probes
from dsnet.report.figures.speakers import draw_speakers, spread
from dsnet.report.figures.sweeps import find_sweeps
from dsnet.report.summary import summarise
from dsnet.report.system_tables import kind_of_given
from dsnet.systems.catalog import is_transductive, resolve, side_information

EGS = Path(__file__).parents[2] / "egs"
EER = {"eer": {"estimate": 0.4, "low": 0.3, "high": 0.5}}
PROBED = {
    "parts": {"e": {"speaker_same_emotion": EER}},
    "targets": {"speaker_same_emotion": {"chance": 0.5}},
}


@pytest.fixture
def exp_dir(small_task, make_exp, fake_system):
    parts = ("h", "s", "e")
    systems = {
        "base_matched": fake_system(),
        "dsnet": fake_system("dsnet", control="base_matched", embeddings=parts),
        "dsnet@losses.similarity=0": fake_system("dsnet", embeddings=parts),
        "dsnet@losses.similarity=10": fake_system("dsnet", embeddings=parts),
    }
    return make_exp(small_task, systems, seeds=1)


@pytest.fixture
def results(small_task, exp_dir, score_runs):
    return score_runs(small_task)[0]


def test_draws_small_vector_files(results, tmp_path):
    summary = summarise(results, 0) | {"probes": dict.fromkeys(("base_matched", "dsnet"), PROBED)}
    drawn = draw_figures(results, summary, tmp_path / "figures")
    names = [figure.file_name for figure in drawn]
    assert names == [
        "uar_by_system.svg",
        "uar_by_speaker.svg",
        "sweep_dsnet_similarity.svg",
        "speaker_in_e.svg",
        "reliability.svg",
        "confusions.svg",
        "learning.svg",
        "embeddings_dsnet.svg",
        "embeddings_dsnet-losses.similarity-0.svg",
        "embeddings_dsnet-losses.similarity-10.svg",
    ]
    assert sorted(names) == sorted(path.name for path in (tmp_path / "figures").iterdir())
    texts = [path.read_text() for path in (tmp_path / "figures").iterdir()]
    ids: Counter[str] = Counter()
    for text in texts:
        assert len(text) < 150_000 and "<image" not in text
        assert float(re.search(r'<svg [^>]*width="([\d.]+)pt"', text)[1]) < 72 * WIDTH + 1
        assert "in percent" in text or "t-SNE" in drawn[-1].caption
        own = re.findall(r'\bid="([^"]+)"', text)
        assert set(re.findall(r'(?:href="|url\()#([^")]+)', text)) <= set(own)
        ids.update(own)
    assert [name for name, n in ids.items() if n > 1] == [BACKGROUND]  # one page may hold them all
    assert "fold A, seed 1 (speakers A, B, not in training)" in drawn[-1].caption
    assert [figure.topic for figure in drawn] == (
        ["systems", "speakers", "ablation", "embeddings", "calibration", "classes", "learning"]
        + 3 * ["embeddings"]
    )


@pytest.mark.usefixtures("results")
def test_curves_and_maps_are_drawn_of_what_is_there(small_task, exp_dir, score_runs, tmp_path):
    shutil.rmtree(exp_dir)
    gone, _ = score_runs(small_task)
    drawn = draw_figures(gone, summarise(gone, 0) | {"probes": {}}, tmp_path / "figures")
    assert [figure.file_name for figure in drawn][-2:] == ["reliability.svg", "confusions.svg"]


def test_no_reliability_where_only_others_than_the_main_systems_have_it(results, tmp_path):
    summary = summarise(results, 0) | {"probes": {}}
    assert summary["calibration"]
    others = {"another": next(iter(summary["calibration"].values()))}
    drawn = draw_figures(results, summary | {"calibration": others}, tmp_path / "figures")
    assert "reliability.svg" not in [figure.file_name for figure in drawn]


def test_the_same_numbers_give_the_same_bytes(results, tmp_path):
    summary = summarise(results, 0)
    one, two = (
        (tmp_path / folder / draw_confusions(summary, tmp_path / folder).file_name).read_bytes()
        for folder in ("one", "two")
    )
    assert one == two


def facts_of(base, **changes):
    facts = {"base": base, "changes": {k.replace("__", "."): v for k, v in changes.items()}}
    return facts | {"task": "own", "trained_on": "x", "own_enrolment": True, "across": False}


def test_sweeps_are_sorted_by_weight():
    systems = {
        "ten": facts_of("x", losses__alpha="10"),
        "half": facts_of("x", losses__alpha="0.5"),
        "x": facts_of("x"),
        "short": facts_of("x", train__max_epochs="3"),
        "one": facts_of("x", losses__beta="2"),
        "both": facts_of("x", losses__alpha="1", losses__beta="1"),
        "variant": facts_of("x", losses__alpha="3") | {"task": "own@references.count=1"},
    }
    (sweep,) = find_sweeps({"systems": systems, "test_sets": {"x": {"task": "own"}}})
    assert (sweep.base, sweep.key, sweep.weights) == ("x", "alpha", [0.5, 10])
    assert sweep.names == ["half", "ten"]


def spoken(control, system, speakers="AB"):
    by_speaker = {speaker: {"control": 0.5, "system": 0.75} for speaker in speakers}
    return {"system": system, "control": control, "by_speaker": by_speaker}


def test_a_panel_for_each_main_system_with_its_control(tmp_path):
    pairs = [spoken("matched", "dsnet"), spoken("matched", "dsnet_plus"), spoken("a", "rare")]
    main = ["matched", "dsnet", "dsnet_plus"]
    systems = {name: {"transductive": False} for name in main}
    summary = {"main_systems": main, "differences": {"pairs": pairs}, "systems": systems}
    figure = draw_speakers(summary, tmp_path)
    drawn = (tmp_path / figure.file_name).read_text()
    assert drawn.count(">matched</text>") == 2 and "rare" not in drawn
    assert drawn.count(">A</text>") == drawn.count(">B</text>") == 2


@pytest.mark.parametrize("pairs", [[], [spoken("matched", "dsnet", "A")]])
def test_without_a_pair_on_two_speakers_there_is_no_panel(tmp_path, pairs):
    summary = {"main_systems": ["dsnet"], "differences": {"pairs": pairs}, "systems": {}}
    assert draw_speakers(summary, tmp_path) is None


def test_labels_do_not_hide_each_other():
    """Two that are near each other move apart by as much, and none leaves the axes."""
    assert spread([10, 10.5, 60], 3.2, (0, 100)) == pytest.approx([8.65, 11.85, 60])
    assert spread([99, 100], 3, (0, 100)) == pytest.approx([95.5, 98.5])
    heights = spread(sorted(np.random.default_rng(0).uniform(50, 100, 24)), 2, (50, 100))
    assert min(np.diff(heights)) >= 2 - 1e-9 and 51 <= min(heights) <= max(heights) <= 99


def test_only_equals_stand_side_by_side(tmp_path):
    """Groups come in the order nothing, neutral clips, any clips, other; the best is above."""

    def row(given, uar, transductive=False, source="none", count=0, kind="base"):
        uar = {"estimate": uar, "low": None, "high": None}
        headline = {"uar": uar, "uar_by_seed": {}, "absent_classes": []}
        facts = {"side_information": given, "transductive": transductive, "is_control": False}
        facts |= {"enrolment": {"source": source, "count": count}, "kind": kind}
        return facts | {"tested_on": "x", "headline": headline}

    systems = {
        "any30": row("30 unlabelled utterances of the speaker", 0.9, source="any", count=30),
        "any3": row("3 unlabelled utterances of the speaker", 0.95, source="any", count=3),
        "dsc": row("1 neutral utterance of the speaker at inference", 0.5, kind="dsc"),
        "both": row(
            "1 neutral utterance of the speaker; 3 unlabelled utterances of the speaker", 1
        ),
        "heard": row("none", 0.99, transductive=True),
        "worse": row("none", 0.6),
        "better": row("none", 0.7),
        "nothing": row("none", None),
    }
    summary = {"systems": systems, "test_sets": {"x": {}}, "across": False}
    figure = draw_forest(summary, tmp_path)
    drawn = re.findall(r">([^<>]+)</text>", (tmp_path / figure.file_name).read_text())
    names = [text for text in drawn if text in systems]
    assert names == ["better", "worse", "dsc", "any3", "any30", "heard", "both"]
    heads = [text for text in drawn if text == "the utterance alone" or "speaker" in text]
    assert heads[:2] == ["the utterance alone", "1 neutral utterance of the speaker at inference"]
    assert "bold" not in figure.caption and "hollow" not in figure.caption
    systems["better"]["is_control"] = True
    assert "Controls are bold." in draw_forest(summary, tmp_path).caption


def test_every_shipped_enrolment_has_its_group():
    """The words that infer writes are those that the figure groups by."""
    names = sorted(path.stem for path in (EGS / "conf" / "systems").glob("*.yaml"))
    seen = set()
    for name in names:
        config = resolve(name, EGS / "emodb").config
        source = config.enrolment.source
        words = side_information(config, config.enrolment, across=False)
        facts = {
            "side_information": words,
            "transductive": is_transductive(config, config.enrolment, False),
            "enrolment": {"source": source, "count": config.enrolment.count},
            "kind": config.kind,
        }
        expected = {"neutral": "neutral", "any": "any", "all": "other"}
        if source in expected:
            assert kind_of_given(facts) == expected[source], (name, words)
            seen.add(source)
    assert seen == {"neutral", "any", "all"}


def test_long_names_are_broken_at_their_marks():
    name = "whisper_base_matched_any+whisper_probe_any (enrolment any:30)"
    broken = "whisper_base_matched_any\n+whisper_probe_any\n(enrolment any:30)"
    assert wrapped(name, 30) == broken
    assert wrapped("whisper_base_matched", 14) == "whisper_base_\nmatched"
    assert wrapped("dsnet@losses.alpha=0,train.max_epochs=8", 22) == (
        "dsnet@losses.alpha=0,\ntrain.max_epochs=8"
    )
    assert wrapped("dsnet") == "dsnet"


def test_looks_differ():
    assert len({look(number) for number in range(64)}) == 64
    assert len({look(number)[0] for number in range(8)}) == 8


def test_file_names_are_links():
    for name in ("dsnet_small@losses.similarity=0,losses.alpha=1", "a+b (c)"):
        assert re.fullmatch(r"[\w.-]+", file_stem(name))


def test_matrices_are_drawn_of_what_is_there(results, tmp_path):
    summary = summarise(results, 0)
    cells = [{"train": "x", "test": "x", "row": "dsnet"}]
    matrix = {"title": "dsnet (transductive: corpus)", "recipes": ["x", "y"], "cells": cells}
    figure = draw_matrix_confusions(matrix, summary, tmp_path)
    assert figure.file_name == "confusions_dsnet--transductive--corpus-.svg"
    assert "grey does not exist" in figure.caption
    sizes = summary["systems"]["dsnet"]["headline"]["class_counts"].values()
    drawn = (tmp_path / figure.file_name).read_text()
    assert all(f">{text}</text>" in drawn for text in ("n", *sizes))


def test_curves_of_different_lengths_and_of_svms(results, tmp_path):
    system = results.systems[0]
    path = system.runs[0].folder / "log.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(ScoringError, match="5 epochs were trained, found 2 in it"):
        draw_curves([system], 4, tmp_path)
    system.runs[0].info["training"]["epochs"] = 2
    for run in system.runs:
        run.info["training"].update(selected_epoch=1, selection="best")
    assert draw_curves([system], 4, tmp_path).file_name == "learning.svg"
    for run in system.runs:
        (run.folder / "log.jsonl").unlink()
    assert draw_curves([system], 4, tmp_path) is None


def test_curves_have_one_panel_where_nobody_validates(results, tmp_path):
    system = results.systems[0]

    def panels(folder):
        draw_curves([system], 4, folder)
        return (folder / "learning.svg").read_text().count(">epoch</text>")

    assert panels(tmp_path / "two") == 2
    for run in system.runs:
        path = run.folder / "log.jsonl"
        entries = [json.loads(line) | {"dev": {}} for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    assert panels(tmp_path / "one") == 1


def test_no_marks_no_figure_of_probes(results, tmp_path):
    """One held-out speaker cannot be told from others; one mark shows no relation."""
    eer = dict.fromkeys(EER["eer"])
    unknown = PROBED | {"parts": {"e": {"speaker_same_emotion": {"eer": eer}}}}
    summary = summarise(results, 0)
    probes = {"base_matched": PROBED, "dsnet": unknown}
    assert draw_probes(summary | {"probes": probes}, tmp_path) is None
    assert draw_probes(summary | {"probes": probes | {"dsnet": PROBED}}, tmp_path) is not None


def test_a_broken_log_is_named(results, tmp_path):
    path = results.systems[0].runs[0].folder / "log.jsonl"
    path.write_text(path.read_text() + '{"epoch"')
    with pytest.raises(ScoringError, match="log.jsonl:6: not valid JSON.*rerun stage 3"):
        draw_curves(results.systems, 4, tmp_path)


def test_layout_keeps_clusters_apart_and_is_repeatable():
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.eye(2, 8) * 20, 15, axis=0) + rng.normal(0, 1, (30, 8))
    positions = layout(clusters.astype(np.float32))
    middles = positions[:15].mean(0), positions[15:].mean(0)
    for own, (near, far) in ((slice(15), middles), (slice(15, 30), middles[::-1])):
        to_near = np.linalg.norm(positions[own] - near, axis=1)
        assert (to_near < np.linalg.norm(positions[own] - far, axis=1)).all()
    assert np.array_equal(positions, layout(clusters.astype(np.float32)))


def test_collapsed_embeddings_are_one_point():
    assert not layout(np.ones((20, 4), dtype=np.float32)).any()
    nearly = np.ones((20, 4), dtype=np.float32)
    nearly[:, 0] += np.linspace(0, 1e-4, 20, dtype=np.float32)
    assert not layout(nearly).any() and layout(nearly**100).any()  # up to 1 % apart


@pytest.mark.parametrize("count", [1000, 2000])
def test_maps_of_many_points_stay_small(tmp_path, count):
    """Points become pixels only where their marks would be too much."""
    rng = np.random.default_rng(0)
    positions = {part: rng.normal(size=(count, 2)) for part in "es"}
    emotions = rng.choice(["sad", "happy"], count).tolist()
    speakers = rng.choice(["f1", "m1"], count).tolist()
    points = EmbeddingMap(positions, emotions, speakers, ["test"], count)
    system, run = SimpleNamespace(name="x", runs=[1]), SimpleNamespace(fold="A", seed=1)
    figure = draw_map(system, run, points, ["sad", "happy"], tmp_path)
    text = (tmp_path / figure.file_name).read_text()
    assert len(text) < 400_000
    assert ("<image" in text) == (count > 1000)


def test_map_of_one_speaker_is_by_emotion_alone(tmp_path):
    points = EmbeddingMap(
        {part: np.zeros((3, 2)) for part in "es"}, ["sad"] * 3, ["f1"] * 3, ["test"], 3
    )
    system, run = SimpleNamespace(name="x", runs=[1]), SimpleNamespace(fold="A", seed=1)
    figure = draw_map(system, run, points, ["sad"], tmp_path)
    drawn = (tmp_path / figure.file_name).read_text()
    assert "by emotion" in drawn and "by speaker" not in drawn and "all in one point" in drawn
    assert "3 test utterances" in figure.caption and "(speaker f1," in figure.caption


def test_a_map_of_very_many_has_some_by_lot_and_names_nobody(tmp_path, small_task, monkeypatch):
    monkeypatch.setattr("dsnet.report.figures.embeddings.MAX_POINTS", 12)
    utts = list(small_task.utt2emo)[:20]
    arrays = {part: np.random.default_rng(0).normal(size=(20, 4)) for part in "es"}
    (tmp_path / "test").mkdir()
    np.savez(tmp_path / "test" / "embeddings.npz", utt_ids=np.array(utts), **arrays)
    points = embedding_map(tmp_path, small_task)
    assert len(points.speakers) == len(points.positions["e"]) == 12 and points.num_utterances == 20
    many = [f"s{n}" for n in range(31)]
    points = EmbeddingMap({p: np.eye(31, 2) for p in "es"}, ["sad"] * 31, many, ["test"], 40)
    system, run = SimpleNamespace(name="x", runs=[1]), SimpleNamespace(fold="A", seed=1)
    figure = draw_map(system, run, points, ["sad"], tmp_path)
    assert "31 of the 40, by lot, test utterances of fold A" in figure.caption
    assert "(31 speakers, not in training)" in figure.caption
    assert "by speaker" not in (tmp_path / figure.file_name).read_text()


def test_map_needs_both_parts_and_enough_utterances(small_task, results):
    base, dsnet = (system.runs[0].folder for system in results.systems[:2])
    assert embedding_map(base, small_task) is None
    fold = small_task.fold("A")
    assert len(embedding_map(dsnet, small_task).speakers) == len(fold.dev) + len(fold.test)
    for side in ("dev", "test"):
        shutil.rmtree(dsnet / side)
    assert embedding_map(dsnet, small_task) is None


def test_map_refuses_what_is_not_finite(small_task, results):
    path = results.systems[1].runs[0].folder / "test" / "embeddings.npz"
    arrays = dict(np.load(path))
    arrays["s"][0, 0] = np.nan
    np.savez(path, **arrays)
    with pytest.raises(ScoringError, match="'s' is not finite; rerun stages 3 and 4"):
        embedding_map(path.parents[1], small_task)
