from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.perceive.conftest import Perceived
from video2policy import mesh as meshes
from video2policy import pose
from video2policy.camera import Camera, intrinsics, rotation_from_pitch
from video2policy.mesh import Solid
from video2policy.perceive.contact import Contact
from video2policy.perceive.foreground import in_front
from video2policy.perceive.track import (
    Tracked,
    Tracker,
    complaint,
    metric_poses,
    overlay,
    track,
)


def follow(seen: Perceived, obj: str) -> Tracked:
    result, scale = seen.shapes[obj], seen.depth_scale
    camera = seen.view.camera.scaled(scale)
    contact = seen.view.contacts[obj]
    return track(
        seen.images, seen.masks[obj], seen.others(obj), camera, contact, result.mesh, result.to_json(), scale
    )


@pytest.fixture(scope="module")
def box_track(lifted: Perceived) -> Tracked:
    return follow(lifted, "red_box")


@pytest.fixture(scope="module")
def cup_track(covered: Perceived) -> Tracked:
    return follow(covered, "orange_cup")


def errors(seen: Perceived, obj: str, found: Tracked) -> tuple[np.ndarray, np.ndarray]:
    """Millimetres and degrees per frame that has a pose; orientations count from the reference frame on."""
    truth = seen.clip.truth[f"camera_from_object_{obj}"]
    frame = seen.shapes[obj].frame
    start = found.camera_from_object[frame]
    turn = truth[frame][:3, :3].T @ start[:3, :3]
    pairs = [(a, b) for a, b in zip(found.camera_from_object, truth, strict=True) if a is not None]
    place = 1000 * np.array([np.linalg.norm(a[:3, 3] - b[:3, 3]) for a, b in pairs])
    angle = np.array([pose.rotation_difference(a[:3, :3], b[:3, :3] @ turn) for a, b in pairs])
    return place, angle


def test_a_lifted_box_is_followed_within_a_centimetre(lifted: Perceived, box_track: Tracked):
    place, angle = errors(lifted, "red_box", box_track)
    assert len(place) == len(lifted.images)
    assert np.median(place) <= 10 and np.percentile(place, 90) <= 20
    assert np.median(angle) <= 3 and angle.max() <= 10
    assert np.median(box_track.confidence) > 0.7
    assert complaint(box_track, lifted.masks["red_box"]) is None


def test_a_cup_put_down_is_followed_within_a_centimetre(covered: Perceived, cup_track: Tracked):
    place, _ = errors(covered, "orange_cup", cup_track)
    assert np.median(place) <= 10 and np.percentile(place, 90) <= 20


def test_what_happened_is_read_off_the_track(lifted: Perceived, box_track: Tracked):
    camera = lifted.view.camera.scaled(lifted.depth_scale)
    first, last = (camera.table_from_camera @ box_track.camera_from_object[t] for t in (0, -1))
    np.testing.assert_allclose(last[:3, 3] - first[:3, 3], [0, -0.02, 0.17], atol=0.025)


def test_at_rest_it_stands_on_the_table_and_does_not_move(lifted: Perceived, box_track: Tracked):
    camera = lifted.view.camera.scaled(lifted.depth_scale)
    result = lifted.shapes["red_box"]
    mesh = result.mesh.copy()
    mesh.apply_scale(result.extent * lifted.depth_scale)
    run = lifted.view.contacts["red_box"].table_runs[0]
    first = box_track.camera_from_object[run.start]
    lowest = pose.apply(camera.table_from_camera @ first, mesh.vertices)[:, 2].min()
    assert lowest == pytest.approx(0, abs=0.002)
    for t in range(run.start, run.stop):
        np.testing.assert_array_equal(box_track.camera_from_object[t], first)


def test_an_object_that_is_covered_has_no_pose_any_more(covered: Perceived):
    found = follow(covered, "yellow_ball")
    gone = covered.masks["yellow_ball"].sum(axis=(1, 2)) == 0
    assert gone.any()
    for t in np.flatnonzero(gone):
        assert found.camera_from_object[t] is None and found.confidence[t] == 0
    assert complaint(found, covered.masks["yellow_ball"]) is None, "most frames that show it have one"


