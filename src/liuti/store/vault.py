"""What only the holder of the keys can read or forge: contacts, keyed hashes, bearer secrets, seals.

Nothing here touches a database or the clock. Every purpose has its own sub-key (HKDF-SHA256), so
that no answer given for one purpose can be used for another.

Rotation: append a key to the ring and restart. New contacts and secrets use the **newest** (last)
key, older ones open with the key whose number they carry. The look-up and household hashes use the
**first** key for ever, because a hash cannot be renewed without its phone or address: dropping the
first key means hashing every contact again in the same maintenance.
"""

import base64
import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass, field
from typing import Literal, Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from liuti.store.household import door_of, mask_address, mask_name, mask_phone, phone_of

__all__ = [
    "KeyRing", "KeysUnfit", "RatingClaim", "SealName", "Unreadable", "VoiceClaim", "api_token", "check_query_code",
    "digest_token", "mask_address", "mask_name", "mask_phone", "query_code", "seal",
]  # fmt: skip

SealName = Literal["sha256", "sm3"]
CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_NONCE, _TAG, _MAC = 12, 16, 16


class KeysUnfit(ValueError):  # noqa: N818 - an answer to the operator, not a fault of the program
    """The key text cannot make a ring; `zh` and `en` say why without repeating any key."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh} / {en}")
        self.zh, self.en = zh, en


class Unreadable(Exception):  # noqa: N818 - says what is the matter with the row
    """A sealed contact does not open: another voice's row, an altered byte, or a key no longer in the ring."""


@dataclass(frozen=True, slots=True)
class VoiceClaim:
    """Whoever shows the secret speaks as this voice."""

    voice_id: str


@dataclass(frozen=True, slots=True)
class RatingClaim:
    """Whoever shows the token may rate this issue for this voice in this round; used once is the flow's to see."""

    voice_id: str
    issue_id: str
    round: int


