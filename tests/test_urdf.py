import mujoco
import numpy as np
import pytest

from tests.scenes import primitive_scene
from video2policy import mesh as meshes
from video2policy.mesh import Solid
from video2policy.perceive import collide
from video2policy.urdf import Inertial, collision_files

KINDS = ["box", "mug", "cup", "cylinder", "ball"]


@pytest.fixture(scope="module")
def urdfs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene")
    primitive_scene(
        folder, "lift", {"a": "box"}, {kind: kind for kind in KINDS}, {"box": [[0, 0, 0.025]] * 2}
    )
    return {kind: folder / "objects" / kind / "object.urdf" for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_loads_in_mujoco_with_mass_and_pieces(urdfs, kind):
    spec = mujoco.MjSpec.from_file(str(urdfs[kind]))
    model = spec.compile()
    body = model.body(kind)
    expected = collide.body(*_solid(kind))
    assert body.mass[0] == pytest.approx(expected.inertial.mass, rel=1e-6)
    np.testing.assert_allclose(body.ipos, expected.inertial.com, atol=1e-9)
    moments = np.sort(np.linalg.eigvalsh(expected.inertial.inertia))
    np.testing.assert_allclose(np.sort(body.inertia), moments, rtol=1e-5)
    colliding = (model.geom_contype > 0).sum()
    assert colliding == len(expected.pieces) == len(collision_files(urdfs[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_loads_in_yourdfpy_at_metric_size(urdfs, kind):
    yourdfpy = pytest.importorskip("yourdfpy", reason="yourdfpy is not installed")
    robot = yourdfpy.URDF.load(str(urdfs[kind]), load_collision_meshes=True)
    np.testing.assert_allclose(robot.scene.extents, _solid(kind)[1].extents, rtol=0.01)
    assert robot.validate()


@pytest.mark.parametrize("kind", KINDS)
def test_loads_in_pybullet_with_its_mass(urdfs, kind):
    bullet = pytest.importorskip("pybullet", reason="pybullet is not installed")
    client = bullet.connect(bullet.DIRECT)
    try:
        item = bullet.loadURDF(str(urdfs[kind]), physicsClientId=client)
        mass = bullet.getDynamicsInfo(item, -1, physicsClientId=client)[0]
        low, high = bullet.getAABB(item, physicsClientId=client)
    finally:
        bullet.disconnect(client)
    assert mass == pytest.approx(collide.body(*_solid(kind)).inertial.mass, rel=1e-6)
    np.testing.assert_allclose(
        np.subtract(high, low), _solid(kind)[1].extents, atol=0.01
    )  # Bullet pads its boxes


def test_a_body_that_cannot_exist_is_an_error():
    with pytest.raises(ValueError, match="no rigid body"):
        Inertial(0.1, np.zeros(3), np.diag([1.0, 1.0, 5.0]))
    with pytest.raises(ValueError, match="no rigid body"):
        Inertial(0.0, np.zeros(3), np.eye(3))


def test_every_named_file_is_beside_the_urdf(urdfs):
    for path in urdfs.values():
        assert (path.parent / "mesh.obj").is_file()
        for piece in collision_files(path):
            assert meshes.load(piece).is_watertight


def _solid(kind: str) -> tuple:
    from tests.scenes import SOLIDS

    solid: Solid = SOLIDS[kind]
    return solid.mesh(), solid
