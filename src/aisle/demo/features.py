# ruff: noqa: E501
"""Features and materials that products may have, with the words shoppers use for them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trait:
    """A feature or material: its word in titles and queries, and a sentence about it."""

    key: str
    en: str
    zh: str
    line_en: str
    line_zh: str


def _read(table: str) -> dict[str, Trait]:
    traits = {}
    for row in table.strip().splitlines():
        key, en, zh, line_en, line_zh = (cell.strip() for cell in row.split("|"))
        traits[key] = Trait(key, en, zh, line_en, line_zh)
    return traits


FEATURES: dict[str, Trait] = _read("""
waterproof|Waterproof|防水|Sealed seams and a tight outer layer keep steady rain outside.|密封接缝与致密外层，持续下雨也不渗水。
insulated|Insulated|保温|An insulating layer holds the temperature for hours without adding bulk.|保温层可维持温度数小时，却不显厚重。
breathable|Breathable|透气|Fine mesh zones let heat and moisture out when the pace goes up.|细密网眼区域在加速时及时排出热气与湿气。
lightweight|Lightweight|轻量|It weighs so little that you forget you brought it.|轻到让人忘了自己带着它。
quickdry|Quick-Dry|速干|Washed in the evening, it is dry by the morning.|晚上洗净，第二天早上就干。
fleece|Fleece-Lined|加绒|A brushed fleece lining feels warm the moment you put it on.|内里拉绒，一上身就暖和。
slimfit|Slim Fit|修身|The cut follows the body and leaves room to move.|版型贴合身形，又留出活动空间。
relaxed|Relaxed Fit|宽松|A generous cut sits easily over other layers.|宽松剪裁，叠穿也自在。
stretch|Stretch|弹力|A touch of elastane lets it move with you and spring back.|加入少许弹力纤维，随身而动，回弹自如。
pockets|Multi-Pocket|多口袋|Well placed pockets keep phone, keys and cards apart.|口袋位置合理，手机、钥匙和卡片各归其位。
reversible|Reversible|双面|Turn it inside out and you have a second colour.|翻过来就是另一种颜色。
packable|Packable|可折叠|It folds into its own pocket, no bigger than an apple.|可收进自带的小袋，只有苹果大小。
wrinklefree|Wrinkle-Free|免烫|Take it out of a suitcase and wear it: no iron needed.|从行李箱取出即可穿着，无需熨烫。
striped|Striped|条纹|Even stripes are woven in rather than printed, so they do not fade.|条纹为织入而非印花，不易褪色。
cushioned|Cushioned|缓震|A soft foam midsole takes the sting out of hard pavement.|柔软的泡棉中底，缓解硬路面的冲击。
grip|High-Grip|防滑|A deep tread holds on to wet stone and loose ground.|深纹鞋底在湿滑石面和松散地面也抓得牢。
vegan|Vegan|纯素|No animal products are used, glue and dyes included.|全程不使用动物原料，胶水和染料也不例外。
antitheft|Anti-Theft|防盗|A hidden zip against the back keeps passports safe in a crowd.|贴背的隐藏拉链，让护照在人群中更安全。
laptop|Laptop|电脑|A padded sleeve carries a laptop of up to 15 inches.|加厚夹层可放 15 英寸以内的笔记本电脑。
foldable|Foldable|折叠|It folds flat in seconds and hides behind a door.|几秒即可折平，藏在门后也不占地。
rfid|RFID-Blocking|防盗刷|A thin metal layer blocks contactless readers.|薄金属夹层可阻挡感应盗刷。
dimmable|Dimmable|可调光|Turn the light down to candle level with one touch.|轻触即可把光线调到烛光般柔和。
usb|USB-C|USB-C 充电|It charges from any USB-C cable you already own.|任意 USB-C 数据线都能充电。
scented|Scented|香薰|A gentle scent fills the room without taking over.|淡淡香气弥漫房间，不会过于浓烈。
handmade|Handmade|手工|Made by hand in small batches, so no two are quite alike.|小批量手工制作，每一件都略有不同。
silent|Silent|静音|You will hear nothing, even at three in the morning.|即使凌晨三点也听不到一点声响。
ergonomic|Ergonomic|人体工学|The shape follows the body and stays comfortable for hours.|造型贴合身体，久用也舒适。
stackable|Stackable|可叠放|Pieces stack neatly and save half a shelf.|可整齐叠放，省下半层柜子。
washable|Machine-Washable|可机洗|It goes into the machine at 40 degrees and comes out as new.|40 度机洗，洗后如新。
dishwasher|Dishwasher-Safe|可用洗碗机|Put it in the dishwasher every day: the glaze does not mind.|天天用洗碗机清洗，釉面也不受影响。
nonstick|Non-Stick|不粘|Eggs slide off with hardly any oil.|几乎不用油，鸡蛋也能滑落。
induction|Induction|电磁炉适用|The base works on induction, gas and ceramic hobs alike.|锅底适用于电磁炉、燃气灶和电陶炉。
leakproof|Leakproof|防漏|Turn it upside down in a bag: nothing comes out.|在包里倒过来也滴水不漏。
organic|Organic|有机|Grown without artificial pesticides and certified organic.|种植过程不用人工农药，并获有机认证。
darkroast|Dark Roast|深烘|Roasted slowly for a deep taste of cocoa and toasted nuts.|慢火深烘，带有可可与烤坚果的浓郁香味。
floral|Floral|花香|Light notes of jasmine and rose open first.|前调是清淡的茉莉与玫瑰。
noisecancel|Noise-Cancelling|降噪|Active noise cancelling turns a busy train into a quiet room.|主动降噪，让嘈杂的车厢变成安静的房间。
wireless|Wireless|无线|No cables: it pairs once and reconnects by itself.|告别线缆，配对一次，自动重连。
fastcharge|Fast-Charging|快充|Fifteen minutes of charging last a whole afternoon.|充电十五分钟，足够用一个下午。
gps|GPS|GPS 定位|Built-in GPS records the route without a phone.|内置 GPS，无需手机即可记录路线。
mechanical|Mechanical|机械|Tactile switches give a clear, soft click.|段落轴手感清晰，声音柔和。
backlit|Backlit|背光|An even backlight makes late work easier on the eyes.|均匀背光，夜间工作更护眼。
compact|Compact|小巧|Small enough for a coat pocket, large enough to be useful.|小到能放进外套口袋，大到足够实用。
ultralight|Ultralight|超轻|Every gram was questioned, and most of them went.|斤斤计较每一克，能省则省。
twoperson|2-Person|双人|There is room for two and a place for wet boots.|可容纳两人，湿靴子也有地方放。
fourseason|4-Season|四季|Stays calm in wind and snow, and vents well in summer.|能抗风雪，夏天也通风良好。
thick|Extra-Thick|加厚|Extra thickness is kind to knees and elbows.|加厚设计，呵护膝盖与手肘。
adjustable|Adjustable|可调节|Adjusts in a moment without tools.|无需工具，随手调节。
hydrating|Hydrating|保湿|Hyaluronic acid and glycerine keep skin supple all day.|透明质酸与甘油，全天保持肌肤水润。
fragrancefree|Fragrance-Free|无香|Nothing but what the skin needs: no perfume at all.|只含肌肤所需，不添加任何香精。
spf|SPF 30|SPF 30 防晒|Mineral SPF 30 protects on ordinary days.|矿物 SPF 30，满足日常防护。
repair|Repairing|修护|Plant proteins smooth what heat and sun have roughened.|植物蛋白抚平高温与日晒造成的毛躁。
matte|Matte|哑光|A velvety matte finish that lasts through lunch.|丝绒哑光妆效，吃过午饭依然持久。
woody|Woody|木质香|Cedar and vetiver stay close to the skin until evening.|雪松与香根草，留香直到夜晚。
educational|Educational|益智|Made with teachers, to be learned from without noticing.|与老师共同设计，在玩耍中不知不觉地学习。
soft|Extra-Soft|超柔软|So soft that it ends up in every bed of the house.|柔软得让全家人都想抱着睡。
family|Family|亲子|Rules in two minutes, and a different ending each time.|两分钟学会规则，每次结局都不同。
illustrated|Illustrated|插图本|Full-page illustrations on nearly every spread.|几乎每个跨页都有整版插图。
hardcover|Hardcover|精装|A sewn hardcover that lies open by itself.|锁线精装，可自然平摊。
signed|Signed|签名版|Signed by the author on the title page.|扉页有作者亲笔签名。
dotted|Dotted|点阵|A faint dot grid guides lists and sketches alike.|淡淡的点阵，写清单、画草图都合适。
lined|Lined|横线|Fine lines and paper that does not let ink through.|细横线，纸张不洇墨。
refillable|Refillable|可替芯|Refill it instead of throwing it away.|可更换替芯，不必用完就扔。
""")

MATERIALS: dict[str, Trait] = _read("""
cotton|Cotton|棉|The cotton is soft, dense and grows softer with each wash.|棉料柔软密实，越洗越舒服。
orgcotton|Organic Cotton|有机棉|The cloth is organic cotton, combed for a smooth touch.|面料为精梳有机棉，触感顺滑。
merino|Merino Wool|美利奴羊毛|Fine merino warms without itching and resists odour.|细美利奴羊毛，保暖不扎人，还能抑制异味。
linen|Linen|亚麻|Washed linen stays cool on hot days.|水洗亚麻，炎热天气也清爽。
denim|Denim|牛仔布|Sturdy denim that takes on the shape of its owner.|结实的牛仔布，会慢慢贴合穿着者的身形。
polyester|Recycled Polyester|再生聚酯|The fabric began as bottles and feels like silk.|面料由回收瓶制成，手感如丝。
nylon|Nylon|尼龙|Tight-woven nylon shrugs off thorns and showers.|高密尼龙，不怕荆棘和阵雨。
leather|Leather|真皮|Full-grain leather darkens beautifully with use.|头层牛皮，越用越有光泽。
suede|Suede|绒面革|Brushed suede gives it a warm, soft hand.|磨绒皮面，手感温润柔软。
canvas|Canvas|帆布|Waxed canvas, sewn with double thread.|上蜡帆布，双线缝制。
knit|Knit|针织|A seamless knit upper fits like a sock.|无缝针织鞋面，像袜子一样贴脚。
rubber|Natural Rubber|天然橡胶|Natural rubber bends without cracking.|天然橡胶，弯折不开裂。
ceramic|Ceramic|陶瓷|Fired twice, with a glaze that catches the light.|两次烧制，釉面流光。
stoneware|Stoneware|粗陶|Heavy stoneware keeps the warmth in.|厚实的粗陶，保温持久。
glass|Glass|玻璃|Clear, thick glass with a gently rounded rim.|厚实通透的玻璃，边沿圆润。
steel|Stainless Steel|不锈钢|Brushed stainless steel neither stains nor rusts.|拉丝不锈钢，不留渍、不生锈。
iron|Cast Iron|铸铁|Cast iron holds heat evenly and lasts for generations.|铸铁受热均匀，可用几代人。
wood|Oak Wood|橡木|Solid oak from managed forests, finished with oil.|来自可持续林场的实心橡木，表面上油。
bamboo|Bamboo|竹|Fast-growing bamboo, sanded smooth.|速生竹材，打磨光滑。
velvet|Velvet|天鹅绒|Deep-pile velvet changes with the light.|长绒天鹅绒，随光线变化。
soy|Soy Wax|大豆蜡|Soy wax burns slowly and without soot.|大豆蜡燃烧缓慢，无黑烟。
aluminium|Aluminium|铝合金|A milled aluminium body feels cool and precise.|铝合金机身，触感冰凉精致。
plastic|Recycled Plastic|再生塑料|The shell is made of recycled plastic with a fine grain.|外壳由再生塑料制成，纹理细腻。
foam|Foam|泡棉|Closed-cell foam springs back at once.|闭孔泡棉，回弹迅速。
down|Down|羽绒|Responsibly sourced down, light as breath.|负责任来源的羽绒，轻如呼吸。
plush|Plush|毛绒|Long plush that can take a thousand hugs.|长毛绒，经得起一千次拥抱。
card|Recycled Card|再生纸板|Thick recycled card that does not bend.|厚实的再生纸板，不易变形。
paper|Fine Paper|优质纸|Uncoated paper of 100 g, pleasant under any pen.|100 克无涂层纸，各种笔都好写。
plant|Plant Extracts|植物萃取|Nine tenths of the formula come from plants.|配方九成来自植物。
bean|Arabica|阿拉比卡|Single-origin arabica from high farms.|高海拔庄园的单一产地阿拉比卡。
leaf|Whole Leaf|整叶|Whole leaves, picked in spring.|春季采摘的整片茶叶。
""")
