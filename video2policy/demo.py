"""Demo clips: a hand handles textured objects of known shape on a table, rendered in MuJoCo.

Because everything in them is known exactly (masks, depth, poses, camera, sizes), these clips are the
project's demo, its fixtures and the measure of every perception stage. The motion is kinematic: poses are
set frame by frame, nothing is simulated.

World frame as everywhere: metres, z up, table at z = 0, x away from the camera, y to the image's left,
origin under the mean of the objects' first positions. The camera always stands on the -x side; the angles
"front", "left" and "right" turn the room, the hand and the objects under it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from video2policy.rendered.geometry import (
    Array,
    Pose,
    eased,
    rotation_x,
    rotation_y,
    rotation_z,
    transform,
)
from video2policy.rendered.shapes import (
    Mesh,
    ball_mesh,
    beaker_mesh,
    bottle_mesh,
    box_mesh,
    can_mesh,
    mug_mesh,
    rotated,
)
from video2policy.rendered.stage import camera_at, intrinsics, png, quaternion, write_video
from video2policy.rendered.stage import obj as obj_file
from video2policy.rendered.textures import Image, object_print, wall_texture, wood_texture

os.environ.setdefault("MUJOCO_GL", "egl")  # must be set before mujoco loads its GL bindings
import mujoco

FOV = 42.0
"""Vertical field of view of every demo camera, degrees."""


@dataclass(frozen=True)
class Angle:
    """A camera angle: pitch below the horizon and yaw of the room in degrees, distance in metres."""

    pitch: float
    room_yaw: float
    distance: float


ANGLES = {
    "front": Angle(pitch=30.0, room_yaw=0.0, distance=0.60),
    "left": Angle(pitch=24.0, room_yaw=32.0, distance=0.64),
    "right": Angle(pitch=40.0, room_yaw=-30.0, distance=0.62),
}


@dataclass(frozen=True)
class Hand:
    """One frame of the hand: world_from_hand, and how far it is closed, 0 (open) to 1."""

    pose: Pose
    closed: float


@dataclass(frozen=True)
class Frame:
    """One frame of a demo's motion."""

    hand: Hand
    objects: dict[str, Pose]


@dataclass(frozen=True)
class Prop:
    """An object of a demo: its name, caption label, shape and texture colour (RGB 0-255)."""

    name: str
    label: str
    shape: Callable[[], Mesh]
    colour: tuple[int, int, int]
    yaw: float = 0.0


@dataclass(frozen=True)
class Demo:
    """A demo clip: what its caption says, which objects it shows and how they move."""

    caption: str
    template: str
    props: tuple[Prop, ...]
    behaviour: str
    seconds: float = 6.0
    width: float = 0.055
    """Width that the hand closes on, metres."""


# ---------------------------------------------------------------------------------------------- motion
# The hand's frame: x along the fingers, z out of the back of the hand. The fingers close towards -z.
FINGER_AXIS = 0.074
"""x of the fingers' last joints' axis when they point down, metres."""
GRASP_DEPTH = 0.040
"""The palm's height above the top of a grasped object, metres."""
GRASP_YAW = -28.0
"""The fingers point to the left and away from the camera, so that the hand hides little. Degrees."""
TURN = 0.35
"""How much of the room's yaw objects and grasping hand take part in."""
FINGERTIP = 0.128
"""x of the stretched fingertips, metres."""


def grasp_pose(top: Array, yaw: float, width: float) -> Pose:
    """world_from_hand for a grasp from above, fingers over the far-left side, arm to the right."""
    rotation = rotation_z(yaw) @ rotation_z(90.0)
    centre = FINGER_AXIS - width / 2 - 0.008  # between fingers and thumb
    return Pose(top + [0, 0, GRASP_DEPTH] - rotation @ np.array([centre, 0, 0]), rotation)


@dataclass(frozen=True)
class Layout:
    """First centres of a demo's objects (by name, metres), their extents, and the room's yaw in degrees."""

    start: dict[str, Array]
    size: dict[str, Array]
    room_yaw: float

    def first(self) -> dict[str, Pose]:
        return {name: Pose(position, np.eye(3)) for name, position in self.start.items()}


