"""A FastAPI view that answers JSON, apart so that only its scenario loads FastAPI."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def view() -> dict[str, object]:
    """Answer what a small API answers."""
    return {"message": "Hello, world!", "numbers": [1, 2, 3]}
