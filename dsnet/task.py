"""A task: which classes, made of which native labels, split how, with which references."""

from dataclasses import dataclass, field

PREDEFINED = "predefined"
PROTOCOLS = ("leave_one_speaker_out", "speaker_groups", "leave_one_session_out", PREDEFINED)
VALIDATIONS = ("next_speaker", "paired_speaker", "next_group", "next_session", PREDEFINED, "none")
POLICIES = ("first", "random", "longest", "same_text")
IF_MISSING = ("error", "all_utterances", "drop_speaker", "no_reference")
UNKNOWN_SPEAKERS = ("leave_out", "keep")
REPEATED_TEXT = ("keep", "leave_out")


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} is '{value}'; allowed: {', '.join(allowed)}")


@dataclass
class GateConfig:
    """Counts that the corpus must have under this task; an empty one is not checked."""

    utterances: int = 0
    by_class: dict[str, int] = field(default_factory=dict)
    by_speaker: dict[str, int] = field(default_factory=dict)


@dataclass
class FoldConfig:
    """Who is tested, who validates, who trains; speakers never cross.

    `validation` says who validates the fold that tests speaker, group or session k:
    next_speaker (k + 1 in sorted order), paired_speaker (the other speaker of the same session),
    next_group, next_session; none: nobody does, so more speakers train. That is for systems that
    choose nothing on validation speakers, and leaves their probabilities without a temperature.

    Protocol predefined is the owners' split: one fold, in which the custom field `field` of an
    utterance says where it belongs, by the values that `train`, `dev` and `test` list. Each value
    of `test` is a test set of its own in the results. Validation is predefined, too; with none,
    the values of `dev` train. Utterances with another value stop the run: leave them out by `only`.

    `repeated_text` says what happens to utterances whose text a part nearer to the test has too,
    letter case and punctuation aside: keep them (the audit counts them), or leave_out, so that
    training shares no text with validation and test, and validation none with test.
    """

    protocol: str = "leave_one_speaker_out"
    validation: str = "next_speaker"
    num_groups: int = 0  # speaker_groups: speakers sorted by sex and name, dealt in turn
    repeated_text: str = "keep"
    train: list[str] = field(default_factory=list)  # predefined, with the three below
    dev: list[str] = field(default_factory=list)
    test: list[str] = field(default_factory=list)
    field: str = ""  # comes last: hides the function of that name

    def check(self) -> None:
        _one_of("folds.protocol", self.protocol, PROTOCOLS)
        _one_of("folds.validation", self.validation, VALIDATIONS)
        _one_of("folds.repeated_text", self.repeated_text, REPEATED_TEXT)
        unit = {
            "leave_one_speaker_out": "_speaker",
            "speaker_groups": "_group",
            "leave_one_session_out": "_session",
            PREDEFINED: PREDEFINED,
        }[self.protocol]
        if not self.validation.endswith((unit, "none")):
            fitting = [v for v in VALIDATIONS if v.endswith((unit, "none"))]
            raise ValueError(
                f"folds.validation '{self.validation}' does not fit protocol '{self.protocol}'; "
                f"choose {' or '.join(fitting)}"
            )
        grouped = self.protocol == "speaker_groups"
        if (grouped and self.num_groups < self.least) or (not grouped and self.num_groups):
            raise ValueError(
                f"folds.num_groups must be {self.least} or more ({self.sides}) for protocol "
                f"speaker_groups and left out otherwise; found {self.num_groups} with "
                f"{self.protocol}"
            )
        self._check_sides()

    def _check_sides(self) -> None:
        sides = {"field": self.field, "train": self.train, "dev": self.dev, "test": self.test}
        if self.protocol != PREDEFINED:
            given = [f"folds.{name}" for name, value in sides.items() if value]
            if given:
                raise ValueError(f"{', '.join(given)}: for protocol {PREDEFINED} only")
            return
        if self.validation == "none":
            sides.pop("dev")
        empty = [f"folds.{name}" for name, value in sides.items() if not value]
        if empty:
            raise ValueError(
                f"protocol {PREDEFINED} lacks {', '.join(empty)}: folds.field names the custom "
                "field that says the side, folds.train, dev and test its values; without dev set "
                "folds.validation to none"
            )
        values = [*self.train, *self.dev, *self.test]
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise ValueError(
                f"folds.train, dev and test list {', '.join(twice)} twice; once will do"
            )

    @property
    def sides(self) -> str:
        """Say what speakers are for."""
        return "test, training" if self.validation == "none" else "test, validation, training"

    @property
    def least(self) -> int:
        """Return how many speakers, groups or sessions there must be: one for each side."""
        return len(self.sides.split(", "))