def carry(
    layout: Layout,
    demo: Demo,
    t: float,
    goal: Callable[[float], tuple[Array, Array]],
    release: bool,
) -> Frame:
    """Approach, grasp the first object from above, follow ``goal`` and, if asked, release and leave.

    ``goal(s)`` gives the object's displacement (3,) and rotation (3, 3) at progress s of the whole clip.
    """
    prop = demo.props[0]
    start = layout.start[prop.name]
    top = start + [0, 0, layout.size[prop.name][2] / 2]
    grasp = grasp_pose(top, GRASP_YAW + TURN * layout.room_yaw, demo.width)
    away = grasp.rotation @ np.array([-0.50, 0.0, 0.16])
    closed = eased(t, 0.27, 0.34) - (eased(t, 0.80, 0.86) if release else 0.0)
    offset, turn = goal(t)
    held = Pose(start + offset, turn)
    # The hand holds the object: it turns and moves with it.
    hand = Pose(turn @ (grasp.position - start) + held.position, turn @ grasp.rotation)
    out = (1.0 - eased(t, 0.08, 0.24)) + (eased(t, 0.88, 1.02) if release else 0.0)
    above = (1.0 - eased(t, 0.17, 0.27)) + (eased(t, 0.85, 0.92) if release else 0.0)
    hand = hand.moved(out * away + above * np.array([0, 0, 0.07]))
    objects = layout.first() | {prop.name: held}
    return Frame(Hand(hand, closed), objects)


def lift(layout: Layout, demo: Demo, t: float) -> Frame:
    """Up by 17 cm, turning a little, then held."""
    s = eased(t, 0.36, 0.80)

    def goal(t: float) -> tuple[Array, Array]:
        return np.array([0.0, -0.02, 0.17]) * s, rotation_z(16 * s) @ rotation_y(-7 * s) @ rotation_x(5 * s)

    return carry(layout, demo, t, goal, release=False)


def next_to(layout: Layout, demo: Demo, t: float) -> Frame:
    """The first object is carried beside the second, on its right, and released."""
    a, b = demo.props[0].name, demo.props[1].name
    gap = (layout.size[a][1] + layout.size[b][1]) / 2 + 0.02
    target = layout.start[b] + np.array([0.0, -gap, 0.0])
    return put(layout, demo, t, target - layout.start[a], 0.10)


def cover(layout: Layout, demo: Demo, t: float) -> Frame:
    """The first object, hollow below, is lowered over the second."""
    a, b = demo.props[0].name, demo.props[1].name
    return put(layout, demo, t, layout.start[b] - layout.start[a], 0.12)


def put(layout: Layout, demo: Demo, t: float, move: Array, height: float) -> Frame:
    move = move * [1, 1, 0]
    up, across, down = eased(t, 0.35, 0.50), eased(t, 0.42, 0.66), eased(t, 0.60, 0.78)

    def goal(t: float) -> tuple[Array, Array]:
        return move * across + np.array([0, 0, height]) * (up - down), rotation_z(10 * across)

    return carry(layout, demo, t, goal, release=True)


def push(layout: Layout, demo: Demo, t: float, sign: float) -> Frame:
    """Stretched fingers push the first object along y by 22 cm; ``sign`` is -1 to the image's right."""
    name = demo.props[0].name
    start, size = layout.start[name], layout.size[name]
    travel = 0.22 * sign * eased(t, 0.32, 0.78)
    turn = rotation_z(sign * -9 * eased(t, 0.34, 0.78))
    rotation = rotation_z(90.0 * sign) @ rotation_y(16.0)  # fingers along the motion, a little downwards
    contact = start + [0, -sign * size[1] / 2, 0.0]
    contact[2] = min(0.045, 0.5 * size[2])
    tip = rotation @ np.array([FINGERTIP, 0, -0.016])
    hand = Pose(contact - tip, rotation)
    away = rotation @ np.array([-0.45, 0, 0.10])
    leave = eased(t, 0.82, 1.0)
    out = (1 - eased(t, 0.08, 0.30)) + 0.45 * leave
    hand = hand.moved(np.array([0, travel, 0]) + out * away)
    held = Pose(start + [0, travel, 0], turn)
    return Frame(Hand(hand, 0.12), layout.first() | {name: held})


