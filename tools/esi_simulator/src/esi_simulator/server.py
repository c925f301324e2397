"""uvicorn, told to be quiet, to say when it is ready, and to stop cleanly."""

import logging
import socket
import sys
from types import FrameType

import uvicorn

from esi_simulator.app import Simulator

BACKLOG = 2048
GRACE = 3
"""Seconds that open requests get when the simulator stops."""


class Server(uvicorn.Server):
    """Ends with exit code 0 on SIGTERM and SIGINT; prints one line when requests are taken."""

    def __init__(self, app: Simulator, listener: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                access_log=False,
                log_level="warning",
                server_header=False,
                date_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=GRACE,
                backlog=BACKLOG,
            )
        )
        self._listener = listener
        logging.getLogger("uvicorn.error").addFilter(_is_news)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = self._listener.getsockname()[:2]
        sys.stdout.write(f"ESI simulator ready on http://{host}:{port}\n")
        sys.stdout.flush()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; uvicorn's own would kill the process by the same signal in the end."""
        del sig, frame
        self.force_exit = self.should_exit
        self.should_exit = True


def _is_news(record: logging.LogRecord) -> bool:
    """A body that ends too early was ordered."""
    return "without completing response" not in record.getMessage()


def listen(host: str, port: int) -> socket.socket:
    """A bound socket, or the end of the process with a line that says what is wrong."""
    try:
        return socket.create_server((host, port), backlog=BACKLOG)
    except OSError as error:
        raise SystemExit(f"ESI_SIM_HOST, ESI_SIM_PORT: cannot listen on {host}:{port}: {error.strerror}") from error
