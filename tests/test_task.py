"""Task configs that do not fit together are refused with what to choose instead."""

import pytest

from dsnet.task import FoldConfig, ReferenceConfig, TaskConfig

FITTING = {"classes": ["x", "y"], "label_map": {"X": "x", "Y": "y"}}


def test_what_fits_passes():
    for config in (
        TaskConfig(**FITTING),
        FoldConfig(),
        FoldConfig(validation="paired_speaker"),
        FoldConfig("speaker_groups", "next_group", 3),
        FoldConfig("leave_one_session_out", "next_session"),
        ReferenceConfig(),
    ):
        config.check()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (FoldConfig("leave_one_out"), "allowed: leave_one_speaker_out"),
        (FoldConfig(validation="next_group"), "choose next_speaker or paired_speaker"),
        (FoldConfig("leave_one_session_out"), "choose next_session"),
        (FoldConfig("speaker_groups", "next_group"), "3 or more .* found 0"),
        (FoldConfig("speaker_groups", "next_group", 2), "3 or more .* found 2"),
        (FoldConfig(repeated_text="drop"), "allowed: keep, leave_out"),
        (FoldConfig(num_groups=3), "left out otherwise; found 3"),
        (ReferenceConfig(policy="best"), "allowed: first, random, longest, same_text"),
        (ReferenceConfig(if_missing="skip"), "allowed: error, all_utterances, drop_speaker"),
        (ReferenceConfig(count=0), "1 or more, found 0"),
        (ReferenceConfig(seed=-1), "0 or more, found -1"),
        (TaskConfig(["x"], {"X": "x"}), "two or more different names"),
        (TaskConfig(["x", "y z"], {"X": "x", "Y": "y z"}), "without white space"),
        (TaskConfig(["x", "y"], {"X": "x", "Y": "z"}), r"leads to \['z'\]"),
        (TaskConfig(["x", "y"], {"X": "x"}), r"leads to \['y'\]"),
        (TaskConfig(**FITTING, only={"condition": []}), "only: condition lists no value"),
        (TaskConfig(**FITTING, ignored_labels=["X"]), r"\['X'\] stand in label_map and in"),
    ],
)
def test_what_does_not_fit_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        config.check()
