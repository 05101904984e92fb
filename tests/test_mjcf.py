"""Scenes as MJCF: shapes, scale, the two collision layers, errors in one sentence."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np
import pytest
import trimesh

from tests.scenes import primitive_scene
from video2policy import mjcf, pose, shape
from video2policy.hands import ROBOTS
from video2policy.mesh import Solid
from video2policy.scene import Scene

PANDA = ROBOTS["panda"]
Make = Callable[..., tuple[Scene, Path]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def scene(family: str = "lift", **objects: str | Solid | trimesh.Trimesh) -> tuple[Scene, Path]:
        path = primitive_scene(tmp_path, family, objects=objects or {"cube": "box"})
        return Scene.load(path), path.parent

    return scene


@pytest.mark.parametrize("robot", mjcf.ROBOTS)
def test_scene_compiles_and_rests(make: Make, robot: str) -> None:
    scene, root = make(cup="cup", ball="ball")
    model = mjcf.build(scene, root, robot).compile()
    assert model.nu == {"panda": 9, "floating": 8, "panda_robotiq": 9}[robot]
    data = mujoco.MjData(model)
    if robot == "floating":
        data.qpos[2] = data.ctrl[2] = 0.4
    cup = model.joint(mjcf.body_name("cup")).qposadr[0]
    data.qpos[cup] = 0.2
    mujoco.mj_step(model, data, 100)
    shape = mjcf.load_shape(scene.object("cup"), root)
    assert data.qpos[cup + 2] == pytest.approx(shape.rest_height, abs=1e-3)


def test_shape_agrees_with_the_scene(make: Make) -> None:
    scene, root = make(mug="mug")
    shape = mjcf.load_shape(scene.objects[0], root)
    assert shape.size == pytest.approx(scene.objects[0].size, abs=2e-3)
    assert shape.rest_height == pytest.approx(scene.objects[0].rest_height, abs=2e-3)
    assert shape.mass == pytest.approx(scene.objects[0].mass)


def test_scale_keeps_proportions(make: Make) -> None:
    scene, root = make(mug="mug")
    full, half = (mjcf.load_shape(scene.objects[0], root, scale) for scale in (1.0, 0.5))
    assert half.size == pytest.approx(full.size / 2)
    assert half.mass == pytest.approx(full.mass / 8)
    assert np.allclose(half.inertia, full.inertia / 32)


def test_compiled_mass_and_inertia_are_those_of_the_scene(make: Make) -> None:
    scene, root = make(mug="mug")
    shape = mjcf.load_shape(scene.objects[0], root)
    model = mjcf.build(scene, root).compile()
    body = model.body(mjcf.body_name("mug"))
    assert body.mass[0] == pytest.approx(shape.mass)
    assert sorted(body.inertia) == pytest.approx(sorted(np.linalg.eigvalsh(shape.inertia)), rel=1e-4)


def test_only_what_must_be_grasped_is_fitted_to_the_gripper(make: Make) -> None:
    wide = Solid("box", (0.09, 0.085, 0.085))
    scene, root = make("lift", cube=wide)
    assert mjcf.grasped_objects(scene) == ["cube"]
    scale = mjcf.gripper_scale(scene, root, ["cube"])
    assert scale == pytest.approx(PANDA.fitted / 0.085, rel=0.03)
    fitted = mjcf.load_shape(scene.objects[0], root, scale)
    assert fitted.grasp_width == pytest.approx(PANDA.fitted, rel=1e-6)
    assert mjcf.gripper_scale(scene, root, []) == 1.0


def test_a_long_thin_object_is_graspable_across(make: Make) -> None:
    scene, root = make(remote=Solid("box", (0.18, 0.04, 0.02)))
    shape = mjcf.load_shape(scene.objects[0], root)
    assert shape.grasp_width == pytest.approx(0.04, abs=2e-3)
    assert shape.grasp_yaw == pytest.approx(np.pi / 2, abs=0.06)  # the fingers close along y
    assert mjcf.gripper_scale(scene, root, ["remote"]) == 1.0


def test_what_is_a_ball_or_a_box_collides_as_one(make: Make) -> None:
    scene, root = make("put_next", ball="ball", cube="box", tin="cylinder")
    model = mjcf.build(scene, root).compile()
    ball, cube, tin = (model.geom(f"{name}/hull") for name in scene.names)
    assert ball.type == mujoco.mjtGeom.mjGEOM_SPHERE
    assert ball.size[0] == pytest.approx(0.02, rel=0.01)
    assert np.allclose(ball.pos, model.body(mjcf.body_name("ball")).ipos)
    assert cube.type == mujoco.mjtGeom.mjGEOM_BOX
    assert tin.type == mujoco.mjtGeom.mjGEOM_MESH


def test_the_end_of_a_long_object_is_its_thicker_one(make: Make) -> None:
    handle = trimesh.creation.box((0.08, 0.02, 0.012))
    blade = trimesh.creation.box((0.08, 0.02, 0.003)).apply_translation([0.08, 0, -0.0045])
    for turn in (0, 180):
        knife = trimesh.util.concatenate([handle, blade])
        knife.apply_translation(-knife.bounds.mean(axis=0))
        knife.apply_transform(pose.transform(pose.rotation_about([0, 0, 1], turn)))
        scene, root = make("lift", knife=knife)
        long = mjcf.load_shape(scene.objects[0], root).long
        assert np.sign(long[0]) == (-1 if turn == 0 else 1) and abs(long[0]) > 0.07


def test_pushing_grasps_nothing(make: Make) -> None:
    scene, _ = make("push_right", cube="box")
    assert mjcf.grasped_objects(scene) == []


def test_hull_meets_table_and_pieces_meet_gripper_and_objects(make: Make) -> None:
    scene, root = make("put_into", ball="ball", mug="mug")
    model = mjcf.build(scene, root).compile()

    def meet(a: str, b: str) -> bool:
        a, b = model.geom(a), model.geom(b)
        return bool((a.contype[0] & b.conaffinity[0]) or (b.contype[0] & a.conaffinity[0]))

    pad = f"{mjcf.GRIPPER}left_pad"
    assert meet("mug/hull", "table")
    assert not meet("mug/piece_00", "table")
    assert meet("mug/piece_00", pad)
    assert not meet("mug/hull", pad)
    assert meet("mug/piece_00", "ball/hull")
    assert not meet("mug/hull", "ball/hull")
    assert meet(pad, "table")
    assert meet("wrist", "table")
    assert meet("wrist", "ball/hull")
    assert not meet("wrist", pad)


def test_errors_name_the_object_or_the_choices(make: Make) -> None:
    scene, root = make(slab=Solid("box", (1.0, 0.9, 0.02)))
    with pytest.raises(mjcf.SceneError, match="'slab' is larger than the table"):
        mjcf.build(scene, root)
    scene, root = make(cube="box")
    with pytest.raises(mjcf.SceneError, match="'ur5'; there are panda, floating, panda_robotiq"):
        mjcf.build(scene, root, "ur5")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("f ", "# ", 1), "'cube': piece_00.obj is not watertight"),
        (
            lambda text: text.replace("v ", "v nan ", 1),
            "'cube': piece_00.obj has a number that is not finite",
        ),
        (lambda text: "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "'cube': piece_00.obj is not a solid"),
    ],
)
def test_broken_collision_meshes_name_the_object(make: Make, change: Callable, message: str) -> None:
    scene, root = make(cube="box")
    path = root / scene.objects[0].collision[0]
    path.write_text(change(path.read_text()))
    with pytest.raises(mjcf.SceneError, match=message):
        mjcf.load_shape(scene.objects[0], root)


def test_mass_of_zero_names_the_object(make: Make) -> None:
    scene, root = make(cube="box")
    weightless = dataclasses.replace(scene.objects[0], mass=0.0)
    with pytest.raises(mjcf.SceneError, match=r"'cube': its mass is 0\.0 kg"):
        mjcf.load_shape(weightless, root)


def test_what_stands_on_corners_of_almost_one_height_is_level(make: Make) -> None:
    scene, root = make(cube="box")
    path = root / scene.objects[0].hull
    lines = path.read_text().splitlines()
    rows = [i for i, line in enumerate(lines) if line.startswith("v ")]
    lowest = min(rows, key=lambda i: float(lines[i].split()[3]))
    x, y, z = map(float, lines[lowest].split()[1:4])
    lines[lowest] = f"v {x} {y} {z - 1e-4}"
    path.write_text("\n".join(lines) + "\n")
    bottom = mjcf.load_shape(scene.objects[0], root).hull.vertices[:, 2]
    assert (bottom[bottom < bottom.min() + 1e-3] == bottom.min()).sum() == 4


def test_urdf_without_mass_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "object.urdf"
    path.write_text("<robot name='x'><link name='x'/></robot>")
    with pytest.raises(mjcf.SceneError, match="no inertial block"):
        shape.read_inertial(path)
