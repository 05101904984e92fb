"""A scene as an MJCF model: table, robot, objects with two layers of collision, cameras, contact sensors.

Two layers: one convex hull per object meets the table (cheap, no jitter), its convex pieces meet the gripper
and the other objects (so that a finger or a ball can enter a cup). A body's frame is its object frame turned
to the resting orientation: a quaternion of identity means "standing as in the clip".
"""

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import mujoco
import numpy as np
import trimesh
from numpy.typing import NDArray

from video2policy import pose
from video2policy.hands import ROBOTS as ROBOTS
from video2policy.scene import Scene, SceneObject
from video2policy.shape import SceneError as SceneError
from video2policy.shape import Shape as Shape
from video2policy.shape import grasped_objects as grasped_objects
from video2policy.shape import gripper_scale as gripper_scale
from video2policy.shape import known_robot as known_robot
from video2policy.shape import load_shape as load_shape
from video2policy.shape import table_of as table_of

Array = NDArray[np.float64]

FLOOR = -0.3

TIMESTEP = 0.01
"""Seconds; with larger steps what is held falls."""

FRICTION = (0.5, 0.005, 0.0001)
"""Sliding, torsional and rolling friction of objects and table, like wood on wood: at 1, what is pushed above
half its width tips over instead of sliding. The finger pads (1.2, rubber) take precedence."""

HULL_TABLE, GRIPPER_PIECE, GRIPPER_TABLE, PIECE_PIECE = 1, 2, 4, 8
"""Which layers meet, as MuJoCo collision bits: contype names the layer, conaffinity what it meets."""

BALL, ROLLING = 0.82, 0.001
"""What fills so much of the ball around it is one, facets and all; metres of its rolling friction: a ball of
4 cm, set rolling at 0.4 m/s, comes 6 to 15 cm far in half a second."""

GRIPPER = "gripper/"
"""Prefix of everything that belongs to the hand; its bodies are hand, left_finger, right_finger."""
COLLISION_GROUP = 3
DRAWN_GRID = 0.005
"""Metres; detail of a hand's drawn meshes."""
BACKGROUND = (0.86, 0.88, 0.9)


def build(
    scene: Scene, root: Path, robot: str = "panda", scale: float = 1.0, shapes: Sequence[Shape] | None = None
) -> mujoco.MjSpec:
    """The scene with a robot, ready to compile.

    Args:
        scene: a passed scene.
        root: the folder of scene.json, to which the objects' paths are relative.
        robot: one of `hands.ROBOTS`.
        scale: uniform scale of all objects (`gripper_scale`).
        shapes: the objects' shapes when they are loaded already.

    Raises:
        SceneError: when an object cannot be simulated, or the robot is unknown.
    """
    if not scene.objects:
        raise SceneError(f"the scene of {scene.video} has no objects")
    shapes = shapes or [load_shape(item, root, scale) for item in scene.objects]
    spec = _robot(robot)
    spec.option.timestep = TIMESTEP
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_DISCRETE
    # What is held creeps under pyramidal cones, the faster the softer the pads are; stiff ones throw it out.
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10
    spec.option.iterations = 8
    spec.option.ls_iterations = 10
    _surroundings(spec, table_of(scene))
    for item, shape in zip(scene.objects, shapes, strict=True):
        _object(spec, item, shape, root, scale, alone=len(shapes) == 1)
    _contact_sensors(spec, scene.names)
    return spec


def body_name(name: str) -> str:
    """The MJCF body of a scene's object; the prefix keeps it apart from the robot's bodies."""
    return f"object/{name}"


def sensor_name(a: str, b: str) -> str:
    """The sensor that holds the deepest distance of a contact between `a` and `b` (negative), or 0."""
    return f"contact/{a}/{b}"


def _robot(robot: str) -> mujoco.MjSpec:
    files = known_robot(robot)
    folder = Path(__file__).parent / "robots"
    spec = mujoco.MjSpec.from_file(str(folder / f"{files.arm}.xml"))
    hand = mujoco.MjSpec.from_file(str(folder / f"{files.hand}.xml"))
    if spec.meshes or hand.meshes:
        spec.meshdir = hand.meshdir = str(_meshes())
    for mesh in hand.meshes:
        _coarsen(mesh, _meshes())
    frame = next(frame for frame in spec.frames if frame.name == "flange")
    if files.arm == "panda":  # the frame is the tool's, as deep as the hand is long
        frame.pos = [0, 0, files.wrist_above_tool]
    frame.attach_body(hand.body("hand"), GRIPPER, "")
    for geom in spec.geoms:
        if geom.contype:  # the rest is drawn only
            geom.contype, geom.conaffinity = GRIPPER_PIECE, GRIPPER_TABLE
    return spec


