"""The engines agree (MuJoCo Warp on Warp's CPU device), and each says why where it cannot run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.scenes import primitive_scene
from tests.sim.test_mujoco import move, pick_up, start
from video2policy import mjcf
from video2policy.guard.load import load_task
from video2policy.scene import Scene
from video2policy.sim import engines
from video2policy.sim.environment import Environment
from video2policy.sim.mujoco import MujocoSim
from video2policy.sim.randomise import Randomisation
from video2policy.sim.tabletop import Tabletop
from video2policy.task import state_widths
from video2policy.train.policy import load_policy, save_policy
from video2policy.train.ppo import Training, train

N = 3
ALL = torch.arange(N)
REPO = Path(__file__).resolve().parents[2]


def specification(folder: Path, engine: str, **more: Any) -> dict[str, Any]:
    return {
        "scene": str(folder / "scene.json"),
        "engine": engine,
        "device": "cpu",
        "robot": "panda",
        "threads": 1,
        "horizon": 100,
        "fit_gripper": True,
        **more,
    }


def start_engine(folder: Path, engine: str, n: int = N, seed: int = 0, **more: Any) -> Tabletop:
    if engine == engines.WARP:
        pytest.importorskip("mujoco_warp", reason="requirements-test.txt is not installed")
    sim = engines.make(specification(folder, engine, **more), n, seed)
    assert isinstance(sim, Tabletop)
    return sim


@pytest.fixture
def box(tmp_path: Path) -> Path:
    return primitive_scene(tmp_path).parent


def differences(a: Mapping[str, torch.Tensor], b: Mapping[str, torch.Tensor], *names: str) -> list[float]:
    return [float((a[name] - b[name]).abs().max()) for name in names]


@pytest.mark.slow
def test_a_grasp_is_the_same_in_both(box: Path) -> None:
    ends = []
    for engine in (engines.MUJOCO, engines.WARP):
        sim = start_engine(box, engine)
        start(sim)
        began = sim.states()
        place = pick_up(sim)  # 92 steps: over the box, down, close, lift
        move(sim, place, sim._target_angles[:, 0], -1, 8)
        states = sim.states()
        assert (states["cube_displacement"][:, 2] > 0.12).all()
        for key in ("cube_grasped", "cube_ever_lifted", "cube_contact_gripper"):
            assert (states[key] == 1).all(), (engine, key)
        assert (states["cube_contact_table"] == 0).all()
        assert not sim.failed.any() and (sim.elapsed == 100).all()
        ends.append((began, states))
    (began, states), (began_too, states_too) = ends
    assert max(differences(began, began_too, *began)) < 1e-4
    assert max(differences(states, states_too, "cube_pos", "eef_pos")) < 0.005
    assert max(differences(states, states_too, "cube_quat", "gripper_opening")) < 0.02


@pytest.mark.slow
def test_a_mug_of_pieces_is_held_and_a_cup_stands_over_a_ball_in_warp(tmp_path: Path) -> None:
    mug = primitive_scene(tmp_path / "mug", objects={"cube": "mug"}).parent
    sim = start_engine(mug, engines.WARP)
    start(sim)
    pick_up(sim)
    assert (sim.states()["cube_displacement"][:, 2] > 0.12).all()

    cover = primitive_scene(tmp_path / "cover", "uncover", objects={"cover": "cup", "ball": "ball"}).parent
    sim = start_engine(cover, engines.WARP, robot="floating")
    poses = sim.sample_object_poses(ALL)
    poses["cover"][:, :2] = poses["ball"][:, :2]
    sim.reset(ALL, poses)
    states = sim.states()
    assert torch.allclose(states["cover_pos"][:, 2], states["cover_size"][:, 2] / 2, atol=3e-3)


def test_warp_gives_the_states_of_the_contract_and_images(box: Path) -> None:
    sim = start_engine(box, engines.WARP)
    start(sim)
    states = sim.states()
    widths = state_widths(["cube"])
    assert list(states) == list(widths)
    for key, width in widths.items():
        assert states[key].dtype == torch.float32
        assert states[key].shape == ((N, width) if width > 1 else (N,)), key
        assert torch.isfinite(states[key]).all(), key
    sim.step(torch.zeros(N, 7))
    states = sim.states()
    assert (states["cube_contact_table"] == 1).all() and (states["cube_contact_gripper"] == 0).all()
    assert set(np.unique(sim.render(1, "front", 96, 64, "segmentation"))) == {0, 1, 2}
    recorded, image = sim.configuration(), sim.render(1, "side", 96, 64)
    for _ in range(3):
        sim.step(torch.ones(N, 7))
    other = MujocoSim(Scene.load(box / "scene.json"), box, 1)
    other.show(0, recorded[1])  # recordings of one engine are drawn by the other
    assert np.abs(other.render(0, "side", 96, 64).astype(int) - image).mean() < 0.1


def test_in_warp_a_subset_resets_and_the_others_go_on(box: Path) -> None:
    ids = torch.tensor([1])

    def run(disturb: bool) -> dict[str, torch.Tensor]:
        sim = start_engine(box, engines.WARP, seed=2)
        start(sim)
        for step in range(4):
            if disturb and step == 2:
                before = sim.states()
                sim.reset(ids, sim.sample_object_poses(ids))
                after = sim.states()
                assert after["time_left"].tolist() == pytest.approx([0.98, 1, 0.98])
                for key, value in before.items():
                    assert torch.equal(after[key][[0, 2]], value[[0, 2]]), key
            sim.step(torch.full((N, 7), -0.5))
        return {key: value[[0, 2]] for key, value in sim.states().items()}

    alone, disturbed = run(False), run(True)
    for key, value in alone.items():
        assert torch.equal(disturbed[key], value), key


@pytest.mark.slow
def test_in_warp_objects_at_one_point_are_raised_apart_while_the_others_stay(tmp_path: Path) -> None:
    folder = primitive_scene(tmp_path, "put_into", objects={"one": "box", "other": "box"}).parent
    sim = start_engine(folder, engines.WARP, robot="floating")
    start(sim)
    sim.step(torch.ones(N, 7))
    before, ids = sim.states(), torch.tensor([1])
    poses = sim.sample_object_poses(ids)
    poses["one"][:, :2] = poses["other"][:, :2]
    sim.reset(ids, poses)
    after = sim.states()
    assert after["one_init_pos"][1, 2] > 0.06 and after["one_contact_other"][1] == 1
    for key, value in before.items():
        assert torch.equal(after[key][[0, 2]], value[[0, 2]]), key


def test_in_warp_diverged_physics_is_reported_and_starts_anew(box: Path) -> None:
    sim = start_engine(box, engines.WARP)
    start(sim)
    sim._qvel[2, 3] = 1e30
    sim.step(torch.zeros(N, 7))
    assert sim.failed.tolist() == [False, False, True]
    sim.reset(torch.tensor([2]), sim.sample_object_poses(torch.tensor([2])))
    sim.step(torch.zeros(N, 7))
    assert not sim.failed.any()
    assert all(torch.isfinite(value).all() for value in sim.states().values())


def small_policy(folder: Path, sim: MujocoSim) -> Path:
    task = load_task(REPO / "bench" / "tasks" / "lift.py")(sim, "")
    training = Training(max_steps=32 * 8, minibatch=64, units=(16, 16), check_episodes=4)
    outcome = train(Environment(sim, task), training, 0, folder / "tensorboard")
    save_policy(folder / "policy.safetensors", outcome.policy)
    return folder / "policy.safetensors"


def test_a_policy_acts_alike_in_both(tmp_path: Path) -> None:
    box = primitive_scene(tmp_path, objects={"thing": "box"}).parent
    trained = start_engine(box, engines.MUJOCO, n=8, horizon=20)
    assert isinstance(trained, MujocoSim)
    policy = load_policy(small_policy(box, trained))
    seen = []
    for engine in (engines.MUJOCO, engines.WARP):
        sim = start_engine(box, engine, seed=4, horizon=20)
        environment = Environment(sim, load_task(REPO / "bench" / "tasks" / "lift.py")(sim, ""))
        observation = environment.reset()
        for _ in range(15):
            observation, *_ = environment.step(policy.act(observation))
        seen.append(sim.states())
    assert max(differences(*seen, "eef_pos", "thing_pos")) < 0.005
    assert differences(*seen, "eef_pos") != [0.0]  # two engines, not one twice


def test_contacts_that_find_no_memory_end_in_one_sentence(box: Path) -> None:
    warp = pytest.importorskip("video2policy.sim.warp", reason="requirements-test.txt is not installed")
    sim = warp.WarpSim(Scene.load(box / "scene.json"), box, N, device="cpu", room=(1, 192))
    start(sim)
    with pytest.raises(warp.ContactOverflow, match=r"lost contacts: .* memory for 1:") as caught:
        sim.step(torch.zeros(N, 7))
    assert "\n" not in str(caught.value)


def test_a_rehearsal_finds_more_to_make_room_for_where_there_are_more_pieces(tmp_path: Path) -> None:
    warp = pytest.importorskip("video2policy.sim.warp", reason="requirements-test.txt is not installed")
    rooms = []
    for kind in ("box", "mug"):
        path = primitive_scene(tmp_path / kind, objects={"cube": kind})
        sim = MujocoSim(Scene.load(path), path.parent, 4, "floating")
        rooms.append(warp.rehearse(sim))
    assert rooms[0][0] < rooms[1][0] and rooms[0][1] < rooms[1][1]
    assert rooms == [
        warp.rehearse(MujocoSim(Scene.load(p), p.parent, 4, "floating"))
        for p in (tmp_path / "box" / "scene.json", tmp_path / "mug" / "scene.json")
    ]


def test_an_unknown_engine_or_device_ends_in_one_sentence(box: Path) -> None:
    with pytest.raises(engines.EngineError, match="no engine 'physx'; there are mujoco, warp, isaacgym"):
        engines.make(specification(box, "physx"), N, 0)
    warp = pytest.importorskip("video2policy.sim.warp", reason="requirements-test.txt is not installed")
    with pytest.raises(warp.DeviceError, match="no device 'tpu'; there are auto, cpu, cuda"):
        engines.make(specification(box, "warp", device="tpu"), N, 0)
    if warp.choose_device("auto") == "cpu":
        with pytest.raises(warp.DeviceError, match="Warp finds no CUDA device"):
            engines.make(specification(box, "warp", device="cuda"), N, 0)


def test_an_engine_that_cannot_randomise_says_so(box: Path) -> None:
    with pytest.raises(engines.EngineError, match="engine isaacgym cannot randomise; choose none") as e:
        engines.make(specification(box, engines.ISAACGYM, randomise="paper"), N, 0)
    assert "\n" not in str(e.value)


def test_what_is_randomised_is_the_same_in_both(box: Path) -> None:
    seen = []
    for engine in (engines.MUJOCO, engines.WARP):
        sim = start_engine(box, engine, randomise={"preset": "wide", "friction": [0.2, 2.0]})
        poses = sim.sample_object_poses(ALL)
        sim.reset(ALL, poses)
        sim._qvel[:, 9:11] = 1.0  # pushed off: how far it slides is a matter of friction
        for _ in range(8):
            sim.step(torch.zeros(N, 7))
        image = sim.render(1, "front", 96, 64)
        seen.append((sim.draws(), sim.states(), image))
    (draws, states, image), (draws_too, states_too, image_too) = seen
    assert draws.keys() == draws_too.keys()
    for name, values in draws.items():
        assert np.array_equal(values, draws_too[name]), name
    assert len(set(states["cube_size"][:, 0].tolist())) > 1
    slid = states["cube_displacement"].norm(dim=1)
    assert slid.max() - slid.min() > 0.02  # far from alike between the environments
    assert max(differences(states, states_too, "cube_pos", "eef_pos", "cube_size")) < 0.003
    assert np.abs(image.astype(int) - image_too).mean() < 0.5


def test_warp_has_no_draws(box: Path) -> None:
    sim = start_engine(box, engines.WARP, randomise="none")
    start(sim)
    assert sim.draws() == {}
    with pytest.raises(ValueError, match="made without randomisation"):
        sim.randomise(np.zeros(1, np.int32), {})


def test_a_worker_specification_reaches_the_randomisation(box: Path) -> None:
    sim = start_engine(box, engines.MUJOCO, randomise={"preset": "paper", "friction": [0.8, 1.2]})
    start(sim)
    shapes = {name: value.shape[1:] for name, value in sim.draws().items()}
    varied = Randomisation.of({"preset": "paper", "friction": [0.8, 1.2]})
    assert shapes == varied.shapes(1) and Randomisation.of("none").shapes(1) == {}
    friction = sim.draws()["friction"]
    assert len(set(friction)) == N and (np.abs(friction - 1) <= 0.2).all()


def test_absent_packages_end_in_one_sentence(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mujoco_warp", None)
    monkeypatch.delitem(sys.modules, "video2policy.sim.warp", raising=False)
    with pytest.raises(engines.EngineError, match=r"needs mujoco-warp==4\.0\.0 and warp-lang") as e:
        engines.make(specification(box, "warp"), N, 0)
    assert "\n" not in str(e.value)


def test_an_engine_names_its_environment_and_gpus() -> None:
    simulation = {"engine": "mujoco", "device": "auto"}
    assert engines.environment(simulation) == "embedded.yaml" and engines.gpus(simulation) == 0
    for engine in (engines.WARP, engines.ISAACGYM):
        chosen = {"engine": engine, "device": "auto"}
        assert (REPO / "envs" / engines.environment(chosen)).exists()
        assert engines.gpus(chosen) == 1 and engines.gpus({**chosen, "device": "cpu"}) == 0
    assert engines.judging({"engine": "warp"}) == {"engine": "warp"}
    assert engines.judging({"engine": "isaacgym", "robot": "panda"}) == {"engine": "mujoco", "robot": "panda"}


def test_bad_resets_end_in_a_sentence_in_warp_too(box: Path) -> None:
    sim = start_engine(box, engines.WARP)
    poses = sim.sample_object_poses(ALL)
    poses["cube"][0, 0] = float("nan")
    with pytest.raises(mjcf.SceneError, match="'cube' at a pose that is not finite"):
        sim.reset(ALL, poses)
