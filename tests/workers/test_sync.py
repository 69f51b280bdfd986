"""The sync worker: the loop, between the master and the application."""

from tiamat.workers import load_worker_class
from tiamat.workers.base import Worker
from tiamat.workers.sync import SyncWorker


def test_sync_is_the_name_of_the_sync_worker() -> None:
    """
    The alias, and no name at all, mean this class.
    """
    assert SyncWorker is load_worker_class("sync")
    assert issubclass(SyncWorker, Worker)
