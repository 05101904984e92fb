"""Hand-scripted trajectories, as the simulator would record them, for the judges' tests."""

from __future__ import annotations

import numpy as np

CONTROL_PERIOD = 0.05
Waypoints = dict[int, tuple[float, float, float]]


def path(waypoints: Waypoints, steps: int) -> np.ndarray:
    """(steps, 3) positions, linear between {step: position}, still before the first and after the last."""
    at = sorted(waypoints)
    values = np.array([waypoints[k] for k in at], float)
    return np.stack([np.interp(np.arange(steps), at, values[:, i]) for i in range(3)], axis=1)


class Episode:
    """One scripted episode; `record()` gives raw states of shape (T, 1, ...)."""

    def __init__(self, steps: int = 60) -> None:
        self.steps = steps
        self.states: dict[str, np.ndarray] = {
            "table_height": np.zeros((steps,)),
            "table_half": np.tile([0.2, 0.22], (steps, 1)),
        }
        self.tool({0: (0.0, 0.0, 0.3)})

    def tool(self, waypoints: Waypoints) -> Episode:
        self.states["eef_pos"] = path(waypoints, self.steps)
        return self

    def object(
        self,
        name: str,
        size: tuple[float, float, float],
        waypoints: Waypoints,
        touched: range | None = None,
        grasped: range | None = None,
        quat: tuple[float, float, float, float] = (1, 0, 0, 0),
        quat_from: int = 0,
    ) -> Episode:
        """An object whose centre follows a path; `quat` (wxyz, from rest) applies from step `quat_from`."""
        pos = path(waypoints, self.steps)
        quats = np.tile(np.array([1.0, 0, 0, 0]), (self.steps, 1))
        quats[quat_from:] = quat
        velocity = np.gradient(pos, CONTROL_PERIOD, axis=0)
        contact, grasp = np.zeros(self.steps), np.zeros(self.steps)
        for steps in (touched, grasped):
            if steps is not None:
                contact[steps.start : steps.stop] = 1
        if grasped is not None:
            grasp[grasped.start : grasped.stop] = 1
        self.states |= {
            f"{name}_pos": pos,
            f"{name}_quat": quats,
            f"{name}_vel_linear": velocity,
            f"{name}_vel_angular": np.zeros((self.steps, 3)),
            f"{name}_size": np.tile(np.array(size, float), (self.steps, 1)),
            f"{name}_contact_gripper": contact,
            f"{name}_grasped": grasp,
            f"{name}_contact_table": (np.abs(pos[:, 2] - size[2] / 2) < 1e-3).astype(float),
        }
        return self

    def meet(self, a: str, b: str, steps: range) -> Episode:
        """`a` and `b` touch each other in these steps."""
        contact = np.zeros(self.steps)
        contact[steps.start : steps.stop] = 1
        self.states |= {f"{a}_contact_{b}": contact, f"{b}_contact_{a}": contact}
        return self

    def yaw(self, name: str, waypoints: dict[int, float]) -> Episode:
        """The object's yaw, radians, linear between {step: yaw}."""
        angle = np.interp(np.arange(self.steps), list(waypoints), list(waypoints.values())) / 2
        zero = np.zeros(self.steps)
        self.states[f"{name}_quat"] = np.stack([np.cos(angle), zero, zero, np.sin(angle)], axis=1)
        return self

    def rolling(self, name: str, radius: float, ratio: float = 1.0) -> Episode:
        """The object turns as what rolls on `radius` does, times `ratio`."""
        velocity = self.states[f"{name}_vel_linear"]
        spin = np.stack([-velocity[:, 1], velocity[:, 0], 0 * velocity[:, 0]], axis=1)
        self.states[f"{name}_vel_angular"] = ratio * spin / radius
        return self

    def leans(self, name: str, degrees: dict[int, float], low: float = 0.0) -> Episode:
        """A flat thing, raised at its end in y: tilt about x by {step: degrees}, `low` m off the table."""
        angle = np.radians(np.interp(np.arange(self.steps), list(degrees), list(degrees.values())))
        zero = np.zeros(self.steps)
        half = self.states[f"{name}_size"][0] / 2
        self.states[f"{name}_quat"] = np.stack([np.cos(angle / 2), np.sin(angle / 2), zero, zero], axis=1)
        height = half[1] * np.sin(angle) + half[2] * np.cos(angle) + low
        self.states[f"{name}_pos"][:, 2] = height
        return self

    def record(self) -> dict[str, np.ndarray]:
        return {name: value[:, None] for name, value in self.states.items()}
