"""The packaged detector: its files, how boxes are read from its outputs, what it finds on a picture."""

import re
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.conftest import SHARED
from video2policy.perceive.coco import (
    CLASSES,
    FOLDER,
    GRID,
    HASHES,
    INPUT,
    OUTPUTS,
    Detector,
    NoDetector,
    WrongFiles,
    check_files,
    decode,
)
from video2policy.perceive.tfjs import GraphModel

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def detector() -> Detector:
    try:
        return Detector.load()
    except NoDetector as missing:
        pytest.skip(str(missing))


class Spot:
    """Stands in for the network: a cup of 64 x 32 pixels of its input wherever that is brightest."""

    def __call__(self, image: torch.Tensor) -> list[torch.Tensor]:
        assert image.shape == (1, INPUT, INPUT, 3) and image.dtype == torch.float32
        cells = image[0].mean(-1).reshape(GRID, 4, GRID, 4).mean((1, 3))
        heat = torch.zeros(1, GRID, GRID, len(CLASSES))
        row, column = divmod(int(cells.argmax()), GRID)
        heat[0, row, column, CLASSES.index("cup")] = 0.8
        heat[0, row, column + 1, CLASSES.index("cup")] = 0.7
        return [heat, torch.tensor([32.0, 16.0, 32.0, 16.0]).expand(1, GRID, GRID, 4)]


def test_boxes_are_read_from_peaks() -> None:
    heat, sides = torch.zeros(GRID, GRID, 80), torch.zeros(GRID, GRID, 4)
    heat[10, 20, 3], heat[10, 21, 3], heat[60, 5, 7] = 0.6, 0.5, 0.9
    sides[10, 20] = torch.tensor([8.0, 4.0, 12.0, 6.0])
    sides[60, 5] = torch.tensor([20.0, 1.0, 2.0, 3.0])
    found = decode(heat, sides, least=0.1)
    assert [box.tolist() for box, _ in found] == [[0, 239, 22, 243], [72, 36, 92, 46]]
    assert [int(classes.argmax()) for _, classes in found] == [7, 3]
    assert len(decode(heat, sides, least=0.7)) == 1


@pytest.mark.parametrize("size", [(240, 427), (480, 640), (900, 506)])
def test_boxes_come_back_in_the_pixels_of_the_image(size: tuple[int, int]) -> None:
    height, width = size
    image = np.zeros((height, width, 3), np.uint8)
    x, y = width // 3, 2 * height // 3
    cv2.circle(image, (x, y), 6, (255, 255, 255), -1)
    part = (width // 8, height // 4, 7 * width // 8, height)
    for crop in (None, part):
        (found,) = Detector(Spot()).detect(image, crop)  # type: ignore[arg-type]
        assert found.label == "cup" and found.score == pytest.approx(0.8)
        wide, tall = (width, height) if crop is None else (part[2] - part[0], part[3] - part[1])
        x0, y0, x1, y1 = found.box
        assert abs((x0 + x1) / 2 - x) < 8 and abs((y0 + y1) / 2 - y) < 8
        assert (x1 - x0, y1 - y0) == pytest.approx((64 / INPUT * wide, 32 / INPUT * tall))


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        Detector(Spot()).detect(np.zeros((20, 20, 3), np.uint8), (30, 0, 40, 20))  # type: ignore[arg-type]


def test_absent_and_changed_files_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NoDetector, match="make setup") as absent:
        Detector.load(tmp_path)
    assert not isinstance(absent.value, WrongFiles)
    for line in HASHES.read_text().splitlines():
        (tmp_path / line.split()[1]).write_bytes(b"{}")
    with pytest.raises(WrongFiles, match="not the file that was published"):
        check_files(tmp_path)


def test_real_weights_see_what_is_there(detector: Detector) -> None:
    picture = SHARED / "data" / "dexycb_frame" / "color.png"
    if not picture.is_file():
        pytest.skip(f"no picture {picture}")
    image = cv2.cvtColor(cv2.imread(str(picture)), cv2.COLOR_BGR2RGB)
    found = detector.detect(np.asarray(image, np.uint8), least=0.2)
    boxes = {d.label: d.box for d in reversed(found)}
    assert {"bottle", "bowl", "person"} <= set(boxes)
    x0, y0, x1, y1 = boxes["bottle"]
    assert max(abs(x0 - 281), abs(y0 - 276), abs(x1 - 358), abs(y1 - 440)) < 16


def test_real_weights_hold_what_the_interpreter_knows(detector: Detector) -> None:
    assert isinstance(detector.graph, GraphModel)
    heat, sides = detector.graph(torch.zeros(1, INPUT, INPUT, 3))
    assert detector.graph.outputs == OUTPUTS
    assert heat.shape == (1, GRID, GRID, 80) and sides.shape == (1, GRID, GRID, 4)
    assert float(heat.min()) >= 0 and float(heat.max()) <= 1


# --------------------------------------------------------------------------------------- tools/weights


def fetch(tmp_path: Path, npm: str | None) -> subprocess.CompletedProcess[str]:
    """Run tools/weights in a copy of the project with this program as npm."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "video2policy" / "perceive").mkdir(parents=True)
    shutil.copy(REPO / "tools" / "weights", tmp_path / "tools")
    shutil.copy(HASHES, tmp_path / "video2policy" / "perceive")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in (
        "bash",
        "dirname",
        "mktemp",
        "rm",
        "tar",
        "gzip",
        "mkdir",
        "mv",
        "sha256sum",
        "grep",
        "touch",
    ):
        if found := shutil.which(name):
            (programs / name).symlink_to(found)
    if npm is not None:
        (programs / "npm").write_text(f"#!{shutil.which('bash')}\n{npm}\n")
        (programs / "npm").chmod(0o755)
    return subprocess.run(
        [str(programs / "bash"), str(tmp_path / "tools" / "weights")],
        capture_output=True, text=True, env={"PATH": str(programs)}, timeout=60,
    )  # fmt: skip


PACK = """
mkdir -p package/models
touch package/LICENSE package/models/centernet.json package/models/centernet.bin
tar -czf "$4/vladmandic-human-3.3.6.tgz" package
"""


@pytest.mark.parametrize(
    ("npm", "said"),
    [
        (None, "no npm here"),
        ("echo no such host >&2; exit 1", "could not fetch .*no such host"),
        (PACK, "hashes differ"),
    ],
)
def test_set_up_goes_on_without_the_weights(tmp_path: Path, npm: str | None, said: str) -> None:
    done = fetch(tmp_path, npm)
    assert done.returncode == 0, done.stderr
    assert "by colour, motion and contact only" in done.stdout
    assert re.search(said, done.stdout), done.stdout
    assert not (tmp_path / ".models").exists()


def test_set_up_keeps_what_was_published(tmp_path: Path) -> None:
    try:
        check_files(FOLDER)
    except NoDetector as missing:
        pytest.skip(str(missing))
    pack = f'mkdir package; cp -r "{FOLDER}" package/models; touch package/LICENSE\n'
    pack += 'tar -czf "$4/human.tgz" package'
    (tmp_path / "cp").mkdir()
    done = fetch(
        tmp_path, f"PATH=$PATH:{Path(shutil.which('cp') or '').parent}\ncd '{tmp_path / 'cp'}'\n{pack}"
    )
    assert done.returncode == 0, done.stderr
    check_files(tmp_path / ".models" / "coco")
    assert (tmp_path / ".models" / "coco" / "LICENSE").exists()
