"""The camera of rendered boards is found again."""

from __future__ import annotations

import json
import sys

import cv2
import numpy as np
import pytest

from video2policy.policy import calibrate
from video2policy.policy.calibrate import CalibrationError, board

K = np.array([[620.0, 0, 330], [0, 615.0, 235], [0, 0, 1]])
SQUARE, MARKER, SHAPE = 0.03, 0.022, (7, 5)


def view(turn: list[float], place: list[float]) -> np.ndarray:
    """The board as the camera sees it, turned by a rotation vector and moved, 640 x 480."""
    scale = 40
    flat = board(*SHAPE, SQUARE, MARKER).generateImage((SHAPE[0] * scale, SHAPE[1] * scale))
    rotation = cv2.Rodrigues(np.array(turn))[0]
    plane = np.column_stack([rotation[:, :2], place])
    # OpenCV's pixel centres are at whole numbers, the drawing's at halves.
    pixels = np.diag([SQUARE / scale, SQUARE / scale, 1.0]) @ np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    picture = cv2.warpPerspective(flat, K @ plane @ pixels, (640, 480), flags=cv2.INTER_AREA, borderValue=127)
    noise = np.random.default_rng(0).normal(0, 3, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def pictures():
    turns = [
        [0.0, 0.0, 0.0],
        [0.5, 0.0, 0.1],
        [-0.5, 0.1, 0.0],
        [0.0, 0.6, 0.2],
        [0.1, -0.6, 0.0],
        [0.4, 0.4, 0],
    ]
    places = [[-0.1, -0.07, 0.35], [-0.12, -0.05, 0.4], [-0.1, -0.08, 0.45], [-0.08, -0.06, 0.4]]
    return [(f"{i}.png", view(turn, places[i % 4])) for i, turn in enumerate(turns)]


def test_the_camera_is_found_again(pictures):
    found = calibrate.calibrate(pictures, board(*SHAPE, SQUARE, MARKER))
    assert found.error < 0.5 and len(found.per_picture) == 6
    np.testing.assert_allclose(found.K, K, atol=8)
    first = np.array(found.camera_from_board[0])
    np.testing.assert_allclose(first[:3, 3], [-0.1, -0.07, 0.35], atol=0.008)


def test_the_command_shows_the_error_of_every_picture(pictures, tmp_path, monkeypatch, capsys):
    paths = [tmp_path / name for name, _ in pictures]
    for path, (_, picture) in zip(paths, pictures, strict=True):
        cv2.imwrite(str(path), picture)
    options = ["--square", "0.03", "--marker", "0.022", "--output", str(tmp_path / "camera.json")]
    monkeypatch.setattr(sys, "argv", ["calibrate", *map(str, paths), *options])
    calibrate.main()
    told = capsys.readouterr().out
    assert f"{tmp_path}/5.png: 0." in told and "(good)" in told
    assert json.loads((tmp_path / "camera.json").read_text())["width"] == 640
    for output in (tmp_path / "absent" / "camera.json", tmp_path):
        monkeypatch.setattr(sys, "argv", ["calibrate", "absent.png", *options[:-1], str(output)])
        with pytest.raises(SystemExit, match="a file in a folder that there is"):
            calibrate.main()


def test_pictures_that_are_too_alike_are_refused(pictures):
    of = board(*SHAPE, SQUARE, MARKER)
    frontal = [(f"{i}.png", view([0.0, 0.0, 0.3 * i], [-0.1, -0.07, 0.35 + 0.02 * i])) for i in range(4)]
    with pytest.raises(CalibrationError, match=r"too alike: the board turns by [0-4] degrees"):
        calibrate.calibrate(frontal, of)
    with pytest.raises(CalibrationError, match="found in 1 of 1 different pictures"):
        calibrate.calibrate(pictures[:1] * 4, of)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((3, 3, 0.03, 0.022), "3 x 3 squares give 4 and 4"),
        ((3, 5, 0.03, 0.022), "3 x 5 squares give 8 and 7"),
        ((40, 30, 0.03, 0.022), "40 x 30 squares give 1131 and 600"),
        ((7, 5, float("inf"), 0.022), "these are inf and 0.022 m"),
        ((7, 5, 30.0, 22.0), "these are 30 and 22 m"),
    ],
)
def test_what_is_no_board_is_refused(values, reason):
    with pytest.raises(CalibrationError, match=reason):
        board(*values)


def test_what_shows_no_board_is_refused(pictures):
    of = board(*SHAPE, SQUARE, MARKER)
    grey = np.full((480, 640), 127, np.uint8)
    with pytest.raises(CalibrationError, match="found in 2 of 3 different pictures"):
        calibrate.calibrate([*pictures[:2], ("grey", grey), ("grey again", grey)], of)
    with pytest.raises(CalibrationError, match="one size"):
        calibrate.calibrate([("a", grey), ("b", grey[:100])], of)
    with pytest.raises(CalibrationError, match="smaller than their squares"):
        board(7, 5, 0.02, 0.03)
