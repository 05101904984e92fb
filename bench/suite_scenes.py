"""Scenes of the paper's 12 tasks (Table 1) from the suite's objects with their true shapes and sizes.

What perception would make of the same clips is measured elsewhere (bench.perception): here training is
measured alone.
"""

from collections.abc import Mapping
from pathlib import Path

import trimesh

from tests.scenes import primitive_scene
from video2policy.rendered.motion import Thing
from video2policy.rendered.suite import draw

A, B = "thing", "other"
"""What every scene calls the handled object and the one that it is related to."""

TASKS: Mapping[str, str] = {
    "push_left": "push_left",
    "push_right": "push_right",
    "lift": "lift",
    "tip_over": "tip_over",
    "cover": "cover",
    "uncover": "uncover",
    "push_with": "push_with",
    "push_next": "put_next",
    "drop_front": "drop_front",
    "insert": "put_into",
    "slide": "move_closer",
    "throw_into": "throw_into",
}
"""The suite's name of each task -> the family by which it is judged."""


def _mesh(thing: Thing) -> trimesh.Trimesh:
    return trimesh.Trimesh(thing.mesh.vertices, thing.mesh.faces, process=True)


def suite_scene(folder: Path, task: str, seed: int) -> Path:
    """Write the scene of the suite's clip of this task and seed; its scene.json.

    Objects are called `A` and `B`; the first and last places are the clip's own.
    """
    take = draw(task, seed)
    named = [item for item in take.items if item.label]
    last = take.motion.frame(take.motion.seconds)
    meshes, ends, turns = {}, {}, {}
    for name, item in zip((A, B), named, strict=False):
        meshes[name] = _mesh(item.thing)
        final = last.objects.get(item.thing.name, item.thing.first)
        ends[name] = (item.thing.start, final.position)
        turns[name] = final.rotation
    return primitive_scene(folder, TASKS[task], objects=meshes, ends=ends, turns=turns)
