"""Files that are whole under their own name, or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from video2policy.files import part_of, remove, written


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    with written(path) as part:
        part.write_text("new")
        assert path.read_text() == "old" and part.parent == tmp_path
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("shared", [False, True])
def test_what_was_written_before_an_error_is_taken_away(tmp_path: Path, shared: bool) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    with pytest.raises(KeyError), written(path, shared) as part:
        part.write_text("half")
        raise KeyError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_directory_starts_empty_after_one_that_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "dataset"
    part_of(path).mkdir()
    (part_of(path) / "left over").touch()
    with written(path) as part:
        part.mkdir()
        (part / "0").touch()
    assert [p.name for p in path.iterdir()] == ["0"]


def test_two_writers_have_names_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "reply.json"
    with written(path) as mine, written(path, shared=True) as another:
        mine.write_text("mine")
        another.write_text("another")
    assert path.read_text() == "mine"


def test_removing_follows_no_link(tmp_path: Path) -> None:
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    (folder / "kept").touch()
    link.symlink_to(folder)
    remove(link)
    remove(link)
    assert (folder / "kept").exists() and not link.is_symlink()
