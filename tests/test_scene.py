import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scenes import CAPTIONS, primitive_scene
from video2policy import pose
from video2policy.mesh import Solid
from video2policy.perceive.verdict import Rejected, Verdict
from video2policy.scene import Scene, SceneTask, Track, difference, goes_in_on_end, rejected, validate

TASK = SceneTask("lifting cube up", "lifting cube up", None, None, "lift", "caption", {"a": "cube"})


@pytest.fixture(scope="module")
def lift(tmp_path_factory):
    return primitive_scene(tmp_path_factory.mktemp("lift"))


@pytest.mark.parametrize("family", CAPTIONS)
def test_scenes_of_every_family_are_valid_and_survive_the_file(tmp_path, family):
    objects = (
        {"cup": "cup", "ball": "ball"}
        if family in ("cover", "uncover")
        else {"can": "cylinder", "mug": "mug"}
    )
    path = primitive_scene(tmp_path, family, objects=objects)
    scene = Scene.load(path)
    assert scene.passed and scene.names == list(objects)
    scene.save(tmp_path / "again.json")
    assert json.loads(path.read_text()) == json.loads((tmp_path / "again.json").read_text())
    for item in scene.objects:
        for file in (item.mesh, item.urdf, item.hull, *item.collision):
            assert (tmp_path / file).is_file()


def test_the_origin_is_under_the_mean_of_the_first_poses(tmp_path):
    scene = Scene.load(primitive_scene(tmp_path, "put_next", objects={"mug": "mug", "cube": "box"}))
    np.testing.assert_allclose(np.mean([o.first.pos[:2] for o in scene.objects], axis=0), 0, atol=1e-6)
    for item in scene.objects:
        assert item.first.pos[2] == pytest.approx(item.rest_height, abs=1e-6)
    camera = np.array(scene.camera.world_from_camera)
    assert camera[0, 3] < -0.3, "the camera stands on the -x side"


def test_first_last_and_difference_say_what_happened(lift):
    item = Scene.load(lift).object("cube")
    np.testing.assert_allclose(item.difference.translation, [0, 0, 0.18], atol=1e-6)
    np.testing.assert_allclose(
        np.subtract(item.last.pos, item.first.pos), item.difference.translation, atol=1e-6
    )
    assert item.difference.distance == pytest.approx(0.18)
    assert item.difference.rotation_degrees == pytest.approx(0, abs=1e-3)


def test_relations_are_between_centres(tmp_path):
    scene = Scene.load(primitive_scene(tmp_path, "move_closer", objects={"can": "cylinder", "cube": "box"}))
    (relation,) = scene.relations
    a, b = scene.object(relation.a), scene.object(relation.b)
    np.testing.assert_allclose(relation.first, np.subtract(a.first.pos, b.first.pos), atol=1e-6)
    np.testing.assert_allclose(relation.last, np.subtract(a.last.pos, b.last.pos), atol=1e-6)
    assert relation.change_distance < -0.05


def test_what_is_longer_than_its_container_is_wide_goes_in_on_end(tmp_path):
    pen = Solid("box", (0.16, 0.02, 0.012))
    scene = {
        name: Scene.load(primitive_scene(tmp_path / name, family, objects={"thing": solid, "mug": "mug"}))
        for name, family, solid in (
            ("pen", "put_into", pen),
            ("ball", "put_into", "ball"),
            ("next", "put_next", pen),
        )
    }
    assert {name: goes_in_on_end(loaded) for name, loaded in scene.items()} == {
        "pen": True,
        "ball": False,
        "next": False,
    }


def test_orientation_relative_to_rest_is_the_identity_at_rest(lift):
    item = Scene.load(lift).object("cube")
    np.testing.assert_allclose(item.from_rest(item.rest_quat), [1, 0, 0, 0], atol=1e-9)


def test_an_outlier_and_doubtful_frames_do_not_move_the_ends():
    at = [pose.transform(None, [0.01 * k, 0, 0.03]) for k in range(36)]
    path = [*([at[0]] * 5), *at, *([at[-1]] * 5)]
    confidence = [0.9] * len(path)
    path[1] = pose.transform(pose.rotation_about([1, 0, 0], 90), [5, 5, 5])
    path[-1], confidence[-1] = pose.transform(None, [-9, 0, 0]), 0.1
    first, last = Track(path, confidence).settled()
    np.testing.assert_allclose(first, at[0], atol=1e-3)
    np.testing.assert_allclose(last, at[-1], atol=1e-3)


def test_a_track_without_confidence_is_rejected():
    with pytest.raises(Rejected, match="no frame"):
        Track([np.eye(4), None], [0.1, 0.0]).settled()


@given(st.floats(-170, 170), st.tuples(*[st.floats(-1, 1)] * 3))
def test_difference_of_a_known_step(angle, step):
    last = pose.transform(pose.rotation_about([0, 0, 1], angle), step)
    change = difference(np.eye(4), last)
    assert change.rotation_degrees == pytest.approx(abs(angle), abs=2e-3)
    assert change.distance == pytest.approx(np.linalg.norm(step), abs=2e-6)


