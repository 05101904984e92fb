"""The register of models: what the config, the schema, the environments and the docs say of them agrees."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from video2policy import models, reach
from video2policy.models import EMBEDDED, MODELS, STAGES
from video2policy.perceive.backend import Backend
from video2policy.perceive.verdict import Unavailable

REPO = Path(__file__).resolve().parent.parent
CONFIG = yaml.safe_load((REPO / "config.yaml").read_text())["perception"]
SCHEMA = yaml.safe_load((REPO / "schemas" / "config.schema.yaml").read_text())["properties"]["perception"]
PAPER = ("grounding_dino", "sam2", "unidepth", "instant_mesh", "foundation_pose")


def chosen(**values: Any) -> dict[str, Any]:
    return {**CONFIG, **values}


def test_the_schema_allows_what_the_register_has_and_nothing_else() -> None:
    for stage in STAGES:
        assert tuple(SCHEMA["properties"][stage]["enum"]) == models.choices(stage)
    with_weights = {model.name for model in MODELS.values() if model.weights}
    assert set(SCHEMA["properties"]["weights"]["propertyNames"]["enum"]) == with_weights


def test_the_embedded_methods_are_the_default() -> None:
    assert {CONFIG[stage] for stage in STAGES} == {EMBEDDED}
    assert CONFIG["download"] is False
    for stage in STAGES:
        assert models.environment(CONFIG, stage) == "embedded.yaml"
        assert models.backend(CONFIG, stage) == {"name": EMBEDDED} and models.gpus(CONFIG, stage) == 0


def test_the_papers_five_and_their_successors_are_configured() -> None:
    paper = yaml.safe_load((REPO / "configs" / "paper.yaml").read_text())["perception"]
    assert tuple(paper[stage] for stage in STAGES) == PAPER
    modern = yaml.safe_load((REPO / "configs" / "modern.yaml").read_text())["perception"]
    assert modern.keys() == paper.keys()
    assert all(modern[stage] in models.choices(stage) for stage in STAGES)
    assert not {modern[stage] for stage in STAGES if stage != "track"} & set(PAPER)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_its_module_and_its_environment(name: str) -> None:
    model = MODELS[name]
    assert (REPO / "envs" / f"{name}.yaml").is_file()
    for stage in model.stages:
        (module,) = models.module(chosen(**{stage: name}), stage)
        assert (REPO / module).is_file()
    assert model.weights or model.clone


ENTRY = {
    "ground": "proposer",
    "segment": "segment",
    "depth": "network",
    "reconstruct": "generate",
    "track": "track",
}


@pytest.mark.parametrize("name", MODELS)
def test_a_module_imports_without_its_vendor_and_has_the_stages_entry_point(name: str) -> None:
    for stage in MODELS[name].stages:
        assert callable(getattr(Backend(name).module(), ENTRY[stage]))


def test_the_embedded_path_imports_no_vendor() -> None:
    code = (
        "import sys; import scripts.ground, scripts.segment, scripts.depth, scripts.reconstruct;"
        "import scripts.track;"
        "print(*sorted(m for m in sys.modules if m.split('.')[0] in ('transformers', 'torch')"
        " or m.startswith('video2policy.perceive.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True)
    assert "transformers" not in done.stdout
    loaded = {name.rsplit(".", 1)[-1] for name in done.stdout.split()}
    assert not loaded & set(MODELS) and "track" in loaded


def test_a_methods_code_belongs_to_the_jobs_that_use_it_and_to_no_others() -> None:
    scripts = [REPO / "scripts" / f"{stage}.py" for stage in STAGES]
    for script in scripts:
        assert not {path.stem for path in reach.reached(script)} & set(MODELS)
    (module,) = models.module(chosen(segment="sam2"), "segment")
    assert reach.code_digest("scripts/segment.py", module) != reach.code_digest("scripts/segment.py")


def test_only_commercial_licences_refuses_by_name() -> None:
    paper = dict(zip(STAGES, PAPER, strict=True))
    models.check_licences(chosen(**paper))
    with pytest.raises(Unavailable) as caught:
        models.check_licences(chosen(**paper, licences="commercial"))
    text = str(caught.value)
    assert "\n" not in text
    assert all(word in text for word in ("UniDepth v2", "InstantMesh", "FoundationPose", "nvdiffrast"))
    assert "Grounding DINO" not in text and "SAM 2.1" not in text
    models.check_licences(chosen(ground="grounding_dino", depth="moge", licences="commercial"))


def test_weights_and_clones_can_be_given() -> None:
    told = models.backend(chosen(segment="sam2", weights={"sam2": "my/folder"}), "segment")
    assert told["weights"] == "my/folder"
    told = models.backend(chosen(reconstruct="triposr", clones="/opt/clones"), "reconstruct")
    assert told["clone"] == "/opt/clones/TripoSR" and told["weights"] == "stabilityai/TripoSR"
    assert models.gpus(chosen(segment="sam2"), "segment") == 1
    assert models.gpus(chosen(segment="sam2", device="cpu"), "segment") == 0


def test_a_folder_of_weights_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"perception\.weights\.sam2 is .*, which is no folder"):
        Backend("sam2", str(tmp_path / "absent")).weights_folder()
    assert Backend("sam2", str(tmp_path)).weights_folder() == tmp_path


def test_a_gpu_that_is_not_there_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(Unavailable, match="torch finds no GPU"):
        Backend("sam2", device="cuda").torch_device()
    assert Backend("sam2").torch_device().type == "cpu"


def test_the_page_lists_every_model_as_the_register_has_it() -> None:
    page = (REPO / "docs" / "models.md").read_text()
    rows = {row[1]: row for row in (re.split(r" *\| *", line) for line in page.splitlines()) if len(row) > 8}
    for model in MODELS.values():
        _, _, stages, value, env, weights, *_, licence, commercial, _ = rows[model.title]
        assert stages == ", ".join(model.stages) and value == f"`{model.name}`"
        assert f"envs/{model.name}.yaml" in env
        assert model.weights is None or model.weights in weights
        assert licence.startswith(model.licence)
        assert commercial.startswith("no" if model.restriction else "yes")
        assert model.clone is None or model.clone in page


@pytest.mark.parametrize("name", MODELS)
def test_scripts_after_an_environment_can_be_run_and_are_pinned(name: str) -> None:
    script = REPO / "envs" / f"{name}.post-deploy.sh"
    if not script.exists():
        return
    assert os.access(script, os.X_OK)
    for address in re.findall(r"git\+\S+", script.read_text()):
        assert re.search(r"@(v[0-9.]+|[0-9a-f]{40})$", address), address
