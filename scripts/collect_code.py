"""Judged successes of written programs (Code-as-Policies) as a LeRobot dataset, for imitation."""

from typing import Any

from scripts.stage import Failed, Input, Output, stage
from video2policy.author.cassette import NoReply
from video2policy.dataset.collection import collect
from video2policy.evaluate.evaluation import Rollouts
from video2policy.evaluate.improvise import EVERY, WORKER, Improviser, writer
from video2policy.policy.bc import PRESETS
from video2policy.policy.demonstrations import demonstrations_of


def main(
    scene: Input,
    task: Input,
    programs: Output,
    trajectories: Output,
    author: dict[str, Any],
    collection: dict[str, Any],
    simulation: dict[str, Any],
    sandbox: str = "best_effort",
    config: dict[str, Any] | None = None,
) -> None:
    """`task` gives the resets; `programs` as in `act_by_code`; `collection` as in `collect`, by preset."""
    programs.mkdir(exist_ok=True)
    improviser = Improviser(writer(scene, author, config), programs)
    rollouts = Rollouts.from_config(scene, task, simulation, sandbox, improviser.answer)
    wish = demonstrations_of(PRESETS[collection["preset"]], int(collection["episodes"]))
    try:
        collect(rollouts, task, wish, trajectories, worker=WORKER, every=EVERY, patience=rollouts.timeout)
    except NoReply as error:
        raise Failed(str(error)) from None
    improviser.save()


stage(main)
