# SPDX-License-Identifier: Apache-2.0
"""A decode step of the embedded model and a small network through Intel's own driver without a GPU.

    capture.sh python3 capture_model.py HETINFER MODELS BUILDER [BACKEND]

With HETINFER_TEST_LONG also ResNet-50 at 224 pixels with random weights, which BUILDER
(tests/models/onnx_build.py) makes.

Run in a folder of its own by capture.sh, whose environment makes the driver record what it is
given. NOTHING EXECUTES: results are whatever the memory held, and are not looked at. What is shown
is that the driver takes every kernel, list and wait of these runs, up to the end of the process.
"""
import json
import os
import struct
import subprocess
import sys


def write_image(path, channels=1, size=8):
    """Zeros of an image as a .npy file."""
    head = ("{'descr': '<f4', 'fortran_order': False, 'shape': "
            f"(1, {channels}, {size}, {size}), }}")
    head += ' ' * (63 - (10 + len(head)) % 64) + '\n'
    with open(path, 'wb') as file:
        file.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode())
        file.write(bytes(4 * channels * size * size))


def submitted(path, backend):
    """Programs that the device was given, by a trace."""
    with open(path, encoding='utf-8') as file:
        events = json.load(file)['traceEvents']
    own = {e['tid'] for e in events if e['name'] == 'thread_name'
           and e['args']['name'].startswith(backend + ':')}
    return [e for e in events if e.get('cat') == 'program' and e['tid'] in own]


def run(what, backend, command):
    trace = what + '.json'
    done = subprocess.run(command + ['--devices', backend, '--trace', trace],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          check=False)
    problem = None
    programs = []
    if done.returncode != 0:
        problem = f'exit status {done.returncode}'
    elif 'going on with' in done.stderr:
        problem = 'the device failed'
    else:
        programs = submitted(trace, backend)
        if not programs:
            problem = 'nothing was submitted'
    if problem:
        print(f'FAILED {what}: {problem}\n{done.stderr}', flush=True)
        # Why a backend has no device, such as a module of another build, stands here only.
        subprocess.run([command[0], 'devices'], check=False)
        return 1
    nodes = sum(e['args'].get('nodes', 0) for e in programs)
    print(f'ok     {what}: {len(programs)} programs of {nodes} operations submitted, '
          'NOTHING EXECUTED')
    return 0


def run_resnet(hetinfer, builder, backend):
    subprocess.run([sys.executable, builder, '.', 'resnet50'], check=True,
                   stdout=subprocess.DEVNULL)
    write_image('photo.npy', 3, 224)
    return run('ResNet-50', backend, [hetinfer, 'exec', 'resnet50.onnx', '--in', 'image=photo.npy'])


def main(hetinfer, models, builder, backend='intel_l0'):
    found = subprocess.run([hetinfer, 'devices'], stdout=subprocess.PIPE, text=True, check=False)
    if 'Intel(R)' not in found.stdout:
        print("skipped: Intel's driver offers no device here")
        print(found.stdout)
        return 77
    model = 'hearth.gguf' if os.environ.get('HETINFER_TEST_LONG') else 'hearth-draft.gguf'
    write_image('image.npy')
    status = run('network', backend, [hetinfer, 'exec', os.path.join(models, 'digits-conv.onnx'),
                                      '--in', 'image=image.npy'])
    status |= run('model', backend, [hetinfer, 'run', os.path.join(models, model), '-p', 'Once',
                                     '-n', '2', '-c', '64', '--temp', '0', '--ignore-eos'])
    if os.environ.get('HETINFER_TEST_LONG'):
        status |= run_resnet(hetinfer, builder, backend)
    return status


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
