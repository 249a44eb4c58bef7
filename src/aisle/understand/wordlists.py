"""What words mean in any shop. What this shop has comes from its catalogue (`Lexicon`)."""

from __future__ import annotations

STOP_WORDS = frozenset(
    {
        "a", "an", "and", "any", "are", "as", "at", "be", "best", "buy", "by", "can", "cheap", "do", "find",
        "for", "from", "get", "give", "go", "good", "great", "have", "how", "i", "in", "is", "it", "its",
        "like", "looking", "me", "my", "need", "of", "on", "or", "pair", "please", "really", "search", "show",
        "some", "something", "that", "the", "these", "this", "those", "to", "too", "very", "want", "what",
        "which", "who", "with", "would", "you", "your", "all", "about", "also", "but", "does", "im", "into",
        "our", "their", "there", "them", "us", "was", "we", "where", "everything", "anything", "stuff",
        "popular", "trending", "bestseller", "bestsellers", "kind", "ones",
    }
)  # fmt: skip

NEGATIONS = frozenset(
    {
        "not", "no", "without", "except", "excluding", "non", "minus", "nor", "w/o",
        "不要", "不想要", "不含", "不带", "除了",
    }
)  # fmt: skip
"""What makes the next word unwanted."""

GENDERS: dict[str, tuple[str, ...]] = {
    "men": ("male",), "mens": ("male",), "male": ("male",), "males": ("male",), "gentlemen": ("male",),
    "boy": ("male",), "boys": ("male",), "guys": ("male",),
    "women": ("female",), "womens": ("female",), "female": ("female",), "females": ("female",),
    "ladies": ("female",), "girl": ("female",), "girls": ("female",),
    "unisex": ("unisex",),
    "男士": ("male",), "男款": ("male",), "男装": ("male",), "男生": ("male",), "男式": ("male",), "男性": ("male",),
    "女士": ("female",), "女款": ("female",), "女装": ("female",), "女生": ("female",), "女式": ("female",),
    "女性": ("female",), "男": ("male",), "女": ("female",), "中性": ("unisex",),
}  # fmt: skip
GENDERS_AFTER_FOR = {"man": ("male",), "him": ("male",), "woman": ("female",), "lady": ("female",), "her": ("female",)}
RECIPIENTS = {
    **dict.fromkeys(("dad", "daddy", "father", "husband", "boyfriend", "son", "brother", "grandpa", "grandfather",
                     "uncle", "nephew", "groom"), "male"),
    **dict.fromkeys(("mom", "mum", "mother", "mommy", "mummy", "wife", "girlfriend", "daughter", "sister", "grandma",
                     "grandmother", "aunt", "niece", "bride"), "female"),
    **dict.fromkeys(("爸爸", "父亲", "老公", "丈夫", "男友", "男朋友", "儿子"), "male"),
    **dict.fromkeys(("妈妈", "母亲", "老婆", "妻子", "女友", "女朋友", "女儿"), "female"),
}  # fmt: skip
"""Whom a thing is for: not everything for them says so, hence no filter."""

AGES = {"boy": "kids", "boys": "kids", "girl": "kids", "girls": "kids", "kid": "kids", "kids": "kids",
        "child": "kids", "children": "kids", "childrens": "kids", "baby": "infant", "babies": "infant",
        "infant": "infant", "infants": "infant", "newborn": "newborn", "newborns": "newborn",
        "toddler": "toddler", "toddlers": "toddler", "adult": "adult", "adults": "adult",
        "儿童": "kids", "小孩": "kids", "孩子": "kids", "婴儿": "infant", "宝宝": "infant"}  # fmt: skip

