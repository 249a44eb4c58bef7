"""The storefront in a real browser, against a real shop."""

from __future__ import annotations

import pytest
from browser_live import HOSTILE, Window
from playwright.sync_api import Page, expect

from aisle.types import Page as ShopPage

pytestmark = pytest.mark.browser


def titles(page: Page, within: str) -> list[str]:
    return page.locator(f"{within} .card:not(.ghost) .card-title").all_text_contents()


def search(shopper: Window, query: str) -> Page:
    page = shopper.open(f"/search?query={query}")
    expect(page.locator("#results-count")).not_to_be_empty()
    return page


def settled(page: Page, want: str) -> None:
    """Wait until the result count reads so."""
    expect(page.locator("#results-count")).to_have_text(want)


def test_home_shows_products_with_photos_and_prices(shopper: Window) -> None:
    page = shopper.open("/")
    cards = page.locator("#rows .card:not(.ghost)")
    cards.first.wait_for()
    assert page.title() == "Northing"
    assert cards.locator("img").first.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert "$" in cards.first.locator(".price").inner_text()
    expect(page.locator("#menu > li > a").first).to_be_visible()
    assert {"Clothing", "Home"} <= set(page.locator("#menu > li > a").all_text_contents())


def test_typing_suggests_and_the_keyboard_chooses(shopper: Window) -> None:
    page = shopper.open("/")
    page.locator("#query").press_sequentially("harb", delay=30)
    expect(page.locator("#suggestions")).to_be_visible()
    option = page.locator("#suggestions [role=option]", has_text="Harbour Hoodie").first
    expect(option).to_be_visible()
    expect(option.locator("em")).to_have_text("Harb")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#query")).to_have_attribute("aria-activedescendant", "suggestion-0")
    page.keyboard.press("Escape")
    expect(page.locator("#suggestions")).to_be_hidden()
    page.locator("#query").press_sequentially("our", delay=30)
    page.locator("#suggestions [data-kind=product]").first.wait_for()
    for _ in range(page.locator("#suggestions [role=option]").count()):
        page.keyboard.press("ArrowDown")
        if page.locator("#suggestions [aria-selected=true]").get_attribute("data-kind") == "product":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/p/**")
    expect(page.locator("h1")).to_have_text("Harbour Hoodie")


def test_results_change_as_one_types(shopper: Window) -> None:
    page = search(shopper, "mug")
    settled(page, "4 products")
    page.locator("#query").fill("hoodie")
    settled(page, "3 products")
    assert all("Hoodie" in title for title in titles(page, "#results-list"))
    assert "query=hoodie" in page.url


def test_facets_narrow_and_their_counts_are_kept(shopper: Window) -> None:
    page = search(shopper, "hoodie")
    settled(page, "3 products")
    green = page.locator(".facet[data-field=color] .check", has_text="Green")
    assert green.locator(".count").inner_text() == "2"
    green.locator("input").check()
    settled(page, "2 products")
    assert "Trail Hoodie" not in titles(page, "#results-list")
    page.locator("#chips .pill", has_text="Green").click()
    settled(page, "3 products")
    page.locator("#price-max").fill("60")
    page.locator("#price-max").press("Enter")
    settled(page, "1 product")
    assert titles(page, "#results-list") == ["Harbour Hoodie"]
    page.go_back()
    settled(page, "3 products")


def test_what_was_understood_is_shown_and_can_be_taken_back(shopper: Window) -> None:
    page = search(shopper, "green hoodie under $60")
    settled(page, "1 product")
    chips = page.locator("#chips .chip-understood")
    expect(chips.filter(has_text="Green")).to_have_count(1)
    chips.filter(has_text="$60").click()
    settled(page, "2 products")
    assert "ignore=price" in page.url
    page.locator("#chips .chip-ignored").click()
    settled(page, "1 product")


def test_a_question_is_answered_and_can_be_taken_back(shopper: Window) -> None:
    content = shopper.live.shop._parts.stores.content
    content.upsert_pages(
        [ShopPage("sending-back", "Returns and refunds", "Send it back within 30 days and get a refund.")]
    )
    assert shopper.live.shop.wait_indexed(30)
    page = search(shopper, "how do I return a hoodie")
    expect(page.locator("#answers .answer-page").first).to_be_visible()
    page.locator("#chips .chip-understood").filter(has_text="Help").click()
    expect(page.locator("#answers")).to_be_hidden()
    assert "ignore=intent" in page.url
    page.locator("#chips .chip-ignored").filter(has_text="Answers").click()
    expect(page.locator("#answers .answer-page").first).to_be_visible()


def test_one_thing_of_several_is_taken_back_with_a_click(shopper: Window) -> None:
    page = search(shopper, "red or green hoodie -trail, cheapest")
    chips = page.locator("#chips .chip-understood")
    expect(chips.filter(has_text="Cheapest first")).to_have_count(1)
    settled(page, "2 products")
    expect(page.locator("#results-list .card-title").first).to_have_text("Harbour Hoodie")
    chips.filter(has_text="Without: trail").click()
    settled(page, "3 products")
    chips.filter(has_text="Red").click()
    settled(page, "2 products")  # the one that does not come in green
    assert "ignore=word%2Ccolor%3Ared" in page.url
    expect(chips.filter(has_text="Green")).to_have_count(1)


def test_a_mended_word_is_said_and_can_be_searched_as_it_was_typed(shopper: Window) -> None:
    page = search(shopper, "hodie")
    settled(page, "3 products")
    expect(page.locator("#results-note")).to_contain_text("hoodie")
    page.locator("#search-instead").click()
    expect(page.locator(".empty h2")).to_contain_text("hodie")
    assert "ignore=spelling" in page.url


def test_what_was_given_up_is_said_in_the_language_of_the_page(shopper: Window) -> None:
    page = shopper.open("/search?query=red+hoodie+under+$9&lang=zh")
    expect(page.locator("#results-note")).to_contain_text("已去掉条件")
    expect(page.locator("#results-note")).to_contain_text("9")
    expect(page.locator("#chips .chip-understood").filter(has_text="红色")).to_have_count(1)


def test_a_category_s_name_leads_to_the_category(shopper: Window) -> None:
    page = search(shopper, "lamps")
    page.locator("#answers a", has_text="Lamps").click()
    page.wait_for_url("**/c/Home/Lamps")


