"""Make a class of generated task code. Used inside worker processes only, never in the workflow's own.

Generated modules see an allow-list of builtins, copies of `math` and of the task base, and a stripped torch
without the class of tensors, since what is patched into that reaches the simulator. Its `jit.script` leaves
functions as they are: TorchScript is deprecated, slower to start and no sandbox.
"""

from __future__ import annotations
import __future__

import builtins
import math
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from video2policy.guard.syntax import FORBIDDEN_ATTRIBUTES, OWNER, check_syntax, guarded
from video2policy.task import Envs, Task

# The first tensor of a list imports torch's modules by the `__import__` of whoever asks for it.
torch.tensor([0.0])


class TaskClass(typing.Protocol):
    """A generated class: it brings the scene information that `Task` itself wants as a third argument."""

    __name__: str

    def __call__(self, envs: Any, urdf_assets_root: str) -> Task: ...


class SimulatorView:
    """What generated code gets of a simulator: sizes and names by value, and poses to reset to."""

    def __init__(self, sim: Envs) -> None:
        self.n_envs = sim.n_envs
        self.object_names = tuple(sim.object_names)
        self.object_sizes = {name: tuple(size) for name, size in sim.object_sizes.items()}
        self.sample_object_poses = sim.sample_object_poses


class LoadError(Exception):
    """Why generated code gives no task or reward, in one sentence."""


_BUILTINS = """
abs all any bool dict enumerate filter float frozenset int isinstance iter len list map max min next pow print
range reversed round set slice sorted staticmethod str sum super tuple zip ArithmeticError AssertionError
AttributeError IndexError KeyError NotImplementedError RuntimeError TypeError ValueError ZeroDivisionError
__build_class__
"""
SAFE_BUILTINS = _BUILTINS.split()


def _same(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def _owner(value: Any) -> Task:
    """A task, whose attributes may be assigned. Raises AttributeError for anything else."""
    if not isinstance(value, Task):
        raise AttributeError("only a task's own attributes may be assigned or private")
    return value


def _public(module: types.ModuleType, name: str) -> types.ModuleType:
    """A copy of a module: public functions and numbers, without submodules, types and what is forbidden."""
    copy = types.ModuleType(name)
    for key in dir(module):
        value = builtins.getattr(module, key)
        if key.startswith(("_", *KERNELS)) or key in FORBIDDEN_ATTRIBUTES or "torch_function" in key:
            continue
        if not isinstance(value, types.ModuleType | type):
            builtins.setattr(copy, key, value)
    return copy


class _Kind(type):
    """A class of tensors as generated code sees it: it answers `isinstance`, and makes tensors of numbers."""

    dtype: torch.dtype | None

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, torch.Tensor) and cls.dtype in (None, value.dtype)

    def __call__(cls, values: Any) -> torch.Tensor:
        if not isinstance(values, list | tuple | torch.Tensor):  # not a size, nor an address
            raise TypeError(f"torch.{cls.__name__} takes a list here; for a size use torch.zeros")
        return torch.as_tensor(values, dtype=cls.dtype or torch.float32).clone()


KINDS = {
    "Tensor": None,
    "BoolTensor": torch.bool,
    "DoubleTensor": torch.float64,
    "FloatTensor": torch.float32,
    "IntTensor": torch.int32,
    "LongTensor": torch.int64,
}

_TORCH = """
Generator Size device dtype finfo iinfo no_grad is_tensor typename vmap pi e inf nan newaxis
"""
TORCH_NAMES = frozenset([*_TORCH.split(), *torch.functional.__all__])
"""Names of torch, beside its operators and data types, that a task or reward may want."""
_KERNELS = """
cudnn fbgemm miopen mkldnn quantize fake_quantize fused empty_quantized get_ sparse_ resize_ native_
batch_norm_ segment_reduce ctc_loss embedding ccol_ col_indices crow_ row_indices indices_copy values_copy
hspmm sspaddmm boolean_dispatch
"""
KERNELS = tuple(_KERNELS.split())
"""How operators begin that are written for other callers and check less of what they are given."""


def _stripped_torch() -> types.ModuleType:
    """An allow-list: torch hands out its file formats, compiler and settings by its own name as well."""
    operators = {key for key in dir(torch._C._VariableFunctions) if not key.startswith(("_", *KERNELS))}
    copy = types.ModuleType("torch")
    for key in ((operators | TORCH_NAMES) & set(dir(torch))) - FORBIDDEN_ATTRIBUTES:
        builtins.setattr(copy, key, builtins.getattr(torch, key))
    for key, value in vars(torch).items():
        if isinstance(value, torch.dtype):
            builtins.setattr(copy, key, value)
    for key, dtype in KINDS.items():
        builtins.setattr(copy, key, _Kind(key, (), {"dtype": dtype}))
    copy.linalg = _public(torch.linalg, "torch.linalg")  # type: ignore[attr-defined]
    copy.special = _public(torch.special, "torch.special")  # type: ignore[attr-defined]
    copy.nn = types.ModuleType("torch.nn")  # type: ignore[attr-defined]
    copy.nn.functional = _public(torch.nn.functional, "torch.nn.functional")
    copy.jit = types.SimpleNamespace(script=_same)  # type: ignore[attr-defined]
    return copy


def _modules() -> dict[str, types.ModuleType]:
    stripped = _stripped_torch()
    task = types.ModuleType("factory.tasks.task")
    task.Task = type("Task", (Task,), {})  # type: ignore[attr-defined]
    return {
        "torch": stripped,
        "torch.nn.functional": stripped.nn.functional,
        "math": _public(math, "math"),
        "typing": typing,
        "factory.tasks.task": task,
        "video2policy.task": task,
        "__future__": __future__,
    }


def run_module(source: str, name: str) -> dict[str, Any]:
    """The names that a generated module defines. Raises LoadError."""
    problems = check_syntax(source)
    if problems:
        raise LoadError("; ".join(problems[:5]))
    modules = _modules()

    def import_module(
        module: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        if module not in modules:
            raise LoadError(f"import {module} is not allowed")
        # `import a.b` binds a, `import a.b as x` and `from a.b import c` bind a.b
        return modules[module] if fromlist or module not in ("torch.nn.functional",) else modules["torch"]

    safe = {key: builtins.__dict__[key] for key in SAFE_BUILTINS}
    space: dict[str, Any] = {
        "__builtins__": safe | {"__import__": import_module, OWNER: _owner},
        "__name__": name,
    }
    try:
        flags = __future__.annotations.compiler_flag
        exec(compile(guarded(source), f"<{name}>", "exec", flags=flags, dont_inherit=True), space)
    except LoadError:
        raise
    except Exception as error:  # generated code may raise anything
        raise LoadError(f"it does not run: {type(error).__name__}: {error}") from error
    return space


def load_task(task_py: Path, reward_py: Path | None = None) -> TaskClass:
    """The task class of a generated module, its reward function replaced by reward.py's where one is given.

    Raises LoadError.
    """
    space = run_module(task_py.read_text(encoding="utf-8"), "generated_task")
    classes = [
        value
        for value in space.values()
        if isinstance(value, type) and issubclass(value, Task) and value.__module__ == space["__name__"]
    ]
    if len(classes) != 1:
        raise LoadError(
            f"the module defines {len(classes)} classes that derive from Task; it must define one"
        )
    if reward_py is not None:
        reward = run_module(reward_py.read_text(encoding="utf-8"), "generated_reward")
        if not callable(reward.get("reward_function")):
            raise LoadError("the reward module defines no reward_function")
        space["reward_function"] = reward["reward_function"]
    return typing.cast(TaskClass, classes[0])
