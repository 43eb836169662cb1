/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and running a template as a whole: the limits, the text as it is read (one line end,
 * whatever the file has; not the last one), and what the caller gives as names. */
#include "lib/text/template.h"

#include <string.h>

#include "lib/text/template_eval.h"

const het__template_limits het__template_limits_default = {
    .steps = UINT64_C(20) * 1000 * 1000,
    .memory_bytes = (size_t)256 << 20,
    .output_bytes = (size_t)16 << 20,
};

static het__tr begin(het__arena *arena, const het__template_limits *limits, het_error *err)
{
    return (het__tr){ .arena = arena, .steps_left = limits->steps,
                      .memory_left = limits->memory_bytes, .what = "template", .err = err };
}

static bool copy_text(het__tr *r, het__ts in, het__ts *out)
{
    char *text = het__tr_alloc(r, in.bytes + 1, 1);
    size_t n = 0;
    if (!text)
        return false;
    for (size_t i = 0; i < in.bytes; i++) {
        const bool pair = in.data[i] == '\r' && i + 1 < in.bytes && in.data[i + 1] == '\n';
        if (!pair)
            text[n++] = in.data[i] == '\r' ? '\n' : in.data[i];
    }
    n -= n && text[n - 1] == '\n';
    *out = (het__ts){ text, n };
    return true;
}

het_status het__template_init(het__template *t, het__mem *mem, het__ts text,
                              const het__template_limits *limits, het_error *err)
{
    het__arena_init(&t->arena, mem);
    het__tr r = begin(&t->arena, limits, err);
    het__tk_list tokens = { 0 };
    het__tn *tree = NULL;
    het__ts own;
    if (!copy_text(&r, text, &own) || !het__template_lex(&r, own, &tokens) ||
        !het__template_parse(&r, &tokens, &tree)) {
        het__arena_finish(&t->arena);
        return r.status;
    }
    t->tree = tree;
    return HET_OK;
}

void het__template_finish(het__template *t)
{
    het__arena_finish(&t->arena);
}

/* ---- what the caller gives ---- */

static bool put(het__tr *r, het__tv_dict *dict, const char *name, het__tv v)
{
    return het__tv_put(r, dict, het__tv_string(het__ts_of(name)), v);
}

static bool put_text(het__tr *r, het__tv_dict *dict, const char *name, const char *text)
{
    return !text || put(r, dict, name, het__tv_string(het__ts_of(text)));
}

/* The members of a JSON object, over those that are there. */
static bool put_members(het__tr *r, het__tv_dict *dict, const char *json, const char *what)
{
    het__tv v;
    if (!json)
        return true;
    r->what = what;
    if (!het__tv_from_json(r, het__ts_of(json), &v))
        return false;
    if (v.kind != HET__TV_DICT)
        return het__tr_fail(r, HET_E_FORMAT, "an object was expected");
    for (size_t i = 0; i < v.as.dict->count; i++)
        if (!het__tv_put(r, dict, v.as.dict->keys[i], v.as.dict->values[i]))
            return false;
    return true;
}

static bool put_messages(het__tr *r, het__tv_dict *names, const het_chat_message *messages,
                         size_t count)
{
    het__tv list, message;
    if (!het__tv_new_list(r, &list))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!het__tv_new_dict(r, &message) ||
            !put_text(r, message.as.dict, "role", messages[i].role) ||
            !put_text(r, message.as.dict, "content", messages[i].content) ||
            !put_members(r, message.as.dict, messages[i].members_json, "a message") ||
            !het__tv_push(r, list.as.list, message))
            return false;
    return put(r, names, "messages", list);
}

/* As transformers gives them: tools and documents are there in any case, if only as none. */
static bool put_names(het__tr *r, het__tv_dict *names, const het_chat_message *messages,
                      size_t count, const het_template_options *o)
{
    het__tv tools = het__tv_none();
    r->what = "tools";
    if (o->tools_json && !het__tv_from_json(r, het__ts_of(o->tools_json), &tools))
        return false;
    return put_messages(r, names, messages, count) && put(r, names, "tools", tools) &&
           put(r, names, "documents", het__tv_none()) &&
           put(r, names, "add_generation_prompt",
               het__tv_bool((o->flags & HET_TEMPLATE_GENERATION_PROMPT) != 0)) &&
           put_text(r, names, "bos_token", o->bos_token) &&
           put_text(r, names, "eos_token", o->eos_token) &&
           put_members(r, names, o->variables_json, "variables");
}

het_status het__template_apply(const het__template *t, het__mem *mem,
                               const het_chat_message *messages, size_t count,
                               const het_template_options *options,
                               const het__template_limits *limits, char **text, size_t *bytes,
                               het_error *err)
{
    het__arena arena;
    het__arena_init(&arena, mem);
    het__tr r = begin(&arena, limits, err);
    het__te_scope given = { 0 }, scope = { .parent = &given };
    het__tb out = { .r = &r };
    het__te e = { .r = &r, .scope = &scope, .out = &out, .output_bytes_max = limits->output_bytes,
                  .date_s = options->date_s };
    *text = NULL;
    if (put_names(&r, &given.names, messages, count, options)) {
        r.what = "template";
        het__te_statements(&e, t->tree);
    }
    if (r.status == HET_OK) {
        *text = het__alloc(mem, out.bytes + 1);
        *bytes = out.bytes;
        if (!*text)
            r.status = het__fail_nomem(err, "the text of a template");
        else if (out.bytes)
            memcpy(*text, out.data, out.bytes);
    }
    het__arena_finish(&arena);
    return r.status;
}
