"""What the API says when it refuses a request."""

from starlette.responses import JSONResponse, Response


class Refused(Exception):
    """A request is answered with an error, and changes nothing."""

    def __init__(self, status: int, body: dict[str, object] | None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body

    def response(self) -> Response:
        """Return the answer."""
        if self.body is None:
            return Response(status_code=self.status)
        return JSONResponse(self.body, self.status)


def refused(status: int, message: str, detail: str = "") -> Refused:
    """Return an error of the API for services: `msg` and, mostly, `detail`."""
    return Refused(status, {"msg": message, **({"detail": detail} if detail else {})})


def no_record(kind: str, name: str) -> Refused:
    """Return the error for something that does not exist."""
    return refused(404, "Record not found", f"Cannot find {kind} '{name}'")


def store_refused(status: int, title: str) -> Refused:
    """Return an error of the API for stores: `title` and `status`."""
    return Refused(status, {"title": title, "status": status})


def precondition_failed() -> Refused:
    """Return the error of a conditional write of a KV item, which has no body."""
    return Refused(412, None)
