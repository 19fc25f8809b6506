"""Contents of files after an interrupted write, a bad disk or a wrong edit."""


def empty(_: bytes) -> bytes:
    return b""


def truncate(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    """Change one bit in the middle."""
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1
    return bytes(changed)


def list_instead(_: bytes) -> bytes:
    return b"[1, 2]"


def text_instead(_: bytes) -> bytes:
    return b"no data \xff\x00"


DAMAGES = (empty, truncate, flip, list_instead, text_instead)
