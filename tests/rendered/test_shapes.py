import numpy as np
import pytest
import trimesh

from video2policy.rendered.shapes import KINDS, Mesh
from video2policy.rendered.textures import COLOURS, object_texture


def body_of(mesh: Mesh) -> trimesh.Trimesh:
    body = trimesh.Trimesh(mesh.vertices, mesh.faces)
    body.merge_vertices(merge_tex=True)
    body.update_faces(body.nondegenerate_faces())
    return body


def test_there_are_many_kinds() -> None:
    assert len(KINDS) >= 20
    assert sum(kind.cavity is not None for kind in KINDS.values()) >= 5


@pytest.mark.parametrize("name", KINDS)
def test_meshes_are_closed_centred_and_as_long_as_asked(name: str) -> None:
    kind = KINDS[name]
    for seed in range(3):
        mesh = kind.mesh(np.random.default_rng(seed), 0.1)
        body = body_of(mesh)
        assert body.is_watertight
        assert all(part.volume > 0 for part in body.split(only_watertight=False))
        np.testing.assert_allclose(body.bounds.sum(axis=0), 0, atol=1e-9)
        assert mesh.size.max() == pytest.approx(0.1)
        drawn = kind.mesh(np.random.default_rng(seed)).size.max()
        assert kind.length[0] - 1e-9 <= drawn <= kind.length[1] + 1e-9
        assert len(mesh.texcoords) == len(mesh.vertices)


@pytest.mark.parametrize("name", [kind.name for kind in KINDS.values() if kind.cavity])
def test_a_container_takes_a_ball_from_above(name: str) -> None:
    """The stated cavity is empty: rays go down into it and find the bottom below the stated depth."""
    kind = KINDS[name]
    assert kind.cavity is not None
    wide, deep = kind.cavity
    mesh = kind.mesh(np.random.default_rng(1))
    size = mesh.size
    middle = np.zeros(2)
    if name == "mug":  # its handle moves the box's centre away from the cup's
        middle[1] = -(size[1] - size[0]) / 2
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    ring = middle + 0.45 * wide * size[:2].min() * np.stack([np.cos(angle), np.sin(angle)], -1) * 0.5
    origin = np.column_stack([ring, np.full(12, size[2])])
    hits, rays, _ = body_of(mesh).ray.intersects_location(origin, np.tile([0, 0, -1.0], (12, 1)))
    for ray in range(12):
        first = hits[rays == ray, 2].max()
        assert size[2] / 2 - first > 0.8 * deep * size[2]


@pytest.mark.parametrize("style", sorted({style for kind in KINDS.values() for style in kind.textures}))
def test_textures_differ_by_seed_and_are_reproducible(style: str) -> None:
    one, two, again = (object_texture(style, COLOURS["red"], np.random.default_rng(s)) for s in (1, 2, 1))
    np.testing.assert_array_equal(one, again)
    assert (one != two).any()


def test_an_unknown_texture_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="plain"):
        object_texture("tartan", COLOURS["red"], np.random.default_rng(0))
