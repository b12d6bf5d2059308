"""Pages that lie outside docs/: the README, the notebooks, and links to and from them."""

import base64
import json
import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
#: Where files of the repository are on the site.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    **{
        f"Notebooks/{path.name}": f"notebooks/{path.stem}.md"
        for path in sorted(ROOT.glob("Notebooks/*.ipynb"))
    },
}
SOURCES = {page: source for source, page in PAGES.items()}
#: A link, or a fenced or inline piece of code, where brackets are no link.
LINK = re.compile(
    r"(?P<code>^```.*?^```|`[^`\n]+`(?!\]))"
    r"|(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)",
    re.S | re.M,
)


def on_files(files, config):
    """Add the pages, and the pictures of the notebooks."""
    for source, page in PAGES.items():
        path = ROOT / source
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            text, pictures = notebook(json.loads(text), path.stem)
            for name, content in pictures.items():
                files.append(File.generated(config, f"notebooks/{name}", content=content))
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown, page, **_):
    """Let links of the repository lead to where their targets are on the site."""
    here = page.file.src_uri
    source = SOURCES.get(here, f"docs/{here}")

    def replaced(match):
        if match["code"] or "://" in match["target"] or match["target"].startswith("#"):
            return match[0]
        target, _, anchor = match["target"].partition("#")
        if source.endswith(".ipynb") and match["image"]:
            return match[0]  # a picture of the notebook's own
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if path in PAGES:
            place = PAGES[path]
        elif path.startswith("docs/"):
            place = path.removeprefix("docs/")
        elif (ROOT / path).exists():
            return match["text"]  # not on the site, such as a source file
        else:
            return match[0]  # which the build then refuses
        link = posixpath.relpath(place, posixpath.dirname(here) or ".")
        return f"{match['image']}[{match['text']}]({link}{'#' * bool(anchor)}{anchor})"

    return LINK.sub(replaced, markdown)


def notebook(content, name):
    """Return a notebook as Markdown, and its pictures by name."""
    parts, pictures = [], {}
    for cell in content["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        shown = "\n".join(line for line in source.splitlines() if not line.startswith("%"))
        parts.append(f"```python\n{shown}\n```")
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "image/png" in data:
                picture = f"{name}-{len(pictures)}.png"
                pictures[picture] = base64.b64decode("".join(data["image/png"]))
                parts.append(f"![]({picture})")
            elif "text/html" in data:
                html = re.sub(r"<style.*?</style>", "", "".join(data["text/html"]), flags=re.S)
                parts.append(re.sub(r"\n\s*", "", html))
            else:
                text = "".join(output.get("text") or data.get("text/plain", ""))
                parts.append(f"```text\n{text.rstrip()}\n```")
    return "\n\n".join(parts) + "\n", pictures
