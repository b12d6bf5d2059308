"""Hatchling's build hook: the native module, for `pip install .` and `pip install -e .` alike."""

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NATIVE_MODULE = "python/metarec/_metarec.abi3.so"


class NativeModuleHook(BuildHookInterface[Any]):
    """Builds the Swift package with this interpreter's headers and tags the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, then hand the module to the wheel. `version` is "standard" or "editable"."""
        script = Path(self.root, "python/setup/build-native")
        if subprocess.run([script, sys.executable]).returncode:
            raise SystemExit("metarec: the native module was not built; the reason is above")
        build_data["artifacts"].append(NATIVE_MODULE)
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"cp311-abi3-{platform}"
