"""Judged successes of a trained policy as a LeRobot dataset (paper, section 4.2: trajectories for imitation).

A worker runs the policy and records states; this process judges them and draws the successful episodes from
their recorded configurations. An episode that failed or broke off never enters.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from video2policy.dataset.lerobot import Images, Writer
from video2policy.evaluate.evaluation import Rollouts, film
from video2policy.evaluate.recording import Recording
from video2policy.scene import Scene
from video2policy.task import ROBOT_OBSERVATIONS, ROBOT_STATES

log = logging.getLogger("video2policy")

STATE_KEYS = ROBOT_OBSERVATIONS
"""What `observation.state` holds: the robot's own states, nothing of the objects."""

ACTION_NAMES = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
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


def collect(rollouts: Rollouts, policy: Path, wish: Wish, root: Path) -> dict[str, Any]:
    """Write the dataset into `root` and return what was collected (also meta/collection.json).

    Where no episode succeeds, `root` holds meta/collection.json alone.
    """
    scene = Scene.load(rollouts.scene)
    sim = rollouts.simulator()
    fps = round(1 / sim.control_step)
    shape = (wish.image, wish.image)
    writer = Writer(
        root, fps, rollouts.robot, dict.fromkeys(wish.cameras, shape), state_names(), ACTION_NAMES
    )
    kept = tried = succeeded = 0
    draws: list[dict[str, Any]] = []
    while kept < wish.episodes and tried < MAX_ATTEMPTS * wish.episodes:
        recording = rollouts.run(policy, wish.episodes, wish.seed + tried, wish.action_noise)
        verdicts = rollouts.judge(recording)
        tried += wish.episodes
        succeeded += int(verdicts.success.sum())
        for episode in np.flatnonzero(verdicts.success)[: wish.episodes - kept]:
            # Row t + 1 of the trajectory is what action t led to.
            satisfied = int(verdicts.first_step[episode])
            length = len(recording.actions)
            if wish.after is not None:
                length = min(length, satisfied + wish.after)

            def images(
                camera: str, recording: Recording = recording, episode: int = episode, length: int = length
            ) -> Iterator[Images]:
                return islice(film(sim, recording, episode, camera, *shape), length)

            writer.add_episode(
                task=scene.task.caption,
                state=robot_states(recording, episode)[:length],
                action=recording.actions[:length, episode],
                success=np.arange(1, length + 1) >= satisfied,
                images={camera: images(camera) for camera in wish.cameras},
            )
            draws.append({name: value[0].tolist() for name, value in recording.drawn(episode).items()})
            kept += 1
        log.info("%d of %d successful episodes collected, %d tried", kept, wish.episodes, tried)
        if not verdicts.success.any():
            break  # a policy that never succeeds in so many episodes is not worth five times as many
    sim.close()
    about = {
        "video": scene.video,
        "family": scene.task.family,
        "task": scene.task.caption,
        "robot": rollouts.robot,
        "judge": scene.task.family,
        "episodes": kept,
        "tried": tried,
        "success_rate": round(succeeded / tried, 4),
        "sim_scale": round(rollouts.scale(), 4),
        "settings": asdict(wish),
    }
    if any(draws):  # domain randomisation: what each kept episode had
        about |= {"randomise": rollouts.randomise, "draws": draws}
    if kept:
        writer.close()
    (root / "meta").mkdir(parents=True, exist_ok=True)
    (root / "meta" / "collection.json").write_text(json.dumps(about, indent=1) + "\n")
    return about
