"""The projects of the end-to-end tests serve here too."""

from tests.e2e.conftest import (
    project,
    project_template,
    published,
    published_template,
    tracked_template,
    unprivileged,
)

__all__ = [
    "project",
    "project_template",
    "published",
    "published_template",
    "tracked_template",
    "unprivileged",
]
