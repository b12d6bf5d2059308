"""Fetching archives: resumed where they stopped, checked by their checksum, never half there."""

import hashlib
import re
import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
from http.client import HTTPException
from pathlib import Path
from typing import Any

from metarec.cache import cache_folder
from metarec.errors import DownloadError

ATTEMPTS = 3
TIMEOUT = 30.0
CHUNK = 1 << 16


def fetch_archive(url: str, name: str, cache: Path | None = None) -> Path:
    """Return the folder `name` of the zip archive at `url`, fetched if it is not in the cache.

    The archive must match the MD5 that its publisher offers at ``url + ".md5"``.

    Raises
    ------
    DownloadError
        The network or the server fails, or the archive does not match. What was received is kept
        and the next call continues there, unless it was wrong.
    """
    cache = cache_folder() if cache is None else cache
    folder = cache / name
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    checksum = _published_checksum(url + ".md5")
    part = cache / f"{name}.zip.part"
    _receive(url, part)
    found = hashlib.md5(part.read_bytes(), usedforsecurity=False).hexdigest()
    if found != checksum:
        part.unlink()
        raise DownloadError(f"{url}: expected MD5 {checksum}, got {found}; try again")
    _unpack(part, name, folder, url)
    part.unlink(missing_ok=True)
    return folder


def _published_checksum(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
            text = response.read(4096).decode("ascii", "replace")
    except (OSError, HTTPException) as error:
        raise _failed(url, error) from error
    match = re.search(r"\b[0-9a-fA-F]{32}\b", text)
    if match is None:
        raise DownloadError(f"{url}: expected an MD5 checksum, got {text[:80]!r}")
    return match[0].lower()


def _receive(url: str, part: Path) -> None:
    """Append what is missing to `part`, in several attempts as long as each brings something."""
    for attempt in range(ATTEMPTS):
        start = part.stat().st_size if part.exists() else 0
        request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                resumed = response.status == 206
                with part.open("ab" if resumed else "wb") as file:
                    shutil.copyfileobj(response, file, CHUNK)
            total = _total(response, resumed)
            if total is None or part.stat().st_size == total:
                return
            error: Exception = OSError(f"got {part.stat().st_size} of {total} bytes")
        except urllib.error.HTTPError as refused:
            # 416: nothing is missing, or the part is of another file. The checksum tells.
            if refused.code == 416:
                return
            raise _failed(url, refused) from refused
        except (OSError, HTTPException) as failed:
            error = failed
        if attempt == ATTEMPTS - 1:
            raise _failed(url, error) from error


def _total(response: Any, resumed: bool) -> int | None:
    if resumed:
        size = response.headers.get("Content-Range", "").rpartition("/")[2]
    else:
        size = response.headers.get("Content-Length", "")
    return int(size) if size.isdigit() else None


def _unpack(archive: Path, name: str, folder: Path, url: str) -> None:
    """Unpack beside `folder` and move it there in one step."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        try:
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(scratch)
            (Path(scratch) / name).rename(folder)
        except (zipfile.BadZipFile, FileNotFoundError) as error:
            raise DownloadError(
                f"{url}: expected a zip archive with a folder {name!r}; {error}"
            ) from None
        except OSError:
            if not folder.is_dir():  # Otherwise another process was faster, with the same bytes.
                raise


def _failed(url: str, error: Exception) -> DownloadError:
    reason = getattr(error, "reason", None) or error
    return DownloadError(f"{url}: {reason}; or download it by other means and give its folder")
