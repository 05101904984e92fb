"""Success cannot be faked: not by writing into states, nor by what a worker leaves behind."""

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from tests.scenes import primitive_scene
from video2policy.evaluate import recording
from video2policy.evaluate.recording import Recording, RecordingError
from video2policy.guard.check_worker import is_report
from video2policy.guard.leavings import LeavingsError, copy_file, fits, open_file, read_json
from video2policy.guard.load import SimulatorView
from video2policy.scene import Scene
from video2policy.sim.environment import Environment
from video2policy.sim.mujoco import MujocoSim
from video2policy.task import Task, state_widths
from video2policy.train.record import check_search, check_weights

N = 4
HIGH = 9.0
torch.set_num_threads(1)


class Honest(Task):
    """Raise the cube."""

    def compute_success(self, states: dict[str, torch.Tensor]) -> torch.Tensor:
        return states["cube_pos"][:, 2] > 0.5

    def compute_reward(
        self, actions: torch.Tensor, states: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return states["cube_pos"][:, 2].clone(), {}


class WritesWhenObserving(Honest):
    def compute_observation_key(self, states: dict[str, torch.Tensor]) -> list[str]:
        keys = super().compute_observation_key(states)
        states["cube_pos"][:] = HIGH
        states["cube_init_pos"] = states["cube_pos"] - HIGH
        return keys


class WritesWhenRewarding(Honest):
    """Its success is a view on states, which its reward then overwrites; actions as well."""

    def compute_observation_key(self, states: dict[str, torch.Tensor]) -> list[str]:
        states["done"] = torch.zeros(N, dtype=torch.bool)
        return super().compute_observation_key(states)

    def compute_success(self, states: dict[str, torch.Tensor]) -> torch.Tensor:
        return states["done"]

    def compute_reward(
        self, actions: torch.Tensor, states: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        states["done"][:] = True
        for value in states.values():
            if value.dtype == torch.float32:
                value.fill_(HIGH)
        actions.fill_(HIGH)
        return torch.zeros(N), {}


class WritesWhenJudging(Honest):
    def compute_success(self, states: dict[str, torch.Tensor]) -> torch.Tensor:
        states["cube_pos"].fill_(HIGH)
        return torch.zeros(N, dtype=torch.bool)


class WritesWhenResetting(Honest):
    def reset_objects_states(self, env_ids: torch.Tensor) -> dict[str, torch.Tensor]:
        poses = super().reset_objects_states(env_ids)
        env_ids.fill_(0)
        return poses


@pytest.fixture(scope="module")
def scene_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return primitive_scene(tmp_path_factory.mktemp("lift"))


def environment(scene_path: Path, kind: type[Task]) -> Environment:
    sim = MujocoSim(Scene.load(scene_path), scene_path.parent, N, "floating", horizon=5)
    return Environment(sim, kind(SimulatorView(sim), "", {"objects": ["cube"]}), record=True)


@pytest.mark.parametrize(
    "kind", [WritesWhenObserving, WritesWhenRewarding, WritesWhenJudging, WritesWhenResetting]
)
def test_what_generated_code_writes_over_reaches_nothing(scene_path: Path, kind: type[Task]) -> None:
    honest, faked = environment(scene_path, Honest), environment(scene_path, kind)
    honest.reset()
    faked.reset()
    actions = torch.full((N, 7), 0.2)
    for _ in range(7):  # over an episode's end
        _, _, done, expected = honest.step(actions)
        _, _, done_too, info = faked.step(actions)
        assert not info["success"].any()
        assert torch.equal(done, done_too) and (actions == 0.2).all()
        for name, value in expected["raw_states"].items():
            assert np.array_equal(info["raw_states"][name], value), name
    for name, value in honest.sim.states().items():
        assert torch.equal(faked.sim.states()[name], value), name


def test_what_is_recorded_is_of_no_tensor(scene_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = environment(scene_path, Honest)
    made.reset()
    honest = made.sim.arrays()
    for method in ("split", "numpy", "clone", "__getitem__"):
        monkeypatch.setattr(torch.Tensor, method, lambda tensor, *_, **__: torch.full_like(tensor, HIGH))
    recorded = made.sim.arrays()
    monkeypatch.undo()
    assert all(np.array_equal(recorded[name], value) for name, value in honest.items())


def test_generated_code_gets_no_simulator(scene_path: Path) -> None:
    made = environment(scene_path, Honest)
    assert set(vars(made.task.envs)) == {"n_envs", "object_names", "object_sizes", "sample_object_poses"}
    made.task.envs.object_sizes["cube"] = (9.0, 9.0, 9.0)  # type: ignore[index]
    assert max(made.sim.object_sizes["cube"]) < 1


# ---------------------------------------------------------------- what a worker leaves


def link(folder: Path) -> None:
    (folder / "elsewhere").write_text("{}")
    (folder / "result.json").symlink_to(folder / "elsewhere")


def hard_link(folder: Path) -> None:
    (folder / "elsewhere").write_text("{}")
    (folder / "result.json").hardlink_to(folder / "elsewhere")


LEFT: dict[str, Callable[[Path], Any]] = {
    "link": link,
    "hard link": hard_link,
    "pipe": lambda folder: os.mkfifo(folder / "result.json"),
    "folder": lambda folder: (folder / "result.json").mkdir(),
    "device": lambda folder: (folder / "result.json").symlink_to("/dev/zero"),
    "nothing": lambda folder: None,
    "giant": lambda folder: (folder / "result.json").write_bytes(b" " * 2000),
}


@pytest.mark.parametrize("kind", LEFT)
def test_only_small_regular_files_are_read(kind: str, tmp_path: Path) -> None:
    LEFT[kind](tmp_path)
    with pytest.raises(LeavingsError, match="too large" if kind == "giant" else "wrote no result"):
        open_file(tmp_path, "result.json", 1000)
    with pytest.raises(LeavingsError):
        copy_file(tmp_path, "result.json", tmp_path / "copy", 1000)
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[1]", "no JSON object"),
        ('{"a": NaN}', "not finite"),
        ('{"a": [1, -Infinity]}', "not finite"),
        ('{"a": 1e999}', "not finite"),
        ('{"a": [-' + "9" * 4000 + "]}", "too large"),
        ('{"a": ' + "[" * 40 + "]" * 40 + "}", "too large"),
        ("[" * 100_000, "not JSON"),
        ('{"a": [' + "0," * 300_000 + "0]}", "too large"),
        ('{"a": "' + "x" * 200_000 + '"}', "too large"),
    ],
    ids=range(10),
)
def test_odd_json_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(LeavingsError, match=words):
        read_json(tmp_path, "result.json", 10**7)


def test_a_folder_is_measured_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.bin").write_bytes(b"x" * 100)
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert fits(tmp_path, 1000, 10)
    assert not fits(tmp_path, 50, 10)
    assert not fits(tmp_path, 1000, 2)


SEARCH: dict[str, Any] = {
    "success_rate": 0.5,
    "steps": 4096,
    "stopped": "cap",
    "learning": 0.25,
    "seed": 3,
    "return": {"success": None, "failure": 1.5},
    "components": {
        "reach": {
            "success": None,
            "failure": {"mean": 1.0, "min": 0.0, "max": 2.0, "series": [1.0, None]},
        }
    },
}


def test_an_honest_search_passes() -> None:
    check_search(SEARCH, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("success_rate", 1.5),
        ("success_rate", "1"),
        ("success_rate", None),
        ("success_rate", True),
        ("steps", True),
        ("steps", 0),
        ("steps", 1.5),
        ("stopped", "failed"),
        ("stopped", ["cap"]),
        ("learning", None),
        ("learning", 1.5),
        ("seed", 4),
        ("return", {"success": "much", "failure": None}),
        ("return", 3),
        ("components", {"x" * 1000: SEARCH["components"]["reach"]}),
        ("components", {f"c{k}": SEARCH["components"]["reach"] for k in range(200)}),
        ("components", {"a": {"success": {"mean": [], "min": 0, "max": 0, "series": []}, "failure": None}}),
        ("components", {"a": {"success": None, "failure": {"mean": 0, "min": 0, "max": 0, "series": "x"}}}),
    ],
)
def test_a_search_that_cannot_be_is_refused(name: str, value: Any) -> None:
    with pytest.raises(LeavingsError, match=name):
        check_search({**SEARCH, name: value}, 3)


