"""Judged successes of a trained policy as a LeRobot dataset (paper, section 4.2: trajectories for imitation).

A worker runs the policy and records states; this process judges them and draws the successful episodes from
their recorded configurations. An episode that failed or broke off never enters. Drawing is what takes long:
it goes into small datasets (shards) that a collection which was broken off finds again, and joins at the
end.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from video2policy.dataset import card, checksums
from video2policy.dataset.lerobot import DEPTH_MAX, DEPTH_SUFFIX, MASK_SUFFIX, Writer, merge, picture_of
from video2policy.evaluate.evaluation import Rollouts, views
from video2policy.evaluate.recording import Recording
from video2policy.files import written
from video2policy.scene import Scene
from video2policy.sim.base import Kind
from video2policy.sim.mujoco import MujocoSim
from video2policy.task import ROBOT_OBSERVATIONS, ROBOT_STATES

log = logging.getLogger("video2policy")

STATE_KEYS = ROBOT_OBSERVATIONS
"""What `observation.state` holds: the robot's own states, nothing of the objects."""

ACTION_NAMES = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
POSE_NAMES = ("x", "y", "z", "qw", "qx", "qy", "qz")
SHARD = 10
"""Episodes drawn between two points at which a collection can go on."""

MAX_ATTEMPTS = 5
"""Episodes tried for each one wanted, before fewer are kept."""


@dataclass(frozen=True)
class Wish:
    """What to collect.

    Attributes:
        episodes: successful episodes to keep. image: side of the square images in pixels.
        cameras: of the simulator, drawn at every control step.
        action_noise: standard deviation of noise on the executed tool motion; the recorded action is the
            policy's own, which shows imitation how to come back (Laskey et al. 2017, DART).
        after: control steps kept after the judge is satisfied; None keeps the whole episode. A trained policy
            succeeds early, and what it does with the rest of its time would drown what is worth imitating.
    """

    episodes: int
    image: int = 256
    cameras: tuple[str, ...] = ("front", "wrist")
    action_noise: float = 0.0
    after: int | None = None
    seed: int = 5000
    masks: bool = False
    """Keep the segmentation of every camera: 0 background, 1... the objects in order, then the robot."""
    depth: bool = False
    """Keep the depth of every camera, in millimetres."""


def state_names() -> list[str]:
    """Names of the dimensions of `observation.state`."""
    return [
        f"{key}.{i}" if ROBOT_STATES[key] > 1 else key for key in STATE_KEYS for i in range(ROBOT_STATES[key])
    ]


def robot_states(recording: Recording, episode: int) -> npt.NDArray[np.float32]:
    """(T, d) of one episode: the robot's own states before each action."""
    steps = len(recording.actions)
    columns = [recording.states[key][:steps, episode].reshape(steps, -1) for key in STATE_KEYS]
    return np.concatenate(columns, axis=1)


def environment_names(objects: list[str]) -> list[str]:
    """Names of the dimensions of `observation.environment_state`: every object's pose (world frame, wxyz)."""
    return [f"{name}.{part}" for name in objects for part in POSE_NAMES]


def object_poses(recording: Recording, episode: int, objects: list[str]) -> npt.NDArray[np.float32]:
    """(T, 7 * objects) of one episode: position in metres and quaternion before each action."""
    steps = len(recording.actions)
    parts = [
        recording.states[f"{name}_{part}"][:steps, episode] for name in objects for part in ("pos", "quat")
    ]
    return np.concatenate(parts, axis=1)


