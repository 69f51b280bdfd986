"""``--print-config``: every setting, and where its value comes from."""

from collections.abc import Iterator

from tiamat.config.config import Config


def lines(config: Config) -> Iterator[str]:
    """``name = value  # origin`` for each setting, in the manual's order."""
    chapter = None
    for name, setting in config.settings.items():
        if setting.chapter is not chapter:
            if chapter is not None:
                yield ""
            chapter = setting.chapter
            yield f"# {chapter.__doc__}"
        text = f"{name} = {shown(name, config.values[name])}"
        yield f"{text:<40}  # {config.origin(name)}"
    yield ""
    yield f"# The application: {config.app or 'none'}"


def shown(name: str, value: object) -> str:
    """The value, as a configuration file would say it where that is possible."""
    if name == "umask" and isinstance(value, int):
        return f"0o{value:03o}"
    if callable(value):
        module = getattr(value, "__module__", "")
        return f"<{module}.{getattr(value, '__qualname__', value)}>"
    return repr(value)
