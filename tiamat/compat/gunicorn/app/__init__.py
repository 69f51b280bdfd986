"""gunicorn's package of application objects."""
