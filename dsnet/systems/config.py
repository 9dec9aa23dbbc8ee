"""The config of a system: its features, network, losses, augmentation and training.

The defaults are the published set-up; keys that a YAML file leaves out keep them.
"""

from dataclasses import dataclass, field

from dsnet.models.augment import AugmentConfig
from dsnet.models.encoder import EncoderConfig

SOURCES = ("none", "neutral", "any", "all")
NORMALISE = ("shift", "shift_and_scale")


def off_or_above(config: object, section: str, names: str) -> None:
    """Raise ValueError for a key of a section that is negative; 0 stands for off."""
    for name in names.split():
        found = getattr(config, name)
        if found < 0:
            raise ValueError(f"{section}.{name} must be 0 (off) or above, found {found:g}")


@dataclass
class EnrolmentConfig:
    """What a system is given of a speaker beside the utterance, and what its input owes to that.

    source none (published); neutral: neutral utterances of the speaker, those that stage 2 lists as
    references first; any: utterances of whatever emotion, unlabelled, drawn by their ids; all:
    everything that the speaker says in the task, without its labels (for a test speaker that is the
    test audio: transductive). What is given of a test speaker is not scored, but for all.

    count: of utterances, at validation and test. In training a network is given others of the
    speaker than the utterance, 1 to 2 `count` - 1 that are drawn anew each time; a linear system
    the first `count` neutral ones, or, of any, all others that the training part has.

    normalise: every dimension of the features is shifted, and scaled, so that the enrolment has the
    mean (and deviation) of an average voice.
    shrink: by as much of the way as so many utterances can be believed; see models/voice.py.
    """

    source: str = "none"
    count: int = 3
    normalise: str = "shift_and_scale"
    shrink: bool = True

    def check(self) -> None:
        for name, allowed in (("source", SOURCES), ("normalise", NORMALISE)):
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(f"enrolment.{name} is '{value}'; allowed: {', '.join(allowed)}")
        if self.count < 1:
            raise ValueError(f"enrolment.count must be 1 or more, found {self.count}")


@dataclass
class InputConfig:
    """How much of an utterance a network is fed with.

    fixed (published): always `max_seconds`: longer utterances are cut, shorter ones repeated.
    variable: utterances keep their length, batches are padded and masked; in training longer ones
    are cropped at random to `max_seconds`.
    crop: in training always `max_seconds`, cropped at random or repeated; otherwise whole.
    """

    mode: str = "fixed"
    max_seconds: float = 6.0

    def check(self) -> None:
        if self.mode not in ("fixed", "variable", "crop"):
            raise ValueError(f"input.mode is '{self.mode}'; allowed: fixed, variable, crop")
        if self.max_seconds <= 0:
            raise ValueError(f"input.max_seconds must be above 0, found {self.max_seconds:g}")


@dataclass
class LossConfig:
    """Weights of the losses beside the cross entropy; a system refuses changes of another's.

    similarity, difference, reconstruction, alpha: dsnet, whose classifier sees alpha * s + e.
    adversary: dat and dat_transductive, of the reversed gradient; menan, of the encoder's term.
    guard: isnet, of the cross entropy that keeps the reference encoder from collapsing.
    label_smoothing: of every network's cross entropy.
    balance: of every network's cross entropy: while training, a class's logit is raised by so many
        times the logarithm of the class's share of the training utterances. At 1 what is learned is
        how much likelier a class is than by its share, so that decisions do for UAR what they
        otherwise do for WAR, and posteriors are those of classes that are equally frequent (logit
        adjustment: Menon et al. 2021, arXiv 2007.07314).
    """

    similarity: float = 1.0
    difference: float = 1.0
    reconstruction: float = 1.0
    alpha: float = 0.0
    adversary: float = 1.0
    guard: float = 1.0
    label_smoothing: float = 0.0
    balance: float = 0.0

    def check(self) -> None:
        off_or_above(self, "losses", "similarity difference reconstruction adversary guard")
        if not 0 <= self.label_smoothing < 1:
            found = self.label_smoothing
            raise ValueError(f"losses.label_smoothing must lie in [0, 1), found {found:g}")
        if not 0 <= self.balance <= 1:
            raise ValueError(f"losses.balance must be between 0 and 1, found {self.balance:g}")


