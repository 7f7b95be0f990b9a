"""What a message says of itself: the words and figures in it that speak for a factor of the score."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

import msgspec

PERSONS = 3  # persons of a household, rounded: what 200 户 are in people

# A kind of mark each: a message with all five can be gone to and checked. They are looked for where a matter is stated,
# in the title, the beginning and the end, for a long enough story has each of them somewhere.
HEAD, TAIL = 220, 80
MARKS: Mapping[str, str] = {
    "place": r"[一-龥a-z0-9]{2}(?:路口|路段|路|街|大道|巷|小区|花园|社区|村|镇|栋|学校|小学|中学|大学|学院|幼儿园|医院|广场|公园|车站|站台"
    r"|桥|(?<!政)府|城(?![管市])|苑|湾|郡|家园|公寓|大厦|市场|酒店|饭店|超市|商场|机场|工地|馆|中心|厂|楼盘)",
    "amount": r"[0-9一二三四五六七八九十百千万几两]+[余多来]?(?:平方米|米|公里|户|人|万|元|块|平|亩|分贝|栋|层|吨|台|辆|次|起|个|%)",
    "time": r"[0-9一二三四五六七八九十]+(?:年|月|日|号|点|天|小时|周|分钟)|半年|每天|每晚|每年|天天|年年|凌晨|半夜|深夜|早上|晚上|上下班",
    "thing": r"路灯|井盖|路面|马路|人行道|红绿灯|信号灯|斑马线|标线|护栏|天桥|垃圾|电梯|下水道|管道|水管|水压|停水|停电|围墙|树木|绿化|噪音"
    r"|噪声|油烟|粉尘|扬尘|灰尘|渣土|臭味|异味|污水|车位|停车|违停|充电|房产证|不动产证|产权证|交房|房屋质量|预售|摇号|合同|工资|社保|医保"
    r"|养老金|公积金|补偿款|补贴|补助|低保|宅基地|征地|拆迁|学位|学区|招生|补课|校车|食堂|公交|地铁|班车|出租车|网约车|电动车|摩托车|共享单车"
    r"|摊|夜宵|烧烤|广场舞|喇叭|音响|犬|施工|违建|违章|商铺|门面|广告|消防|燃气|暖气|网络|宽带|电线|公厕|水质|物业费|维修基金|户口|执照|许可证"
    r"|驾照|牌照|居住证|疫苗|street light|manhole|pothole|garbage|heating|noise|lift|elevator|sewage",
    "request": r"请求|希望|建议|恳请|恳求|请问|咨询|能否|能不能|可否|是否|要求|何时|什么时候|多久|望(?:领导|政府|有关|相关|能|尽|予)"
    r"|请(?:相关|有关|领导|政府|您|尽|予|给|查|督)|盼|请帮|please|when will|could you",
}
# The first list with a word in it counts, so the gravest stands first.
HARMS: Mapping[str, str] = {
    "life": r"生命|人命|伤亡|死亡|死人|受伤|摔伤|撞伤|烧伤|中毒|爆炸|坍塌|倒塌|塌方|坠落|触电|火灾|起火|安全隐患|消防隐患|危房|危险"
    r"|事故|吸毒|性侵|虐待|殴打|injur|unsafe|collapse",
    "livelihood": r"停水|断水|没水|停电|断电|停气|停暖|不供暖|拖欠|欠薪|工资|低保|救助|看不起病|医保|养老金|失业|无家可归|没有房子住"
    r"|烂尾|失眠|睡不着|无法入睡|污染|恶臭|致癌|生病|呼吸|健康|漏水|无学可上|没有学上|unpaid|no water|no power|pollut",
    "nuisance": r"噪音|噪声|扰民|油烟|异味|臭|脏|乱|堵|拥堵|拥挤|积水|泥泞|坑洼|破损|不便|难走|乱停|占道|收费|停车|影响(?=.{0,6}(?:生活|休息|出行))"
    r"|noise|smell|litter",
    "question": r"请问|咨询|何时|什么时候|如何办理|怎么办理|是否有|有没有规划|规划情况|建议|when|how to",
}
DEPARTMENTS: Mapping[str, str] = {
    "urban_management": r"城管|综合执法|行政执法局",
    "housing": r"住建|房产局|房管局|住房保障|建委|建设局",
    "planning": r"规划局|自然资源|国土|规划部门",
    "police": r"交警|公安|派出所|交管",
    "transport": r"交通局|交通运输|运管|公路局|公交公司",
    "education": r"教育局|教委|教育部门",
    "environment": r"环保局|生态环境局|环保部门|环保厅",
    "market": r"工商|市场监管|市监|质监局|食药监|物价局",
    "water": r"水务|水利局|水业",
    "health": r"卫生局|卫计委|卫健|疾控",
    "labour": r"人社|社保局|劳动局|劳动监察|医保局",
    "civil_affairs": r"民政",
    "fire": r"消防(?:局|部门|队|支队|大队|救援)",
    "parks": r"园林|绿化局|林业局",
    "neighbourhood": r"街道办|乡政府|镇政府|居委会|村委",
    "tax": r"税务|国税|地税",
}
# Whom a government of the district cannot simply tell what to do.
OUTSIDERS: Mapping[str, str] = {
    "developer": r"开发商|房地产(?:公司|开发)|置业|地产公司|developer",
    "railway": r"铁路|高铁|地铁|轨道|railway",
    "utility": r"国家电网|供电公司|电力公司|电力局|燃气公司|自来水公司|水业公司|移动公司|电信公司|联通|铁塔公司",
    "higher": r"省政府|省厅|省里|国务院|国家(?:政策|部委)|中央(?:政府|部委|直属|财政|文件|政策|批)|上级(?:批|部门|主管)",
    "court": r"法院|诉讼|判决|仲裁|起诉|官司|court",
    "military": r"部队|军队|军区|军方",
    "bank": r"银行(?=.{0,6}(?:不|拒|要求|抵押|放款|审批|解押))|按揭|抵押",
    "owners": r"业主大会|业委会|业主委员会|共有产权|产权单位|产权不明",
    "contractor": r"总包|包工头|承包商|施工单位|施工方",
}
GROUPS: Mapping[str, str] = {
    "elderly": r"老人|老年|年迈|老头|老太|岁高龄|[6-9]\d[多来]?岁|退休|elderly",
    "children": r"小孩|孩子|儿童|(?<!大)学生|婴儿|幼儿|宝宝|娃|小朋友|学童|children|pupil",
    "disabled": r"残疾|轮椅|盲人|聋哑|瘫痪|disabled|wheelchair",
    "ill": r"(?<!致)癌(?!物)|重病|大病|患者|病人|尿毒症|住院(?![医部楼])|精神病",
    "poor": r"低保|贫困|特困|五保|困难户|困难家庭|无收入|揭不开锅",
    "pregnant": r"孕妇|产妇|待产|怀孕|pregnant",
    "migrant": r"农民工|务工人员|打工者|进城务工|随迁",
}
# Wide to narrow; the first list with a word in it says how many people the matter is about.
SCOPES: Mapping[str, tuple[int, str]] = {
    "city": (50_000, r"(?<!安)全[市区县城]|广大市民|市民们|市民出行|citywide"),
    "street": (
        5_000,
        (
            r"(?<![银执同])行人|路人|过往|来往|车流|乘客|上班族|整条街|沿线|沿街|全镇|全街道|(?:司机|游客)们|司机朋友"
            r"|(?:广大|外地|各地|大量|众多|所有|排队)的?(?:司机|游客)|(?:经过|路过)(?=[^,。;!?]{0,6}的(?:人|司机|车辆))"
            r"|(?:周边|附近)(?:(?:几个|多个)?小区[里内]?的?业主|(?:小区[里内]?的?)?(?:居民|住户))"
        ),
    ),
    "community": (
        1_500,
        r"业主|居民|住户|小区|社区|全村|村民|家长|师生|学生们|全校|群众|百姓|邻居们|大家|residents|neighbors|neighbours",
    ),
    "building": (100, r"整栋|本栋|全栋|这栋|单元楼|楼道|楼上楼下|整个单元|左邻右舍|我们(?:单位|公司|班组|工人|员工)"),
    "home": (PERSONS, r"我家|我们家|本人|自家|我(?![们国省市县区镇乡村街校院司厂小是])"),
}
# One person's own story: it names neighbours or a community only in passing.
OWN = r"本人|我家|我们家|我(?![们国省市县区镇乡村街校院司厂小是])"
MANY = r"我们|咱们|业主|居民|住户|村民|家长|群众|百姓|大家|小区"
SCOPE_WORDS = {
    "counted": ("诉求自述", "by the message's own count"),
    "city": ("按全城估计", "as of the whole town"),
    "street": ("按沿街和周边的人估计", "as of a street"),
    "community": ("按一个小区或村估计", "as of a community"),
    "building": ("按一栋楼估计", "as of a building"),
    "home": ("按一户估计", "as of one home"),
}
# Of places, not of how much there is in one of them: 到处, 普遍, 随处可见 are said of a single stairwell.
WIDE = r"(?<!安)全[市区县城]|各小区|各街道|各大小区|各个小区|很多小区|许多小区|多个小区|每个小区|citywide|all over town"
RETURNS: Mapping[int, str] = {
    2: r"(?:多次|反复|屡次|屡屡|无数次|好几次|三番五次|数次|n次|几十次|多年).{0,10}?(?:投诉|反映|反应|举报|找|电话|报警|要求|沟通|协调"
    r"|咨询|向|上访|信访|催|问|交涉|12345)|(?<![0-9])年年(?![中底初末])|每年.{0,8}都|屡禁不止|屡教不改|死灰复燃|卷土重来|反弹|反反复复|again and again",
    1: r"再次(?:反映|投诉|举报|出现|发生|请求|恳请|提出|要求|请|向|来)|又(?:开始|出现|来了|恢复|冒出)|二次投诉|第[二三四五]次(?:投诉|反映)"
    r"|不了了之|一直没(?:有)?(?:得到)?(?:解决|处理|人管|结果)|once more",
}
COSTS: Mapping[str, str] = {
    "works": r"新建|修建|扩建|改建|重建|建设一|建一[座条所个]|改造|扩宽|拓宽|提质|征收|拆迁|安置|补偿|地铁|高架|隧道|大桥|修一条|加装电梯|build a",
    "upkeep": r"清理|清运|打扫|执法|查处|制止|劝阻|取缔|整治|整改|修剪|维修|修复|更换|修理|加强管理|监管|严查|退还|公示|公开|答复|说明|解释|办理|repair|clean",
}
OFFICES: Mapping[str, str] = {
    "private": r"民事|借款|欠款|借钱|感情|邻里纠纷|合同纠纷|理赔|退款|退定金|加盟|股权|彩礼|分红|被骗",
    "public": r"违规|违法|违建|违章|审批|许可|执法|监管|公共|市政|政府|政策|规划|户口|证照|办证|补贴|公办|教育|公交|治安",
}
# Who writes, not whom it is about.
ITSELF = (
    r"我(?:们)?(?:是|作为|系)[^,。;!?,]{0,40}?(?:市民|居民|业主|村民|住户|家长|学生|群众|老百姓|司机|上班族|游客|乘客)"
    r"|(?:本人|作为)(?:是|作为)?(?:一[名个位])?[^,。;!?]{0,8}?(?:司机|上班族|游客|乘客)"
)
FIGURE = re.compile(
    r"(?P<n>(?<![0-9])[1-9][0-9]{0,6}(?:\.[0-9])?|[一二两三四五六七八九十几数上近]{1,3})?(?P<k>[百千万]?)[余多来]?(?:户|(?P<each>(?:个|名|位)(?:业主|居民|学生|村民|职工|员工|住户|家长)|人口))"
)
SEVERITIES = {
    "life": (0.9, "生命安全", "life and safety"),
    "livelihood": (0.7, "基本生活或健康", "livelihood or health"),
    "nuisance": (0.4, "日常不便", "a daily nuisance"),
    "question": (0.2, "咨询或建议", "a question or suggestion"),
}
CRITERION_NAMES = {
    "narrow_scope": ("小切口", "Narrow scope"), "impact": ("影响大", "Impact"), "feasible": ("能办成", "Feasible"),
    "broad_benefit": ("普遍受益", "Broad benefit"),
}  # fmt: skip
FACTOR_ZH = {
    "concrete": "具体可核", "units": "所需单位", "days": "预计用时", "severity": "严重程度", "households": "反映户数",
    "growth": "增长", "recurrence": "反复出现", "waiting": "等待时间", "remit": "职责清晰", "money": "资金可行",
    "past_success": "以往成效", "dependency": "外部依赖", "beneficiaries": "受益人数", "spread": "覆盖社区",
    "vulnerable": "困难群体", "non_exclusive": "公共程度",
}  # fmt: skip
FACTOR_EN = {
    "concrete": "concrete", "units": "units needed", "days": "days it takes", "severity": "severity", "households": "households",
    "growth": "growth", "recurrence": "recurrence", "waiting": "waiting", "remit": "clear remit", "money": "money",
    "past_success": "past success", "dependency": "outside dependency", "beneficiaries": "beneficiaries", "spread": "spread",
    "vulnerable": "vulnerable groups", "non_exclusive": "open to all",
}  # fmt: skip
MARK_ZH = {"place": "地点", "amount": "数量", "time": "时间", "thing": "事项", "request": "请求"}
OUTSIDER_ZH = {
    "developer": "开发商", "railway": "铁路轨道", "utility": "水电气通信企业", "higher": "上级机关", "court": "司法程序",
    "military": "部队", "bank": "银行", "owners": "业主共同决定", "contractor": "施工单位",
}  # fmt: skip
GROUP_ZH = {
    "elderly": "老年人", "children": "未成年人", "disabled": "残疾人", "ill": "患病者", "poor": "困难家庭",
    "pregnant": "孕产妇", "migrant": "务工人员",
}  # fmt: skip
DIGITS = {"一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "几": 3, "数": 3}
TIMES = {"": 1, "百": 100, "千": 1_000, "万": 10_000}


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in a message. Only this is frozen with a round, so that lists that get better later move no old
    number, and nobody's words stay longer than they are kept elsewhere. ``found`` shows words of our lists alone."""

    length: int = 0
    marks: tuple[str, ...] = ()
    harm: str = ""
    departments: tuple[str, ...] = ()
    office: str = ""
    cost: str = ""
    outsiders: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    scope: str = ""
    people: int = 0
    wide: bool = False
    returned: int = 0
    found: dict[str, tuple[str, ...]] = {}


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(words.replace(" ", ""))


