"""Signs that a policy found a way around its task: what a reader should look at before trusting a success.

They read the recorded states and what the generated success and the judge say of the same episodes, and go
into eval.json as `verdicts`. Nothing that trains or selects reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from video2policy.evaluate.judges import Verdicts
from video2policy.evaluate.recording import Recording

Bools = npt.NDArray[np.bool_]

FASTEST = 3.0
"""m/s; the tool itself moves at .3, and what it lets go of falls at 2.5 from as high as it reaches."""
HIGHEST = 0.65
"""Metres over the table: the tool's highest and 20 cm."""
BELOW, BESIDE = 0.03, 0.6
"""Metres by which a centre may be under the table's surface, and away from its middle."""
TOOL_LOW, TOOL_HIGH = (-0.3, -0.36, -0.02), (0.3, 0.36, 0.55)
"""Metres: the workspace of the tool (`sim.robot`), with 8 cm to spare."""
BLOW = 0.05
"""Metres from the tool to the object within which a blow may fall between two recorded steps."""
DISAGREE = 0.1
"""Share of episodes in which judge and generated success may differ."""


@dataclass(frozen=True)
class Verdict:
    """One question about judged episodes; `message` says what was seen."""

    name: str
    passed: bool
    message: str


def verdicts(
    roles: Mapping[str, str], recordings: Sequence[Recording], judged: Sequence[Verdicts]
) -> list[dict[str, Any]]:
    """All verdicts over the episodes of all policies, for eval.json: name, passed, message."""
    touched = _share(recordings, lambda r: r.generated_success() & ~_touched(r, roles["a"]))
    fast = _share(recordings, lambda r: _exceeds(r, roles, "vel_linear", FASTEST))
    high = _share(recordings, lambda r: _exceeds(r, roles, "pos", HIGHEST))
    outside = _share(recordings, lambda r: _outside(r, roles))
    over, under, episodes = 0, 0, 0
    for recording, verdict in zip(recordings, judged, strict=True):
        generated = recording.generated_success()
        over += int((generated & ~verdict.success).sum())
        under += int((~generated & verdict.success).sum())
        episodes += recording.episodes
    agree = (over + under) / episodes <= DISAGREE
    found = [
        _verdict(
            "contact", touched, f"the written task counts a success although nothing touched {roles['a']}"
        ),
        _verdict("speed", fast, f"an object is faster than {FASTEST:g} m/s"),
        _verdict("height", high, f"an object is higher than {HIGHEST:g} m"),
        _verdict(
            "limits", outside, "the tool or an object is outside the workspace, or the physics diverged"
        ),
        Verdict(
            "agreement",
            agree,
            f"of {episodes} episodes, the written task counts {over} as done that the judge does not, and the"
            f" judge {under} that it does not",
        ),
    ]
    return [asdict(verdict) for verdict in found]


def _verdict(name: str, share: tuple[int, int], what: str) -> Verdict:
    """Passed where no episode shows it."""
    count, episodes = share
    return Verdict(name, count == 0, f"in {count} of {episodes} episodes {what}")


def _share(recordings: Sequence[Recording], shows: Callable[[Recording], Bools]) -> tuple[int, int]:
    """Episodes that show something, and all episodes."""
    return sum(int(shows(r).sum()) for r in recordings), sum(r.episodes for r in recordings)


def _touched(recording: Recording, name: str) -> Bools:
    """(N,): the gripper touched the object at some time, or was at it."""
    states = recording.states
    contact = (states[f"{name}_contact_gripper"] > 0.5).any(axis=0)
    away = np.linalg.norm(states["eef_pos"] - states[f"{name}_pos"], axis=-1)
    reach = 0.5 * np.linalg.norm(states[f"{name}_size"], axis=-1) + BLOW
    return np.asarray(contact | (away < reach).any(axis=0))


def _exceeds(recording: Recording, roles: Mapping[str, str], state: str, most: float) -> Bools:
    """(N,): some object's speed, or its height, is above `most` at a step at which the physics held."""
    found = np.zeros(recording.episodes, bool)
    for name in roles.values():
        values = recording.states[f"{name}_{state}"]
        size = values[..., 2] if state == "pos" else np.linalg.norm(values, axis=-1)
        found |= ((size > most) & recording.valid).any(axis=0)
    return found


def _outside(recording: Recording, roles: Mapping[str, str]) -> Bools:
    tool = recording.states["eef_pos"]
    broken = ((tool < TOOL_LOW) | (tool > TOOL_HIGH)).any(axis=-1)
    for name in roles.values():
        pos = recording.states[f"{name}_pos"]
        broken |= (pos[..., 2] < -BELOW) | (np.abs(pos[..., :2]) > BESIDE).any(axis=-1)
    return np.asarray((broken & recording.valid).any(axis=0) | ~recording.valid[-1])
