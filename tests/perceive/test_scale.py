import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts import scale as scale_script
from tests.perceive.conftest import Perceived
from tests.perceive.test_hand import hand_at
from video2policy import mesh as meshes
from video2policy.mask import save_masks
from video2policy.perceive import hand
from video2policy.perceive.depth import object_depth
from video2policy.perceive.scale import (
    CLASSES,
    Evidence,
    Lens,
    Measured,
    class_size,
    class_width,
    complaint,
    disagreement,
    doubt,
    find_sizes,
    given_scale,
    rho,
    weigh,
)
from video2policy.perceive.verdict import Rejected

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


def test_everything_that_tells_the_scale_is_written_down_with_its_weight():
    objects = {"can": thing("blue can", 0.2), "thing": thing("thing", 0.2)}
    size = find_sizes(objects, {}, hand=(0.6, 0.3))["can"]
    sources = [item["source"] for item in size.evidence]
    assert sources == [
        "usual distance", "blue can as a can", "blue can as wide as a can",
        "thing as something that one hand moves", "the hand",
    ]  # fmt: skip
    weights = np.array([item["weight"] for item in size.evidence])
    scales = np.array([item["depth_scale"] for item in size.evidence])
    assert weights.sum() == pytest.approx(1, abs=1e-3)
    assert np.exp(weights @ np.log(scales)) == pytest.approx(size.depth_scale, rel=1e-3)
    assert "the hand" in size.source


def test_a_sure_hand_counts_more_and_a_given_size_wins():
    objects = {"thing": thing("thing", 0.2)}
    doubtful, sure = (find_sizes(objects, {}, hand=(0.5, sigma))["thing"] for sigma in (0.5, 0.05))
    assert abs(np.log(sure.depth_scale / 0.5)) < abs(np.log(doubtful.depth_scale / 0.5))
    assert sure.method == "hand" and sure.uncertainty < doubtful.uncertainty
    told = find_sizes(objects, {"thing": 0.1}, hand=(0.5, 0.01))["thing"]
    assert told.scale == pytest.approx(0.1) and told.method == "given"
    assert [item["source"] for item in told.evidence] == ["the given size of thing"]


def test_an_unsure_camera_makes_unsure_sizes():
    objects = {"a": thing("thing", 0.2), "b": thing("thing", 0.1)}
    sharp, vague = (find_sizes(objects, {}, lens=Lens(f, p))["a"] for f, p in ((0.01, 1.0), (0.4, 12.0)))
    assert vague.uncertainty > sharp.uncertainty
    other = [find_sizes(objects, {"a": 0.1}, lens=Lens(0.1, p))["b"].uncertainty for p in (1.0, 15.0)]
    assert other[1] > other[0] + 0.03, "what carries a given size over is the camera's pitch"


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.02, 1)), min_size=1, max_size=6))
def test_weighing_stays_within_the_evidence_and_grows_with_contradiction(items):
    evidence = [Evidence("x", value, sigma) for value, sigma in items]
    found = weigh(evidence)
    values, sigmas = zip(*items, strict=True)
    assert min(values) * 0.999 <= found.depth_scale <= max(values) * 1.001
    assert found.weights.sum() == pytest.approx(1)
    spread = found.uncertainty("thing", {})
    assert spread >= 0.999 * (sum(s**-2 for s in sigmas) ** -0.5)
    if max(values) > 3 * min(values):
        assert spread > 1e-3
    more = [*evidence, Evidence("far", 1000.0, min(sigmas))]
    assert weigh(more).uncertainty("thing", {}) > spread


