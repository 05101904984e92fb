"""The author that needs no network: it writes a task's code and rewards from a family's fragments.

A task genome is drawn from the scene (family, roles, sizes, first and last poses) and written out as the
paper's six parts: scene information, reset, observation, observation space, success, reward (section 3.2,
figure 7). Draws depend on the scene, the seed and the sample's number alone.
"""

from __future__ import annotations

import ast
import json
import math
import random
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from video2policy.author.catalogue import CONDITIONS, FAMILIES, OBSERVATIONS, QUANTITIES, TERMS
from video2policy.author.fragments import Family, number, ordered, shaped
from video2policy.author.genome import SHAPES, Component, RewardGenome, TaskGenome
from video2policy.scene import Scene, SceneObject, goes_in_on_end

NAME = "grammar"

WEIGHT_SPREAD = 0.5
TEMPERATURE_SPREAD = 0.4
"""Standard deviations of the logarithm by which a sampled reward's weights and temperatures differ."""


class AuthorError(Exception):
    """Why no task can be written for a scene, in one sentence."""


NEVER = """def compute_success(self, states):
    # nothing says when this task is done
    return torch.zeros_like(states["table_height"], dtype=torch.bool)
"""


def family_of(scene: Scene) -> Family:
    """Raises AuthorError for a family that this author does not write."""
    family = FAMILIES.get(scene.task.family)
    if family is None:
        raise AuthorError(
            f'the family "{scene.task.family}" is none that this author writes: {", ".join(FAMILIES)}'
        )
    return family


def choose_thresholds(scene: Scene) -> dict[str, float]:
    """Thresholds of the family's fragments in metres, from sizes and from what the clip shows.

    They ask for about 60% of the clip's own change, never for less than the family's definition with a margin
    for errors of measurement, and never for more than the robot's workspace allows.
    """
    a = scene.object(scene.task.roles["a"])
    moved_x, moved_y, raised = a.difference.translation
    half = 0.5 * max(a.size[0], a.size[1])
    shift = abs(moved_y)
    found = {
        "height": _between(0.6 * raised, 0.11, 0.20),
        "steady": 0.5,
        "slow": 0.05,
        "moved": _between(0.6 * shift, max(half, 0.05) + 0.01, max(half + 0.01, 0.15)),
        "low": 0.03,
        "upright": 0.8,
        "table": 0.02,
        "tipped": 0.3,
        "way": _between(0.6 * math.hypot(moved_x, moved_y), 0.06, 0.12),
        "shift": _between(0.6 * abs(moved_x), 0.11, 0.15),
        "lowered": _between(-0.6 * raised, 0.11, 0.15),
        "rolled": _between(0.6 * math.hypot(moved_x, moved_y), 0.11, 0.2),
        "grip": grip(scene),
    }
    if "b" in scene.task.roles:
        found |= _relational(scene, a, scene.object(scene.task.roles["b"]))
    return {name: round(value, 4) for name, value in found.items()}


def _relational(scene: Scene, a: SceneObject, b: SceneObject) -> dict[str, float]:
    first, last = (math.dist(getattr(a, end).pos[:2], getattr(b, end).pos[:2]) for end in ("first", "last"))
    reach_a, reach_b = (0.25 * (item.size[0] + item.size[1]) for item in (a, b))
    return {
        "near": 0.015,
        "near_enough": 0.04,
        "closer": _between(0.6 * (1 - last / max(first, 0.01)), 0.35, 0.5),
        "ahead": 0.03,
        "front_near": 0.12,
        "aim": 0.05,
        "inside": 0.9,
        "sunk": 0.005,
        "apart": 0.01,
        "still": 0.035,
        "shoved": 0.06,
        "parted": _between(0.6 * (last - first), 0.11, 0.15),
        "apart_at_start": reach_a + reach_b + 0.08,
    }


def _between(value: float, least: float, most: float) -> float:
    return max(least, min(value, most))


def default_reward(scene: Scene) -> RewardGenome:
    """The family's reward as its author would first write it."""
    family = family_of(scene)
    left_out = () if grip(scene) else ("hang",)
    return RewardGenome(scene.task.family, tuple(c for c in family.components if c.name not in left_out))


def grip(scene: Scene) -> float:
    """Where along its longest direction the handled object is held: 0 at its centre, 1 at its end.

    What goes into the other one only on end, as a fork into a cup, is held towards its end, which leaves the
    rest of it for the container; what is lifted by one end as well.
    """
    if goes_in_on_end(scene):
        return 0.25
    return 0.65 if scene.task.family in ("lift_end", "lift_end_drop") else 0.0


def sample_reward(scene: Scene, rng: random.Random) -> RewardGenome:
    """A variation of the default reward: weights, temperatures, shapes, a gate and the step penalty."""
    return vary(default_reward(scene), rng)


def vary(reward: RewardGenome, rng: random.Random, amount: float = 1.0) -> RewardGenome:
    """`reward` with log-normal factors on weights and temperatures, sometimes another shape or gate."""
    family = FAMILIES[reward.family]
    components = []
    for component in reward.components:
        weight = component.weight * math.exp(rng.gauss(0.0, WEIGHT_SPREAD * amount))
        temperature = component.temperature * math.exp(rng.gauss(0.0, TEMPERATURE_SPREAD * amount))
        shape = rng.choice(SHAPES) if rng.random() < 0.3 * amount else component.shape
        if TERMS[component.name].kind not in ("distance", "penalty"):
            shape = component.shape
        if TERMS[component.name].kind == "flag":
            temperature = component.temperature
        gate = component.gate
        if component.name in family.gated and rng.random() < 0.3 * amount:
            gate = rng.choice(family.gates)
        components.append(Component(component.name, round(weight, 4), round(temperature, 4), shape, gate))
    penalty = rng.choice((0.0, 0.005, 0.01)) if rng.random() < amount else reward.step_penalty
    return replace(reward, components=tuple(components), step_penalty=penalty)


def draw_task(scene: Scene, seed: int, sample: int, success: bool = True) -> TaskGenome:
    """The genome of candidate `sample`; 0 is the default, the others are stricter or differ in shape.

    Without `success` the task never says that it is done (RoboGen writes no success function).
    """
    family = family_of(scene)
    rng = random.Random(f"{seed}/task/{sample}/{scene.video}")
    thresholds = choose_thresholds(scene)
    conditions, observations = family.conditions, family.observations
    reward = default_reward(scene)
    if sample:
        strict = {"height", "moved", "closer"}
        thresholds = {
            name: round(value * rng.uniform(1.0, 1.2), 4) if name in strict else value
            for name, value in thresholds.items()
        }
        conditions += tuple(name for name in family.stricter if rng.random() < 0.4)
        observations = tuple(name for name in observations if rng.random() < 0.7)
        reward = sample_reward(scene, rng)
    roles, conditions = dict(scene.task.roles), conditions if success else ()
    return TaskGenome(scene.task.family, roles, thresholds, conditions, observations, reward)


# ---------------------------------------------------------------- writing


def write_task(genome: TaskGenome, scene: Scene) -> str:
    """Source of task.py in six parts (figure 7)."""
    names = genome.roles
    class_name = "".join(word.capitalize() for word in re.findall(r"[a-zA-Z0-9]+", scene.task.caption))[:60]
    class_name = class_name if class_name[:1].isalpha() else f"Task{class_name}"
    observations = [OBSERVATIONS[name] for name in genome.observations]
    width = sum(item.width for item in observations)
    info = json.dumps(_scene_info(genome, scene, class_name), indent=4, ensure_ascii=True)
    parts = [
        "import torch\n\nfrom factory.tasks.task import Task\n",
        f"# SCENE INFORMATION\nscene_info = {_python_literal(info)}\n\n",
        f"class {class_name}(Task):\n    {_docstring(scene.task.caption)}\n",
        "    def __init__(self, envs, urdf_assets_root) -> None:\n"
        "        super().__init__(envs, urdf_assets_root, scene_info)\n"
        f"        self.task_description = {json.dumps(scene.task.caption)}\n",
        _indent("# RESET FUNCTION\n" + _write_reset(genome, scene)),
        _indent("# OBSERVATION FUNCTION\n" + _write_observations(genome)),
        "    def get_observation_space(self):\n"
        "        obs_space = super().get_observation_space()\n"
        f"        return obs_space + {width}\n",
        _indent("# SUCCESS FUNCTION\n" + _write_success(genome)),
        "    def compute_reward(self, actions, states):\n        return reward_function(actions, states)\n\n",
        write_reward(genome.reward, names, genome.thresholds),
    ]
    return "\n".join(parts)


def _scene_info(genome: TaskGenome, scene: Scene, class_name: str) -> dict[str, Any]:
    """What the clip shows, with the first and last positions and their difference stated (section 3.1)."""
    return {
        "task_class_name": class_name,
        "task_description": scene.task.caption,
        "family": genome.family,
        "roles": genome.roles,
        "objects": [
            {
                "name": item.name,
                "size": item.size,
                "urdf": item.urdf,
                "first_position": item.first.pos,
                "last_position": item.last.pos,
                "difference": item.difference.translation,
                "rotation_degrees": item.difference.rotation_degrees,
            }
            for item in scene.objects
        ],
        "thresholds": genome.thresholds,
    }


def _python_literal(text: str) -> str:
    return text.replace(": null", ": None").replace(": true", ": True").replace(": false", ": False")


def _docstring(text: str) -> str:
    return '"""' + text.replace("\\", " ").replace('"', "'") + '"""'


def _indent(text: str, by: int = 4) -> str:
    return textwrap.indent(text, " " * by)


def _fill(code: str, roles: Mapping[str, str], thresholds: Mapping[str, float]) -> str:
    values = {name: number(value) for name, value in thresholds.items()} | dict(roles)
    return re.sub(r"\{(\w+)\}", lambda match: values[match.group(1)], code)


def _quantity_lines(
    family: str, needs: Iterable[str], roles: Mapping[str, str], thresholds: Mapping[str, float]
) -> list[str]:
    library = {**QUANTITIES, **FAMILIES[family].quantities}
    lines = []
    for name in ordered(needs, library):
        lines += [f"# {line}" for line in library[name].comment.split("\n")]
        lines += _fill(library[name].code, roles, thresholds).split("\n")
    return lines


