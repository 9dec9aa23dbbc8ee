"""Exported models say in onnxruntime what the Recognizer says, and features are torchaudio's."""

import json
import os
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_bundles import CLASSES, sound
from torchaudio.compliance import kaldi

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

from dsnet.__main__ import main  # noqa: E402  # what is above may skip the file
from dsnet.corpus.sound import read_samples  # noqa: E402
from dsnet.errors import BundleError, FeatureError  # noqa: E402
from dsnet.features.fbank import Fbank, FbankConfig, compute_fbank  # noqa: E402
from dsnet.features.resample import rate_at, resample  # noqa: E402
from dsnet.models.encoder import EncoderConfig  # noqa: E402
from dsnet.recognizer import onnx  # noqa: E402
from dsnet.recognizer.bundle import FeaturesFacts, Member, read_bundle, write_bundle  # noqa: E402
from dsnet.recognizer.recognizer import Recognizer  # noqa: E402
from dsnet.systems import build_system  # noqa: E402
from dsnet.systems.config import EnrolmentConfig, InputConfig, SystemConfig  # noqa: E402

BINS = 20
ENCODERS = {
    "compact": EncoderConfig("compact", [3, 4, 5, 6], embed_dim=8),
    "conv": EncoderConfig("conv", [3, 4, 5, 6], kernel_size=3, embed_dim=8),
}
FBANKS = {
    "default": FbankConfig(num_mel_bins=BINS),
    "snip": FbankConfig(
        sampling_rate=8000, high_freq_hz=0, num_mel_bins=BINS, snip_edges=True, window="povey"
    ),
    "speeds": FbankConfig(num_mel_bins=BINS, speeds=[1.1]),
    "odd": FbankConfig(  # 551 samples a frame
        sampling_rate=22050, frame_length_ms=25, frame_shift_ms=20, num_mel_bins=BINS
    ),
}
EXPORTED = {  # kind, encoder, input, given, normalise, features
    "base": ("base", "compact", "crop", "none", "shift", "default"),
    "matched": ("base_matched", "conv", "fixed", "neutral", "shift", "odd"),
    "dsnet": ("dsnet", "conv", "variable", "none", "shift", "snip"),
    "plus": ("dsnet_plus", "compact", "crop", "any", "shift_and_scale", "default"),
    "speeds": ("base_matched", "compact", "crop", "any", "shift_and_scale", "speeds"),
}


def write_model(folder, kind, encoder, mode, given, normalise, fbank):
    """Write a bundle of one member, of random weights."""
    torch.manual_seed(0)
    features = Fbank("fbank", FBANKS[fbank])
    config = SystemConfig(
        kind=kind,
        encoder=ENCODERS[encoder],
        enrolment=EnrolmentConfig(given, normalise=normalise),
        input=InputConfig(mode, max_seconds=2.0),
    )
    system = build_system(config, features, len(CLASSES), 2)
    for module in system.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0  # statistics of one batch
    sounds = [torch.from_numpy(sound(2, seed, features.sampling_rate)) for seed in range(8)]
    feats = torch.stack([features(one) for one in sounds])
    with torch.no_grad():
        system.train()(feats)
        logits = system.eval()(feats).logits
        system.classifier[-1].bias -= logits.mean(0)  # so that every class is somewhere the answer
    voice = {
        "mean": feats.mean((0, 1)).double(),
        "log_deviation": feats.std((0, 1)).log().double(),
        "mean_noise": torch.rand(BINS, dtype=torch.double),
        "deviation_noise": torch.rand(BINS, dtype=torch.double),
    }
    member = Member(
        config,
        2,
        float(logits.std(0).mean()),
        {},
        system.state_dict(),
        {} if given == "none" else voice,
    )
    write_bundle(
        folder,
        "tiny",
        CLASSES,
        FeaturesFacts("fbank", "fbank", BINS, features.frame_shift_ms, asdict(features.config)),
        {given: member},
        within=torch.ones(BINS, dtype=torch.double),
        usual_distance=3.0,
        facts={},
        card="# tiny\n\nNobody may use it.",
    )
    return folder