def test_the_card_shows_the_colour_that_was_asked_for(shopper: Window) -> None:
    page = search(shopper, "blue hoodie")
    sources = page.locator("#results-list .card img").evaluate_all("all => all.map(one => one.src)")
    assert sources
    assert all(source.endswith("/media/blue.png") for source in sources)


def test_a_colour_that_is_not_to_be_had_is_said_not_claimed(shopper: Window) -> None:
    page = search(shopper, "green mug")
    settled(page, "4 products")
    expect(page.locator("#results-note")).to_contain_text("Green")
    expect(page.locator("#chips .chip-understood")).to_have_count(0)


def test_sorting_and_categories(shopper: Window) -> None:
    page = shopper.open("/c/Home/Lamps")
    settled(page, "3 products")
    expect(page.locator("h1")).to_have_text("Lamps")
    page.locator("#sort").select_option("price_desc")
    expect(page.locator("#results-list .card-title").first).to_have_text("Reading Lamp")
    expect(page.locator("#crumbs")).to_contain_text("Home")
    # the one without a photo has a placeholder, not a broken picture
    assert page.locator("#results-list .card", has_text="Reading Lamp").locator("img").count() == 0


def test_nothing_found_leads_on(shopper: Window) -> None:
    page = search(shopper, "zzzzqqqq")
    expect(page.locator(".empty h2")).to_contain_text("zzzzqqqq")
    page.locator("#row-rescue .card").first.wait_for()


