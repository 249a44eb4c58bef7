"""The demo shop's own words: help pages and promotions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Offer:
    """A promotion; it starts and ends so many days after the end of the history."""

    name: tuple[str, str]
    description: tuple[str, str]
    starts_days: int
    ends_days: int
    coupon_code: str = ""


OFFERS: tuple[Offer, ...] = (
    Offer(
        ("Free delivery over $60", "满 399 包邮"),
        ("Orders over $60 are delivered free of charge, everywhere.", "订单满 399 元全国包邮。"),
        -20,
        60,
    ),
    Offer(
        ("Winter warmers: 15% off sweaters and scarves", "冬日暖意：毛衣围巾 85 折"),
        ("15% off every sweater, scarf and beanie with the code WARM15.", "毛衣、围巾、毛线帽使用 WARM15 享 85 折。"),
        -5,
        25,
        "WARM15",
    ),
    Offer(
        ("Three books, pay for two", "图书买三付二"),
        ("Put three books in your cart: the cheapest one is free.", "购物车放入三本书，价格最低的一本免单。"),
        -10,
        40,
    ),
    Offer(
        ("Coffee subscription: the first bag half price", "咖啡订阅首袋半价"),
        (
            "Subscribe to any coffee beans; the first bag costs half. Code: BEANS50.",
            "订阅任意咖啡豆，首袋半价，代码 BEANS50。",
        ),
        -2,
        90,
        "BEANS50",
    ),
    Offer(
        ("Camping week", "露营周"),
        ("20% off tents and sleeping bags for one week in spring.", "春季一周，帐篷睡袋 8 折。"),
        120,
        127,
    ),
    Offer(
        ("Late summer sale", "夏末促销"),
        ("The summer sale is over. Thank you for coming.", "夏季促销已结束，感谢光临。"),
        -90,
        -60,
    ),
)

PAGES_EN: dict[str, str] = {
    "delivery": """Delivery
Orders placed before 14:00 on a working day leave our warehouse the same day.
Standard delivery takes two to four working days and costs $4.90. From $60 it is free.
Express delivery arrives on the next working day and costs $12.
You will get an e-mail with a tracking link as soon as the parcel is on its way.
Large things such as chairs and tents come with a carrier who calls you first.""",
    "returns": """Returns and refunds
You may send back anything within 30 days, for any reason, if it has not been used.
Print a return label in your account, pack the item, and hand it in at any parcel shop. Returns are free.
We refund the price to the way you paid within five working days of the parcel's arrival.
Beauty products and food can only be returned unopened.
If something arrives broken, tell us within 14 days and we send a new one at once.""",
    "payment": """Payment
We take credit and debit cards, bank transfer and gift cards.
Your card is charged when the parcel leaves the warehouse, not before.
Coupon codes are entered at the checkout. One code can be used for each order.
Invoices are in your account, below each order.""",
    "sizes": """Size guide
Clothes come in S, M, L and XL. Chest in centimetres: S 88 to 94, M 95 to 101, L 102 to 108, XL 109 to 116.
Shoes are given in European sizes. Measure your foot from heel to the longest toe: 38 is 24 cm, 40 is 25.3 cm,
42 is 26.7 cm and 44 is 28 cm. If you are between sizes, take the larger one.
Relaxed fits run generous, slim fits run close to the body.""",
    "warranty": """Warranty and repairs
Electronics carry a warranty of two years, bags and zips one of five years.
Send us a photo of the fault and your order number; we answer within a working day.
Whatever can be repaired we repair. Spare parts for tents, lamps and fountain pens are kept for ten years.""",
    "contact": """Contact
Write to hello@shop.example or call +1 555 0100 on working days from 9:00 to 18:00.
Have your order number at hand: it begins with two letters.
The chat on every page is answered by people during the same hours.""",
    "privacy": """Privacy
We remember what you look at in order to show you things you may like. We sell nothing to anybody.
You can ask for everything we know about you, or have it erased, at any time and without giving a reason.
Visits are stored under a random number, not under your name.""",
    "about": """About us
We are a shop for everyday things that are made well: clothes, kitchenware, things for the home, for trips and for play.
We began with a market stall and six mugs. We still pick every product ourselves.""",
}

PAGES_ZH: dict[str, str] = {
    "delivery": """配送说明
工作日 14:00 前下单，当天发货。
标准配送需要两到四个工作日，运费 12 元，满 399 元包邮。
加急配送次日送达，运费 25 元。
包裹发出后，我们会通过邮件发送物流查询链接。
椅子、帐篷等大件由承运商提前电话预约送货。""",
    "returns": """退货与退款
收货后 30 天内，未使用的商品可无理由退货。
在账户中打印退货单，打包后交到任意快递点即可，退货免运费。
我们收到退货后五个工作日内原路退款。
美妆和食品仅限未拆封退货。
如商品到货时损坏，请在 14 天内告知，我们会立即补发。""",
    "payment": """支付方式
支持信用卡、借记卡、银行转账和礼品卡。
包裹发出时才会扣款。
优惠码在结算时输入，每个订单可使用一个。
发票可在账户的订单下方查看。""",
    "sizes": """尺码指南
服装有 S、M、L、XL 四个尺码。胸围（厘米）：S 88–94，M 95–101，L 102–108，XL 109–116。
鞋类为欧码：38 码 24 厘米，40 码 25.3 厘米，42 码 26.7 厘米，44 码 28 厘米。
介于两码之间建议选大一码。""",
    "warranty": """质保与维修
数码电器质保两年，箱包与拉链质保五年。
请发送故障照片和订单号，我们会在一个工作日内回复。
能修的我们都会修，帐篷、灯具和钢笔的备件保留十年。""",
    "contact": """联系我们
邮箱 hello@shop.example，电话 400-555-0100，工作日 9:00–18:00。
请准备好以两个字母开头的订单号。""",
    "privacy": """隐私
我们会记住您浏览过的商品，以便推荐您可能喜欢的东西，但不会把数据卖给任何人。
您可以随时查看或删除我们所保存的关于您的全部信息。""",
    "about": """关于我们
我们是一家售卖日常好物的小店：服装、厨具、家居、旅行与玩乐用品。
我们从一个市集摊位和六只马克杯开始，至今每件商品仍由我们亲自挑选。""",
}
