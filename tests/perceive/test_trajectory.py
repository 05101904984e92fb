from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from video2policy import mesh as meshes
from video2policy import pose
from video2policy.camera import Camera, intrinsics, rotation_from_pitch
from video2policy.mesh import Solid
from video2policy.perceive.silhouette import Outline, directions, support
from video2policy.perceive.trajectory import Node, Problem, Tracks, refine

SOLID = Solid("box", (0.09, 0.06, 0.05))
VIEW = Camera(intrinsics(640, 480, fov=45)[0], 640, 480, rotation_from_pitch(35), 0.4)


def lifted(steps: int, height: float, yaw: float) -> np.ndarray:
    """True poses (steps + 2, 4, 4): at rest, carried up and to the left in an arc, at rest again."""
    x, y, _ = VIEW.on_plane([[330, 250]])[0]
    share = np.linspace(0, 1, steps + 2)
    return np.stack(
        [
            VIEW.camera_from_table
            @ pose.transform(
                pose.rotation_about([0, 0, 1], yaw * s),
                [x - 0.05 * s, y + 0.1 * s, 0.025 + height * np.sin(np.pi * s)],
            )
            for s in share
        ]
    )


def seen(camera_from_object: np.ndarray, free: np.ndarray | None = None) -> Outline:
    pixels = meshes.project(SOLID.corners(), VIEW.K, camera_from_object)
    along = directions()
    known = np.ones(len(along), bool) if free is None else free
    return Outline(along, support(pixels, along), known, meshes.diameter(pixels), pixels.mean(axis=0))


def features(poses: np.ndarray, reach: int) -> Tracks:
    """Points on the box's top, first seen in a node and again in the next ones, exactly."""
    x, y = (part.ravel() for part in np.meshgrid([-0.03, -0.01, 0.02, 0.04], [-0.02, 0.0, 0.025]))
    points = np.column_stack([x, y, np.full(len(x), 0.025)])
    start, ray, track, node, pixel = [], [], [], [], []
    for k in range(0, len(poses), reach):
        at = pose.apply(poses[k], points)
        first = len(start)
        start += [k] * len(points)
        ray += list(at / at[:, 2:])
        for later in range(k + 1, min(k + reach + 1, len(poses))):
            track += list(range(first, first + len(points)))
            node += [later] * len(points)
            pixel += list(meshes.project(points, VIEW.K, poses[later]))
    normal = np.tile([0, 0, 1.0], (len(start), 1))
    return Tracks(
        np.array(start),
        np.array(ray),
        normal,
        np.full(len(start), 0.025),
        np.array(track),
        np.array(node),
        np.array(pixel),
    )


def problem(poses: np.ndarray, tracks: Tracks, outlines: list[Outline | None]) -> Problem:
    n = len(poses)
    upright = VIEW.rotation @ poses[0][:3, :3]
    nodes = [
        Node(0, 4, outlines[0], upright[2]),
        *(Node(4 + k, 4 + k, outlines[k], None) for k in range(1, n - 1)),
        Node(n + 3, n + 6, outlines[-1], upright[2]),
    ]
    fixed = np.arange(n) == 0
    sigmas = np.ones((n, 2))
    return Problem(VIEW, SOLID.corners(), upright, nodes, fixed, sigmas, tracks, 0.0007, 0.03, 40)


def astray(poses: np.ndarray, seed: int, share: float = 0.08) -> np.ndarray:
    """The carried poses, moved away from the camera and turned a little."""
    rng = np.random.default_rng(seed)
    result = poses.copy()
    for k in range(1, len(poses) - 1):
        result[k, :3, 3] *= 1 + share
        result[k, :3, :3] = pose.rotation_from_vector(rng.normal(0, 0.05, 3)) @ poses[k, :3, :3]
    return result


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.integers(4, 10), st.floats(0.02, 0.15), st.floats(-40, 40), st.integers(0, 9))
def test_exact_measurements_give_the_true_poses(steps, height, yaw, seed):
    poses = lifted(steps, height, yaw)
    known = problem(poses, features(poses, 3), [seen(matrix) for matrix in poses])
    found = refine(known, astray(poses, seed))
    np.testing.assert_array_equal(found[0], poses[0])
    assert np.linalg.norm(found[:, :3, 3] - poses[:, :3, 3], axis=1).max() < 0.006
    assert max(pose.rotation_difference(a, b) for a, b in zip(found, poses, strict=True)) < 4


def test_features_alone_hold_the_distance_between_two_rests():
    """No outline while it is carried: what is known at both ends and the features link all frames."""
    poses = lifted(8, 0.1, 20)
    outlines = [seen(poses[0]), *[None] * 8, seen(poses[-1])]
    found = refine(problem(poses, features(poses, 3), outlines), astray(poses, 1))
    assert np.linalg.norm(found[:, :3, 3] - poses[:, :3, 3], axis=1).max() < 0.01


def test_what_it_rests_in_tells_how_far_away_it_is():
    """In the end a rim hides so much that its outline tells nothing; inertia alone has it elsewhere."""
    poses = lifted(6, 0.1, 20)
    known = problem(poses, Tracks.none(), [*(seen(matrix) for matrix in poses[:-1]), None])
    known.nodes[-1] = replace(known.nodes[-1], level=None)

    def end() -> float:
        return float((VIEW.table_from_camera @ refine(known, poses)[-1])[0, 3])

    free = end()
    known.nodes[-1] = replace(known.nodes[-1], ahead=(free + 0.1, 0.04))
    assert end() == pytest.approx(free + 0.1, abs=0.02)


def test_a_hand_that_hides_one_side_shifts_it_little():
    poses = lifted(8, 0.1, 20)
    outlines = [seen(matrix) for matrix in poses]
    for k in range(3, 7):
        cut = outlines[k].reach.copy()
        cut[:8] -= 25  # nobody knows that something hides it
        outlines[k] = replace(outlines[k], reach=cut)
    found = refine(problem(poses, features(poses, 3), outlines), poses)
    assert np.linalg.norm(found[:, :3, 3] - poses[:, :3, 3], axis=1).max() < 0.012


def test_nothing_sinks_into_the_table():
    poses = lifted(6, 0.0, 0)
    low = poses.copy()
    up = VIEW.rotation[2]
    low[1:-1, :3, 3] -= 0.03 * up
    found = refine(problem(poses, Tracks.none(), [seen(poses[0]), *[None] * 6, seen(poses[-1])]), low)
    heights = [(pose.apply(matrix, SOLID.corners()) @ up + VIEW.altitude).min() for matrix in found]
    assert min(heights) > -0.004 and heights[-1] == pytest.approx(0, abs=0.001)
