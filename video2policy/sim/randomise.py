"""Domain randomisation (paper, section 4.2: sim-to-real): what varies between episodes, and the draws.

Nothing here knows an engine. A draw depends on the seed, the environment and the number of its episode alone,
not on the order in which episodes end nor on what else is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Dict, Tuple  # noqa: UP035 - Python 3.8

import numpy as np
from numpy.typing import NDArray

Range = Tuple[float, float]  # noqa: UP006
Draws = Dict[str, NDArray[np.float64]]  # noqa: UP006
"""What k environments have, leading dimension k: `delay` (k,) seconds; `size` (k,) and `friction` (k,)
factors; `mass` (k, objects) factors; `camera` (k, cameras, 6), a shift in metres and a turn in radians;
`light` (k,) factor and `light_from` (k, 3) metres; `colour` (k, objects + 1, 3) added to the objects' and the
table's colours; `texture` (k,) number of the table's texture, 0 for none; `gain` (k,) factor on the servos'
stiffness; `tint` (k, 3) factors on the channels of pictures that a policy sees."""

SIZES = 9
"""Sizes within the range that are told apart: an engine prepares a mesh for each."""
TEXTURES = 6
"""Textures of the table, beside none."""
CAMERAS = ("front", "side")
"""That can move; the wrist camera is fixed to the hand."""
SEEN = ("tint", "blur", "pixel_noise", "camera_delay", "mask_error")
"""Entries about pictures that a policy sees."""
LIGHT_SHIFT = 0.5
"""Metres by which the light moves, per axis, where the light varies at all."""


class RandomisationError(ValueError):
    """A `simulation.randomise` that makes no sense; one sentence that names the entry."""


@dataclass(frozen=True)
class Randomisation:
    """How far each thing varies; the default varies nothing. Ranges are uniform, both ends included."""

    action_noise: float = 0.0
    """Standard deviation of normal noise on every action, in the actions' unit (1 is a whole step)."""
    action_delay: Range = (0.0, 0.0)
    """Seconds before a command takes effect, at most one control step; rounded to physics steps."""
    size: Range = (1.0, 1.0)
    """Factor on all objects of an environment: one, so that what contains another still does."""
    mass: Range = (1.0, 1.0)
    """Factor on each object's density."""
    friction: Range = (1.0, 1.0)
    """Factor on the sliding friction of objects, table and finger pads."""
    camera_shift: float = 0.0
    """Metres to either side, per axis, of the cameras that stand."""
    camera_turn: float = 0.0
    """Degrees to either side, per axis."""
    light: Range = (1.0, 1.0)
    """Factor on the brightness."""
    colour: float = 0.0
    """Added to or taken from each channel (0 to 1) of the objects' and the table's colour."""
    texture: bool = False
    """One of six textures on the table, or none."""
    gain: Range = (1.0, 1.0)
    """Factor on the stiffness of the arm's servos, not their damping: below 1 it lags and sags."""
    tint: float = 0.0
    """Part by which a picture's channels are brighter or darker, each for itself: another white balance.
    This and what follows change what a policy sees, not what is drawn for people or datasets (`sim.lens`)."""
    blur: float = 0.0
    """Pixels; standard deviation of a picture's blur."""
    pixel_noise: float = 0.0
    """Standard deviation of normal noise on each pixel and channel, of 255."""
    camera_delay: int = 0
    """Control steps by which pictures are late."""
    mask_error: float = 0.0
    """Probability that an object's mask is a pixel too wide or too narrow in a frame; a tenth of it, that it
    is not found at all."""

    def __post_init__(self) -> None:
        for name in ("action_delay", "size", "mass", "friction", "light", "gain"):
            low, high = getattr(self, name)
            if not (np.isfinite([low, high]).all() and 0 <= low <= high):
                raise RandomisationError(f"randomise.{name} is not a range from low to high: [{low}, {high}]")
            if name not in ("action_delay", "light") and low <= 0:
                raise RandomisationError(f"randomise.{name} starts at {low}, but a factor must be above 0")
        for name in ("action_noise", "camera_shift", "camera_turn", "colour", *SEEN):
            if not 0 <= getattr(self, name) < np.inf:
                raise RandomisationError(f"randomise.{name} is {getattr(self, name)}, but must be 0 or more")
        if self.tint >= 1 or self.mask_error > 1 or self.camera_delay != int(self.camera_delay):
            raise RandomisationError("randomise: tint is below 1, mask_error at most 1, camera_delay whole")

    @classmethod
    def of(cls, value: str | Mapping[str, Any]) -> Randomisation:
        """From the config: a preset's name, or values, over those of a `preset` where one is named.

        Raises:
            RandomisationError: no such preset or entry, or a value that makes no sense.
        """
        given = {"preset": value} if isinstance(value, str) else dict(value)
        preset = given.pop("preset", "none")
        if preset not in PRESETS:
            raise RandomisationError(f"no randomise preset {preset!r}; there are {', '.join(PRESETS)}")
        names = [field.name for field in fields(cls)]
        unknown = [name for name in given if name not in names]
        if unknown:
            raise RandomisationError(f"no randomise entry {unknown[0]!r}; there are {', '.join(names)}")
        try:
            values: dict[str, Any] = {
                k: (float(v[0]), float(v[1])) if _is_range(k) else v for k, v in given.items()
            }
        except (TypeError, ValueError, IndexError, KeyError) as error:
            raise RandomisationError(f"randomise has a range that is not two numbers: {given}") from error
        return replace(PRESETS[preset], **values)

    def draw(self, seed: int, environments: Sequence[int], episodes: Sequence[int], objects: int) -> Draws:
        """The draws of `environments`, each in its so-many-th of `episodes`, with `objects` objects."""
        u = np.stack(
            [
                np.random.default_rng([seed, env, episode]).random(16 + 6 * len(CAMERAS) + 4 * objects)
                for env, episode in zip(environments, episodes)  # noqa: B905 - Python 3.8
            ]
        )
        k, cameras = len(u), 6 * len(CAMERAS)
        delay, size, friction, light, texture = u[:, :5].T
        sizes = np.linspace(*self.size, SIZES)
        turns = np.array([self.camera_shift] * 3 + [np.radians(self.camera_turn)] * 3)
        spread = 2 * u - 1
        placed = spread[:, 16 : 16 + cameras].reshape(k, len(CAMERAS), 6)
        rest = 16 + cameras
        return {
            "delay": _between(self.action_delay, delay),
            "size": sizes[np.minimum((SIZES * size).astype(int), SIZES - 1)],
            "friction": _between(self.friction, friction),
            "mass": _between(self.mass, u[:, rest : rest + objects]),
            "camera": turns * placed,
            "light": _between(self.light, light),
            "light_from": LIGHT_SHIFT * spread[:, 5:8] * (self.light[0] < self.light[1]),
            "colour": self.colour
            * np.concatenate([spread[:, rest + objects :], spread[:, 8:11]], axis=1).reshape(k, -1, 3),
            "texture": np.floor(texture * (TEXTURES + 1)) * self.texture,
            "gain": _between(self.gain, u[:, 11]),
            "tint": 1 + self.tint * spread[:, 12:15],
        }

    def shapes(self, objects: int) -> dict[str, tuple[int, ...]]:
        """Of one environment's draws, by name; none where nothing varies."""
        if self == PRESETS["none"]:
            return {}
        return {name: values.shape[1:] for name, values in self.draw(0, [0], [0], objects).items()}