def push_right(layout: Layout, demo: Demo, t: float) -> Frame:
    return push(layout, demo, t, -1.0)


def push_left(layout: Layout, demo: Demo, t: float) -> Frame:
    return push(layout, demo, t, 1.0)


BEHAVIOURS: dict[str, Callable[[Layout, Demo, float], Frame]] = {
    "lift": lift,
    "next_to": next_to,
    "cover": cover,
    "push_right": push_right,
    "push_left": push_left,
}

RED, BLUE, GREEN, YELLOW, ORANGE = (196, 44, 40), (38, 84, 190), (44, 146, 72), (226, 196, 40), (232, 120, 30)


def _box() -> Mesh:
    return box_mesh((0.055, 0.055, 0.075))


RED_BOX = Prop("red_box", "red box", _box, RED, yaw=GRASP_YAW)
BLUE_CAN = Prop("blue_can", "blue can", can_mesh, BLUE)
GREEN_BOTTLE = Prop("green_bottle", "green bottle", bottle_mesh, GREEN)
BLUE_MUG = Prop("blue_mug", "blue mug", mug_mesh, BLUE, yaw=197.0)
ORANGE_CUP = Prop("orange_cup", "orange cup", beaker_mesh, ORANGE)
YELLOW_BALL = Prop("yellow_ball", "yellow ball", ball_mesh, YELLOW)

LIFT = "Lifting [something] up completely without letting it drop down"
RIGHT, LEFT = "Pushing [something] from left to right", "Pushing [something] from right to left"
NEXT, COVER = "Putting [something] next to [something]", "Covering [something] with [something]"

DEMOS = {
    "lift_box": Demo("lifting red box up", LIFT, (RED_BOX,), "lift"),
    "lift_bottle": Demo("lifting green bottle up", LIFT, (GREEN_BOTTLE,), "lift", width=0.035),
    "lift_mug": Demo("lifting blue mug up", LIFT, (BLUE_MUG,), "lift", width=0.072),
    "push_can_right": Demo("pushing blue can from left to right", RIGHT, (BLUE_CAN,), "push_right"),
    "push_mug_right": Demo("pushing blue mug from left to right", RIGHT, (BLUE_MUG,), "push_right"),
    "push_box_left": Demo("pushing red box from right to left", LEFT, (RED_BOX,), "push_left"),
    "box_next_to_mug": Demo(
        "putting red box next to blue mug", NEXT, (RED_BOX, BLUE_MUG), "next_to", seconds=7.0
    ),
    "can_next_to_bottle": Demo(
        "putting blue can next to green bottle", NEXT, (BLUE_CAN, GREEN_BOTTLE), "next_to", 7.0, 0.062
    ),
    "cover_ball": Demo(
        "covering yellow ball with orange cup", COVER, (ORANGE_CUP, YELLOW_BALL), "cover", 7.0, 0.056
    ),
}


# ----------------------------------------------------------------------------------------------- scene


def _hand_xml(width: float) -> str:
    """A palm with four fingers, a thumb that opposes them at ``width``, wrist, forearm and sleeve."""
    fingers = ""
    for index, y in enumerate((-0.030, -0.010, 0.010, 0.030)):
        long = (0.036, 0.043, 0.045, 0.041)[index]
        fingers += f"""
        <body pos="0.040 {y} 0"><joint name="finger{index}a" axis="0 1 0"/>
          <geom type="capsule" fromto="0 0 0 {long} 0 0" size="0.0092"/>
          <body pos="{long} 0 0"><joint name="finger{index}b" axis="0 1 0"/>
            <geom type="capsule" fromto="0 0 0 {long - 0.005} 0 0" size="0.0080"/></body></body>"""
    thumb = FINGER_AXIS - width - 0.017
    return f"""
    <body name="hand" childclass="skin"><freejoint name="hand"/>
      <geom type="ellipsoid" pos="-0.002 0 0.002" size="0.052 0.046 0.017"/>
      <geom type="box" pos="0.018 0 0" size="0.024 0.036 0.010"/>
      <geom type="capsule" fromto="-0.035 0 0.004 -0.10 0 0.028" size="0.026"/>
      <geom type="capsule" fromto="-0.09 0 0.024 -0.26 0 0.085" size="0.030"/>
      <geom type="capsule" fromto="-0.22 0 0.072 -0.75 0 0.26" size="0.042" material="sleeve"/>
      {fingers}
      <geom type="capsule" fromto="{thumb - 0.012} 0.036 0.0 -0.02 0.02 0.002" size="0.012"/>
      <body pos="{thumb - 0.012} 0.038 0"><joint name="thumb" axis="0 1 0"/>
        <geom type="capsule" fromto="0 0 0 0.004 -0.006 -0.034" size="0.0105"/>
        <geom type="capsule" fromto="0.004 -0.006 -0.034 0.010 -0.012 -0.060" size="0.0090"/></body>
    </body>"""


