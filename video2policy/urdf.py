"""One rigid object as a URDF that MuJoCo, yourdfpy, PyBullet and Isaac Gym load."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Inertial:
    """Mass (kg), centre of mass (3,) in metres, inertia (3, 3) about it in kg m^2, in the object frame."""

    mass: float
    com: Array
    inertia: Array

    def __post_init__(self) -> None:
        moments = np.linalg.eigvalsh(self.inertia)
        if self.mass <= 0 or moments[0] <= 0 or moments[2] > (moments[0] + moments[1]) * (1 + 1e-6):
            raise ValueError(f"mass {self.mass} and principal moments {moments} belong to no rigid body")


def urdf(name: str, mesh: str, scale: float, pieces: Sequence[str], inertial: Inertial) -> str:
    """The URDF's text: a single link with `mesh` (times `scale`, in metres) to see and `pieces` to collide.

    File names are relative to the URDF's own folder. The link's frame is the object frame.
    """
    robot = ET.Element("robot", name=name)
    # MuJoCo drops directories and visual meshes unless told otherwise; other readers skip this element.
    ET.SubElement(
        ET.SubElement(robot, "mujoco"),
        "compiler",
        strippath="false",
        discardvisual="false",
        fusestatic="false",
    )
    link = ET.SubElement(robot, "link", name=name)
    body = ET.SubElement(link, "inertial")
    ET.SubElement(body, "origin", xyz=_numbers(inertial.com), rpy="0 0 0")
    ET.SubElement(body, "mass", value=f"{inertial.mass:.9g}")
    tensor = inertial.inertia
    entries = {"ixx": (0, 0), "ixy": (0, 1), "ixz": (0, 2), "iyy": (1, 1), "iyz": (1, 2), "izz": (2, 2)}
    ET.SubElement(body, "inertia", {key: f"{tensor[index]:.9g}" for key, index in entries.items()})
    _geometry(ET.SubElement(link, "visual"), mesh, scale)
    for piece in pieces:
        _geometry(ET.SubElement(link, "collision"), piece, 1.0)
    ET.indent(robot)
    return ET.tostring(robot, encoding="unicode", xml_declaration=True) + "\n"


def _geometry(parent: ET.Element, mesh: str, scale: float) -> None:
    ET.SubElement(parent, "origin", xyz="0 0 0", rpy="0 0 0")
    ET.SubElement(ET.SubElement(parent, "geometry"), "mesh", filename=mesh, scale=_numbers([scale] * 3))


def _numbers(values: Sequence[float] | Array) -> str:
    return " ".join(f"{value:.9g}" for value in values)


def collision_files(path: Path) -> list[Path]:
    """The convex pieces that a URDF file names, in its order."""
    root = ET.parse(path).getroot()
    return [path.parent / mesh.attrib["filename"] for mesh in root.iterfind("link/collision/geometry/mesh")]
