"""Figures: which are drawn, how large they are, and what a map does with odd embeddings."""

import json
import re
import shutil

import numpy as np
import pytest
from matplotlib.image import imread

from dsnet.errors import ScoringError
from dsnet.report.figures.all import draw_figures
from dsnet.report.figures.classes import draw_confusions
from dsnet.report.figures.curves import draw_curves
from dsnet.report.figures.embeddings import embedding_map, layout
from dsnet.report.figures.matrices import draw_matrices
from dsnet.report.figures.plotting import file_stem
from dsnet.report.figures.probes import draw_probes
from dsnet.report.figures.speakers import LABEL_HEIGHT, _spread, find_panels
from dsnet.report.figures.systems import find_sweeps
from dsnet.report.summary import summarise

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


def test_draws_small_files_of_a_readmes_width(results, tmp_path):
    summary = summarise(results, 0) | {"probes": {"dsnet": PROBED}}
    drawn = draw_figures(results, summary, tmp_path / "figures")
    names = [figure.file_name for figure in drawn]
    assert names == [
        "uar_by_system.png",
        "uar_by_speaker_base_matched.png",
        "sweep_dsnet_similarity.png",
        "speaker_in_e.png",
        "reliability.png",
        "confusions.png",
        "learning.png",
        "embeddings_dsnet.png",
        "embeddings_dsnet-losses.similarity-0.png",
        "embeddings_dsnet-losses.similarity-10.png",
    ]
    assert sorted(names) == sorted(path.name for path in (tmp_path / "figures").iterdir())
    for path in (tmp_path / "figures").iterdir():
        assert path.stat().st_size < 150_000
        assert 300 < imread(path).shape[1] <= 840
    assert "fold A, seed 1 (speakers A, B)" in drawn[-1].caption


@pytest.mark.usefixtures("results")
def test_curves_and_maps_are_drawn_of_what_is_there(small_task, exp_dir, score_runs, tmp_path):
    shutil.rmtree(exp_dir)
    gone, _ = score_runs(small_task)
    drawn = draw_figures(gone, summarise(gone, 0) | {"probes": {}}, tmp_path / "figures")
    assert [figure.file_name for figure in drawn][-2:] == ["reliability.png", "confusions.png"]


def test_the_same_numbers_give_the_same_bytes(results, tmp_path):
    summary = summarise(results, 0)
    one, two = (
        (tmp_path / folder / draw_confusions(summary, tmp_path / folder).file_name).read_bytes()
        for folder in ("one", "two")
    )
    assert one == two


def facts_of(base, **changes):
    facts = {"base": base, "changes": {k.replace("__", "."): v for k, v in changes.items()}}
    return facts | {"task_changes": {}, "own_enrolment": True, "across": False}


def test_sweeps_are_sorted_by_weight():
    systems = {
        "ten": facts_of("x", losses__alpha="10"),
        "half": facts_of("x", losses__alpha="0.5"),
        "x": facts_of("x"),
        "short": facts_of("x", train__max_epochs="3"),
        "both": facts_of("x", losses__alpha="1", losses__beta="1"),
    }
    (sweep,) = find_sweeps({"systems": systems})
    assert (sweep.base, sweep.key, sweep.weights) == ("x", "alpha", [0.5, 10])
    assert sweep.names == ["half", "ten"]


def test_speakers_are_drawn_from_each_control_on():
    main = ["matched", "matched_small", "dsnet", "dsnet_small", "dsnet_plus_small"]
    control = {"dsnet": "matched", "dsnet_small": "matched_small"}
    control["dsnet_plus_small"] = "matched_small"
    pairs = [{"system": name, "control": other} for name, other in control.items()]
    summary = {"main_systems": main, "differences": {"pairs": pairs}, "systems": {}}
    assert [panel.names for panel in find_panels(summary)] == [
        ["matched", "dsnet"],
        ["matched_small", "dsnet_small", "dsnet_plus_small"],
    ]
    alone = {"main_systems": ["dsnet", "svm"], "differences": {"pairs": []}}
    alone["systems"] = {name: {"tested_on": "x"} for name in ("dsnet", "svm")}
    assert [panel.names for panel in find_panels(alone)] == [["dsnet", "svm"]]


def test_labels_do_not_hide_each_other():
    """Two that are near each other move apart by as much."""
    heights = [height for height, _ in _spread([(10, "a"), (10.5, "b"), (60, "c")])]
    assert heights == pytest.approx([10.25 - LABEL_HEIGHT / 2, 10.25 + LABEL_HEIGHT / 2, 60])


def test_file_names_are_links():
    for name in ("dsnet_small@losses.similarity=0,losses.alpha=1", "a+b (c)"):
        assert re.fullmatch(r"[\w.-]+", file_stem(name))


def test_matrices_are_drawn_of_what_is_there(results, tmp_path):
    summary = summarise(results, 0)
    cells = [{"train": "x", "test": "x", "row": "dsnet"}]
    matrix = {"title": "dsnet (transductive: corpus)", "recipes": ["x", "y"], "cells": cells}
    names = [figure.file_name for figure in draw_matrices(matrix, summary, tmp_path)]
    assert names == [
        "matrix_dsnet--transductive--corpus-.png",
        "confusions_dsnet--transductive--corpus-.png",
    ]
    assert all((tmp_path / name).stat().st_size > 5000 for name in names)


def test_curves_of_different_lengths_and_of_svms(results, tmp_path):
    system = results.systems[0]
    path = system.runs[0].folder / "log.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    for run in system.runs:
        run.info["training"].update(selected_epoch=1, selection="best")
    assert draw_curves([system], 4, tmp_path).file_name == "learning.png"
    for run in system.runs:
        (run.folder / "log.jsonl").unlink()
    assert draw_curves([system], 4, tmp_path) is None


def test_curves_have_one_panel_where_nobody_validates(results, tmp_path):
    system = results.systems[0]

    def panels(folder):
        """Count the vertical axes: columns of pixels that are nearly all dark."""
        draw_curves([system], 4, folder)
        dark = (imread(folder / "learning.png")[:, :, :3] < 0.3).all(2)
        tall = dark.sum(0) > 0.3 * len(dark)
        return int((tall[1:] & ~tall[:-1]).sum())

    assert panels(tmp_path / "two") == 2
    for run in system.runs:
        path = run.folder / "log.jsonl"
        entries = [json.loads(line) | {"dev": {}} for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    assert panels(tmp_path / "one") == 1


def test_no_mark_no_figure_of_probes(results, tmp_path):
    """One held-out speaker cannot be told from others."""
    eer = dict.fromkeys(EER["eer"])
    unknown = PROBED | {"parts": {"e": {"speaker_same_emotion": {"eer": eer}}}}
    summary = summarise(results, 0) | {"probes": {"dsnet": unknown}}
    assert draw_probes(summary, tmp_path) is None
    assert draw_probes(summary | {"probes": {"dsnet": PROBED}}, tmp_path) is not None


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
