"""Fills in what depends on the project's public address, which is written in one place.

That place is ``repository`` under ``[tool.hatch.metadata.hooks.custom]`` in pyproject.toml:
``https://github.com/OWNER/mnist_models``, or nothing as long as there is no address. With it, the
package has its URLs, and the description on a package index has links to the repository's files.
Without it, pictures are left out of that description, and links to files are plain text.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

# A link, or a picture if it begins with "!", to something within the repository.
_WITHIN = re.compile(r"(!?)\[([^\[\]]+)\]\((?![a-z]+:|#)([^)]+)\)")

# What a package index calls a URL, and where it is in the repository.
_URLS = {
    "Source": "",
    "Documentation": "/tree/HEAD/docs",
    "Changelog": "/blob/HEAD/CHANGELOG.md",
    "Issues": "/issues",
    "Security": "/blob/HEAD/SECURITY.md",
}


class CustomMetadataHook(MetadataHookInterface):
    """Fills in the URLs and the description."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Put ``urls`` and ``readme`` into the table ``project``."""
        repository = self.config.get("repository", "").rstrip("/")
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        text = description(readme, repository, tag=f"v{metadata['version']}")
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = {k: repository + v for k, v in _URLS.items()} if repository else {}


def description(readme: str, repository: str, tag: str) -> str:
    """The README with links that work anywhere: to the files as they were at a tag."""

    def link(found: re.Match[str]) -> str:
        picture, words, path = found.groups()
        if not repository:
            return "" if picture else words
        return f"{picture}[{words}]({repository}/{'raw' if picture else 'blob'}/{tag}/{path})"

    return re.sub(r"\n{3,}", "\n\n", _WITHIN.sub(link, readme))
