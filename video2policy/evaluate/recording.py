"""What a rollout leaves behind: raw simulator states, actions and configurations, as plain arrays."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from video2policy.guard.leavings import open_file, printable

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

STATE_PREFIX, DRAW_PREFIX = "states/", "draws/"
MAX_BYTES = 2**30
MAX_ARRAYS = 1000


class RecordingError(ValueError):
    """A file that a worker wrote is no recording."""


@dataclass(frozen=True)
class Recording:
    """N episodes of T control steps.

    Attributes:
        states: raw simulator states by name, (T + 1, N, ...); row 0 is after the reset, t + 1 after action t.
        actions: (T, N, 7) what the policy chose (before any noise of collection).
        generated: (T, N) bool, the generated task's own success after action t.
        valid: (T + 1, N) bool, false from the row in which an episode's physics diverged.
        configuration: (T, N, nq) the simulator's generalised positions before action t, for drawing.
        sandbox: how the worker that wrote it was contained; None where nothing is known.
        draws: what was randomised in each episode, (N, ...) by name (`sim.randomise`); empty without.
    """

    states: dict[str, Floats]
    actions: Floats
    generated: Bools
    valid: Bools
    configuration: npt.NDArray[np.float64]
    sandbox: Mapping[str, Any] | None = None
    draws: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)

    @property
    def episodes(self) -> int:
        return self.actions.shape[1]

    def drawn(self, episode: int) -> dict[str, npt.NDArray[np.float64]]:
        """What was randomised in one episode, leading dimension 1."""
        return {name: values[[episode]] for name, values in self.draws.items()}

    def trajectory(self) -> dict[str, npt.NDArray[Any]]:
        """What the judges read."""
        return {**self.states, "valid": self.valid}

    def generated_success(self) -> Bools:
        """(N,): the generated success at the end of each episode."""
        return self.generated[-1] & self.valid[-1]

    def save(self, path: Path) -> None:
        arrays: dict[str, Any] = {STATE_PREFIX + name: value for name, value in self.states.items()}
        arrays |= {DRAW_PREFIX + name: value for name, value in self.draws.items()}
        fields = ("actions", "generated", "valid", "configuration")
        arrays |= {name: getattr(self, name) for name in fields}
        with path.open("wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(
        cls,
        path: Path,
        steps: int,
        episodes: int,
        widths: Mapping[str, int] | None = None,
        draws: Mapping[str, tuple[int, ...]] | None = None,
    ) -> Recording:
        """Read a worker's recording of `episodes` of `steps`; nothing but numbers of the right shape passes.

        `widths` are those of the states that must be there, and no others; `draws`, likewise, the shapes of
        what is randomised in an episode.

        Raises:
            RecordingError: a part is absent, holds objects instead of numbers, has another shape, or numbers
                that are not finite where the physics held.
        """
        try:
            with open_file(path.parent, path.name, MAX_BYTES) as stream:
                arrays = _arrays(stream)
            states = {
                name.removeprefix(STATE_PREFIX): np.asarray(value, np.float32)
                for name, value in arrays.items()
                if name.startswith(STATE_PREFIX)
            }
            recording = cls(
                states,
                np.asarray(arrays["actions"], np.float32),
                np.asarray(arrays["generated"], bool),
                np.asarray(arrays["valid"], bool),
                np.asarray(arrays["configuration"], np.float64),
                draws={
                    name.removeprefix(DRAW_PREFIX): np.asarray(value, np.float64)
                    for name, value in arrays.items()
                    if name.startswith(DRAW_PREFIX)
                },
            )
        except Exception as error:  # NumPy and zipfile raise whatever odd bytes lead them to
            reason = printable(str(error) or type(error).__name__)[:300]
            raise RecordingError(f"{path.name} is no recording: {reason}") from error
        shapes = {
            "actions": recording.actions.shape == (steps, episodes, 7),
            "generated": recording.generated.shape == (steps, episodes),
            "valid": recording.valid.shape == (steps + 1, episodes),
            "configuration": recording.configuration.shape[:2] == (steps, episodes),
        } | {name: value.shape[:2] == (steps + 1, episodes) for name, value in states.items()}
        for name, width in (widths or {}).items():
            tail = (width,) if width > 1 else ()
            shapes[name] = name in states and states[name].shape == (steps + 1, episodes, *tail)
        shapes |= {name: False for name in states if widths is not None and name not in widths}
        shapes |= {
            DRAW_PREFIX + name: value.shape[:1] == (episodes,) and bool(np.isfinite(value).all())
            for name, value in recording.draws.items()
        }
        if draws is not None:
            given = {name: value.shape[1:] for name, value in recording.draws.items()}
            both = given.keys() | draws.keys()
            shapes |= {DRAW_PREFIX + n: False for n in both if given.get(n) != draws.get(n)}
        wrong = [name for name, fits in shapes.items() if not fits]
        if wrong:
            raise RecordingError(f"{path.name} is no recording: the shape of {', '.join(wrong)} does not fit")
        odd = [name for name, value in states.items() if not np.isfinite(value[recording.valid]).all()]
        if odd or not np.isfinite(recording.configuration[recording.valid[:-1]]).all():
            raise RecordingError(
                f"{path.name} is no recording: {', '.join(odd) or 'configuration'} not finite"
            )
        return recording


def _arrays(stream: BinaryIO) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an npz that holds no more than its size says: a compressed one may hold any amount."""
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        if len(members) > MAX_ARRAYS or sum(member.file_size for member in members) > MAX_BYTES:
            raise ValueError("it holds too much")
    stream.seek(0)
    with np.load(stream, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def join(parts: Sequence[Recording]) -> Recording:
    """The episodes of several recordings of equal length, one after the other."""

    def together(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        return np.concatenate(arrays, axis=1)

    first: Mapping[str, Floats] = parts[0].states
    return Recording(
        {name: together([part.states[name] for part in parts]) for name in first},
        together([part.actions for part in parts]),
        together([part.generated for part in parts]),
        together([part.valid for part in parts]),
        together([part.configuration for part in parts]),
        draws={name: np.concatenate([part.draws[name] for part in parts]) for name in parts[0].draws},
    )
