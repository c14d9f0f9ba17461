"""The edge's request log while checks run: the line of one request, by its id."""

import json
import threading
from collections.abc import Mapping

LINE_SECONDS = 5.0  # for a line to arrive; the edge writes it before the answer leaves

Line = Mapping[str, object]


class EdgeLog:
    """Keeps the lines; `report` is called by the thread that reads them."""

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}
        self._news = threading.Condition()

    def report(self, text: str) -> None:
        try:
            line = json.loads(text)
        except ValueError:
            return  # cut short or broken: whoever waits for it says so
        with self._news:
            self._lines[str(line.get("request_id"))] = line
            self._news.notify_all()

    def line(self, request_id: str) -> Line:
        """The line of this request; an empty one if it does not come, which no trait accepts."""
        with self._news:
            self._news.wait_for(lambda: request_id in self._lines, timeout=LINE_SECONDS)
            return self._lines.get(request_id, {})
