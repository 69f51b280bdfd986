"""Real frameworks, through real servers, with either parser."""

from http.client import HTTPConnection
from pathlib import Path

import pytest
from conftest import Serve
from running import LIMIT, answer_of

FLASK = """
from flask import Flask, Response, request, send_file, stream_with_context

app = Flask(__name__)


@app.get("/hello/<name>")
def hello(name):
    return f"Hello, {name} of {request.args['from']}!"


@app.post("/upload")
def upload():
    return {"size": len(request.files["file"].read()), "title": request.form["title"]}


@app.get("/stream")
def stream():
    return Response(stream_with_context(f"{n}," for n in range(1000)))


@app.get("/file")
def file():
    return send_file(__file__)
"""

DJANGO = """
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path


def hello(request, name):
    return HttpResponse(f"Hello, {name} of {request.GET['from']}!")


def upload(request):
    data = {"size": request.FILES["file"].size, "title": request.POST["title"]}
    response = JsonResponse(data)
    response.set_cookie("seen", "yes")
    return response


settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="x",
    MIDDLEWARE=[
        "django.middleware.common.CommonMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
    ],
)
urlpatterns = [
    path("hello/<name>", hello),
    path("upload", upload),
    path("stream", lambda r: StreamingHttpResponse(f"{n}," for n in range(1000))),
    path("file", lambda r: HttpResponse(open(__file__).read())),
]
application = get_wsgi_application()
"""

FORM = (
    b'--B\r\nContent-Disposition: form-data; name="title"\r\n\r\nT\r\n'
    b'--B\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n%s\r\n--B--\r\n"
) % (b"u" * 200_000)


@pytest.mark.parametrize(
    ("worker", "parser"),
    [
        *(("sync", "httptools"), ("sync", "h11"), ("threads", "httptools")),
        *(("gevent", "httptools"), ("gevent", "h11")),
    ],
)
@pytest.mark.parametrize("source", [FLASK, DJANGO], ids=["flask", "django"])
def test_a_site_is_served(
    serve: Serve, tmp_path: Path, source: str, worker: str, parser: str
) -> None:
    """
    Queries, uploads beyond what memory takes, streams and files, on one connection.
    """
    (tmp_path / "server-0").mkdir()
    module = tmp_path / "server-0" / "site_of_the_test.py"
    module.write_text(source)
    server = serve("site_of_the_test", "-k", worker, f"--http-parser={parser}")
    connection = HTTPConnection(*server.address, timeout=LIMIT)

    connection.request("GET", "/hello/W%C3%B6rld?from=%C3%BCber")
    hello = answer_of(connection)
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    connection.request("POST", "/upload", FORM, headers)
    upload = answer_of(connection)
    connection.request("GET", "/stream")
    stream = answer_of(connection)
    connection.request("GET", "/file")
    file = answer_of(connection)
    connection.close()

    assert (200, "Hello, Wörld of über!") == (hello.status, hello.text)
    assert (200, True, True) == (
        upload.status, '"title":"T"' in upload.text.replace(" ", ""),
        '"size":200000' in upload.text.replace(" ", ""),
    )  # fmt: skip
    assert "".join(f"{n}," for n in range(1000)) == stream.text
    assert source == file.text


def test_a_parser_that_can_not_be_had_ends_the_start(serve: Serve) -> None:
    """
    It is no worker's to find out when it serves: no worker boots without.
    """
    server = serve("apps.pid:app", "--http-parser=no_such_module:Parser")

    assert 1 == server.wait_for_exit()
    assert "--http-parser 'no_such_module:Parser' can't be imported" in server.log
