# SPDX-License-Identifier: Apache-2.0
"""What the public headers declare: functions with their comments, and structs with their fields.

Reads the house form only: HET_API starts a declaration, a doc comment ends right before it, and
structs are written as `typedef struct name { … } name;`.
"""
import pathlib
import re

FUNCTION = re.compile(
    r'(/\*\*(?:(?!\*/).)*?\*/)?\s*^HET_API\b([^;]*?)\b(het_\w+)\s*\(', re.S | re.M)
STRUCT = re.compile(r'typedef struct (het_\w+) \{(.*?)^\} \1;', re.S | re.M)
COMMENT = re.compile(r'/\*.*?\*/', re.S)
ENUM = re.compile(r'typedef enum (het_\w+) \{(.*?)^\} \1;', re.S | re.M)


def files(root):
    include = pathlib.Path(root) / 'include'
    return [include / 'hetinfer.h'] + sorted((include / 'hetinfer').glob('*.h'))


def functions(root):
    """[(name, header, doc comment or '')]"""
    found = []
    for path in files(root):
        for match in FUNCTION.finditer(path.read_text(encoding='utf-8')):
            found.append((match[3], path.name, match[1] or ''))
    return found


def structs(root):
    """{name: [field, …]} in order of declaration."""
    found = {}
    for path in files(root):
        for match in STRUCT.finditer(path.read_text(encoding='utf-8')):
            fields = []
            for line in COMMENT.sub('', match[2]).split(';'):
                pointer = re.search(r'\(\*(\w+)\)\s*\(', line)
                if pointer:
                    fields.append(pointer[1])
                elif line.strip():
                    # One declaration may name several fields.
                    for part in line.split(','):
                        fields.append(re.search(r'(\w+)\s*(?:\[[^\]]*\]\s*)*$', part.strip())[1])
            found[match[1]] = fields
    return found


def enums(root):
    """{name: [constant, …]}"""
    found = {}
    for path in files(root):
        for match in ENUM.finditer(path.read_text(encoding='utf-8')):
            found[match[1]] = re.findall(r'\b(HET_\w+)\s*=', COMMENT.sub('', match[2]))
    return found
