"""Figures: which are drawn, how large they are, and what a map does with odd embeddings."""

import shutil

import numpy as np
import pytest
from matplotlib.image import imread

from dsnet.errors import ScoringError
from dsnet.scoring import figures
from dsnet.scoring.embeddings import embedding_map, layout
from dsnet.scoring.figures import draw_figures
from dsnet.scoring.results import read_results
from dsnet.scoring.summary import summarise


@pytest.fixture
def results(small_task, make_exp, fake_system):
    systems = {"base": fake_system(), "dsnet": fake_system("dsnet", embeddings=("h", "s", "e"))}
    return read_results(make_exp(small_task, systems, seeds=1), small_task)


def test_draws_small_files_of_a_readmes_width(results, tmp_path):
    drawn = draw_figures(results, summarise(results, 0), tmp_path / "figures")
    names = [figure.file_name for figure in drawn]
    assert names == [
        "uar_by_speaker.png",
        "confusion_base.png",
        "learning_base.png",
        "confusion_dsnet.png",
        "learning_dsnet.png",
        "embeddings_dsnet.png",
    ]
    assert sorted(names) == sorted(path.name for path in (tmp_path / "figures").iterdir())
    for path in (tmp_path / "figures").iterdir():
        assert path.stat().st_size < 150_000
        assert 300 < imread(path).shape[1] <= 840
    assert "fold A, seed 1 (speakers A, B)" in drawn[-1].caption


def test_the_same_numbers_give_the_same_bytes(results, tmp_path):
    summary = summarise(results, 0)
    for folder in ("one", "two"):
        figures._draw_confusion("base", summary, tmp_path / folder)
    one, two = (tmp_path / folder / "confusion_base.png" for folder in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_many_speakers_become_dots(results, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "MAX_MARKS", 7)  # 4 speakers, 2 systems
    figure = figures._draw_speakers(summarise(results, 0), tmp_path)
    assert figure.caption.startswith("Each dot is a speaker")


def test_curves_of_different_lengths(results, tmp_path):
    system = results.systems[0]
    system.runs[0].log[:] = system.runs[0].log[:2]
    system.runs[0].train["selected_epoch"] = 1
    figures._draw_curves(system, 4, tmp_path)
    assert (tmp_path / "learning_base.png").is_file()


def test_layout_keeps_clusters_apart_and_is_repeatable():
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.eye(2, 8) * 20, 15, axis=0) + rng.normal(0, 1, (30, 8))
    positions = layout(clusters.astype(np.float32))
    middles = positions[:15].mean(0), positions[15:].mean(0)
    for own, (near, far) in ((slice(15), middles), (slice(15, 30), middles[::-1])):
        to_near = np.linalg.norm(positions[own] - near, axis=1)
        assert (to_near < np.linalg.norm(positions[own] - far, axis=1)).all()
    assert np.array_equal(positions, layout(clusters.astype(np.float32)))


def test_collapsed_embeddings_are_one_point(results):
    assert not layout(np.ones((20, 4), dtype=np.float32)).any()


def test_map_needs_both_parts_and_enough_utterances(results):
    base, dsnet = (system.runs[0].folder for system in results.systems)
    assert embedding_map(base, results.task) is None
    fold = results.folds["A"]
    assert len(embedding_map(dsnet, results.task).speakers) == len(fold.dev) + len(fold.test)
    for side in ("dev", "test"):
        shutil.rmtree(dsnet / side)
    assert embedding_map(dsnet, results.task) is None


def test_map_refuses_what_is_not_finite(results):
    path = results.systems[1].runs[0].folder / "test" / "embeddings.npz"
    arrays = dict(np.load(path))
    arrays["s"][0, 0] = np.nan
    np.savez(path, **arrays)
    with pytest.raises(ScoringError, match="'s' is not finite; rerun stages 3 and 4"):
        embedding_map(path.parents[1], results.task)
