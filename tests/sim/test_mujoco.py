"""The MuJoCo simulator: states, resets, grasping, memory, images."""

from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np
import pytest
import torch

from tests.scenes import primitive_scene
from video2policy import mjcf
from video2policy.hands import ROBOTS
from video2policy.mesh import Solid
from video2policy.scene import Scene
from video2policy.sim import robot
from video2policy.sim.mujoco import MujocoSim
from video2policy.task import OBJECT_STATES, ROBOT_STATES, Task, state_widths

N = 8
ALL = torch.arange(N)
PANDA = ROBOTS["panda"]
Make = Callable[..., MujocoSim]

torch.set_num_threads(1)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def simulator(
        family: str = "lift", robot: str = "panda", n: int = N, seed: int = 0, **objects: str | Solid
    ) -> MujocoSim:
        path = primitive_scene(tmp_path, family, objects=objects or {"cube": "box"})
        return MujocoSim(Scene.load(path), path.parent, n, robot, seed=seed)

    return simulator


def start(sim: MujocoSim) -> None:
    ids = torch.arange(sim.n_envs)
    sim.reset(ids, sim.sample_object_poses(ids))


def move(sim: MujocoSim, to: np.ndarray, yaw: np.ndarray, gripper: float, steps: int) -> None:
    """Drive the tool to `to` (n, 3) and `yaw` (n,) with actions, as a policy would."""
    for _ in range(steps):
        action = torch.zeros(sim.n_envs, 7)
        action[:, :3] = torch.from_numpy((to - sim._tool.target) / robot.POSITION_STEP)
        action[:, 5] = torch.from_numpy((yaw - sim._target_angles[:, 0]) / robot.YAW_STEP)
        action[:, 6] = gripper
        sim.step(action)


def pick_up(sim: MujocoSim, name: str = "cube") -> np.ndarray:
    """Grasp the object from above and raise it 15 cm; where the hand is then (n, 3)."""
    shape = next(s for s in sim._shapes if s.name == name)
    states = sim.states()
    quat = states[f"{name}_quat"].numpy()
    across = 2 * np.arctan2(quat[:, 3], quat[:, 0]) + shape.grasp_yaw
    yaw = (across - np.pi / 2) % np.pi
    place = states[f"{name}_pos"].numpy() + [0, 0, max(0, shape.top - 0.035)]
    move(sim, place + [0, 0, 0.1], yaw, 1, 40)
    move(sim, place, yaw, 1, 20)
    move(sim, place, yaw, -1, 12)
    place = place + [0, 0, 0.15]
    move(sim, place, yaw, -1, 20)
    return place


@pytest.mark.parametrize("robot", mjcf.ROBOTS)
def test_states_are_those_of_the_contract(make: Make, robot: str) -> None:
    sim = make("cover", robot, cup="cup", ball="ball")
    start(sim)
    states = sim.states()
    widths = state_widths(["cup", "ball"])
    assert list(states) == list(widths)
    for key, width in widths.items():
        assert states[key].dtype == torch.float32
        assert states[key].shape == ((N, width) if width > 1 else (N,)), key
        assert torch.isfinite(states[key]).all(), key
    assert set(ROBOT_STATES) <= set(states)
    assert all(f"ball_{state}" in states for state in OBJECT_STATES)
    sim.step(torch.ones(N, 7))
    assert not torch.equal(sim.states()["eef_pos"], states["eef_pos"])  # fresh tensors: the old ones stay


@pytest.mark.parametrize("robot", mjcf.ROBOTS)
def test_a_box_is_grasped_lifted_shaken_and_held(make: Make, robot: str) -> None:
    sim = make(robot=robot)
    start(sim)
    place = pick_up(sim)
    states = sim.states()
    assert (states["cube_displacement"][:, 2] > 0.12).all()
    assert (states["cube_grasped"] == 1).all() and (states["cube_ever_lifted"] == 1).all()
    assert (states["cube_ever_released"] == 0).all()
    held = states["cube_from_eef"]
    yaw = sim._target_angles[:, 0]
    for sign in (1, -1, 1, -1):
        move(sim, place + [0, 0.04 * sign, 0], yaw, -1, 3)
    move(sim, place, yaw, -1, 40)
    states = sim.states()
    assert (states["cube_grasped"] == 1).all()
    assert (torch.norm(states["cube_from_eef"] - held, dim=1) < 0.01).all()
    move(sim, place, yaw, 1, 25)
    states = sim.states()
    assert (states["cube_ever_released"] == 1).all() and (states["cube_contact_gripper"] == 0).all()
    assert (states["cube_ever_lifted"] == 1).all() and (states["cube_contact_table"] == 1).all()


