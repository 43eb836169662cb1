# SPDX-License-Identifier: Apache-2.0
"""Install, then do what a stranger would do: find the library by pkg-config, build hello.c, run it.

    install_test.py ROOT BUILD COMPILER…

Exit status 77, with the reason, where the embedded model or the tools are absent.
"""
import os
import shutil
import subprocess
import sys
import tempfile

WARNINGS = ['-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Werror']


def run(command, **options):
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, **options)
    if result.returncode != 0:
        print(f'{" ".join(command)}\nexit status {result.returncode}')
        print(result.stdout + result.stderr)
        sys.exit(1)
    return result.stdout


def skip(reason):
    print(f'skipped: {reason}')
    sys.exit(77)


def install(root, build, prefix):
    """Into a prefix of its own, from a build folder that stays as it is."""
    options = ['--prefix', prefix, '--libdir', 'lib', '-Dtests=false', '-Dbuildtype=release']
    run(['meson', 'setup', build, root] + options)
    run(['meson', 'compile', '-C', build])
    run(['meson', 'install', '-C', build, '--no-rebuild'])


def check_files(prefix):
    wanted = ['include/hetinfer.h', 'include/hetinfer/base.h', 'lib/libhetinfer.so',
              'lib/libhetinfer.a', 'lib/pkgconfig/hetinfer.pc']
    missing = [name for name in wanted if not os.path.exists(os.path.join(prefix, name))]
    if missing:
        print('not installed:', ', '.join(missing))
        sys.exit(1)
    # Backends of vendors' libraries are files of their own; the library needs none to start.
    print('modules:', ', '.join(sorted(os.listdir(os.path.join(prefix, 'lib/hetinfer'))))
          if os.path.isdir(os.path.join(prefix, 'lib/hetinfer')) else 'none')
    needed = run(['readelf', '-d', os.path.join(prefix, 'lib/libhetinfer.so')])
    if 'libOpenCL' in needed or 'libze_loader' in needed:
        print('the library needs a vendor\'s library to start')
        sys.exit(1)


def check_program(program, model, env):
    text = run([program, model, 'Once upon a time'], env=env)
    if not text.strip():
        print('hello printed nothing')
        sys.exit(1)
    print(f'hello: {text.strip()[:200]}')
    if shutil.which('valgrind'):
        run(['valgrind', '--error-exitcode=9', '--leak-check=full', '--quiet', program, model,
             'Once'], env=env)
        print('valgrind: clean')


def main(root, compiler):
    for tool in ('meson', 'pkg-config'):
        if not shutil.which(tool):
            skip(f'{tool} is not installed')
    models = [os.path.join(root, 'examples/models', name)
              for name in ('hearth.gguf', 'hearth-draft.gguf')]
    model = next((path for path in models if os.path.exists(path)), None)
    with tempfile.TemporaryDirectory() as folder:
        prefix = os.path.join(folder, 'prefix')
        install(root, os.path.join(folder, 'build'), prefix)
        check_files(prefix)
        env = dict(os.environ, PKG_CONFIG_PATH=os.path.join(prefix, 'lib/pkgconfig'),
                   LD_LIBRARY_PATH=os.path.join(prefix, 'lib'), LC_ALL='C')
        # As a stranger would: nothing of the source tree on the include path.
        flags = run(['pkg-config', '--cflags', '--libs', 'hetinfer'], env=env).split()
        source = shutil.copy(os.path.join(root, 'examples/hello.c'), folder)
        program = os.path.join(folder, 'hello')
        run(compiler + WARNINGS + [source, '-o', program] + flags, env=env)
        static = run(['pkg-config', '--cflags', '--libs', '--static', 'hetinfer'], env=env).split()
        run(compiler + WARNINGS + [source, '-o', program + '-static'] + static, env=env)
        if not model:
            skip('installed, compiled and linked; no model under examples/models')
        check_program(program, model, env)


if __name__ == '__main__':
    main(os.path.abspath(sys.argv[1]), sys.argv[2:])
