"""What a worker script is told."""

from pathlib import Path

from children import child

from tiamat.workers.script import RunConfig


def test_who_wants_to_know_of_the_end_is_told(tmp_path: Path) -> None:
    """Each, whatever the others do."""
    with child(tmp_path) as one:
        one.worker.security = None
        config, told = RunConfig(one.worker), list[int]()

        @config.on_stop
        def fail() -> None:
            raise LookupError

        config.on_stop(lambda: told.append(1))

        assert not config.stopping.is_set()

        failed = config.stop()

    assert [fail] == [function for function, _ in failed]
    assert [1] == told
    assert config.stopping.is_set()
    assert (3, 2, {}) == (config.slot, config.generation, config.sockets)
