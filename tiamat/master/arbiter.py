"""The arbiter: it keeps the workers, and does what signals and workers say."""

import gc
import math
import os
import selectors
import time
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from tiamat.master import deaths
from tiamat.master.control import Control
from tiamat.master.crew import Crew
from tiamat.master.delay import Delay
from tiamat.master.gauges import Gauges
from tiamat.master.handover import Handover
from tiamat.master.helpers import Helper
from tiamat.master.keeper import TURN_MESSAGES, Keeper
from tiamat.master.member import State
from tiamat.master.mold import load_here
from tiamat.master.notices import Notices
from tiamat.master.post import PostOffice
from tiamat.master.premises import Premises
from tiamat.master.pulse import TouchedFile
from tiamat.master.reload import Reload
from tiamat.master.roster import Roster
from tiamat.master.ways import Ways
from tiamat.system import process
from tiamat.system.messages import (
    Accept,
    Changed,
    Checked,
    Failed,
    Post,
    Pulse,
    Ready,
    Retiring,
    Stack,
)
from tiamat.system.signals import Inbox
from tiamat.workers import hooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiamat.config import Config
    from tiamat.errors import TiamatError
    from tiamat.master.mold import Mold
    from tiamat.master.spawn import Forked
    from tiamat.observe.log import Log

GAP: Final = 1.0
"""If the master sleeps so many seconds too long, something stopped all processes."""

LAST_WORDS: Final = 1000
"""The most messages of a worker that are heard after its end."""


