# SPDX-License-Identifier: Apache-2.0
"""Expected texts of chat templates: tests/vectors/templates/cases.json.

    python tests/vectors/make_templates.py [FOLDER of models' templates]

Our own templates (own.txt, between lines of '=== name') and those that models ship, over
conversations of ours, rendered by jinja2 as transformers sets it up. Of the models' templates only
the expected texts are kept, as hashes (FNV-1a, 64 bits) and lengths: the test skips them where the
folder is not there. Needs transformers.
"""
import json
import pathlib
import sys

from transformers.utils.chat_template_utils import _compile_jinja_template

HERE = pathlib.Path(__file__).resolve().parent / 'templates'
USER = {'role': 'user', 'content': 'How many legs has a spider?'}
ANSWER = {'role': 'assistant', 'content': 'Eight.'}
THOUGHT = {'role': 'assistant', 'content': '<think>\nTwo and four.\n</think>\n\nSix: it is an ant.'}
SYSTEM = {'role': 'system', 'content': '  Be brief.\n'}
MORE = {'role': 'user', 'content': ' Und ein Käfer? \n日本語 "quoted" \\ {{ x }}'}
TALKS = {
    'one': [USER],
    'system': [SYSTEM, USER],
    'turns': [USER, ANSWER, MORE],
    'system turns': [SYSTEM, USER, ANSWER, MORE],
    'thoughts': [USER, THOUGHT, MORE, THOUGHT],
    'answered': [USER, ANSWER],
    'two users': [USER, MORE],
    'no think': [{'role': 'system', 'content': 'Be brief. /no_think'}, USER, ANSWER],
}
CALL = {'type': 'function', 'function': {'name': 'legs', 'arguments': {'of': 'Käfer', 'n': 1.5}}}
TOOLS = [{'type': 'function', 'function': {'name': 'legs', 'description': 'Counts <legs> & more',
          'parameters': {'type': 'object', 'properties': {'of': {'type': 'string'}},
                         'required': []}}}]
TALKS['tool call'] = [USER, {'role': 'assistant', 'content': '', 'tool_calls': [CALL]},
                      {'role': 'tool', 'content': '6'}, {'role': 'tool', 'content': '8'}, ANSWER]


def fnv(text):
    h = 14695981039346656037
    for b in text.encode():
        h = (h ^ b) * 1099511628211 % 2**64
    return f'{h:016x}'


def render(template, messages, variables):
    """(text, None) or (None, message)"""
    try:
        return _compile_jinja_template(template).render(messages=messages, **variables), None
    except Exception as e:  # whatever a template can run into
        return None, str(e)


def own_cases():
    parts = (HERE / 'own.txt').read_text(encoding='utf-8').split('=== ')[1:]
    for part in parts:
        name, text = part.split('\n', 1)
        out, error = render(text, TALKS['system turns'],
                            {'tools': TOOLS, 'documents': None, 'add_generation_prompt': True,
                             'bos_token': '<s>', 'eos_token': '</s>'})
        yield {'template': name, 'text': text, 'messages': TALKS['system turns'], 'tools': TOOLS,
               'prompt': True, 'want': out, 'error': error}


def model_cases(folder):
    for path in sorted(folder.glob('*.jinja')):
        text = path.read_text(encoding='utf-8')
        for name, talk in TALKS.items():
            for prompt in (False, True):
                for tools in (None, TOOLS):
                    variables = {'date_string': '26 Jul 2025'}
                    out, error = render(text, talk, {
                        'tools': tools, 'documents': None, 'add_generation_prompt': prompt,
                        'bos_token': '<s>', 'eos_token': '</s>', **variables})
                    yield {'template': path.name, 'messages': talk, 'tools': tools,
                           'prompt': prompt, 'variables': variables, 'fails': error is not None,
                           'raised': fnv(error) if error and error in text else None,
                           'hash': fnv(out) if out is not None else None,
                           'bytes': len(out.encode()) if out is not None else 0}


def main():
    cases = list(own_cases())
    if len(sys.argv) > 1:
        cases += model_cases(pathlib.Path(sys.argv[1]))
    lines = ',\n'.join(json.dumps(c, ensure_ascii=False) for c in cases)
    (HERE / 'cases.json').write_text(f'[\n{lines}\n]\n', encoding='utf-8')
    errors = sum(bool(c.get('fails') or c.get('error')) for c in cases)
    print(len(cases), 'cases,', errors, 'of them errors')


if __name__ == '__main__':
    main()
