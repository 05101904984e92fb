"""From a mesh to a body for physics: convex pieces, mass and inertia, and how it rests on the table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import coacd
import mujoco
import numpy as np
import trimesh
from numpy.typing import ArrayLike, NDArray

from video2policy import mesh as meshes
from video2policy import pose
from video2policy.mesh import Solid
from video2policy.urdf import Inertial, urdf

Array = NDArray[np.float64]

MAX_PIECES = 8
"""Fewer than this drops a mug by its handle, more is slower (measured on the prototype)."""

CONCAVITY, THIN_CONCAVITY, THIN = 0.1, 0.05, 0.12
"""How far a piece may be from convex, as a part of the object's size (CoACD's threshold); the second for
what is thinner than `THIN` of its length. A fork would else be two pieces, half as thick again as it is, with
sides that lean inwards: fingers slide off them."""

DENSITY = 300.0
"""kg per m^3 of the convex hull: between filled packages (~500) and empty boxes, toys (~100)."""

HOLLOW_DENSITY = 150.0
"""kg per m^3 of the hull of a cup or bowl."""

MASS_RANGE = (0.02, 0.6)
"""kg; what a hand moves in such clips and a gripper holds."""

HULL_DIRECTIONS = 48


@dataclass(frozen=True)
class Body:
    """A collision body in metres: convex `pieces` for the gripper, one `hull` for the table.

    `points` (n, 3) are the mesh's own vertices; `round` says that it has no face to stand on.
    """

    pieces: list[trimesh.Trimesh]
    hull: trimesh.Trimesh
    inertial: Inertial
    points: Array
    round: bool


@dataclass(frozen=True)
class Rest:
    """On the table: world_from_object's rotation (wxyz), the origin's height and the extents in metres."""

    quat: Array
    height: float
    size: Array


def decompose(mesh: trimesh.Trimesh, seed: int = 0) -> list[trimesh.Trimesh]:
    """Convex pieces (at most `MAX_PIECES`, 32 vertices each) of any mesh in metres, by CoACD."""
    coacd.set_log_level("error")
    parts = coacd.run_coacd(
        coacd.Mesh(np.asarray(mesh.vertices), np.asarray(mesh.faces)),
        threshold=THIN_CONCAVITY if mesh.extents.min() < THIN * mesh.extents.max() else CONCAVITY,
        max_convex_hull=MAX_PIECES,
        # One closed surface, as inflation makes it, needs no repair (without it, overlapping parts hang);
        # a shallow search takes a quarter of the default's time.
        preprocess_mode="off" if mesh.is_watertight and mesh.body_count == 1 else "on",
        mcts_iterations=40,
        mcts_nodes=10,
        mcts_max_depth=2,
        resolution=800,
        decimate=True,
        max_ch_vertex=32,
        seed=seed,
    )
    return [trimesh.convex.convex_hull(vertices) for vertices, _ in parts]


def simple_hull(points: ArrayLike) -> trimesh.Trimesh:
    """Hull of the extreme points along the axes and `HULL_DIRECTIONS` more: same extents, few vertices."""
    cloud = np.asarray(points, dtype=float)
    k = np.arange(HULL_DIRECTIONS) + 0.5  # a Fibonacci lattice on the sphere
    z, angle = 1 - 2 * k / HULL_DIRECTIONS, np.pi * (1 + 5**0.5) * k
    ring = np.sqrt(1 - z * z)
    spiral = np.stack([ring * np.cos(angle), ring * np.sin(angle), z], axis=1)
    directions = np.vstack([np.eye(3), -np.eye(3), spiral])
    return trimesh.convex.convex_hull(cloud[np.unique((cloud @ directions.T).argmax(axis=0))])


def body(mesh: trimesh.Trimesh, solid: Solid | None = None, mass: float | None = None, seed: int = 0) -> Body:
    """Pieces, hull and inertia of a mesh in metres; a `solid` of the same size gives cleaner pieces.

    `mass` in kg; from a usual density where it is None.
    """
    pieces = solid.pieces() if solid is not None else decompose(mesh, seed)
    hull = simple_hull(np.vstack([piece.vertices for piece in pieces]))
    if mass is None:
        density = HOLLOW_DENSITY if solid is not None and solid.opening != "none" else DENSITY
        mass = float(np.clip(density * hull.volume, *MASS_RANGE))
    ball = solid is not None and solid.kind == "sphere"
    return Body(pieces, hull, inertial_of(pieces, mass), np.asarray(mesh.vertices), ball)


def inertial_of(pieces: list[trimesh.Trimesh], mass: float) -> Inertial:
    """Of pieces that share `mass` by volume (the small overlaps of convex pieces count twice)."""
    volumes = np.array([piece.volume for piece in pieces])
    weights = mass * volumes / volumes.sum()
    centres = np.array([piece.center_mass for piece in pieces])
    com = weights @ centres / mass
    inertia = np.zeros((3, 3))
    for piece, weight, centre in zip(pieces, weights, centres, strict=True):
        arm = centre - com
        inertia += piece.moment_inertia * weight / piece.volume
        inertia += weight * (arm @ arm * np.eye(3) - np.outer(arm, arm))
    return Inertial(mass, com, (inertia + inertia.T) / 2)


def settle(item: Body, seconds: float = 4.0) -> Rest:
    """Let the hull fall onto a table from the identity orientation and see how it comes to rest.

    The yaw that it picked up is taken out and the face that it stands on is laid flat, so the result is the
    resting orientation nearest to the identity.
    """
    if item.round:
        return at_rest(item, np.eye(3))
    hull, inertial = item.hull, item.inertial
    spec = mujoco.MjSpec()
    spec.option.timestep = 0.004
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[1, 1, 0.1])
    spec.add_mesh(name="hull", uservert=np.asarray(hull.vertices).ravel())
    lowest = float(hull.vertices[:, 2].min())
    free = spec.worldbody.add_body(name="object", pos=[0, 0, 0.002 - lowest])
    free.add_freejoint()
    free.explicitinertial = True
    free.mass = inertial.mass
    free.ipos = inertial.com
    free.fullinertia = inertial.inertia[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    # Rolling friction stops round things, which would otherwise roll as long as one watches.
    free.add_geom(
        type=mujoco.mjtGeom.mjGEOM_MESH, meshname="hull", friction=[1, 0.01, 0.002], condim=6, name="hull"
    )
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, nstep=round(seconds / model.opt.timestep))
    return lay_flat(item, pose.matrix_from_quat(data.body("object").xquat))


def lay_flat(item: Body, rotation: ArrayLike) -> Rest:
    """The resting pose on the face of the hull that is most nearly downward under `rotation` (3x3)."""
    down = np.asarray(rotation, dtype=float).T @ [0, 0, -1.0]
    facing = item.hull.face_normals @ down
    best = int(np.argmax(facing))
    if facing[best] > np.cos(np.radians(15)):  # a round bottom has no face to lay flat
        down = np.asarray(item.hull.face_normals[best], dtype=float)
    return at_rest(item, pose.rotation_between(down, [0, 0, -1.0]))


def at_rest(item: Body, rotation: Array) -> Rest:
    """How a body lies on the table under a rotation (3x3)."""
    lowest = float((np.asarray(item.hull.vertices) @ rotation.T)[:, 2].min())
    return Rest(pose.quat_from_matrix(rotation), -lowest, np.ptp(item.points @ rotation.T, axis=0))


def write(
    name: str, result: Body, rest: Rest, scale: float, collision: Path, urdf_path: Path, rest_path: Path
) -> None:
    """Write collision/piece_NN.obj and hull.obj, the URDF and rest.json.

    `urdf_path` may be a temporary name; the URDF speaks of `mesh.obj` and `collision/` beside it.
    """
    collision.mkdir(exist_ok=True)
    names = [f"piece_{k:02d}.obj" for k in range(len(result.pieces))]
    for piece, file in zip(result.pieces, names, strict=True):
        meshes.save(piece, collision / file)
    meshes.save(result.hull, collision / "hull.obj")
    urdf_path.write_text(
        urdf(name, "mesh.obj", scale, [f"collision/{file}" for file in names], result.inertial)
    )
    record = {
        "quat": rest.quat.tolist(),
        "height": rest.height,
        "size": rest.size.tolist(),
        "mass": result.inertial.mass,
        "com": result.inertial.com.tolist(),
        "inertia": result.inertial.inertia.tolist(),
        "pieces": names,
    }
    rest_path.write_text(json.dumps(record, indent=1) + "\n")