def collect(rollouts: Rollouts, policy: Path, wish: Wish, root: Path, **more: Any) -> dict[str, Any]:
    """Write the dataset into `root` and return what was collected (also meta/collection.json).

    `more` goes to `Rollouts.run`: another worker than that of policies, and what it needs.

    Where no episode succeeds, `root` holds meta/collection.json alone. What was drawn already is found again
    in the folder `<root>.shards`, unless policy, scene or wish changed; it goes when the dataset is whole.
    """
    scene = Scene.load(rollouts.scene)
    sim = rollouts.simulator()
    shards = _Shards(root.with_name(f"{root.name}.shards"), _fingerprint(rollouts, policy, wish))
    kept: list[dict[str, Any]] = []
    tried = succeeded = 0
    while len(kept) < wish.episodes and tried < MAX_ATTEMPTS * wish.episodes:
        seed = wish.seed + tried
        recording = rollouts.run(policy, wish.episodes, seed, wish.action_noise, **more)
        verdicts = rollouts.judge(recording)
        tried += wish.episodes
        succeeded += int(verdicts.success.sum())
        chosen = np.flatnonzero(verdicts.success)[: wish.episodes - len(kept)]
        for start in range(0, len(chosen), SHARD):
            some = chosen[start : start + SHARD]
            if not shards.found(len(kept)):
                with shards.writer(len(kept), rollouts, wish, scene, sim) as writer:
                    for episode in some:
                        satisfied = int(verdicts.first_step[episode])
                        _add(writer, sim, scene, recording, int(episode), satisfied, wish)
            for episode in some:
                one: dict[str, Any] = {"seed": seed, "environment": int(episode)}
                if draw := recording.drawn(episode):
                    one["draw"] = {name: value[0].tolist() for name, value in draw.items()}
                kept.append(one)
            log.info("%d of %d successful episodes collected, %d tried", len(kept), wish.episodes, tried)
        if not verdicts.success.any():
            log.info("none of %d episodes succeeded", wish.episodes)
            break  # a policy that never succeeds in so many episodes is not worth five times as many
    sim.close()
    about = {
        "video": scene.video,
        "family": scene.task.family,
        "task": scene.task.caption,
        "robot": rollouts.robot,
        "judge": scene.task.family,
        "objects": list(scene.names),
        "roles": scene.task.roles,
        "episodes": len(kept),
        "tried": tried,
        "success_rate": round(succeeded / tried, 4),
        "sim_scale": round(rollouts.scale(), 4),
        "randomise": rollouts.randomise,
        "settings": asdict(wish),
        "kept": kept,
    }
    (root / "meta").mkdir(parents=True, exist_ok=True)
    if kept:
        merge(shards.all(), root)
    (root / "meta" / "collection.json").write_text(json.dumps(about, indent=1) + "\n")
    if kept:
        card.write(root, [about], card.mesh_methods(rollouts.scene))
        checksums.seal(root)
    shards.remove()
    return about


def _add(
    writer: Writer,
    sim: MujocoSim,
    scene: Scene,
    recording: Recording,
    episode: int,
    satisfied: int,
    wish: Wish,
) -> None:
    """Draw one episode into the writer; row t + 1 of the trajectory is what action t led to."""
    length = len(recording.actions)
    if wish.after is not None:
        length = min(length, satisfied + wish.after)
    kinds: list[Kind] = ["rgb"]
    if wish.masks:
        kinds.append("segmentation")
    if wish.depth:
        kinds.append("depth")
    images: dict[str, Any] = {}
    for camera in wish.cameras:
        frames = views(sim, recording, episode, camera, wish.image, wish.image, kinds)
        drawn = {
            kind: np.stack(all_)
            for kind, all_ in zip(kinds, zip(*islice(frames, length), strict=True), strict=True)
        }
        images[camera] = drawn["rgb"].astype(np.uint8, copy=False)
        if wish.masks:
            images[camera + MASK_SUFFIX] = picture_of(drawn["segmentation"])
        if wish.depth:
            images[camera + DEPTH_SUFFIX] = np.clip(np.rint(drawn["depth"] * 1000), 0, DEPTH_MAX).astype(
                np.uint16
            )
    writer.add_episode(
        task=scene.task.caption,
        state=robot_states(recording, episode)[:length],
        action=recording.actions[:length, episode],
        success=np.arange(1, length + 1) >= satisfied,
        images=images,
        environment=object_poses(recording, episode, list(scene.names))[:length],
    )


def _fingerprint(rollouts: Rollouts, policy: Path, wish: Wish) -> str:
    """Of all that decides what is drawn."""
    where = asdict(replace(rollouts, answer=None))
    digest = hashlib.sha256(json.dumps([asdict(wish), where], default=str).encode())
    for path in (policy, rollouts.scene, rollouts.task):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class _Shards:
    """The finished parts of one collection, named by the number of their first episode."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder, mark = folder, folder / "fingerprint"
        if folder.exists() and not (mark.exists() and mark.read_text() == fingerprint):
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_text(fingerprint)

    def found(self, first: int) -> bool:
        return (self.folder / f"{first:06d}").is_dir()

    def all(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("*") if path.is_dir() and path.name.isdigit())

    @contextmanager
    def writer(
        self, first: int, rollouts: Rollouts, wish: Wish, scene: Scene, sim: MujocoSim
    ) -> Iterator[Writer]:
        """A writer whose dataset gets its name only when it is whole."""
        shape = (wish.image, wish.image)
        kept = {"": True, MASK_SUFFIX: wish.masks, DEPTH_SUFFIX: wish.depth}
        names = [camera + suffix for camera in wish.cameras for suffix, wanted in kept.items() if wanted]
        with written(self.folder / f"{first:06d}") as part:
            writer = Writer(
                part,
                round(1 / sim.control_step),
                rollouts.robot,
                dict.fromkeys(names, shape),
                state_names(),
                ACTION_NAMES,
                environment_names(list(scene.names)),
            )
            yield writer
            writer.close()

    def remove(self) -> None:
        shutil.rmtree(self.folder)
