/* SPDX-License-Identifier: Apache-2.0 */
/* getopt_long() from a table, with numbers checked as they are read: a value that is not a number,
 * or out of range, is a usage error here and never reaches the library. */
#include "options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* getopt_long() returns this plus the index of the entry. */
#define ENTRY_BASE 1000
#define HELP 999

int usage_error(const char *command, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fprintf(stderr, "hetinfer %s: ", command);
    vfprintf(stderr, format, list);
    fprintf(stderr, "; see 'hetinfer %s --help'\n", command);
    va_end(list);
    return STATUS_USAGE;
}

void options_begin(options *o, const char *command, const char *operand, const char *summary)
{
    memset(o, 0, sizeof *o);
    o->command = command;
    o->operand = operand;
    o->summary = summary;
}

static option_entry *add(options *o, option_kind kind, const char *name, char letter, void *target,
                         const char *value, const char *help)
{
    assert(o->count < OPTIONS_MAX);
    option_entry *e = &o->at[o->count++];
    *e = (option_entry){ .name = name, .value = value, .help = help, .target = target,
                         .kind = kind, .letter = letter };
    return e;
}

void options_flag(options *o, const char *name, char letter, bool *target, const char *help)
{
    add(o, OPTION_FLAG, name, letter, target, NULL, help);
}

void options_text(options *o, const char *name, char letter, const char **target,
                  const char *value, const char *help)
{
    add(o, OPTION_TEXT, name, letter, (void *)target, value, help);
}

void options_texts(options *o, const char *name, texts *target, const char *value,
                   const char *help)
{
    add(o, OPTION_TEXTS, name, 0, target, value, help);
}

void options_choice(options *o, const char *name, int *target, const char *value,
                    const char *help)
{
    add(o, OPTION_CHOICE, name, 0, target, value, help);
}

void options_int(options *o, const char *name, char letter, int64_t *target, int64_t min,
                 int64_t max, const char *value, const char *help)
{
    option_entry *e = add(o, OPTION_INT, name, letter, target, value, help);
    e->min = (double)min;
    e->max = (double)max;
}

void options_number(options *o, const char *name, double *target, double min, double max,
                    const char *value, const char *help)
{
    option_entry *e = add(o, OPTION_NUMBER, name, 0, target, value, help);
    e->min = min;
    e->max = max;
}

void options_list(options *o, const char *name, char letter, numbers *target, int64_t min,
                  int64_t max, const char *help)
{
    option_entry *e = add(o, OPTION_LIST, name, letter, target, "LIST", help);
    e->min = (double)min;
    e->max = (double)max;
}

static void print_help(const options *o)
{
    printf("usage: hetinfer %s%s%s [option ...]\n\n%s\n\noptions:\n", o->command,
           o->operand ? " " : "", o->operand ? o->operand : "", o->summary);
    for (size_t i = 0; i < o->count; i++) {
        const option_entry *e = &o->at[i];
        char left[80];
        const int n = e->letter ? snprintf(left, sizeof left, "-%c, ", e->letter)
                          : snprintf(left, sizeof left, "    ");
        snprintf(left + n, sizeof left - (size_t)n, "--%s%s%s", e->name, e->value ? " " : "",
                 e->value ? e->value : "");
        printf("  %-30s %s\n", left, e->help);
    }
    printf("  %-30s %s\n", "-h, --help", "Show this text");
}

