"""Calibrate the robot's camera from pictures of a ChArUco board: intrinsics and the reprojection error.

    python -m video2policy.policy.calibrate pictures/*.png --square 0.03 --marker 0.022 --output camera.json

The board's markers are AprilTags (36h11). Camera x right, y down, z forward; metres and pixels.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from video2policy.files import written

Array = npt.NDArray[np.float64]

MIN_CORNERS, MIN_PICTURES = 8, 4
GOOD = 1.0
"""Pixels of reprojection error (root mean square) up to which a calibration is worth using."""
UNSURE = 0.02
"""Standard deviation of the focal length, as a part of it, from which a calibration is refused."""
SPAN = 15.0
"""Degrees between the boards' normals that some two pictures must have: frontal ones fit any focal length."""
LONGEST_SQUARE = 1.0
"""Metres."""


class CalibrationError(ValueError):
    """The pictures do not give a calibration; one sentence."""


@dataclass(frozen=True)
class Calibration:
    """A camera.

    Attributes:
        K: (3, 3) intrinsics in pixels. distortion: OpenCV's k1 k2 p1 p2 k3. width, height: of the pictures.
        error: root mean square reprojection error in pixels. per_picture: the same for each used picture,
            by its path.
        camera_from_board: (n, 4, 4), the board in each used picture.
    """

    K: list[list[float]]
    distortion: list[float]
    width: int
    height: int
    error: float
    per_picture: dict[str, float]
    camera_from_board: list[list[list[float]]]


def board(columns: int, rows: int, square: float, marker: float) -> cv2.aruco.CharucoBoard:
    """A board of `columns` x `rows` squares; `square` and `marker` are sides in metres."""
    tags = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
    if not 0 < marker < square <= LONGEST_SQUARE:
        raise CalibrationError(
            f"squares are up to {LONGEST_SQUARE:g} m and markers smaller than their squares;"
            f" these are {square:g} and {marker:g} m"
        )
    inner, markers, most = (columns - 1) * (rows - 1), columns * rows // 2, len(tags.bytesList)
    if min(columns, rows) < 3 or inner <= MIN_CORNERS or markers > most:
        raise CalibrationError(
            f"a board needs 3 squares a side, more than {MIN_CORNERS} inner corners and at most {most}"
            f" markers; {columns} x {rows} squares give {inner} and {markers}"
        )
    return cv2.aruco.CharucoBoard((columns, rows), square, marker, tags)


def calibrate(
    pictures: Sequence[tuple[str, npt.NDArray[np.uint8]]], of: cv2.aruco.CharucoBoard
) -> Calibration:
    """The camera that took the (name, grey picture (h, w)) pairs of the board.

    Raises:
        CalibrationError: pictures of several sizes, too few that show the board, or too alike.
    """
    once = {picture.tobytes(): (name, picture) for name, picture in reversed(pictures)}
    pictures = list(reversed(once.values()))  # the same picture again tells nothing
    sizes = {picture.shape[:2] for _, picture in pictures}
    if len(sizes) != 1:
        raise CalibrationError(f"pictures of one size are needed; these have {sorted(sizes) or 'none'}")
    height, width = sizes.pop()
    detector = cv2.aruco.CharucoDetector(of)
    names: list[str] = []
    objects: list[Any] = []
    images: list[Any] = []
    for name, picture in pictures:
        corners, ids, _, _ = detector.detectBoard(picture)
        if ids is not None and len(ids) >= MIN_CORNERS:
            on_board, in_picture = cast(Any, of).matchImagePoints(corners, ids)
            names.append(name)
            objects.append(on_board)
            images.append(in_picture)
    if len(names) < MIN_PICTURES:
        raise CalibrationError(
            f"the board is found in {len(names)} of {len(pictures)} different pictures;"
            f" {MIN_PICTURES} are needed, with {MIN_CORNERS} corners each"
        )
    guess: Any = None
    error, K, distortion, turns, places, deviations, _, _ = cv2.calibrateCameraExtended(
        objects, images, (width, height), guess, guess
    )
    normals = np.array([cv2.Rodrigues(turn)[0][:, 2] for turn in turns])
    span = float(np.degrees(np.arccos(np.clip(normals @ normals.T, -1.0, 1.0).min())))
    unsure = float((deviations[:2, 0] / np.diag(K)[:2]).max())
    if not (span >= SPAN and unsure <= UNSURE):
        raise CalibrationError(
            f"the pictures are too alike: the board turns by {span:.0f} degrees between them, {SPAN:g} are"
            f" needed, and the focal length is unsure by {unsure:.1%}, {UNSURE:.0%} at most;"
            " take some from the left, the right, above and below"
        )
    errors, poses = {}, []
    for name, on_board, in_picture, turn, place in zip(names, objects, images, turns, places, strict=True):
        again, _ = cv2.projectPoints(on_board, turn, place, K, distortion)
        off = again.reshape(-1, 2) - in_picture.reshape(-1, 2)
        errors[name] = round(float(np.sqrt((off**2).sum(-1).mean())), 4)
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = cv2.Rodrigues(turn)[0], place[:, 0]
        poses.append(pose.tolist())
    return Calibration(
        K.tolist(), distortion.reshape(-1)[:5].tolist(), width, height, round(float(error), 4), errors, poses
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--columns", type=int, default=7, help="squares")
    parser.add_argument("--rows", type=int, default=5, help="squares")
    parser.add_argument("--square", type=float, required=True, help="side of a square, metres")
    parser.add_argument("--marker", type=float, required=True, help="side of a marker, metres")
    parser.add_argument("--output", type=Path, required=True, help="camera.json")
    arguments = parser.parse_args()
    if not arguments.output.parent.is_dir() or arguments.output.is_dir():
        sys.exit(f"{arguments.output} cannot be written: name a file in a folder that there is")
    pictures = []
    for path in dict.fromkeys(arguments.pictures):
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            sys.exit(f"{path} is no picture that can be read")
        pictures.append((str(path), np.asarray(picture, np.uint8)))
    try:
        of = board(arguments.columns, arguments.rows, arguments.square, arguments.marker)
        found = calibrate(pictures, of)
    except CalibrationError as error:
        sys.exit(str(error))
    try:
        with written(arguments.output) as part:
            part.write_text(json.dumps(asdict(found), indent=1) + "\n")
    except OSError as error:
        sys.exit(f"{arguments.output} cannot be written: {error.strerror}")
    for name, pixels in found.per_picture.items():
        print(f"{name}: {pixels:.3f} px")
    judged = "good" if found.error <= GOOD else f"above {GOOD} px: take more and sharper pictures"
    print(f"reprojection error {found.error:.3f} px over {len(found.per_picture)} pictures ({judged})")


if __name__ == "__main__":
    main()
