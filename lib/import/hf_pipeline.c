/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of tokenizer.json around the vocabulary. They describe one of two forms:
 *
 *                     byte-level BPE                   SentencePiece-like BPE
 *   normalizer        a Unicode form                   " " becomes U+2581; U+2581 in front
 *   pre_tokenizer     expressions, ByteLevel           none, or Metaspace
 *   decoder           ByteLevel                        U+2581 becomes " ", bytes, strip one " "
 *
 * and the post-processor puts one token in front and one behind, or none. What the tokenizer would
 * do differently is refused. */
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/import/hf_tokenizer.h"

#define BLANK_TEXT "\xe2\x96\x81"
#define DIGIT "\\p{N}"
#define PUNCTUATION "[\\p{P}$+<=>^`|~]"
/* As rules.c has it; ByteLevel's own expression. */
#define BYTE_LEVEL_RULE "gpt-2"

/* Expressions of Split that GGUF's readers know, each the only one before ByteLevel. */
#define LLAMA3_RULE                                                                        \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"                \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define QWEN2_RULE                                                                         \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"                     \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
static const struct { const char *regex, *name; } known_rules[] = {
    { LLAMA3_RULE, "llama-bpe" }, { QWEN2_RULE, "qwen2" },
};

typedef struct pipeline {
    het__hf_vocabulary *h;
    size_t steps;
    bool byte_level, decodes_bytes; /* ByteLevel as pre-tokenizer or as decoder */
    bool replaces, metaspace;       /* " " becomes a blank */
    bool decodes_blanks, strips, fuses;
    bool joins_as_blanks;           /* runs of spaces become a blank at once */
} pipeline;

typedef het_status (*step_fn)(pipeline *p, const json_t *step, const char *type);

static het_status refuse(const pipeline *p, const char *what, const char *type)
{
    char text[64];
    snprintf(text, sizeof text, "%.60s", type);
    return het__fail(p->h->err, HET_E_UNSUPPORTED, "tokenizer.json: %s \"%s\" is not supported",
                     what, het__printable(text));
}

/* A step, or the steps of a sequence; sequences do not nest in what tokenizers are saved as. */
static het_status each(pipeline *p, const char *key, const char *list_key, step_fn take)
{
    const json_t *step = json_object_get(p->h->root, key);
    if (!step || json_is_null(step))
        return HET_OK;
    const char *type = het__json_text(step, "type");
    if (!type)
        return refuse(p, key, "without a type");
    if (strcmp(type, "Sequence") != 0)
        return take(p, step, type);
    const json_t *list = json_object_get(step, list_key);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *inner = json_array_get(list, i);
        type = het__json_text(inner, "type");
        const het_status s = type ? take(p, inner, type) : refuse(p, key, "without a type");
        if (s != HET_OK)
            return s;
    }
    return HET_OK;
}

static bool text_is(const json_t *object, const char *key, const char *text)
{
    const char *is = het__json_text(object, key);
    return is && strcmp(is, text) == 0;
}