def test_a_rejected_scene_keeps_its_reason_and_gates(tmp_path):
    gates = [Verdict("frames", True, "decoded", 1.0), Verdict.rejected("ground", "the cube is nowhere")]
    rejected("clip", TASK, None, gates, "the cube is nowhere").save(tmp_path / "scene.json")
    scene = Scene.load(tmp_path / "scene.json")
    assert not scene.passed and scene.reason == "the cube is nowhere"
    assert [g.stage for g in scene.gates if not g.passed] == ["ground"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("task"), "'task' is a required property"),
        (lambda d: d.update(video="../up"), "video"),
        (lambda d: d["objects"][0].update(mass=-1), "objects.0.mass"),
        (lambda d: d["objects"][0]["first"].update(pos=[0, 0]), "objects.0.first.pos"),
        (lambda d: d.update(reason="but it passed"), "a reason is given exactly"),
        (lambda d: d.update(objects=[]), "has a clip, a camera and objects"),
        (lambda d: d["task"].update(roles={"a": "ghost"}), "no object ghost"),
    ],
)
def test_what_does_not_fit_the_schema_is_named(lift, change, message):
    data = json.loads(lift.read_text())
    change(data)
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        validate(data)


def test_an_unknown_object_lists_the_known_ones(lift):
    with pytest.raises(KeyError, match="it has cube"):
        Scene.load(lift).object("mug")


def run_script(folder, reason=None, accept=(), alternatives=()):
    """The scene script over a folder that `primitive_scene` wrote; with a `reason` the ground gate failed."""
    from scripts import scene as scene_script

    record = json.loads((folder / "scene.json").read_text())
    names = [item["name"] for item in record["objects"]]
    (folder / "clip.json").write_text(json.dumps(record["clip"]))
    (folder / "camera.json").write_text(json.dumps({"K": record["camera"]["K"], "method": "given"}))
    gates = [Verdict("frames", True, "decoded", 0.9), Verdict("ground", True, "boxes", 0.8)]
    if reason:
        gates[1] = Verdict.rejected("ground", reason)
        (folder / "camera.json").write_text(f"rejected: {reason}\n")
    files = []
    for k, gate in enumerate(gates):
        files.append(folder / f"{k}.verdict.json")
        files[-1].write_text(json.dumps(gate.to_json()))
    row = {"video": record["video"], "clip": "clip.mp4", "labels": names, "objects": names, **record["task"]}
    row |= {"accept": list(accept), "alternatives": list(alternatives)}
    per_object = {
        key: [folder / "objects" / name / file for name in names]
        for key, file in {
            "meshes": "mesh.obj",
            "sizes": "size.json",
            "poses": "poses.json",
            "rests": "rest.json",
            "urdfs": "object.urdf",
        }.items()
    }
    verdict = scene_script.main(
        folder / "clip.json",
        folder / "camera.json",
        **per_object,
        verdicts=files,
        scene=folder / "out.json",
        row=row,
    )
    return verdict, Scene.load(folder / "out.json")


def test_script_assembles_what_the_stages_wrote(tmp_path):
    old = Scene.load(primitive_scene(tmp_path, "push_right", objects={"can": "cylinder"}))
    verdict, scene = run_script(tmp_path)
    assert verdict.passed and verdict.stage == "caption"
    assert scene.passed and [gate.stage for gate in scene.gates] == ["frames", "ground", "caption"]
    np.testing.assert_allclose(
        scene.object("can").difference.translation, old.object("can").difference.translation
    )


def test_script_writes_a_scene_for_a_rejected_clip_too(tmp_path):
    primitive_scene(tmp_path, "lift")
    verdict, scene = run_script(tmp_path, reason="the cube is nowhere to be seen")
    assert not verdict.passed and not scene.passed
    assert scene.reason == verdict.reason == "the cube is nowhere to be seen"
    assert scene.objects == [] and scene.clip is not None


def test_the_clip_decides_what_the_caption_leaves_open(tmp_path):
    primitive_scene(tmp_path, "push_right", objects={"can": "cylinder"})
    record = json.loads((tmp_path / "scene.json").read_text())
    record["task"]["family"] = "push_left"
    (tmp_path / "scene.json").write_text(json.dumps(record))
    verdict, scene = run_script(tmp_path, alternatives=["push_any", "push_right"])
    assert verdict.passed and scene.task.family == "push_any"
    verdict, scene = run_script(tmp_path, alternatives=["push_right", "push_any"])
    assert scene.task.family == "push_right"


def test_script_refuses_what_the_caption_does_not_say(tmp_path):
    still = ((0.0, 0.0, 0.045), (0.0, 0.0, 0.045))
    primitive_scene(tmp_path, "push_right", objects={"can": "cylinder"}, ends={"can": still})
    verdict, scene = run_script(tmp_path)
    assert not verdict.passed and verdict.stage == "caption" and "moves by 0.0 cm" in verdict.reason
    assert not scene.passed and scene.reason == verdict.reason and not scene.objects
    assert [gate.passed for gate in scene.gates] == [True, True, False]
    verdict, scene = run_script(tmp_path, accept=["caption"])
    assert verdict.passed and scene.passed and "passed by the sheet: the clip is called" in verdict.better
