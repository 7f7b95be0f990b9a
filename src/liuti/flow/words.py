"""The vocabulary: every word the flow speaks, once, with its Chinese and English name (docs/rules.md §2)."""

from enum import StrEnum


class Step(StrEnum):
    """Where an issue stands; the first eight are open, the last four are ends (docs/rules.md §3)."""

    PROPOSE = "propose"
    SELECT = "select"
    CLAIM = "claim"
    SOLVE = "solve"
    SUPERVISE = "supervise"
    EVALUATE = "evaluate"
    SUPPLEMENT = "supplement"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    REJECTED = "rejected"
    MERGED = "merged"
    WITHDRAWN = "withdrawn"


SIX = (Step.PROPOSE, Step.SELECT, Step.CLAIM, Step.SOLVE, Step.SUPERVISE, Step.EVALUATE)
SIDE = (Step.SUPPLEMENT, Step.SUSPENDED)
OPEN = (*SIX, *SIDE)
ENDS = (Step.CLOSED, Step.REJECTED, Step.MERGED, Step.WITHDRAWN)
PAUSING = frozenset({Step.SUPPLEMENT, Step.SUSPENDED, Step.MERGED})


class Lane(StrEnum):
    TOPIC = "topic"
    DIRECT = "direct"


class Kind(StrEnum):
    CONSULT = "consult"
    HELP = "help"
    COMPLAINT = "complaint"
    SUGGESTION = "suggestion"
    PRAISE = "praise"
    TIP_OFF = "tip_off"


class Urgency(StrEnum):
    """Ordered from the most to the least urgent."""

    URGENT = "urgent"
    BASIC = "basic"
    GENERAL = "general"
    COMPLEX = "complex"


HASTE = {urgency: place for place, urgency in enumerate(Urgency)}


class Closing(StrEnum):
    SOLVED = "solved"
    PARTLY = "partly"
    EXPLAINED = "explained"
    TERMINATED = "terminated"


class Channel(StrEnum):
    """How an issue or a voice came in."""

    WEB = "web"
    HOTLINE = "12345"
    GRID = "grid"
    COUNTER = "counter"
    LETTER = "letter"
    IMPORT = "import"


class Clock(StrEnum):
    INTAKE = "intake"
    OVERALL = "overall"
    SUPPLEMENT = "supplement"
    SELECT = "select"
    CLAIM = "claim"
    DESIGNATE = "designate"
    PLAN = "plan"
    SIGN = "sign"
    CONTACT = "contact"
    SOLVE = "solve"
    RULING = "ruling"
    REVIEW = "review"
    REDO = "redo"
    ORDER = "order"
    BAD_REVIEW = "bad_review"
    CALLBACK = "callback"
    EVALUATE = "evaluate"
    APPEAL = "appeal"
    HOLD = "hold"


# The step a clock belongs to: leaving it stops the clock. ORDER, OVERALL and APPEAL belong to none.
CLOCK_STEP = {
    Clock.INTAKE: Step.PROPOSE,
    Clock.SUPPLEMENT: Step.SUPPLEMENT,
    Clock.SELECT: Step.SELECT,
    Clock.CLAIM: Step.CLAIM,
    Clock.DESIGNATE: Step.CLAIM,
    Clock.PLAN: Step.SOLVE,
    Clock.SIGN: Step.SOLVE,
    Clock.CONTACT: Step.SOLVE,
    Clock.SOLVE: Step.SOLVE,
    Clock.RULING: Step.SOLVE,
    Clock.REDO: Step.SOLVE,
    Clock.BAD_REVIEW: Step.SOLVE,
    Clock.REVIEW: Step.SUPERVISE,
    Clock.EVALUATE: Step.EVALUATE,
    Clock.CALLBACK: Step.EVALUATE,
    Clock.HOLD: Step.SUSPENDED,
}


class Role(StrEnum):
    """What a person holds; CLOCK is a role too: a missed deadline is a move made by time."""

    CITIZEN = "citizen"
    GRID_WORKER = "grid_worker"
    INTAKE = "intake"
    ANALYST = "analyst"
    PANEL = "panel"
    GATE = "gate"
    LEADER = "leader"
    PRINCIPAL = "principal"
    OFFICER = "officer"
    UNIT_HEAD = "unit_head"
    INSPECTOR = "inspector"
    TEAM = "team"
    CALLER = "caller"
    CLOCK = "clock"
    SYSADMIN = "sysadmin"
    SECADMIN = "secadmin"
    AUDITADMIN = "auditadmin"