static bool flag(const json_t *object, const char *key, bool otherwise)
{
    const json_t *v = json_object_get(object, key);
    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

/* { "String": text } or { "Regex": … } */
static bool pattern_is(const json_t *step, const char *text)
{
    return text_is(json_object_get(step, "pattern"), "String", text);
}

/* ---- normalizer ---- */

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* The table of replaced characters, in base 64. */
static het_status take_charsmap(pipeline *p, const json_t *step)
{
    const json_t *value = json_object_get(step, "precompiled_charsmap");
    const char *text = json_string_value(value);
    het__vocabulary *v = &p->h->v;
    size_t n = json_string_length(value), out = 0;
    if (!text)
        return json_is_null(value) ? HET_OK : refuse(p, "normalizer", "Precompiled");
    while (n > 0 && text[n - 1] == '=')
        n--;
    uint8_t *bytes = het__arena_alloc(&p->h->arena, n + 1);
    uint32_t bits = 0;
    if (!bytes)
        return het__fail_nomem(p->h->err, "a vocabulary");
    for (size_t i = 0; i < n; i++) {
        const int d = digit_of(text[i]);
        if (d < 0)
            return refuse(p, "normalizer", "Precompiled that is not in base 64");
        bits = bits << 6 | (uint32_t)d;
        if (i % 4 != 0)
            bytes[out++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    v->charsmap = bytes;
    v->charsmap_bytes = out;
    return HET_OK;
}

/* Steps that only unigrams come with, in the order in which they are taken. */
static het_status take_unigram_step(pipeline *p, const json_t *step, const char *type)
{
    het__vocabulary *v = &p->h->v;
    const char *regex = het__json_text(json_object_get(step, "pattern"), "Regex");
    const bool as_blank = text_is(step, "content", BLANK_TEXT);
    const bool late = v->joins_spaces || v->drops_left || v->drops_right || p->replaces;
    if (strcmp(type, "Precompiled") == 0 && !late && !v->charsmap && v->form == HET__FORM_NONE)
        return take_charsmap(p, step);
    if (strcmp(type, "Strip") == 0 && !p->replaces) {
        v->drops_left = flag(step, "strip_left", true);
        v->drops_right = flag(step, "strip_right", true);
        return HET_OK;
    }
    if (strcmp(type, "Replace") == 0 && regex && strcmp(regex, " {2,}") == 0 && !p->replaces &&
        (as_blank || text_is(step, "content", " "))) {
        v->joins_spaces = true;
        p->joins_as_blanks = as_blank;
        return HET_OK;
    }
    return refuse(p, "normalizer", type);
}

static het_status take_normalizer(pipeline *p, const json_t *step, const char *type)
{
    static const struct { const char *name; het__normal_form form; } forms[] = {
        { "NFC", HET__FORM_C }, { "NFD", HET__FORM_D }, { "NFKC", HET__FORM_KC },
        { "NFKD", HET__FORM_KD },
    };
    het__vocabulary *v = &p->h->v;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(forms[i].name, type) == 0 && v->form == HET__FORM_NONE && !p->replaces &&
            !v->charsmap && !v->joins_spaces && !v->drops_left && !v->drops_right) {
            v->form = forms[i].form;
            return HET_OK;
        }
    if (strcmp(type, "Prepend") == 0 && text_is(step, "prepend", BLANK_TEXT)) {
        v->add_space_prefix = 1;
        return HET_OK;
    }
    if (strcmp(type, "Replace") == 0 && pattern_is(step, " ") &&
        text_is(step, "content", BLANK_TEXT)) {
        p->replaces = true;
        return HET_OK;
    }
    return p->h->is_unigram ? take_unigram_step(p, step, type) : refuse(p, "normalizer", type);
}

/* ---- pre-tokenizer ---- */

static het_status add_step(pipeline *p, const char *expression, bool drops_gaps)
{
    het__own_rule *rule = &p->h->rule;
    if (p->steps == HET__RULE_STEPS)
        return refuse(p, "pre_tokenizer", "of so many steps");
    rule->drops_gaps |= (uint32_t)drops_gaps << p->steps;
    rule->rule.steps[p->steps++] = expression;
    return HET_OK;
}

static het_status take_split(pipeline *p, const json_t *step)
{
    const char *regex = het__json_text(json_object_get(step, "pattern"), "Regex");
    const bool inverted = flag(step, "invert", false);
    const bool removes = text_is(step, "behavior", "Removed");
    const char *expression;
    if (pattern_is(step, " ") && p->replaces)
        return HET_OK; /* no space is left to split at */
    if (!regex || !(removes ? inverted : text_is(step, "behavior", "Isolated")))
        return refuse(p, "pre_tokenizer", "Split of this behavior");
    const het_status s = het__hf_pattern(&p->h->arena, regex, &expression, p->h->err);
    for (size_t i = 0; i < sizeof known_rules / sizeof known_rules[0]; i++)
        if (!removes && p->steps == 0 && strcmp(regex, known_rules[i].regex) == 0)
            p->h->known_rule = known_rules[i].name;
    return s == HET_OK ? add_step(p, expression, removes) : s;
}

/* A space in front comes before any cutting. */
static het_status take_byte_level(pipeline *p, const json_t *step)
{
    p->byte_level = true;
    if (flag(step, "add_prefix_space", true)) {
        if (p->steps > 0)
            return refuse(p, "pre_tokenizer", "ByteLevel with add_prefix_space behind others");
        p->h->v.add_space_prefix = 1;
        p->h->v.space_rule = HET__SPACE_UNLESS_THERE;
    }
    if (flag(step, "use_regex", true) && p->steps == 0 && p->h->v.add_space_prefix != 1)
        p->h->known_rule = BYTE_LEVEL_RULE;
    return flag(step, "use_regex", true)
               ? add_step(p, het__rule_find(BYTE_LEVEL_RULE)->steps[0], false) : HET_OK;
}

static het_status take_metaspace(pipeline *p, const json_t *step)
{
    het__vocabulary *v = &p->h->v;
    const char *scheme = het__json_text(step, "prepend_scheme");
    if (!scheme)
        scheme = flag(step, "add_prefix_space", true) ? "always" : "never";
    if (!text_is(step, "replacement", BLANK_TEXT) || p->steps > 0)
        return refuse(p, "pre_tokenizer", "Metaspace with this replacement");
    p->metaspace = true;
    v->cuts_at_blanks = flag(step, "split", true);
    if (strcmp(scheme, "never") == 0)
        return HET_OK;
    if (v->add_space_prefix == 1 || (strcmp(scheme, "first") && strcmp(scheme, "always")) ||
        (v->splits_white && *scheme == 'f'))
        return refuse(p, "pre_tokenizer", "Metaspace with this prepend_scheme");
    v->add_space_prefix = 1;
    v->space_rule = *scheme == 'f' ? HET__SPACE_FIRST : HET__SPACE_UNLESS_THERE;
    return HET_OK;
}

static het_status take_pre_tokenizer(pipeline *p, const json_t *step, const char *type)
{
    const bool grouped = text_is(step, "behavior", "Contiguous");
    if (strcmp(type, "Split") == 0)
        return take_split(p, step);
    if (strcmp(type, "ByteLevel") == 0)
        return take_byte_level(p, step);
    if (strcmp(type, "Metaspace") == 0)
        return take_metaspace(p, step);
    if (strcmp(type, "WhitespaceSplit") == 0 && p->h->is_unigram && !p->metaspace &&
        !p->joins_as_blanks) {
        p->h->v.splits_white = true;
        return HET_OK;
    }
    if (strcmp(type, "Digits") == 0)
        return add_step(p, flag(step, "individual_digits", false) ? DIGIT : DIGIT "+", false);
    if (strcmp(type, "Punctuation") == 0 &&
        (grouped || !json_object_get(step, "behavior") || text_is(step, "behavior", "Isolated")))
        return add_step(p, grouped ? PUNCTUATION "+" : PUNCTUATION, false);
    return refuse(p, "pre_tokenizer", type);
}

/* ---- decoder ---- */

static het_status take_decoder(pipeline *p, const json_t *step, const char *type)
{
    if (strcmp(type, "ByteLevel") == 0) {
        p->decodes_bytes = true;
        return HET_OK;
    }
    if (strcmp(type, "Fuse") == 0) {
        p->fuses = true;
        return HET_OK;
    }
    if (strcmp(type, "ByteFallback") == 0 && p->h->byte_fallback)
        return HET_OK;
    if (strcmp(type, "Replace") == 0 && pattern_is(step, BLANK_TEXT) &&
        text_is(step, "content", " ")) {
        p->decodes_blanks = true;
        return HET_OK;
    }
    /* Behind Fuse all tokens are one, of which it takes every blank away. */
    if (strcmp(type, "Metaspace") == 0 && !p->fuses &&
        text_is(step, "replacement", BLANK_TEXT)) {
        p->decodes_blanks = true;
        p->strips = !text_is(step, "prepend_scheme", "never") &&
                    flag(step, "add_prefix_space", true);
        return HET_OK;
    }
    if (strcmp(type, "Strip") == 0 && text_is(step, "content", " ") &&
        json_integer_value(json_object_get(step, "start")) == 1 &&
        json_integer_value(json_object_get(step, "stop")) == 0) {
        p->strips = true;
        return HET_OK;
    }
    return refuse(p, "decoder", type);
}

/* ---- post-processor ---- */

/* The id of a special token of a template. */
static int32_t template_id(const pipeline *p, const json_t *step, const json_t *piece)
{
    const char *name = het__json_text(json_object_get(piece, "SpecialToken"), "id");
    const json_t *tokens = json_object_get(step, "special_tokens");
    const json_t *ids = json_object_get(json_object_get(tokens, name ? name : ""), "ids");
    const json_t *id = json_array_get(ids, 0);
    if (!name || json_array_size(ids) != 1 || !json_is_integer(id) ||
        json_integer_value(id) < 0 ||
        (uint64_t)json_integer_value(id) >= p->h->v.token_count)
        return -1;
    return (int32_t)json_integer_value(id);
}

static het_status take_template(pipeline *p, const json_t *step)
{
    het__vocabulary *v = &p->h->v;
    const json_t *single = json_object_get(step, "single");
    bool behind = false;
    for (size_t i = 0; i < json_array_size(single); i++) {
        const json_t *piece = json_array_get(single, i);
        if (json_object_get(piece, "Sequence")) {
            behind = true;
            continue;
        }
        const int32_t id = template_id(p, step, piece);
        if (id < 0 || (behind ? v->add_eos : v->add_bos) == 1)
            return refuse(p, "post_processor", "TemplateProcessing of this template");
        *(behind ? &v->add_eos : &v->add_bos) = 1;
        *(behind ? &v->eos_id : &v->bos_id) = id;
    }
    return HET_OK;
}

static het_status take_post_processor(pipeline *p, const json_t *step, const char *type)
{
    if (strcmp(type, "ByteLevel") == 0)
        return HET_OK; /* places in the text only */
    if (strcmp(type, "TemplateProcessing") == 0)
        return take_template(p, step);
    return refuse(p, "post_processor", type);
}

/* ---- the whole ---- */

static het_status set_form(pipeline *p)
{
    het__vocabulary *v = &p->h->v;
    if (p->byte_level || p->decodes_bytes) {
        if (p->h->is_unigram || !p->byte_level || !p->decodes_bytes || p->replaces ||
            p->metaspace || p->strips)
            return refuse(p, "a pipeline", "ByteLevel with other steps");
        v->kind = "gpt2";
        if (p->steps != 1)
            p->h->known_rule = NULL;
        v->own_rule = &p->h->rule;
        return HET_OK;
    }
    if (!(p->replaces || p->metaspace) || !p->decodes_blanks || p->steps > 0)
        return refuse(p, "a pipeline", "neither byte-level nor with U+2581 for spaces");
    v->kind = p->h->is_unigram ? "t5" : "llama";
    v->by_rank = !p->h->is_unigram;
    if (p->strips && v->add_space_prefix != 1)
        return refuse(p, "decoder", "Strip without a space in front");
    v->keeps_space = !p->strips;
    return HET_OK;
}

het_status het__hf_read_pipeline(het__hf_vocabulary *h)
{
    pipeline p = { .h = h };
    h->v.add_space_prefix = h->v.add_bos = h->v.add_eos = 0;
    het_status s = each(&p, "normalizer", "normalizers", take_normalizer);
    if (s == HET_OK)
        s = each(&p, "pre_tokenizer", "pretokenizers", take_pre_tokenizer);
    if (s == HET_OK)
        s = each(&p, "decoder", "decoders", take_decoder);
    if (s == HET_OK)
        s = each(&p, "post_processor", "processors", take_post_processor);
    return s == HET_OK ? set_form(&p) : s;
}
