"""Text that comes from files and folders, made safe to print."""


def printable(text: str) -> str:
    """Write out control characters, so that no name can break a line or act on a terminal."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )
