# SPDX-License-Identifier: Apache-2.0
"""hetinfer doctor from outside: what it says of made-up machines, the form of its report, that this
machine's processor computes what it should, and that nothing private gets out.

    doctor_test.py COMMAND
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import doctor_trees

COLUMNS = 100
BACKENDS = ['cpu_onednn', 'opencl_igpu', 'intel_l0', 'amd_xrt_npu']
STATES = ('ready', 'no device', 'not loaded', 'not in this build')
DISTRIBUTIONS = ['debian', 'ubuntu', 'fedora', 'arch']


def check(condition, what):
    if not condition:
        sys.exit(f'failed: {what}')


class Doctor:
    def __init__(self, program, folder):
        self.program, self.folder, self.roots = program, folder, {}
        # A build without the backend for processors is not well, and says so.
        out = subprocess.run([program, 'doctor', '--json', '--no-run'], capture_output=True,
                             text=True, timeout=120).stdout
        self.usual = 1 if json.loads(out)['backends'][0]['state'] == 'not in this build' else 0

    def root(self, name):
        if name not in self.roots:
            self.roots[name] = self.folder / name
            self.roots[name].mkdir()
            doctor_trees.TREES[name](doctor_trees.Tree(self.roots[name]))
        return self.roots[name]

    def run(self, *arguments, status=None, **environment):
        status = self.usual if status is None else status
        # Folders of modules stay as they are: only what the test changes differs.
        result = subprocess.run([self.program, 'doctor', *map(str, arguments)],
                                capture_output=True, text=True, timeout=120,
                                env={**os.environ, **environment})
        check(result.returncode == status, f'{arguments}: exit status {result.returncode}, want '
              f'{status}: {result.stdout} {result.stderr}')
        return result.stdout

    def text(self, name, *more):
        out = self.run('--root', self.root(name), '--no-run', *more)
        long = [line for line in out.splitlines() if len(line) > COLUMNS]
        check(not long, f'{name}: over {COLUMNS} columns: {long}')
        return ' '.join(out.split())

    def report(self, name):
        out = json.loads(self.run('--root', self.root(name), '--no-run', '--json'))
        check_form(out)
        return out


def check_form(out):
    check(out['schema'] == 'hetinfer.doctor/1', out['schema'])
    check(list(out) == ['schema', 'release', 'system', 'hardware', 'backends', 'summary'],
          list(out))
    check([b['name'] for b in out['backends']] == BACKENDS, out['backends'])
    for piece in out['hardware']:
        check({'kind', 'physical', 'name', 'vendor_id', 'device_id', 'revision', 'driver', 'node',
               'access', 'group', 'firmware', 'state'} == set(piece), piece)
    for backend in out['backends']:
        check(backend['state'] in STATES, backend)
        for finding in backend['findings']:
            check(finding['weight'] in ('note', 'missing', 'broken'), finding)
            where = [a['distribution'] for a in finding['advice']]
            check(where == (DISTRIBUTIONS if finding['need'] != 'none' else []), finding)


def findings(report, backend):
    """{need: text} of what is missing."""
    b = next(b for b in report['backends'] if b['name'] == backend)
    return {f['need']: f for f in b['findings'] if f['weight'] != 'note'}


def a_bare_machine_needs_nothing(d):
    out = d.report('bare')
    check(out['system']['family'] == 'other' and out['system']['elsewhere'], out['system'])
    check([p['physical'] for p in out['hardware']] == ['cpu'], out['hardware'])
    state = out['hardware'][0]['state']
    check(all(v is None for k, v in state.items() if k != 'denied'), state)
    text = d.text('bare')
    for what in ('the kernel shows no GPU: nothing is missing', 'no NPU of AMD\'s',
                 'kernel unknown', 'gizmo', 'none of OpenCL, Level Zero or XRT'):
        check(what in text, (what, text))


def permission_is_missing_on_an_intel_laptop(d):
    out = d.report('intel')
    check([p['kind'] for p in out['hardware']] == ['cpu', 'igpu', 'npu'], out['hardware'])
    gpu = out['hardware'][1]
    check(gpu['access'] == 'denied' and gpu['group'] == 'render', gpu)
    check(gpu['state']['megahertz'] == 1850 and gpu['state']['watts'] is None, gpu)
    check(out['hardware'][0]['state']['denied'], out['hardware'][0])
    for backend in ('opencl_igpu', 'intel_l0'):
        missing = findings(out, backend)
        check('group' in missing and missing['group']['name'] == 'render', missing)
        check('usermod -aG render' in missing['group']['advice'][0]['command'], missing)
        check(not set(missing) & {'opencl-intel', 'level-zero-intel', 'opencl-loader', 'kernel'},
              missing)
    text = d.text('intel')
    for what in ('/dev/dri/renderD128 (no permission)', 'sudo usermod -aG render "$USER"',
                 '62 of 110 C', '1850 of 2350 MHz', 'energy: told to the administrator only',
                 'Intel NPU (Meteor Lake)): no backend drives it', 'things to put right'):
        check(what in text, (what, text))


def old_packages_and_an_old_kernel_are_named(d):
    out = d.report('intel_old')
    missing = findings(out, 'opencl_igpu')
    check('6.1.0-30-amd64 is too old' in missing['kernel']['text'], missing)
    check('6.7 or newer' in missing['kernel']['text'], missing)
    text = d.text('intel_old')
    check('Debian: sudo apt install linux-image-amd64 (of backports' in text, text)
    check('Fedora:' not in text, text)
    everywhere = d.text('intel_old', '--all')
    for name in ('Debian:', 'Ubuntu:', 'Fedora:', 'Arch:'):
        check(name in everywhere, (name, everywhere))
    root = d.root('intel_old')
    tree = doctor_trees.Tree(root)
    tree.link('sys/bus/pci/devices/0000:00:02.0/driver', '../../../bus/pci/drivers/i915')
    tree.file('sys/bus/pci/devices/0000:00:02.0/drm/renderD128/dev')
    tree.file('dev/dri/renderD128', mode=0o666)
    missing = findings(d.report('intel_old'), 'intel_l0')
    check('build 24595' in missing['level-zero-intel']['text'], missing)
    check('22.43' in missing['level-zero-intel']['text'], missing)


def an_npu_needs_a_kernel_and_xrt(d):
    out = d.report('amd_old_kernel')
    check(out['system']['family'] == 'ubuntu', out['system'])
    missing = findings(out, 'amd_xrt_npu')
    check('6.14' in missing['kernel']['text'] and 'xrt' in missing, missing)
    check(set(findings(out, 'opencl_igpu')) <= {'none', 'build-opencl'}, out)
    text = d.text('amd_old_kernel')
    for what in ('no driver', 'RUSTICL_ENABLE=radeonsi', 'linux-generic-hwe-24.04',
                 'libxrt2 libxrt-npu2', '42 % busy', '11.0 W',
                 '128.00 MiB of 512.00 MiB of its own used'):
        check(what in text, (what, text))


def an_xrt_that_is_too_old_is_named(d):
    out = d.report('xrt_old')
    npu = next(p for p in out['hardware'] if p['kind'] == 'npu')
    check(npu['access'] == 'denied' and npu['firmware'] == '1.5.5.391', npu)
    check(npu['state']['watts'] == 0.73, npu)
    missing = findings(out, 'amd_xrt_npu')
    check('XRT 2.13 is too old' in missing['xrt']['text'], missing)
    check('2.17 or newer' in missing['xrt']['text'] and 'group' in missing, missing)
    check('kernel' not in missing and 'xrt-npu-plugin' not in missing, missing)
    out = d.report('xrt_without_plugin')
    check(out['system']['tools'] == ['xrt-smi'], out['system'])
    missing = findings(out, 'amd_xrt_npu')
    check('xrt-npu-plugin' in missing and 'xrt' not in missing, missing)
    check('sudo pacman -S xrt-plugin-amdxdna' in d.text('xrt_without_plugin'), 'command of Arch')
    check('xrt' in findings(d.report('amd'), 'amd_xrt_npu'), 'XRT is not there')


def this_machine_computes_what_it_should(d):
    path = d.folder / 'report.json'
    text = d.run('--report', path)
    check(all(len(line) <= COLUMNS for line in text.splitlines()), text)
    out = json.loads(path.read_text(encoding='utf-8'))
    check_form(out)
    cpu = out['backends'][0]
    if cpu['state'] != 'ready':
        return
    tests = {t['name']: t for t in cpu['devices'][0]['tests']}
    check(set(tests) == {'product', 'graph'}, tests)
    check(all(t['result'] == 'passed' and t['run_ms'] > 0 for t in tests.values()), tests)
    check(out['summary']['well'] and out['summary']['failed'] == 0, out['summary'])
    check('ok: ' in text and 'product: right' in text, text)
    check(out['hardware'][0]['kind'] == 'cpu' and not out['system']['elsewhere'], out)


def nothing_private_gets_out(d):
    """A module that cannot be loaded lies in somebody's home: the loader's message names it."""
    home = d.folder / 'home' / 'somebody'
    home.mkdir(parents=True)
    (home / 'hetinfer-opencl_igpu.so').write_text('no library')
    out = d.run('--json', '--no-run', HOME=str(home), HETINFER_BACKEND_PATH=str(home),
                USER='somebody', LOGNAME='somebody')
    check('somebody' not in out, out)
    backend = json.loads(out)['backends'][1]
    if backend['state'] == 'not loaded':
        check('~/hetinfer-opencl_igpu.so' in backend['reason'], backend)
    for key in ('serial', 'hostname', 'user'):
        check(f'"{key}"' not in out, key)
    check('uuid:' not in out, out)


def what_cannot_be_done_is_said(d):
    d.run('--root', d.folder / 'absent', status=1)
    d.run('--report', d.folder / 'absent' / 'x.json', '--no-run', status=1)
    d.run('operand', status=2)
    d.run('--root', status=2)


def main(program):
    with tempfile.TemporaryDirectory() as folder:
        d = Doctor(program, pathlib.Path(folder))
        for case in (a_bare_machine_needs_nothing, permission_is_missing_on_an_intel_laptop,
                     old_packages_and_an_old_kernel_are_named, an_npu_needs_a_kernel_and_xrt,
                     an_xrt_that_is_too_old_is_named, this_machine_computes_what_it_should,
                     nothing_private_gets_out, what_cannot_be_done_is_said):
            case(d)
            print('ok    ', case.__name__)


if __name__ == '__main__':
    main(sys.argv[1])
