import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts import scale as scale_script
from tests.perceive.conftest import Perceived
from video2policy import mesh as meshes
from video2policy.mask import save_masks
from video2policy.perceive.scale import (
    CLASSES,
    Measured,
    class_size,
    find_sizes,
    given_scale,
    rho,
)

lengths = st.floats(0.01, 0.5)


def measured(seen: Perceived) -> dict[str, Measured]:
    return {
        name: Measured(name.replace("_", " "), np.array(r.mesh.extents), r.dimensions, r.extent, r.iou)
        for name, r in seen.shapes.items()
    }


def thing(label: str, extent: float) -> Measured:
    """An object whose mesh is a unit cube, `extent` units of depth wide."""
    return Measured(label, np.ones(3), np.ones(3), extent, 1.0)


def test_rendered_size_is_right_when_it_is_given(lifted: Perceived):
    for given_size in (0.075, [0.055, 0.055, 0.075]):
        size = find_sizes(measured(lifted), {"red_box": given_size})["red_box"]
        assert size.method == "given" and size.uncertainty < 0.05
        np.testing.assert_allclose(np.sort(size.size), [0.055, 0.055, 0.075], rtol=0.15)
        assert size.depth_scale == pytest.approx(lifted.depth_scale, rel=0.04)


def test_one_given_size_serves_every_object(covered: Perceived):
    sizes = find_sizes(measured(covered), {"orange_cup": 0.095})
    assert sizes["orange_cup"].method == "given" and sizes["yellow_ball"].method == "other object"
    assert max(sizes["yellow_ball"].size) == pytest.approx(0.04, rel=0.15)
    assert "orange cup" in sizes["yellow_ball"].source
    assert sizes["orange_cup"].depth_scale == sizes["yellow_ball"].depth_scale


def test_known_classes_and_the_prior_come_after_what_is_given():
    objects = {"can": thing("blue can", 0.2), "thing": thing("thing", 0.2)}
    by_class = find_sizes(objects, {})
    assert by_class["can"].method == by_class["thing"].method == "class"
    # a can is surer than the prior distance, which would have made it 20 cm
    assert by_class["can"].size[0] == pytest.approx(CLASSES["can"][0], rel=0.25)
    prior = find_sizes({"thing": thing("thing", 0.2)}, {})["thing"]
    assert prior.method == "prior" and prior.uncertainty > 0.2
    assert 0.1 < prior.size[0] < 0.2
    assert by_class["can"].uncertainty < prior.uncertainty


def test_a_depth_image_is_believed_where_there_is_one():
    objects = {"a": thing("a", 0.2), "b": thing("b", 0.1)}
    sizes = find_sizes(objects, {}, {"a": 0.1, "b": 0.05})
    assert sizes["a"].method == "depth"
    assert sizes["a"].scale == pytest.approx(0.1) and sizes["b"].scale == pytest.approx(0.05)


@given(lengths, st.tuples(lengths, lengths, lengths))
def test_given_sizes_hold_in_any_order(factor, dimensions):
    wanted = np.array(dimensions) * factor
    assert given_scale(list(wanted[::-1]), dimensions) == pytest.approx(factor)
    assert given_scale(float(wanted.max()), dimensions) == pytest.approx(factor)


def test_impossible_sizes_are_errors():
    with pytest.raises(ValueError, match="impossible"):
        given_scale(0.0, [1, 1, 1])


def test_the_surest_word_of_a_name_counts():
    assert class_size("tennis ball")[0] == "tennis"
    assert class_size("red cups")[0] == "cup"
    assert class_size("thingamajig") is None


def test_rho_is_the_ratio_of_the_largest_distances(lifted: Perceived):
    """Against rendered, metric depth; only the visible side is seen, so a little too small."""
    truth = lifted.clip.truth
    mesh = meshes.trimesh.Trimesh(truth["vertices_red_box"], truth["faces_red_box"])
    mask = lifted.masks["red_box"][0]
    found = rho(truth["depth"][0].astype(float), mask, truth["K"], mesh)
    assert 0.85 < found < 1.03
    stray = truth["depth"][0].astype(float)
    rows, columns = np.nonzero(mask)
    stray[rows[0], columns[0]] = 50.0
    assert rho(stray, mask, truth["K"], mesh) == pytest.approx(found, rel=0.02)
    with pytest.raises(ValueError, match="nothing inside the mask"):
        rho(np.zeros(mask.shape), mask, truth["K"], mesh)


def test_script_says_where_the_size_comes_from(tmp_path, covered: Perceived):
    files = {"masks": [], "meshes": [], "mesh_jsons": []}
    for name, result in covered.shapes.items():
        save_masks(tmp_path / f"{name}.npz", covered.masks[name], np.ones(len(covered.images), np.float32))
        meshes.save(result.mesh, tmp_path / f"{name}.obj")
        (tmp_path / f"{name}.json").write_text(json.dumps(result.to_json()))
        for key, suffix in (("masks", "npz"), ("meshes", "obj"), ("mesh_jsons", "json")):
            files[key].append(tmp_path / f"{name}.{suffix}")
    (tmp_path / "camera.json").write_text(json.dumps(covered.view.to_json()))
    row = {
        "objects": tuple(covered.shapes),
        "labels": tuple(n.replace("_", " ") for n in covered.shapes),
        "sizes": {"orange_cup": 0.095},
    }
    places = {"camera_json": tmp_path / "camera.json", "depth": tmp_path / "depth"}
    verdict = scale_script.main(
        **files, **places, size_json=tmp_path / "size.json", obj="yellow_ball", row=row
    )
    record = json.loads((tmp_path / "size.json").read_text())
    assert record["method"] == "other object" and "orange cup" in verdict.method
    assert max(record["size"]) == pytest.approx(0.04, rel=0.15)
    assert verdict.confidence < 1 and "no size" in verdict.better