class Arbiter:
    """
    The master process.

    Attributes:
        premises: what it holds: settings, logs, listeners.
        roster: which workers there are and should be.
        keeper: the workers as processes.
        reload: what HUP has begun, if anything.
        notices: what systemd is told.
        control: who asks through the control socket.
        handover: what USR2 has begun, if anything.
        ways: how what the loop does is done.
        server: what hooks see of this.
        crew: the helpers that the settings name.
        helper: what answers on ``status_bind``.
        gauges: what a statsd daemon is told.
        delay: what TERM has begun, if it has to wait.
        post: what applications say to one another.
        proven: whether a worker has ever loaded the application.
        stopping: whether the server shall end.
        hurrying: whether it shall end at once.
        failure: why no worker can boot, if that is so.
    """

    def __init__(
        self, config: "Config", ways: "Callable[[Arbiter], Ways]" = Ways
    ) -> None:
        self.premises = Premises(config)
        self.roster = Roster(config.workers)
        self.ways = ways(self)
        self.server = self.ways.server
        self.keeper = Keeper(self.premises, self.roster, self.server)
        self.reload = Reload(self)
        self.notices = Notices(self)
        self.control = Control(self)
        self.handover = Handover(self)
        self.helper = Helper(self)
        self.crew = Crew(self)
        self.delay = Delay(self)
        self.gauges = Gauges(self)
        self.post = PostOffice(self)
        self.inbox = Inbox()
        self.proven = False
        self.stopping = False
        self.hurrying = False
        self.failure: TiamatError | None = None
        self.messages: dict[type, Callable[[Forked, Any], None]] = {
            Ready: self.worker_ready,
            Pulse: self.worker_pulse,
            Retiring: self.worker_retiring,
            Failed: self.worker_failed,
            Stack: self.worker_stack,
            Checked: self.worker_checked,
            Changed: self.worker_changed,
            Post: self.post.pass_on,
        }

    @property
    def log(self) -> "Log":
        """The logs."""
        return self.premises.log

    @property
    def leaving(self) -> bool:
        """Whether requests had better go elsewhere."""
        return self.stopping or self.delay.runs

    @property
    def anybody_left(self) -> bool:
        """Whether a process of ours is still to end."""
        left = self.keeper.workers or self.handover.follows or self.crew.alive
        return bool(left)

    # --- The loop -----------------------------------------------------------------

    def run(self) -> int:
        """
        Keep the workers until told to stop; return the exit status.

        Raises:
            TiamatError: the server can't start, and the log is not where the command
                prints to.
        """
        self.ways.start()
        self.loop()
        return self.stop()

    def loop(self) -> None:
        """Keep the workers until told to stop, and until all of them have ended."""
        while not self.stopping or self.anybody_left:
            try:
                self.turn()
            except Exception:  # a bug of ours; but the workers serve, and go on
                self.log.exception("the master failed here, and goes on")
                time.sleep(GAP)

    def turn(self) -> None:
        """Do what is due, sleep until something happens, and do what that asks for."""
        try:
            self.delay.look_after(monotonic())
            self.ways.murder_workers()
            self.reload.look_after(monotonic())
            if not self.stopping:
                self.keeper.molds.tend(self.reload.plan, self.reload.before)
            self.ways.manage_workers()
            self.handover.look_after(monotonic())
            self.notices.look_after(monotonic())
            self.helper.look_after(monotonic())
            self.crew.look_after(monotonic())
            self.gauges.look_after(monotonic())
        finally:  # whatever goes wrong there must not make us deaf
            for forked in self.wait():
                self.listen(forked)
            while (number := self.inbox.take()) is not None:
                if not self.handover.passes_on(number):
                    self.ways.obey(number)
            self.ways.reap_workers()
            self.control.serve(monotonic())

    def wait(self) -> "list[Forked]":
        """Sleep until something happens or is due; return the workers that speak."""
        self.keeper.exchange()
        others = (
            *(self.reload, self.handover, self.notices),
            *(self.control, self.helper, self.crew, self.delay, self.gauges),
            self.ways,
        )
        until = min([self.keeper.next_deadline(), *(one.deadline for one in others)])
        timeout = None if until == math.inf else max(0.0, until - monotonic())
        events = self.keeper.selector.select(timeout)
        if (gap := monotonic() - until) > GAP:
            self.log.warning("this machine slept for %.1f s: nobody is late", gap)
            self.roster.forgive(monotonic(), gap)
            self.keeper.molds.forgive(gap)
            self.helper.forgive(monotonic())
            self.crew.forgive(gap)
            self.reload.forgive(gap)
            self.handover.forgive(gap)
        return [key.data for key, _ in events if key.data is not None]

    def listen(self, forked: "Forked", limit: int = TURN_MESSAGES) -> None:
        """Do what a worker says, but not too much in a turn."""
        self.post.go_on(forked)
        for message in self.keeper.messages(forked, limit):
            self.messages[type(message)](forked, message)

    def reap(self) -> None:
        """Bury all processes that have ended; signals tell of some of them only."""
        for pid, status in process.ended():
            if (forked := self.keeper.workers.get(pid)) is not None:
                self.worker_exited(forked, status)
            elif (mold := self.keeper.molds.reaped(pid)) is not None:
                self.mold_exited(mold, status)
            else:
                for others in (self.handover, self.helper, self.crew, self.reload):
                    if others.reaped(pid, status):
                        break  # else a stranger's that we adopted

    # --- Start and stop -----------------------------------------------------------

    def start(self) -> None:
        """
        Do what comes before the first worker, in gunicorn's order.

        Raises:
            TiamatError: the server can't start; nothing is left behind.
        """
        premises, config = self.premises, self.premises.config
        os.register_at_fork(after_in_child=self.control.forget)
        os.register_at_fork(after_in_child=self.helper.forget)
        os.register_at_fork(after_in_child=self.crew.forget)
        try:
            self.notices.open()
            premises.open()
            self.keeper.set_target(config.workers, first=True)
            hooks.must(config, "on_starting", self.server)
            self.ways.init_signals()
            self.keeper.selector.register(self.inbox, selectors.EVENT_READ)
            self.handover.line.open()
            premises.listen(self.inbox)
            self.notices.kept.update(premises.kept)
            load_here(premises.plan, premises.log)
        except BaseException as error:
            premises.fail(error)
            self.inbox.close()
            raise
        premises.greet()
        self.server.call("when_ready", self.server)
        gc.collect()
        gc.freeze()  # shared with the workers: the collector must not write there

    def stop(self) -> int:
        """Leave nothing behind; return the exit status."""
        self.keeper.molds.close()
        self.helper.close()
        self.crew.close()
        failure, elsewhere = self.failure, self.premises.log_is_elsewhere
        status = failure.exit_status if failure is not None else 0
        self.log.info("stopped")
        self.control.close()
        self.premises.close(status)
        self.server.call("on_exit", self.server)
        self.keeper.selector.close()
        self.inbox.close()
        self.log.close()
        if failure is not None and elsewhere:
            raise failure
        return status

    def begin_stop(self) -> None:
        """From now on no worker is added."""
        self.stopping = True
        self.delay.end()
        self.roster.target = 0
        self.roster.why_fewer = "the server stops"
        self.reload.supersede()
        self.crew.begin_stop(monotonic())
        self.keeper.molds.end()
        self.helper.say_whether_ready()
        self.notices.look_after(monotonic())

    def stop_at_once(self) -> None:
        """Don't let anybody finish anything."""
        self.hurrying = True
        self.begin_stop()
        self.premises.close_listeners()
        self.keeper.stop_at_once()

    def give_up(self, failure: "TiamatError") -> None:
        """The first workers can't boot, so no others can."""
        self.failure = failure
        self.premises.succession.tell(Failed(failure.exit_status, str(failure)))
        self.log.error("no worker can boot; exit status %d", failure.exit_status)
        self.stop_at_once()

    # --- Workers ------------------------------------------------------------------

    def worker_ready(self, forked: "Forked", message: Ready) -> None:
        """A worker has loaded the application."""
        self.roster.ready(forked.member, monotonic())
        if not self.proven:
            self.proven = True
            self.premises.proven()
            self.keeper.molds.send(Accept())
        if forked.member.candidate:
            self.reload.candidate_ready(forked, monotonic())

    def worker_pulse(self, forked: "Forked", message: Pulse) -> None:
        """A worker has a sign of life of its own."""
        fds, forked.channel.descriptors = forked.channel.descriptors, []
        if fds and forked.pulse is None:
            forked.pulse = TouchedFile(fds.pop(), monotonic())
        for fd in fds:
            os.close(fd)

    def worker_retiring(self, forked: "Forked", message: Retiring) -> None:
        """A worker wants to be replaced."""
        if forked.member.state is State.SERVING:
            forked.member.due = forked.member.due or message.reason

    def worker_checked(self, forked: "Forked", message: Checked) -> None:
        """A candidate says whether it is fit to serve."""
        self.reload.checked(forked.member, message)

    def worker_changed(self, forked: "Forked", message: Changed) -> None:
        """A worker has seen that files of its application have changed."""
        if not (self.leaving or self.handover.starts):
            self.log.info("changed: %s: reloading", message.files)
            self.reload.request(monotonic())

    def worker_failed(self, forked: "Forked", message: Failed) -> None:
        """A worker can't load the application; it is about to exit."""
        forked.failure = message

    def worker_stack(self, forked: "Forked", message: Stack) -> None:
        """A worker says what it does."""
        self.control.hear(forked.member.pid, message.text)
        if (condemned := self.keeper.condemned.get(forked.member.pid)) is not None:
            condemned.hear(message.text)

    def worker_exited(self, forked: "Forked", status: int) -> None:
        """A worker is gone; the roster says whether another one comes."""
        self.listen(forked, LAST_WORDS)
        lost = forked.member.wanted
        if forked.member.candidate:
            self.reload.candidate_exited(forked, status)
        self.keeper.bury(forked, status)
        if lost and not self.stopping:
            self.reload.lost(forked.member)
        if not (self.proven or self.stopping):
            attempts = self.roster.slot(forked.member.slot).failures
            if failure := deaths.failure_of_start(forked, status, attempts):
                self.give_up(failure)

    def mold_exited(self, mold: "Mold", status: int) -> None:
        """A mold is gone: the next one comes, or there is none that could."""
        current = mold is self.premises.plan.mold
        self.keeper.molds.bury(mold, status)
        if mold.ended or self.stopping:
            return
        if not current and self.roster.candidate is None:
            self.roster.trying = False
        if current and not self.proven:
            attempts = self.keeper.molds.losses
            if failure := deaths.failure_of_start(mold, status, attempts):
                self.give_up(failure)
