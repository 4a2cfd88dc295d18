"""Who may come in, and who somebody is: passwords and hosts, all safe by default."""

from __future__ import annotations

import hmac
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from impasto.errors import ConfigError, nearest_file

VARIABLE = "IMPASTO_STUDIO_PASSWORD"
LOCALHOST = "127.0.0.1"
LEAST_PASSWORD = 8  # characters: a page on a network can be tried at by anybody there
HOW = "lines of user:password, or one password"


@dataclass(frozen=True)
class Access:
    """Who may come in.

    Attributes:
        users: password by name; the name "" is anybody who knows the one password; {} is no
            password at all.
    """

    users: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.users)

    def admits(self, name: str, password: str) -> bool:
        """Whether this name and password go together; takes as long for any wrong one."""
        wanted = self.users.get(name, self.users.get("", ""))
        good = hmac.compare_digest(wanted.encode(), password.encode())
        return bool(wanted) and good

    def owner(self, name: str | None) -> str:
        """Whose jobs somebody sees: with several users only their own, else all there are."""
        return name if name and name in self.users else ""


def parse(text: str, source: str) -> Access:
    """The users in a text: a line ``user:password`` each, or one line that is a password.

    Raises:
        ConfigError: none, one twice, or a password that is too short.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise ConfigError(f"{source} is empty", f"wanted: {HOW}")
    users: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        name, colon, password = line.partition(":")
        name, password = (name.strip(), password.strip()) if colon else ("", line)
        if (not name and (colon or len(lines) > 1)) or name in users:
            raise ConfigError(f"{source}: line {number} names no user of its own", f"wanted: {HOW}")
        if len(password) < LEAST_PASSWORD:
            given = f"{source}: the password in line {number} has {len(password)} characters"
            raise ConfigError(given, f"at least {LEAST_PASSWORD}")
        users[name] = password
    return Access(users)


def access(host: str, password_file: Path | None, *, open_to_all: bool) -> Access:
    """Who may come in, from a file, else from the environment.

    Args:
        host: that the page listens on.
        password_file: None is none.
        open_to_all: whether no password is wanted, on purpose.

    Raises:
        ConfigError: another host than this machine itself, and neither a password nor that.
    """
    found = Access()
    if password_file:
        try:
            found = parse(password_file.read_text(encoding="utf-8"), str(password_file))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            hint = nearest_file(password_file)
            raise ConfigError(f"{password_file}: {reason}", "", hint) from error
    elif os.environ.get(VARIABLE):
        found = parse(os.environ[VARIABLE], VARIABLE)
    if found and open_to_all:
        raise ConfigError("a password, and `open_to_all` too", "one of them")
    if not found and not open_to_all and not is_local(host):
        raise ConfigError(
            f"`host` {host} without a password: everybody on the network could use the page",
            f"a `password_file` or {VARIABLE} with {HOW}",
            "`open_to_all` says that none is wanted",
        )
    return found


def is_local(host: str) -> bool:
    """Whether only this machine itself can reach a host's address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
