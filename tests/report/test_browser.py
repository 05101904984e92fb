"""The report in a real browser: what it asks for, how it fits a phone, how a keyboard gets about."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.report import synthetic
from tests.report.browser import CHROMIUM, Browser, browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium"),
]
TAB = 9
GOOD = synthetic.row("lift_cube", "lifting a cube", ["cube"])
POOR = synthetic.row("move_mug", "moving a mug closer to a cube", ["mug", "cube"])
BAD = synthetic.row("lost_ball", "rolling a ball " + "with_a_very_long_name" * 4, ["ball"])
PAGES = ["report.html", "report/lift_cube/index.html", "report/lost_ball/index.html"]
SHOWN = (
    "[...document.querySelectorAll('#clips tbody tr')].filter(r => r.offsetParent).map(r => r.dataset.clip)"
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("browser") / "results"
    synthetic.write_trained(root, GOOD)
    synthetic.write_trained(root, POOR, success_rate=0.4)
    synthetic.write_clip(root, BAD, stop="segment", reason="the ball is hidden")
    synthetic.write_ledger(root / "ledger.tsv")
    synthetic.write_report(root, [GOOD, POOR, BAD])
    return root


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Browser]:
    with browser(tmp_path / "profile") as one:
        yield one


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_it_fits_asks_nobody_and_complains_of_nothing(
    results: Path, chromium: Browser, name: str, width: int
) -> None:
    chromium.open(results / name, width, dark=width == 390)
    chromium.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width
    chromium.evaluate("document.querySelectorAll('img').forEach(one => one.loading = 'eager')")
    chromium.wait(1)
    assert all(url.startswith(results.as_uri()) for url in chromium.requests())
    assert chromium.requests()[0] == (results / name).as_uri()
    assert not chromium.complaints()
    broken = "[...document.images].filter(one => !one.naturalWidth).length"
    assert chromium.evaluate("document.images.length") >= 3 and chromium.evaluate(broken) == 0


def choose(name: str, value: str, event: str) -> str:
    """A script that gives a control a value, as a user would."""
    found = f"let it = document.getElementById('{name}')"
    return f"{{ {found}; it.value = '{value}'; it.dispatchEvent(new Event('{event}')) }}"


def test_films_play_together_and_load_nothing_before(results: Path, chromium: Browser) -> None:
    chromium.open(results / PAGES[1], 1280)
    assert not [url for url in chromium.requests() if url.endswith(".mp4")]
    chromium.evaluate("document.getElementById('play-both').click()")
    chromium.wait(1.5)
    state = "[...document.querySelectorAll('video')].map(one => [one.paused, one.error, one.duration > 0.5])"
    assert chromium.evaluate(state) == [[False, None, True]] * 2


def test_the_scene_is_drawn_and_turns_by_keyboard(results: Path, chromium: Browser) -> None:
    chromium.open(results / PAGES[1], 1280)
    picture = "document.getElementById('viewer').toDataURL()"
    first = chromium.evaluate(picture)
    chromium.evaluate("document.getElementById('viewer').focus()")
    for key, code in (("ArrowLeft", 37), ("ArrowUp", 38), ("+", 187)):
        chromium.press(key, code)
        after = chromium.evaluate(picture)
        assert after != first, key
        first = after
    chromium.evaluate(choose("viewer-frame", "100", "input"))
    assert chromium.evaluate(picture) != first
    assert chromium.evaluate("document.getElementById('viewer-time').textContent") == "frame 23 of 23"


def test_without_webgl_the_page_says_so_and_keeps_its_drawings(results: Path, chromium: Browser) -> None:
    without = "HTMLCanvasElement.prototype.getContext = () => null; console.error = () => {};"
    chromium.open(results / PAGES[1], 1280, before=without)
    assert "draws no 3-D" in chromium.evaluate("document.getElementById('viewer-note').textContent")
    assert chromium.evaluate("document.querySelectorAll('#scene svg').length") == 2


def test_the_overview_is_filtered_searched_and_sorted(results: Path, chromium: Browser) -> None:
    chromium.open(results / "report.html", 1280)
    assert chromium.evaluate(SHOWN) == ["lift_cube", "move_mug", "lost_ball"]
    chromium.evaluate(choose("success", "0,0.5", "change"))
    assert chromium.evaluate(SHOWN) == ["move_mug"]
    assert chromium.evaluate("document.getElementById('count').textContent") == "1 of 3 clips shown"
    chromium.evaluate(choose("success", "", "change"))
    chromium.evaluate(choose("search", "HIDDEN ball", "input"))
    assert chromium.evaluate(SHOWN) == ["lost_ball"]
    chromium.evaluate(choose("search", "", "input"))
    for order in (["lost_ball", "move_mug", "lift_cube"], ["lift_cube", "move_mug", "lost_ball"]):
        chromium.evaluate("document.querySelector('[data-sort=judged]').click()")
        assert chromium.evaluate(SHOWN) == order
    assert chromium.evaluate("document.querySelector('[aria-sort]').textContent") == "Judged"


def test_the_verdicts_are_filtered_by_keyboard(results: Path, chromium: Browser) -> None:
    chromium.open(results / "report.html", 1280)
    chromium.press("Tab", TAB)
    assert chromium.evaluate("document.activeElement.className") == "skip"
    chromium.press("Tab", TAB)
    assert chromium.evaluate("document.activeElement.id") == "show-all"
    for _ in range(2):
        chromium.press("ArrowRight", 39)
    assert chromium.evaluate("document.activeElement.id") == "show-stopped"
    assert chromium.evaluate(SHOWN) == ["lost_ball"]


@pytest.mark.parametrize("name", PAGES[:2])
def test_tab_reaches_everything_that_acts(results: Path, chromium: Browser, name: str) -> None:
    chromium.open(results / name, 1280)
    acts = "a[href], summary, button, select, input:not([type=radio]), canvas, [tabindex='0']"
    visible = f'[...document.querySelectorAll("{acts}")].filter(one => one.checkVisibility())'
    chromium.evaluate(f"window.todo = new Set({visible})")
    wanted = chromium.evaluate("todo.size")
    assert wanted > 15
    for _ in range(3 * wanted):
        chromium.press("Tab", TAB)
        chromium.evaluate("todo.delete(document.activeElement)")
        if chromium.evaluate("todo.size") == 0:
            break
    assert chromium.evaluate("[...todo].map(one => one.outerHTML.slice(0, 80))") == []