def _compiled(lists: Mapping[str, str]) -> dict[str, re.Pattern[str]]:
    return {name: _pattern(words) for name, words in lists.items()}


_MARKS, _HARMS, _DEPARTMENTS, _OUTSIDERS = map(_compiled, (MARKS, HARMS, DEPARTMENTS, OUTSIDERS))
_GROUPS, _COSTS, _OFFICES = map(_compiled, (GROUPS, COSTS, OFFICES))
_SCOPES = {name: _pattern(words) for name, (_, words) in SCOPES.items()}
_RETURNS = {times: _pattern(words) for times, words in RETURNS.items()}
_WIDE, _ITSELF, _OWN, _MANY = map(_pattern, (WIDE, ITSELF, OWN, MANY))


def plain(text: str) -> str:
    """The text as the lists are held against it: one width, small letters, no blanks."""
    return "".join(unicodedata.normalize("NFKC", text).lower().split())


def read(title: str, body: str = "") -> Said:
    """What title and body say (docs/rules.md §6: words give concrete, dependency and vulnerable; where the category
    table is silent they also speak for severity, units, remit, money and openness)."""
    text = plain(f"{title}。{body}")
    about = _ITSELF.sub("", text)
    stated = f"{text[:HEAD]}。{text[HEAD:][-TAIL:]}"
    scope, people = _people(about)
    harm, office, cost = (_first(text, lists) for lists in (_HARMS, _OFFICES, _COSTS))
    departments, outsiders, groups = (_all(text, lists) for lists in (_DEPARTMENTS, _OUTSIDERS, _GROUPS))
    returned = next((times for times, words in _RETURNS.items() if words.search(text)), 0)
    found = {
        "harm": _words(text, [_HARMS[harm]] if harm else []),
        "departments": _words(text, [_DEPARTMENTS[one] for one in departments]),
        "outsiders": _words(text, [_OUTSIDERS[one] for one in outsiders]),
        "groups": _words(text, [_GROUPS[one] for one in groups]),
        "scope": _words(about, [_SCOPES[scope]] if scope in _SCOPES else []),
        "office": _words(text, [_OFFICES[office]] if office else []),
        "cost": _words(text, [_COSTS[cost]] if cost else []),
        "wide": _words(text, [_WIDE]),
    }
    return Said(
        length=len(text) - 1, marks=_all(stated, _MARKS), harm=harm, departments=departments, office=office, cost=cost,
        outsiders=outsiders, groups=groups, scope=scope, people=people, wide=bool(_WIDE.search(text)),
        returned=returned, found={name: words for name, words in found.items() if words},
    )  # fmt: skip