def _coarsen(mesh: mujoco.MjsMesh, folder: Path) -> None:
    """Merge the vertices of a drawn mesh that share a cell of `DRAWN_GRID`: fine ones are slow to draw."""
    vertices, faces = _coarse(folder / mesh.file, float(mesh.scale[0]))
    mesh.file, mesh.scale = "", [1, 1, 1]
    mesh.uservert, mesh.userface = vertices.ravel(), faces.ravel()


@cache
def _coarse(path: Path, scale: float) -> tuple[Array, NDArray[np.int64]]:
    """Vertices (v, 3) in metres and faces (f, 3)."""
    fine = trimesh.load_mesh(path)
    vertices = np.asarray(fine.vertices) * scale
    cells = np.rint(vertices / DRAWN_GRID)
    _, first, merged = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    faces = merged.reshape(-1)[fine.faces]
    solid = (np.diff(np.sort(faces, axis=1), axis=1) > 0).all(axis=1)
    return vertices[first], faces[solid]


def _meshes() -> Path:
    """The robots' meshes inside the gym-hil wheel, found without importing it."""
    found = importlib.util.find_spec("gym_hil")
    if found is None or not found.submodule_search_locations:
        raise SceneError("the robots' meshes are missing: pip install --no-deps gym-hil==0.1.14")
    return Path(found.submodule_search_locations[0]) / "assets"


def _surroundings(spec: mujoco.MjSpec, table: tuple[float, float]) -> None:
    world = spec.worldbody
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 1024, 1024
    spec.visual.headlight.ambient = [0.35, 0.35, 0.35]
    spec.visual.headlight.diffuse = [0.35, 0.35, 0.35]
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=BACKGROUND,
        rgb2=[0.6, 0.65, 0.7],
        width=64,
        height=64,
    )
    world.add_light(pos=[-0.4, -0.6, 1.6], dir=[0.3, 0.4, -1], diffuse=[0.5, 0.5, 0.5], castshadow=True)
    world.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=[0, 0, FLOOR / 2],
        size=[*table, -FLOOR / 2],
        contype=HULL_TABLE | GRIPPER_TABLE,
        conaffinity=0,
        friction=FRICTION,
        rgba=[0.72, 0.6, 0.47, 1],
    )
    world.add_geom(  # what falls off the table stays in the room
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        pos=[0, 0, FLOOR],
        size=[2, 2, 0.1],
        contype=HULL_TABLE,
        conaffinity=0,
        rgba=[0.5, 0.52, 0.55, 1],
    )
    for name, position, target, fovy in (
        ("front", (-0.68, -0.56, 0.66), (-0.02, 0.02, 0.15), 52),  # the clip's side, past the shoulder
        ("side", (0.1, -0.95, 0.42), (-0.05, 0.0, 0.14), 44),
    ):
        world.add_camera(name=name, pos=position, quat=_look_at(position, target), fovy=fovy)


def _look_at(position: Sequence[float], target: Sequence[float]) -> Array:
    """Quaternion wxyz of a MuJoCo camera (looks along -z, y up) at `position` that sees `target`."""
    back = np.subtract(position, target)
    back = back / np.linalg.norm(back)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    return pose.quat_from_matrix(np.stack([right, np.cross(back, right), back], axis=1))


