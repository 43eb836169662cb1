# SPDX-License-Identifier: Apache-2.0
"""The installed build on a machine with no vendor's package: below a root that has the C library,
what libhetinfer itself is linked to, and nothing else, no /sys, no /dev, no /proc.

    bare_test.py ROOT BUILD

Backends of vendors must say in a line what is missing, and the CPU's must give the text that it
gives outside. What oneDNN is linked to (Debian's needs the OpenCL loader) counts as oneDNN's.
Exit status 77, with the reason, where a root cannot be entered.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

from installed import Installed, model_of, run, skip

PROMPT = ['run', 'model.gguf', '-p', 'The fire', '-n', '16', '--temp', '0', '-q']
VENDORS = ('libze_loader', 'libze_intel', 'libxrt', 'libclblast', 'libpocl', 'libigc')


def needed_by(path, env):
    """Libraries that a file is linked to, however far."""
    return sorted(set(re.findall(r'(/\S+)\s+\(0x', run(['ldd', path], env=env))))


def fill(tree, program, model):
    env = dict(os.environ, LD_LIBRARY_PATH=tree.library())
    for path in needed_by(program, env):
        if any(os.path.basename(path).startswith(vendor) for vendor in VENDORS):
            print(f'{path} is a vendor\'s, and the command is linked to it')
            sys.exit(1)
        if path.startswith(tree.root):
            continue
        target = tree.root + path
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(path, target)
    shutil.copy(model, os.path.join(tree.root, 'model.gguf'))


def entering(root):
    """The command in front that makes root the root, or None."""
    for command in (['chroot', root], ['unshare', '-r', 'chroot', root]):
        try:
            tried = subprocess.run(command + ['/true'], capture_output=True, check=False)
        except OSError:
            continue
        if tried.returncode == 0:
            return command
    return None


def main(root, build):
    model = model_of(root)
    if not model:
        skip('no model under examples/models')
    with tempfile.TemporaryDirectory() as folder:
        tree = Installed(build, os.path.join(folder, 'tree'))
        program = tree.path('bin/hetinfer')
        fill(tree, program, model)
        true = shutil.copy(shutil.which('true'), os.path.join(tree.root, 'true'))
        for path in needed_by(true, None):
            os.makedirs(os.path.dirname(tree.root + path), exist_ok=True)
            shutil.copy(path, tree.root + path)
        enter = entering(tree.root)
        if not enter:
            skip('neither chroot nor unshare may enter a root here')
        bare = {'LD_LIBRARY_PATH': tree.libdir, 'LC_ALL': 'C'}
        inside = enter + [os.path.join(tree.prefix, 'bin/hetinfer')]
        report = run(inside + ['devices'], env={**os.environ, **bare})
        print(report)
        for module in tree.modules():
            backend = module.removeprefix('hetinfer-').removesuffix('.so')
            if backend != 'xrt' and backend not in report:
                print(f'nothing is said of {backend}')
                sys.exit(1)
        text = run(inside + PROMPT, env={**os.environ, **bare})
        outside = run([program] + PROMPT, cwd=tree.root,
                      env=dict(os.environ, LD_LIBRARY_PATH=tree.library()))
        print(text)
        if not text.strip() or text != outside:
            print(f'outside it says: {outside}')
            sys.exit(1)


if __name__ == '__main__':
    main(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]))
