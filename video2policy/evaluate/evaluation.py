"""Evaluate trained policies: roll out in a worker, judge here, film what happened.

The worker that runs generated code never holds a judge, and this process never runs generated code.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from video2policy import mjcf
from video2policy.evaluate import hacking, statistics
from video2policy.evaluate.judges import Verdicts, judge
from video2policy.evaluate.recording import Recording
from video2policy.evaluate.rollout import Shot, choose, write_rollout
from video2policy.guard.process import Sandbox, run_worker
from video2policy.scene import Scene
from video2policy.sim import engines
from video2policy.sim.base import Kind
from video2policy.sim.mujoco import MujocoSim
from video2policy.sim.randomise import Randomisation
from video2policy.task import state_widths

Images = npt.NDArray[np.uint8]

log = logging.getLogger("video2policy")

STATE_WORKER = "video2policy.evaluate.worker"


@dataclass(frozen=True)
class Rollouts:
    """Where and how episodes run; what a config's `simulation` and `training` blocks say.

    Attributes:
        scene: scene.json. task: task.py. robot: one of `hands.ROBOTS`. horizon: control steps an episode.
        randomise: the config's `simulation.randomise`, a preset or entries (`sim.randomise`).
        engine, device: as in the config's `simulation`; what is recorded is drawn with MuJoCo in any case.
        threads: of the simulator; results do not depend on it. timeout: seconds, ends a worker that hangs.
        sandbox: the config's `sandbox`.
        answer: called with the worker's folder and each line of its progress.
    """

    scene: Path
    task: Path
    robot: str = "panda"
    horizon: int = 100
    fit_gripper: bool = True
    engine: str = engines.MUJOCO
    device: str = "auto"
    randomise: str | Mapping[str, Any] = "none"
    threads: int = 1
    timeout: float = 3600.0
    sandbox: str = "best_effort"
    answer: Callable[[Path, str], None] | None = None

    @classmethod
    def from_config(
        cls,
        scene: Path,
        task: Path,
        simulation: Mapping[str, Any],
        sandbox: str = "best_effort",
        answer: Callable[[Path, str], None] | None = None,
    ) -> Rollouts:
        """As the config's `simulation` block and its `sandbox` say."""
        simulation = engines.judging(simulation)
        return cls(
            scene,
            task,
            robot=str(simulation["robot"]),
            horizon=int(simulation["horizon"]),
            fit_gripper=bool(simulation["fit_gripper"]),
            engine=str(simulation["engine"]),
            device=str(simulation["device"]),
            randomise=simulation.get("randomise", "none"),
            sandbox=sandbox,
            answer=answer,
        )

    @classmethod
    def of_clips(
        cls,
        scenes: Sequence[Path],
        tasks: Sequence[Path],
        simulation: Mapping[str, Any],
        sandbox: str = "best_effort",
    ) -> list[Rollouts]:
        """One for each clip; `scenes` and `tasks` are in the same order."""
        pairs = zip(scenes, tasks, strict=True)
        return [cls.from_config(scene, task, simulation, sandbox) for scene, task in pairs]

    def run(
        self,
        policy: Path,
        episodes: int,
        seed: int,
        action_noise: float = 0.0,
        worker: str = STATE_WORKER,
        **more: Any,
    ) -> Recording:
        """Episodes of one policy; `more` goes into the worker's specification.

        Raises:
            WorkerError: the worker failed.
            Refused: the sandbox is required, and this machine does not have it.
            RecordingError: what it left is no recording of these episodes.
        """
        spec = {
            "scene": self.scene.resolve(),
            "task": self.task.resolve(),
            "policy": policy.resolve(),
            "robot": self.robot,
            "horizon": self.horizon,
            "fit_gripper": self.fit_gripper,
            "engine": self.engine,
            "device": self.device,
            "randomise": self.randomise,
            "threads": self.threads,
            "episodes": episodes,
            "seed": seed,
            "action_noise": action_noise,
            **more,
        }
        read = (self.scene, self.scene.parent / "objects", self.task, policy)
        names = Scene.load(self.scene).names
        widths, draws = state_widths(names), Randomisation.of(self.randomise).shapes(len(names))
        with tempfile.TemporaryDirectory() as folder:
            limits = Sandbox(self.sandbox, read)
            say = partial(self.answer, Path(folder)) if self.answer is not None else None
            result = run_worker(worker, spec, Path(folder), self.timeout, say, limits)
            path = Path(folder) / "recording.npz"
            recording = Recording.load(
                path, steps=self.horizon, episodes=episodes, widths=widths, draws=draws
            )
        return replace(recording, sandbox=result.get("sandbox"))

    def judge(self, recording: Recording) -> Verdicts:
        """The verdicts of the scene's family over recorded episodes."""
        task = Scene.load(self.scene).task
        return judge(task.family, task.roles, recording.trajectory())

    def simulator(self) -> MujocoSim:
        """One simulation of the scene, to draw recorded configurations with."""
        return MujocoSim(
            Scene.load(self.scene),
            self.scene.parent,
            1,
            self.robot,
            fit_gripper=self.fit_gripper,
            randomise=Randomisation.of(self.randomise),
        )

    def scale(self) -> float:
        """Uniform factor on all objects in this simulation; below 1 where one had to fit the gripper."""
        scene = Scene.load(self.scene)
        if not self.fit_gripper:
            return 1.0
        return mjcf.gripper_scale(scene, self.scene.parent, mjcf.grasped_objects(scene), self.robot)


