"""What a calibrated system may be given of a speaker at inference, beside what its config says.

neutral1, neutral3, neutral5   so many neutral clips; a speaker with fewer gives what there is
unlabelled                     all other utterances of the speaker in the part, whatever their
                               emotion: no label, but the test audio itself (transductive)
own_neutral                    as many of those as the config says, which the system, calibrated
                               by all of them, takes most surely for neutral (transductive)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dsnet.folds.task_data import TaskData
from dsnet.systems import in_words

COUNTS = (1, 3, 5)


@dataclass(frozen=True)
class Enrolment:
    """Clips of each utterance's speaker, best first, of which the first `count` are used.

    `transductive`: they are of the audio that is scored.
    """

    name: str
    clips: Mapping[str, Sequence[str]]
    count: int
    side_information: str
    transductive: bool = False

    @property
    def given(self) -> set[str]:
        """Utterances that cannot be scored fairly; those of a transductive one are all scored."""
        if self.transductive:
            return set()
        return {clip for own in self.clips.values() for clip in own[: self.count]}


def neutral_clips(utt_ids: Sequence[str], task: TaskData, count: int) -> Enrolment:
    """Return the enrolment by labelled neutral clips."""
    clips = {utt: task.clips(utt) for utt in utt_ids}
    return Enrolment(f"neutral{count}", clips, count, in_words(count, "neutral clip"))


def unlabelled(utt_ids: Sequence[str], task: TaskData) -> Enrolment:
    """Return the enrolment by all other utterances of the speaker among `utt_ids`."""
    own: dict[str, list[str]] = {}
    for utt in utt_ids:
        own.setdefault(task.utt2spk[utt], []).append(utt)
    clips = {utt: [clip for clip in own[task.utt2spk[utt]] if clip != utt] for utt in utt_ids}
    most = max(map(len, clips.values()))
    what = "all unlabelled audio of the test speaker"
    return Enrolment("unlabelled", clips, most, what, transductive=True)


def own_neutral(first: Enrolment, neutral: Mapping[str, float], count: int) -> Enrolment:
    """Return the enrolment by those of `first` that look most neutral.

    Args:
        first: as returned by `unlabelled`.
        neutral: posterior of neutral speech of each utterance, under `first`.
        count: clips to use.
    """
    clips = {utt: sorted(own, key=lambda u: -neutral[u]) for utt, own in first.clips.items()}
    what = "unlabelled audio of the test speaker, of which it picks neutral clips"
    return Enrolment("own_neutral", clips, count, what, transductive=True)


def neutral_class(task: TaskData) -> int | None:
    """Return the class index of the neutral references; None if they are of no class or several."""
    found = {task.utt2emo[utt] for utt in task.reference_utterances if utt in task.utt2emo}
    return task.classes.index(found.pop()) if len(found) == 1 else None


def column(utt_ids: Sequence[str], posteriors: np.ndarray, index: int) -> dict[str, float]:
    """Return one class's posterior of each utterance: (U, K) posteriors."""
    return dict(zip(utt_ids, posteriors[:, index].tolist(), strict=True))
