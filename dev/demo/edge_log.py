"""The request log of the edge while checks run: the line of each request, by its id."""

import json
import threading
from collections.abc import Mapping

LINE_SECONDS = 5.0  # for a line to arrive; the edge writes it before it sends the response

Line = Mapping[str, object]


class EdgeLog:
    """Stores the lines. The thread that reads them calls `report`."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}
        self._news = threading.Condition()

    def report(self, text: str) -> None:
        try:
            line = json.loads(text)
        except ValueError:
            return  # truncated or malformed; `line` times out and reports it
        with self._news:
            self._lines[str(line.get("request_id"))] = line
            self._news.notify_all()

    def line(self, request_id: str) -> Line:
        """The line of this request; empty after a timeout, which no trait accepts."""
        with self._news:
            self._news.wait_for(lambda: request_id in self._lines, timeout=LINE_SECONDS)
            return self._lines.get(request_id, {})
