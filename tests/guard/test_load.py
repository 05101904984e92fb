"""Loading generated modules: one task class, its reward replaced, torch stripped and scripts run eagerly."""

import math
from pathlib import Path

import pytest
import torch

from video2policy.guard.load import LoadError, load_task, run_module
from video2policy.task import Task

TASK = """
import torch
from factory.tasks.task import Task

scene_info = {"objects": ["cube"]}

class Lift(Task):
    def __init__(self, envs, urdf_assets_root):
        super().__init__(envs, urdf_assets_root, scene_info)

    def compute_success(self, states):
        return states["cube_pos"][:, 2] > 0.1

    def compute_reward(self, actions, states):
        return reward_function(actions, states)

@torch.jit.script
def reward_function(actions, states):
    return states["cube_pos"][:, 2], {}
"""

REWARD = """
import torch

SCALE = 3.0

def helper(x):
    return SCALE * x

@torch.jit.script
def reward_function(actions, states):
    return helper(states["cube_pos"][:, 2]), {"a": actions[:, 0]}
"""


def write(folder: Path, name: str, source: str) -> Path:
    path = folder / name
    path.write_text(source)
    return path


def test_the_reward_is_replaced_with_its_helpers(tmp_path: Path) -> None:
    states = {"cube_pos": torch.tensor([[0.0, 0, 0.2]])}
    actions = torch.ones(1, 7)
    task_py, reward_py = write(tmp_path, "task.py", TASK), write(tmp_path, "reward.py", REWARD)
    plain = load_task(task_py)(None, "")
    replaced = load_task(task_py, reward_py)(None, "")
    assert plain.compute_reward(actions, states)[0].item() == pytest.approx(0.2)
    rewards, components = replaced.compute_reward(actions, states)
    assert rewards.item() == pytest.approx(0.6) and set(components) == {"a"}
    assert plain.compute_reward(actions, states)[0].item() == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import torch", "0 classes"),
        (TASK + TASK.replace("class Lift", "class Other"), "2 classes"),
        ("import os", "import os is not allowed"),
        ("x = 1 / 0", "ZeroDivisionError"),
        ("x = unknown", "NameError"),
        ("import torch\nx = torch.nothing_like_this", "AttributeError"),
    ],
)
def test_what_gives_no_task(tmp_path: Path, source: str, reason: str) -> None:
    with pytest.raises(LoadError, match=reason):
        load_task(write(tmp_path, "task.py", source))


def test_a_reward_file_without_a_reward(tmp_path: Path) -> None:
    task_py = write(tmp_path, "task.py", TASK)
    with pytest.raises(LoadError, match="no reward_function"):
        load_task(task_py, write(tmp_path, "reward.py", "import torch\n"))


STRIPPED = """
load save hub ops from_file utils os sys classes frombuffer PyTorchFileReader PyTorchFileWriter
CompilationUnit import_ir_module import_ir_module_from_buffer parse_ir ScriptModuleSerializer FloatStorage
UntypedStorage
set_grad_enabled set_autocast_enabled set_anomaly_enabled set_flush_denormal init_num_threads Stream
prepare_multiprocessing_environment get_file_path DisableTorchFunction resize_as_sparse_ mkldnn_rnn_layer
"""


@pytest.mark.parametrize("name", STRIPPED.split())
def test_torch_is_stripped_whatever_the_syntax_check_missed(name: str) -> None:
    space = run_module("import torch\nt = torch", "m")
    assert not hasattr(space["t"], name)


def test_what_rewards_need_of_torch_is_there() -> None:
    source = """
import math
import torch
import torch.nn.functional as F
from torch.nn.functional import normalize
x = torch.zeros(3, dtype=torch.float32)
half = torch.as_tensor([torch.pi, torch.inf]).to(torch.float16).isfinite()
a, b = torch.meshgrid(x, torch.unique(x), indexing="ij")
eps = torch.finfo(torch.float32).eps
y = F.relu(torch.linalg.norm(x)) + torch.clamp(x, 0.0, math.pi).sum() + normalize(x, dim=0).sum()
is_tensor = isinstance(x, torch.Tensor)
z = torch.nn.functional.relu(x)
"""
    space = run_module(source, "m")
    assert space["is_tensor"] and space["y"].item() == 0.0


def test_builtins_are_few() -> None:
    space = run_module("def f():\n    return 1", "m")
    assert not {"open", "exec", "eval", "getattr", "type", "object"} & set(space["__builtins__"])


PATCH = """
import torch
from factory.tasks.task import Task

class Lift(Task):
    def patch(self, function):
        self.split = function
        self._split = function
    def take(self, pairs):
        for self.split in pairs:
            pass
    def add(self, function):
        self.split += function
    def read(self, function):
        return self._private
"""


@pytest.mark.parametrize("method", ["patch", "take", "add", "read"])
def test_methods_patch_tasks_only(method: str) -> None:
    lift = run_module(PATCH, "m")["Lift"]
    for victim in (torch.Tensor, math, Task, lift, torch.zeros(1), [], None):
        with pytest.raises(AttributeError, match="only a task's own attributes"):
            getattr(lift, method)(victim, [print])
    task = lift(None, "", {})
    task.patch("x")
    assert task.split == task._split == "x"


def test_a_module_gets_copies_of_what_others_use() -> None:
    space = run_module("import torch\nimport math\nfrom factory.tasks.task import Task", "m")
    assert space["math"] is not math and space["math"].pi == math.pi
    assert space["Task"] is not Task and issubclass(space["Task"], Task)
    modules = [space["torch"], space["torch"].nn.functional, space["torch"].linalg, space["torch"].special]
    assert not any(value is torch.Tensor for module in modules for value in vars(module).values())


def test_classes_of_tensors_answer_and_take_lists_but_no_addresses() -> None:
    space = run_module("import torch\nt = torch", "m")["t"]
    half = torch.zeros(2, dtype=torch.float16)
    assert isinstance(half, space.Tensor) and not isinstance(half, space.FloatTensor)
    assert torch.equal(space.Tensor([1, 2]), torch.tensor([1.0, 2.0]))
    assert space.LongTensor([1]).dtype == torch.int64
    for arguments in ({"values": 3}, {"cdata": 12345}):
        with pytest.raises(TypeError):
            space.Tensor(**arguments)


@pytest.mark.parametrize(
    "name", ["segment_reduce", "ctc_loss", "batch_norm_update_stats", "embedding", "hspmm"]
)
def test_operators_that_trust_their_indices_are_absent(name: str) -> None:
    space = run_module("import torch\nt = torch", "m")["t"]
    assert not hasattr(space, name) and not hasattr(space.nn.functional, name)