def policies_of(seeds: Path) -> list[Path]:
    """The policies in a folder, one for each training seed, in order: seed_0.safetensors ..."""
    return sorted(seeds.glob("seed_*.safetensors"), key=lambda path: (len(path.name), path))


def views(
    sim: MujocoSim,
    recording: Recording,
    episode: int,
    camera: str,
    width: int,
    height: int,
    kinds: Sequence[Kind],
) -> Iterator[list[npt.NDArray[Any]]]:
    """The episode's views of the given kinds, drawn from its configurations without any generated code."""
    if recording.draws:
        sim.randomise(np.zeros(1, np.int32), recording.drawn(episode))
    for configuration in recording.configuration[:, episode]:
        sim.show(0, configuration)
        yield sim.images(0, camera, width, height, kinds)


def film(
    sim: MujocoSim, recording: Recording, episode: int, camera: str, width: int, height: int
) -> Iterator[Images]:
    """The episode's frames (height, width, 3); see `views`."""
    for (image,) in views(sim, recording, episode, camera, width, height, ("rgb",)):
        yield np.asarray(image, np.uint8)


def evaluate(
    rollouts: Rollouts, policies: Sequence[Path], episodes: int, seed: int, **more: Any
) -> tuple[dict[str, Any], list[Recording], list[Verdicts]]:
    """Judge one policy per training seed, each on its own episodes.

    Returns:
        The measured part of eval.json, and each policy's recording and verdicts.
    """
    recordings, verdicts, rows, counts = [], [], [], []
    for index, policy in enumerate(policies):
        # Far apart, so that further batches of one policy never repeat another's episodes.
        recordings.append(rollouts.run(policy, episodes, seed + 1_000_000 * index, **more))
        verdicts.append(rollouts.judge(recordings[-1]))
        successes = int(verdicts[-1].success.sum())
        counts.append((successes, episodes))
        rows.append(
            {
                "training_seed": index,
                "episodes": episodes,
                "successes": successes,
                "success_rate": round(successes / episodes, 4),
                "generated_success_rate": round(float(recordings[-1].generated_success().mean()), 4),
                "agreement": round(
                    float((verdicts[-1].success == recordings[-1].generated_success()).mean()), 4
                ),
                "median_first_step": _median_step(verdicts[-1]),
            }
        )
        log.info("policy %d of %d: %d of %d episodes succeed", index + 1, len(policies), successes, episodes)
    rate = statistics.success_rate(counts)
    result = {
        "episodes": rate.episodes,
        "successes": rate.successes,
        "success_rate": round(rate.rate, 4),
        "ci95": [round(bound, 4) for bound in rate.interval],
        "ci_method": rate.method,
        "generated_success_rate": round(
            float(np.mean([r.generated_success().mean() for r in recordings])), 4
        ),
        "per_seed": rows,
        "verdicts": hacking.verdicts(Scene.load(rollouts.scene).task.roles, recordings, verdicts),
        "sandbox": recordings[0].sandbox,
    }
    return result, recordings, verdicts


def _median_step(verdicts: Verdicts) -> float | None:
    steps = verdicts.first_step[verdicts.success]
    return float(np.median(steps)) if len(steps) else None


def write_video(
    path: Path,
    rollouts: Rollouts,
    recordings: Sequence[Recording],
    verdicts: Sequence[Verdicts],
    caption: str,
    count: int = 4,
    camera: str = "front",
    size: tuple[int, int] = (320, 240),
) -> None:
    """Film `count` episodes of all policies, a failed one last if there is one; `size` is (width, height)."""
    success = np.concatenate([v.success for v in verdicts])
    first_step = np.concatenate([v.first_step for v in verdicts])
    per_policy = recordings[0].episodes
    sim = rollouts.simulator()
    shots = []
    for index in choose(success, count):
        policy, episode = divmod(index, per_policy)
        frames = np.stack(list(film(sim, recordings[policy], episode, camera, *size)))
        shots.append(Shot(frames, f"seed {policy}, episode {episode}", int(first_step[index])))
    fps = round(1 / sim.control_step)
    sim.close()
    write_rollout(path, shots, caption, fps)


def describe(
    rollouts: Rollouts, video: str, variant: str, training_seeds: int, measured: Mapping[str, Any]
) -> dict[str, Any]:
    """eval.json: the measured part with what was evaluated and how."""
    task = Scene.load(rollouts.scene).task
    return {
        "video": video,
        "variant": variant,
        "task": task.caption,
        "judge": task.family,
        "simulator": rollouts.engine,
        "robot": rollouts.robot,
        "horizon": rollouts.horizon,
        "sim_scale": round(rollouts.scale(), 4),
        "training_seeds": training_seeds,
        **({} if rollouts.randomise == "none" else {"randomise": rollouts.randomise}),
        **measured,
    }