@pytest.mark.parametrize("kind", ["box", "mug", "cylinder"])
def test_the_robotiq_hand_holds_through_lift_turn_and_shake(make: Make, kind: str) -> None:
    sim = make(robot="panda_robotiq", cube=kind)
    start(sim)
    assert torch.allclose(sim.states()["gripper_opening"], torch.tensor(0.085), atol=1e-3)
    place = pick_up(sim)
    states = sim.states()
    assert (states["cube_grasped"] == 1).all() and (states["cube_displacement"][:, 2] > 0.12).all()
    held = states["cube_from_eef"]
    yaw = sim._target_angles[:, 0] + 0.5 * np.where(sim._target_angles[:, 0] > np.pi / 2, -1, 1)
    move(sim, place, yaw, -1, 14)
    for sign in (1, -1, 1, -1):
        move(sim, place + [0, 0.03 * sign, 0], yaw, -1, 4)
    move(sim, place, yaw, -1, 60)
    states = sim.states()
    assert (states["cube_grasped"] == 1).all()
    assert (torch.norm(states["cube_from_eef"] - held, dim=1) < 0.01).all()


def test_a_mug_is_held_between_its_pieces(make: Make) -> None:
    sim = make(cube="mug")
    assert len(sim.scene.objects[0].collision) > 1
    start(sim)
    pick_up(sim)
    assert (sim.states()["cube_displacement"][:, 2] > 0.12).all()


def test_what_is_too_wide_shrinks_and_says_so(make: Make) -> None:
    sim = make(cube=Solid("box", (0.085, 0.085, 0.085)))
    assert sim.scale == pytest.approx(PANDA.fitted / 0.085, rel=0.03)
    assert sim.object_sizes["cube"][0] == pytest.approx(PANDA.fitted, rel=0.03)


@pytest.mark.parametrize("kind", ["box", "cylinder", "mug", "cup"])
def test_nothing_drifts_at_rest(make: Make, kind: str) -> None:
    sim = make(cube=kind)
    start(sim)
    for _ in range(60):
        sim.step(torch.zeros(N, 7))
    states = sim.states()
    assert (torch.norm(states["cube_displacement"], dim=1) < 1e-3).all()
    assert (states["cube_up"] > 0.999).all()
    assert (states["cube_contact_table"] == 1).all()
    assert (states["cube_turn"].abs() < 0.01).all()


def test_reset_places_apart_and_touches_nothing(make: Make) -> None:
    sim = make("put_next", n=64, one=Solid("box", (0.1, 0.06, 0.08)), other="mug")
    start(sim)
    states = sim.states()
    for key in ("one_contact_other", "one_contact_gripper", "other_contact_gripper"):
        assert (states[key] == 0).all()
    yaw = torch.atan2(states["one_quat"][:, 3], states["one_quat"][:, 0])
    assert yaw.std() > 0.5 and states["one_pos"][:, :2].std() > 0.02
    assert torch.allclose(states["one_pos"][:, 2], states["one_size"][:, 2] / 2, atol=2e-3)


def test_overlapping_poses_are_raised_apart_and_settle(make: Make) -> None:
    sim = make("put_into", one="box", other=Solid("box", (0.08, 0.08, 0.04)))
    poses = sim.sample_object_poses(ALL)
    poses["one"][:, :2] = poses["other"][:, :2]
    sim.reset(ALL, poses)
    states = sim.states()
    assert (states["one_init_pos"][:, 2] > 0.06).all()
    assert (states["one_contact_gripper"] == 0).all()
    for _ in range(20):
        sim.step(torch.zeros(N, 7))
    states = sim.states()
    assert (torch.norm(states["one_displacement"], dim=1) < 5e-3).all()
    assert (states["one_contact_other"] == 1).all() and (states["other_contact_one"] == 1).all()


def test_a_hollow_cover_stands_over_what_it_covers(make: Make) -> None:
    sim = make("uncover", cover="cup", ball="ball")
    poses = sim.sample_object_poses(ALL)
    poses["cover"][:, :2] = poses["ball"][:, :2]
    sim.reset(ALL, poses)
    states = sim.states()
    assert torch.allclose(states["cover_pos"][:, 2], states["cover_size"][:, 2] / 2, atol=3e-3)