def test_a_click_changes_the_very_next_home_page_and_says_why(shopper: Window) -> None:
    page = shopper.open("/")
    page.locator("#row-home .card:not(.ghost)").first.wait_for()
    before = titles(page, "#row-home")
    page = search(shopper, "floor lamp")
    page.locator("#results-list .card-title a", has_text="Floor Lamp").click()
    page.wait_for_url("**/p/L1")
    page.goto(shopper.live.url + "/")  # at once: the page waits for what is still on its way
    page.locator("#row-home .card:not(.ghost)").first.wait_for()
    after = titles(page, "#row-home")
    assert after != before
    assert "Floor Lamp" in page.locator("#row-home").inner_text()  # as the reason of another card
    assert any("Lamp" in title for title in after[:3])
    expect(page.locator("#row-similar h2")).to_contain_text("Because you viewed Floor Lamp")
    clicked = shopper.live.wait_for(shopper.visitor_id, "select_item")
    assert clicked[0].event.items[0].item_id == "L1"
    assert clicked[0].event.list_id


def test_impressions_are_what_was_really_on_the_screen(shopper: Window) -> None:
    page = search(shopper, "mug")
    settled(page, "4 products")
    seen = shopper.live.wait_for(shopper.visitor_id, "view_item_list")
    assert seen
    shown = [(item.item_id, item.index) for event in seen for item in event.event.items]
    assert sorted(index for _, index in shown if index is not None) == list(range(len(shown)))
    assert {item for item, _ in shown} <= {"M0", "M1", "M2", "M3"}
    assert seen[0].event.list_id


def test_variants_change_picture_price_and_what_can_be_had(shopper: Window) -> None:
    page = shopper.open("/p/C0-Red-S")
    expect(page.locator("h1")).to_have_text("Harbour Hoodie")
    expect(page.locator(".gallery img").first).to_have_attribute("src", f"{shopper.live.url}/media/red.png")
    page.locator("[data-dimension=color] input[value=Blue]").check(force=True)
    expect(page.locator(".gallery img").first).to_have_attribute("src", f"{shopper.live.url}/media/blue.png")
    assert page.locator("[data-dimension=size] input[value=L]").is_disabled()
    page.locator("[data-dimension=size] input[value=M]").check(force=True)
    assert page.url.endswith("/p/C0-Blue-M")
    expect(page.locator("#add-to-cart")).to_be_enabled()
    expect(page.locator("#row-similar .card").first).to_be_visible()


def test_bag_and_pretend_checkout_reach_the_log(shopper: Window) -> None:
    page = shopper.open("/p/M1")
    page.locator("#add-to-cart").click()
    expect(page.locator("#cart-badge")).to_have_text("1")
    page.goto(shopper.live.url + "/cart")
    expect(page.locator(".line")).to_have_count(1)
    page.get_by_label("One more Camp Mug").click()
    expect(page.locator(".sums .total").last).to_have_text("$26.00")
    page.locator("#row-cart .card").first.wait_for()
    page.locator("#go-checkout").click()
    expect(page.locator(".note").first).to_contain_text("demonstration")
    page.locator("#place-order").click()
    page.locator("#order-done").wait_for()
    expect(page.locator("#cart-badge")).to_be_hidden()
    bought = shopper.live.wait_for(shopper.visitor_id, "purchase")
    assert [(item.item_id, item.quantity) for item in bought[0].event.items] == [("M1", 2)]
    assert str(bought[0].event.value) == "26.00 USD"
    names = [event.event.name for event in shopper.live.events(shopper.visitor_id)]
    assert names.index("add_to_cart") < names.index("begin_checkout") < names.index("purchase")
    assert len(bought) == 1


def test_taking_something_out_can_be_undone(shopper: Window) -> None:
    page = shopper.open("/p/M2")
    page.locator("#add-to-cart").click()
    page.goto(shopper.live.url + "/cart")
    page.get_by_label("Remove Tall Mug").click()
    expect(page.locator("h1")).to_have_text("Your bag is empty")
    page.locator(".toast button").click()
    expect(page.locator(".line")).to_have_count(1)
    assert shopper.live.wait_for(shopper.visitor_id, "remove_from_cart")


def test_an_event_that_could_not_be_sent_is_sent_by_the_next_page(shopper: Window) -> None:
    page = shopper.open("/")
    page.locator("#rows .card:not(.ghost)").first.wait_for()
    page.route("**/v1/events", lambda route: route.abort())
    page.goto(shopper.live.url + "/p/L0")
    expect(page.locator("h1")).to_have_text("Desk Lamp")
    page.wait_for_timeout(300)
    assert shopper.live.events(shopper.visitor_id, "view_item") == []
    page.unroute("**/v1/events")
    shopper.errors.clear()  # the browser reports the requests that this test broke
    page.goto(shopper.live.url + "/")
    assert len(shopper.live.wait_for(shopper.visitor_id, "view_item")) == 1


