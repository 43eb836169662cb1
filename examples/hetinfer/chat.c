/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer template: what a chat template makes of a conversation; and the same for run --chat. */
#include "chat.h"
#include "commands.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Local time in seconds since 1970, as templates print it. */
static int64_t local_time(void)
{
    const time_t now = time(NULL);
    struct tm t;
    return localtime_r(&now, &t) ? (int64_t)now + t.tm_gmtoff : (int64_t)now;
}

static int apply(const het_template *tmpl, const het_chat_message *messages, size_t count,
                 const het_template_options *o, char **text, size_t *bytes)
{
    het_error err = HET_ERROR_INIT;
    het_status s = het_template_apply(tmpl, messages, count, o, NULL, 0, bytes, &err);
    if (s)
        return failure_of(s, &err);
    *text = malloc(*bytes + 1);
    if (!*text)
        return failure("out of memory");
    s = het_template_apply(tmpl, messages, count, o, *text, *bytes, bytes, &err);
    (*text)[*bytes] = '\0';
    return s ? failure_of(s, &err) : STATUS_GO;
}

/* Every message is given as its members: role and content are among them. */
static int apply_list(const het_template *tmpl, json_t *list, const het_template_options *o,
                      char **text, size_t *bytes)
{
    const size_t count = json_array_size(list);
    if (!json_is_array(list) || count > CHAT_MESSAGES_MAX)
        return failure("the messages are not a JSON list of at most %d", CHAT_MESSAGES_MAX);
    het_chat_message *messages = calloc(count + 1, sizeof *messages);
    char **members = calloc(count + 1, sizeof *members);
    bool good = messages && members;
    for (size_t i = 0; good && i < count; i++) {
        messages[i].members_json = members[i] = json_dumps(json_array_get(list, i),
                                                           JSON_ENCODE_ANY);
        good = members[i] != NULL;
    }
    const int status = good ? apply(tmpl, messages, count, o, text, bytes)
                            : failure("out of memory");
    for (size_t i = 0; members && i < count; i++)
        free(members[i]);
    free(members);
    free(messages);
    return status;
}

static int apply_file(const het_template *tmpl, const char *path, const het_template_options *o,
                      char **text, size_t *bytes)
{
    size_t length = 0;
    char *json = read_file(path, &length);
    json_error_t where;
    if (!json)
        return STATUS_FAILED;
    json_t *list = json_loadb(json, length, 0, &where);
    free(json);
    if (!list)
        return failure("%s, line %d: %s", path, where.line, where.text);
    const int status = apply_list(tmpl, list, o, text, bytes);
    json_decref(list);
    return status;
}

int chat_render(const het_template *tmpl, const chat_request *request, char **text, size_t *bytes)
{
    het_template_options o = HET_TEMPLATE_OPTIONS_INIT;
    het_chat_message messages[2] = { { "system", request->system, NULL },
                                     { "user", request->prompt, NULL } };
    const size_t first = request->system ? 0 : 1;
    size_t length = 0;
    char *tools = NULL;
    if (request->tools_file) {
        tools = read_file(request->tools_file, &length);
        if (!tools)
            return STATUS_FAILED;
    }
    o.flags = request->no_generation ? 0 : HET_TEMPLATE_GENERATION_PROMPT;
    o.tools_json = tools;
    o.variables_json = request->variables;
    o.date_s = local_time();
    int status;
    if (request->messages_file)
        status = apply_file(tmpl, request->messages_file, &o, text, bytes);
    else if (request->turns)
        status = apply(tmpl, request->turns, request->turn_count, &o, text, bytes);
    else
        status = apply(tmpl, messages + first, 2 - first, &o, text, bytes);
    free(tools);
    return status;
}

/* A file that ends in .jinja is the template itself. */
static int open_template(engine *e, const settings *s, const char *path, het_template **tmpl)
{
    const size_t n = strlen(path);
    het_error err = HET_ERROR_INIT;
    if (n < 6 || strcmp(path + n - 6, ".jinja") != 0) {
        const int status = engine_model(e, s, path, HET_MODEL_TOKENIZER_ONLY);
        if (status != STATUS_GO)
            return status;
        const het_status from = het_template_from_model(e->model, tmpl, &err);
        return from ? failure_of(from, &err) : STATUS_GO;
    }
    size_t bytes = 0;
    int status = engine_context(e, s);
    char *text = status == STATUS_GO ? read_file(path, &bytes) : NULL;
    if (status == STATUS_GO && !text)
        status = STATUS_FAILED;
    if (status == STATUS_GO) {
        const het_status made = het_template_create(e->context, text, bytes, tmpl, &err);
        status = made ? failure_of(made, &err) : STATUS_GO;
    }
    free(text);
    return status;
}

int command_template(int argc, char **argv)
{
    chat_request r = { 0 };
    settings s = { 0 };
    options o;
    options_begin(&o, "template", "MODEL|FILE.jinja",
                  "Print what a chat template makes of a conversation.");
    options_text(&o, "messages", 'm', &r.messages_file, "FILE", "JSON list of messages");
    options_text(&o, "prompt", 'p', &r.prompt, "TEXT", "Instead: what the user says");
    options_text(&o, "system", 0, &r.system, "TEXT", "With it: the system message");
    options_text(&o, "tools", 0, &r.tools_file, "FILE", "JSON list of tools");
    options_text(&o, "variables", 0, &r.variables, "JSON", "Object of further variables");
    options_flag(&o, "no-generation", 0, &r.no_generation, "No beginning of an answer");
    settings_output(&o, &s);
    const char *path = NULL;
    char *text = NULL;
    size_t bytes = 0;
    int status = options_parse(&o, argc, argv, &path);
    if (status == STATUS_GO && !r.messages_file == !r.prompt)
        status = usage_error("template", "give either --messages or --prompt");
    if (status == STATUS_GO && r.messages_file && r.system)
        status = usage_error("template", "--system goes with --prompt");
    if (status != STATUS_GO)
        return status;
    engine e = { 0 };
    het_template *tmpl = NULL;
    status = open_template(&e, &s, path, &tmpl);
    if (status == STATUS_GO)
        status = chat_render(tmpl, &r, &text, &bytes);
    if (status == STATUS_GO)
        status = give_text(&s, "template", text, bytes);
    free(text);
    het_template_destroy(tmpl);
    engine_close(&e);
    return status;
}