def _scene_xml(demo: Demo, camera_pose: str, room_yaw: float, size: tuple[int, int], light: float) -> str:
    assets = bodies = ""
    for prop in demo.props:
        assets += f"""
    <mesh name="{prop.name}" file="{prop.name}.obj"/>
    <texture name="{prop.name}" type="2d" file="{prop.name}.png"/>
    <material name="{prop.name}" texture="{prop.name}" specular="0.25" shininess="0.3"/>"""
        bodies += f"""
    <body name="{prop.name}"><freejoint/>
      <geom type="mesh" mesh="{prop.name}" material="{prop.name}"/></body>"""
    clutter = """
      <geom type="box" pos="0.50 0.34 0.018" size="0.10 0.075 0.018" euler="0 0 22" rgba=".34 .36 .42 1"/>
      <geom type="box" pos="0.50 0.34 0.050" size="0.08 0.065 0.014" euler="0 0 8" rgba=".62 .60 .55 1"/>
      <geom type="cylinder" pos="0.52 -0.36 0.045" size="0.045 0.045" rgba=".55 .50 .47 1"/>
      <geom type="ellipsoid" pos="0.52 -0.36 0.13" size="0.065 0.06 0.06" rgba=".30 .36 .26 1"/>
      <geom type="box" pos="0.62 0.02 0.09" size="0.012 0.15 0.09" euler="0 -14 0" rgba=".15 .16 .18 1"/>
      <geom type="box" pos="0.54 0.02 0.006" size="0.075 0.15 0.006" rgba=".22 .23 .25 1"/>"""
    return f"""<mujoco>
  <compiler angle="degree" balanceinertia="true"/>
  <option><flag contact="disable"/></option>
  <visual><global offwidth="{size[0]}" offheight="{size[1]}"/><quality shadowsize="2048" offsamples="4"/>
    <headlight ambient=".34 .34 .34" diffuse=".22 .22 .22" specular="0 0 0"/>
    <map znear=".02" zfar="20"/></visual>
  <default><geom contype="0" conaffinity="0" density="100"/>
    <default class="skin"><geom material="skin"/></default></default>
  <asset>{assets}
    <texture name="wood" type="2d" file="wood.png"/><material name="wood" texture="wood" texrepeat="1 1"
      specular=".1" shininess=".1"/>
    <texture name="wall" type="2d" file="wall.png"/><material name="wall" texture="wall" specular="0"/>
    <texture name="skin" type="cube" builtin="flat" rgb1=".87 .66 .55" rgb2=".83 .61 .50" width="64"
      height="64" mark="random" markrgb=".83 .60 .49" random=".25"/>
    <material name="skin" texture="skin" specular=".12" shininess=".2"/>
    <material name="sleeve" rgba=".33 .35 .40 1" specular=".05"/>
  </asset>
  <worldbody>
    <light pos="-0.5 0.5 1.6" dir="0.35 -0.32 -1" diffuse="{light} {light} {light}" specular=".2 .2 .2"
      castshadow="true" cutoff="75"/>
    <light pos="0.3 -1.2 1.4" dir="-0.1 0.8 -0.8" diffuse=".18 .18 .2" castshadow="false"/>
    <camera name="clip" fovy="{FOV}" {camera_pose}/>
    <body euler="0 0 {room_yaw}">
      <geom type="box" pos="0.15 0 -0.02" size="0.75 0.9 0.02" material="wood"/>
      <geom type="box" pos="1.35 0 0.35" size="0.02 2.6 1.3" euler="0 0 0" rgba=".62 .64 .66 1"/>
      <geom type="plane" pos="1.32 0 0.45" size="0.9 0.9 0.1" xyaxes="0 -1 0 0 0 1" material="wall"/>
      <geom type="plane" pos="0 0 -0.75" size="5 5 .1" rgba=".36 .34 .33 1"/>{clutter}
    </body>{bodies}
    {_hand_xml(demo.width)}
  </worldbody>
</mujoco>"""


