"""What probes ask of the utterances of a fold: sex, text and emotion.

A probe is trained on the network's training speakers and judged on held-out ones (validation and
test). For sex and emotion no text is on both sides of a split.

Texts are kept apart since a text can give away what is asked for: lines of a script belong to a
role, so to a sex, and to an emotion. An utterance without text counts as one that nobody else says.

The network was trained on the utterances of the training speakers: their emotions lie further apart
in its embeddings than those of held-out speakers. A probe that learns from them meets embeddings
that look different, so sex, text and emotion of held-out speakers may be easier to read than it
says; it says what carries over to a new voice.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dsnet.folds.references import read_fields
from dsnet.folds.task_data import TaskData
from dsnet.folds.texts import text_key
from dsnet.probes.classifiers import Question, Rows, pose

TARGETS = ("sex", "text", "emotion")
MAX_TEXTS = 20  # of the hundreds of lines of a script, each said by few, so many are asked for


@dataclass(frozen=True)
class Labels:
    """Of each utterance of a task; sex and text where they are known."""

    speaker: Mapping[str, str]
    sex: Mapping[str, str]
    text: Mapping[str, str]
    emotion: Mapping[str, str]

    @classmethod
    def read(cls, task: TaskData) -> "Labels":
        """Read what stage 2 wrote.

        Raises:
            FoldError: utt2text or spk2gender is missing.
        """
        texts, sexes = (
            {fields[0]: " ".join(fields[1:]) for _, fields in read_fields(task.task_dir / name)}
            for name in ("utt2text", "spk2gender")
        )
        return cls(
            speaker=task.utt2spk,
            sex={utt: sexes[spk] for utt, spk in task.utt2spk.items() if spk in sexes},
            text={utt: key for utt, text in texts.items() if (key := text_key(text))},
            emotion=task.utt2emo,
        )


def pose_all(
    trained: Sequence[str], held_out: Sequence[str], labels: Labels
) -> dict[str, Question | None]:
    """Return a question for each target, None for one that cannot be asked; see above.

    Args:
        trained: utterances that the network was trained on.
        held_out: utterances of other speakers.
        labels: of all of them.
    """

    def rows(utt_ids: Sequence[str], label: Mapping[str, str]) -> Rows:
        return Rows([label.get(utt) for utt in utt_ids], text_groups(utt_ids, labels))

    asked = _frequent_texts(trained, held_out, labels.text)
    known = {utt: text for utt, text in labels.text.items() if text in asked}
    # To tell texts apart one must have heard them: no groups but the utterances themselves.
    texts = [Rows([known.get(utt) for utt in utts], utts) for utts in (trained, held_out)]
    return {
        "sex": pose(rows(trained, labels.sex), rows(held_out, labels.sex)),
        "text": pose(*texts),
        "emotion": pose(rows(trained, labels.emotion), rows(held_out, labels.emotion)),
    }


def text_groups(utt_ids: Sequence[str], labels: Labels) -> list[str]:
    """Return a name of each utterance's text; one without text says what nobody else says."""
    return [f"text {labels.text[u]}" if u in labels.text else f"utt {u}" for u in utt_ids]


def _frequent_texts(
    trained: Sequence[str], held_out: Sequence[str], texts: Mapping[str, str]
) -> set[str]:
    """Return the MAX_TEXTS texts on both sides that the training speakers say most often."""
    counts = Counter(texts[utt] for utt in trained if utt in texts)
    both = {texts[utt] for utt in held_out if utt in texts} & set(counts)
    return set(sorted(both, key=lambda text: (-counts[text], text))[:MAX_TEXTS])