def test_weights_are_finite_numbers_in_safetensors(tmp_path: Path) -> None:
    good, bad = np.zeros(3, np.float32), np.array([0, np.nan], np.float32)
    save_file({"a": good}, tmp_path / "good.safetensors")
    check_weights(tmp_path / "good.safetensors")
    save_file({"a": good, "b": bad}, tmp_path / "nan.safetensors")
    save_file({f"t{k}": good for k in range(500)}, tmp_path / "many.safetensors")
    (tmp_path / "pickle.safetensors").write_bytes(pickle.dumps({"a": good}))
    save_file({}, tmp_path / "none.safetensors")
    save_file({"a": good > 0}, tmp_path / "bool.safetensors")
    save_file({"a": good.astype(np.complex64)}, tmp_path / "complex.safetensors")
    header = b'{"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}'
    (tmp_path / "small.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0\0")
    for name in ("nan", "many", "pickle", "none", "bool", "complex", "small"):
        with pytest.raises(LeavingsError, match="policy"):
            check_weights(tmp_path / f"{name}.safetensors")


STEPS, EPISODES = 3, 2


def arrays() -> dict[str, Any]:
    recorded: dict[str, Any] = {
        f"states/{name}": np.zeros((STEPS + 1, EPISODES, width) if width > 1 else (STEPS + 1, EPISODES))
        for name, width in state_widths(["cube"]).items()
    }
    return recorded | {
        "actions": np.zeros((STEPS, EPISODES, 7)),
        "generated": np.zeros((STEPS, EPISODES), bool),
        "valid": np.ones((STEPS + 1, EPISODES), bool),
        "configuration": np.zeros((STEPS, EPISODES, 9)),
    }


