"""The scene of a clip, the paper's task JSON: task, camera, objects with their poses, every gate's verdict.

`Scene` is what everything after perception reads. The world ("table") frame: metres, z up, z = 0 on the
table, x away from the clip's camera, y to the left of the image, the origin under the mean of the objects'
first poses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
from numpy.typing import ArrayLike, NDArray

from video2policy import pose
from video2policy.perceive.verdict import Rejected, Verdict

Array = NDArray[np.float64]

SCHEMA_VERSION = 1
SCHEMA = Path(__file__).parents[1] / "schemas" / "scene.schema.json"

CONFIDENT = 0.3
"""Poses below this confidence do not count towards an object's first and last pose."""

ON_END = 0.9
"""Of a container's width: what is longer goes in on end."""

SETTLED_FRAMES = 5
"""Frames at either end of a track whose median is the first or last pose."""


@dataclass(frozen=True)
class SceneTask:
    """What the clip shows: its caption and the family and roles read from it (video2policy.families)."""

    title: str
    caption: str
    template: str | None
    template_id: int | None
    family: str
    family_source: str
    roles: dict[str, str]


@dataclass(frozen=True)
class SceneClip:
    """The decoded clip, `width` x `height` pixels."""

    path: str
    fps: float
    n_frames: int
    width: int
    height: int


@dataclass(frozen=True)
class SceneCamera:
    """Intrinsics `K` (3x3, pixels) and `world_from_camera` (4x4; camera x right, y down, z forward)."""

    K: list[list[float]]
    world_from_camera: list[list[float]]
    method: str


@dataclass(frozen=True)
class ObjectPose:
    """world_from_object: position (3,) in metres and quaternion wxyz (4,) of the object's own frame."""

    pos: list[float]
    quat: list[float]

    @classmethod
    def from_matrix(cls, world_from_object: ArrayLike) -> ObjectPose:
        pos, quat = pose.pose_from_transform(world_from_object)
        return cls([round(float(v), 6) for v in pos], [round(float(v), 6) for v in quat])

    def matrix(self) -> Array:
        """4x4 world_from_object."""
        return pose.transform_from_pose(self.pos, self.quat)


@dataclass(frozen=True)
class Difference:
    """From first to last pose, stated explicitly in the prompt (paper): world frame, metres and degrees."""

    translation: list[float]
    rotation_degrees: float
    distance: float


@dataclass(frozen=True)
class SceneObject:
    """One object; paths are relative to the folder of scene.json.

    `mesh` has its longest extent 1 and becomes metres by `mesh_scale`; `collision` (convex pieces) and `hull`
    are in metres. All share the object frame: origin at the mesh's bounding box centre, z up as in the
    reference frame. `rest_quat` (wxyz) is world_from_object's rotation when it stands on the table (with some
    yaw), its origin then `rest_height` above the table, `size` its extents in that orientation.
    """

    name: str
    label: str
    size: list[float]
    mass: float
    mesh: str
    mesh_scale: float
    urdf: str
    collision: list[str]
    hull: str
    rest_quat: list[float]
    rest_height: float
    world_from_object: list[list[list[float]] | None]
    confidence: list[float]
    first: ObjectPose
    last: ObjectPose
    difference: Difference

    def from_rest(self, quat: ArrayLike) -> Array:
        """A world_from_object quaternion as `states` give it: relative to the resting orientation, wxyz."""
        return pose.quat_multiply(quat, pose.quat_conjugate(self.rest_quat))


@dataclass(frozen=True)
class Relation:
    """Where `a` is from `b` (centre to centre, metres) first and last, and by how much the distance grew."""

    a: str
    b: str
    first: list[float]
    last: list[float]
    change_distance: float


