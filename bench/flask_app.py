"""A Flask view that answers JSON, apart so that only its scenario loads Flask."""

from flask import Flask, Response, jsonify

app = Flask(__name__)


@app.get("/")
def view() -> Response:
    """Answer what a small API answers."""
    return jsonify(message="Hello, world!", numbers=[1, 2, 3])