@given(st.integers(0, 2**32 - 1))
def test_the_stated_uncertainty_is_that_of_errors_drawn(seed):
    """Sizes whose evidence errs as it says, and whose meshes err, are off by what is stated."""
    rng = np.random.default_rng(seed)
    usual = {"a": rng.uniform(0.02, 0.5), "b": rng.uniform(0.02, 0.5)}
    distance, misfit = rng.uniform(0.05, 0.5), {"a": rng.uniform(0.01, 0.3), "b": rng.uniform(0.01, 0.3)}
    evidence = [
        Evidence("distance", 1.0, distance),
        *(Evidence(name, 1.0, sigma, name) for name, sigma in usual.items()),
    ]
    found = weigh(evidence)
    said = rng.normal(size=(20000, 3)) * [distance, *usual.values()]
    mesh = rng.normal(size=(20000, 2)) * [*misfit.values()]
    said[:, 1:] -= mesh  # the longer the mesh came out, the smaller the unit of depth
    error = said @ found.weights + mesh[:, 0]
    assert found.uncertainty("a", misfit) == pytest.approx(error.std(), rel=0.05)


def test_one_of_three_that_contradicts_the_others_has_no_weight():
    sizes = {"a": thing("thing", 0.2), "b": thing("thing", 0.1), "c": thing("thing", 0.1)}
    found = find_sizes(sizes, {"a": 0.2, "b": 0.1, "c": 0.4})
    assert found["a"].depth_scale == pytest.approx(1.0)
    assert [item["weight"] for item in found["a"].evidence][2] == 0


def test_an_impossible_size_is_doubted_and_an_absurd_one_refused():
    assert doubt("mug", 0.11, 0.02) is None and complaint("mug", 0.11, 0.02) is None
    assert "unusual for a mug (about 11 cm)" in (doubt("red mug", 0.2, 0.02) or "")
    assert complaint("red mug", 0.2, 0.02) is None
    assert "a red mug of 60 cm cannot be" in (complaint("red mug", 0.6, 0.02) or "")
    assert "cannot be" in (complaint("red mug", 0.011, 0.02) or ""), "centimetres for metres"
    assert doubt("thingamajig", 0.5, 0.1) is None and complaint("thingamajig", 0.5, 0.1) is None
    assert "hands move things" in (complaint("thingamajig", 1.5, 0.1) or "")
    assert complaint("box", 0.4, 0.2) is None, "boxes come in all sizes"


def test_a_size_that_its_name_leaves_open_is_refused():
    assert complaint("candle", 0.1, 0.2) is None
    assert "may be 10 cm long or 30% more or less" in complaint("candle", 0.1, 0.3)


@given(lengths, st.tuples(lengths, lengths, lengths))
def test_given_sizes_hold_in_any_order(factor, dimensions):
    wanted = np.array(dimensions) * factor
    assert given_scale(list(wanted[::-1]), dimensions) == pytest.approx(factor)
    assert given_scale(float(wanted.max()), dimensions) == pytest.approx(factor)


def test_three_sides_agree_with_what_is_seen_unless_one_is_far_off():
    card = [0.085, 0.054, 0.0008]
    assert disagreement(card, [0.01, 0.056, 0.083]) < 1.1, "one view hardly tells how thin it is"
    assert disagreement([0.1, 0.001, 0.1], [0.081, 0.113, 0.093]) > 2
    assert disagreement([0.1, 0.1, 0.1], [0.081, 0.113, 0.093]) == pytest.approx(0.1 / 0.081)
    assert disagreement(0.1, [0.01, 0.05, 0.1]) == 1


def test_impossible_sizes_are_errors():
    with pytest.raises(ValueError, match="impossible"):
        given_scale(0.0, [1, 1, 1])


def test_the_last_known_word_of_a_name_counts():
    assert class_size("tennis ball")[0] == "tennis ball"
    assert class_size("paper cup")[0] == "cup"
    assert class_size("box of eggs")[0] == "box"
    assert class_size("soap dispenser thing")[0] == "soap"
    assert class_size("knives")[0] == "knife"
    assert all(class_size(name)[0] == name for name in CLASSES)
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


def test_the_width_of_a_round_thing_leaves_out_its_handle():
    assert class_width("blue can", [0.6, 0.6, 1.0])[2] == 0.6
    assert class_width("tuna can", [0.4, 1.0, 1.0])[2] == 1.0, "flat ones too"
    assert class_width("mug", [0.7, 0.8, 1.0])[2] == 0.7
    assert class_width("red box", [0.5, 0.6, 1.0]) is None