def test_the_language_switch_is_remembered(shopper: Window) -> None:
    page = shopper.open("/search?query=mug")
    settled(page, "4 products")
    page.locator(".lang").click()
    settled(page, "4 件商品")
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    assert page.locator("#query").input_value() == "mug"
    page.goto(shopper.live.url + "/cart")
    expect(page.locator("h1")).to_have_text("购物袋是空的")
    page.locator(".lang").click()
    expect(page.locator("h1")).to_have_text("Your bag is empty")


def test_a_title_is_text_never_markup(shopper: Window) -> None:
    page = search(shopper, "mug")
    settled(page, "4 products")
    assert HOSTILE in titles(page, "#results-list")
    page.goto(shopper.live.url + "/p/M3")
    expect(page.locator("h1")).to_have_text(HOSTILE)
    assert page.locator("main img[src$='/x']").count() == 0


def test_a_product_that_is_gone_says_so(shopper: Window) -> None:
    page = shopper.open("/p/nothing")
    expect(page.locator("h1")).to_have_text("This product is no longer in the shop")
    page.locator("#rows .card").first.wait_for()
    shopper.errors.clear()  # the browser reports the API's 404


@pytest.mark.parametrize("path", ["/", "/search?query=hoodie", "/p/C0-Red-S", "/cart", "/c/Clothing"])
def test_a_phone_never_scrolls_sideways(phone: Window, path: str) -> None:
    page = phone.open(path)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_menu_and_filters_on_a_phone(phone: Window) -> None:
    page = phone.open("/")
    page.locator("#menu-button").click()
    page.locator("#menu-tree a", has_text="Mugs").click()
    settled(page, "4 products")
    page.locator("#filter-button").click()
    page.locator("#price-max").fill("13")
    page.locator("#price-max").press("Enter")
    expect(page.locator("#filter-show")).to_have_text("Show 2 products")
    page.locator("#filter-show").click()
    settled(page, "2 products")


def test_the_skip_link_and_labels(shopper: Window) -> None:
    page = shopper.open("/p/C0-Red-S")
    page.locator("#add-to-cart").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, a[href], input, select')].filter(e => e.checkVisibility() &&"
        " !(e.textContent.trim() || e.ariaLabel || e.labels?.length || e.getAttribute('aria-labelledby')"
        " || e.getAttribute('aria-hidden'))).map(e => e.outerHTML)"
    )
    assert unnamed == []


# ------------------------------------------------------- every surface, and what is said outright


def open_two_hoodies(shopper: Window) -> Page:
    for item in ("C0-Red-S", "C1-Red-M"):
        shopper.open(f"/p/{item}")
        expect(shopper.page.locator("#add-to-cart")).to_be_visible()
    page = shopper.open("/")
    page.locator("#row-home .card:not(.ghost)").first.wait_for()
    return page


def test_two_hoodies_change_home_which_names_the_reason(shopper: Window) -> None:
    page = shopper.open("/")
    page.locator("#row-home .card:not(.ghost)").first.wait_for()
    before = titles(page, "#row-home")
    page = open_two_hoodies(shopper)
    assert titles(page, "#row-home") != before
    reasons = " ".join(page.locator("#row-home .reason").all_inner_texts())
    assert "Because you viewed" in reasons
    assert "Hoodie" in reasons


def test_a_card_says_why_and_is_sent_away_for_good(shopper: Window) -> None:
    page = open_two_hoodies(shopper)
    first = page.locator("#row-home .card").first
    title = first.locator(".card-title").inner_text()
    first.hover()
    first.locator(".why-button").click()
    expect(first.locator(".why li").first).to_be_visible()
    first.locator(".why-act", has_text="Not interested").click()
    expect(page.locator("#row-home .card-title", has_text=title)).to_have_count(0)  # the row asked again by itself
    page.locator(".toast button").click()
    expect(page.locator("#row-home .card-title", has_text=title).first).to_be_visible()
    told = shopper.live.wait_for(shopper.visitor_id, "not_interested", 2)
    assert [bool(event.event.params.get("undo")) for event in told] == [False, True]


