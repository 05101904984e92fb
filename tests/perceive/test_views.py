import numpy as np
import pytest

from video2policy import mesh as meshes
from video2policy import pose
from video2policy.camera import Camera, intrinsics, rotation_from_pitch
from video2policy.mesh import Solid
from video2policy.perceive.silhouette import outline
from video2policy.perceive.solid import fit_solid
from video2policy.perceive.views import Sight, agree

SIZE = (0.11, 0.03, 0.05)
VIEW = Camera(intrinsics(640, 480, fov=45)[0], 640, 480, rotation_from_pitch(25), 0.35)


def sight(frame: int, yaw: float, size: tuple[float, float, float] = SIZE, shift: float = 0.0) -> Sight:
    point = VIEW.on_plane([[320, 260]])[0]
    place = pose.transform(pose.rotation_about([0, 0, 1], yaw), [point[0], point[1] + shift, size[2] / 2])
    mask = meshes.silhouette(Solid("box", size).mesh(), VIEW.K, VIEW.camera_from_table @ place, VIEW.shape)
    return Sight(frame, outline(mask), mask)


def test_a_box_that_turns_is_measured_better():
    first = sight(0, 88)  # end on: its length is foreshortened
    fit = fit_solid("box", first.seen, first.mask, VIEW)
    better, frames = agree(fit, [first, sight(5, 30, shift=0.04), sight(9, 55, shift=-0.05)], VIEW, None)
    assert frames == [0, 5]

    def error(solid):
        return np.abs(np.sort(solid.extents) / np.sort(SIZE) - 1).max()

    assert error(better.solid) < 0.1 and error(better.solid) < 0.5 * error(fit.solid)
    assert better.solid.mesh().is_watertight


@pytest.mark.parametrize("sizes", [[], [(0.05, 0.05, 0.12), (0.14, 0.06, 0.02)]])
def test_views_that_do_not_agree_or_are_missing_change_nothing(sizes):
    first = sight(0, 30)
    fit = fit_solid("box", first.seen, first.mask, VIEW)
    others = [sight(k + 1, 10, size) for k, size in enumerate(sizes)]
    assert agree(fit, [first, *others], VIEW, None) == (fit, [0])
