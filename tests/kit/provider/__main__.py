"""Run the scripted provider as a process: `python -m tests.kit.provider --port 0` prints its base URL."""

import argparse
import asyncio
import signal
import sys

import uvloop

from tests.kit.provider.script import echo, tokens
from tests.kit.provider.server import Server


def main() -> None:
    """Serve until SIGINT or SIGTERM arrives."""
    parser = argparse.ArgumentParser(prog="python -m tests.kit.provider", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--tokens", type=int, default=200, help="per answer; 0 answers with an echo")
    parser.add_argument("--interval", type=float, default=0.02, help="seconds between tokens")
    parser.add_argument("--first", type=float, default=0.2, help="seconds before the first token")
    options = parser.parse_args()
    script = tokens(options.tokens, interval=options.interval, first=options.first)
    server = Server(default=(lambda _message: script) if options.tokens else echo)
    uvloop.run(serve(server, options.port))


async def serve(server: Server, port: int) -> None:
    """Print the URL, then serve until told to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    sys.stdout.write(f"{await server.start(port)}\n")
    sys.stdout.flush()
    await stop.wait()
    await server.stop()


if __name__ == "__main__":
    main()