def _is_range(name: str) -> bool:
    return isinstance(getattr(Randomisation, name), tuple)


def _between(span: Range, u: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(span[0] + (span[1] - span[0]) * u)


PRESETS = {
    "none": Randomisation(),
    # Noise and delay are the paper's values; it says that size and mass vary, not how far.
    "paper": Randomisation(action_noise=0.02, action_delay=(0.01, 0.02), size=(0.9, 1.1), mass=(0.8, 1.2)),
    "wide": Randomisation(
        action_noise=0.02,
        action_delay=(0.0, 0.03),
        size=(0.85, 1.15),
        mass=(0.5, 2.0),
        friction=(0.7, 1.3),
        camera_shift=0.02,
        camera_turn=2.0,
        light=(0.6, 1.3),
        colour=0.15,
        texture=True,
    ),
    # A stand-in for a robot that nobody modelled: mostly outside of what `wide` covers.
    "real": Randomisation(
        action_noise=0.02,
        action_delay=(0.03, 0.05),
        size=(0.95, 1.05),
        mass=(1.2, 2.5),
        friction=(0.6, 0.9),
        camera_shift=0.015,
        camera_turn=1.5,
        light=(0.5, 1.6),
        colour=0.3,
        texture=True,
        gain=(0.6, 0.8),
        tint=0.2,
        blur=0.6,
        pixel_noise=12.0,
        camera_delay=1,
        mask_error=0.3,
    ),
}
"""By the names that the config uses."""