def load(path: Path) -> Recording:
    return Recording.load(path, STEPS, EPISODES, state_widths(["cube"]))


def test_an_honest_recording_passes_also_where_the_physics_diverged(tmp_path: Path) -> None:
    given = arrays()
    given["valid"][2:, 1] = False
    given["states/cube_pos"][2:, 1] = np.nan
    np.savez(tmp_path / "recording.npz", **given)
    assert load(tmp_path / "recording.npz").episodes == EPISODES


def zip_bomb(path: Path) -> None:
    """A small file that unpacks to 64 MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        data = io.BytesIO()
        np.save(data, np.zeros(2**23))
        archive.writestr("actions.npy", data.getvalue())


RECORDINGS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "not finite": lambda a: a["states/cube_pos"].fill(np.inf),
    "NaN": lambda a: a["states/cube_up"].fill(np.nan),
    "configuration": lambda a: a["configuration"].fill(np.nan),
    "absent state": lambda a: a.pop("states/cube_pos"),
    "further state": lambda a: a.update({"states/judged_success": np.ones((STEPS + 1, EPISODES))}),
    "width": lambda a: a.update({"states/cube_pos": np.zeros((STEPS + 1, EPISODES, 4))}),
    "episodes": lambda a: a.update({"valid": np.ones((STEPS + 1, 9), bool)}),
    "objects": lambda a: a.update({"actions": np.array([{}] * STEPS, object)}),
    "text": lambda a: a.update({"actions": np.array(["x"])}),
}


@pytest.mark.parametrize("kind", RECORDINGS)
def test_a_recording_that_cannot_be_is_refused(kind: str, tmp_path: Path) -> None:
    given = arrays()
    RECORDINGS[kind](given)
    np.savez(tmp_path / "recording.npz", **given)
    with pytest.raises(RecordingError):
        load(tmp_path / "recording.npz")


def test_bombs_pickles_and_links_are_no_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MAX_BYTES", 2**24)
    zip_bomb(tmp_path / "bomb.npz")
    assert (tmp_path / "bomb.npz").stat().st_size < 2**20
    with pytest.raises(RecordingError, match="holds too much"):
        load(tmp_path / "bomb.npz")
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(arrays()))
    (tmp_path / "link.npz").symlink_to(tmp_path / "bomb.npz")
    for name in ("bomb", "pickle", "link", "nothing"):
        with pytest.raises(RecordingError, match="is no recording"):
            load(tmp_path / f"{name}.npz")


def odd_header(header: str) -> bytes:
    """An npy file that says `header` of itself."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header.encode() + b"\n"


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 99999999999999999999)}",
        "{'descr': '" + "''" + ", 'fortran_order': False, 'shape': (1,)}",
        "{'descr': " + "(" * 3000 + ", 'fortran_order': False, 'shape': (1,)}",
    ],
    ids=["memory", "overflow", "token", "nested"],
)
@pytest.mark.parametrize("method", [0, 12, 99])
def test_bytes_that_lead_astray_are_no_recording(header: str, method: int, tmp_path: Path) -> None:
    path = tmp_path / "recording.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("actions.npy", odd_header(header))
    # The method of compression, in the entry and in the directory.
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(signature) + offset] = method
    path.write_bytes(data)
    with pytest.raises(RecordingError, match="is no recording"):
        load(path)


@pytest.mark.parametrize(
    ("report", "good"),
    [
        (
            {"runs": True, "checks": [{"name": "a", "passed": True, "reason": ""}], "facts": {"onset": 0.5}},
            True,
        ),
        ({"runs": True}, False),
        ({"runs": "yes", "checks": [], "facts": {}}, False),
        ({"runs": True, "checks": [{"name": "a"}], "facts": {}}, False),
        ({"runs": True, "checks": [["name", "passed", "reason"]], "facts": {}}, False),
        ({"runs": True, "checks": [], "facts": {"onset": float("nan")}}, False),
        ({"runs": True, "checks": [], "facts": {"onset": "early"}}, False),
        ([], False),
    ],
    ids=range(8),
)
def test_reports_of_checks_are_reports(report: Any, good: bool) -> None:
    assert is_report(report) == good
    json.dumps(report)