SAME_COLORS: dict[str, str] = {
    "grey": "gray", "红色": "red", "红": "red", "黑色": "black", "黑": "black", "白色": "white", "白": "white",
    "蓝色": "blue", "蓝": "blue", "绿色": "green", "绿": "green", "黄色": "yellow", "黄": "yellow",
    "紫色": "purple", "紫": "purple", "灰色": "gray", "灰": "gray", "橙色": "orange", "橙": "orange",
    "粉色": "pink", "粉红色": "pink", "粉": "pink", "棕色": "brown", "棕": "brown", "金色": "gold", "银色": "silver",
    "米色": "beige", "卡其色": "khaki", "藏青色": "navy",
}  # fmt: skip
"""Other names of one colour."""

NEAR_COLORS: dict[str, str] = {
    "navy": "blue", "indigo": "blue", "aqua": "blue", "cyan": "blue", "turquoise": "blue", "azure": "blue",
    "cobalt": "blue", "teal": "green", "olive": "green", "lime": "green", "mint": "green", "emerald": "green",
    "crimson": "red", "scarlet": "red", "maroon": "red", "burgundy": "red", "ruby": "red", "wine": "red",
    "violet": "purple", "lilac": "purple", "lavender": "purple", "plum": "purple", "mauve": "purple",
    "magenta": "pink", "rose": "pink", "fuchsia": "pink", "coral": "orange", "peach": "orange", "rust": "orange",
    "beige": "brown", "tan": "brown", "khaki": "brown", "camel": "brown", "chocolate": "brown", "bronze": "brown",
    "cream": "white", "ivory": "white", "charcoal": "gray", "silver": "gray", "gold": "yellow", "golden": "yellow",
    "mustard": "yellow", "深蓝": "藏青色", "天蓝": "蓝色", "浅蓝": "蓝色", "湖蓝": "青色", "宝蓝": "蓝色",
    "军绿": "橄榄绿", "墨绿": "绿色", "浅绿": "绿色", "咖啡色": "棕色", "驼色": "棕色", "褐色": "棕色",
    "杏色": "米色", "奶白": "白色", "米白": "米色", "深灰": "灰色", "浅灰": "灰色", "玫红": "粉色", "大红": "红色",
    "深红": "酒红色", "淡紫": "紫色",
}  # fmt: skip
"""The colour to fall back on where a shop has no such shade."""

SPELLINGS: tuple[tuple[str, ...], ...] = (
    ("t-shirt", "tshirt", "tee"), ("hoodie", "hoody"), ("gray", "grey"), ("color", "colour"), ("tv", "television"),
    ("jewelry", "jewellery"), ("pajamas", "pyjamas"), ("mom", "mum"), ("aluminum", "aluminium"), ("tire", "tyre"),
    ("fridge", "refrigerator"), ("wi-fi", "wifi"), ("e-reader", "ereader"), ("blu-ray", "bluray"), ("usb-c", "usbc"),
    ("canceling", "cancelling"), ("fiber", "fibre"), ("center", "centre"), ("organizer", "organiser"),
    ("2", "two"), ("3", "three"), ("4", "four"), ("5", "five"), ("6", "six"),
)  # fmt: skip
"""The same thing, written or said otherwise: each stands for the others."""

SYNONYMS: tuple[tuple[str, ...], ...] = (
    ("trousers", "pants", "slacks"), ("sofa", "couch"), ("sneakers", "trainers", "shoes"), ("rucksack", "backpack"),
    ("jumper", "sweater", "pullover", "sweatshirt"), ("handbag", "purse", "bag"), ("cellphone", "smartphone", "phone"),
    ("earbuds", "earphones", "headphones"), ("spectacles", "eyeglasses", "glasses"), ("laptop", "notebook"),
    ("vest", "tank", "gilet"), ("cap", "hat", "beanie"), ("rug", "carpet"), ("lamp", "light"), ("mug", "cup"),
    ("stove", "cooker", "range"), ("faucet", "tap"), ("flashlight", "torch"), ("drapes", "curtains"),
    ("bike", "bicycle"), ("picture", "photo"), ("gift", "present"), ("bag", "backpack", "tote"),
)  # fmt: skip
"""Near enough to stand in for a word that this shop does not know at all."""
