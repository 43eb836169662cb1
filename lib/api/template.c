/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of template.h: arguments are checked here, work is done in lib/text. */
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/error.h"
#include "lib/base/options.h"
#include "lib/text/template.h"

/* Immutable after create. */
struct het_template {
    het_context *context; /* a reference */
    het__template inner;
    char *bos, *eos;      /* of the model; may be NULL */
};

het_status het_template_create(het_context *context, const char *text, size_t bytes,
                               het_template **tmpl, het_error *err)
{
    HET_REQUIRE(tmpl != NULL, err);
    *tmpl = NULL;
    HET_REQUIRE(context != NULL, err);
    HET_REQUIRE(text != NULL || bytes == 0, err);
    het_template *t = het__alloc_zero(&context->mem, 1, sizeof *t);
    if (!t)
        return het__fail_nomem(err, "a template");
    const het_status s = het__template_init(&t->inner, &context->mem, (het__ts){ text, bytes },
                                            &het__template_limits_default, err);
    if (s != HET_OK) {
        het__free(&context->mem, t);
        return s;
    }
    t->context = context;
    het__context_retain(context);
    *tmpl = t;
    return HET_OK;
}

/* The entry of the metadata with this key; its value is NULL if there is none. */
static het_metadata find_entry(const het_model *model, const char *key)
{
    het_metadata entry = { .struct_size = sizeof entry };
    for (size_t i = 0; i < het_model_metadata_count(model); i++)
        if (het_model_metadata_at(model, i, &entry) == HET_OK &&
            strcmp(entry.key, key) == 0)
            return entry;
    return (het_metadata){ .struct_size = sizeof entry };
}

/* The text of a token: what tokenizer_config.json says goes before the vocabulary, as it does in
 * transformers. True without such a token. */
static bool take_token(const het_model *model, const char *key, int32_t id, char **out)
{
    const het_metadata entry = find_entry(model, key);
    const char *piece = entry.value;
    if (piece && strcmp(entry.type, "string") != 0)
        return true; /* null: there is none, whatever the vocabulary says */
    size_t bytes = piece ? strlen(piece) : 0;
    if (!piece && (!model->tokenizer || id < 0 ||
                   het_tokenizer_token(model->tokenizer, id, &piece, &bytes, NULL) != HET_OK))
        return true;
    *out = het__strndup(&model->context->mem, piece, bytes);
    return *out != NULL;
}

het_status het_template_from_model(const het_model *model, het_template **tmpl, het_error *err)
{
    HET_REQUIRE(tmpl != NULL, err);
    *tmpl = NULL;
    HET_REQUIRE(model != NULL, err);
    const char *text = find_entry(model, "tokenizer.chat_template").value;
    if (!text)
        return het__fail(err, HET_E_UNSUPPORTED, "the model has no chat template");
    const het_status s = het_template_create(model->context, text, strlen(text), tmpl, err);
    if (s != HET_OK)
        return s;
    const het_tokenizer *k = model->tokenizer;
    het_tokenizer_info info = { .struct_size = sizeof info, .bos_id = -1, .eos_id = -1 };
    if ((!k || het_tokenizer_get_info(k, &info) == HET_OK) &&
        take_token(model, "tokenizer_config.bos_token", info.bos_id, &(*tmpl)->bos) &&
        take_token(model, "tokenizer_config.eos_token", info.eos_id, &(*tmpl)->eos))
        return HET_OK;
    het_template_destroy(*tmpl);
    *tmpl = NULL;
    return het__fail_nomem(err, "a template");
}

het_status het_template_apply(const het_template *tmpl, const het_chat_message *messages,
                              size_t count, const het_template_options *options, char *text,
                              size_t capacity, size_t *bytes, het_error *err)
{
    HET_REQUIRE(tmpl != NULL, err);
    HET_REQUIRE(messages != NULL || count == 0, err);
    HET_REQUIRE(text != NULL || capacity == 0, err);
    HET_REQUIRE(bytes != NULL, err);
    het_template_options o;
    char *whole = NULL;
    size_t length = 0;
    het_status s = het__options_read(&o, sizeof o, options, "het_template_options", err);
    if (s != HET_OK)
        return s;
    if ((o.flags & ~HET_TEMPLATE_GENERATION_PROMPT) || o.reserved)
        return het__fail(err, HET_E_VERSION, "het_template_options.flags has an unknown flag");
    o.bos_token = o.bos_token ? o.bos_token : tmpl->bos;
    o.eos_token = o.eos_token ? o.eos_token : tmpl->eos;
    het__mem *mem = &tmpl->context->mem;
    s = het__template_apply(&tmpl->inner, mem, messages, count, &o, &het__template_limits_default,
                            &whole, &length, err);
    if (s != HET_OK)
        return s;
    const size_t fits = length < capacity ? length : capacity;
    if (fits)
        memcpy(text, whole, fits);
    *bytes = length;
    het__free(mem, whole);
    return HET_OK;
}

void het_template_destroy(het_template *tmpl)
{
    if (!tmpl)
        return;
    het_context *context = tmpl->context;
    het__template_finish(&tmpl->inner);
    het__free(&context->mem, tmpl->bos);
    het__free(&context->mem, tmpl->eos);
    het__free(&context->mem, tmpl);
    het__context_release(context);
}
