"""What the Robotiq hand's whole four-bar linkage costs beside sliding pads: `python -m bench.linkage`.

Both hands are on the same arm over the same table, at the simulator's time step, and close on a box that
hangs between their pads: control steps/s of the bare batch, and how far the box slips down in three seconds.
"""

import argparse
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import mujoco
import numpy as np
from mujoco.batch import Batch

from tests.scenes import primitive_scene
from video2policy import mjcf
from video2policy.scene import Scene
from video2policy.sim.tabletop import SUBSTEPS

ARM = (0.0, 0.2, 0.0, -2.0, 0.0, 2.2, 0.785)
CLOSED = 255.0
"""Command of the linkage's own actuator."""


def linkage(scene: Scene, root: Path) -> mujoco.MjModel:
    """The scene with gym-hil's hand, all links and loops, on the Panda; only its pads collide."""
    assets = Path((find_spec("gym_hil").submodule_search_locations or [""])[0]) / "assets"  # type: ignore[union-attr]
    spec = mjcf.build(scene, root, "panda_robotiq")
    donor = mujoco.MjSpec.from_file(str(assets / "panda.xml"))
    donor.meshdir = str(assets)
    for name in [sensor.name for sensor in spec.sensors]:
        spec.delete(spec.sensor(name))
    spec.delete(spec.body(f"{mjcf.GRIPPER}hand"))
    frame = next(frame for frame in spec.frames if frame.name == "flange")
    frame.pos = [0, 0, 0.107]
    frame.attach_body(donor.body("base_mount"), "four_bar/", "")
    for body in spec.bodies:
        if body.name.startswith("four_bar/"):
            body.gravcomp = 1
            for geom in body.geoms:
                pad = "_pad" in geom.name
                geom.contype, geom.conaffinity = (mjcf.GRIPPER_PIECE, mjcf.GRIPPER_TABLE) if pad else (0, 0)
                geom.condim, geom.friction = 4, [1.2, 0.005, 0.0001]
    return spec.compile()


def measure(model: mujoco.MjModel, tool: str, n_envs: int, steps: int) -> tuple[float, float]:
    """Control steps/s, and the box's slip in metres (not a number where it diverged)."""
    batch = Batch(model, n_envs, 1)
    batch.reset()
    qpos, ctrl, site = batch.bind("qpos"), batch.bind("ctrl"), batch.bind("site_xpos")
    qpos[:, :7] = ctrl[:, :7] = ARM
    box = int(model.joint(mjcf.body_name("cube")).qposadr[0])
    sliding = model.nu == 9
    if sliding:
        qpos[:, 7:9] = ctrl[:, 7:] = 0.0425
    batch.forward()
    held = site[:, model.site(tool).id].copy()
    ctrl[:, 7:] = 0.0 if sliding else CLOSED
    for _ in range(10):  # the box waits while the pads close
        qpos[:, box : box + 3], qpos[:, box + 3 :] = held, [1, 0, 0, 0]
        batch.bind("qvel")[:, -6:] = 0
        batch.step(nstep=SUBSTEPS)
    start = qpos[:, box + 2].copy()
    begin = time.perf_counter()
    for _ in range(steps):
        batch.step(nstep=SUBSTEPS)
    rate = steps * n_envs / (time.perf_counter() - begin)
    return rate, float(np.abs(qpos[:, box + 2] - start).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--envs", type=int, default=64)
    parser.add_argument("--steps", type=int, default=60)
    arguments = parser.parse_args()
    print("| hand | degrees of freedom | bare steps/s, one thread | slip in 3 s, mm |\n" + "|---" * 4 + "|")
    with tempfile.TemporaryDirectory() as folder:
        path = primitive_scene(Path(folder))
        scene = Scene.load(path)
        for name, model, tool in (
            ("sliding pads", mjcf.build(scene, path.parent, "panda_robotiq").compile(), "gripper/tool"),
            ("four-bar linkage", linkage(scene, path.parent), "four_bar/pinch"),
        ):
            rate, slip = measure(model, tool, arguments.envs, arguments.steps)
            print(f"| {name} | {model.nv - 13} | {rate:,.0f} | {1000 * slip:.2f} |", flush=True)


if __name__ == "__main__":
    main()
