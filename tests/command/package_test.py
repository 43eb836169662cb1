# SPDX-License-Identifier: Apache-2.0
"""hetinfer pack and unpack from outside: the same bytes, the same text, both forms of output, names
of targets, exit statuses, and that nothing is left behind by a failure.

    package_test.py COMMAND ROOT
"""
import json
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile


def check(condition, what):
    if not condition:
        sys.exit(f'failed: {what}')


class Command:
    def __init__(self, program):
        self.program = pathlib.Path(program).resolve()

    def run(self, *arguments, status=0, limit=None, cwd=None):
        def limited():
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        result = subprocess.run([self.program, *map(str, arguments)], capture_output=True,
                                text=True, timeout=100, preexec_fn=limited, cwd=cwd)
        check(result.returncode == status,
              f'{arguments}: exit status {result.returncode}, want {status}: {result.stderr}')
        self.stderr = result.stderr
        return result.stdout

    def json(self, command, *arguments):
        root = json.loads(self.run(command, *arguments, '--json', '--quiet'))
        check(root['schema'] == f'hetinfer.{command}/1', root['schema'])
        return root


def gguf(c, model, folder):
    package = folder / 'm.het'
    root = c.json('pack', model, package)
    check(root['kind'] == 'gguf' and root['file_count'] == 1, root)
    check(root['content_bytes'] == model.stat().st_size, root)
    check(root['package_bytes'] == package.stat().st_size, root)
    check(0.5 < root['ratio'] < 0.7, root)
    check(c.json('unpack', package, '--check')['target'] is None, 'check has a target')
    check('all checksums are right' in c.run('unpack', package, '--check'), 'no sentence')
    c.run('unpack', package, folder / 'back.gguf')
    check((folder / 'back.gguf').read_bytes() == model.read_bytes(), 'other bytes')
    ask = ('-p', 'The fire', '-n', '8', '--temp', '0', '--quiet')
    check(c.run('run', package, *ask) == c.run('run', model, *ask), 'other text')
    check(c.run('inspect', package) == c.run('inspect', model), 'other description')
    # Levels and threads: the first may change bytes, the second not.
    for options in (('--level', '1'), ('--level', '9'), ('-t', '1'), ('-t', '3')):
        c.run('pack', model, folder / 'n.het', *options)
        if options[0] == '-t':
            check((folder / 'n.het').read_bytes() == package.read_bytes(), options)
        c.run('unpack', '--check', folder / 'n.het')


def targets(c, model, folder):
    place = folder / 'place'
    place.mkdir()
    shutil.copy(model, place / 'a.gguf')
    c.run('pack', 'a.gguf', cwd=place)
    (place / 'a.gguf').unlink()
    c.run('unpack', 'a.het', cwd=place)
    check(sorted(p.name for p in place.iterdir()) == ['a.gguf', 'a.het'], list(place.iterdir()))
    files = folder / 'files'
    (files / 'deep').mkdir(parents=True)
    (files / 'config.json').write_text('{"model_type":"llama"}')
    (files / 'deep/x').write_text('x' * 3000)
    c.run('pack', 'files/', cwd=folder)
    c.run('unpack', 'files.het', 'again', cwd=folder)
    check((folder / 'again/deep/x').read_text() == 'x' * 3000, 'other text of a file')
    c.run('unpack', 'files.het', cwd=folder, status=1)
    check('is there already' in c.stderr, c.stderr)


def failures(c, model, folder):
    package = folder / 'm.het'
    c.run('pack', status=2)
    c.run('pack', model, folder / 'x', folder / 'y', status=2)
    c.run('pack', model, folder / 'x', '--level', '30', status=2)
    c.run('unpack', package, folder / 'x', '--check', status=2)
    c.run('pack', folder / 'none', folder / 'x', status=1)
    c.run('unpack', model, folder / 'x', status=1)
    check('not a package' in c.stderr, c.stderr)
    c.run('pack', model, folder / 'x', limit=65536, status=1)
    check('make room' in c.stderr, c.stderr)
    data = bytearray(package.read_bytes())
    data[-100] ^= 4
    (folder / 'bad.het').write_bytes(data)
    for arguments in (('unpack', '--check', folder / 'bad.het'),
                      ('unpack', folder / 'bad.het', folder / 'x'),
                      ('run', folder / 'bad.het', '-p', 'a')):
        c.run(*arguments, status=1)
        check('corrupt' in c.stderr and 'tensor ' in c.stderr, c.stderr)
    check(not (folder / 'x').exists() and not (folder / 'x.tmp').exists(), 'something is left')


def main():
    c = Command(sys.argv[1])
    model = pathlib.Path(sys.argv[2]) / 'examples/models/hearth.gguf'
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        probe = subprocess.run([c.program, 'pack', model, folder / 'p.het'], capture_output=True,
                               text=True)
        if 'without zstd' in probe.stderr:
            print('skipped: built without zstd')
            sys.exit(77)
        gguf(c, model, folder)
        targets(c, model, folder)
        failures(c, model, folder)
    print('ok')


if __name__ == '__main__':
    main()
