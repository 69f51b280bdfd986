"""Django under ASGI: asynchronous views, the ORM on SQLite, forms and files."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="x",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db"}},
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
    ],
)
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.http import (  # noqa: E402
    FileResponse,
    HttpResponse,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import path  # noqa: E402


class Visit(models.Model):  # type: ignore[misc]
    name = models.CharField(max_length=100)

    class Meta:
        app_label = "site"


with connection.schema_editor() as editor:
    editor.create_model(Visit)
connection.close()


async def visit(request: Any, name: str) -> Any:
    await Visit.objects.acreate(name=name)
    names = [one.name async for one in Visit.objects.order_by("id")]
    return JsonResponse({"count": await Visit.objects.acount(), "names": names})


def upload(request: Any) -> Any:
    """No coroutine: Django runs it in a thread."""
    data = {"size": request.FILES["file"].size, "title": request.POST["title"]}
    response = JsonResponse(data)
    response.set_cookie("seen", "yes")
    return response


async def stream(request: Any) -> Any:
    async def numbers() -> AsyncIterator[str]:
        for number in range(1000):
            yield f"{number},"
            if not number % 100:
                await asyncio.sleep(0)

    return StreamingHttpResponse(numbers())


async def file(request: Any) -> Any:
    return FileResponse(open(__file__, "rb"))  # noqa: ASYNC230


async def styles(request: Any) -> Any:
    return HttpResponse("a { color: red }", content_type="text/css")


async def where(request: Any) -> Any:
    return HttpResponse(f"{request.build_absolute_uri()} {request.META['REMOTE_ADDR']}")


urlpatterns = [
    path("visit/<name>", visit),
    path("upload", upload),
    path("stream", stream),
    path("file", file),
    path("styles", styles),
    path("where", where),
]
application = get_asgi_application()
