import tracemalloc

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from video2policy import mesh, pose
from video2policy.mesh import Solid

K = np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]])
SHAPE = (240, 320)
lengths = st.floats(0.02, 0.3)
SOLIDS = [
    Solid("box", (0.05, 0.08, 0.03)),
    Solid("frustum", (0.06, 0.06, 0.1)),
    Solid("frustum", (0.06, 0.08, 0.1), "up"),
    Solid("frustum", (0.09, 0.06, 0.12), "down"),
    Solid("frustum", (0.2, 0.26, 0.02), "up"),
    Solid("box", (0.1, 0.14, 0.08), "up"),
    Solid("box", (0.12, 0.09, 0.05), "down"),
    Solid("sphere", (0.04, 0.04, 0.04)),
]


@pytest.mark.parametrize("solid", SOLIDS)
def test_solids_are_closed_centred_and_of_the_stated_size(solid):
    shape = solid.mesh()
    assert shape.is_watertight and shape.volume > 0
    np.testing.assert_allclose(shape.bounds.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(shape.extents, solid.extents, rtol=0.01)


@pytest.mark.parametrize("solid", SOLIDS)
def test_pieces_are_convex_few_and_fill_the_solid(solid):
    pieces = solid.pieces()
    assert 1 <= len(pieces) <= 8
    for piece in pieces:
        assert piece.is_watertight and len(piece.vertices) <= 42
        assert piece.volume == pytest.approx(piece.convex_hull.volume, rel=1e-6)
    together = trimesh.util.concatenate(pieces)
    np.testing.assert_allclose(together.extents, solid.extents, rtol=0.06)
    assert sum(p.volume for p in pieces) == pytest.approx(solid.mesh().volume, rel=0.2)


@pytest.mark.parametrize(
    ("kind", "size"),
    [("frustum", (0.08, 0.08, 0.1)), ("frustum", (0.2, 0.24, 0.03)), ("box", (0.09, 0.12, 0.08))],
)
def test_a_container_is_hollow_on_its_open_side(kind, size):
    for opening, inside in (("up", 1), ("down", -1)):
        cup = Solid(kind, size, opening)
        free = np.array([[0.003, 0.002, inside * 0.3 * size[2]]])
        assert not cup.mesh().contains(free)[0]
        assert not any(piece.contains(free)[0] for piece in cup.pieces())
        closed_end = np.array([[0.003, 0.002, -inside * (0.5 * size[2] - 0.3 * cup.wall)]])
        assert cup.mesh().contains(closed_end)[0]
        assert any(piece.contains(closed_end)[0] for piece in cup.pieces())


def test_a_solid_without_volume_and_a_hollow_ball_are_errors():
    with pytest.raises(ValueError, match="no volume"):
        Solid("box", (0.1, 0, 0.1))
    with pytest.raises(ValueError, match="hollow"):
        Solid("sphere", (0.1, 0.1, 0.1), "up")


@settings(max_examples=20, deadline=None)
@given(st.integers(20, 100), st.integers(20, 100))
def test_an_inflated_ellipse_is_an_ellipsoid(a, b):
    rows, columns = np.mgrid[:240, :320]
    mask = ((columns - 160) / a) ** 2 + ((rows - 120) / b) ** 2 < 1
    shape = mesh.inflate(mask)
    assert shape.is_watertight and shape.volume > 0
    np.testing.assert_allclose(shape.extents[:2], [2 * a, 2 * b], rtol=0.1)
    np.testing.assert_allclose(shape.bounds.mean(axis=0)[:2], [160, 120], atol=0.05 * max(a, b) + 1)
    assert shape.extents[2] == pytest.approx(2 * 0.8 * min(a, b), rel=0.15)


def test_inflating_an_empty_mask_is_an_error():
    with pytest.raises(ValueError, match="empty mask"):
        mesh.inflate(np.zeros((10, 10), bool))


@given(lengths, lengths, lengths)
def test_diameter_of_a_box_is_its_diagonal(x, y, z):
    corners = Solid("box", (x, y, z)).corners()
    inside = np.random.default_rng(0).uniform(-0.5, 0.5, (200, 3)) * [x, y, z]
    assert mesh.diameter(np.vstack([corners, inside])) == pytest.approx(np.sqrt(x * x + y * y + z * z))


def test_diameter_of_flat_and_thin_points():
    flat = np.column_stack([np.random.default_rng(0).uniform(0, 1, (50, 2)), np.full(50, 2.0)])
    flat = np.vstack([flat, [[0, 0, 2], [1, 1, 2]]])
    assert mesh.diameter(flat) == pytest.approx(np.sqrt(2))
    assert mesh.diameter(np.linspace(0, 3, 9)[:, None] * [1, 0, 0]) == pytest.approx(3)
    assert mesh.diameter([[0, 0, 0]]) == 0


def test_silhouette_has_the_projected_size():
    box = Solid("box", (0.1, 0.1, 0.1))
    camera_from_object = pose.transform(None, [0, 0, 1.05])
    for seen in (
        mesh.silhouette(box.mesh(), K, camera_from_object, SHAPE),
        mesh.hull_silhouette(box.corners(), K, camera_from_object, SHAPE),
    ):
        rows, columns = np.nonzero(seen)
        assert np.ptp(rows) == pytest.approx(30, abs=1.5) and np.ptp(columns) == pytest.approx(30, abs=1.5)
        assert rows.mean() == pytest.approx(120, abs=1) and columns.mean() == pytest.approx(160, abs=1)


def test_rays_meet_the_near_side():
    box = Solid("box", (0.2, 0.2, 0.2)).mesh()
    points, _, hit = mesh.cast(box, K, pose.transform(None, [0, 0, 1]), [[160, 120], [170, 130], [5, 5]])
    assert hit.tolist() == [True, True, False]
    np.testing.assert_allclose(points[0], [0, 0, -0.1], atol=1e-4)
    np.testing.assert_allclose(points[1], [0.03, 0.03, -0.1], atol=1e-3)


def test_colours_come_from_the_image_and_survive_the_file(tmp_path):
    image = np.zeros((*SHAPE, 3), np.uint8)
    image[:, :160] = [255, 0, 0]
    image[:, 160:] = [0, 0, 255]
    box, camera_from_object = Solid("box", (0.2, 0.2, 0.2)).mesh(), pose.transform(None, [0, 0, 1])
    mesh.paint(box, image, mesh.silhouette(box, K, camera_from_object, SHAPE), K, camera_from_object)
    mesh.save(box, tmp_path / "box.obj")
    back = mesh.load(tmp_path / "box.obj")
    np.testing.assert_allclose(back.vertices, box.vertices, atol=1e-7)
    assert back.is_watertight
    left = back.visual.vertex_colors[back.vertices[:, 0] < -0.02]
    right = back.visual.vertex_colors[back.vertices[:, 0] > 0.02]
    assert (left[:, 0] > 250).all() and (right[:, 2] > 250).all()


def test_a_file_without_triangles_is_an_error(tmp_path):
    (tmp_path / "none.obj").write_text("v 0 0 0\n")
    with pytest.raises(ValueError, match="no triangles"):
        mesh.load(tmp_path / "none.obj")


def test_unit_mesh_has_longest_extent_one():
    shape, longest = mesh.unit(Solid("box", (0.1, 0.4, 0.2)).mesh())
    assert longest == pytest.approx(0.4)
    np.testing.assert_allclose(shape.extents, [0.25, 1, 0.5])


def test_a_box_rests_on_six_faces_a_thin_pole_not_on_its_end() -> None:
    directions = mesh.resting_directions(Solid("box", (0.1, 0.2, 0.3)).mesh().vertices)
    assert {tuple(np.round(d).astype(int)) for d in directions} == {
        tuple(sign * row) for row in np.eye(3, dtype=int) for sign in (1, -1)
    }
    leaning = np.array([[0, 0, 0], [0.02, 0, 0], [0, 0.02, 0], [0.3, 0.3, 1.0]])
    up = mesh.resting_directions(leaning)
    assert len(up) and (up[:, 2] < 0.5).all(), "its small end does not carry it"


def test_a_scanned_ball_rests_on_most_of_its_faces_without_filling_the_memory() -> None:
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.04)
    tracemalloc.start()
    directions = mesh.resting_directions(ball.vertices)
    assert tracemalloc.get_traced_memory()[1] < 200e6
    tracemalloc.stop()
    assert len(directions) > 0.9 * len(ball.faces)
