"""Domain randomisation in MuJoCo and MuJoCo Warp: draws go into model fields that simulations do not share.

A mesh cannot be stretched per simulation, but a geom may show another mesh in each: the scene is compiled
with one more copy of the objects' meshes for every size that is told apart.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import mujoco
import numpy as np
from numpy.typing import NDArray

from video2policy import mjcf, pose
from video2policy.scene import Scene
from video2policy.sim.randomise import CAMERAS, SIZES, TEXTURES, Draws, Randomisation

Array = NDArray[np.float64]

COPIED = ("geom_pos", "geom_quat", "geom_size", "geom_aabb", "geom_rbound", "geom_sameframe")
"""What a geom takes from the model compiled at its size."""


class Batch(Protocol):
    """What simulations offer whose models may differ, as mujoco.batch.Batch does."""

    def expand(self, name: str) -> NDArray[Any]:
        """The live array (n, ...) of a field of MjModel, which each simulation then has for itself."""

    def get_model(self, sim: int, model: mujoco.MjModel | None = None) -> mujoco.MjModel:
        """One simulation's model, into `model` where it is given."""


class Variation:
    """The per-simulation side of one batch: `add_assets` before compiling, `attach` after, then `apply`."""

    def __init__(
        self,
        randomisation: Randomisation,
        scene: Scene,
        root: Path,
        scale: float,
        largest: float,
        seed: int,
    ) -> None:
        """`scale` is the scene's; `largest` is the factor up to which what is grasped still fits the hand."""
        low, high = randomisation.size
        high = max(low, min(high, largest))
        self.randomisation = replace(randomisation, size=(low, high))
        self.largest = high
        self.names = scene.names
        self.reseed(seed)
        self._sizes = np.linspace(low, high, SIZES)
        self._resized = (low, high) != (1.0, 1.0)
        self._specs = [
            mjcf.build(scene, root, "floating", scale * size) for size in self._sizes if self._resized
        ]

    # ---------------------------------------------------------------- model

    def add_assets(self, spec: mujoco.MjSpec) -> None:
        """Add the objects' meshes at every size, and the table's textures."""
        for level, other in enumerate(self._specs):
            for mesh in other.meshes:
                if mesh.name.split("/")[0] in self.names:
                    copy = spec.add_mesh(name=f"{mesh.name}@{level}", file=mesh.file, scale=mesh.scale)
                    copy.inertia = mesh.inertia
                    if len(mesh.uservert):
                        copy.uservert, copy.userface = mesh.uservert, mesh.userface
        if self.randomisation.texture:
            for number in range(1, TEXTURES + 1):
                _add_texture(spec, number)

    def attach(self, model: mujoco.MjModel, batch: Batch) -> None:
        """Prepare the batch of the compiled scene."""
        self._model, self._batch = model, batch
        self._bodies = np.array([model.body(mjcf.body_name(name)).id for name in self.names])
        self._geoms = np.isin(model.geom_bodyid, self._bodies)
        self._dofs = np.array([model.body_dofadr[body] for body in self._bodies])
        table = model.geom("table").id
        pads = [model.geom(f"{mjcf.GRIPPER}{side}_pad").id for side in ("left", "right")]
        self._rubbing = np.concatenate([np.flatnonzero(self._geoms), [table, *pads]])
        self._arm = model.nu - len(pads)  # the fingers' servos come last
        self._levels = [self._level(model, spec) for spec in self._specs]

    def _level(self, model: mujoco.MjModel, spec: mujoco.MjSpec) -> dict[str, NDArray]:
        """What the objects' geoms are at one size: the fields of `COPIED`, and geom_dataid in `model`."""
        level, other = self._specs.index(spec), spec.compile()
        ids = np.flatnonzero(
            np.isin(other.geom_bodyid, [other.body(mjcf.body_name(n)).id for n in self.names])
        )
        if len(ids) != self._geoms.sum() or (other.geom_type[ids] != model.geom_type[self._geoms]).any():
            raise mjcf.SceneError(
                f"{', '.join(self.names)}: other collision geometry at {self._sizes[level]:.3f}"
            )
        found = {name: getattr(other, name)[ids] for name in COPIED}
        mesh = [
            model.mesh(f"{other.mesh(i).name}@{level}").id if i >= 0 else -1 for i in other.geom_dataid[ids]
        ]
        return {**found, "geom_dataid": np.array(mesh)}

    # ---------------------------------------------------------------- draws

    def reseed(self, seed: int) -> None:
        """Let draws and noise depend on `seed` from now on."""
        self.seed = seed
        self._noise = np.random.default_rng([seed, 1])

    def draw(self, environments: Sequence[int], episodes: Sequence[int]) -> Draws:
        """As `Randomisation.draw`, with sizes that fit the hand."""
        return self.randomisation.draw(self.seed, environments, episodes, len(self.names))

    def apply(self, ids: NDArray[np.int32], draws: Draws) -> None:
        """Give the simulations `ids` (k,) the size, mass, friction and servos of `draws`."""
        model, expand = self._model, self._batch.expand
        size, density = draws["size"], draws["mass"]
        if self._resized:
            levels = np.abs(self._sizes[None] - size[:, None]).argmin(1)
            for name in (*COPIED, "geom_dataid"):
                field = expand(name)
                for row, level in zip(ids, levels, strict=True):
                    field[row, self._geoms] = self._levels[level][name]
            expand("body_ipos")[np.ix_(ids, self._bodies)] = (
                model.body_ipos[self._bodies] * size[:, None, None]
            )
            boxes = expand("bvh_aabb")
            for body in self._bodies:
                first = model.body_bvhadr[body]
                rows = slice(first, first + model.body_bvhnum[body])
                boxes[ids, rows] = model.bvh_aabb[rows] * size[:, None, None]
        if self._resized or self.randomisation.mass != (1.0, 1.0):
            self._weigh(ids, size, density)
        if self.randomisation.friction != (1.0, 1.0):
            sliding = model.geom_friction[self._rubbing, 0] * draws["friction"][:, None]
            expand("geom_friction")[ids[:, None], self._rubbing, 0] = sliding
        if self.randomisation.gain != (1.0, 1.0):
            self._soften(ids, draws["gain"])

    def _soften(self, ids: NDArray[np.int32], gain: Array) -> None:
        """The arm's servos at a factor of their stiffness; their damping, and the fingers, stay."""
        for name, column in (("actuator_gainprm", 0), ("actuator_biasprm", 1)):
            stiff = getattr(self._model, name)[: self._arm, column]
            self._batch.expand(name)[ids, : self._arm, column] = stiff * gain[:, None]

    def _weigh(self, ids: NDArray[np.int32], size: Array, density: Array) -> None:
        """Mass and inertia, and what MuJoCo derives from them for a free body: all are proportional."""
        model, expand = self._model, self._batch.expand
        mass = density * size[:, None] ** 3
        inertia = mass * size[:, None] ** 2
        at = np.ix_(ids, self._bodies)
        expand("body_mass")[at] = model.body_mass[self._bodies] * mass
        expand("body_inertia")[at] = model.body_inertia[self._bodies] * inertia[..., None]
        expand("body_subtreemass")[at] = model.body_subtreemass[self._bodies] * mass
        added = (model.body_mass[self._bodies] * (mass - 1)).sum(1)
        expand("body_subtreemass")[ids, 0] = model.body_subtreemass[0] + added
        light = np.stack([1 / mass, 1 / inertia], axis=-1)
        expand("body_invweight0")[at] = model.body_invweight0[self._bodies] * light
        weights, heavy = expand("dof_invweight0"), expand("dof_M0")
        for k, dof in enumerate(self._dofs):
            for part, factor in ((slice(dof, dof + 3), mass), (slice(dof + 3, dof + 6), inertia)):
                weights[ids, part] = model.dof_invweight0[part] / factor[:, k, None]
                heavy[ids, part] = model.dof_M0[part] * factor[:, k, None]

    # ---------------------------------------------------------------- actions

    def disturb(self, actions: Array) -> Array:
        """The actions (n, 7) with this step's noise."""
        deviation = self.randomisation.action_noise
        if not deviation:
            return actions
        return actions + deviation * self._noise.standard_normal(actions.shape)

    # ---------------------------------------------------------------- images

    def dress(self, sim: int, model: mujoco.MjModel, row: Draws) -> None:
        """Make `model` that of one simulation, with its light, colours, texture and cameras, to draw it."""
        plain = self._model
        self._batch.get_model(sim, model)
        shade = row["light"][0]
        model.light_diffuse[:] = plain.light_diffuse * shade
        model.light_pos[:] = plain.light_pos + row["light_from"][0]
        for name in ("ambient", "diffuse"):
            getattr(model.vis.headlight, name)[:] = getattr(plain.vis.headlight, name) * shade
        owners = [np.flatnonzero(plain.geom_bodyid == body) for body in self._bodies]
        owners.append(np.array([plain.geom("table").id]))
        for geoms, shift in zip(owners, row["colour"][0], strict=True):
            model.geom_rgba[geoms, :3] = np.clip(plain.geom_rgba[geoms, :3] + shift, 0, 1)
        number = int(row["texture"][0])
        if number:
            model.geom_matid[plain.geom("table").id] = plain.material(f"table_{number}").id
        for name, shift in zip(CAMERAS, row["camera"][0], strict=True):
            camera = plain.camera(name).id
            model.cam_pos[camera] = plain.cam_pos[camera] + shift[:3]
            angle = float(np.linalg.norm(shift[3:]))
            if angle:
                turn = pose.rotation_about(shift[3:] / angle, np.degrees(angle))
                turned = turn @ pose.matrix_from_quat(plain.cam_quat[camera])
                model.cam_quat[camera] = pose.quat_from_matrix(turned)


