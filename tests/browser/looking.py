"""What the tests read from a page."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

LOAD = r"""const load = (path) =>
    import(document.querySelector('script[type=module]').src.replace(/\/js\/.*/, `/js/${path}`));
"""
"""JavaScript: `load(path)` imports one of the page's own modules, by its path below static/js."""


def row(page: Page, tag: str) -> Locator:
    """The table's row of the session with exactly this tag."""
    return page.locator("tr", has=page.locator(".tag").get_by_text(tag, exact=True))


def tags(page: Page) -> list[str]:
    """The tags of the table's rows, from above."""
    return page.locator("#sessions .tag").all_inner_texts()


def expect_shown(page: Page, *tags: str) -> None:
    """These sessions' graphs are shown, in the table's order, or are within a moment."""
    expect(page.locator("tr[aria-selected=true] .tag")).to_have_text(list(tags))


def card(page: Page, title: str) -> Locator:
    return page.locator(f'.card[data-graph-title="{title}"]')


def drawn(page: Page, title: str) -> dict[str, Any]:
    """What a card draws: {session: {name: columns}}."""
    return card(page, title).evaluate("card => card.losswise.data()")


def wait_drawn(page: Page, title: str, session: str, name: str, condition: str = "true") -> Any:
    """The columns of a line, once they are there and `condition`, JavaScript with `line`, holds."""
    page.wait_for_function(
        f"""([title, session, name]) => {{
            const card = document.querySelector(`.card[data-graph-title="${{title}}"]`);
            const line = card?.losswise.data()[session]?.[name];
            return line && ({condition});
        }}""",
        arg=[title, session, name],
    )
    return drawn(page, title)[session][name]


def drag(page: Page, title: str, start: float, end: float) -> None:
    """Drag in a chart, from one part of its width to another."""
    over = card(page, title).locator(".u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * start, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, box["y"] + 60, steps=5)
    page.mouse.up()


def pixels(page: Page, title: str, color: tuple[int, int, int], part: tuple[float, float, float, float]) -> int:
    """How many pixels of about this colour the canvas has in a part of it (left, top, right, bottom from 0 to 1)."""
    return card(page, title).evaluate(
        """(card, [color, [left, top, right, bottom]]) => {
            const canvas = card.querySelector('.plot canvas');
            const { width, height } = canvas;
            const [x, y] = [Math.floor(left * width), Math.floor(top * height)];
            const area = [x, y, Math.ceil(right * width) - x, Math.ceil(bottom * height) - y];
            const { data } = canvas.getContext('2d').getImageData(...area);
            let count = 0;
            for (let at = 0; at < data.length; at += 4) {
                const near = color.every((value, part) => Math.abs(data[at + part] - value) < 40);
                if (near && data[at + 3] > 100) count += 1;
            }
            return count;
        }""",
        [list(color), list(part)],
    )
