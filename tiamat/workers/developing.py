"""
Under ``reload``: changes are watched, and what can't be loaded says why, as a page.

The page is for the developer, who looks at the browser and not at the log; nobody else
is to see code, so it is served under ``reload`` only.
"""

import html
import traceback
from typing import TYPE_CHECKING, Any, Final

from tiamat.errors import TiamatError
from tiamat.types import Environ, Scope, StartResponse
from tiamat.workers.watch import Watch

if TYPE_CHECKING:
    from tiamat.workers.base import Worker

PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>The application can't be loaded</title>
<style>
body {{ font-family: sans-serif; margin: 2em; }}
pre {{ background: #f4f4f4; color: #222; padding: 1em; overflow: auto; }}
</style>
</head>
<body>
<h1>The application can't be loaded</h1>
<p>{error}</p>
<pre>{traceback}</pre>
<p>When a file changes, it is tried again.</p>
</body>
</html>
"""

HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
}


def load(worker: "Worker") -> None:
    """Load the application, or else what says why that can't be done; watch."""
    watch = Watch(worker)
    if worker.slot == 0:
        watch.start()
    try:
        worker.load_all()
    except TiamatError as error:
        if not worker.alive:  # told to stop
            raise
        watch.fail(error)
        serve_failure(worker, error)
    watch.add_modules()  # before the worker is ready, for then the old ones may go


def serve_failure(worker: "Worker", error: TiamatError) -> None:
    """Have the worker serve what is wrong with its application."""
    worker.log.error(
        "%s can't boot, and says so to who asks: %s",
        *(worker, error),
        exc_info=error.__cause__,
    )
    page = Failure(error)
    worker.app = page.wsgi if "wsgi" in worker.interfaces else page.asgi
    worker.load()


class Failure:
    """Answers everything with an exception and its traceback, as a page."""

    def __init__(self, error: BaseException) -> None:
        lines = traceback.format_exception(error.__cause__ or error)
        self.body = PAGE.format(
            error=html.escape(str(error)), traceback=html.escape("".join(lines))
        ).encode("utf-8", "replace")
        self.headers = HEADERS | {"Content-Length": str(len(self.body))}

    def wsgi(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        """The application, for WSGI."""
        start_response("500 Internal Server Error", [*self.headers.items()])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else self.body]

    async def asgi(self, scope: Scope, receive: Any, send: Any) -> None:
        """The application, for ASGI."""
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            start = {"type": "http.response.start", "status": 500}
            pairs = self.headers.items()
            await send(
                start | {"headers": [(k.encode(), v.encode()) for k, v in pairs]}
            )
            await send({"type": "http.response.body", "body": self.body})
