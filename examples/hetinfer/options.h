/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a command: declared once, and parsed, checked and described from that.
 *
 *     options o;
 *     options_begin(&o, "run", "MODEL", "Continue a text.");
 *     options_int(&o, "max-tokens", 'n', &n, 1, 1 << 20, "N", "New tokens at most (128)");
 *     const int status = options_parse(&o, argc, argv, &model);
 *     if (status != STATUS_GO) return status;
 */
#ifndef HETINFER_OPTIONS_H
#define HETINFER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit status of the program, and "no reason to exit yet". */
enum { STATUS_GO = -1, STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

#define OPTIONS_MAX 40
#define TEXTS_MAX 64
#define NUMBERS_MAX 16

typedef enum option_kind {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_TEXTS,
    OPTION_CHOICE,
    OPTION_INT,
    OPTION_NUMBER,
    OPTION_LIST,
} option_kind;

/* An option that may be given several times. */
typedef struct texts {
    const char *at[TEXTS_MAX];
    size_t count;
} texts;

/* Numbers separated by commas. */
typedef struct numbers {
    int64_t at[NUMBERS_MAX];
    size_t count;
} numbers;

typedef struct option_entry {
    const char *name; /* long name without its dashes */
    const char *value; /* name of the value in the help text; of a choice: "fast|exact" */
    const char *help;
    void *target;
    double min, max; /* of OPTION_INT, OPTION_NUMBER and OPTION_LIST */
    option_kind kind;
    char letter; /* 0: none */
} option_entry;

typedef struct options {
    const char *command, *operand, *summary; /* operand NULL: the command takes none */
    texts *operands;                         /* where it takes several; NULL: one */
    option_entry at[OPTIONS_MAX];
    size_t count;
} options;

void options_begin(options *o, const char *command, const char *operand, const char *summary);
void options_flag(options *o, const char *name, char letter, bool *target, const char *help);
void options_text(options *o, const char *name, char letter, const char **target,
                  const char *value, const char *help);
void options_texts(options *o, const char *name, texts *target, const char *value,
                   const char *help);
/* value lists what is allowed, separated by '|'; target receives the index. */
void options_choice(options *o, const char *name, int *target, const char *value,
                    const char *help);
void options_int(options *o, const char *name, char letter, int64_t *target, int64_t min,
                 int64_t max, const char *value, const char *help);
/* Whole numbers, all in range; target is replaced as a whole. */
void options_list(options *o, const char *name, char letter, numbers *target, int64_t min,
                  int64_t max, const char *help);
void options_number(options *o, const char *name, double *target, double min, double max,
                    const char *value, const char *help);

/* Fill the targets. argv[0] is the command's name. operand receives the operand; NULL if the
 * command takes none, or several, which go where o->operands says. Returns STATUS_GO, or what to
 * exit with: STATUS_DONE after --help, STATUS_USAGE after a sentence on stderr. */
int options_parse(const options *o, int argc, char **argv, const char **operand);

/* A sentence on stderr; returns STATUS_USAGE. */
int usage_error(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif /* HETINFER_OPTIONS_H */