@dataclass
class ReferenceConfig:
    """The neutral utterances that stand for a speaker.

    `if_missing` says what becomes of a speaker without any: error; all_utterances, any of which
    then serves; drop_speaker, out of the task; no_reference, in it without a reference, for systems
    that need none of validation and test speakers.
    """

    native_label: str = "neutral"
    policy: str = "first"
    count: int = 3  # references a speaker (same_text: an utterance)
    seed: int = 0  # policy random only
    if_missing: str = "error"

    def check(self) -> None:
        _one_of("references.policy", self.policy, POLICIES)
        _one_of("references.if_missing", self.if_missing, IF_MISSING)
        if self.count < 1:
            raise ValueError(f"references.count must be 1 or more, found {self.count}")
        if self.seed < 0:
            raise ValueError(f"references.seed must be 0 or more, found {self.seed}")


@dataclass
class TaskConfig:
    """`classes` fixes the order of the class indices for every fold.

    Every native label of the corpus is either a key of `label_map` or in `ignored_labels`;
    another one is an error, so that no utterance goes missing unseen.

    `label_field` names the custom field of the supervisions that holds the native label, for
    corpora with several labels an utterance. `only` keeps the utterances whose custom field has one
    of the values, such as {condition: [impro]}; the others, references too, are left out, counted.

    `unknown_speakers` says what becomes of utterances of nobody known: leave_out, counted; or keep,
    with protocol predefined only, since a speaker that nobody knows may be on any side: each is a
    voice of its own, without neutral reference, and the audit counts them on every side.
    """

    classes: list[str] = field(default_factory=list)
    label_map: dict[str, str] = field(default_factory=dict)
    ignored_labels: list[str] = field(default_factory=list)
    gate: GateConfig = field(default_factory=GateConfig)
    folds: FoldConfig = field(default_factory=FoldConfig)
    references: ReferenceConfig = field(default_factory=ReferenceConfig)
    label_field: str = "emotion"
    only: dict[str, list[str]] = field(default_factory=dict)
    unknown_speakers: str = "leave_out"

    def check(self) -> None:
        _one_of("unknown_speakers", self.unknown_speakers, UNKNOWN_SPEAKERS)
        if self.unknown_speakers == "keep" and self.folds.protocol != PREDEFINED:
            raise ValueError(
                "unknown_speakers: keep is for folds.protocol predefined only: speakers that "
                f"nobody knows cannot be split by speaker; set leave_out, found protocol "
                f"{self.folds.protocol}"
            )
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes must be two or more different names, found {self.classes}")
        if any(name.split() != [name] for name in self.classes):
            raise ValueError(f"class names must be without white space, found {self.classes}")
        unknown = sorted(set(self.label_map.values()) - set(self.classes))
        if unknown:
            raise ValueError(f"label_map leads to {unknown}, not among the classes {self.classes}")
        unmapped = sorted(set(self.classes) - set(self.label_map.values()))
        if unmapped:
            raise ValueError(f"no native label in label_map leads to {unmapped}")
        both = sorted(set(self.label_map) & set(self.ignored_labels))
        if both:
            raise ValueError(f"native labels {both} stand in label_map and in ignored_labels")
        empty = sorted(name for name, values in self.only.items() if not values)
        if empty:
            raise ValueError(f"only: {empty[0]} lists no value; give some, or leave the field out")
        strange = sorted(set(self.gate.by_class) - set(self.classes))
        if strange:
            raise ValueError(f"gate.by_class names {strange}, not among the classes")