def open_session(path):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return a function from a key of EXPORTED to its recognizer, session and file."""
    top, found = tmp_path_factory.mktemp("exported"), {}

    def get(name):
        if name not in found:
            folder = write_model(top / name, *EXPORTED[name])
            recognizer, path = Recognizer.load(folder), top / f"{name}.onnx"
            assert onnx.export_onnx(recognizer, EXPORTED[name][3], path) < onnx.TOLERANCE
            found[name] = recognizer, open_session(path), path
        return found[name]

    return get


def judged(recognizer, sounds, speaker=None):
    results = recognizer.judge(list(sounds), recognizer.sampling_rate, speaker)
    return np.array([list(result.scores.values()) for result in results])


def enrol(recognizer, given, seeds):
    rate = recognizer.sampling_rate
    return recognizer.enrol("anna", [(sound(1.2, seed, rate), rate) for seed in seeds], given)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"snip_edges": True},
        {"window": "povey", "frame_length_ms": 25.0},
        {"window": "hanning", "frame_length_ms": 10.0},  # frames that do not overlap
        {"window": "blackman", "remove_dc": False, "preemphasis": 0.0},
        {"window": "rectangular", "use_power": False},
        {"use_log": False},
        {"num_mel_bins": 23, "low_freq_hz": 100.0, "high_freq_hz": 7600.0},
        {"sampling_rate": 8000, "high_freq_hz": 0.0, "snip_edges": True},
        {"sampling_rate": 22050, "frame_length_ms": 25.0, "frame_shift_ms": 20.0},  # 551 samples
        {"sampling_rate": 44100, "high_freq_hz": 8000.0, "frame_length_ms": 33.3},
    ],
    ids=str,
)
def test_log_mels_are_torchaudios(changes):
    """In float32 the weakest bins are noise, so both are held against torchaudio in float64."""
    config = replace(FbankConfig(num_mel_bins=40), **changes)
    config.check()
    module = onnx.GraphFbank(config)
    width, shift = config.window_samples, config.shift_samples
    ours, theirs = [], []
    for size in (*range(width, width + 2 * shift, 37), 4003, 16079, 16080, 48123):
        samples = torch.from_numpy(np.stack([sound(size / 16000, seed) for seed in (1, 2)]))
        exact = torch.stack([in_float64(one, config) for one in samples])
        unit = torch.ones(()) if config.use_log else exact.clamp(min=1)  # without log, relative
        found = module(samples)
        assert found.shape == exact.shape and found.dtype == torch.float32
        ours.append(((found - exact) / unit).abs().flatten())
        expected = torch.stack([compute_fbank(one, config) for one in samples])
        theirs.append(((expected - exact) / unit).abs().flatten())
    ours, theirs = torch.cat(ours), torch.cat(theirs)
    assert (ours < 1e-4).float().mean() > 0.999
    assert ours.max() < max(1e-4, theirs.max())


def in_float64(samples, config):
    return kaldi.fbank(
        samples[None].double() * 32768,
        sample_frequency=float(config.sampling_rate),
        num_mel_bins=config.num_mel_bins,
        low_freq=config.low_freq_hz,
        high_freq=config.high_freq_hz,
        frame_length=config.frame_length_ms,
        frame_shift=config.frame_shift_ms,
        window_type=config.window,
        preemphasis_coefficient=config.preemphasis,
        remove_dc_offset=config.remove_dc,
        use_power=config.use_power,
        use_log_fbank=config.use_log,
        snip_edges=config.snip_edges,
    )


def test_silence_is_the_floor_of_the_logarithm():
    config = FbankConfig(num_mel_bins=BINS)
    samples = torch.zeros(1, 4000)
    assert torch.equal(onnx.GraphFbank(config)(samples)[0], compute_fbank(samples[0], config))


@pytest.mark.parametrize("mode", ["fixed", "crop"])
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("kind", ["base", "base_matched", "dsnet", "dsnet_plus"])
def test_before_export_every_kind_agrees(tmp_path, kind, encoder, mode):
    folder = write_model(tmp_path / "m", kind, encoder, mode, "none", "shift", "default")
    recognizer = Recognizer.load(folder)
    model = onnx.GraphRecognizer(recognizer, "none").eval()
    for seconds in (0.1, 1.9, 2.6):
        samples = sound(seconds)[None]
        with torch.inference_mode():
            found = model(torch.from_numpy(samples)).numpy()
        np.testing.assert_allclose(found, judged(recognizer, samples), atol=1e-5)


@pytest.mark.parametrize("name", EXPORTED)
def test_any_length_and_batch(exported, name):
    recognizer, session, _ = exported(name)
    given, rate = EXPORTED[name][3], recognizer.sampling_rate
    speaker = None if given == "none" else enrol(recognizer, given, (7, 8, 9))
    answers = []
    for number, seconds in enumerate([0.1, 0.13, 0.16, 0.171, 0.5, 1.0, 2.0, 2.005, 3.3, 12.0]):
        size = number % 3 + 1
        sounds = np.stack([sound(seconds, seed + 10 * number, rate) for seed in range(size)])
        known = {} if speaker is None else onnx.speaker_inputs([speaker] * size, recognizer.bundle)
        found = session.run(None, {"samples": sounds, **known})[0]
        assert found.dtype == np.float32 and found.shape == (size, len(CLASSES))
        np.testing.assert_allclose(found, judged(recognizer, sounds, speaker), atol=3e-5)
        answers.extend(found)
    assert np.std(answers, 0).max() > 0.05  # else any file would pass


@pytest.mark.parametrize("name", ["matched", "plus", "speeds"])
def test_each_utterance_of_a_batch_has_a_speaker(exported, name):
    recognizer, session, _ = exported(name)
    speakers = [enrol(recognizer, EXPORTED[name][3], range(n, 3 * n)) for n in (1, 4)]
    sounds = np.stack([sound(1.5, 0, recognizer.sampling_rate)] * 2)
    found = session.run(
        None, {"samples": sounds, **onnx.speaker_inputs(speakers, recognizer.bundle)}
    )[0]
    expected = [judged(recognizer, sounds[:1], speaker)[0] for speaker in speakers]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_speaker_inputs_are_means_over_clips(exported):
    recognizer, _, _ = exported("plus")
    profile = enrol(recognizer, "any", (1, 2, 3))
    values = onnx.speaker_inputs([profile], recognizer.bundle)
    measured = np.array([clip.measured for clip in profile.clips])
    np.testing.assert_allclose(values["speaker_mean"][0], measured[:, :BINS].mean(0), rtol=1e-6)
    np.testing.assert_allclose(
        values["speaker_log_deviation"][0], measured[:, BINS:].mean(0), rtol=1e-6
    )
    assert values["speaker_clips"].tolist() == [[3]]


def test_a_file_describes_itself(exported):
    recognizer, session, path = exported("plus")
    about = session.get_modelmeta()
    found = dict(about.custom_metadata_map)
    assert json.loads(found.pop("classes")) == CLASSES
    assert found == {
        "name": "tiny",
        "id": recognizer.bundle.id,
        "given": "any",
        "sampling_rate": "16000",
        "min_samples": "1600",
        "card": "# tiny\n\nNobody may use it.",
    }
    assert "speaker_log_deviation: (B, F)" in about.description
    shapes = {x.name: x.shape for x in (*session.get_inputs(), *session.get_outputs())}
    assert shapes == {
        "samples": ["batch", "num_samples"],
        "speaker_mean": ["batch", BINS],
        "speaker_log_deviation": ["batch", BINS],
        "speaker_clips": ["batch", 1],
        "probabilities": ["batch", len(CLASSES)],
    }
    assert b".py" not in path.read_bytes()  # where it was made is nobody's business
    assert sorted(p.name for p in path.parent.glob("plus*")) == ["plus", "plus.onnx"]


def test_another_model_is_told_from_the_file(exported):
    recognizer, _, path = exported("base")
    member = replace(recognizer.bundle.members["none"], temperature=0.6)
    other = Recognizer(replace(recognizer.bundle, members={"none": member}))
    assert onnx.largest_difference(recognizer, "none", path) < 1e-5
    assert onnx.largest_difference(other, "none", path) > 0.01


@pytest.fixture
def export(tmp_path, monkeypatch, capsys):
    """Return a function that runs `dsnet export OUT.onnx --model m`; status, output, errors."""
    write_model(tmp_path / "m", *EXPORTED["base"])
    monkeypatch.chdir(tmp_path)

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["dsnet", "export", *words, "--model", "m"])
        return (main(), *capsys.readouterr())

    return call


def test_a_file_that_says_something_else_is_not_written(export, exported, monkeypatch):
    _, _, stale = exported("base")
    graph = SimpleNamespace(all_nodes=list)
    program = SimpleNamespace(
        model=SimpleNamespace(metadata_props={}, graph=graph),
        save=lambda path, external_data: shutil.copy(stale, path),
    )
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: program)
    assert export("out.onnx")[0] == 0
    write_model(Path("m"), "base_matched", *EXPORTED["base"][1:])
    content = Path("out.onnx").read_bytes()
    status, out, err = export("out.onnx", "--overwrite")
    assert (status, out) == (1, "")
    assert err.startswith("dsnet export: out.onnx: not written: with none given, probabilities in")
    assert Path("out.onnx").read_bytes() == content
    assert sorted(p.name for p in Path().iterdir()) == ["m", "out.onnx"]


def test_the_terminal_shows_two_lines(export, exported, monkeypatch):
    recognizer, _, _ = exported("base")
    monkeypatch.setattr("dsnet.bin.export_onnx.export_onnx", lambda *_: 2e-7)
    assert export("out.onnx") == (
        0,
        f"out.onnx: tiny ({recognizer.bundle.id}), given none: angry, neutral, sad\n"
        "onnxruntime and the model differ by 2e-07 at most, of probabilities\n",
        "",
    )
    monkeypatch.setattr("dsnet.bin.export_onnx.export_onnx", lambda *_: None)
    assert "not compared with the model: onnxruntime is not installed" in export("out.onnx")[2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["there.onnx"], "there.onnx exists; choose another name, or give --overwrite"),
        (["m", "--overwrite"], "m is a folder; name a file"),
        (["new.onnx", "--given", "any"], "has no such member; it has: none"),
    ],
)
def test_what_cannot_be_is_said_at_once(export, words, said):
    Path("there.onnx").touch()
    status, out, err = export(*words)
    assert (status, out, said in err) == (1, "", True)


def test_features_of_encoders_are_refused(exported):
    bundle = exported("base")[0].bundle
    features = replace(bundle.features, name="hubert", kind="pretrained")
    with pytest.raises(BundleError, match=r"kind pretrained \('hubert'\); only models on log-mels"):
        onnx.check_exportable(replace(bundle, features=features), "none")


def test_a_speed_that_no_short_filter_makes_is_refused(exported):
    bundle = exported("base")[0].bundle
    config = asdict(FbankConfig("fbank", 11025, BINS, high_freq_hz=0, frame_shift_ms=40.0))
    config["speeds"] = [0.95]
    several = replace(bundle, features=replace(bundle.features, config=config))
    with pytest.raises(BundleError, match=r"hears speeds \[0\.95\] at 11025 Hz.*simpler ratio"):
        onnx.check_exportable(several, "none")


@pytest.mark.parametrize("rate", [8000, 16000, 22050])
@pytest.mark.parametrize("speed", [0.9, 1.1, 0.8])
def test_speeds_are_those_of_stage_1(rate, speed):
    module = onnx.GraphSpeed(rate, speed)
    for size in (*range(rate // 10, rate // 10 + 23), rate, 2 * rate + 7):
        samples = torch.from_numpy(sound(size / rate, size, rate))[None]
        source = rate_at(rate, speed)
        wanted = (2 * samples.shape[1] * rate + source) // (2 * source)
        expected = resample(samples[0], source, rate, wanted)
        torch.testing.assert_close(module(samples)[0], expected)


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    folder = write_model(tmp_path / "m", *EXPORTED["base"])
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(FeatureError, match=r"onnxscript.*pip install -e '\.\[onnx\]'"):
        onnx.export_onnx(Recognizer(read_bundle(folder)), "none", tmp_path / "out.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_real_speech(exported):
    folder = Path(os.environ.get("DSNET_CORPORA", "/nowhere"), "emodb", "wav")
    if not folder.is_dir():
        pytest.skip("DSNET_CORPORA is not set, or has no emodb/wav")
    recognizer, session, _ = exported("base")
    files = sorted(folder.glob("*.wav"))[::10][:50]
    assert len(files) == 50
    for path in files:
        samples = read_samples(path)[None]
        found = session.run(None, {"samples": samples})[0]
        np.testing.assert_allclose(found, judged(recognizer, samples), atol=1e-4)