@pytest.mark.parametrize(
    ("relation", "one", "other", "holds"),
    [
        ("place_in", "ball", "cup_up", lambda off, s: (off[:, :2].norm(dim=1) < 0.02) & (off[:, 2] < 0.02)),
        ("place_on", "box", "cube", lambda off, s: (off[:, :2].norm(dim=1) < 0.01) & (off[:, 2] > 0.04)),
        ("place_over", "cup", "ball", lambda off, s: (off[:, :2].norm(dim=1) < 0.02) & (s["one_up"] > 0.99)),
        ("place_behind", "box", "mug", lambda off, s: (off[:, 0] > 0.05) & (off[:, 1].abs() < 0.01)),
        ("place_in_front", "box", "mug", lambda off, s: (off[:, 0] < -0.05) & (off[:, 1].abs() < 0.01)),
    ],
)
def test_resets_in_relations_hold_without_penetration(
    make: Make, relation: str, one: str, other: str, holds: Callable
) -> None:
    solids: dict[str, str | Solid] = {"cube": Solid("box", (0.06, 0.06, 0.04)), "cup_up": "mug"}
    sim = make("put_into", n=32, one=solids.get(one, one), other=solids.get(other, other))
    task = Task(sim, "", {"objects": ["one", "other"]})
    ids = torch.arange(sim.n_envs)
    sim.reset(ids, getattr(task, relation)(sim.sample_object_poses(ids), "one", "other"))
    column = sim._contacts.pairs[0]
    assert (sim._sensors[:, column] > -2e-3).all()  # the deepest overlap
    first = sim.states()
    assert holds(first["one_pos"] - first["other_pos"], first).all()
    assert (first["one_contact_gripper"] == 0).all() and (first["other_contact_gripper"] == 0).all()
    for _ in range(20):
        sim.step(torch.zeros(sim.n_envs, 7))
    last = sim.states()
    assert holds(last["one_pos"] - last["other_pos"], last).all()
    for name in ("one", "other"):
        assert (last[f"{name}_displacement"].norm(dim=1) < 0.01).all(), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda pose: pose.fill_(float("nan")), "'cube' at a pose that is not finite"),
        (lambda pose: pose[:, :2].fill_(3.0), "'cube' off the table"),
        (lambda pose: pose[:, 3:].zero_(), "'cube' a quaternion of length zero"),
        (lambda pose: pose[:, 0].fill_(0.38), "'cube', which must be grasped, out of the arm's reach"),
    ],
)
def test_bad_resets_end_in_a_sentence(make: Make, change: Callable, message: str) -> None:
    sim = make()
    poses = sim.sample_object_poses(ALL)
    change(poses["cube"])
    with pytest.raises(mjcf.SceneError, match=message):
        sim.reset(ALL, poses)


def test_what_the_arm_cannot_reach_over_is_named(make: Make) -> None:
    with pytest.raises(mjcf.SceneError, match=r"'tower' is 0.45 m tall: the arm does not reach above it"):
        make("push_right", tower=Solid("box", (0.1, 0.1, 0.45)))


