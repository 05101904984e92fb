"""The rollout video plays, shows every episode, and marks successes and failures."""

from __future__ import annotations

import av
import numpy as np
import pytest

from video2policy.evaluate.rollout import GREEN, GREY, HEADER, RED, Shot, choose, write_rollout


def frames(path) -> np.ndarray:
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def shot(shade: int, success_step: int, length: int = 20) -> Shot:
    return Shot(np.full((length, 120, 160, 3), shade, np.uint8), f"episode {shade}", success_step)


def test_the_grid_marks_success_when_it_happens_and_failure_at_the_end(tmp_path):
    write_rollout(tmp_path / "rollout.mp4", [shot(60, 12), shot(200, -1)], "lifting the cube", fps=20)
    video = frames(tmp_path / "rollout.mp4")
    assert video.shape == (40, HEADER + 120, 320, 3)  # 20 steps and a second of the last picture

    def border(step: int, panel: int) -> np.ndarray:
        return video[step, HEADER + 30 : HEADER + 90, panel * 160 + 1].mean(axis=0)

    for step, panel, colour in ((5, 0, GREY), (11, 0, GREY), (15, 0, GREEN), (5, 1, GREY), (25, 1, RED)):
        assert np.abs(border(step, panel) - colour).max() < 40, (step, panel)
    inside = video[10, HEADER + 50 : HEADER + 70]
    assert np.abs(inside[:, 70:90] - 60.0).max() < 10 and np.abs(inside[:, 230:250] - 200.0).max() < 10
    assert video[0, :HEADER].max() > 200  # the caption


def test_the_choice_shows_a_failure_where_there_is_one():
    success = np.array([True, False, True, True, False, True])
    assert choose(success, 4) == [0, 2, 3, 1]
    assert choose(np.ones(6, bool), 4) == [0, 1, 2, 3]
    assert choose(np.zeros(3, bool), 4) == [0, 1, 2]
    assert choose(np.array([True, False, False]), 3) == [0, 1, 2]


def test_episodes_that_cannot_be_shown_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no episode"):
        write_rollout(tmp_path / "rollout.mp4", [], "", 20)
    small = Shot(np.zeros((3, 60, 60, 3), np.uint8), "", -1)
    with pytest.raises(ValueError, match="different picture sizes"):
        write_rollout(tmp_path / "rollout.mp4", [small, shot(0, -1)], "", 20)


def test_long_captions_are_shortened(tmp_path):
    write_rollout(tmp_path / "rollout.mp4", [shot(60, 3)], "lifting " * 40, fps=20)
    assert frames(tmp_path / "rollout.mp4").shape[2] == 160
