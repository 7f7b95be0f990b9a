"""What an installation is told from outside: one frozen object, built by the CLI and the app factories, handed down."""

import base64
import secrets
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from liuti.store.vault import KeyRing, KeysUnfit
from liuti.ways import NIGHT, Quiet, Relay, is_sender


class SettingsUnfit(Exception):  # noqa: N818 - an answer to the operator, not a fault of the program
    """The environment cannot run liuti; `zh` and `en` name each setting and what it should be, never its value."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh}\n{en}")
        self.zh, self.en = zh, en


class Settings(BaseSettings):
    """Each field is read from LIUTI_<NAME>; pydantic's ValidationError on a bad one, without the value."""

    # Without hide_input_in_errors a mistyped key would stand in the terminal and in every log of it.
    model_config = SettingsConfigDict(
        env_prefix="LIUTI_", env_ignore_empty=True, frozen=True, hide_input_in_errors=True, extra="ignore"
    )

    database_url: str = "sqlite:///liuti.db"
    keys: SecretStr = Field(SecretStr(""), validate_default=True)
    base_url: str = "http://127.0.0.1:8000"
    webhook_url: str | None = None
    webhook_secret: SecretStr | None = None
    smtp_url: SecretStr | None = None
    mail_from: str = ""
    sms_url: str | None = None
    sms_secret: SecretStr | None = None
    sms_private: bool = False
    quiet_hours: str = NIGHT
    letter_language: Literal["zh", "en"] = "zh"
    files_dir: Path = Path("files")
    policy_file: Path | None = None
    replies_file: Path | None = None
    category_model: Path | None = None
    map_tiles: str = Field("", pattern=r"^(https?://[^\s'\";,]+)?$")
    """Where map tiles come from, as https://tiles.example/{z}/{x}/{y}.png; empty: places are told in words only."""
    map_center: str = Field("31.2304,121.4737,12", pattern=r"^-?\d{1,2}(\.\d+)?,-?\d{1,3}(\.\d+)?,\d{1,2}$")
    pool: int = Field(10, ge=1, le=200)
    workers: int = Field(1, ge=1, le=64)
    trusted_proxies: str = ""
    metrics_token: SecretStr | None = None
    metrics_networks: str = "127.0.0.0/8,::1/128"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    seal: Literal["sha256", "sm3"] = "sha256"

    def ring(self) -> KeyRing:
        """The keys, derived anew at each call (about a millisecond): make it once, at the start."""
        return KeyRing.parse(self.keys.get_secret_value())

    def policy_words(self) -> str | None:
        """The text of the district's policy file; None: the default policy."""
        return self.policy_file.read_text("utf-8") if self.policy_file is not None else None

    def reply_words(self) -> str | None:
        """The text of the district's reply templates; None: those shipped."""
        return self.replies_file.read_text("utf-8") if self.replies_file is not None else None

    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks whose word on a client's address is believed; none by default."""
        return tuple(ip_network(part.strip()) for part in self.trusted_proxies.split(",") if part.strip())

    @field_validator("trusted_proxies", "metrics_networks")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        try:
            [ip_network(part.strip()) for part in text.split(",") if part.strip()]
        except ValueError:
            raise _unfit(
                "须为逗号分隔的 IP 地址或网段，如 10.0.0.0/8",
                "must be addresses or networks parted by commas, as 10.0.0.0/8",
            ) from None
        return text

    @field_validator("metrics_token")
    @classmethod
    def _token_is_long(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < 16:
            raise _unfit("须至少 16 个字符", "must have 16 characters or more")
        return token

    @field_validator("keys")
    @classmethod
    def _keys_open(cls, keys: SecretStr) -> SecretStr:
        try:
            KeyRing.parse(keys.get_secret_value())
        except KeysUnfit as unfit:
            zh = f"{unfit.zh}。用 liuti key 生成一把，写入 LIUTI_KEYS（如 1:…，新的排最后）并妥善备份"
            en = f"{unfit.en}. Make one with `liuti key`, put it into LIUTI_KEYS (as 1:…, newest last), keep a copy"
            raise _unfit(zh, en) from None
        return keys

    @field_validator("smtp_url")
    @classmethod
    def _is_relay(cls, url: SecretStr | None) -> SecretStr | None:
        try:
            if url is not None:
                Relay.parse(url.get_secret_value())
        except ValueError:
            raise _unfit(
                "须为 smtp://用户:密码@主机:587、smtps://… 或内网的 smtp://主机:25?tls=no（不带密码）",
                "must be smtp://login:password@host:587, smtps://…, or inside the house smtp://host:25?tls=no and no login",
            ) from None
        return url

    @field_validator("mail_from")
    @classmethod
    def _is_from_somebody(cls, sender: str) -> str:
        if sender and not is_sender(sender):
            raise _unfit(
                "须为邮件地址，如 六题办理 <no-reply@example.org>",
                "must be an address, as: Six Steps <no-reply@example.org>",
            )
        return sender

    @field_validator("quiet_hours")
    @classmethod
    def _are_hours(cls, text: str) -> str:
        try:
            Quiet.parse(text, ZoneInfo("UTC"))
        except ValueError:
            raise _unfit(
                "须如 21:00-08:00；00:00-00:00 表示不设", "must be as 21:00-08:00; 00:00-00:00 for none"
            ) from None
        return text

    @field_validator("webhook_secret", "sms_secret")
    @classmethod
    def _secret_signs(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is None:
            return None
        prefix, _, letters = secret.get_secret_value().partition("whsec_")
        try:
            sound = not prefix and 24 <= len(base64.b64decode(letters, validate=True)) <= 64
        except ValueError:
            sound = False
        if not sound:
            raise _unfit(
                "须为 whsec_ 加 24-64 字节的 base64",
                "must be whsec_ and 24-64 bytes in base64",
            )
        return secret

    @field_validator("base_url", "webhook_url", "sms_url")
    @classmethod
    def _is_http(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise _unfit("须以 http:// 或 https:// 开头", "must begin with http:// or https://")
        return url.rstrip("/") if url else url

    @model_validator(mode="after")
    def _webhook_is_signed(self) -> Self:
        if self.webhook_url and self.webhook_secret is None:
            raise _unfit(
                "设置了 LIUTI_WEBHOOK_URL 就必须设置 LIUTI_WEBHOOK_SECRET",
                "LIUTI_WEBHOOK_URL needs LIUTI_WEBHOOK_SECRET: letters leave signed or not at all",
            )
        if self.sms_url and self.sms_secret is None:
            raise _unfit(
                "设置了 LIUTI_SMS_URL 就必须设置 LIUTI_SMS_SECRET",
                "LIUTI_SMS_URL needs LIUTI_SMS_SECRET: texts leave signed or not at all",
            )
        if self.smtp_url and not self.mail_from:
            raise _unfit("设置了 LIUTI_SMTP_URL 就必须设置 LIUTI_MAIL_FROM", "LIUTI_SMTP_URL needs LIUTI_MAIL_FROM")
        return self


def settings_in_words(error: ValidationError) -> SettingsUnfit:
    """The same refusal for a person at the terminal, one line a setting and language."""
    zh, en = [], []
    for fault in error.errors(include_url=False, include_input=False):
        name = "LIUTI_" + "_".join(str(place) for place in fault["loc"]).upper() if fault["loc"] else "LIUTI"
        words = fault.get("ctx", {})
        zh.append(f"{name}：{words.get('zh', fault['msg'])}")
        en.append(f"{name}: {words.get('en', fault['msg'])}")
    return SettingsUnfit("\n".join(zh), "\n".join(en))


def new_key(version: int = 1) -> str:
    """A fresh entry for LIUTI_KEYS: `version:base64` of 32 random bytes."""
    return f"{version}:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def new_webhook_secret() -> str:
    """A fresh LIUTI_WEBHOOK_SECRET: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _unfit(zh: str, en: str) -> PydanticCustomError:
    return PydanticCustomError("unfit", "{zh} / {en}", {"zh": zh, "en": en})
