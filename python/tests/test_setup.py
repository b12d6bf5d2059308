"""The set-up scripts, run for real against a local server that offers a tiny signed toolchain."""

import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

SETUP = Path(__file__).parents[1] / "setup"
RELEASE = "swift-6.3.1-RELEASE"
PLATFORM = "debian12" if os.uname().machine == "x86_64" else "debian12-aarch64"
NAME = f"{RELEASE}-{PLATFORM}"
FOLDER = f"swift-6.3.1-release/{PLATFORM}/{RELEASE}"
# What the scripts may find on the PATH: no swift, whatever this machine has.
TOOLS = """
    bash cat chmod curl dirname env gpg grep gzip id mkdir mktemp mv rm sed sh sort tar tr true
    uname
"""

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ["gpg", "curl"])) or os.uname().machine not in ("x86_64", "aarch64"),
    reason="needs gpg and curl, on a machine Swift is published for",
)


class Key:
    """A throw-away signing key in a key ring of its own."""

    def __init__(self, home: Path, *options: str, expires: str = "never") -> None:
        home.mkdir(mode=0o700)
        self.home = home
        generate = ("--passphrase", "", "--quick-generate-key", "Test", "ed25519", "sign", expires)
        self.gpg(*options, *generate)
        listing = self.gpg("--with-colons", "--list-keys")
        self.fingerprint = next(
            line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr")
        )

    def gpg(self, *arguments: str) -> str:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--yes", *arguments]
        return str(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def sign(self, file: Path, *options: str) -> None:
        self.gpg(*options, "--output", f"{file}.sig", "--detach-sign", str(file))


@dataclass
class Site:
    """A stand-in for download.swift.org and www.swift.org/keys, and a machine without Swift."""

    root: Path
    key: Key
    url: str
    machine: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def archive(self) -> Path:
        return self.root / FOLDER / f"{NAME}.tar.gz"

    @property
    def cache(self) -> Path:
        return self.machine / "cache/metarec"

    def publish(self, swift: str) -> None:
        program = self.machine / "published/swift"
        write_program(program, swift)
        self.archive.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(self.archive, "w:gz") as archive:
            archive.add(program, f"{NAME}/usr/bin/swift")
        self.key.sign(self.archive)

    def run(self, script: str, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SETUP / script, *arguments],
            env=self.environment | extra,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )

    def assert_refused(self, result: subprocess.CompletedProcess[str], why: str) -> None:
        assert result.returncode != 0
        assert result.stdout == ""
        assert why in result.stderr
        assert f"curl -fLO {self.environment['METAREC_SWIFT_DOWNLOAD']}/{FOLDER}/" in result.stderr
        assert list(self.cache.glob("*")) == []


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Key]:
    key = Key(tmp_path_factory.mktemp("key") / "ring")
    yield key
    subprocess.run(["gpgconf", "--homedir", key.home, "--kill", "all"], check=False)


@pytest.fixture
def site(tmp_path: Path, key: Key) -> Iterator[Site]:
    root = tmp_path / "site"
    root.mkdir()
    (root / "keys.asc").write_text(key.gpg("--armor", "--export"))

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

        def copyfile(self, source: Any, outputfile: Any) -> None:
            """Break off early where the test says so."""
            if self.path.endswith(".gz") and (root / "truncate").exists():
                outputfile.write(source.read(20))
            else:
                super().copyfile(source, outputfile)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(root)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    machine = tmp_path / "machine"
    (machine / "bin").mkdir(parents=True)
    for tool in TOOLS.split():
        if found := shutil.which(tool):
            (machine / "bin" / tool).symlink_to(found)
    url = f"http://127.0.0.1:{server.server_port}"
    site = Site(root, key, url, machine)
    site.environment = {
        "PATH": str(machine / "bin"),
        "HOME": str(machine),
        "XDG_CACHE_HOME": str(machine / "cache"),
        "METAREC_SWIFT_PLATFORM": "debian12",
        "METAREC_SWIFT_DOWNLOAD": url,
        "METAREC_SWIFT_KEYS": f"{url}/keys.asc",
        "METAREC_SWIFT_SIGNER": key.fingerprint,
        "no_proxy": "127.0.0.1",
    }
    site.publish("echo 'Swift version 6.3.1 (swift-6.3.1-RELEASE)'")
    yield site
    server.shutdown()
    server.server_close()


