"""Bundles: what goes in comes out, and nothing else does."""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from video2policy import bundle
from video2policy.bundle import METADATA, BundleError, clip_files, pack, unpack, without_colours
from video2policy.provenance import sha256

CONTENT = {"results/videos/a/scene.json": b"{}", "results/videos/a/v2p/task/task.py": b"x = 1\n"}


def metadata(files: dict[str, Path]) -> str:
    listed = [{"@id": name, "@type": "File", "sha256": sha256(path)} for name, path in files.items()]
    return json.dumps({"@graph": [{"@id": "./", "@type": "Dataset"}, *listed]})


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for number, (name, content) in enumerate(CONTENT.items()):
        found[name] = tmp_path / f"{number}{Path(name).suffix}"
        found[name].write_bytes(content)
    described = tmp_path / METADATA
    described.write_text(metadata(found))
    return {**found, METADATA: described}


def test_what_is_packed_is_unpacked(files: dict[str, Path], tmp_path: Path) -> None:
    pack(tmp_path / "a.zip", files)
    pack(tmp_path / "b.zip", files)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    unpack(tmp_path / "a.zip", tmp_path / "out")
    for name, content in CONTENT.items():
        assert (tmp_path / "out" / name).read_bytes() == content
        assert stat.S_IMODE((tmp_path / "out" / name).stat().st_mode) & 0o111 == 0


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def one(name: str, mode: int = stat.S_IFREG | 0o644, data: bytes = b"x") -> Callable[[zipfile.ZipFile], None]:
    return lambda archive: archive.writestr(entry(name, mode), data)


def twice(archive: zipfile.ZipFile) -> None:
    archive.writestr("a.py", "x")
    archive.writestr("A.py", "y")


def below_a_file(archive: zipfile.ZipFile) -> None:
    archive.writestr("a.py", "x")
    archive.writestr("a.py/b.py", "y")


def many(archive: zipfile.ZipFile) -> None:
    for number in range(11):
        archive.writestr(f"{number}.py", "")


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        (one("../a.py"), "no plain relative name"),
        (one("results/../../a.py"), "no plain relative name"),
        (one("/etc/a.py"), "no plain relative name"),
        (one("C:\\a.py"), "no plain relative name"),
        (one("a\\..\\b.py"), "no plain relative name"),
        (one(".bashrc.py"), "no plain relative name"),
        (one("a//b.py"), "no plain relative name"),
        (one("folder/"), "no plain relative name"),
        (one("é.py"), "no plain relative name"),
        (one("a/" * 20 + "b.py"), "no plain relative name"),
        (one("weights.pkl"), "of a kind"),
        (one("weights.pt"), "of a kind"),
        (one("run.sh"), "of a kind"),
        (one("a.py", stat.S_IFLNK | 0o777, b"/etc/passwd"), "a link or a device"),
        (one("a.py", stat.S_IFBLK | 0o600), "a link or a device"),
        (one("a.py", stat.S_IFIFO | 0o600), "a link or a device"),
        (one("a.txt", data=b"0" * 3000), "larger than"),
        (one("a.txt", data=b"0" * 30_000), "unpacks to more"),
        (twice, "twice"),
        (below_a_file, "in something that is a file"),
        (many, "11 files"),
        (one("a.py"), f"no {METADATA}"),
    ],
)
def test_a_hostile_archive_is_refused_and_leaves_nothing(
    fill: Callable[[zipfile.ZipFile], None], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "MAX_FILES", 10)
    monkeypatch.setattr(bundle, "MAX_FILE", 2000)
    monkeypatch.setattr(bundle, "MAX_TOTAL", 20_000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        fill(archive)
    with pytest.raises(BundleError, match=words):
        unpack(tmp_path / "a.zip", tmp_path / "inner" / "out")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a.zip"]


def test_a_size_that_lies_does_not_help(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive that declares fewer bytes than it unpacks to ends at the declared size or as damaged."""
    monkeypatch.setattr(bundle, "MAX_FILE", 50_000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"0" * 40_000)
    data = (
        (tmp_path / "a.zip").read_bytes().replace((40_000).to_bytes(4, "little"), (5).to_bytes(4, "little"))
    )
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(BundleError):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def change(name: str) -> Callable[[dict[str, bytes]], None]:
    def edit(content: dict[str, bytes]) -> None:
        content[name] = content[name].replace(b"1", b"2").replace(b"{}", b"[]")

    return edit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (change("results/videos/a/v2p/task/task.py"), "task.py is not what"),
        (lambda content: content.pop("results/videos/a/scene.json"), "scene.json is in the bundle or"),
        (lambda content: content.update({"more.py": b""}), "more.py is in the bundle or"),
        (lambda content: content.update({METADATA: b"[" * 100_000}), "can be read"),
        (lambda content: content.update({METADATA: b'{"@graph": 3}'}), "can be read"),
    ],
)
def test_content_that_its_metadata_does_not_say_is_refused(
    edit: Callable[[dict[str, bytes]], None], words: str, files: dict[str, Path], tmp_path: Path
) -> None:
    content = {name: path.read_bytes() for name, path in files.items()}
    edit(content)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    with pytest.raises(BundleError, match=words):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_archive_at_all(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("not a zip")
    with pytest.raises(BundleError, match="cannot be unpacked"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_one_variant_and_no_pixels_of_the_clip(tmp_path: Path) -> None:
    clip = tmp_path / "a"
    names = (
        "frames/0.jpg", "depth/0.npz", "objects.png", "objects/box/mesh.obj", "scene.json", ".part-x.json",
        "v2p/task/task.py", "v2p/policy/eval.json", "other/task/task.py",
    )  # fmt: skip
    for name in names:
        (clip / name).parent.mkdir(parents=True, exist_ok=True)
        (clip / name).write_text("x")
    kept = {"objects/box/mesh.obj", "scene.json", "v2p/task/task.py", "v2p/policy/eval.json"}
    assert {str(p.relative_to(clip)) for p in clip_files(clip, "v2p", False)} == kept
    assert {str(p.relative_to(clip)) for p in clip_files(clip, "v2p", True)} == kept | {"objects.png"}
    coloured = "mtllib a.mtl\nv 0 0 1 .5 .5 .5\nvn 0 0 1\nf 1 1 1\n"
    assert without_colours(coloured) == "v 0 0 1\nvn 0 0 1\nf 1 1 1\n"