@dataclass
class ClassifierConfig:
    """The head of every network."""

    dropout: float = 0.5

    def check(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ValueError(f"classifier.dropout must lie in [0, 1), found {self.dropout:g}")


@dataclass
class LinearConfig:
    """kinds svm, logistic: C is chosen among `c_values`, by training speakers left out."""

    c_values: list[float] = field(default_factory=lambda: [1e-6, 1e-5, 1e-4, 1e-3, 1e-2])

    def check(self) -> None:
        if not self.c_values or min(self.c_values) <= 0:
            raise ValueError(f"linear.c_values must be numbers above 0, found {self.c_values}")


@dataclass
class TrainConfig:
    """Optimiser, schedule and selection of a network.

    schedule plateau: learning rate x0.1 after `patience` epochs without a better validation UAR;
    one_cycle: rises for the first `warmup` share of the steps, then falls, both along a cosine,
    while Adam's first beta goes the other way (0.95, 0.85, 0.95), as torch's OneCycleLR does.
    select best: the epoch of the best validation UAR; last: the last epoch.
    weight_decay spares biases and norms.
    mixed_precision: on a GPU convolutions and products are of bfloat16, and what lies between;
    weights, statistics of batch norms, softmaxes and losses are of float32.
    bfloat16_on_cpu: the same on a CPU; slower than float32 on one without AVX512-BF16 or AMX.
    """

    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    max_grad_norm: float = 0.0  # 0: no clipping
    batch_size: int = 32
    max_epochs: int = 80
    schedule: str = "plateau"
    patience: int = 15
    warmup: float = 0.3
    stop_after: int = 20  # epochs without a better validation UAR; 0: never
    select: str = "best"
    mixed_precision: bool = True
    bfloat16_on_cpu: bool = False

    def check(self) -> None:
        allowed = {
            "optimizer": ("adam", "adamw"),
            "schedule": ("plateau", "one_cycle", "constant"),
            "select": ("best", "last"),
        }
        for name, values in allowed.items():
            value = getattr(self, name)
            if value not in values:
                raise ValueError(f"train.{name} is '{value}'; allowed: {', '.join(values)}")
        if self.batch_size < 3:
            raise ValueError(
                f"train.batch_size must be 3 or more, found {self.batch_size}: an odd number of "
                "utterances would leave one alone, which batch norm cannot take"
            )
        if self.max_epochs < 1:
            raise ValueError("train.max_epochs must be 1 or more")
        if self.learning_rate <= 0:
            raise ValueError("train.learning_rate must be above 0")
        off_or_above(self, "train", "weight_decay max_grad_norm stop_after")
        if self.patience < 1:
            raise ValueError(f"train.patience must be 1 or more epochs, found {self.patience}")
        if not 0 < self.warmup < 1:
            found = self.warmup
            raise ValueError(f"train.warmup must be a share between 0 and 1, found {found:g}")


@dataclass
class SystemConfig:
    """One system: `kind` is a key of dsnet.systems.SYSTEMS.

    features: conf/features/<name>.yaml, what it is fed with.
    control: the system it is compared with, which differs in what is to be judged; empty: none.
    """

    kind: str = "dsnet"
    features: str = "fbank"
    control: str = ""
    enrolment: EnrolmentConfig = field(default_factory=EnrolmentConfig)
    input: InputConfig = field(default_factory=InputConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    classifier: ClassifierConfig = field(default_factory=ClassifierConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    linear: LinearConfig = field(default_factory=LinearConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def check(self) -> None:
        if self.augment.mixup and self.input.mode == "variable":
            raise ValueError("augment.mixup needs utterances of equal length: input.mode crop")
        if self.augment.time_masks and self.augment.max_masked_seconds > self.input.max_seconds:
            raise ValueError("augment.max_masked_seconds must not be above input.max_seconds")