def test_following_a_brand_fills_a_row_of_its_own(shopper: Window) -> None:
    page = shopper.open("/p/M1")
    page.locator("#follow-brand").click()
    expect(page.locator("#follow-brand")).to_have_attribute("aria-pressed", "true")
    page.goto(shopper.live.url + "/")
    row = page.locator("#row-followed")
    expect(row.locator(".card").first).to_be_visible()
    expect(row).to_contain_text("From Clay & Co, which you follow")
    page.goto(shopper.live.url + "/p/M1")
    page.locator("#follow-brand").click()
    page.goto(shopper.live.url + "/")
    page.locator("#row-home .card:not(.ghost)").first.wait_for()
    expect(page.locator("#row-followed")).to_have_count(0)


def test_a_rating_is_recorded(shopper: Window) -> None:
    page = shopper.open("/p/M2")
    page.locator(".mark-star").nth(3).click()
    rated = shopper.live.wait_for(shopper.visitor_id, "rate")
    assert (rated[0].event.items[0].item_id, rated[0].event.rating) == ("M2", 4.0)
    assert rated[0].event.params["device"] == "desk"


def test_the_thank_you_page_goes_on_with_what_goes_with_the_order(shopper: Window) -> None:
    page = shopper.open("/p/M0")
    page.locator("#add-to-cart").click()
    page.goto(shopper.live.url + "/checkout")
    page.locator("#place-order").click()
    page.locator("#order-done").wait_for()
    expect(page.locator("#row-after_purchase .card").first).to_be_visible()
    assert "Morning Mug" not in titles(page, "#row-after_purchase")


def test_a_search_that_finds_nothing_says_what_it_shows_instead(shopper: Window) -> None:
    page = search(shopper, "zzzzqqqq")
    expect(page.locator("#row-rescue h2")).to_have_text("Perhaps one of these")
    expect(page.locator("#row-rescue .card").first).to_be_visible()


def test_a_page_to_read(shopper: Window) -> None:
    page = shopper.open("/read/returns")
    expect(page.locator("h1")).to_have_text("There is no such page")


def test_products_show_as_one_types(shopper: Window) -> None:
    page = shopper.open("/")
    page.locator("#query").press_sequentially("hood", delay=30)
    cards = page.locator("#suggestions .instant")
    expect(cards).to_have_count(3)
    assert "$" in cards.first.locator(".price").inner_text()
    expect(cards.first).to_have_attribute("role", "option")
    words = page.locator("#suggestions .suggestions-words [role=option]").count()
    for _ in range(words + 1):
        page.keyboard.press("ArrowDown")
    expect(cards.first).to_have_attribute("aria-selected", "true")
    expect(page.locator("#query")).to_have_attribute("aria-activedescendant", f"suggestion-{words}")
    page.keyboard.press("ArrowUp")
    expect(cards.first).to_have_attribute("aria-selected", "false")


def test_an_empty_box_offers_ones_own_searches(shopper: Window) -> None:
    page = search(shopper, "breeze tee")
    shopper.live.wait_for(shopper.visitor_id, "search")
    page = shopper.open("/")
    page.locator("#query").focus()
    own = page.locator("#suggestions [role=option]", has_text="breeze tee")
    expect(own).to_be_visible()
    expect(page.locator("#suggestions h3").first).to_have_text("Your searches")


def test_nothing_is_asked_while_an_input_method_composes(shopper: Window) -> None:
    page = shopper.open("/")
    asked: list[str] = []
    page.on("request", lambda request: "/v1/suggest" in request.url and asked.append(request.url))
    page.locator("#query").focus()
    page.wait_for_timeout(400)
    asked.clear()
    session = page.context.new_cdp_session(page)
    for text in ("h", "ho", "hood"):
        session.send("Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)})
        page.wait_for_timeout(200)
    assert asked == []
    session.send("Input.insertText", {"text": "hoodie"})
    expect(page.locator("#suggestions .instant").first).to_be_visible()
    assert len(asked) == 1