def test_signed_toolchain_is_installed_and_found_again(site: Site) -> None:
    expected = f"{site.cache}/{NAME}/usr/bin/swift"
    fetched = site.run("swift-toolchain", "fetch")
    assert (fetched.returncode, fetched.stdout.strip()) == (0, expected), fetched.stderr
    assert [path.name for path in site.cache.iterdir()] == [NAME]

    shutil.rmtree(site.root)  # nothing is fetched twice
    for arguments in ([], ["fetch"]):
        found = site.run("swift-toolchain", *arguments)
        assert (found.returncode, found.stdout.strip(), found.stderr) == (0, expected, "")


def test_nothing_is_fetched_unless_asked(site: Site) -> None:
    found = site.run("swift-toolchain")
    assert found.returncode != 0
    assert "make install" in found.stderr
    assert not site.cache.exists()


def test_changed_archive_is_refused(site: Site) -> None:
    content = bytearray(site.archive.read_bytes())
    content[len(content) // 2] ^= 1
    site.archive.write_bytes(content)
    site.assert_refused(site.run("swift-toolchain", "fetch"), "is not signed by")


def test_signature_by_another_key_in_the_ring_is_refused(site: Site, tmp_path: Path) -> None:
    other = Key(tmp_path / "other")
    with (site.root / "keys.asc").open("a") as ring:
        ring.write(other.gpg("--armor", "--export"))
    other.sign(site.archive)
    site.assert_refused(site.run("swift-toolchain", "fetch"), "is not signed by")


def test_by_default_only_the_swift_release_key_counts(site: Site) -> None:
    del site.environment["METAREC_SWIFT_SIGNER"]
    refused = site.run("swift-toolchain", "fetch")
    site.assert_refused(refused, "is not signed by 52BB7E3DE28A71BE22EC05FFEF80A866B47A981F")


@pytest.mark.parametrize("missing", ["keys.asc", f"{FOLDER}/{NAME}.tar.gz.sig"])
def test_what_the_server_lacks_is_named(site: Site, missing: str) -> None:
    (site.root / missing).unlink()
    refused = site.run("swift-toolchain", "fetch")
    site.assert_refused(refused, f"{site.url}/{missing} could not be fetched")


def test_truncated_download_is_refused(site: Site) -> None:
    (site.root / "truncate").touch()
    site.assert_refused(site.run("swift-toolchain", "fetch"), "could not be fetched")


def test_unreachable_server_is_named(site: Site) -> None:
    site.environment["METAREC_SWIFT_DOWNLOAD"] = "http://127.0.0.1:9"
    refused = site.run("swift-toolchain", "fetch")
    site.assert_refused(refused, "http://127.0.0.1:9")


def test_toolchain_that_does_not_run_is_refused(site: Site) -> None:
    site.publish("exit 127")
    site.assert_refused(site.run("swift-toolchain", "fetch"), "does not run here")


def test_platform_without_an_official_toolchain_is_named(site: Site) -> None:
    refused = site.run("swift-toolchain", "fetch", METAREC_SWIFT_PLATFORM="haiku1")
    assert refused.returncode != 0
    assert "no official swift-6.3.1-RELEASE for haiku1" in refused.stderr


@pytest.mark.parametrize(
    ("version", "good"),
    [("5.10.1", False), ("6.2.9", False), ("6.3", True), ("6.10", True), ("7.0", True)],
)
def test_only_a_new_enough_swift_on_the_path_is_used(site: Site, version: str, good: bool) -> None:
    program = site.machine / "bin/swift"
    write_program(program, f"echo 'Apple Swift version {version} (swiftlang)'")
    found = site.run("swift-toolchain")
    assert found.stdout.strip() == (str(program) if good else "")
    assert (found.returncode == 0) == good


def test_swift_variable_comes_first_and_is_not_replaced_silently(site: Site) -> None:
    mine, old = site.machine / "mine/swift", site.machine / "old/swift"
    write_program(mine, "echo 'Swift version 6.4'")
    write_program(old, "echo 'Swift version 6.0'")
    write_program(site.machine / "bin/swift", "echo 'Swift version 6.3'")
    assert site.run("swift-toolchain", SWIFT=str(mine)).stdout.strip() == str(mine)
    refused = site.run("swift-toolchain", "fetch", SWIFT=str(old))
    assert refused.returncode != 0
    assert f"SWIFT={old}" in refused.stderr


def test_key_that_expired_after_it_signed_still_counts(site: Site, tmp_path: Path) -> None:
    then = ("--faked-system-time", "20240916T000000")
    old = Key(tmp_path / "old", *then, expires="1d")
    old.sign(site.archive, *then)
    (site.root / "keys.asc").write_text(old.gpg("--armor", "--export"))
    fetched = site.run("swift-toolchain", "fetch", METAREC_SWIFT_SIGNER=old.fingerprint)
    assert fetched.returncode == 0, fetched.stderr


@pytest.fixture
def bare(site: Site) -> Site:
    """A machine without Python, Swift, gpg and curl, whose apt-get writes down what it is asked."""
    programs = site.machine / "bin"
    for tool in ("gpg", "curl", "id"):
        (programs / tool).unlink()
    write_program(programs / "apt-get", f'echo "$@" >> {site.machine}/apt.log')
    write_program(programs / "dpkg-query", "exit 1")
    write_program(programs / "id", "echo 1000")
    return site


NEEDED = {"python3", "python3-dev", "python3-venv", "gpg", "curl", "ca-certificates", "g++"}


def test_without_rights_the_lines_to_type_are_printed(bare: Site) -> None:
    result = bare.run("install", str(bare.machine / "venv"), "test")
    assert result.returncode != 0
    line = next(s for s in result.stderr.splitlines() if "sudo apt-get install -y" in s)
    assert set(line.replace("python3.11", "python3").split()) >= NEEDED
    assert not (bare.machine / "apt.log").exists()
    assert not (bare.machine / "venv").exists()


def test_missing_packages_are_installed_through_sudo(bare: Site) -> None:
    write_program(bare.machine / "bin/sudo", 'shift; exec "$@"')
    result = bare.run("install", str(bare.machine / "venv"), "test")
    update, install = (bare.machine / "apt.log").read_text().splitlines()
    assert update.startswith("update")
    assert set(install.replace("python3.11", "python3").split()) >= NEEDED | {"install", "-y"}
    # The stand-in for apt-get brings nothing, so what comes next stops with a reason.
    assert result.returncode != 0
    assert "no usable Python: metarec needs 3.11 or newer" in result.stderr


def test_installed_packages_are_left_alone(bare: Site) -> None:
    write_program(bare.machine / "bin/dpkg-query", "echo installed")
    result = bare.run("install", str(bare.machine / "venv"), "test")
    assert "no usable Python" in result.stderr
    assert not (bare.machine / "apt.log").exists()


def test_python_variable_is_not_replaced_silently(bare: Site) -> None:
    write_program(bare.machine / "old/python3", "exit 1")
    python = f"{bare.machine}/old/python3"
    result = bare.run("install", str(bare.machine / "venv"), "test", PYTHON=python)
    assert result.returncode != 0
    assert f"PYTHON={python}" in result.stderr
    assert not (bare.machine / "apt.log").exists()
