"""The whole page, from synthetic results."""

import itertools
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.report import synthetic
from video2policy.report import build_report

LIFT = synthetic.row("lift_cube", "lifting a cube", ["cube"])
NEXT = synthetic.row("mug_next", "putting a mug next to a cube", ["mug", "cube"])
LOST = synthetic.row("lost_ball", "rolling a ball", ["ball"])
GONE = synthetic.row("not_begun", "pushing a box", ["box"])
REASON = "the ball is hidden in 21 of 24 frames"
ATTACK = '"><script>alert(1)</script><img src=http://example.org/x onerror=alert(2)>'


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("report") / "results"
    synthetic.write_trained(root, LIFT)
    half = synthetic.write_clip(root, NEXT)
    synthetic.write_task(half / "v2p")
    synthetic.write_rounds(half / "v2p", [[0.1, 0.3]])
    synthetic.write_clip(root, LOST, stop="segment", reason=REASON)
    synthetic.write_failed(half / "v2p", 0, 2)
    synthetic.write_generalist(root, "lift_cube")
    return root


@pytest.fixture(scope="module")
def page(results: Path) -> str:
    build_report(results, [LIFT, NEXT, LOST, GONE], "v2p", results / "report.html")
    return (results / "report.html").read_text()


class Outline(HTMLParser):
    """Collects what the tests ask for, and fails on tags that do not nest."""

    VOID = frozenset({"meta", "img", "br", "input", "link", "hr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def values(self, name: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(name)) is not None]


def test_every_clip_has_its_verdict_in_words(page: str) -> None:
    text = Outline(page).text
    assert "policy trained, success 0.93 [0.90, 0.96]" in text
    assert f"stopped at segment: {REASON}" in text
    assert "best generated success so far 0.30, policy not judged yet" in text
    assert "not started" in text


def test_links_lead_somewhere_and_ids_are_unique(page: str) -> None:
    outline = Outline(page)
    ids = outline.values("id")
    assert len(ids) == len(set(ids))
    targets = [link for link in outline.values("href")]
    assert targets and all(link.startswith("#") and link[1:] in ids for link in targets)


def test_nothing_is_fetched_and_no_script_runs(page: str) -> None:
    outline = Outline(page)
    sources = [value for name in ("src", "poster") for value in outline.values(name)]
    assert {value.split(";")[0] for value in sources} == {"data:image/jpeg", "data:video/mp4"}
    assert not {tag for tag, _ in outline.tags} & {"script", "iframe", "object", "link", "base"}
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import", page)


def test_headings_never_skip_a_level(page: str) -> None:
    levels = [int(tag[1]) for tag, _ in Outline(page).tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


def test_what_can_scroll_can_be_reached_and_pictures_have_words(page: str) -> None:
    outline = Outline(page)
    for tag, attributes in outline.tags:
        if tag == "pre" or "scroll" in (attributes.get("class") or "").split():
            assert attributes.get("tabindex") == "0" and attributes.get("aria-label"), (tag, attributes)
        if tag == "img":
            assert attributes.get("alt")
        if tag in ("video", "svg"):
            assert attributes.get("aria-label")


def test_code_curves_feedback_and_generalist_are_shown(page: str) -> None:
    outline = Outline(page)
    assert "# clearly off the table" in outline.text
    assert "its success flips on the clip" in outline.text
    assert "the learned model needs a GPU" in outline.text
    curves = [a for tag, a in outline.tags if tag == "polyline" and "curve" in (a.get("class") or "")]
    samples = 3 * 3 + 2
    assert len(curves) == 2 * samples  # success and return
    assert sum("best" in a["class"].split() for a in curves) == 2 * 4  # one best a round
    assert ("b", {}) not in outline.tags  # HTML in feedback.md stays text
    assert "<b>lift</b>" in outline.text
    assert "0.61 [0.50, 0.70]" in outline.text
    assert "failed: KeyError: 'cup_pos'" in outline.text


def test_without_clip_pixels_only_the_rollout_remains(results: Path, tmp_path: Path) -> None:
    build_report(results, [LIFT, NEXT, LOST], "v2p", tmp_path / "report.html", clip_pixels=False)
    outline = Outline((tmp_path / "report.html").read_text())
    assert not [tag for tag, _ in outline.tags if tag == "img"]
    assert len([tag for tag, _ in outline.tags if tag == "video"]) == 1
    assert "pixels are left out" in outline.text


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    row = synthetic.row("evil", ATTACK, ["thing"], [ATTACK])
    folder = synthetic.write_clip(tmp_path, row, better=ATTACK)
    synthetic.write_task(folder / "v2p", code=f"# </code></pre>{ATTACK}\n")
    synthetic.write_json(folder / "v2p" / "task" / "pick.json", {"reason": ATTACK, "picked": 0})
    synthetic.write_rounds(folder / "v2p", [[0.5]])
    feedback = f"{ATTACK}\n\n![x](http://example.org/a.png) [y](javascript:alert(3)) <http://example.org>\n"
    (folder / "v2p" / "reward" / "0" / "feedback.md").write_text(feedback)
    (folder / "masks" / "thing.png").rename(folder / "masks" / "<script>alert(4).png")
    build_report(tmp_path, [row], ATTACK.replace("/", ""), tmp_path / "other.html")
    build_report(tmp_path, [row], "v2p", tmp_path / "report.html")
    for name in ("other.html", "report.html"):
        outline = Outline((tmp_path / name).read_text())
        assert "script" not in {tag for tag, _ in outline.tags}
        assert not outline.values("onerror")
        assert all(value.startswith("data:") for value in outline.values("src"))
        assert all(value.startswith("#") for value in outline.values("href"))
        assert "<script>alert(1)</script>" in outline.text


@pytest.mark.parametrize(
    "name", ["clip.json", "scene.json", "v2p/reward/0/best/best.json", "v2p/policy/eval.json"]
)
@pytest.mark.parametrize("content", ["", "{", "[1]", "rejected: too dark\n"])
def test_a_broken_artifact_is_named_and_never_fatal(tmp_path: Path, name: str, content: str) -> None:
    path = synthetic.write_trained(tmp_path, LIFT) / name
    path.write_text(content)
    build_report(tmp_path, [LIFT], "v2p", tmp_path / "report.html")
    named = f"videos/lift_cube/{name} is not" in Outline((tmp_path / "report.html").read_text()).text
    assert named == (content in ("{", "[1]"))


def test_any_missing_file_leaves_a_page(tmp_path: Path) -> None:
    folder = synthetic.write_clip(tmp_path, LIFT)
    synthetic.write_task(folder / "v2p", candidates=1)
    synthetic.write_rounds(folder / "v2p", [[0.1, 0.4]])
    synthetic.write_policy(folder / "v2p")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.parent.name != "frames")
    kept = {path: path.read_bytes() for path in files}
    for path in files:
        path.unlink()
        build_report(tmp_path, [LIFT], "v2p", tmp_path / "report.html", clip_pixels=False)
        Outline((tmp_path / "report.html").read_text())
        path.write_bytes(kept[path])


def test_no_clip_at_all_is_a_page(tmp_path: Path) -> None:
    build_report(tmp_path, [], "v2p", tmp_path / "report.html")
    assert "no clip" in Outline((tmp_path / "report.html").read_text()).text
