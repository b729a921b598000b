"""Who may ask: by the name that this machine is called by, and by a token."""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Access:
    """Who may ask.

    Attributes:
        hosts: names that the Host header may have, `*` for any; a page that resolves its own name
            to this machine has another one.
        token: what `Authorization: Bearer` must hold; empty: nothing.
    """

    hosts: Sequence[str] = ("127.0.0.1", "localhost", "[::1]")
    token: str = field(default="", repr=False)

    def admits(self, host: str) -> bool:
        """Whether a Host header, with or without a port, names this machine."""
        name = host if host.endswith("]") else re.sub(r":\d*$", "", host)
        return "*" in self.hosts or name.lower() in self.hosts

    def knows(self, authorization: str) -> bool:
        """Whether an Authorization header, as latin-1 of its bytes, holds the token, if any."""
        if not self.token:
            return True
        scheme, _, given = authorization.partition(" ")
        expected = self.token.encode("utf-8", "surrogateescape")  # as the environment has it
        return hmac.compare_digest(given.strip().encode("latin-1"), expected) and (
            scheme.lower() == "bearer"
        )
