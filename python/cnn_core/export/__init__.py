"""Fitted nets in other languages: `header` writes one as a C99 header."""
