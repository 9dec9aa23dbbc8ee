import base64
import io
import re
import subprocess
import sys
from dataclasses import asdict, replace
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
import torch
from tiny_bundles import CLASSES, RATE, sound, write_tiny
from torch import nn

from dsnet.corpus.sound import BadAudio
from dsnet.features.fbank import FbankConfig
from dsnet.models import encoder as encoders
from dsnet.models import pooling
from dsnet.models.encoder import ENCODERS, EncoderConfig, build_encoder
from dsnet.recognizer import explain as explanations
from dsnet.recognizer.bundle import FeaturesFacts
from dsnet.recognizer.explain import STEPS, explain
from dsnet.recognizer.recognizer import Recognizer
from dsnet.report.explain import write_explanation

VOID = {"meta", "img", "br"}  # elements without an end
ATTENTION = "What the model listened to most"
MAP = "Where it lies"


class Page(HTMLParser):
    """Tags with their attributes, and text outside of style and script; every tag is closed."""

    def __init__(self, content: str):
        super().__init__()
        self.content, self.tags, self.open, self.texts = content, [], [], []
        self.feed(content)
        self.close()
        assert self.open == []
        self.text = " ".join("".join(self.texts).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    def played(self):
        """Return samples and sampling rate of what the player has."""
        [audio] = self.all("audio")
        kind, _, content = audio["src"].partition(";base64,")
        assert kind == "data:audio/wav"
        return soundfile.read(io.BytesIO(base64.b64decode(content)))


@pytest.fixture
def page_of(recognizer, tmp_path):
    def make(samples, rate=RATE, name="talk.wav", recognizer=recognizer, **options):
        write_explanation(tmp_path / "out.html", recognizer, name, samples, rate, **options)
        return Page((tmp_path / "out.html").read_text(encoding="utf-8"))

    return make


def test_the_page_says_what_the_recognizer_says(page_of, recognizer):
    samples = sound(2.3)
    page, result = page_of(samples), recognizer(samples, RATE)
    for words in (*CLASSES, "talk.wav", "tiny", "noise", ATTENTION, "not why it decided"):
        assert words in page.text
    assert (
        f"{result.label} confidence {100 * result.confidence:.0f}\u00a0%"
        in page.content.replace("<small>", "")
    )
    widths = re.findall(r'<i style="width: ([\d.]+)%">', page.content)
    scores = sorted(result.scores.values(), reverse=True)
    assert [float(width) / 100 for width in widths] == pytest.approx(scores, abs=1e-4)
    assert MAP not in page.text


def test_the_player_has_the_recording(page_of):
    samples = sound(1.7)
    played, rate = page_of(samples).played()
    assert (rate, played.shape) == (16000, samples.shape)
    assert np.abs(played - samples).max() <= 1 / 32768


def test_the_player_has_one_channel_of_16_khz(page_of):
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(12000) / 8000)
    played, rate = page_of(np.stack([tone, tone], 1), 8000).played()
    expected = 0.3 * np.sin(2 * np.pi * 440 * np.arange(24000) / 16000)
    assert (rate, played.shape) == (16000, (24000,))
    assert np.abs(played - expected)[500:-500].max() < 0.01


def test_of_a_long_recording_the_player_has_a_minute(page_of):
    page = page_of(sound(61.0))
    assert len(page.played()[0]) == 60 * RATE
    assert "The player has the first 60 s of 61 s" in page.text


def test_the_page_needs_nothing_but_itself(page_of):
    page = page_of(sound())
    assert "link" not in {tag for tag, _ in page.tags}
    for _, attrs in page.tags:
        for name in ("src", "href", "xlink:href", "poster", "action"):
            assert attrs.get(name, "data:").startswith("data:")
    assert not re.search(r"url\(|@import|fetch\(|XMLHttp", page.content)
    assert all(image["alt"] for image in page.all("img"))
    assert all(drawing["aria-label"] for drawing in page.all("svg"))


@pytest.mark.parametrize("name", ['<b>&">.wav', "<script>alert(1)&lt;.wav", "caf\udce9.wav"])
def test_file_names_are_text(page_of, name):
    page = page_of(sound(), name=name)
    assert name.replace("\udce9", "\ufffd") in page.text
    assert len(page.all("script")) == 1
    assert "b" not in {tag for tag, attrs in page.tags if "title" not in attrs}


