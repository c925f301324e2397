import re

from cli.errors import StackError

_CONTACT = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+|https?://\S+\.\S+")


def require_contact(user_agent: str | None) -> None:
    """Raise StackError unless the user agent says how CCP reaches who runs this, by e-mail or a web address."""
    if user_agent and _CONTACT.search(user_agent):
        return
    raise StackError(
        "ESI_USER_AGENT must say how to reach you before Freeport reads the real ESI: CCP asks for a contact, and"
        " blocks clients that misbehave without one. For example:\n"
        '  ESI_USER_AGENT="freeport/0.1 (you@example.com)" make up LIVE=1'
    )
