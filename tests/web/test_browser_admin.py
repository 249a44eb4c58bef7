"""The admin's pages in a real browser."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from browser_live import PASSWORD, Window
from playwright.sync_api import Page, expect

from aisle.types import Event

pytestmark = pytest.mark.browser


def sign_in(window: Window, password: str = PASSWORD) -> Page:
    page = window.open("/admin")
    page.locator("#password").fill(password)
    page.locator("form button[type=submit]").click()
    return page


def test_the_wrong_password_is_refused(shopper: Window) -> None:
    page = sign_in(shopper, "guess")
    expect(page.locator("[role=alert]")).to_contain_text("not right")
    page.goto(shopper.live.url + "/admin")
    assert page.url.endswith("/admin/login")


def test_the_overview_shows_what_happened(shopper: Window) -> None:
    page = sign_in(shopper)
    expect(page.locator("[data-tile=orders] .value")).not_to_have_text("0")
    assert "$" in page.locator("[data-tile=revenue] .value").inner_text()
    page.locator("#chart-revenue .main-svg").first.wait_for()
    expect(page.locator("#zero-queries")).to_contain_text("unicorn")
    expect(page.locator("#top-items tbody tr").first).to_be_visible()
    expect(page.locator("#catalogue")).to_contain_text("12")
    expect(page.locator("#advice li").first).to_be_visible()


def test_the_feed_shows_a_shopper_as_it_happens(shopper: Window) -> None:
    page = sign_in(shopper)
    page.locator("#feed li").first.wait_for()
    shop = page.context.new_page()
    shop.goto(shopper.live.url + "/p/L2")
    expect(page.locator("#feed li", has_text="Reading Lamp").first).to_be_visible()
    shop.close()


def test_the_admin_speaks_chinese_and_signs_out(shopper: Window) -> None:
    page = sign_in(shopper)
    page.locator(".admin-tools a[lang=zh]").click()
    expect(page.locator("h1")).to_have_text("总览")
    page.locator("#chart-revenue .main-svg").first.wait_for()
    page.locator(".admin-tools form button").click()
    page.wait_for_url("**/admin/login")
    page.goto(shopper.live.url + "/admin")
    assert page.url.endswith("/admin/login")


def test_the_admin_fits_a_phone(phone: Window) -> None:
    page = sign_in(phone)
    page.locator("#chart-revenue .main-svg").first.wait_for()
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_what_each_source_adds_is_drawn_with_its_interval(shopper: Window) -> None:
    metrics = {"sequence.adds": 0.02, "sequence.adds_low": 0.01, "sequence.adds_high": 0.03}
    noise = {"graph.adds": 0.001, "graph.adds_low": -0.01, "graph.adds_high": 0.012}
    store = shopper.live.shop._parts.stores.models
    store.create("combination", {"weights": np.zeros(2, np.float32)}, metrics={**metrics, **noise}, note="a trial")
    page = sign_in(shopper)
    chart = page.locator("#chart-sources")
    expect(chart.locator(".main-svg").first).to_be_visible()
    expect(chart).to_contain_text("Sequence model")
    expect(chart).to_contain_text("Knowledge graph")
    assert chart.locator(".errorbar").count() == 2
    expect(page.locator("#models")).to_contain_text("a trial")


def train(models: Path) -> Path:
    """A training that runs now: twenty steps in, measured twice."""
    run = models / ".runs" / "intent-lora"
    run.mkdir(parents=True)
    told = [(step, "train/loss", 3 * math.exp(-step / 9)) for step in range(1, 21)]
    told += [(0, "held/accuracy", 0.1), (20, "held/accuracy", 0.876), (0, "held/loss", 3.1), (20, "held/loss", 0.4)]
    lines = [json.dumps({"step": step, "name": name, "value": value}) for step, name, value in told]
    (run / "curves.jsonl").write_text("\n".join(lines) + '\n{"step": 21, "na')
    return run


def test_trainings_are_drawn_and_followed(shopper: Window) -> None:
    models = shopper.live.shop.path / "models"
    page = sign_in(shopper)
    expect(page.locator("#trainings .nothing")).to_contain_text("aisle tune SHOP")
    run = train(models)
    try:
        page.reload()
        sheet = page.locator("#trainings .training")
        expect(sheet).to_contain_text("intent LoRA")
        expect(sheet.locator(".mark")).to_have_text("Runs now")
        sheet.locator(".main-svg").first.wait_for()
        assert sheet.locator(".scatterlayer .trace").count() == 3
        expect(sheet.locator(".legend")).to_contain_text("10% → 87.6%")
        with (run / "curves.jsonl").open("a") as file:
            file.write('me": "held/accuracy", "value": 0.91}\n')
        expect(sheet.locator(".legend")).to_contain_text("10% → 91%")  # by itself, while it runs
        expect(sheet).to_contain_text("21 steps")
    finally:
        shutil.rmtree(models / ".runs")


def test_trainings_fit_a_phone_in_chinese(phone: Window) -> None:
    models = phone.live.shop.path / "models"
    train(models)
    try:
        page = phone.open("/admin/login?lang=zh")
        page.locator("#password").fill(PASSWORD)
        page.locator("form button[type=submit]").click()
        sheet = page.locator("#trainings .training")
        expect(sheet.locator(".mark")).to_have_text("训练中")
        sheet.locator(".main-svg").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    finally:
        shutil.rmtree(models / ".runs")


def ask_for(window: Window, **asked: int) -> None:
    """Searches of as many shoppers each, in a shop where nothing waits for a label so far."""
    shop = window.live.shop
    for one in shop.label_desk("intent").queue:
        shop.label("intent", one.text, "earlier")
    shop.record_many(
        [
            Event("search", f"asks-{n}", query=words.replace("_", " "))
            for words, n_times in asked.items()
            for n in range(n_times)
        ]
    )


def labels(window: Window) -> dict[str, str]:
    return {one.text: one.label for one in window.live.shop.labels("intent") if one.label != "earlier"}


def test_searches_are_labelled_by_mouse_and_keys(shopper: Window) -> None:
    ask_for(shopper, where_is_my_mug=7, mug_for_dad=5, teapot_voucher=3)
    page = sign_in(shopper)
    text, why = page.locator(".label-text"), page.locator(".label-why")
    expect(text).to_have_text("where is my mug")
    expect(why).to_contain_text("asked 7 times")
    page.locator(".label-name", has_text="order").click()
    expect(text).to_have_text("mug for dad")
    assert labels(shopper) == {"where is my mug": "order"}
    page.keyboard.press("s")
    expect(text).to_have_text("teapot voucher")
    page.locator("#label-new").fill("vouchers 15s")  # digits and letters typed here are no shortcuts
    page.keyboard.press("Enter")
    expect(page.locator("#label-card .nothing")).to_contain_text("skipped")
    assert labels(shopper) == {"where is my mug": "order", "teapot voucher": "vouchers 15s"}
    page.keyboard.press("u")
    expect(text).to_have_text("teapot voucher")
    assert labels(shopper) == {"where is my mug": "order"}
    page.keyboard.press("u")
    expect(text).to_have_text("mug for dad")
    first = page.locator(".label-name > span").first.inner_text()
    page.keyboard.press("1")
    expect(text).to_have_text("teapot voucher")
    assert labels(shopper) == {"where is my mug": "order", "mug for dad": first}
    expect(page.locator("#label-told code")).to_contain_text("aisle labels SHOP --task intent")
    page.locator("#label-task").select_option("category")
    expect(page.locator("#label-card .nothing")).to_contain_text("Products without a category")


def test_a_label_that_was_not_kept_is_said_and_the_text_stays(shopper: Window) -> None:
    ask_for(shopper, lamp_repair=2)
    page = sign_in(shopper)
    expect(page.locator(".label-text")).to_have_text("lamp repair")
    page.locator("#label-new").evaluate("field => field.removeAttribute('maxlength')")
    page.locator("#label-new").fill("x" * 101)
    page.keyboard.press("Enter")
    expect(page.locator("#label-problem")).to_contain_text("100 are the most")
    expect(page.locator(".label-text")).to_have_text("lamp repair")
    assert "lamp repair" not in labels(shopper)
    shopper.errors.clear()  # the browser itself tells of the refused request


def test_labelling_fits_a_phone_in_chinese(phone: Window) -> None:
    ask_for(phone, **{"a_very_long_search_" * 4: 2})
    page = phone.open("/admin/login?lang=zh")
    page.locator("#password").fill(PASSWORD)
    page.locator("form button[type=submit]").click()
    expect(page.locator(".label-why")).to_contain_text("2 次")
    for button in page.locator(".label-name").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 43  # a thumb's width
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".label-tools button").first.tap()
    expect(page.locator("#label-card .nothing")).to_contain_text("已跳过")
