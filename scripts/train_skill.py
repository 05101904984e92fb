"""A policy that imitates a rule of thumb for the handled object, from which the task's trainings start."""

import json
from dataclasses import asdict

import torch

from scripts.stage import Input, Output, stage
from video2policy.author.grammar import grip
from video2policy.families import held_roles
from video2policy.scene import Scene
from video2policy.sim import engines
from video2policy.train import skill
from video2policy.train.policy import save_policy
from video2policy.train.ppo import Training


def main(scene: Input, policy: Output, about: Output, simulation: dict, training: dict) -> None:
    torch.set_num_threads(1)
    loaded, seed = Scene.load(scene), int(training["seed"])
    spec = {**simulation, "scene": str(scene), "threads": training["threads"]}
    sim = engines.make(spec, min(int(simulation["environments"]), skill.SIMULATIONS), seed)
    roles, place = loaded.task.roles, skill.PLACES.get(loaded.task.family)
    learnt = skill.learn(sim, roles, Training().units, seed, place, grip(loaded))
    save_policy(policy, learnt.policy)
    record: dict[str, object] = {
        "object": roles["a"],
        "place": place and asdict(place),
        "episodes": sim.n_envs,
    }
    if held_roles(loaded.task.family):
        record["lifted"] = skill.lifted(sim, learnt, roles["a"])
    about.write_text(json.dumps(record, indent=1) + "\n")


stage(main)
