"""The engines behind the simulator contract: which there are, what each needs, and how one is started.

Standard library only until an engine is started: the Snakefile reads it in the host environment.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from video2policy.sim.base import Simulator

MUJOCO, WARP, ISAACGYM = ENGINES = ("mujoco", "warp", "isaacgym")

CLASSES = {MUJOCO: "MujocoSim", WARP: "WarpSim", ISAACGYM: "IsaacGymSim"}
"""Each engine's class, in the module of its name."""

PACKAGES = {
    WARP: "mujoco-warp==4.0.0 and warp-lang==1.19.0 (envs/warp.yaml)",
    ISAACGYM: "Isaac Gym Preview 4, which only NVIDIA hands out (envs/isaacgym.yaml)",
}
"""What to install where an engine's packages are absent."""


class EngineError(ValueError):
    """An engine that is unknown or cannot start here; one sentence."""


def make(spec: Mapping[str, Any], n_envs: int, seed: int) -> Simulator:
    """Start the engine that a worker's specification names, over `n_envs` copies of its scene.

    `spec` has the config's `simulation` (engine, device, robot, horizon, fit_gripper, randomise), threads,
    and the path of scene.json. Raises EngineError; mjcf.SceneError when the scene cannot be simulated.
    """
    engine = spec["engine"]
    if engine not in ENGINES:
        raise EngineError(f"no engine {engine!r}; there are {', '.join(ENGINES)}")
    try:
        return _start(engine, spec, n_envs, seed)
    except ModuleNotFoundError as error:
        if engine == MUJOCO:
            raise
        raise EngineError(f"simulation.engine: {engine} needs {PACKAGES[engine]}: {error.msg}") from error


def _start(engine: str, spec: Mapping[str, Any], n_envs: int, seed: int) -> Simulator:
    from video2policy.scene import Scene
    from video2policy.sim.randomise import PRESETS, Randomisation

    randomise = Randomisation.of(spec.get("randomise", "none"))
    if engine == ISAACGYM and randomise != PRESETS["none"]:
        raise EngineError(
            f"simulation.randomise: the engine {engine} cannot randomise; choose none, or the engine {MUJOCO}"
        )
    # Imported only here: no environment has the packages of all engines.
    simulator = getattr(importlib.import_module(f"video2policy.sim.{engine}"), CLASSES[engine])
    scene = Path(spec["scene"])
    own: dict[str, Any] = {"device": spec["device"]}
    if engine == MUJOCO:
        own = {"threads": int(spec["threads"])}
    if engine != ISAACGYM:
        own["randomise"] = randomise
    return simulator(
        Scene.load(scene),
        scene.parent,
        n_envs,
        robot=spec["robot"],
        seed=seed,
        horizon=int(spec["horizon"]),
        fit_gripper=bool(spec["fit_gripper"]),
        **own,
    )


def judging(simulation: Mapping[str, Any]) -> dict[str, Any]:
    """The config's `simulation` as policies are judged and filmed in it: that of their training.

    Except after Isaac Gym: recordings are drawn with MuJoCo 4, which its Python 3.8 does not have. Its
    policies are judged in MuJoCo, and eval.json says so.
    """
    engine = simulation["engine"]
    return {**simulation, "engine": MUJOCO if engine == ISAACGYM else engine}


def environment(simulation: Mapping[str, Any]) -> str:
    """File in envs/ of the environment that the engine runs in."""
    engine = simulation["engine"]
    return "embedded.yaml" if engine == MUJOCO else f"{engine}.yaml"


def gpus(simulation: Mapping[str, Any]) -> int:
    """GPUs that a job asks its scheduler for."""
    return 0 if simulation["engine"] == MUJOCO or simulation["device"] == "cpu" else 1


def module(simulation: Mapping[str, Any]) -> str:
    """File of the engine: what the provenance of what it computes must also cover."""
    return f"video2policy/sim/{simulation['engine']}.py"
