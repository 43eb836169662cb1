#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the corpus of packages: some that the command packs, and ones broken in one place. Hashes
of what is broken are left as they are; the target repairs them.

Usage: package_seeds.py COMMAND [folder]     (default: corpora/package, next to this script)
"""
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent


def pack(command, source, folder):
    out = folder / 'x.het'
    subprocess.run([command, 'pack', str(source), str(out), '--quiet'], check=True,
                   stdout=subprocess.DEVNULL)
    return out.read_bytes()


def changed(data, at, value, count=4):
    return data[:at] + value.to_bytes(count, 'little') + data[at + count:]


def main():
    command = sys.argv[1]
    target = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else HERE / 'corpora/package'
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        tensors = pack(command, HERE / 'corpora/gguf/valid_tensors', work)
        blocks = pack(command, HERE / 'corpora/gguf/valid_blocks', work)
        model = work / 'model'
        (model / 'more').mkdir(parents=True)
        (model / 'config.json').write_bytes((HERE / 'corpora/config/qwen2').read_bytes())
        (model / 'model.safetensors').write_bytes(
            (HERE / 'corpora/safetensors/two').read_bytes())
        (model / 'empty').write_bytes(b'')
        (model / 'more/text').write_bytes(b'text ' * 400)
        folder = pack(command, model, work)
    segment = 96 + 16
    frame = segment + 16 * tensors[24]
    seeds = {
        'tensors': tensors, 'blocks': blocks, 'folder': folder,
        'large_blocks': changed(tensors, 16, 1 << 24),
        'broken_nothing': b'', 'broken_magic': b'HETPACK', 'broken_header': tensors[:95],
        'broken_index': tensors[:200], 'broken_data': tensors[:-1],
        'broken_version': changed(tensors, 8, 9), 'broken_kind': changed(tensors, 12, 7),
        'broken_block': changed(tensors, 16, 5000), 'broken_files': changed(tensors, 20, 2),
        'broken_segments': changed(tensors, 24, 1 << 31),
        'broken_frames': changed(tensors, 32, 1 << 59, 8),
        'broken_names': changed(tensors, 40, 1, 8),
        'broken_segment_bytes': changed(tensors, segment, 1 << 62, 8),
        'broken_width': changed(tensors, segment + 12, 8),
        'broken_packed': changed(tensors, frame, 1 << 20),
        'broken_path': folder.replace(b'more/text', b'../././a'[:8] + b'x'),
        'broken_frame': tensors[:-3] + bytes(3),
    }
    for name, content in seeds.items():
        assert len(content) < 16384
        (target / name).write_bytes(content)


if __name__ == '__main__':
    main()
