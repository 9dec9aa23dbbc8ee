"""The config of a system: its input, network, losses, augmentation and training.

The defaults are the published set-up; keys that a YAML file leaves out keep them.
"""

from dataclasses import dataclass, field

from dsnet.models.augment import AugmentConfig
from dsnet.models.encoder import MIN_FRAMES, EncoderConfig


@dataclass
class InputConfig:
    """What a network is fed with.

    fixed (published): always `max_frames` frames: longer utterances are cut, shorter ones repeated.
    variable: utterances keep their length, batches are padded and masked; in training longer ones
    are cropped at random to `max_frames`.
    crop: in training always `max_frames` frames, cropped at random or repeated; otherwise whole.

    calibrate none (published), or neutral: log-mels are shifted and scaled by neutral clips of the
    same speaker, in training by 1 to 5 that are drawn anew each time, otherwise by the first
    `clips`, the references at first; an utterance never calibrates itself.
    """

    mode: str = "fixed"
    max_frames: int = 600
    calibrate: str = "none"
    clips: int = 3

    def check(self) -> None:
        if self.mode not in ("fixed", "variable", "crop"):
            raise ValueError(f"input.mode is '{self.mode}'; allowed: fixed, variable, crop")
        if self.max_frames < MIN_FRAMES:
            raise ValueError(f"input.max_frames must be {MIN_FRAMES} or more")
        if self.calibrate not in ("none", "neutral"):
            raise ValueError(f"input.calibrate is '{self.calibrate}'; allowed: none, neutral")
        if self.clips < 1:
            raise ValueError(f"input.clips must be 1 or more, found {self.clips}")


@dataclass
class LossConfig:
    """Weights of the losses beside the cross entropy; a system refuses changes of another's.

    similarity, difference, reconstruction, alpha: dsnet, whose classifier sees alpha * s + e.
    adversary: dat and dat_transductive, of the reversed gradient; menan, of the encoder's term.
    guard: isnet, of the cross entropy that keeps the reference encoder from collapsing.
    label_smoothing: of every system's cross entropy.
    """

    similarity: float = 1.0
    difference: float = 1.0
    reconstruction: float = 1.0
    alpha: float = 0.0
    adversary: float = 1.0
    guard: float = 1.0
    label_smoothing: float = 0.0


@dataclass
class ClassifierConfig:
    """The head of every system."""

    dropout: float = 0.5


@dataclass
class TrainConfig:
    """Optimiser, schedule and selection.

    schedule plateau: learning rate x0.1 after `patience` epochs without a better validation UAR;
    one_cycle: rises for the first `warmup` share of the steps, then falls, both along a cosine.
    select best: the epoch of the best validation UAR; last: the last epoch.
    weight_decay spares biases and norms.
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
    mixed_precision: bool = True  # bfloat16 on a GPU; the CPU stays in float32

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
        if self.batch_size < 2:
            raise ValueError("train.batch_size must be 2 or more (batch norm)")
        if self.max_epochs < 1:
            raise ValueError("train.max_epochs must be 1 or more")
        if self.learning_rate <= 0:
            raise ValueError("train.learning_rate must be above 0")


@dataclass
class SystemConfig:
    """One system: `kind` is a key of dsnet.systems.SYSTEMS."""

    kind: str = "dsnet"
    input: InputConfig = field(default_factory=InputConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    classifier: ClassifierConfig = field(default_factory=ClassifierConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def check(self) -> None:
        if self.augment.mixup and self.input.mode == "variable":
            raise ValueError("augment.mixup needs utterances of equal length: input.mode crop")
        if self.augment.time_masks and self.augment.max_masked_frames > self.input.max_frames:
            raise ValueError("augment.max_masked_frames must not be above input.max_frames")
