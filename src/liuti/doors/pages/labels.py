"""What the fields of the flow's forms are called to a person, with a hint where one is needed."""

from __future__ import annotations

from typing import NamedTuple

from liuti.flow.table import FLOW


class Label(NamedTuple):
    zh: str
    en: str
    hint_zh: str = ""
    hint_en: str = ""


# By "Form.field" first, then by "field" alone.
LABELS: dict[str, Label] = {
    "kind": Label("类型", "Kind"),
    "title": Label("一句话概括", "In one line", "可以不填", "May be left empty"),
    "text": Label("说明", "What is it about?"),
    "Submit.text": Label(
        "什么事?",
        "What is it?",
        "什么情况、多久了、影响到谁。不要写身份证号。",
        "What, since when, whom it affects. No identity numbers.",
    ),
    "Cosign.text": Label("补充说明", "Anything to add", "可以不填", "May be left empty"),
    "Work.text": Label("做了什么", "What was done"),
    "Supply.text": Label("补充的情况", "What was missing"),
    "Urge.text": Label("想说的话", "Your words", "可以不填", "May be left empty"),
    "ResidentsWord.text": Label("想说的话", "Your words", "可以不填", "May be left empty"),
    "Rating.text": Label("想说的话", "Your words", "可以不填", "May be left empty"),
    "place": Label("在哪里?", "Where?", "门牌、路口或明显的标志", "House number, crossing or landmark"),
    "grid": Label("社区(村)", "Community"),
    "category": Label("类别", "Category"),
    "urgency": Label("紧急程度", "Urgency"),
    "danger": Label("有危险,可能伤人或造成重大损失", "Danger to life or property"),
    "contact": Label("怎么联系您", "How to reach you"),
    "name": Label("怎么称呼", "Name"),
    "phone": Label(
        "手机号", "Phone", "只给办理人员看,用来告诉您进展", "Seen by those who handle it; used to tell you what happens"
    ),
    "address": Label("住址", "Address", "可以不填;按户统计影响面", "May be left empty; households are what counts"),
    "email": Label("邮箱", "E-mail", "可以不填", "May be left empty"),
    "language": Label("来信语言", "Language of letters"),
    "wants_contact": Label("办理时可以联系我", "You may contact me"),
    "anonymous": Label("不让承办单位知道我是谁", "Keep my identity from the unit"),
    "on_behalf": Label("代别人提交", "On somebody's behalf"),
    "consent": Label("本人已同意", "The person agrees"),
    "against": Label("被举报单位", "The unit it is about"),
    "source": Label("来源渠道", "Channel"),
    "external_id": Label("来源编号", "Number at the source"),
    "reporter": Label("来源的来电人编号", "The source's number for the person"),
    "reported_at": Label("原始反映时间", "First reported at"),
    "files": Label(
        "照片或文件",
        "Photos or files",
        "手机可以直接拍;最多 9 个,照片会去掉位置信息",
        "Nine at most; where a photo was taken is removed from it",
    ),
    "note": Label("备注", "Note"),
    "on_site": Label("在现场拍的", "Taken on site"),
    "missing": Label("还缺什么", "What is missing", "一行一项", "One a line"),
    "route": Label("不受理的情形,并告知去处", "Why not, and where to go instead"),
    "reason": Label("理由", "Reason"),
    "Rejection.reason": Label("给出题人的书面说明", "Reason, as the person will read it"),
    "Rating.reason": Label(
        "哪里不满意", "What was not good", "不满意时请说明,会重新办理", "Say why, and it will be done again"
    ),
    "earlier": Label("先前已办结的题(编号)", "The earlier issue (id)"),
    "slots": Label("本轮名额", "Slots of this round"),
    "NewLink.kind": Label("挂钩哪一类项目", "Which kind of project"),
    "target": Label("哪个项目", "Which project"),
    "as_of": Label("按哪个时刻评分", "Scored as of", "不填就是现在", "Left empty: now"),
    "Union.lead": Label("并入哪一件", "Into which one", "不选就并入最早的一件", "Left open: into the earliest"),
    "lead": Label("并入哪一件(编号)", "Into which issue (id)"),
    "livelihood": Label("列为民生实事(须三道把关)", "Livelihood matter (three gates)"),
    "unit": Label("单位", "Unit"),
    "DirectAcceptance.unit": Label("交给哪个单位", "Which unit handles it"),
    "Diversion.unit": Label("交给哪个单位", "Which unit handles it"),
    "SendBack.unit": Label("建议改派给", "Which unit instead"),
    "Joining.unit": Label("请哪个单位协办", "Which unit joins"),
    "next_round": Label("下一轮选题日期", "Next round on"),
    "answer": Label("书面答复", "Written answer"),
    "yes": Label("是否同意选定", "In favour?"),
    "agree": Label("是否通过", "Do you sign?"),
    "comment": Label("意见", "Comment", "不通过须写明", "Needed when you refuse"),
    "what": Label("做什么", "What"),
    "code": Label("情形", "Ground"),
    "from_rank": Label("现在的名次", "Rank now"),
    "to_rank": Label("调整到", "Rank after"),
    "other": Label("与哪一件互换(编号)", "Swapped with (id)"),
    "Adjustment.reason": Label("理由", "Reason", "写清为什么;两个名次都会公开", "Say why; both ranks are public"),
    "snapshot": Label("选题快照", "Snapshot"),
    "recommended": Label("评分已推荐", "Recommended by the score"),
    "goal": Label("要达到的目标", "Goal", "写得出、查得到", "Something that can be checked"),
    "PlannedMilestone.title": Label("做什么", "What"),
    "PlannedMilestone.due": Label("何时完成", "By when"),
    "PlannedMilestone.unit": Label("谁来做", "Who does it", "可以不填", "May be left empty"),
    "date": Label("承诺完成日期", "Promised date"),
    "lead_unit": Label("主办单位", "Lead unit"),
    "leader": Label("领导", "Leader"),
    "prepared_by": Label("拟办的督查员", "Prepared by (inspector)"),
    "assisting": Label("协办单位", "Assisting units"),
    "milestones": Label("里程碑", "Milestones"),
    "due": Label("完成日期", "Due"),
    "method": Label("方式", "How"),
    "at": Label("时间", "When"),
    "reached": Label("联系上了", "Reached"),
    "result": Label("结果", "What came of it"),
    "public": Label("可以公开", "May be public"),
    "number": Label("号码", "Number"),
    "MilestoneReport.number": Label("哪个里程碑", "Which milestone"),
    "evidence": Label("证据", "Evidence"),
    "waive": Label("不做了(须领导同意)", "Waive it (its leader agrees)"),
    "basis": Label("依据(法规或职责)", "Legal basis"),
    "until": Label("延到哪天", "Until"),
    "cause": Label("挂账原因", "Cause"),
    "review": Label("复核日期", "Review on"),
    "ground": Label("情形", "Ground"),
    "word": Label("办理结果", "Outcome"),
    "reply": Label("答复", "Reply"),
    "Result.reply": Label("给出题人的答复", "Reply to the person"),
    "told": Label("已当面或电话答复本人", "The person was told"),
    "defects": Label("问题清单", "Defects", "一行一项", "One a line"),
    "level": Label("满意吗?", "How satisfied?"),
    "contacted": Label("联系过您吗?", "Were you contacted?"),
    "solved": Label("解决了吗?", "Is it solved?"),
    "voice": Label("回访谁", "Who was called"),
    "outcome": Label("回访结果", "Outcome of the call"),
    "called_at": Label("通话时间", "Called at"),
    "clock": Label("哪个时限", "Which deadline"),
    "to": Label("发给谁", "To whom"),
    "OrderSheet.text": Label("督办内容", "What has to be done"),
    "draft": Label("采用草稿", "From the draft"),
    "order": Label("哪份督办单", "Which order"),
    "issue": Label("有关的题(编号)", "The issue it is about (id)"),
    "factor": Label("哪个因素", "Factor"),
    "value": Label("数值(0-1)", "Value (0-1)"),
    "request": Label("哪个申请", "Which request"),
}