def test_sizes_other_than_the_tracked_one_still_stand(lifted: Perceived, box_track: Tracked):
    camera = lifted.view.camera.scaled(lifted.depth_scale)
    result = lifted.shapes["red_box"]
    tracked = result.extent * lifted.depth_scale
    record = metric_poses(box_track, result.mesh, camera, tracked, 1.2 * tracked)
    world = np.array(record["world_from_camera"]) @ np.array(record["camera_from_object"][0])
    lowest = pose.apply(world, result.mesh.vertices * 1.2 * tracked)[:, 2].min()
    assert lowest == pytest.approx(0, abs=0.002)
    assert len(record["confidence"]) == len(lifted.images)


def still_life(texture: bool, frames: int = 8) -> tuple[Tracker, list[np.ndarray], list[np.ndarray]]:
    """A box that slides to the right, drawn by ray casting, with or without texture; and its true poses."""
    view = Camera(intrinsics(320, 240, fov=45)[0], 320, 240, rotation_from_pitch(35), 0.3)
    solid = Solid("box", (0.07, 0.07, 0.07))
    shape = solid.mesh()
    point = view.on_plane([[120, 140]])[0]
    grid = np.stack(np.meshgrid(np.arange(320) + 0.5, np.arange(240) + 0.5), axis=-1).reshape(-1, 2)
    pattern = np.random.default_rng(3).integers(40, 255, (8, 8, 8)).astype(np.uint8)
    images, masks, poses = [], [], []
    for k in range(frames):
        place = pose.transform(
            pose.rotation_about([0, 0, 1], 20 + 2 * k), [point[0], point[1] - 0.008 * k, 0.035]
        )
        camera_from_object = view.camera_from_table @ place
        points, _, hit = meshes.cast(shape, view.K, camera_from_object, grid)
        cell = np.clip(((points / 0.07 + 0.5) * 7.99).astype(int), 0, 7)
        value = np.where(hit, pattern[tuple(cell.T)] if texture else 150, 30).astype(np.uint8)
        images.append(cv2.GaussianBlur(np.repeat(value.reshape(240, 320, 1), 3, axis=2), (0, 0), 0.7))
        masks.append(hit.reshape(240, 320))
        poses.append(camera_from_object)
    stack = np.array(masks)
    return Tracker(shape, view, stack, np.zeros_like(stack), []), images, poses


def test_what_it_seems_to_stand_in():
    tracker, _, poses = still_life(texture=True, frames=2)
    named = np.zeros_like(tracker.masks)
    rows, columns = np.nonzero(tracker.masks[0])
    cup = slice(rows.min() + 20, rows.max() + 60), slice(columns.min() - 10, columns.max() + 10)
    named[0][cup] = ~tracker.masks[0][cup]
    inside = replace(tracker, named=named, raised=np.array([True, False]))
    found = inside.within(0)
    assert found is not None
    place = tracker.camera.table_from_camera @ poses[0]
    assert found[0] < place[0, 3], "the cup's foot is nearer in the picture"
    assert 0.03 < found[1] < 0.12
    assert inside.within(1) is None, "it moves"
    assert replace(inside, raised=np.array([False, False])).within(0) is None, "it stands on the table"
    named[0] = False
    named[0][:10, :10] = True
    assert replace(inside, named=named).within(0) is None, "that is elsewhere"
    assert tracker.within(0) is None


@pytest.mark.parametrize("texture", [True, False])
def test_both_ways_from_a_frame_in_the_middle(texture: bool):
    tracker, images, poses = still_life(texture)
    found = tracker.run(images, 4, poses[4])
    assert ("features" in found.method) == texture
    for t in (0, 7):
        assert np.linalg.norm(found.camera_from_object[t][:3, 3] - poses[t][:3, 3]) < 0.008
        assert pose.rotation_difference(found.camera_from_object[t], poses[t]) < (5 if texture else 15)


def test_a_hand_in_front_does_not_push_the_object_away():
    tracker, images, poses = still_life(texture=True)
    for t in range(5, 8):  # the right third disappears behind something grey
        columns = np.flatnonzero(tracker.masks[t].any(axis=0))
        cut = columns[int(0.67 * len(columns))]
        tracker.masks[t][:, cut:] = False
        images[t][:, cut:] = 90
    hidden = Tracker(tracker.mesh, tracker.camera, tracker.masks, tracker.others, [])
    found = hidden.run(images, 2, poses[2])
    assert np.linalg.norm(found.camera_from_object[7][:3, 3] - poses[7][:3, 3]) < 0.012