def _object(
    spec: mujoco.MjSpec, item: SceneObject, shape: Shape, root: Path, scale: float, alone: bool
) -> None:
    xx, yy, zz, xy, xz, yz = (
        shape.inertia[i, j] for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
    )
    body = spec.worldbody.add_body(
        name=body_name(item.name),
        pos=[0, 0, shape.rest_height],
        explicitinertial=True,
        mass=shape.mass,
        ipos=shape.com,
        fullinertia=[xx, yy, zz, xy, xz, yz],
    )
    body.add_freejoint(name=body_name(item.name))

    visual = spec.add_mesh(
        name=f"{item.name}/visual",
        file=str((root / item.mesh).resolve()),
        scale=[item.mesh_scale * scale] * 3,
        inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
    )
    colour = _mean_colour(root / item.mesh)
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=visual.name,
        quat=item.rest_quat,
        contype=0,
        conaffinity=0,
        mass=0,
        group=2,
        rgba=[*colour, 1],
    )
    pieces = 0 if alone else PIECE_PIECE
    meets_pieces = GRIPPER_PIECE | PIECE_PIECE
    if len(shape.pieces) == 1:  # convex: one geom is both layers
        _convex(spec, body, f"{item.name}/hull", shape.hull, pieces, HULL_TABLE | meets_pieces)
        return
    _convex(spec, body, f"{item.name}/hull", shape.hull, 0, HULL_TABLE)
    for index, piece in enumerate(shape.pieces):
        _convex(spec, body, f"{item.name}/piece_{index:02d}", piece, pieces, meets_pieces)


def _convex(
    spec: mujoco.MjSpec,
    body: mujoco.MjsBody,
    name: str,
    mesh: trimesh.Trimesh,
    contype: int,
    conaffinity: int,
) -> None:
    """A convex collision geom; what is a box but for 2% of its volume becomes one: faster, steadier.

    So does a ball, which would tumble from facet to facet and soon stop.
    """
    geom = body.add_geom(
        name=name,
        contype=contype,
        conaffinity=conaffinity,
        mass=0,
        group=COLLISION_GROUP,
        condim=3 if conaffinity == HULL_TABLE else 4,
        friction=FRICTION,
        rgba=[0.3, 0.7, 0.3, 0.4],
    )
    box_from_body, extents = trimesh.bounds.oriented_bounds(mesh)
    if mesh.convex_hull.volume > 0.98 * np.prod(extents):
        geom.type = mujoco.mjtGeom.mjGEOM_BOX
        geom.pos, geom.quat = pose.pose_from_transform(pose.inverse(box_from_body))
        geom.size = np.asarray(extents) / 2
        return
    # About its centre of mass: a fraction of a millimetre beside it, it would roll by itself.
    radius = float(np.linalg.norm(mesh.vertices - body.ipos, axis=1).max())
    if mesh.convex_hull.volume > BALL * 4 / 3 * np.pi * radius**3:
        geom.type, geom.pos, geom.size[0] = mujoco.mjtGeom.mjGEOM_SPHERE, body.ipos, radius
        geom.condim, geom.friction = 6, (*FRICTION[:2], ROLLING)
        return
    asset = spec.add_mesh(name=name, inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX)
    asset.uservert = np.asarray(mesh.vertices).ravel()
    asset.userface = np.asarray(mesh.faces).ravel()
    geom.type = mujoco.mjtGeom.mjGEOM_MESH
    geom.meshname = name


def _mean_colour(mesh: Path) -> list[float]:
    """The mean vertex colour of an OBJ file (`v x y z r g b`, 0 to 1); a neutral orange without colours."""
    with mesh.open() as file:
        rows = [line.split() for line in file if line.startswith("v ")]
    colours = np.array([row[4:7] for row in rows if len(row) >= 7], dtype=float)
    if len(colours) == 0:
        return [0.85, 0.45, 0.2]
    return [float(v) for v in np.clip(colours.mean(0), 0, 1)]


def _contact_sensors(spec: mujoco.MjSpec, names: Sequence[str]) -> None:
    """Distances only: such sensors need no forces, so they are current after the position stage."""

    def add(name: str, first: tuple[mujoco.mjtObj, str], second: str) -> None:
        sensor = spec.add_sensor(
            name=name,
            type=mujoco.mjtSensor.mjSENS_CONTACT,
            objtype=first[0],
            objname=first[1],
            reftype=mujoco.mjtObj.mjOBJ_XBODY,
            refname=second,
        )
        sensor.intprm = [1 << int(mujoco.mjtConDataField.mjCONDATA_DIST), 1, 1]  # data, mindist, one slot

    for name in names:
        for part in ("left_finger", "right_finger", "hand"):
            add(sensor_name(name, part), (mujoco.mjtObj.mjOBJ_XBODY, GRIPPER + part), body_name(name))
        add(sensor_name(name, "table"), (mujoco.mjtObj.mjOBJ_GEOM, "table"), body_name(name))
    for index, b in enumerate(names):
        for a in names[:index]:
            add(sensor_name(a, b), (mujoco.mjtObj.mjOBJ_XBODY, body_name(a)), body_name(b))