CHOICES: dict[str, tuple[str, str]] = {
    "consult": ("咨询", "question"), "help": ("求助", "help"), "complaint": ("投诉", "complaint"),
    "suggestion": ("建议", "suggestion"), "praise": ("表扬", "praise"), "tip_off": ("举报", "tip-off"),
    "urgent": ("紧急(危及生命财产)", "urgent (life or property)"), "basic": ("基本(水电气热)", "basic (water, power, gas, heat)"),
    "general": ("一般", "general"), "complex": ("复杂", "complex"),
    "web": ("网上", "web"), "12345": ("12345 热线", "hotline 12345"), "grid": ("网格员", "grid worker"),
    "counter": ("窗口", "counter"), "letter": ("来信", "letter"), "import": ("导入", "import"),
    "pin": ("置入", "pin"), "drop": ("移出", "drop"), "swap": ("互换", "swap"),
    "phone": ("电话", "by phone"), "visit": ("上门", "in person"), "message": ("短信或网络", "by message"), "other": ("其他", "other"),
    "solved": ("已解决", "solved"), "partly": ("部分解决", "partly solved"), "explained": ("解释说明", "explained"),
    "terminated": ("终止", "terminated"),
    "on_site": ("现场", "on site"), "documents": ("书面", "documents"), "rule": ("按规则", "by rule"),
    "yes": ("解决了", "yes"), "no": ("没解决", "no"),
    "unknown": ("看不出来", "cannot tell"),
    "rated": ("已评价", "rated"), "no_answer": ("没接通", "no answer"), "declined": ("不愿评价", "declined"),
    "new_fact": ("出现新情况", "a new fact"), "appeal": ("申诉成立", "an appeal upheld"), "same_matter": ("同一诉求再次提出", "the same matter again"),
    "same_text": ("同文刷屏", "same text"), "burst": ("短时激增", "burst"),
    "topic": ("领题办理", "topic lane"), "direct": ("直办", "direct lane"),
    "zh": ("中文", "Chinese"), "en": ("英文", "English"), "": ("不限", "any"),
}  # fmt: skip

