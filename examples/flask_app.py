"""A small Flask application: ``tiamat examples.flask_app:app``."""

from flask import Flask, Response, jsonify, request

app = Flask(__name__)


@app.get("/")
def index() -> str:
    """Greet whoever came, by name if there is one in the query."""
    return f"Hello, {request.args.get('name', 'world')}!\n"


@app.get("/json")
def numbers() -> Response:
    """Answer what an API answers."""
    return jsonify(message="Hello, world!", numbers=list(range(10)))


@app.post("/echo")
def echo() -> Response:
    """Send the body back as it came."""
    return Response(request.get_data(), mimetype=request.mimetype or "text/plain")