static bool read_choice(const option_entry *e, const char *text, int *index)
{
    const size_t length = strlen(text);
    int i = 0;
    for (const char *at = e->value; at; at = strchr(at, '|'), i++) {
        at += *at == '|';
        if (length == strcspn(at, "|") && strncmp(at, text, length) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

static int read_number(const options *o, const option_entry *e, const char *text)
{
    char *end = NULL;
    double value;
    errno = 0;
    if (e->kind == OPTION_INT) {
        const long long whole = strtoll(text, &end, 10);
        value = (double)whole;
        if (end != text && *end == '\0' && errno == 0 && value >= e->min && value <= e->max) {
            *(int64_t *)e->target = whole;
            return STATUS_GO;
        }
    } else {
        value = strtod(text, &end);
        if (end != text && *end == '\0' && isfinite(value) && value >= e->min && value <= e->max) {
            *(double *)e->target = value;
            return STATUS_GO;
        }
    }
    return usage_error(o->command, "--%s wants a %snumber from %.15g to %.15g, not '%s'", e->name,
                       e->kind == OPTION_INT ? "whole " : "", e->min, e->max, text);
}

static int read_list(const options *o, const option_entry *e, const char *text)
{
    numbers list = { .count = 0 };
    for (const char *at = text;; at++) {
        char *end = NULL;
        errno = 0;
        const long long value = strtoll(at, &end, 10);
        const bool good = end != at && errno == 0 && (*end == ',' || *end == '\0');
        if (!good || (double)value < e->min || (double)value > e->max)
            return usage_error(o->command,
                               "--%s wants whole numbers from %.15g to %.15g and commas, not '%s'",
                               e->name, e->min, e->max, text);
        if (list.count == NUMBERS_MAX)
            return usage_error(o->command, "--%s takes %d numbers at most", e->name, NUMBERS_MAX);
        list.at[list.count++] = value;
        at = end;
        if (*at == '\0')
            break;
    }
    *(numbers *)e->target = list;
    return STATUS_GO;
}

static int store(const options *o, const option_entry *e, const char *text)
{
    texts *list = e->target;
    switch (e->kind) {
    case OPTION_FLAG:
        *(bool *)e->target = true;
        return STATUS_GO;
    case OPTION_TEXT:
        *(const char **)e->target = text;
        return STATUS_GO;
    case OPTION_TEXTS:
        if (list->count == TEXTS_MAX)
            return usage_error(o->command, "--%s may be given %d times", e->name, TEXTS_MAX);
        list->at[list->count++] = text;
        return STATUS_GO;
    case OPTION_CHOICE:
        if (read_choice(e, text, e->target))
            return STATUS_GO;
        return usage_error(o->command, "--%s wants %s, not '%s'", e->name, e->value, text);
    case OPTION_LIST:
        return read_list(o, e, text);
    case OPTION_INT:
    case OPTION_NUMBER:
    default:
        return read_number(o, e, text);
    }
}

static int find_letter(const options *o, int letter)
{
    for (size_t i = 0; i < o->count; i++)
        if (o->at[i].letter == letter)
            return (int)i;
    return -1;
}

/* What getopt_long() calls '?' or ':'. */
static int complain(const options *o, int code, char **argv)
{
    const char *what = argv[optind - 1];
    if (code == ':')
        return usage_error(o->command, "%s wants a value", what);
    if (optopt && optopt < 256)
        return usage_error(o->command, "unknown option '-%c'", optopt);
    if (optopt)
        return usage_error(o->command, "%s takes no value", what);
    return usage_error(o->command, "unknown or ambiguous option '%s'", what);
}

static void make_tables(const options *o, char *letters, struct option *table)
{
    *letters++ = ':';
    *letters++ = 'h';
    for (size_t i = 0; i < o->count; i++) {
        const option_entry *e = &o->at[i];
        table[i] = (struct option){ e->name, e->kind != OPTION_FLAG, NULL, ENTRY_BASE + (int)i };
        if (e->letter) {
            *letters++ = e->letter;
            if (e->kind != OPTION_FLAG)
                *letters++ = ':';
        }
    }
    table[o->count] = (struct option){ "help", 0, NULL, HELP };
    table[o->count + 1] = (struct option){ NULL, 0, NULL, 0 };
    *letters = '\0';
}

int options_parse(const options *o, int argc, char **argv, const char **operand)
{
    char letters[2 * OPTIONS_MAX + 3];
    struct option table[OPTIONS_MAX + 2];
    make_tables(o, letters, table);
    opterr = 0;
    optind = 1;
    for (;;) {
        const int code = getopt_long(argc, argv, letters, table, NULL);
        if (code == -1)
            break;
        if (code == 'h' || code == HELP) {
            print_help(o);
            return STATUS_DONE;
        }
        if (code == '?' || code == ':')
            return complain(o, code, argv);
        const int index = code >= ENTRY_BASE ? code - ENTRY_BASE : find_letter(o, code);
        assert(index >= 0);
        const int status = store(o, &o->at[index], optarg);
        if (status != STATUS_GO)
            return status;
    }
    if (o->operand && optind == argc)
        return usage_error(o->command, "%s is missing", o->operand);
    for (; o->operands && optind < argc; optind++) {
        if (o->operands->count == TEXTS_MAX)
            return usage_error(o->command, "%s: %d at most", o->operand, TEXTS_MAX);
        o->operands->at[o->operands->count++] = argv[optind];
    }
    if (o->operand && !o->operands)
        *operand = argv[optind++];
    if (optind < argc)
        return usage_error(o->command, "what is '%s' for?", argv[optind]);
    return STATUS_GO;
}
