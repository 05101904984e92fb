"""The stage: a MuJoCo scene with textured objects, a hand, a table and a room, and the camera that shoots
it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.rendered.geometry import Array, Pose
from video2policy.rendered.hand import Hand, Posture
from video2policy.rendered.shapes import Mesh
from video2policy.rendered.textures import Image

os.environ.setdefault("MUJOCO_GL", "egl")  # must be set before mujoco loads its GL bindings
import mujoco


def png(image: Image) -> bytes:
    ok, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not ok:
        raise RuntimeError("a texture could not be encoded as PNG")
    return data.tobytes()


def obj(mesh: Mesh) -> bytes:
    """The mesh as an OBJ file."""
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in mesh.vertices]
    lines += [f"vt {u:.5f} {v:.5f}" for u, v in mesh.texcoords]
    lines += ["f " + " ".join(f"{i + 1}/{i + 1}" for i in face) for face in mesh.faces]
    return ("\n".join(lines) + "\n").encode()


def quaternion(rotation: Array) -> Array:
    """wxyz quaternion of a rotation matrix."""
    result = np.empty(4)
    mujoco.mju_mat2Quat(result, rotation.ravel())
    return result


def camera_at(pitch: float, distance: float, target: Array) -> Pose:
    """world_from_camera (OpenCV axes: x right, y down, z forward) that looks along +x and ``pitch`` degrees
    down."""
    pitch = np.radians(pitch)
    forward = np.array([np.cos(pitch), 0.0, -np.sin(pitch)])
    right = np.array([0.0, -1.0, 0.0])
    return Pose(target - distance * forward, np.stack([right, np.cross(forward, right), forward], axis=1))


def intrinsics(fov: float, width: int, height: int) -> Array:
    """K (3, 3) of a pinhole camera with a vertical field of view in degrees."""
    focal = height / 2 / np.tan(np.radians(fov / 2))
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])


@dataclass(frozen=True)
class Setting:
    """What surrounds the objects: pictures, light, the room's yaw in degrees."""

    table: Image
    room: Image
    skin: Image
    sleeve: Image
    nail: tuple[float, float, float]
    room_yaw: float
    table_half: tuple[float, float]
    """Half extents of the table's top in metres, away from the camera and across."""
    table_repeat: float
    wall: float
    """Distance of the wall, metres."""
    sun: tuple[float, float, float]
    """Where the light that casts shadows stands, metres."""
    sun_strength: float
    ambient: float
    warmth: float
    """Of the light: 1 neutral, above 1 warmer."""
    clutter: Sequence[tuple[str, Array, Array, float, Array]] = field(default=())
    """Things in the back: MuJoCo's geom type, position, size, yaw (degrees), colour (0 to 1)."""


@dataclass(frozen=True)
class Shot:
    """One picture with its truth: ``colour`` (H, W, 3); ``depth`` (H, W) in metres; visible ``masks`` and
    whole
    silhouettes ``amodal`` (objects, H, W); ``hand`` (H, W)."""

    colour: Image
    depth: Array
    masks: NDArray[np.bool_]
    amodal: NDArray[np.bool_]
    hand: NDArray[np.bool_]


HAND_GROUP, SCENERY_GROUP = 4, 5