def _write_reset(genome: TaskGenome, scene: Scene) -> str:
    family = FAMILIES[genome.family]
    lines = ["def reset_objects_states(self, env_ids):"]
    if family.again:
        a, b = genome.roles["a"], genome.roles["b"]
        lines += [
            "    poses = super().reset_objects_states(env_ids)",
            "    # draw again where the goal is reached already or too near",
            "    for _ in range(10):",
            f'        pos_a, pos_b = poses["{a}"][:, :3], poses["{b}"][:, :3]',
            f"        again = ({_fill(family.again, genome.roles, genome.thresholds)}).unsqueeze(-1)",
            "        other = super().reset_objects_states(env_ids)",
            "        poses = {name: torch.where(again, other[name], poses[name]) for name in poses}",
            "    return poses",
        ]
    elif family.place:
        lines += [
            "    poses = super().reset_objects_states(env_ids)",
            f"    {_fill(family.place, genome.roles, genome.thresholds)}",
            "    return poses",
        ]
    else:
        lines.append("    return super().reset_objects_states(env_ids)")
    return "\n".join(lines) + "\n"


def _write_observations(genome: TaskGenome) -> str:
    lines = [
        "def compute_observation_key(self, states):",
        "    obs_keys = super().compute_observation_key(states)",
    ]
    for name in genome.observations:
        item = OBSERVATIONS[name]
        key = _fill(item.key, genome.roles, {})
        lines += [
            f"    # {_fill(item.comment, genome.roles, {})}",
            f'    states["{key}"] = {_fill(item.code, genome.roles, {})}',
            f'    obs_keys.append("{key}")',
        ]
    return "\n".join([*lines, "    return obs_keys"]) + "\n"


def _write_success(genome: TaskGenome) -> str:
    conditions = [CONDITIONS[name] for name in genome.conditions]
    needs = [need for condition in conditions for need in condition.needs]
    if not conditions:
        return NEVER
    lines = ["def compute_success(self, states):"]
    lines += [
        f"    {line}" for line in _quantity_lines(genome.family, needs, genome.roles, genome.thresholds)
    ]
    for index, condition in enumerate(conditions):
        lines.append(f"    # {condition.comment}")
        start = "success =" if index == 0 else "success = success &"
        lines.append(f"    {start} {_fill(condition.code, genome.roles, genome.thresholds)}")
    return "\n".join([*lines, "    return success"]) + "\n"


def write_reward(reward: RewardGenome, roles: Mapping[str, str], thresholds: Mapping[str, float]) -> str:
    """Source of `reward_function(actions, states) -> (rewards, components)` (figure 8's form)."""
    terms = [(component, TERMS[component.name]) for component in reward.components]
    gates = sorted({component.gate for component in reward.components if component.gate})
    needs = [need for _, term in terms for need in term.needs]
    needs += [need for gate in gates for need in CONDITIONS[gate].needs]
    body = ["# type: (Tensor, Dict[str, Tensor]) -> Tuple[Tensor, Dict[str, Tensor]]", '"""']
    body += [f"{index}. {term.comment}" for index, (_, term) in enumerate(terms, 1)] + ['"""']
    body += _quantity_lines(reward.family, needs, roles, thresholds)
    for gate in gates:
        body.append(f"# {CONDITIONS[gate].comment}")
        body.append(f"when_{gate} = {_fill(CONDITIONS[gate].code, roles, thresholds)}.float()")
    body.append("reward_components = {}")
    for index, (component, term) in enumerate(terms, 1):
        code = shaped(term.kind, component.shape, component.temperature, _fill(term.code, roles, thresholds))
        gated = f" * when_{component.gate}" if component.gate else ""
        body.append(f"# {index}. {term.comment}")
        body.append(f'reward_components["{component.name}"] = {number(component.weight)} * ({code}){gated}')
    total = " + ".join(f'reward_components["{component.name}"]' for component in reward.components)
    body.append(f"rewards = {total}")
    if reward.step_penalty:
        body.append(f"rewards = rewards - {number(reward.step_penalty)}")
    body.append("return rewards, reward_components")
    head = "# REWARD FUNCTION\n@torch.jit.script\ndef reward_function(actions, states):\n"
    return head + _indent("\n".join(body)) + "\n"


def write_reward_file(reward: RewardGenome, roles: Mapping[str, str], thresholds: Mapping[str, float]) -> str:
    """Source of reward.py: the import and the reward function alone."""
    return "import torch\n\n\n" + write_reward(reward, roles, thresholds)


def read_thresholds(source: str) -> dict[str, float] | None:
    """The thresholds in a task module's `scene_info`, read without running it; None without them."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return None
    for statement in tree.body:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            continue
        if statement.targets[0].id != "scene_info":
            continue
        try:
            info = ast.literal_eval(statement.value)
        except ValueError:
            return None
        found = info.get("thresholds") if isinstance(info, dict) else None
        return {str(k): float(v) for k, v in found.items()} if isinstance(found, dict) else None
    return None
