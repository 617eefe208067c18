"""A stand-in for a service: ``python -m tests.integration.native.answering [fail]``."""

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    """Is ready at once; says on every other path what its environment says."""

    def do_GET(self) -> None:
        """Answer any path."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ.get("ANSWER", "none").encode())


def main() -> int:
    """Serve on ``PORT`` until a signal comes; end with status 3 if told to fail."""
    print("one line of log", flush=True)
    if "fail" in sys.argv:
        return 3
    HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
