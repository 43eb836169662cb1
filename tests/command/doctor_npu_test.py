# SPDX-License-Identifier: Apache-2.0
"""hetinfer doctor and design packages for an NPU, over the stand-in for XRT: which cannot be used
is told with the reason, whether its manifest or its configuration is wrong, and on machines without
an NPU, too.

Usage: doctor_npu_test.py HETINFER, with the stand-in's environment.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from doctor_test import check, check_form


def report(command, designs, **more):
    """What --json says of the backend for NPUs."""
    env = {**os.environ, 'HETINFER_NPU_DESIGNS': str(designs), **more}
    env = {k: v for k, v in env.items() if v}
    out = json.loads(subprocess.run([command, 'doctor', '--json'], env=env, text=True,
                                    stdout=subprocess.PIPE, check=False).stdout)
    check_form(out)
    return next(b for b in out['backends'] if b['name'] == 'amd_xrt_npu')


def texts(backend, weight):
    return [f['text'] for f in backend['findings'] if f['weight'] == weight]


def main(command):
    good = pathlib.Path(os.environ['HETINFER_NPU_DESIGNS'])
    backend = report(command, good)
    check(backend['state'] == 'ready' and not texts(backend, 'broken'), backend)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name in ('bad', 'empty', 'wrong'):
            shutil.copytree(good / 'small-single', folder / name)
        (folder / 'bad/design.yaml').write_text('name: x\n', encoding='utf-8')
        (folder / 'empty/array.xclbin').unlink()
        with (folder / 'wrong/array.xclbin').open('a', encoding='utf-8') as file:
            file.write('wrong 1\n')
        for name, says in (('bad', "bad/design.yaml:1: the key 'xclbin' is missing"),
                           ('empty', 'empty/array.xclbin'),
                           ('wrong', 'multiplies 8 by 32 by 16 wrongly')):
            backend = report(command, f'{folder / name}:{good}')
            check(any(says in t for t in texts(backend, 'broken')), (name, backend))
        backend = report(command, folder, HETINFER_XRT_LIBRARY='')
        check(backend['state'] != 'ready' and not texts(backend, 'broken'), backend)
        check(any("the key 'xclbin' is missing" in t for t in texts(backend, 'note')), backend)
    print('ok')


if __name__ == '__main__':
    main(sys.argv[1])
