"""Answers drawn: `page` writes them, `trees` gives trees their shape, `words` says what is to be said of an edge."""

from .page import Page

__all__ = ["Page"]
