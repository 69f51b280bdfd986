"""``gunicorn.workers.gasgi``: applications of ASGI, on our driver."""

from typing import Any, ClassVar

from tiamat.compat.gunicorn.workers.sync import Served
from tiamat.compat.inner import InnerASGI


class ASGIWorker(Served):
    """Coroutines on one event loop."""

    inner_class: ClassVar[Any] = InnerASGI

    def run(self) -> None:
        """Serve until told to stop, then drain; the application shuts down last."""
        inner = self.inner
        self.host.forget_use()  # we say when
        inner.take_application()
        inner.ready()
        inner.run()
