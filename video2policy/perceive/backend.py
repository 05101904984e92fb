"""The method that a stage was told to use: its module, weights and device.

A vendor's package is imported by one module of this folder alone, and only when that method is chosen.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from video2policy.models import EMBEDDED, MODELS, Model
from video2policy.perceive.verdict import Unavailable
from video2policy.provenance import notes, sha256


@dataclass(frozen=True)
class Backend:
    """A chosen method: its name, its weights (a folder, or a name on the hub), its repository's clone."""

    name: str = EMBEDDED
    weights: str | None = None
    clone: str | None = None
    device: str = "auto"

    @classmethod
    def from_param(cls, data: Mapping[str, Any] | None) -> Backend:
        """From a rule's `backend` parameter; None is the embedded method."""
        return cls(**data) if data else cls()

    @property
    def embedded(self) -> bool:
        return self.name == EMBEDDED

    @property
    def model(self) -> Model:
        return MODELS[self.name]

    def module(self) -> ModuleType:
        """The method's module of this folder."""
        return importlib.import_module("video2policy.perceive." + self.name)

    def weights_folder(self) -> Path:
        """Folder that holds the weights: the given one, or the hub's cache of this user.

        Raises Unavailable, with the line that downloads them, where they are in neither.
        """
        folder = self._found_weights()
        notes["weights"] = {"folder": str(folder), "sha256": sha256(folder)}
        return folder

    def _found_weights(self) -> Path:
        assert self.weights is not None, f"{self.name} has no weights of its own"
        folder = Path(self.weights).expanduser()
        if folder.is_dir():
            return folder
        if folder.is_absolute() or self.weights.startswith((".", "~")) or self.weights.count("/") != 1:
            raise Unavailable(
                f"{self.model.title}: perception.weights.{self.name} is {self.weights}, which is no folder"
            )
        with self.imports():
            from huggingface_hub import snapshot_download
            from huggingface_hub.utils import LocalEntryNotFoundError, OfflineModeIsEnabled
        try:
            return Path(snapshot_download(self.weights))
        except (LocalEntryNotFoundError, OfflineModeIsEnabled):
            raise Unavailable(
                f"the weights of {self.model.title} are not here: download them with "
                f"`hf download {self.weights}`, or give their folder as perception.weights.{self.name}"
            ) from None

    def clone_folder(self) -> Path:
        """The clone of the model's repository, put in front of `sys.path`.

        Raises Unavailable, with the line that makes it, where it is not there.
        """
        assert self.clone is not None and self.model.clone is not None, f"{self.name} needs no clone"
        folder = Path(self.clone).expanduser().resolve()
        if not folder.is_dir():
            raise Unavailable(
                f"the code of {self.model.title} is not here: `git clone --recursive {self.model.clone} "
                f"{self.clone}`, or name the folder of its clone in perception.clones"
            )
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
        return folder

    @contextmanager
    def imports(self) -> Iterator[None]:
        """Around the imports of a vendor's packages: raises Unavailable where one is not installed."""
        try:
            yield
        except ImportError as error:
            raise Unavailable(
                f"{self.model.title} needs the package {error.name or error}, which is in the environment of "
                f"envs/{self.name}.yaml (with --sdm conda each rule runs in its own)"
            ) from error

    def torch_device(self) -> Any:
        """The torch device to compute on. Raises Unavailable for a GPU that is not there."""
        with self.imports():
            import torch
        there = torch.cuda.is_available()
        if self.device == "cuda" and not there:
            raise Unavailable(f"{self.model.title}: perception.device is cuda, and torch finds no GPU")
        return torch.device("cuda" if there and self.device != "cpu" else "cpu")
