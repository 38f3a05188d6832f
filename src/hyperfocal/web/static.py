"""Static files: BokehJS, bundles of extensions, what an application brings along."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

__all__ = ("Folder",)


class Folder(StaticFiles):
    """A folder of files, with ETag and conditional requests.

    A request with a version (``?v=``) gets an answer that may be kept for ever; others are
    revalidated. Pages of other origins may use the files: embedding needs scripts and fonts.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory, follow_symlink=False)

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """The file, with the headers that browsers need to keep it."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        versioned = b"v=" in scope.get("query_string", b"")
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if versioned else "no-cache"
        )
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response