def resting(back: int) -> tuple[Tracker, list[np.ndarray], list[np.ndarray]]:
    """A box at rest for six frames, half hidden for four, and again for six where it was in frame `back`."""
    tracker, images, poses = still_life(texture=True)
    order = [0] * 10 + [back] * 6
    masks, frames = tracker.masks[order].copy(), [images[k].copy() for k in order]
    columns = np.flatnonzero(masks[0].any(axis=0))
    cut = columns[len(columns) // 2]
    for t in range(6, 10):
        masks[t][:, cut:] = False
        frames[t][:, cut:] = 90
    both = Tracker(tracker.mesh, tracker.camera, masks, np.zeros_like(masks), [(0, 6), (10, 16)])
    return both, frames, [poses[k] for k in order]


def test_what_stays_in_its_place_behind_something_keeps_its_pose():
    tracker, frames, poses = resting(back=0)
    assert tracker.rests(frames) == [(0, 16)]
    found = tracker.run(frames, 0, poses[0])
    for t in (7, 9, 15):
        assert np.linalg.norm(found.camera_from_object[t][:3, 3] - poses[t][:3, 3]) < 0.003


def test_what_came_to_rest_elsewhere_has_another_pose():
    tracker, frames, poses = resting(back=2)
    assert tracker.rests(frames) == [(0, 6), (10, 16)]
    found = tracker.run(frames, 0, poses[0])
    moved = found.camera_from_object[15][:3, 3] - found.camera_from_object[0][:3, 3]
    assert np.linalg.norm(moved) == pytest.approx(0.016, abs=0.008)


def test_a_lost_object_is_found_again_where_it_stands():
    tracker, _, poses = still_life(texture=False)
    at_rest = Tracker(tracker.mesh, tracker.camera, tracker.masks, tracker.others, [(7, 8)])
    upright = tracker.camera.rotation @ poses[0][:3, :3]
    astray = poses[0].copy()
    astray[:3, 3] += [0.1, -0.08, 0.2]
    outline = at_rest.outline_of(7)
    assert at_rest.confidence(7, astray, 0) < 0.1
    found = at_rest.register(7, astray, outline, upright)
    assert np.linalg.norm(found[:3, 3] - poses[7][:3, 3]) < 0.012


def test_a_hand_is_an_occluder_a_shadow_and_the_table_behind_the_object_are_not():
    tracker, images, _ = still_life(texture=True)
    table = np.array([120, 90, 60], np.uint8)
    frames = [
        np.where(mask[..., None], image, table) for mask, image in zip(tracker.masks, images, strict=True)
    ]
    frames[5][20:60, 200:240] = [210, 160, 140]
    frames[5][180:220, 200:240] = (0.6 * table).astype(np.uint8)
    found = in_front(frames, tracker.masks | tracker.others)
    assert found[5, 25:55, 205:235].all()
    found[5, 16:64, 196:244] = False
    assert found.mean() < 0.002


def test_features_stay_on_the_object():
    tracker, images, poses = still_life(texture=True)
    grey = cv2.cvtColor(images[0], cv2.COLOR_RGB2GRAY)
    from video2policy.perceive.track import Features

    features = tracker.seed(grey, tracker.masks[0], poses[0], Features())
    assert len(features) >= 20
    at = features.pixels.astype(int)
    assert tracker.masks[0][at[:, 1], at[:, 0]].all()
    np.testing.assert_allclose(
        meshes.project(features.points, tracker.camera.K, poses[0]), features.pixels, atol=0.01
    )
    moved, flow = tracker.follow(
        grey, cv2.cvtColor(images[1], cv2.COLOR_RGB2GRAY), tracker.masks[1], features
    )
    assert len(moved) >= 10
    expected = meshes.project(moved.points, tracker.camera.K, poses[1])
    assert np.median(np.linalg.norm(expected - moved.pixels, axis=1)) < 1
    assert np.median(flow[:, 0]) > 1, "to the right"


def test_a_lost_track_is_rejected_with_a_reason():
    masks = np.ones((10, 20, 20), bool)
    lost = Tracked([np.eye(4)] * 10, [0.9] * 4 + [0.1] * 6, [0] * 10, "")
    assert "lost in 6 of the 10 frames" in complaint(lost, masks)
    assert "only 0 frames" in complaint(Tracked([None] * 10, [0.0] * 10, [0] * 10, ""), masks)
    fine = Tracked([np.eye(4)] * 10, [0.9] * 6 + [0.1] * 4, [0] * 10, "")
    assert complaint(fine, masks) is None


def test_overlay_draws_axes_where_there_is_a_pose(lifted: Perceived, box_track: Tracked):
    camera = lifted.view.camera.scaled(lifted.depth_scale)
    with_axes = overlay(lifted.images, box_track, camera, 0.05)
    none = replace(box_track, camera_from_object=[None] * len(lifted.images))
    assert (with_axes != overlay(lifted.images, none, camera, 0.05)).any()


def test_unseen_contact_is_no_run():
    assert Contact([], [np.nan], [np.nan]).table_runs == []


def test_a_sliver_of_what_is_covered_needs_no_pose():
    masks = np.zeros((20, 30, 30), bool)
    masks[:8, 5:25, 5:25] = True
    masks[8:, 5:12, 5:17] = True
    sure = Tracked([np.eye(4)] * 20, [0.9] * 8 + [0.0] * 12, [9] * 20, "")
    assert complaint(sure, masks) is None
    masks[8:, 5:25, 5:17] = True
    assert "lost in 12 of the 20 frames" in complaint(sure, masks)


def test_what_toppled_lies_on_the_table() -> None:
    """A can on its side, whose outline a can that leans towards the camera would have, too, or nearly."""
    view = Camera(intrinsics(320, 240, fov=45)[0], 320, 240, rotation_from_pitch(30), 0.35)
    solid = Solid("cylinder", (0.06, 0.06, 0.14))
    shape = solid.mesh()
    point = view.on_plane([[160, 150]])[0]
    rotation = pose.rotation_about([0, 0, 1], 75) @ pose.rotation_about([0, 1, 0], 90)
    truth = view.camera_from_table @ pose.transform(rotation, [point[0], point[1], 0.03])
    mask = meshes.hull_silhouette(shape.vertices, view.K, truth, view.shape)[None]
    tracker = Tracker(shape, view, mask, np.zeros_like(mask), [(0, 1)])
    lean = view.rotation.T @ pose.rotation_about([1, 0, 0], 40) @ view.rotation @ truth[:3, :3]
    guess = pose.transform(lean, 0.95 * truth[:3, 3])
    upright = np.eye(3)
    assert tracker.stands_on(guess, upright) is None, "it leans"
    outline = tracker.outline_of(0)
    assert outline is not None
    found = tracker.lie(0, guess, outline, upright)
    level = tracker.stands_on(found, upright)
    assert level is not None and abs(level[2]) < 0.1, "on its side"
    assert np.degrees(np.arccos(abs(found[:3, 2] @ truth[:3, 2]))) < 8
    assert np.linalg.norm(found[:3, 3] - truth[:3, 3]) < 0.01


def test_what_seems_to_be_above_the_camera_lies_nowhere() -> None:
    tracker, _, poses = still_life(texture=False)
    leaning = poses[0].copy()
    leaning[:3, :3] = poses[0][:3, :3] @ pose.rotation_about([1, 0, 0], 35)
    leaning[:3, 3] += tracker.camera.rotation.T @ [0, 0, 0.5]
    outline = tracker.outline_of(0)
    assert outline is not None
    found = tracker.lie(0, leaning, outline, tracker.camera.rotation @ poses[0][:3, :3])
    np.testing.assert_array_equal(found, leaning)


def test_what_stood_up_again_stands() -> None:
    tracker, _, poses = still_life(texture=False)
    upright = tracker.camera.rotation @ poses[0][:3, :3]
    level = tracker.stands_on(poses[5], upright)
    assert level is not None
    np.testing.assert_allclose(level, [0, 0, 1], atol=1e-9)
