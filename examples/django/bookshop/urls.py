"""Which path leads to which view."""

from django.urls import path

from bookshop import views

urlpatterns = [
    path("", views.index),
    path("books.json", views.books),
    path("books.csv", views.books_as_csv),
    path("upload", views.upload),
]