def _add_texture(spec: mujoco.MjSpec, number: int, side: int = 256) -> None:
    """A grey texture that darkens the table's colour: blotches, grain, stripes, checks, dots, speckle."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:side, :side] / side
    coarse = rng.random((9, 9))
    at = np.linspace(0, 7.999, side)
    i, f = at.astype(int), at % 1
    rows = coarse[i] * (1 - f)[:, None] + coarse[i + 1] * f[:, None]
    cloud = rows[:, i] * (1 - f) + rows[:, i + 1] * f
    pattern = {
        1: cloud,
        2: np.sin(60 * y + 8 * cloud) / 2 + 0.5,
        3: (x * 8 % 1 < 0.5) * 1.0,
        4: ((x * 8).astype(int) + (y * 8).astype(int)) % 2 * 1.0,
        5: (np.hypot(x * 10 % 1 - 0.5, y * 10 % 1 - 0.5) > 0.3) * 1.0,
        6: rng.random((side, side)),
    }[number]
    grey = (255 * (1 - 0.35 * pattern)).astype(np.uint8)
    texture = spec.add_texture(
        name=f"table_{number}",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        width=side,
        height=side,
        nchannel=3,
    )
    texture.data = np.repeat(grey[..., None], 3, axis=2).tobytes()
    material = spec.add_material(name=f"table_{number}", texrepeat=[2, 2])
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = f"table_{number}"
