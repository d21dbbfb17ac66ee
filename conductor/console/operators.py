"""The operators who may log in: a JSON file of names, roles and salted hashes of their passwords."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from conductor.console.roles import ROLES, Role
from conductor.errors import UsageError
from conductor.setlist.yamlfile import explain
from model.whole import write_whole

SHORTEST = 10
LONGEST = 256
# 32 MiB and a quarter of a second. Source: OWASP Password Storage Cheat Sheet, scrypt.
_COST, _BLOCK, _LANES, _MEMORY = 2**15, 8, 3, 64 * 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Literal["view", "control", "edit"]
    salt: Annotated[str, Field(min_length=1, max_length=100)]
    hash: Annotated[str, Field(min_length=1, max_length=200)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    operators: Annotated[dict[str, _Row], Field(max_length=200)]


@dataclass(frozen=True, slots=True, repr=False)
class Operator:
    """Somebody who may log in; salt and hash are raw bytes."""

    name: str
    role: Role
    salt: bytes
    hash: bytes

    def __repr__(self) -> str:
        return f"Operator({self.name!r}, {self.role})"


def hashed(password: str, salt: bytes) -> bytes:
    """Return the hash of a password (scrypt; takes a quarter of a second)."""
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"), salt=salt, n=_COST, r=_BLOCK, p=_LANES, maxmem=_MEMORY
    )


# Compared with where there is no such operator, so that it takes as long.
NOBODY = Operator("", Role.VIEW, bytes(16), bytes(64))


def matches(operator: Operator | None, password: str) -> bool:
    """Return whether a password is an operator's; as slow for one who is not there."""
    known = operator or NOBODY
    right = hmac.compare_digest(hashed(password[:LONGEST], known.salt), known.hash)
    return right and operator is not None


def read_operators(path: Path) -> dict[str, Operator]:
    """Return the operators of a file by name.

    Raises:
        UsageError: it cannot be read, or is none.
    """
    try:
        file = _File.model_validate(json.loads(path.read_bytes()))
        return {name: Operator(name, ROLES[row.role], *_raw(row)) for name, row in file.operators.items()}
    except FileNotFoundError:
        raise UsageError(
            f"{path}: there is no such file - make it: conductor operators add NAME --role edit --file {path}"
        ) from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except ValidationError as error:
        raise UsageError(f"{path}: no list of operators: {explain(error.errors()[0])}") from None
    except (ValueError, RecursionError, binascii.Error):
        raise UsageError(f"{path}: no list of operators, which `conductor operators add` writes") from None


def _raw(row: _Row) -> tuple[bytes, bytes]:
    return base64.b64decode(row.salt, validate=True), base64.b64decode(row.hash, validate=True)


def with_operator(known: dict[str, Operator], name: str, role: Role, password: str) -> dict[str, Operator]:
    """Return the operators with one more, or another password and role for one who is there.

    Raises:
        UsageError: the name or the password will not do.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for an operator: letters, digits, . _ -, at most 32")
    if not SHORTEST <= len(password) <= LONGEST:
        raise UsageError(f"a password has {SHORTEST} to {LONGEST} characters")
    salt = secrets.token_bytes(16)
    return {**known, name: Operator(name, role, salt, hashed(password, salt))}


def write_operators(path: Path, operators: dict[str, Operator]) -> None:
    """Write a file of operators in one step, for its owner's eyes alone.

    Raises:
        UsageError: it cannot be written.
    """
    rows = {
        each.name: {
            "role": str(each.role),
            "salt": base64.b64encode(each.salt).decode(),
            "hash": base64.b64encode(each.hash).decode(),
        }
        for each in operators.values()
    }
    try:
        write_whole(path, json.dumps({"version": 1, "operators": rows}, indent=2).encode() + b"\n", mode=0o600)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from None
