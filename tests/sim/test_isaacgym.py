"""The Isaac Gym engine as far as it goes without Isaac Gym: types, Python 3.8, its own arithmetic."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import mujoco
import numpy as np
import pytest
import torch
import trimesh

from tests.scenes import primitive_scene
from video2policy import mjcf, reach
from video2policy.scene import Scene
from video2policy.sim import engines, panda
from video2policy.sim import robot as arms
from video2policy.sim.mujoco import MujocoSim

REPO = Path(__file__).resolve().parents[2]
MODULE = REPO / "video2policy" / "sim" / "isaacgym.py"


@pytest.fixture
def isaac(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The engine's module, over packages of Isaac Gym's names that hold nothing."""
    for name in ("isaacgym", "isaacgym.gymapi", "isaacgym.gymtorch"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(sys.modules["isaacgym"], "gymapi", sys.modules["isaacgym.gymapi"], raising=False)
    monkeypatch.setattr(sys.modules["isaacgym"], "gymtorch", sys.modules["isaacgym.gymtorch"], raising=False)
    monkeypatch.delitem(sys.modules, "video2policy.sim.isaacgym", raising=False)
    import video2policy.sim.isaacgym as module

    yield module
    del sys.modules["video2policy.sim.isaacgym"]


def test_mypy_knows_its_methods(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    stubs = subprocess.run(
        [sys.executable, REPO / "tools" / "isaacgym_stubs", tmp_path / "stubs"],
        capture_output=True,
        text=True,
    )
    if "StopIteration" in stubs.stderr:
        pytest.skip("isaacgym-stubs (requirements-test.txt) is not installed")
    assert stubs.returncode == 0, stubs.stderr

    def said(text: str) -> str:
        (tmp_path / "engine.py").write_text(text)
        command = [sys.executable, "-m", "mypy", "--config-file", REPO / "pyproject.toml", "engine.py"]
        paths = f"{tmp_path / 'stubs'}{os.pathsep}{REPO}"
        more = ["--follow-imports=skip", "--cache-dir", tmp_path / "cache"]
        return subprocess.run(
            [*command, *more],
            cwd=tmp_path,
            env={**os.environ, "MYPYPATH": paths},
            capture_output=True,
            text=True,
        ).stdout

    text = MODULE.read_text()
    assert "attr-defined" not in said(text)
    misspelled = text.replace("gym.refresh_dof_state_tensor(", "gym.refresh_dof_states_tensor(")
    assert misspelled != text and 'has no attribute "refresh_dof_states_tensor"' in said(misspelled)
    wrong = text.replace("gym.fetch_results(sim, True)", "gym.fetch_results()")
    assert wrong != text and "fetch_results" in said(wrong)


def reached(start: Path) -> set[Path]:
    """The project's files that are imported when `start` is; imports in functions do not count."""
    seen: set[Path] = set()
    todo = [start]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                todo += [file for name in names if name for file in reach.modules(name)]
    return seen


def test_what_it_imports_is_python_3_8() -> None:
    files = sorted(reached(MODULE))
    assert REPO / "video2policy" / "sim" / "states.py" in files
    assert REPO / "video2policy" / "mjcf.py" not in files  # there is no MuJoCo 4 for Python 3.8
    for path in files:
        tree = ast.parse(path.read_text(), feature_version=(3, 8))
        futures = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
        assert path.name == "__init__.py" or futures[0].module == "__future__", path
    vermin = pytest.importorskip("vermin", reason="requirements-test.txt is not installed")
    config = vermin.Config()
    config.set_eval_annotations(False)
    for path in files:
        version = vermin.detect(path.read_text(), config)[1]
        assert version is None or version <= (3, 8), (path, version)


def test_quaternions_change_their_order_at_the_border(isaac: Any) -> None:
    quat = np.array([[0.1, 0.2, 0.3, 0.9], [0.5, 0.5, 0.5, 0.5]])
    assert np.array_equal(isaac.wxyz(isaac.xyzw(quat)), quat)
    assert np.array_equal(isaac.xyzw(np.array([[1.0, 2, 3, 4]])), [[2, 3, 4, 1]])


def test_rotations_on_the_device_are_those_on_the_host(isaac: Any) -> None:
    rng = np.random.default_rng(0)
    quats = rng.normal(size=(6, 4))
    quats /= np.linalg.norm(quats, axis=1, keepdims=True)
    vectors = rng.normal(size=(6, 3))
    turned = isaac.rotated(torch.from_numpy(quats), torch.from_numpy(vectors)).numpy()
    errors = isaac.rotation_error(torch.from_numpy(quats), torch.from_numpy(quats[::-1].copy())).numpy()
    for k in range(6):
        assert np.allclose(turned[k], np.array(arms.matrix(quats[k])) @ vectors[k])
        assert np.allclose(errors[k], arms.rotation_error(quats[k], quats[5 - k]))


def test_distance_to_a_hull(isaac: Any) -> None:
    hull = isaac._Hull(trimesh.creation.box((0.1, 0.2, 0.3)), torch.device("cpu"))
    pose = torch.tensor([[1.0, 0, 0, 2**-0.5, 0, 0, 2**-0.5]])  # moved, and turned by a quarter about z
    points = torch.tensor([[[1.0, 0.06, 0.0]], [[1.0, 0.0, 0.0]], [[1.0, 0.0, 0.17]]])
    distances = [float(hull.distance(pose, point[None])) for point in points[:, 0][:, None]]
    assert distances == pytest.approx([0.01, -0.05, 0.02], abs=1e-5)
    corners = hull.vertices_at(pose)[0]
    assert corners.max(dim=0).values.tolist() == pytest.approx([1.1, 0.05, 0.15], abs=1e-5)


def test_its_torques_bring_the_tool_to_the_target(isaac: Any, tmp_path: Path) -> None:
    """The controller alone, on MuJoCo's arm: what Isaac Gym would hand it comes from the MJCF."""
    path = primitive_scene(tmp_path)
    spec = mjcf.build(Scene.load(path), tmp_path)
    for actuator in list(spec.actuators):
        spec.delete(actuator)
    model = spec.compile()
    model.opt.timestep = 0.002
    data = mujoco.MjData(model)
    data.qpos[:7] = panda.joints_at(np.array([[0.0, 0.0, 0.25]]))[0]
    hand = model.body(f"{mjcf.GRIPPER}hand").id
    tool = model.site(f"{mjcf.GRIPPER}tool").id
    target = torch.tensor([[0.05, -0.04, 0.2]])
    turn = torch.tensor([arms.tool_quat(arms.HOME_YAW + 0.2, 0.0, 0.0)], dtype=torch.float32)

    sim = isaac.IsaacGymSim.__new__(isaac.IsaacGymSim)
    sim._where, sim._hand = torch.device("cpu"), 0
    sim._limits = torch.tensor(isaac.TORQUES)
    sim._relaxed = torch.as_tensor(panda.RELAXED, dtype=torch.float32)
    for _ in range(1500):
        mujoco.mj_forward(model, data)
        origin = data.site_xpos[tool] - isaac.TOOL_BELOW_HAND * data.site_xmat[tool].reshape(3, 3)[:, 2]
        jacobian, mass = np.zeros((6, model.nv)), np.zeros((model.nv, model.nv))
        mujoco.mj_jac(model, data, jacobian[:3], jacobian[3:], origin, hand)
        mujoco.mj_fullM(model, data, mass)
        link = np.concatenate([origin, isaac.xyzw(data.xquat[[hand]])[0], np.zeros(6)])
        sim._links = torch.as_tensor(link[None, None], dtype=torch.float32)
        sim._jacobian = torch.as_tensor(jacobian[None, :, :7], dtype=torch.float32)
        sim._mass = torch.as_tensor(mass[None, :9, :9], dtype=torch.float32)
        sim._dofs = torch.as_tensor(np.stack([data.qpos[:9], data.qvel[:9]], 1)[None], dtype=torch.float32)
        data.qfrc_applied[:7] = sim._torque(target, turn)[0].double().numpy()
        mujoco.mj_step(model, data)
    assert np.abs(data.site_xpos[tool] - target[0].numpy()).max() < 5e-3
    assert abs(data.xquat[hand] @ turn[0].double().numpy()) > 0.999


def test_without_isaac_gym_it_ends_in_one_sentence(tmp_path: Path) -> None:
    spec = {"scene": str(primitive_scene(tmp_path)), "engine": "isaacgym", "device": "auto", "robot": "panda"}
    with pytest.raises(engines.EngineError, match="needs Isaac Gym Preview 4, which only NVIDIA") as caught:
        engines.make({**spec, "threads": 1, "horizon": 100, "fit_gripper": True}, 1, 0)
    assert "\n" not in str(caught.value)


def test_it_has_what_the_contract_asks_for(isaac: Any) -> None:
    for name in ("sample_object_poses", "reset", "step", "states", "render", "close"):
        assert callable(getattr(isaac.IsaacGymSim, name)) and hasattr(MujocoSim, name)