LEVELS = {
    5: ("非常满意", "very satisfied"), 4: ("满意", "satisfied"), 3: ("基本满意", "fairly satisfied"),
    2: ("不满意", "dissatisfied"), 1: ("非常不满意", "very dissatisfied"),
}  # fmt: skip


def label(form: str, field: str) -> Label:
    return LABELS.get(f"{form}.{field}") or LABELS.get(field) or Label(field, field)


# -- letters, for whoever looks after them -------------------------------------------------------------------------

EVENTS: dict[str, tuple[str, str]] = {
    "invite": ("请评价", "invitation to rate"), "interview": ("建议约谈", "interview proposed"),
    "order.drafted": ("督办单待签发", "order to be signed"), "designate.due": ("请指定领题人", "a leader to be designated"),
    "recheck.disagreed": ("复核不一致", "a second look disagrees"), "alert": ("指标超限", "a rate past its limit"),
    "meeting": ("请当面沟通", "a meeting in person"),
}  # fmt: skip
"""What no move is called by."""
ASKED = {
    "asked": ("待同意", "waiting for consent"), "granted": ("已同意", "granted"), "denied": ("未同意", "denied"),
    "lapsed": ("已失效", "lapsed"),
}  # fmt: skip


def event_named(event: str) -> tuple[str, str]:
    """What a letter is about, without a word of the matter itself."""
    of, _, what = event.partition(".")
    if (known := EVENTS.get(event) or EVENTS.get(of)) is not None:
        return known
    move = FLOW.moves[of]
    if not what:
        return move.zh, move.en
    zh, en = ASKED[what]
    return f"{move.zh}({zh})", f"{move.en}: {en}"
