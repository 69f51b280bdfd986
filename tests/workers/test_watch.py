"""Which files are watched, and what the master hears of them."""

import os
import select
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
import watchfiles
from children import Child, child
from running import LIMIT, wait_until

from tiamat.config import Config
from tiamat.system.messages import Changed
from tiamat.workers import watch
from tiamat.workers.watch import Watch


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Child]:
    """A worker under ``reload``, with one more file."""
    config = Config(
        reload=True, reload_extra_files=str(tmp_path / "page.html"), chdir=str(tmp_path)
    )
    with child(tmp_path, config=config) as one:
        yield one


def heard(one: Child) -> list[str]:
    """The files that the master has heard of since it was asked last."""
    found = []
    while isinstance(message := one.forked.channel.receive(), Changed):
        found.append(message.files)
    return found


def test_modules_are_watched_but_for_python_s_own() -> None:
    """Of the packages those that are loaded; nobody edits the standard library."""
    files = set(watch.files_of_modules())

    assert os.path.abspath(__file__) in files
    assert str(watchfiles.__file__) in files
    assert str(os.__file__) not in files
    assert not watch.is_python_s_own(f"{sysconfig.get_path('purelib')}/x.py")
    assert watch.is_python_s_own(f"{sysconfig.get_path('stdlib')}/json/decoder.py")


def test_a_failure_names_the_files_that_may_mend_it(tmp_path: Path) -> None:
    """Its traceback's, its causes', and one that is no Python at all."""
    path = tmp_path / "broken.py"
    path.write_text("def (")
    try:
        try:
            compile(path.read_text(), str(path), "exec")
        except SyntaxError as error:
            raise RuntimeError from error
    except RuntimeError as error:
        files = set(watch.files_of(error))

    assert {str(path), os.path.abspath(__file__)} == files


def test_a_change_is_told_once(one: Child, tmp_path: Path) -> None:
    """Also of a file that was not there, and of one that goes."""
    watched = Watch(one.worker)
    path = tmp_path / "page.html"
    watched.tell(watched.changed())
    assert [] == heard(one)
    for step in (path.touch, path.unlink):
        step()
        watched.tell(watched.changed())
        watched.tell(watched.changed())

        assert [str(path)] == heard(one)


def test_a_pattern_matches_what_comes(tmp_path: Path) -> None:
    """A new template is a change, as one that is edited or removed."""
    pattern = str(tmp_path / "pages" / "**" / "*.html")
    config = Config(reload=True, reload_extra_files=[pattern], chdir=str(tmp_path))
    (tmp_path / "pages" / "deep").mkdir(parents=True)
    old, new = tmp_path / "pages" / "a.html", tmp_path / "pages" / "deep" / "b.html"
    old.touch()
    with child(tmp_path, config=config) as one:
        watched = Watch(one.worker)
        assert [] == watched.changed()

        new.touch()
        (tmp_path / "pages" / "c.txt").touch()
        assert [str(new)] == watched.changed()
        old.unlink()
        assert [str(old)] == watched.changed()


def test_of_many_files_some_are_named(one: Child) -> None:
    """Another branch in the repository may change a thousand."""
    Watch(one.worker).tell([f"/{name}.py" for name in "edcba"])

    assert ["/a.py, /b.py, /c.py, 2 more"] == heard(one)


def test_new_files_count_while_the_application_can_not_be_loaded(
    one: Child, tmp_path: Path
) -> None:
    """What it misses may be a module that is not there."""
    watched = Watch(one.worker)
    old, new = tmp_path / "old.py", tmp_path / "new.py"
    old.touch()
    assert not watched.concerns(str(new))
    watched.fail(RuntimeError())
    new.touch()
    old.write_text("1")
    (tmp_path / "other.log").touch()
    watched.tell(watched.changed())

    assert watched.concerns(str(new))
    assert not watched.concerns(str(tmp_path / "other.log"))
    assert [f"{new}, {old}"] == heard(one)


def test_a_path_is_as_short_as_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative to where we are, if it is below."""
    monkeypatch.chdir(tmp_path)

    assert "shop/urls.py" == watch.shortened(f"{tmp_path}/shop/urls.py")
    assert "/srv/urls.py" == watch.shortened("/srv/urls.py")


def test_without_events_dates_are_compared(
    one: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system has so many inotify watches and no more; the log says so, once."""
    real = watchfiles.watch

    def short(*paths: str, force_polling: bool | None, **rest: object) -> object:
        if not force_polling:
            raise OSError(28, "No space left on device")
        return real(*paths, force_polling=force_polling, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(watch, "watch", short)
    Watch(one.worker).start()
    wait_until(lambda: "dates are compared: [Errno 28]" in one.logged, "the warning")
    (tmp_path / "page.html").write_text("<p>")
    poll = select.poll()
    poll.register(one.forked.channel, select.POLLIN)
    poll.poll(LIMIT * 1000)

    assert [str(tmp_path / "page.html")] == heard(one)