def _all(text: str, lists: Mapping[str, re.Pattern[str]]) -> tuple[str, ...]:
    return tuple(name for name, words in lists.items() if words.search(text))


def _first(text: str, lists: Mapping[str, re.Pattern[str]]) -> str:
    return next((name for name, words in lists.items() if words.search(text)), "")


def _words(text: str, lists: Iterable[re.Pattern[str]], most: int = 4) -> tuple[str, ...]:
    hits = dict.fromkeys(hit[0] for words in lists for hit in words.finditer(text))
    return tuple(hits)[:most]


def _people(text: str) -> tuple[str, int]:
    """How many people the matter is about: the largest count of households or people in it, else the widest scope."""
    counted = max((_count(hit) for hit in FIGURE.finditer(text)), default=0)
    scope = _first(text, _SCOPES)
    if counted > PERSONS:
        return "counted", counted
    if scope in {"community", "building", "home"}:
        mine, ours = len(_OWN.findall(text)), len(_MANY.findall(text))
        scope = "home" if mine > ours else scope if scope != "home" else ""
    return (scope, SCOPES[scope][0]) if scope else ("", 0)


def _count(hit: re.Match[str]) -> int:
    said, times = hit["n"] or "", TIMES[hit["k"]]
    if not said and not hit["k"]:
        return 0
    number = float(said) if said[:1].isdigit() else float(_small(said))
    return round(number * times) * (1 if hit["each"] else PERSONS)


def _small(said: str) -> int:
    """A Chinese number below a hundred; 1 for 上, 近 and nothing, which stand before a hundred or a thousand."""
    tens, ten, ones = said.partition("十")
    if ten:
        return DIGITS.get(tens[-1:], 1) * 10 + DIGITS.get(ones[:1], 0)
    return DIGITS.get(said[-1:], 1)
