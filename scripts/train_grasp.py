"""A policy that grasps and lifts the handled object, from which the task's trainings start."""

import json

import torch

from scripts.stage import Input, Output, stage
from video2policy.author.grammar import grip
from video2policy.scene import Scene
from video2policy.sim import engines
from video2policy.train import skill
from video2policy.train.policy import save_policy
from video2policy.train.ppo import Training


def main(scene: Input, policy: Output, held: Output, simulation: dict, training: dict) -> None:
    torch.set_num_threads(1)
    loaded, seed = Scene.load(scene), int(training["seed"])
    spec = {**simulation, "scene": str(scene), "threads": training["threads"]}
    sim = engines.make(spec, int(simulation["environments"]), seed)
    handled = loaded.task.roles["a"]
    learnt = skill.learn(sim, handled, Training().units, seed, grip(loaded))
    save_policy(policy, learnt.policy)
    rate = skill.held_up(sim, learnt, handled)
    held.write_text(json.dumps({"object": handled, "held_up": rate, "episodes": sim.n_envs}) + "\n")


stage(main)