# ----------------------------------------------------------------------------------------------- render


def layout_of(demo: Demo, meshes: dict[str, Mesh], room_yaw: float, rng: np.random.Generator) -> Layout:
    """First centres of the objects: standing on the table, their mean over the origin."""
    size = {name: np.ptp(mesh.vertices, axis=0) for name, mesh in meshes.items()}
    spots = {p.name: np.array([0.0, 0.0]) for p in demo.props}
    if len(demo.props) == 2:
        spots[demo.props[0].name] = np.array([-0.03, -0.10])
        spots[demo.props[1].name] = np.array([0.03, 0.10])
    for spot in spots.values():
        spot += rng.uniform(-0.01, 0.01, 2)
    mean = np.mean(list(spots.values()), axis=0)
    start = {name: np.array([*(spot - mean), size[name][2] / 2]) for name, spot in spots.items()}
    return Layout(start, size, room_yaw)


class _Stage:
    """A compiled demo scene that can be posed and rendered."""

    def __init__(self, demo: Demo, camera: str, seed: int, width: int, height: int) -> None:
        if camera not in ANGLES:
            raise ValueError(f"camera {camera!r} is not one of {', '.join(ANGLES)}")
        rng = np.random.default_rng(seed)
        angle = ANGLES[camera]
        self.meshes = {
            p.name: rotated(p.shape(), rotation_z(p.yaw + TURN * angle.room_yaw)) for p in demo.props
        }
        assets = {"wood.png": png(wood_texture(rng)), "wall.png": png(wall_texture(rng))}
        for prop in demo.props:
            assets[f"{prop.name}.obj"] = obj_file(self.meshes[prop.name])
            assets[f"{prop.name}.png"] = png(object_print(prop.colour, rng))
        self.layout = layout_of(demo, self.meshes, angle.room_yaw, rng)
        middle = {"push_right": [0, -0.09, 0.05], "push_left": [0, 0.09, 0.05], "lift": [0, -0.01, 0.12]}
        self.world_from_camera = camera_at(
            angle.pitch, angle.distance, np.array(middle.get(demo.behaviour, [0, 0, 0.09]))
        )
        axes = self.world_from_camera.rotation
        pose = "pos='{} {} {}' xyaxes='{} {} {} {} {} {}'".format(
            *self.world_from_camera.position, *axes[:, 0], *-axes[:, 1]
        )
        xml = _scene_xml(demo, pose, angle.room_yaw, (width, height), rng.uniform(0.62, 0.78))
        self.model = mujoco.MjModel.from_xml_string(xml, assets)
        self.data = mujoco.MjData(self.model)
        self.names = [p.name for p in demo.props]
        self.geoms = [int(self.model.body(name).geomadr[0]) for name in self.names]
        self.renderer = mujoco.Renderer(self.model, height, width)
        self.K = intrinsics(FOV, width, height)

    def pose(self, frame: Frame) -> None:
        """Set hand and objects to ``frame``."""
        for name, pose in [*frame.objects.items(), ("hand", frame.hand.pose)]:
            joint = int(self.model.body(name).jntadr[0])
            start = int(self.model.jnt_qposadr[joint])
            self.data.qpos[start : start + 7] = [*pose.position, *quaternion(pose.rotation)]
        for index in range(4):
            self.data.joint(f"finger{index}a").qpos[0] = np.radians(8 + 32 * frame.hand.closed)
            self.data.joint(f"finger{index}b").qpos[0] = np.radians(14 + 36 * frame.hand.closed)
        self.data.joint("thumb").qpos[0] = np.radians(28 * (1 - frame.hand.closed))
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)

    def shoot(self) -> tuple[Image, Array, NDArray[np.bool_]]:
        """Colour (H, W, 3), depth (H, W) in metres and the visible masks (objects, H, W)."""
        self.renderer.update_scene(self.data, camera="clip")
        colour = self.renderer.render()
        self.renderer.enable_depth_rendering()
        depth = self.renderer.render()
        self.renderer.disable_depth_rendering()
        self.renderer.enable_segmentation_rendering()
        labels = self.renderer.render()[..., 0]
        self.renderer.disable_segmentation_rendering()
        return colour, depth, np.stack([labels == geom for geom in self.geoms])

    def close(self) -> None:
        self.renderer.close()