class Stage:
    """A compiled scene that can be posed and shot. At most four objects: each has a render group of its
    own."""

    def __init__(
        self,
        objects: Mapping[str, tuple[Mesh, Image, float]],
        hand: Hand,
        setting: Setting,
        fov: float,
        size: tuple[int, int],
    ) -> None:
        if not 1 <= len(objects) <= HAND_GROUP:
            raise ValueError(f"a stage takes 1 to {HAND_GROUP} objects, not {len(objects)}")
        self.names, self.hand = list(objects), hand
        xml, assets = _scene(objects, hand, setting, fov, size)
        self.model = mujoco.MjModel.from_xml_string(xml, assets)
        self.data = mujoco.MjData(self.model)
        self.renderer = mujoco.Renderer(self.model, size[1], size[0])
        self.K = intrinsics(fov, *size)
        group = np.asarray(self.model.geom_group)
        self._geoms = [np.flatnonzero(group == i) for i in range(len(objects))]
        self._hand_geoms = np.flatnonzero(group == HAND_GROUP)
        self._all = mujoco.MjvOption()
        self._all.geomgroup[:] = 1

    def _set(self, body: str, pose: Pose) -> None:
        index = int(self.model.body(body).mocapid[0])
        self.data.mocap_pos[index], self.data.mocap_quat[index] = pose.position, quaternion(pose.rotation)

    def pose(self, posture: Posture, objects: Mapping[str, Pose], camera: Pose) -> None:
        """Set the hand, objects by name and world_from_camera."""
        for name, pose in objects.items():
            self._set(name, pose)
        for part, pose in zip(self.hand.parts, self.hand.poses(posture), strict=True):
            self._set(part.name, pose)
        self._set("camera", Pose(camera.position, camera.rotation * [1, -1, -1]))  # OpenGL's axes
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)

    def colour(self) -> Image:
        """The picture alone (H, W, 3)."""
        self.renderer.update_scene(self.data, camera="clip", scene_option=self._all)
        return self.renderer.render().copy()

    def _labels(self, option: mujoco.MjvOption) -> NDArray[np.int32]:
        self.renderer.update_scene(self.data, camera="clip", scene_option=option)
        return self.renderer.render()[..., 0]

    def shoot(self) -> Shot:
        """The picture and its truth."""
        colour = self.colour()
        self.renderer.enable_depth_rendering()
        self.renderer.update_scene(self.data, camera="clip", scene_option=self._all)
        depth = self.renderer.render().copy()
        self.renderer.disable_depth_rendering()
        self.renderer.enable_segmentation_rendering()
        labels = self._labels(self._all)
        masks = np.stack([np.isin(labels, geoms) for geoms in self._geoms])
        hand = np.isin(labels, self._hand_geoms)
        whole = []
        for index, geoms in enumerate(self._geoms):
            alone = mujoco.MjvOption()
            alone.geomgroup[:] = 0
            alone.geomgroup[index] = 1
            whole.append(np.isin(self._labels(alone), geoms))
        self.renderer.disable_segmentation_rendering()
        return Shot(colour, depth, masks, np.stack(whole), hand)

    def close(self) -> None:
        self.renderer.close()


def _vector(values: Sequence[float] | Array) -> str:
    return " ".join(f"{float(v):.5g}" for v in values)


