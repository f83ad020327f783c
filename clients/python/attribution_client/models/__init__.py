"""Answers of the API as frozen dataclasses, named as in its OpenAPI document."""