def test_unsure_is_said_with_what_would_have_been_enough(page_of, recognizer):
    samples = next(
        samples
        for samples in map(lambda seed: sound(seed=seed), range(9))
        if recognizer(samples, RATE).confidence < 0.9
    )
    page = page_of(samples, reject=0.1)
    assert "unsure confidence" in page.text
    assert "less than the 90\u00a0% that --reject 0.1 asks for".replace("\u00a0", " ") in page.text


def test_what_cannot_be_judged_leaves_no_page(page_of, tmp_path, monkeypatch):
    with pytest.raises(BadAudio, match="no signal"):
        page_of(np.zeros(RATE))
    monkeypatch.setattr(explanations, "MAX_SECONDS", 1.0)
    with pytest.raises(BadAudio, match="too long to be judged at once"):
        page_of(sound(1.2))
    assert list(tmp_path.iterdir()) == []


def test_windows_are_judged_as_recordings_of_their_own(recognizer):
    samples = sound(2.6)
    found = explain(recognizer, samples, RATE).windows
    spans = [(window.start, window.end) for window in found]
    assert spans == [(0, 1.5), (0.25, 1.75), (0.5, 2), (0.75, 2.25), (1, 2.5), (1.1, 2.6)]
    for window, (start, end) in zip(found, spans, strict=True):
        [own] = recognizer.judge([samples[round(start * RATE) : round(end * RATE)]], RATE)
        assert window.result.scores == pytest.approx(own.scores, abs=1e-6)


def test_a_short_recording_is_its_only_window(recognizer):
    found = explain(recognizer, sound(0.4), RATE)
    [window] = found.windows
    assert (window.start, window.end) == (0, 0.4)
    assert window.result.scores == pytest.approx(found.result.scores, abs=1e-6)


def test_digital_silence_is_a_gap(recognizer, page_of):
    samples = np.concatenate([np.zeros(2 * RATE, dtype="float32"), sound(1.0)])
    found = explain(recognizer, samples, RATE).windows
    assert [window.result is None for window in found] == [True] * 3 + [False] * 4
    page = page_of(samples)
    assert "In a gap there is no signal" in page.text
    assert "NaN" not in page.content and "nan" not in page.content.partition("data:")[0]


def test_windows_of_an_enrolled_clip_are_judged_without_it(recognizer):
    clips = [(sound(2, seed), RATE) for seed in range(3)]
    found = explain(recognizer, *clips[0], recognizer.enrol("anna", clips))
    others = recognizer.enrol("anna", clips[1:])
    own = recognizer(clips[0][0][: round(1.5 * RATE)], RATE, others)
    assert found.windows[0].result.scores == pytest.approx(own.scores, abs=1e-6)


def test_attention_is_that_of_the_network(recognizer, monkeypatch):
    weights = []

    def softmax(scores, mask):
        weights.append(scores.softmax(2))
        return weights[-1]

    samples = sound(2.0)
    found = explain(recognizer, samples, RATE)
    monkeypatch.setattr(pooling, "time_softmax", softmax)
    recognizer(samples, RATE)
    expected = weights[0][0].mean(0)
    assert found.attention.weights.mean() == pytest.approx(1)
    assert found.attention.weights == pytest.approx((expected / expected.mean()).numpy(), abs=1e-5)
    assert found.attention.centres == pytest.approx(np.arange(0.01, 2, 0.08))
    assert not recognizer.parts["none"].system.encoder.pooling.score._forward_hooks


def test_every_encoder_has_its_place_on_the_time_axis():
    assert set(STEPS) == set(ENCODERS.values())


@pytest.mark.parametrize(
    ("kind", "widths"), [("conv", [2] * 4), ("compact", [2] * 4), ("frames", [2] * 2)]
)
def test_a_step_stands_in_the_middle_of_what_it_hears(kind, widths, log_mels, states, monkeypatch):
    """A frame that is not a number makes those steps not a number that hear it."""
    # which hears all frames at every step
    monkeypatch.setattr(encoders, "without_mean", lambda feats, mask: feats)
    features = states(16) if kind == "frames" else log_mels(16)
    config = EncoderConfig(kind=kind, channels=widths, embed_dim=4)
    encoder = build_encoder(config, features).eval()
    scores = []
    encoder.pooling.score.register_forward_hook(lambda module, inputs, out: scores.append(out))
    for frame in range(128):
        feats = torch.randn(1, 128, 16) + 10
        feats[0, frame] = torch.nan
        encoder(feats)
    heard = torch.stack(scores)[:, 0, 0].isnan()  # (frames, steps)
    frames, first = STEPS[type(encoder)]
    step = heard.shape[1] // 2
    places = heard[:, step].nonzero()
    assert heard.shape[1] == 128 // frames
    assert (int(places.min()) + int(places.max()) + 1) / 2 == first + frames * step


