"""index.html in a real browser, without a window: it sorts, filters, opens, plays, is content.

A script is put behind the page's own; what it finds is read from the page that the browser gives
back.
"""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from dsnet.features.fbank import FbankConfig
from dsnet.report.figures.plotting import Figure
from dsnet.report.listening import Listening, Mistake
from dsnet.report.page import Extras, page_html
from dsnet.report.provenance import Provenance
from dsnet.report.spectrogram import spectrogram_uri
from dsnet.report.summary import summarise

BROWSER = next(filter(shutil.which, ("chromium", "chromium-browser", "google-chrome")), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs chromium")
COLLECT = """
<script>
const found = {complaints: []};
for (const kind of ["error", "securitypolicyviolation", "unhandledrejection"])
  addEventListener(kind, (e) => found.complaints.push(
    `${kind}: ${e.message || e.violatedDirective || e.reason}`), true);
</script>
"""
REPORT = """
<script>
const names = () => [...document.querySelectorAll("table.systems tr.system")]
  .filter((row) => row.offsetParent !== null)
  .map((row) => row.querySelector(".open").textContent);
const shown = () => sections.filter((s) => s.offsetParent !== null).map((s) => s.id);
const click = (selector) => document.querySelector(selector).click();
async function look() {
  found.tabs = [...nav.children].map((tab) => tab.textContent);
  found.first = shown();
  found.rows = names();
  click(".fold");
  found.unfolded = names();
  click("table.systems th:nth-child(2)");
  found.best_first = names();
  click("table.systems th:nth-child(2)");
  found.worst_first = names();
  search.value = "ENROLLED";
  search.dispatchEvent(new Event("input"));
  found.searched = names();
  search.value = "";
  click('[data-show="neutral"]');
  found.filtered = names();
  click('[data-show=""]');
  click("tr.system .open");
  found.opened = [...document.querySelectorAll("tr.below")].filter((r) => !r.hidden).length;
  click('nav [data-id="listen"]');
  found.second = shown();
  found.wide = document.documentElement.scrollWidth - innerWidth;
  const audio = document.querySelector("audio");
  audio.muted = true;
  await audio.play();
  await new Promise((done) => { audio.ontimeupdate = () => audio.currentTime > 0 && done(); });
  found.played = audio.currentTime > 0;
}
look().catch((error) => found.complaints.push(String(error))).finally(() => {
  const out = document.createElement("pre");
  out.id = "found";
  out.textContent = JSON.stringify(found);
  document.body.append(out);
});
</script>
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Return a folder for a page and the sound beside it."""
    folder = tmp_path_factory.mktemp("page")
    time = np.arange(16000) / 16000
    soundfile.write(folder / "a b.wav", 0.3 * np.sin(2 * np.pi * 440 * time), 16000)
    return folder


@pytest.fixture
def html(small_task, make_exp, fake_system, score_runs, page):
    given = {
        "side_information": "3 neutral utterances of the speaker",
        "enrolment": {"source": "neutral", "count": 3},
    }
    systems = {
        "base": fake_system(skill=0.0),
        "dsnet": fake_system("dsnet", 3.0, "base"),
        "dsnet@losses.alpha=3": fake_system("dsnet", 1.0, "base"),
        "enrolled": fake_system("dsnet", 3.0, "base", info=given),
    }
    make_exp(small_task, systems)
    summary = summarise(score_runs(small_task)[0], 0)
    summary |= {"title": "x, 4class", "probes": {}, "num_stale": 0}
    (page / "one.svg").write_text('<svg width="9pt" height="9pt" viewBox="0 0 9 9"/>')
    samples = np.random.default_rng(0).normal(0, 0.1, 16000).astype("float32")
    mistake = Mistake(
        "A_sad_1", "A", "what is said", "sad", "happy", {"happy": 0.9, "sad": 0.1}, 1.0,
        spectrogram_uri(samples, 16000, FbankConfig()), "a%20b.wav",
    )  # fmt: skip
    extras = Extras({}, Listening("dsnet", [mistake], 1, 9), [], [])
    figures = [Figure("one.svg", "One", "A figure.", "systems")]
    provenance = Provenance("bash x", "r", {}, "2026-01-01", 2)
    return page_html(summary, provenance, figures, page, extras)


def browse(page, html, width):
    """Return what the script has found, of a window so wide."""
    text = html.replace("<body>", f"<body>{COLLECT}").replace("</body>", f"{REPORT}</body>")
    (page / "index.html").write_text(text)
    done = subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
            "--autoplay-policy=no-user-gesture-required", f"--window-size={width},900",
            f"--user-data-dir={page / 'profile'}", "--virtual-time-budget=20000",
            f"file://{page}/index.html",
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    return json.loads(found[1].replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&"))


@pytest.mark.parametrize("width", [1400, 500])
def test_sorts_filters_opens_and_plays(page, html, width):
    found = browse(page, html, width)
    assert found["complaints"] == []
    assert found["tabs"] == [
        "Systems", "Differences", "Ablation", "Speakers", "Classes", "Calibration", "Learning",
        "Listen", "Method",
    ]  # fmt: skip
    assert found["first"] == ["systems"] and found["second"] == ["listen"]
    # what is tried of a system is folded; a click shows it below its system
    assert sorted(found["rows"]) == ["base", "dsnet", "enrolled"]
    place = found["unfolded"].index("dsnet")
    assert found["unfolded"][place + 1] == "dsnet@losses.alpha=3"
    # the base has no skill, the others have: groups are sorted by their first row
    assert found["best_first"][-1] == "base" and found["worst_first"][0] == "base"
    assert found["searched"] == ["enrolled"] and found["filtered"] == ["enrolled"]
    assert found["opened"] == 1 and found["played"]
    assert found["wide"] <= 0  # nothing is cut off; a wide table scrolls by itself
