"""For MkDocs: the pages link to files of the repository as GitHub shows them; on the site those links lead to GitHub."""

import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = re.compile(r"\]\(\.\./([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files, config):
    """Add the pictures, which CMake and README want at the top of the repository."""
    for picture in sorted((ROOT / "Resources").glob("*.png")):
        files.append(File.generated(config, f"Resources/{picture.name}", abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown, page, config, files):
    def target(link):
        path, anchor = link[1], link[2] or ""
        if path.startswith("Resources/") and path.endswith(".png"):
            return f"]({path})"
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f"]({config.repo_url}/{kind}/main/{path}{anchor})"

    return OUTSIDE.sub(target, markdown)
