"""For every test: the same examples each time, unless `--hypothesis-profile=soak` asks for new and more ones."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("seeded", derandomize=True, deadline=None, database=None)
settings.register_profile("soak", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile("seeded")