@dataclass(frozen=True, slots=True)
class _Key:
    version: int
    contact: AESGCM = field(repr=False)
    phone: bytes = field(repr=False)
    household: bytes = field(repr=False)
    voice: bytes = field(repr=False)
    rating: bytes = field(repr=False)
    code: bytes = field(repr=False)

    @classmethod
    def grown_from(cls, version: int, root: bytes) -> Self:
        def sub(purpose: str) -> bytes:
            return HKDF(hashes.SHA256(), 32, None, b"liuti/1/" + purpose.encode()).derive(root)

        return cls(
            version, AESGCM(sub("contact")), sub("phone"), sub("household"), sub("voice"), sub("rating"), sub("code")
        )


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys in force, oldest first; its repr shows no key."""

    _keys: tuple[_Key, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """`1:base64,2:base64`: numbers 1-255 rising, each of exactly 32 bytes; KeysUnfit otherwise."""
        found: dict[int, bytes] = {}
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            number, _, letters = part.partition(":")
            version = int(number) if re.fullmatch(r"[0-9]{1,3}", number) else 0
            if not 1 <= version <= 255 or version <= max(found, default=0):
                raise KeysUnfit("密钥编号须为 1-255 且依次递增", "key numbers must be 1-255 and rising, newest last")
            found[version] = _key_bytes(letters, version)
        if not found:
            raise KeysUnfit("没有配置密钥", "there are no keys")
        return cls(tuple(_Key.grown_from(version, root) for version, root in found.items()))

    @property
    def newest(self) -> int:
        """Number of the key that new contacts are encrypted with."""
        return self._keys[-1].version

    def encrypt(self, words: str, voice_id: str, part: str = "contact") -> bytes:
        """Key number (1 byte), nonce (12), ciphertext and tag; opens only for the same voice and the same `part`."""
        key, nonce = self._keys[-1], os.urandom(_NONCE)
        return bytes([key.version]) + nonce + key.contact.encrypt(nonce, words.encode(), _place(voice_id, part))

    def decrypt(self, sealed: bytes, voice_id: str, part: str = "contact") -> str:
        """The words that `encrypt` was given; Unreadable when anything does not match."""
        key = self._key(sealed[0]) if len(sealed) > _NONCE + _TAG else None
        if key is None:
            raise Unreadable("no key of the ring opens this contact")
        try:
            plain = key.contact.decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], _place(voice_id, part))
        except InvalidTag:
            raise Unreadable("the contact does not belong to this voice or was altered") from None
        return plain.decode()

    def is_current(self, sealed: bytes) -> bool:
        """Whether the newest key sealed it; rotation re-encrypts what answers False."""
        return sealed[:1] == bytes([self.newest])

    def phone_hash(self, phone: str) -> str:
        """Look-up key of a phone in any spelling (hex, first key of the ring); ValueError without a digit."""
        number = phone_of(phone)
        if not number:
            raise ValueError("a phone needs digits")
        return _mac(self._keys[0].phone, number.encode()).hex()

    def name_hash(self, name: str) -> str:
        """Look-up key of somebody another system knows by a name of its own (hex, first key of the ring)."""
        return _mac(self._keys[0].phone, b"name:" + name.encode()).hex()

    def code_hash(self, voice_id: str, phone_hash: str, code: str) -> str:
        """What is kept of a code sent by SMS (hex, first key of the ring); a key of its own, since codes are short."""
        return _mac(self._keys[0].code, f"{voice_id}:{phone_hash}:{code}".encode()).hex()

    def household_hash(self, address: str | None, phone: str | None, own_area: tuple[str, ...] = ()) -> str | None:
        """The household by door, else by phone, else None: the voice stands alone and unverified.

        Hex, first key of the ring. Door and phone never meet in one hash. Source: docs/rules.md §1.
        """
        door = door_of(address, own_area) if address else None
        number = phone_of(phone) if phone else ""
        if door is None and not number:
            return None
        words = f"door:{door}" if door is not None else f"phone:{number}"
        return _mac(self._keys[0].household, words.encode()).hex()

    def voice_secret(self, voice_id: str) -> str:
        """The bearer secret on a receipt, `lv1.` and 44 url-safe letters; needs no storage."""
        key = self._keys[-1]
        return _token("lv1.", key.version, key.voice, UUID(voice_id).bytes)

    def open_secret(self, text: str) -> VoiceClaim | None:
        """The voice a secret speaks for, None when no key of the ring made it."""
        claims = self._open("lv1.", text, 16)
        return None if claims is None else VoiceClaim(str(UUID(bytes=claims)))

    def rating_token(self, voice_id: str, issue_id: str, round: int) -> str:  # noqa: A002 - the word of the rules
        """The token in a letter that invites a voice to rate round 0-255 of an issue: `lr1.` and 67 letters."""
        key = self._keys[-1]
        claims = UUID(voice_id).bytes + UUID(issue_id).bytes + round.to_bytes(1, "big")
        return _token("lr1.", key.version, key.rating, claims)

    def resident_token(self, voice_id: str, issue_id: str, round: int) -> str:  # noqa: A002 - the word of the rules
        """The token in a letter that asks a resident about an issue: it opens nothing that a voice may do."""
        key = self._keys[-1]
        claims = UUID(voice_id).bytes + UUID(issue_id).bytes + round.to_bytes(1, "big")
        return _token("ls1.", key.version, key.rating, claims)

    def open_resident(self, text: str) -> RatingClaim | None:
        """Whom, what and which round a resident's token is for, None when no key of the ring made it."""
        return self._open_claim("ls1.", text)

    def open_rating(self, text: str) -> RatingClaim | None:
        """Whom, what and which round a rating token is for, None when no key of the ring made it."""
        return self._open_claim("lr1.", text)

    def _open_claim(self, kind: str, text: str) -> RatingClaim | None:
        claims = self._open(kind, text, 33)
        if claims is None:
            return None
        return RatingClaim(str(UUID(bytes=claims[:16])), str(UUID(bytes=claims[16:32])), claims[32])

    def _key(self, version: int) -> _Key | None:
        return next((key for key in self._keys if key.version == version), None)

    def _open(self, kind: str, text: str, size: int) -> bytes | None:
        length = -(-(1 + size + _MAC) * 4 // 3)
        if not re.fullmatch(re.escape(kind) + rf"[A-Za-z0-9_-]{{{length}}}", text):
            return None
        raw = base64.urlsafe_b64decode(text[len(kind) :] + "=" * (-length % 4))
        key = self._key(raw[0])
        if key is None:
            return None
        claims = raw[1 : 1 + size]
        # The whole text is compared, not the bytes: base64 lets several spellings decode to one value.
        made = _token(kind, key.version, key.voice if kind == "lv1." else key.rating, claims)
        return claims if hmac.compare_digest(made, text) else None


def query_code(entropy: bytes) -> str:
    """A 查询码 of 12 letters and digits (55 random bits and a check character) from 7 bytes or more.

    No I, L, O, U. One wrong character or any two swapped are always noticed.
    """
    if len(entropy) < 7:
        raise ValueError("a query code wants 7 random bytes")
    number = int.from_bytes(entropy[:7], "big")
    digits = [number >> 5 * place & 31 for place in range(11)]
    digits.append(_step(_remainder(digits)))
    return "".join(CODE_LETTERS[digit] for digit in digits)


def check_query_code(text: str) -> str | None:
    """The code as `query_code` wrote it (case, blanks, dashes, O for 0, I or L for 1 forgiven), None if mistyped."""
    plain = text.upper().translate(str.maketrans("OIL", "011", " -\t\u3000－—"))
    if len(plain) != 12 or any(letter not in CODE_LETTERS for letter in plain):
        return None
    return plain if _remainder([CODE_LETTERS.index(letter) for letter in plain]) == 0 else None


def api_token() -> tuple[str, str]:
    """A new bearer token of a program or session (`la1.`, 256 random bits), shown once, and its digest to keep."""
    text = "la1." + secrets.token_urlsafe(32)
    return text, digest_token(text)


def digest_token(text: str) -> str:
    """SHA-256 (hex) of a token. Unsalted on purpose: 256 random bits cannot be guessed, and the row is found by it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def seal(algorithm: SealName, *parts: bytes) -> str:
    """Hash (hex) over the parts, each led by its length in 8 bytes, so that no two lists of parts look alike."""
    framed = b"".join([piece for part in parts for piece in (len(part).to_bytes(8, "big"), part)])
    if algorithm == "sha256":
        return hashlib.sha256(framed).hexdigest()
    if algorithm == "sm3":
        digest = hashes.Hash(hashes.SM3())
        digest.update(framed)
        return digest.finalize().hex()
    raise ValueError(f"unknown seal {algorithm!r}")


def _key_bytes(letters: str, version: int) -> bytes:
    try:
        root = base64.b64decode(letters.strip().translate(str.maketrans("-_", "+/")), validate=True)
    except ValueError:
        root = b""
    if len(root) != 32:
        raise KeysUnfit(f"第 {version} 号密钥须为 32 字节的 base64", f"key {version} must be 32 bytes in base64")
    return root


def _place(voice_id: str, part: str) -> bytes:
    return f"{part}\0{UUID(voice_id)}".encode()


def _mac(key: bytes, words: bytes) -> bytes:
    return hmac.digest(key, words, "sha256")


def _token(kind: str, version: int, key: bytes, claims: bytes) -> str:
    body = bytes([version]) + claims
    return kind + base64.urlsafe_b64encode(body + _mac(key, body)[:_MAC]).rstrip(b"=").decode()


def _step(value: int) -> int:
    """Times x in GF(32) with x⁵+x²+1: a field of our letters' size, so every weight differs."""
    return value << 1 ^ (0b100101 if value & 16 else 0)


def _remainder(digits: list[int]) -> int:
    rest = 0
    for digit in digits:
        rest = _step(rest) ^ digit
    return rest
