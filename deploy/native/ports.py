"""Free TCP ports on 127.0.0.1."""

import random
import socket

LOWEST, HIGHEST = 20_000, 32_000
"""Below the range from which the kernel takes ports for outgoing connections."""


def free_port(*, avoid: frozenset[int] | set[int] = frozenset()) -> int:
    """Return a port nobody listens on now and none of ``avoid``.

    Raises:
        OSError: five hundred ports in a row were taken.
    """
    for _ in range(500):
        port = random.randint(LOWEST, HIGHEST)
        if port not in avoid and is_free(port):
            return port
    raise OSError("no free TCP port found on 127.0.0.1")


def is_free(port: int) -> bool:
    """Return whether a server could bind ``port`` on 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Return whether somebody accepts connections on ``port`` of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
