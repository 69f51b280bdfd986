"""A page, some JSON, a streamed table and an upload."""

import hashlib
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_POST

BOOKS = [
    {"title": "The Odyssey", "year": -700},
    {"title": "Don Quixote", "year": 1605},
    {"title": "Moby-Dick", "year": 1851},
]


def index(request: HttpRequest) -> HttpResponse:
    """Greet."""
    return HttpResponse("Welcome to the bookshop.\n", content_type="text/plain")


def books(request: HttpRequest) -> JsonResponse:
    """List the books."""
    return JsonResponse({"books": BOOKS})


def books_as_csv(request: HttpRequest) -> StreamingHttpResponse:
    """List the books row by row, as a long table would be."""

    def rows() -> Iterator[str]:
        yield "title,year\n"
        for book in BOOKS:
            yield f"{book['title']},{book['year']}\n"

    return StreamingHttpResponse(rows(), content_type="text/csv")


@require_POST
def upload(request: HttpRequest) -> JsonResponse:
    """Say how large a body was, and its digest, without keeping it."""
    digest, size = hashlib.sha256(), 0
    while piece := request.read(65536):
        digest.update(piece)
        size += len(piece)
    return JsonResponse({"size": size, "sha256": digest.hexdigest()})