def run_script(tmp_path, seen: Perceived, sizes: dict, hands=None):
    files = {"masks": [], "meshes": [], "mesh_jsons": []}
    for name, result in seen.shapes.items():
        save_masks(tmp_path / f"{name}.npz", seen.masks[name], np.ones(len(seen.images), np.float32))
        meshes.save(result.mesh, tmp_path / f"{name}.obj")
        (tmp_path / f"{name}.json").write_text(json.dumps(result.to_json()))
        for key, suffix in (("masks", "npz"), ("meshes", "obj"), ("mesh_jsons", "json")):
            files[key].append(tmp_path / f"{name}.{suffix}")
    (tmp_path / "camera.json").write_text(json.dumps(seen.view.to_json()))
    row = {"objects": tuple(seen.shapes), "labels": ("blue mug",), "sizes": sizes}
    return scale_script.main(
        **files,
        camera_json=tmp_path / "camera.json",
        depth=tmp_path / "depth",
        size_json=tmp_path / "size.json",
        obj="red_box",
        row=row,
        hands_json=hands,
    )


def test_script_refuses_a_mug_of_half_a_metre_and_doubts_one_of_twenty(tmp_path, lifted: Perceived):
    with pytest.raises(Rejected, match="cannot be: a mug is about 11 cm"):
        run_script(tmp_path, lifted, {"red_box": 0.5})
    assert (tmp_path / "size.json").exists(), "kept as evidence"
    verdict = run_script(tmp_path, lifted, {"red_box": 0.2})
    assert verdict.passed and verdict.confidence < 0.5 and "unusual for a mug" in verdict.better
    assert json.loads((tmp_path / "size.json").read_text())["doubt"] == verdict.better


def test_script_refuses_three_sides_that_do_not_fit_what_is_seen(tmp_path, lifted: Perceived):
    with pytest.raises(Rejected, match=r"blue mug is 0\.1 x 7 x 7 cm in the sheet, but what is seen"):
        run_script(tmp_path, lifted, {"red_box": [0.07, 0.001, 0.07]})
    close = run_script(tmp_path, lifted, {"red_box": [0.055, 0.055, 0.075]})
    further = run_script(tmp_path, lifted, {"red_box": [0.04, 0.055, 0.075]})
    assert close.passed and further.passed and further.confidence < close.confidence


def test_script_takes_a_hand_as_a_ruler(tmp_path, lifted: Perceived):
    """A hand of known size beside the box, as far away as it really is."""
    view, scale = lifted.view, lifted.depth_scale
    depth = float(np.median(object_depth(view.camera, view.contacts["red_box"])[:10])) * scale
    box = np.argwhere(lifted.masks["red_box"][0])
    corner = box.min(axis=0)[::-1]
    K = view.camera.K
    centre = np.array([*(np.linalg.inv(K) @ [corner[0] - 25, corner[1] - 10, 1])[:2], 1.0]) * depth
    frames = [[hand_at(centre, K)] if t < 10 else [] for t in range(len(lifted.images))]
    (tmp_path / "hands.json").write_text(json.dumps(hand.to_json(frames, K, "test")))
    run_script(tmp_path, lifted, {}, tmp_path / "hands.json")
    record = json.loads((tmp_path / "size.json").read_text())
    found = next(item for item in record["evidence"] if item["source"] == "the hand")
    assert found["depth_scale"] == pytest.approx(scale, rel=0.08)
    assert 0.3 < found["uncertainty"] < 0.5 and 0 < found["weight"] < 1


def test_a_size_that_may_be_off_by_more_than_is_allowed_is_refused() -> None:
    said = complaint("gizmo", 0.1, 0.4)
    assert said is not None and "gizmo may be 10 cm long or 40% more or less" in said
    assert complaint("gizmo", 0.1, 0.4, 1.0) is None
