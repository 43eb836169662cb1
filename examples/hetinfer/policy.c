/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer policy: the policies that the library brings, what a policy says, and what becomes of
 * each of its keys. */
#include "commands.h"
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const actors[] = { "plans", "simulation", "sessions" };
#define ACTOR_COUNT (sizeof actors / sizeof actors[0])

/* ---- list ---- */

/* What a policy says about itself, in quotes as its text has it; "" if it says nothing. */
static void copy_description(const het_policy *policy, char *copy, size_t bytes)
{
    static const char key[] = "\ndescription: \"";
    const char *at = strstr(het_policy_text(policy), key);
    size_t n = 0;
    copy[0] = 0;
    if (!at)
        return;
    for (at += sizeof key - 1; *at && *at != '"' && n + 1 < bytes; at++) {
        at += *at == '\\' && at[1];
        copy[n++] = *at;
    }
    copy[n] = 0;
}

static int list_presets(const engine *e, bool json)
{
    json_t *root = json ? json_begin("policy") : NULL, *list = json ? json_array() : NULL;
    for (uint32_t i = 0; i < het_policy_preset_count(); i++) {
        const char *name = het_policy_preset_name(i);
        char about[256];
        het_policy *policy = NULL;
        het_error err = HET_ERROR_INIT;
        const het_status status = open_policy(e, name, &policy, &err);
        if (status) {
            json_decref(root);
            json_decref(list);
            return failure_of(status, &err);
        }
        copy_description(policy, about, sizeof about);
        if (json)
            json_array_append_new(list, json_pack("{s:s, s:o}", "name", name, "description",
                                                  json_text(about, strlen(about))));
        else
            printf("%-14s %s\n", name, about);
        het_policy_destroy(policy);
    }
    if (json) {
        json_object_set_new(root, "presets", list);
        return json_end(root);
    }
    return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
}

/* ---- show ---- */

static int show_policy(const engine *e, const char *name, bool json)
{
    het_policy *policy = NULL;
    het_error err = HET_ERROR_INIT;
    const het_status status = open_policy(e, name, &policy, &err);
    if (status)
        return failure_of(status, &err);
    const char *text = het_policy_text(policy);
    int result = STATUS_DONE;
    if (json) {
        json_t *root = json_begin("policy");
        json_object_set_new(root, "text", json_text(text, strlen(text)));
        result = json_end(root);
    } else {
        fputs(text, stdout);
        if (fflush(stdout))
            result = failure("cannot write the result");
    }
    het_policy_destroy(policy);
    return result;
}

/* ---- check ---- */

static int note_at(const het_policy *policy, uint32_t index, het_policy_note *note)
{
    memset(note, 0, sizeof *note);
    note->struct_size = sizeof *note;
    const het_status status = het_policy_note_at(policy, index, note);
    return status ? failure("note %u: %s", index, het_status_name(status)) : STATUS_GO;
}

static json_t *json_note(const het_policy_note *note)
{
    json_t *by = json_array();
    for (size_t i = 0; i < ACTOR_COUNT; i++)
        if (note->honoured >> i & 1)
            json_array_append_new(by, json_string(actors[i]));
    return json_pack("{s:o, s:I, s:o, s:o}", "key", json_text(note->key, strlen(note->key)),
                     "line", (json_int_t)note->line, "honoured", by, "text",
                     json_text(note->text, strlen(note->text)));
}

static void print_note(const het_policy_note *note)
{
    char by[64] = "";
    for (size_t i = 0; i < ACTOR_COUNT; i++)
        if (note->honoured >> i & 1) {
            const size_t n = strlen(by);
            snprintf(by + n, sizeof by - n, "%s%s", n ? "," : "", actors[i]);
        }
    print_safe(note->key, 30);
    printf(" %-26s ", by[0] ? by : "-");
    print_safe(note->text, 0);
    putchar('\n');
}

static int print_notes(const het_policy *policy, bool json)
{
    json_t *list = json ? json_array() : NULL;
    const uint32_t count = het_policy_note_count(policy);
    if (!json && count)
        printf("%-30s %-26s %s\n", "key", "honoured by", "what becomes of it");
    for (uint32_t i = 0; i < count; i++) {
        het_policy_note note;
        const int status = note_at(policy, i, &note);
        if (status != STATUS_GO) {
            json_decref(list);
            return status;
        }
        if (json)
            json_array_append_new(list, json_note(&note));
        else
            print_note(&note);
    }
    if (!json) {
        puts("the policy is valid");
        return fflush(stdout) ? failure("cannot write the result") : STATUS_DONE;
    }
    json_t *root = json_begin("policy");
    json_object_set_new(root, "valid", json_true());
    json_object_set_new(root, "notes", list);
    return json_end(root);
}

static int check_policy(const engine *e, const char *name, bool json)
{
    het_policy *policy = NULL;
    het_error err = HET_ERROR_INIT;
    const het_status status = open_policy(e, name, &policy, &err);
    if (status && json) {
        json_t *root = json_begin("policy");
        json_object_set_new(root, "valid", json_false());
        json_object_set_new(root, "message", json_text(err.message, strlen(err.message)));
        json_end(root);
    }
    if (status)
        return failure_of(status, &err);
    const int result = print_notes(policy, json);
    het_policy_destroy(policy);
    return result;
}

/* ---- command ---- */

typedef struct verb {
    const char *name, *command, *operand, *summary;
} verb;

static const verb verbs[] = {
    { "list", "policy list", NULL, "Print the policies that the library brings." },
    { "show", "policy show", "NAME", "Print a policy, of the library or of a file, as YAML." },
    { "check", "policy check", "FILE",
      "Say whether a policy is valid, and what becomes of each of its keys." },
};
#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

static int print_help(FILE *f)
{
    fputs("usage: hetinfer policy list | show NAME | check FILE [option ...]\n\n"
          "What placing and running must respect: docs/policy.md has the file format.\n\n", f);
    for (size_t i = 0; i < VERB_COUNT; i++)
        fprintf(f, "  %-6s %-5s %s\n", verbs[i].name, verbs[i].operand ? verbs[i].operand : "",
                verbs[i].summary);
    fputs("\noptions:\n      --json                     Print a JSON document\n"
          "  -h, --help                     Show this text\n", f);
    return f == stdout ? STATUS_DONE : STATUS_USAGE;
}

static int run_verb(const verb *v, int argc, char **argv)
{
    settings s = { 0 };
    options o;
    engine e = { 0 };
    const char *name = NULL;
    options_begin(&o, v->command, v->operand, v->summary);
    options_flag(&o, "json", 0, &s.json, "Print a JSON document");
    int status = options_parse(&o, argc, argv, &name);
    if (status == STATUS_GO)
        status = engine_context(&e, &s);
    if (status == STATUS_GO)
        status = strcmp(v->name, "list") == 0   ? list_presets(&e, s.json)
                 : strcmp(v->name, "show") == 0 ? show_policy(&e, name, s.json)
                                                : check_policy(&e, name, s.json);
    engine_close(&e);
    return status;
}

int command_policy(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return print_help(stdout);
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(name, verbs[i].name) == 0)
            return run_verb(&verbs[i], argc - 1, argv + 1);
    if (!*name)
        return print_help(stderr);
    return usage_error("policy", "there is no 'policy %s'", name);
}
