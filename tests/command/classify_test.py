# SPDX-License-Identifier: Apache-2.0
"""examples/classify from outside: the digits that are drawn here are the digits that it names, in
all forms of pictures and with all options; what is wrong ends with one line and the right status.

    classify_test.py COMMAND ROOT
"""
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib

NAMES = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


def png(rows, colour, samples):
    """A picture from rows of brightness in [0, 1]; samples: bytes of one pixel."""
    lines = b''.join(b'\0' + b''.join(samples(x) for x in row) for row in rows)

    def chunk(kind, data):
        body = kind + data
        return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))

    depth = 16 if colour == 'grey16' else 8
    kind = {'grey': 0, 'grey16': 0, 'rgb': 2, 'rgba': 6}[colour]
    header = struct.pack('>IIBBBBB', len(rows[0]), len(rows), depth, kind, 0, 0, 0)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) +
            chunk(b'IDAT', zlib.compress(lines)) + chunk(b'IEND', b''))


def byte(x):
    return bytes([round(255 * x)])


class Classify:
    def __init__(self, program, root, folder):
        self.program, self.root, self.folder = program, root, folder
        self.model = os.path.join(root, 'examples/models/digits-conv.onnx')
        sys.path.insert(0, os.path.join(root, 'tests/models'))
        sys.dont_write_bytecode = True
        import draw_digits
        self.draw = draw_digits.draw

    def file(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, 'wb') as f:
            f.write(data)
        return path

    def digit(self, digit, size=64):
        return self.file('digit.png', png(self.draw(digit, size), 'grey', byte))

    def run(self, *arguments, status=0):
        """Lines of standard output; standard error stays in self.stderr."""
        result = subprocess.run([self.program, *map(str, arguments)], capture_output=True,
                                timeout=120)
        self.stderr = result.stderr.decode(errors='replace')
        check(result.returncode == status, f'{arguments}: exit status {result.returncode}, want '
              f'{status}: {self.stderr}')
        return result.stdout.decode(errors='replace').splitlines()

    def best(self, *arguments):
        line = self.run(*arguments)[0]
        match = re.fullmatch(r' *(\d+\.\d\d) %  (.*)', line)
        check(match, f'line {line!r}')
        return match[2]


def digits_are_seen(c):
    for name in ('digits-conv', 'digits-vit', 'digits-conv-int8'):
        model = os.path.join(c.root, f'examples/models/{name}.onnx')
        for digit in range(10):
            best = c.best(model, c.digit(digit))
            check(best == f'class {digit}', f'{name}: {digit} is {best}')


def the_pictures_beside_it_are_seen(c):
    for name, digit in (('seven.png', 7), ('three.jpg', 3)):
        best = c.best(c.model, os.path.join(c.root, 'examples/classify', name))
        check(best == f'class {digit}', f'{name} is {best}')


def forms_of_pictures_do_not_matter(c):
    rows = c.draw(5, 64)
    pictures = {
        'rgb': png(rows, 'rgb', lambda x: byte(x) * 3),
        'rgba': png(rows, 'rgba', lambda x: byte(x) * 3 + b'\xff'),
        'grey16': png(rows, 'grey16', lambda x: struct.pack('>H', round(65535 * x))),
        'small': png(c.draw(5, 8), 'grey', byte),
        'large': png(c.draw(5, 300), 'grey', byte),
        'wide': png([[0] * 40 + row + [0] * 40 for row in rows], 'grey', byte),
    }
    for form, data in pictures.items():
        best = c.best(c.model, c.file('form.png', data))
        check(best == 'class 5', f'{form}: {best}')


def options_do_what_they_say(c):
    labels = c.file('labels.txt', '\r\n'.join(NAMES[:9]).encode())
    check(c.best(c.model, c.digit(4), '--labels', labels) == 'four', 'no label')
    check(c.best(c.model, c.digit(9), '--labels', labels) == 'class 9', 'a class without label')
    lines = c.run(c.model, c.digit(2), '--top', 3)
    shares = [float(line.split()[0]) for line in lines]
    check(len(lines) == 3 and shares == sorted(shares, reverse=True), f'{lines}')
    lines = c.run(c.model, c.digit(2), '--top', 50, '--threads', 1)
    total = sum(float(line.split()[0]) for line in lines)
    check(len(lines) == 10 and abs(total - 100) < 0.1, f'{total} in {len(lines)} lines')
    dark = c.file('dark.png', png([[1 - x for x in row] for row in c.draw(6, 64)], 'grey', byte))
    check(c.best(c.model, dark, '--mean', 1, '--std', '-1') == 'class 6', 'dark on bright')
    check(c.best(c.model, c.digit(6), '--scale', 1, '--std', '255,255,255') == 'class 6', 'scale')
    check(c.best(c.model, c.digit(8), '--devices', 'ref', '--bgr') == 'class 8', 'devices')
    check(c.run('--help')[0].startswith('usage:'), 'no usage')


def usage_errors_exit_2(c):
    for arguments in ([], [c.model], [c.model, 'x', 'y'], [c.model, 'x', '--top'],
                      [c.model, 'x', '--top', '0'], [c.model, 'x', '--top', '3x'],
                      [c.model, 'x', '--mean', '1,2'], [c.model, 'x', '--mean', '1,2,3,4'],
                      [c.model, 'x', '--mean', 'nan'], [c.model, 'x', '--std', '0'],
                      [c.model, 'x', '--scale', ''], [c.model, 'x', '--nonsense', '1'],
                      [c.model, 'x', '--size', '-1']):
        out = c.run(*arguments, status=2)
        check(not out and c.stderr, f'{arguments}: a usage error goes to stderr alone')


def failures_exit_1(c):
    picture, absent = c.digit(1), os.path.join(c.folder, 'absent')
    with open(picture, 'rb') as f:
        half = f.read()[:150]
    with open(c.model, 'rb') as f:
        broken = c.file('broken.onnx', f.read()[:5000])
    language = os.path.join(c.root, 'examples/models/hearth-draft.gguf')
    for arguments in ([absent, picture], [c.model, absent], [c.model, c.folder], [broken, picture],
                      [c.model, c.file('half.png', half)], [c.model, c.file('empty.png', b'')],
                      [c.model, c.file('text.png', b'not a picture')], [language, picture],
                      [c.model, picture, '--labels', absent],
                      [c.model, picture, '--devices', 'nonsense']):
        out = c.run(*arguments, status=1)
        check(not out and len(c.stderr.splitlines()) == 1, f'{arguments}: {c.stderr!r}')


CASES = [digits_are_seen, the_pictures_beside_it_are_seen, forms_of_pictures_do_not_matter,
         options_do_what_they_say, usage_errors_exit_2, failures_exit_1]


def main(program, root):
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            try:
                case(Classify(program, root, folder))
                print(f'ok     {case.__name__}')
            except (Failure, subprocess.TimeoutExpired, OSError) as error:
                failed += 1
                print(f'FAILED {case.__name__}: {error!r}')
    print(f'{len(CASES)} cases, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], sys.argv[2]))