def render_demo(
    name: str,
    clip_path: Path,
    truth_path: Path,
    camera: str = "front",
    seed: int = 0,
    *,
    width: int = 640,
    height: int = 480,
    fps: int = 15,
) -> None:
    """Render demo ``name`` as a clip (H.264 in MP4) together with the truth about it.

    The truth, an npz, holds for n frames: ``names``; per object ``masks_{obj}`` (packed bits of the visible
    mask, see ``masks_shape``), ``camera_from_object_{obj}`` (n, 4, 4), ``vertices_{obj}`` in metres,
    ``faces_{obj}``, ``size_{obj}`` (3,) extents in metres; ``depth`` (n, H, W) float16 in metres; ``K``;
    ``world_from_camera`` (4, 4), OpenCV axes; ``fov`` and ``pitch`` in degrees; ``fps``. An object's frame
    has its origin at the bounding box's centre and the world's axes in the first frame.

    Raises:
        ValueError: for an unknown demo or camera.
    """
    if name not in DEMOS:
        raise ValueError(f"demo {name!r} is not one of {', '.join(DEMOS)}")
    demo = DEMOS[name]
    stage = _Stage(demo, camera, seed, width, height)
    move = BEHAVIOURS[demo.behaviour]
    count = round(demo.seconds * fps)
    camera_from_world = np.linalg.inv(transform(stage.world_from_camera))
    depths, masks = [], []
    poses: dict[str, list[Array]] = {obj: [] for obj in stage.names}

    def images() -> Iterator[Image]:
        for index in range(count):
            frame = move(stage.layout, demo, index / (count - 1))
            stage.pose(frame)
            colour, depth, mask = stage.shoot()
            depths.append(depth.astype(np.float16))
            masks.append(mask)
            for obj in stage.names:
                poses[obj].append(camera_from_world @ transform(frame.objects[obj]))
            yield colour

    try:
        write_video(clip_path, images(), fps)
    finally:
        stage.close()
    truth: dict[str, object] = {
        "names": np.array(stage.names),
        "depth": np.stack(depths),
        "masks_shape": np.array((count, height, width)),
        "K": stage.K,
        "world_from_camera": transform(stage.world_from_camera),
        "fov": FOV,
        "pitch": ANGLES[camera].pitch,
        "fps": fps,
    }
    for index, obj in enumerate(stage.names):
        mesh = stage.meshes[obj]
        truth[f"masks_{obj}"] = np.packbits(np.stack([mask[index] for mask in masks]))
        truth[f"camera_from_object_{obj}"] = np.stack(poses[obj])
        truth[f"vertices_{obj}"] = mesh.vertices
        truth[f"faces_{obj}"] = mesh.faces
        truth[f"size_{obj}"] = np.ptp(mesh.vertices, axis=0)
    with truth_path.open("wb") as file:
        np.savez_compressed(file, **truth)  # type: ignore[arg-type]


def true_masks(truth: Mapping[str, NDArray[Any]], obj: str) -> NDArray[np.bool_]:
    """Visible masks (n, H, W) of one object from a loaded truth file."""
    shape = tuple(int(v) for v in truth["masks_shape"])
    bits = np.unpackbits(np.asarray(truth[f"masks_{obj}"], np.uint8), count=int(np.prod(shape)))
    return bits.reshape(shape).astype(bool)