def test_two_objects_in_one_place_are_named(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    sim = make("put_next", one="box", other="mug")
    monkeypatch.setattr("video2policy.sim.tabletop.RAISE", 0.0)  # nothing helps
    poses = sim.sample_object_poses(ALL)
    poses["one"][:, :3] = poses["other"][:, :3]
    with pytest.raises(mjcf.SceneError, match="one, other cannot be pulled apart at reset"):
        sim.reset(ALL, poses)


def test_a_subset_resets_and_the_others_go_on(make: Make) -> None:
    sim = make()
    start(sim)
    for _ in range(5):
        sim.step(torch.ones(N, 7))
    before = sim.states()
    ids = torch.tensor([1, 4])
    sim.reset(ids, sim.sample_object_poses(ids))
    after = sim.states()
    rest = torch.tensor([i for i in range(N) if i not in ids])
    for key, value in before.items():
        assert torch.equal(after[key][rest], value[rest]), key
    assert (after["time_left"][ids] == 1).all() and (after["gripper_opening"][ids] > 0.079).all()


def test_turn_accumulates_past_half_a_circle(make: Make) -> None:
    sim = make(robot="floating")
    start(sim)
    spin = sim._n_arm + 2 + 5
    turned = np.zeros(N)
    for _ in range(90):
        sim._qvel[:, spin] = 6.0
        before = sim.states()["cube_quat"].numpy()
        sim.step(torch.zeros(N, 7))
        after = sim.states()["cube_quat"].numpy()
        turned += 2 * np.arccos(np.clip(np.abs((before * after).sum(1)), 0, 1))
    turn = sim.states()["cube_turn"].numpy()
    assert (turn > np.pi).all()
    assert np.allclose(turn, turned, rtol=0.02)


def test_tool_pose_is_that_of_the_kinematics_while_moving(make: Make) -> None:
    sim = make()
    start(sim)
    generator = torch.Generator().manual_seed(0)
    for _ in range(10):
        sim.step(2 * torch.rand(N, 7, generator=generator) - 1)
        for i in range(N):
            data = sim._batch.get_data(i)
            mujoco.mj_forward(sim.model, data)
            assert np.abs(data.site_xpos[sim._tool_site] - sim._tool.pos[i]).max() < 5e-4
            assert abs(data.xquat[sim._hand] @ sim._tool.quat[i]) > 1 - 1e-5


def test_the_arm_follows_its_target_and_stays_out_of_the_table(make: Make) -> None:
    sim = make("push_right")
    start(sim)
    down = torch.zeros(N, 7)
    down[:, 2] = -1
    for _ in range(40):
        sim.step(down)
    states = sim.states()
    assert (states["eef_pos"][:, 2] > 0.006).all()  # the finger tips are 6 mm below the tool
    free = states["cube_contact_gripper"] == 0
    assert (states["target_error"][free].abs() < 2e-3).all()


def test_the_same_seed_gives_the_same_and_threads_do_not_matter(tmp_path: Path) -> None:
    path = primitive_scene(tmp_path, objects={"cube": "mug"})

    def run(threads: int, seed: int) -> torch.Tensor:
        sim = MujocoSim(Scene.load(path), path.parent, N, threads=threads, seed=seed)
        start(sim)
        generator = torch.Generator().manual_seed(0)
        for _ in range(20):
            sim.step(2 * torch.rand(N, 7, generator=generator) - 1)
        return torch.cat([value.reshape(N, -1) for value in sim.states().values()], dim=1)

    assert torch.equal(run(1, 3), run(2, 3))
    assert not torch.equal(run(1, 3), run(1, 4))


def test_diverged_physics_is_reported(make: Make) -> None:
    sim = make()
    start(sim)
    sim._qvel[2, 3] = 1e12
    sim.step(torch.zeros(N, 7))
    assert sim.failed.tolist() == [i == 2 for i in range(N)]
    sim.reset(torch.tensor([2]), sim.sample_object_poses(torch.tensor([2])))
    sim.step(torch.zeros(N, 7))
    assert not sim.failed.any()


def test_images(make: Make) -> None:
    sim = make("cover", n=1, cup="cup", ball="ball")
    start(sim)
    for camera in ("front", "side", "wrist"):
        image = sim.render(0, camera, 96, 64)
        assert image.shape == (64, 96, 3) and image.dtype == np.uint8 and image.std() > 5
    labels = sim.render(0, "front", 96, 64, "segmentation")
    assert labels.shape == (64, 96) and set(np.unique(labels)) == {0, 1, 2, 3}
    depth = sim.render(0, "front", 96, 64, "depth")
    assert depth.dtype == np.float32 and 0.3 < np.median(depth) < 2.0
    with pytest.raises(ValueError, match="front, side, wrist"):
        sim.render(0, "back", 96, 64)
    with pytest.raises(ValueError, match="rgb, depth, segmentation"):
        sim.render(0, "side", 96, 64, "normals")  # type: ignore[arg-type]


def test_a_recorded_configuration_is_drawn_again(make: Make) -> None:
    sim = make(n=2)
    start(sim)
    recorded, image = sim.configuration(), sim.render(1, "side", 96, 64)
    for _ in range(10):
        sim.step(torch.ones(2, 7))
    assert not np.array_equal(sim.render(1, "side", 96, 64), image)
    sim.show(1, recorded[1])
    assert np.array_equal(sim.render(1, "side", 96, 64), image)
