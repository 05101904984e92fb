"""A short training in grasping and lifting the handled object, from which the task's trainings start."""

import json
import tempfile
from pathlib import Path

from scripts.stage import Input, Output, stage
from video2policy.scene import Scene
from video2policy.train import skill
from video2policy.train.run import Job, run_training


def main(
    scene: Input, policy: Output, log_csv: Output, search: Output, simulation: dict, training: dict
) -> None:
    """The settings are those of the task's trainings, but it ends earlier."""
    short = {
        **training,
        "max_steps": min(skill.MAX_STEPS, int(training["max_steps"])),
        "solved": skill.SOLVED,
    }
    with tempfile.TemporaryDirectory() as folder:
        task = Path(folder) / "task.py"
        task.write_text(skill.write_task(Scene.load(scene)))
        job = Job(scene, task, task, simulation, short)
        result = run_training(job, int(training["seed"]), policy, log_csv)
    search.write_text(json.dumps(result, indent=1) + "\n")


stage(main)