ADMINS = frozenset({Role.SYSADMIN, Role.SECADMIN, Role.AUDITADMIN})
UNIT_ROLES = frozenset({Role.OFFICER, Role.UNIT_HEAD})
OFFICIALS = frozenset(Role) - ADMINS - {Role.CITIZEN, Role.CLOCK}


class Relation(StrEnum):
    """What an actor is to one issue; not a role (docs/rules.md §4)."""

    PROPOSER = "proposer"
    VOICE = "voice"
    ITS_LEADER = "its_leader"
    LEAD_UNIT = "lead_unit"
    LEAD_HEAD = "lead_head"
    ASSISTING_UNIT = "assisting_unit"
    OWN_UNIT = "own_unit"
    HANDLER = "handler"
    OFFICIAL = "official"
    ADDRESSEE = "addressee"


Names = dict[str, tuple[str, str]]

STEP_NAMES: Names = {
    "propose": ("出题", "Propose"),
    "select": ("选题", "Select"),
    "claim": ("领题", "Claim"),
    "solve": ("解题", "Solve"),
    "supervise": ("督题", "Supervise"),
    "evaluate": ("评题", "Evaluate"),
}

STATE_NAMES: Names = {
    "propose": ("待受理", "received"),
    "select": ("选题中", "in selection"),
    "claim": ("待领题", "awaiting a leader"),
    "solve": ("解题中", "being solved"),
    "supervise": ("核查中", "being verified"),
    "evaluate": ("评题中", "awaiting ratings"),
    "supplement": ("待补正", "awaiting facts"),
    "suspended": ("挂账", "suspended"),
    "closed": ("已办结", "closed"),
    "rejected": ("不予受理", "not accepted"),
    "merged": ("已并单", "merged"),
    "withdrawn": ("已撤回", "withdrawn"),
}

ROLE_NAMES: Names = {
    "citizen": ("群众/企业", "citizen or firm"),
    "grid_worker": ("网格员", "grid worker"),
    "intake": ("受理员", "intake officer"),
    "analyst": ("选题员", "analyst"),
    "panel": ("选题会成员", "panel member"),
    "gate": ("把关人", "gatekeeper"),
    "leader": ("领题领导", "leader"),
    "principal": ("主要领导", "principal leader"),
    "officer": ("承办人", "officer of the unit"),
    "unit_head": ("单位负责人", "head of the unit"),
    "inspector": ("督查员", "inspector"),
    "team": ("督导组", "inspection team"),
    "caller": ("回访员", "caller"),
    "clock": ("时钟", "the clock"),
    "sysadmin": ("系统管理员", "system admin"),
    "secadmin": ("安全管理员", "security admin"),
    "auditadmin": ("审计管理员", "audit admin"),
    "proposer": ("出题人", "proposer"),
    "voice": ("附议人", "voice"),
    "its_leader": ("该题领导", "its leader"),
    "lead_unit": ("主办单位", "lead unit"),
    "lead_head": ("主办单位负责人", "head of the lead unit"),
    "assisting_unit": ("协办单位", "assisting unit"),
    "own_unit": ("承办单位", "a unit at work on it"),
    "handler": ("经办人员", "its handlers"),
    "official": ("工作人员", "any official"),
    "addressee": ("被督办人", "whoever the order addresses"),
}

CLOCK_NAMES: Names = {
    "intake": ("受理时限", "intake"),
    "overall": ("总时限", "overall"),
    "supplement": ("补正时限", "supplement"),
    "select": ("选题时限", "selection"),
    "claim": ("领题时限", "claim"),
    "designate": ("指定领题时限", "designation"),
    "plan": ("方案时限", "plan"),
    "sign": ("签收时限", "sign"),
    "contact": ("先行联系时限", "first contact"),
    "solve": ("解题时限", "solving"),
    "ruling": ("裁定时限", "ruling"),
    "review": ("核查时限", "verification"),
    "redo": ("重办时限", "redo"),
    "order": ("督办单时限", "reply to the order"),
    "bad_review": ("差评回应时限", "answer to a bad rating"),
    "callback": ("回访时限", "call-back"),
    "evaluate": ("评题期", "rating period"),
    "appeal": ("申诉时限", "appeal"),
    "hold": ("挂账复核日", "review of the suspension"),
}
