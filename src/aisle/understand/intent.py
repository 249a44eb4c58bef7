"""What a shopper came for: a product, a page, an order, an offer.

Read from sets of words, so that any text costs the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import pairwise

from aisle.types import Intent
from aisle.understand.text import Word
from aisle.understand.wordlists import STOP_WORDS

OFFERS = frozenset(
    "offer offers promotion promotions promo promos coupon coupons voucher vouchers discounts deal deals".split()  # noqa: SIM905
)
_OFFER_FRIENDS = frozenset(
    """code codes discount special current today now available running active valid week month there currently sale
    got exist apply use""".split()  # noqa: SIM905
)
ORDERS = frozenset("order orders package parcel shipment".split())  # noqa: SIM905
_ORDER_DEEDS = frozenset(
    """track tracking trace where wheres status cancel cancelled change check received receive arrived arrive
    arriving late missing lost delayed number history my progress locate whereabouts shipped dispatched""".split()  # noqa: SIM905
)
_ORDER_QUESTIONS = frozenset("my where wheres track tracking status cancel arrive arrived received".split())  # noqa: SIM905
HELP = frozenset(
    """return returns returning refund refunds refunded exchange exchanges shipping ship ships delivery deliveries
    deliver delivers contact hotline support payment payments pay paypal invoice invoices warranty guarantee
    privacy policy policies faq complaint complaints helpdesk imprint cookies postage reimbursement help""".split()  # noqa: SIM905
)
_HELP_PAIRS = frozenset(
    {
        ("size", "guide"), ("size", "chart"), ("sizing", "guide"), ("sizing", "chart"), ("phone", "number"),
        ("customer", "service"), ("customer", "care"), ("money", "back"), ("opening", "hours"), ("opening", "times"),
        ("store", "hours"), ("email", "address"), ("contact", "us"), ("about", "us"), ("credit", "card"),
        ("my", "account"), ("terms", "conditions"), ("help", "center"), ("help", "centre"), ("call", "you"),
        ("talk", "human"), ("speak", "agent"), ("reset", "password"), ("forgot", "password"), ("store", "locations"),
        ("near", "me"),
        ("gift", "card"), ("gift", "cards"), ("terms", "and"), ("find", "you"), ("your", "address"),
    }
)  # fmt: skip
_HELP_FRIENDS = frozenset(
    """cost costs price prices fee fees charge charges time times method methods option options free long take
    takes much number guide chart address customer service care center centre something item items thing things
    product products international abroad overseas country back hours info information conditions terms us
    accept cards card bank transfer standard express overnight next day days policy process rules period broken
    damaged wrong size work works account team someone human person call email phone made unused opened fit
    window address""".split()  # noqa: SIM905
)
_QUESTION = frozenset(
    """how can could do does did what when where whats hows wheres is are why will would i who may
    should""".split()  # noqa: SIM905
)
_ZH_ORDER = re.compile(
    r"我的(?:订单|包裹|快递)|订单(?:状态|查询|号|在哪|到哪)|查(?:询)?(?:订单|物流|快递)|物流|取消订单|包裹到|还没收到"
)
_ZH_HELP = re.compile(
    r"退货|退款|退换|换货|运费|配送|发货|送货|多久(?:能)?到|联系(?:我们|客服|方式|你们|电话)?|客服|支付|付款|保修|质保|隐私|尺码(?:指南|表|对照)|发票"
)
_ZH_OFFER = re.compile(r"优惠|促销活动|折扣[码券]|满减|有(?:什么|哪些|没有)?(?:促销|折扣|活动)")

WORDS = OFFERS | _OFFER_FRIENDS | ORDERS | _ORDER_DEEDS | HELP | _HELP_FRIENDS | _QUESTION
"""What no spelling should mend."""


def intent_of(text: str, spoken: Sequence[Word], products: Collection[int]) -> tuple[Intent, float, set[int]]:
    """The intent, how sure it is, and the starts of the words that only say it.

    `products` are the starts of the words that name something this shop sells.
    """
    if any(w.is_han for w in spoken):
        for intent, pattern in (("order", _ZH_ORDER), ("promotion", _ZH_OFFER), ("help", _ZH_HELP)):
            if pattern.search(text):
                return intent, 0.9, {w.start for w in spoken if w.is_han and w.start not in products}  # type: ignore[return-value]
    said = [w.text for w in spoken]
    have = set(said)
    orders = [i for i, w in enumerate(said) if w in ORDERS and said[i - 1 : i] not in (["to"], ["in"])]
    free = {w.start for w in spoken if w.start not in products}
    asks = bool(said) and said[0] in _QUESTION
    # "Check valve package" is a product: without a plain question for an order, no other word may stand beside it.
    plain = have & _ORDER_QUESTIONS or all(
        w in ORDERS or w in _ORDER_DEEDS or w in STOP_WORDS or w in _QUESTION for w in said
    )
    if orders and plain and have & _ORDER_DEEDS and not (have & HELP - {"delivery"}):
        return "order", 0.95, free
    if have & {"tracking"} or (have >= {"where", "my"} and have & {"delivery", "stuff", "things"}):
        return "order", 0.85, free
    if offers := have & OFFERS or ({"discount"} & have and have & {"any", "code", "codes", "get", "have"}):
        own = {w.start for w in spoken if w.text in OFFERS or w.text in _OFFER_FRIENDS or w.text in STOP_WORDS}
        rest = [w for w in spoken if w.start not in own]
        if not rest:
            return "promotion", 0.95, own
        # "deal" and "offer" beside a product's name are still a question for offers; beside anything else, unsure.
        if any(w.start in products for w in rest) or asks or len(rest) < len(said) - len(rest):
            return "promotion", 0.8, own - {w.start for w in rest}
        return ("promotion", 0.6, own) if offers else ("product", 1.0, set())
    pairs = {(a, b) for a, b in pairwise(said) if (a, b) in _HELP_PAIRS}
    if pairs or have & HELP:
        loose = [
            w
            for w in spoken
            if not (w.text in HELP or w.text in _HELP_FRIENDS or w.text in STOP_WORDS or w.text in _QUESTION)
            and not any(w.text in pair for pair in pairs)
        ]
        if not loose:
            return "help", 0.95, {w.start for w in spoken}
        about = said[0] in HELP and said[1:2] and said[1] in ("for", "of", "on", "to")  # "warranty for headphones"
        if about or (asks and not any(w.start in products for w in loose)):
            return "help", 0.85, free
        if asks:
            return "help", 0.75, free
    return "product", 1.0, set()