@dataclass(frozen=True)
class Scene:
    """Everything that perception found out about one clip; `reason` says why it stops, if not `passed`."""

    video: str
    passed: bool
    reason: str | None
    task: SceneTask
    clip: SceneClip | None
    camera: SceneCamera | None
    objects: list[SceneObject]
    relations: list[Relation] = field(default_factory=list)
    gates: list[Verdict] = field(default_factory=list)
    schema_version: int = SCHEMA_VERSION

    @property
    def names(self) -> list[str]:
        return [item.name for item in self.objects]

    def object(self, name: str) -> SceneObject:
        """Raises KeyError that lists the names there are."""
        for item in self.objects:
            if item.name == name:
                return item
        raise KeyError(f"no object {name!r} in the scene of {self.video}; it has {', '.join(self.names)}")

    def to_json(self) -> dict[str, Any]:
        return {"schema_version": self.schema_version, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Scene:
        """Raises ValueError with one sentence when `data` does not fit schemas/scene.schema.json."""
        validate(data)
        return cls(
            video=data["video"],
            passed=data["passed"],
            reason=data["reason"],
            task=SceneTask(**data["task"]),
            clip=SceneClip(**data["clip"]) if data["clip"] else None,
            camera=SceneCamera(**data["camera"]) if data["camera"] else None,
            objects=[
                SceneObject(
                    **{
                        **item,
                        "first": ObjectPose(**item["first"]),
                        "last": ObjectPose(**item["last"]),
                        "difference": Difference(**item["difference"]),
                    }
                )
                for item in data["objects"]
            ],
            relations=[Relation(**item) for item in data["relations"]],
            gates=[Verdict.from_json(item) for item in data["gates"]],
            schema_version=data["schema_version"],
        )

    def save(self, path: Path) -> None:
        """Write scene.json. Raises ValueError when the scene does not fit its schema."""
        data = self.to_json()
        validate(data)
        path.write_text(json.dumps(data, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Scene:
        return cls.from_json(json.loads(path.read_text()))


@lru_cache(maxsize=None)  # noqa: UP033 - Python 3.8
def _validator() -> Any:
    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))


def validate(data: Mapping[str, Any]) -> None:
    """Raises ValueError with one sentence that names the field at fault."""
    error = jsonschema.exceptions.best_match(_validator().iter_errors(data))
    if error is not None:
        where = ".".join(str(part) for part in error.absolute_path) or "the top level"
        raise ValueError(f"not a scene: at {where}, {error.message}")
    if data["passed"] != (data["reason"] is None):
        raise ValueError("not a scene: a reason is given exactly when it did not pass")
    if data["passed"] and not (data["clip"] and data["camera"] and data["objects"]):
        raise ValueError("not a scene: one that passed has a clip, a camera and objects")
    names = {item["name"] for item in data["objects"]}
    missing = set(data["task"]["roles"].values()) - names
    if data["passed"] and missing:
        raise ValueError(f"not a scene: no object {', '.join(sorted(missing))}, which has a role in the task")


@dataclass(frozen=True)
class Track:
    """An object's poses over the clip in the camera's table frame.

    The world frame, but x = y = 0 at the camera.
    """

    table_from_object: list[Array | None]
    confidence: list[float]

    def settled(self) -> tuple[Array, Array]:
        """First and last pose (4x4): medians over the first and last few confident frames.

        Raises Rejected when no frame is confident.
        """
        sure = [
            matrix
            for matrix, confidence in zip(self.table_from_object, self.confidence)  # noqa: B905 - Python 3.8
            if matrix is not None and confidence >= CONFIDENT
        ]
        if not sure:
            raise Rejected("no frame shows the object's pose with any confidence")
        count = settled_frames(len(sure))
        return pose.median_transform(sure[:count]), pose.median_transform(sure[-count:])


def settled_frames(confident: int) -> int:
    """How many of so many confident frames at either end make the first or last pose.

    Never more than a sixth: in a short clip the object already moves by then.
    """
    return max(1, min(SETTLED_FRAMES, confident // 6))


def difference(first: ArrayLike, last: ArrayLike) -> Difference:
    """How the pose changed from `first` to `last` (4x4 each)."""
    a, b = np.asarray(first, dtype=float), np.asarray(last, dtype=float)
    step = b[:3, 3] - a[:3, 3]
    return Difference(
        [round(float(v), 6) for v in step],
        round(pose.rotation_difference(a, b), 3),
        round(float(np.linalg.norm(step)), 6),
    )


def relations(objects: Sequence[SceneObject]) -> list[Relation]:
    """Every object from every one named before it, first and last."""
    found = []
    for j, b in enumerate(objects):
        for a in objects[:j]:
            first = np.subtract(a.first.pos, b.first.pos)
            last = np.subtract(a.last.pos, b.last.pos)
            change = float(np.linalg.norm(last) - np.linalg.norm(first))
            found.append(
                Relation(
                    a.name,
                    b.name,
                    [round(float(v), 6) for v in first],
                    [round(float(v), 6) for v in last],
                    round(change, 6),
                )
            )
    return found


def goes_in_on_end(scene: Scene) -> bool:
    """Whether the handled object fits into the other one only on end, as a fork into a cup."""
    if scene.task.family not in ("put_into", "drop_into"):
        return False
    a, b = (scene.object(scene.task.roles[role]) for role in "ab")
    return float(np.hypot(a.size[0], a.size[1])) > ON_END * min(b.size[0], b.size[1])


def world_from_table(first_poses: Sequence[ArrayLike]) -> Array:
    """The shift (4x4) that puts the origin under the mean of the objects' first poses."""
    mean = np.mean([np.asarray(matrix, dtype=float)[:2, 3] for matrix in first_poses], axis=0)
    return pose.transform(None, [-mean[0], -mean[1], 0.0])


@dataclass(frozen=True)
class ObjectFiles:
    """What perception wrote for one object: parsed size.json, poses.json, rest.json and the files' folder."""

    name: str
    label: str
    folder: str
    size: Mapping[str, Any]
    poses: Mapping[str, Any]
    rest: Mapping[str, Any]

    def track(self) -> Track:
        """Poses above the table, from poses.json's camera_from_object and world_from_camera."""
        world_from_camera = np.asarray(self.poses["world_from_camera"], dtype=float)
        return Track(
            [
                None if matrix is None else world_from_camera @ np.asarray(matrix, dtype=float)
                for matrix in self.poses["camera_from_object"]
            ],
            [float(v) for v in self.poses["confidence"]],
        )


def assemble(
    video: str,
    task: SceneTask,
    clip: SceneClip,
    camera: Mapping[str, Any],
    files: Sequence[ObjectFiles],
    gates: Sequence[Verdict],
) -> Scene:
    """A passed scene from every stage's results. Raises Rejected when an object has no usable pose."""
    tracks = [item.track() for item in files]
    settled = []
    for item, track in zip(files, tracks):  # noqa: B905
        try:
            settled.append(track.settled())
        except Rejected as error:
            raise Rejected(f"{item.label}: {error}") from error
    world_from_origin = world_from_table([first for first, _ in settled])
    objects = []
    for item, track, (first, last) in zip(files, tracks, settled):  # noqa: B905
        world_first, world_last = world_from_origin @ first, world_from_origin @ last
        objects.append(
            SceneObject(
                name=item.name,
                label=item.label,
                size=[float(v) for v in item.rest["size"]],
                mass=float(item.rest["mass"]),
                mesh=f"{item.folder}/mesh.obj",
                mesh_scale=float(item.size["scale"]),
                urdf=f"{item.folder}/object.urdf",
                collision=[f"{item.folder}/collision/{name}" for name in item.rest["pieces"]],
                hull=f"{item.folder}/collision/hull.obj",
                rest_quat=[float(v) for v in item.rest["quat"]],
                rest_height=float(item.rest["height"]),
                world_from_object=[
                    None if matrix is None else np.round(world_from_origin @ matrix, 6).tolist()
                    for matrix in track.table_from_object
                ],
                confidence=[round(v, 4) for v in track.confidence],
                first=ObjectPose.from_matrix(world_first),
                last=ObjectPose.from_matrix(world_last),
                difference=difference(world_first, world_last),
            )
        )
    poses = files[0].poses
    seen = SceneCamera(
        K=[[float(v) for v in row] for row in camera["K"]],
        world_from_camera=(world_from_origin @ np.asarray(poses["world_from_camera"], dtype=float)).tolist(),
        method=str(camera["method"]),
    )
    return Scene(video, True, None, task, clip, seen, objects, relations(objects), list(gates))


def rejected(
    video: str, task: SceneTask, clip: SceneClip | None, gates: Sequence[Verdict], reason: str
) -> Scene:
    """The scene of a clip that stops at a gate."""
    return Scene(video, False, reason, task, clip, None, [], [], list(gates))
