"""The set-up scripts, run for real against a local server that offers a tiny signed toolchain."""

import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
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
class Machine:
    """A home and a PATH of their own, without Swift and Python."""

    home: Path
    environment: dict[str, str]

    @property
    def cache(self) -> Path:
        return self.home / "cache/metarec"

    def program(self, name: str, text: str) -> Path:
        """Put a shell script into the home."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def run(self, script: str, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SETUP / script, *arguments],
            env=self.environment | extra,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )

    def install(self, **extra: str) -> subprocess.CompletedProcess[str]:
        return self.run("install", str(self.home / "venv"), "test", **extra)


@dataclass
class Site:
    """A stand-in for download.swift.org and the keys, and the machine that fetches from it."""

    root: Path
    url: str
    key: Key
    machine: Machine

    @property
    def archive(self) -> Path:
        return self.root / FOLDER / f"{NAME}.tar.gz"

    def publish(self, swift: str) -> None:
        program = self.machine.program("published/swift", swift)
        self.archive.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(self.archive, "w:gz") as archive:
            archive.add(program, f"{NAME}/usr/bin/swift")
        self.key.sign(self.archive)

    def fetch(self, **extra: str) -> subprocess.CompletedProcess[str]:
        return self.machine.run("swift-toolchain", "fetch", **extra)

    def assert_refused(self, why: str, **extra: str) -> None:
        """Nothing is installed, and the reason and the lines to type are given."""
        result = self.fetch(**extra)
        assert result.returncode != 0
        assert result.stdout == ""
        assert why in result.stderr
        url = extra.get("METAREC_SWIFT_DOWNLOAD", self.url)
        assert f"curl -fLO {url}/{FOLDER}/{NAME}.tar.gz" in result.stderr
        assert list(self.machine.cache.iterdir()) == []


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Key]:
    if not all(map(shutil.which, ["gpg", "gpg-agent", "curl"])):
        pytest.skip("needs gpg (with its agent, to make a key) and curl")
    key = Key(tmp_path_factory.mktemp("key") / "ring")
    yield key
    subprocess.run(["gpgconf", "--homedir", key.home, "--kill", "all"], check=False)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    home = tmp_path / "machine"
    (home / "bin").mkdir(parents=True)
    for tool in TOOLS.split():
        if found := shutil.which(tool):
            (home / "bin" / tool).symlink_to(found)
    environment = {"PATH": f"{home}/bin", "HOME": str(home), "XDG_CACHE_HOME": f"{home}/cache"}
    return Machine(home, environment)


@pytest.fixture
def site(tmp_path: Path, key: Key, machine: Machine) -> Iterator[Site]:
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
    url = f"http://127.0.0.1:{server.server_port}"
    machine.environment |= {
        "METAREC_SWIFT_PLATFORM": "debian12",
        "METAREC_SWIFT_DOWNLOAD": url,
        "METAREC_SWIFT_KEYS": f"{url}/keys.asc",
        "METAREC_SWIFT_SIGNER": key.fingerprint,
        "no_proxy": "127.0.0.1",
    }
    site = Site(root, url, key, machine)
    site.publish("echo 'Swift version 6.3.1 (swift-6.3.1-RELEASE)'")
    yield site
    server.shutdown()
    server.server_close()


def test_signed_toolchain_is_installed_and_found_again(site: Site) -> None:
    machine = site.machine
    expected = f"{machine.cache}/{NAME}/usr/bin/swift"
    fetched = site.fetch()
    assert (fetched.returncode, fetched.stdout.strip()) == (0, expected), fetched.stderr
    assert [path.name for path in machine.cache.iterdir()] == [NAME]

    shutil.rmtree(site.root)  # nothing is fetched twice
    for again in (site.fetch(), machine.run("swift-toolchain")):
        assert (again.returncode, again.stdout.strip(), again.stderr) == (0, expected, "")


def test_changed_archive_is_refused(site: Site) -> None:
    content = bytearray(site.archive.read_bytes())
    content[len(content) // 2] ^= 1
    site.archive.write_bytes(content)
    site.assert_refused("is not signed by")


def test_signature_by_another_key_in_the_ring_is_refused(site: Site, tmp_path: Path) -> None:
    other = Key(tmp_path / "other")
    with (site.root / "keys.asc").open("a") as ring:
        ring.write(other.gpg("--armor", "--export"))
    other.sign(site.archive)
    site.assert_refused("is not signed by")


def test_by_default_only_the_swift_release_key_counts(site: Site) -> None:
    del site.machine.environment["METAREC_SWIFT_SIGNER"]
    site.assert_refused("is not signed by 52BB7E3DE28A71BE22EC05FFEF80A866B47A981F")


def test_key_that_expired_after_it_signed_still_counts(site: Site, tmp_path: Path) -> None:
    then = ("--faked-system-time", "20240916T000000")
    old = Key(tmp_path / "old", *then, expires="1d")
    old.sign(site.archive, *then)
    (site.root / "keys.asc").write_text(old.gpg("--armor", "--export"))
    fetched = site.fetch(METAREC_SWIFT_SIGNER=old.fingerprint)
    assert fetched.returncode == 0, fetched.stderr


@pytest.mark.parametrize("missing", ["keys.asc", f"{FOLDER}/{NAME}.tar.gz.sig"])
def test_what_the_server_lacks_is_named(site: Site, missing: str) -> None:
    (site.root / missing).unlink()
    site.assert_refused(f"{site.url}/{missing} could not be fetched")


def test_truncated_download_is_refused(site: Site) -> None:
    (site.root / "truncate").touch()
    site.assert_refused(f"{site.url}/{FOLDER}/{NAME}.tar.gz could not be fetched")


def test_unreachable_server_is_named(site: Site) -> None:
    nowhere = "http://127.0.0.1:9"
    site.assert_refused(f"{nowhere}/{FOLDER}", METAREC_SWIFT_DOWNLOAD=nowhere)


def test_toolchain_that_does_not_run_is_refused(site: Site) -> None:
    site.publish("exit 127")
    site.assert_refused("does not run here")


def test_platform_without_an_official_toolchain_is_named(machine: Machine) -> None:
    refused = machine.run("swift-toolchain", "fetch", METAREC_SWIFT_PLATFORM="haiku1")
    assert refused.returncode != 0
    assert "no official swift-6.3.1-RELEASE for haiku1" in refused.stderr


def test_nothing_is_fetched_unless_asked(machine: Machine) -> None:
    found = machine.run("swift-toolchain")
    assert found.returncode != 0
    assert "make install" in found.stderr
    assert not machine.cache.exists()


@pytest.mark.parametrize(
    ("version", "good"),
    [("5.10.1", False), ("6.2.9", False), ("6.3", True), ("6.10", True), ("7.0", True)],
)
def test_only_a_new_enough_swift_is_used(machine: Machine, version: str, good: bool) -> None:
    program = machine.program("bin/swift", f"echo 'Apple Swift version {version} (swiftlang)'")
    found = machine.run("swift-toolchain")
    assert found.stdout.strip() == (str(program) if good else "")
    assert (found.returncode == 0) == good


def test_swift_variable_comes_first_and_is_not_replaced_silently(machine: Machine) -> None:
    machine.program("bin/swift", "echo 'Swift version 6.3'")
    mine = str(machine.program("mine/swift", "echo 'Swift version 6.4'"))
    old = str(machine.program("old/swift", "echo 'Swift version 6.0'"))
    assert machine.run("swift-toolchain", SWIFT=mine).stdout.strip() == mine
    refused = machine.run("swift-toolchain", "fetch", SWIFT=old)
    assert refused.returncode != 0
    assert f"SWIFT={old}" in refused.stderr


@pytest.fixture
def bare(machine: Machine) -> Machine:
    """No Python, gpg, curl or root either, and an apt-get that writes down what it is asked."""
    for tool in ("gpg", "curl"):
        (machine.home / "bin" / tool).unlink(missing_ok=True)
    machine.program("bin/apt-get", f'echo "$@" >> {machine.home}/apt.log')
    machine.program("bin/dpkg-query", "exit 1")
    machine.program("bin/id", "echo 1000")
    return machine


def assert_names_what_is_needed(line: str) -> None:
    words = set(line.replace("python3.11", "python3").split())
    needed = {"python3", "python3-dev", "python3-venv", "gpg", "curl", "ca-certificates", "g++"}
    assert words >= needed | {"install", "-y"}


def test_without_rights_the_lines_to_type_are_printed(bare: Machine) -> None:
    result = bare.install()
    assert result.returncode != 0
    lines = [line.strip() for line in result.stderr.splitlines()]
    assert "sudo apt-get update" in lines
    assert_names_what_is_needed(next(s for s in lines if s.startswith("sudo apt-get install")))
    assert not (bare.home / "apt.log").exists()
    assert not (bare.home / "venv").exists()


def test_missing_packages_are_installed_through_sudo(bare: Machine) -> None:
    bare.program("bin/sudo", 'shift; exec "$@"')
    result = bare.install()
    update, install = (bare.home / "apt.log").read_text().splitlines()
    assert update.startswith("update")
    assert_names_what_is_needed(install)
    # The stand-in for apt-get brings nothing, so what comes next stops with a reason.
    assert result.returncode != 0
    assert "no usable Python: metarec needs 3.11 or newer" in result.stderr


def test_installed_packages_are_left_alone(bare: Machine) -> None:
    bare.program("bin/dpkg-query", "echo installed")
    assert "no usable Python" in bare.install().stderr
    assert not (bare.home / "apt.log").exists()


@pytest.mark.parametrize("variable", ["PYTHON", "SWIFT"])
def test_a_chosen_program_is_not_replaced_silently(bare: Machine, variable: str) -> None:
    program = str(bare.program("old/program", "exit 1"))
    result = bare.install(**{variable: program})
    assert result.returncode != 0
    assert f"{variable}={program} is not a" in result.stderr
    assert not (bare.home / "apt.log").exists()
    assert "apt-get" not in result.stderr