@pytest.mark.parametrize("snip_edges", [False, True])
def test_frames_of_40_ms_that_are_snipped_begin_later(log_mels, snip_edges):
    config = EncoderConfig(kind="conv", channels=[2] * 4, embed_dim=4)
    known = log_mels(16)
    fbank = FbankConfig(num_mel_bins=16, snip_edges=snip_edges)
    features = FeaturesFacts(known.name, known.kind, 16, 10.0, asdict(fbank))
    found = explanations.on_the_time_axis(
        torch.full((3,), 1 / 3), build_encoder(config, known), features, 1.0
    )
    # Kaldi's: a frame's centre is half a frame, or else half a shift, behind its beginning
    centres = np.arange(48) * 0.01 + (0.02 if snip_edges else 0.005)
    assert found.centres == pytest.approx(centres.reshape(3, 16).mean(1))


def test_attention_of_published_pooling_is_clamped():
    own = pooling.AttentionPooling(3, 4)
    x = 100 * torch.randn(1, 3, 20)
    weights = explanations.attention_weights(own, own.score(x))
    with torch.no_grad():
        own.value.weight.zero_()
        own.value.bias.fill_(50)  # a sigmoid of 1, so that the pooled value is the sum of weights
    assert weights.sum().item() == pytest.approx(own(x).mean().item(), abs=1e-5)
    expected = own.score(x).clamp(-10, 10).softmax(2).mean(1)
    assert torch.allclose(weights, expected)


def test_a_network_of_fixed_input_attends_to_what_it_hears(tmp_path, page_of):
    write_tiny(tmp_path / "fixed", mode="fixed")
    recognizer = Recognizer.load(tmp_path / "fixed")
    found = explain(recognizer, sound(3.0), RATE)
    assert found.heard_seconds == 2.0
    assert found.attention.centres[-1] == pytest.approx(1.93)
    assert "no more than the first 2 s" in page_of(sound(3.0), recognizer=recognizer).text
    short = explain(recognizer, sound(0.5), RATE)  # of which the network hears a repetition
    assert short.attention.centres[-1] == pytest.approx(0.49)
    assert short.attention.weights.mean() == pytest.approx(1)


def test_a_model_without_attention_has_no_such_picture(tiny_folder, page_of):
    class Mean(nn.Module):
        def forward(self, x, mask=None):
            return torch.cat([x.mean(2), x.std(2)], 1)

    recognizer = Recognizer.load(tiny_folder)
    recognizer.parts["none"].system.encoder.pooling = Mean()
    assert explain(recognizer, sound(), RATE).attention is None
    assert ATTENTION not in page_of(sound(), recognizer=recognizer).text


def test_a_map_is_drawn_if_the_bundle_has_training_utterances(tiny_folder, page_of):
    recognizer = Recognizer.load(tiny_folder)
    samples = sound()
    e = recognizer(samples, RATE).embeddings["e"]
    axes = np.eye(2, 8)
    # the recording is in the middle of four utterances, which fill the map
    points = [[*(e[:2] + np.array(step)), 1] for step in ([-1, 0], [1, 0], [0, 1], [0, -1])]
    drawn = {"embedding": "e", "mean": [0.0] * 8, "axes": axes.tolist(), "points": points}
    recognizer.bundle = replace(
        recognizer.bundle, facts={**recognizer.bundle.facts, "training_map": {"none": drawn}}
    )
    page = page_of(samples, recognizer=recognizer)
    assert MAP in page.text
    dots = [[float(dot["cx"]), float(dot["cy"])] for dot in page.all("circle")]
    assert np.allclose(dots, [(140, 200), (460, 200), (300, 40), (300, 360)])
    [here] = [path for path in page.all("path") if path.get("class") == "here"]
    assert here["d"].startswith("M300.0,189.0")


def test_a_page_of_ten_seconds_is_light(page_of):
    assert len(page_of(sound(10.0)).content) < 3_000_000


def test_import_is_light():
    code = "import sys, dsnet.report.explain; print('lhotse' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
