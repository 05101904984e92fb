import json

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts import collide as collide_script
from tests.perceive.conftest import Perceived
from video2policy import mesh as meshes
from video2policy import pose
from video2policy.mesh import Solid
from video2policy.perceive import collide
from video2policy.urdf import collision_files

lengths = st.floats(0.03, 0.15)


@settings(max_examples=15, deadline=None)
@given(lengths, lengths, lengths)
def test_a_box_has_the_mass_and_inertia_of_a_box(x, y, z):
    solid = Solid("box", (x, y, z))
    body = collide.body(solid.mesh(), solid)
    mass = float(np.clip(collide.DENSITY * x * y * z, *collide.MASS_RANGE))
    assert body.inertial.mass == pytest.approx(mass)
    np.testing.assert_allclose(body.inertial.com, 0, atol=1e-9)
    expected = mass / 12 * np.array([y * y + z * z, x * x + z * z, x * x + y * y])
    np.testing.assert_allclose(np.diag(body.inertial.inertia), expected, rtol=1e-6)
    assert len(body.pieces) == 1 and len(body.pieces[0].vertices) == 8


def test_a_cup_is_lighter_than_a_full_one_and_its_mass_is_where_its_bottom_is():
    cup, full = Solid("frustum", (0.08, 0.08, 0.1), "up"), Solid("frustum", (0.08, 0.08, 0.1))
    hollow, heavy = collide.body(cup.mesh(), cup), collide.body(full.mesh(), full)
    assert hollow.inertial.mass < 0.6 * heavy.inertial.mass
    assert hollow.inertial.com[2] < -0.002 and heavy.inertial.com[2] == pytest.approx(0, abs=1e-9)
    assert 6 <= len(hollow.pieces) <= collide.MAX_PIECES


@pytest.mark.parametrize(
    ("solid", "size"),
    [
        (Solid("box", (0.05, 0.06, 0.07)), (0.05, 0.06, 0.07)),
        (Solid("frustum", (0.09, 0.06, 0.1), "down"), (0.09, 0.09, 0.1)),
        (Solid("sphere", (0.05, 0.05, 0.05)), (0.05, 0.05, 0.05)),
    ],
)
def test_standing_solids_stay_as_they_are(solid, size):
    rest = collide.settle(collide.body(solid.mesh(), solid))
    np.testing.assert_allclose(rest.quat, [1, 0, 0, 0], atol=1e-3)
    np.testing.assert_allclose(rest.size, size, rtol=0.03)
    assert rest.height == pytest.approx(size[2] / 2, rel=0.06)


def test_what_cannot_stand_falls_over():
    """A pencil upright on its tip lies down, and its resting height is half its thickness."""
    tip = Solid("frustum", (0.0005, 0.012, 0.15))
    body = collide.body(tip.mesh(), tip)
    rest = collide.settle(body)
    up = pose.matrix_from_quat(rest.quat)[2, 2]
    assert abs(up) < 0.2 and rest.height < 0.01
    assert rest.size.max() == pytest.approx(0.15, rel=0.05) and rest.size[2] < 0.02


def test_a_tilted_box_lies_down_on_a_face():
    tilted = Solid("box", (0.06, 0.06, 0.03)).mesh()
    tilted.apply_transform(trimesh.transformations.rotation_matrix(np.radians(25), [1, 0, 0]))
    rest = collide.settle(collide.body(tilted))
    np.testing.assert_allclose(np.sort(rest.size), [0.03, 0.06, 0.06], rtol=0.06)
    assert pose.rotation_difference(pose.matrix_from_quat(rest.quat), np.eye(3)) == pytest.approx(25, abs=3)


def test_decomposition_of_an_l_is_convex_small_and_repeatable():
    arms = [trimesh.creation.box(extents=(0.1, 0.03, 0.03)), trimesh.creation.box(extents=(0.03, 0.03, 0.1))]
    shape = trimesh.boolean.union(arms, engine="manifold")
    shape.apply_translation([0, 0, 0.01])
    pieces = collide.decompose(shape)
    assert 2 <= len(pieces) <= collide.MAX_PIECES
    for piece in pieces:
        assert piece.is_watertight and len(piece.vertices) <= 32
        assert piece.volume == pytest.approx(piece.convex_hull.volume)
    again = collide.decompose(shape)
    assert len(again) == len(pieces)
    for a, b in zip(pieces, again, strict=True):
        np.testing.assert_array_equal(a.vertices, b.vertices)
    extents = trimesh.util.concatenate(pieces).extents
    np.testing.assert_allclose(extents, shape.extents, rtol=0.05)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_a_simple_hull_keeps_the_extents(seed):
    cloud = np.random.default_rng(seed).normal(size=(400, 3))
    hull = collide.simple_hull(cloud)
    np.testing.assert_allclose(hull.bounds, [cloud.min(axis=0), cloud.max(axis=0)])
    assert len(hull.vertices) <= collide.HULL_DIRECTIONS + 6
    assert hull.volume > 0.85 * trimesh.convex.convex_hull(cloud).volume


def test_script_writes_a_body_in_metres(tmp_path, covered: Perceived):
    result = covered.shapes["orange_cup"]
    meshes.save(result.mesh, tmp_path / "mesh.obj")
    (tmp_path / "mesh.json").write_text(json.dumps(result.to_json()))
    (tmp_path / "size.json").write_text(json.dumps({"scale": 0.095}))
    verdict = collide_script.main(
        tmp_path / "mesh.obj",
        tmp_path / "mesh.json",
        tmp_path / "size.json",
        tmp_path / "collision",
        tmp_path / "object.urdf",
        tmp_path / "rest.json",
        "orange_cup",
        {"shapes": {"orange_cup": {"mass": 0.123}}},
    )
    assert verdict.passed and "given mass" in verdict.method
    rest = json.loads((tmp_path / "rest.json").read_text())
    assert rest["mass"] == pytest.approx(0.123)
    assert max(rest["size"]) == pytest.approx(0.095, rel=0.03)
    assert rest["height"] == pytest.approx(0.0475, rel=0.1)
    files = collision_files(tmp_path / "object.urdf")
    assert [file.name for file in files] == rest["pieces"]
    for file in [*files, tmp_path / "collision" / "hull.obj"]:
        assert meshes.load(file).is_watertight
