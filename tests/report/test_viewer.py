"""What the 3-D view is given."""

import json
from pathlib import Path

import numpy as np
import trimesh

from tests.report import synthetic
from video2policy.report import viewer

CUBE = synthetic.row("lift_cube", "lifting a cube", ["cube"])


def scene(folder: Path) -> dict:
    return json.loads((folder / "scene.json").read_text())


def test_meshes_are_in_metres_and_poses_by_columns(tmp_path: Path) -> None:
    folder = synthetic.write_clip(tmp_path, CUBE)
    (drawn,) = viewer.scene_data(scene(folder), folder, colours=True)["objects"]
    vertices = np.reshape(drawn["vertices"], (-1, 3))
    assert np.allclose(np.ptp(vertices, axis=0), 0.08, atol=2e-3)  # mesh_scale of a ball of diameter 1
    assert len(drawn["colours"]) == len(drawn["vertices"]) and max(drawn["faces"]) < len(vertices)
    want = scene(folder)["objects"][0]["world_from_object"]
    assert drawn["poses"][5] is None and len(drawn["poses"]) == len(want)
    assert np.allclose(np.reshape(drawn["poses"][-1], (4, 4)).T, want[-1], atol=1e-5)


def test_a_clip_without_meshes_has_no_view(tmp_path: Path) -> None:
    folder = synthetic.write_clip(tmp_path, CUBE)
    (folder / "objects" / "cube" / "mesh.obj").write_text("rejected: no mask\n")
    assert viewer.scene_data(scene(folder), folder, colours=True) == {}
    assert viewer.scene_data({}, folder, colours=True) == {}


def test_a_fine_mesh_is_drawn_coarser_and_keeps_its_shape() -> None:
    ball = trimesh.creation.icosphere(6, 0.5)
    ball.visual = trimesh.visual.ColorVisuals(ball, vertex_colors=np.full((len(ball.vertices), 3), 7))
    vertices, faces, colours = viewer.coarser(ball, 4000)
    assert 1000 < len(faces) <= 4000 < len(ball.faces)
    assert faces.max() < len(vertices) == len(colours)
    assert np.allclose(np.linalg.norm(vertices, axis=1), 0.5)
    assert abs(trimesh.Trimesh(vertices, faces).area / ball.area - 1) < 0.1


def test_nothing_in_the_data_ends_its_element() -> None:
    hostile = "</script><!--&amp;"
    text = str(viewer.embedded({"label": hostile}))
    assert "<" not in text and json.loads(text) == {"label": hostile}


def test_the_script_is_three_with_its_licence_and_the_view() -> None:
    text = viewer.script()
    assert text.startswith("/**\n * @license") and "SPDX-License-Identifier: MIT" in text[:200]
    assert "B64GLTF" not in text and text.count('getElementById("viewer")') == 1
