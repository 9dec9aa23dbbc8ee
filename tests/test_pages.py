"""The pages that are kept in the repository: of the generation that stage 5 writes today."""

import json
from pathlib import Path

import pytest

from dsnet.report.provenance import GENERATION
from dsnet.report.results_md import head

EGS = Path(__file__).parents[1] / "egs"
PAGES = sorted(path.parent for path in EGS.glob("*/RESULTS.md"))


def test_there_are_pages():
    assert {page.name for page in PAGES} >= {"emodb", "ravdess", "cross_corpus"}


@pytest.mark.parametrize("folder", PAGES, ids=lambda folder: folder.name)
def test_a_page_begins_as_stage_5_writes_it(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    text, page = (folder / "RESULTS.md").read_text(), (folder / "index.html").read_text()
    assert text.startswith(head(metrics)), f"{folder}: run stage 5 with --results-dir {folder}"
    assert f'content="dsnet, pages of generation {GENERATION}"' in page
    for line in text.splitlines():
        if line.startswith("!["):
            assert (folder / line.split("(")[1].rstrip(")")).is_file()


@pytest.mark.parametrize("folder", PAGES, ids=lambda folder: folder.name)
def test_a_page_tells_no_path_of_a_machine(folder):
    for name in ("RESULTS.md", "index.html", "metrics.json", "ledger.jsonl"):
        text = (folder / name).read_text()
        assert not any(f"{place}/" in text for place in ("/home", "/work", "/root", "/tmp", "/mnt"))
        assert '<audio controls preload="none" src="..' not in text