def _scene(
    objects: Mapping[str, tuple[Mesh, Image, float]],
    hand: Hand,
    setting: Setting,
    fov: float,
    size: tuple[int, int],
) -> tuple[str, dict[str, bytes]]:
    """MuJoCo's XML and the files that it names."""
    files = {
        "table.png": png(setting.table),
        "room.png": png(setting.room),
        "skin.png": png(setting.skin),
        "sleeve.png": png(setting.sleeve),
    }
    assets, bodies = [], []
    for group, (name, (mesh, texture, gloss)) in enumerate(objects.items()):
        files[f"{name}.obj"], files[f"{name}.png"] = obj(mesh), png(texture)
        assets.append(
            f'<mesh name="{name}" file="{name}.obj" inertia="shell"/>'
            f'<texture name="{name}" type="2d" file="{name}.png"/>'
            f'<material name="{name}" texture="{name}" specular="{0.6 * gloss:.3g}" '
            f'shininess="{0.2 + 0.6 * gloss:.3g}"/>'
        )
        bodies.append(
            f'<body name="{name}" mocap="true">'
            f'<geom type="mesh" mesh="{name}" material="{name}" group="{group}"/></body>'
        )
    for part in hand.parts:
        files[f"{part.name}.obj"] = obj(part.mesh)
        assets.append(f'<mesh name="{part.name}" file="{part.name}.obj" inertia="shell"/>')
        nail = ""
        if part.nail:
            x, r = part.nail
            nail = (
                f'<geom type="ellipsoid" pos="{x:.5g} 0 {0.72 * r:.5g}" size="{0.8 * r:.5g} {0.66 * r:.5g} '
                f'{0.33 * r:.5g}" rgba="{_vector(setting.nail)} 1" group="{HAND_GROUP}"/>'
            )
        bodies.append(
            f'<body name="{part.name}" mocap="true"><geom type="mesh" mesh="{part.name}" '
            f'material="{part.material}" group="{HAND_GROUP}"/>{nail}</body>'
        )
    room = "".join(
        f'<geom type="{kind}" pos="{_vector(at)}" size="{_vector(extent)}" euler="0 0 {yaw:.4g}" '
        f'rgba="{_vector(colour)} 1" group="{SCENERY_GROUP}"/>'
        for kind, at, extent, yaw, colour in setting.clutter
    )
    half_x, half_y = setting.table_half
    sun = np.array(setting.sun)
    tint = np.array([setting.warmth, 1.0, 1 / setting.warmth])
    tone = setting.room.reshape(-1, 3).mean(0) / 255
    xml = f"""<mujoco>
  <compiler angle="degree" balanceinertia="true"/>
  <option><flag contact="disable"/></option>
  <visual><global offwidth="{size[0]}" offheight="{size[1]}"/><quality shadowsize="1024" offsamples="4"/>
    <headlight ambient="{_vector(setting.ambient * tint)}" diffuse=".16 .16 .16" specular="0 0 0"/>
    <map znear=".02" zfar="20"/></visual>
  <default><geom contype="0" conaffinity="0" density="100"/></default>
  <asset>{"".join(assets)}
    <texture type="skybox" builtin="gradient" rgb1="{_vector(tone)}" rgb2="{_vector(0.6 * tone)}" width="32"
    height="32"/>
    <texture name="table" type="2d" file="table.png"/>
    <material name="table" texture="table" texrepeat="{setting.table_repeat:.3g} {setting.table_repeat:.3g}"
      specular=".1" shininess=".2"/>
    <texture name="room" type="2d" file="room.png"/><material name="room" texture="room" specular="0"/>
    <texture name="skin" type="2d" file="skin.png"/><material name="skin" texture="skin" specular=".16"
    shininess=".25"/>
    <texture name="sleeve" type="2d" file="sleeve.png"/>
    <material name="sleeve" texture="sleeve" texrepeat="2 3" specular="0"/>
  </asset>
  <worldbody>
    <light pos="{_vector(sun)}" dir="{_vector(-sun)}" diffuse="{_vector(setting.sun_strength * tint)}"
      specular=".25 .25 .25" castshadow="true" cutoff="70"/>
    <light pos="0.2 {-1.2 * np.sign(sun[1]):.3g} 1.3" dir="-0.1 {0.8 * np.sign(sun[1]):.3g} -0.8"
      diffuse=".16 .16 .18" castshadow="false"/>
    <body name="camera" mocap="true"><camera name="clip" fovy="{fov}"/></body>
    <body euler="0 0 {setting.room_yaw}">
      <geom type="box" pos="0 0 -0.024" size="{half_x} {half_y} 0.02" rgba=".4 .36 .32 1"
      group="{SCENERY_GROUP}"/>
      <geom type="plane" pos="0 0 0" size="{half_x} {half_y} 0.1" material="table" group="{SCENERY_GROUP}"/>
      <geom type="plane" pos="{setting.wall} 0 0.35" size="2.0 1.5 0.1" xyaxes="0 -1 0 0 0 1" material="room"
        group="{SCENERY_GROUP}"/>
      <geom type="plane" pos="0 0 -0.75" size="6 6 .1" rgba=".38 .35 .33 1" group="{SCENERY_GROUP}"/>{room}
    </body>{"".join(bodies)}
  </worldbody>
</mujoco>"""
    return xml, files


def write_video(
    path: Path,
    images: Iterator[Image],
    fps: int,
    codec: str = "libx264",
    options: Mapping[str, str] | None = None,
) -> None:
    """Encode RGB images (yuv420p); the container follows the codec: H.264 in MP4, VP9 in WebM."""
    container_format = "webm" if codec.startswith("libvpx") else "mp4"
    settings = dict(options or {"crf": "18", "preset": "veryfast"})
    with av.open(str(path), "w", format=container_format) as container:
        stream = cast(av.VideoStream, container.add_stream(codec, rate=fps, options=settings))
        stream.pix_fmt = "yuv420p"
        for index, image in enumerate(images):
            if index == 0:
                stream.height, stream.width = image.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
