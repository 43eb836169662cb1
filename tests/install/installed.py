# SPDX-License-Identifier: Apache-2.0
"""What tests of an installed build share: installing below a folder, running, skipping."""
import glob
import json
import os
import subprocess
import sys


def run(command, **options):
    """Standard output; a command that fails ends the test."""
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False,
                            **options)
    if result.returncode != 0:
        print(f'{" ".join(command)}\nexit status {result.returncode}')
        print(result.stdout + result.stderr)
        sys.exit(1)
    return result.stdout


def skip(reason):
    print(f'skipped: {reason}')
    sys.exit(77)


def model_of(root):
    """The embedded model, or None."""
    names = ('hearth.gguf', 'hearth-draft.gguf')
    paths = [os.path.join(root, 'examples/models', name) for name in names]
    return next((path for path in paths if os.path.exists(path)), None)


class Installed:
    """A build, installed below a folder as below /."""

    def __init__(self, build, folder):
        run(['meson', 'install', '-C', build, '--no-rebuild', '--destdir', folder])
        options = json.loads(run(['meson', 'introspect', '--buildoptions', build]))
        values = {option['name']: option['value'] for option in options}
        self.root = folder
        self.prefix = values['prefix']
        self.libdir = os.path.join(self.prefix, values['libdir'])

    def path(self, *parts):
        """Where the folder has what lies there below the prefix."""
        return os.path.join(self.root + self.prefix, *parts)

    def library(self, *parts):
        """The same below the folder of libraries."""
        return os.path.join(self.root + self.libdir, *parts)

    def modules(self):
        return sorted(os.path.basename(path)
                      for path in glob.glob(self.library('hetinfer', '*.so')))
