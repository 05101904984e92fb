import numpy as np
import pytest

from bench import realdata

needs_data = pytest.mark.skipif(not realdata.DATA.is_dir(), reason=f"no {realdata.DATA}")


@needs_data
def test_dexycb_depth_lies_at_the_poses() -> None:
    frame = realdata.dexycb_frame()
    assert frame.colour.shape == (*frame.depth.shape, 3)
    for name, mask in frame.masks.items():
        near = frame.depth[mask & (frame.depth > 0)]
        assert abs(np.median(near) - frame.camera_from_object[name][2, 3]) < 0.12, name


@needs_data
def test_nyu_frame_is_metric() -> None:
    frame = realdata.nyu_frame()
    assert frame.colour.shape == (*frame.depth.shape, 3)
    assert 0.5 < np.median(frame.depth) < 10


@needs_data
def test_cube_and_ycb_meshes_are_in_metres() -> None:
    cube = realdata.textured_cube()
    np.testing.assert_allclose(cube.mesh.extents, 0.085, atol=0.001)
    meshes = realdata.ycb_meshes()
    assert meshes["mustard_bottle"].extents.max() == pytest.approx(0.19, abs=0.01)
    assert meshes["tennis_ball"].extents.max() == pytest.approx(0.067, abs=0.005)


def test_absent_data_is_said(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="nyu_frame"):
        realdata.nyu_frame(tmp_path)
