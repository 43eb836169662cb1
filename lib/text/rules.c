/* SPDX-License-Identifier: Apache-2.0 */
/* The rules by name, and their execution by PCRE2.
 *
 * Expressions are those of the models' own tokenizer files, with two changes that do not change
 * what matches: \s is spelled out (PCRE2 counts U+180E, Unicode does not), and where a run of
 * blanks would be tried again from each of its characters, it is skipped as a whole, so that time
 * grows with the text and not with its square. The matcher is the interpreter: compiled matching
 * needs memory that is writable and executable, which hosts may forbid. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "lib/text/rules.h"

#include <assert.h>
#include <pcre2.h>
#include <string.h>

#include "lib/base/error.h"

/* White_Space of Unicode, as a part of a class. */
#define BLANK "\\t-\\r\\x{85}\\p{Z}"
#define S "[" BLANK "]"
#define TAIL S "+(?![^" BLANK "])|" S "+"
#define CONTRACTION "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]"
#define OTHER " ?[^" BLANK "\\p{L}\\p{N}]+"
#define NEWLINES S "*[\\r\\n]+"

#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+|" OTHER "|" TAIL
/* Llama 3 and its kin; they differ in how many digits make a word. */
#define LLAMA3(digits)                                                                     \
    CONTRACTION "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits "|" OTHER "[\\r\\n]*|" NEWLINES "|" TAIL
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED(suffix, digits)                                                              \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" suffix "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER \
    "*" suffix "|" digits "|" OTHER "[\\r\\n/]*|" NEWLINES "|" TAIL
#define O200K CASED("(?:" CONTRACTION ")?", "\\p{N}{1,3}")
#define CL100K                                                                             \
    "'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|"           \
    "\\p{N}{1,3}+| ?[^" BLANK "\\p{L}\\p{N}]++[\\r\\n]*+|" S "++\\z|" S "*[\\r\\n]|" S        \
    "+(?![^" BLANK "])|" S
#define KANA_HAN "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+"
#define HAN_ON "[\\x{4e00}-\\x{9fa5}\\x{800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+"
#define DEEPSEEK3                                                                          \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"                               \
    "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|" NEWLINES "|" TAIL
/* Letters with case of the scripts that have it, by code point, as the vocabulary's file lists
 * them. */
#define DEEPSEEK_LETTERS                                                                   \
    S "?["                                                                                 \
    "A-Za-z\\x{b5}\\x{c0}-\\x{d6}\\x{d8}-\\x{f6}\\x{f8}-\\x{1ba}\\x{1bc}-\\x{1bf}" \
    "\\x{1c4}-\\x{293}\\x{295}-\\x{2af}\\x{370}-\\x{373}\\x{376}-\\x{377}\\x{37b}-\\x{37d}" \
    "\\x{37f}\\x{386}\\x{388}-\\x{38a}\\x{38c}\\x{38e}-\\x{3a1}\\x{3a3}-\\x{3f5}" \
    "\\x{3f7}-\\x{481}\\x{48a}-\\x{52f}\\x{531}-\\x{556}\\x{10a0}-\\x{10c5}" \
    "\\x{13a0}-\\x{13f5}\\x{13f8}-\\x{13fd}\\x{1c90}-\\x{1cba}\\x{1cbd}-\\x{1cbf}" \
    "\\x{1d00}-\\x{1d2b}\\x{1d6b}-\\x{1d77}\\x{1d79}-\\x{1d9a}\\x{1e00}-\\x{1f15}" \
    "\\x{1f18}-\\x{1f1d}\\x{1f20}-\\x{1f45}\\x{1f48}-\\x{1f4d}\\x{1f50}-\\x{1f57}\\x{1f59}" \
    "\\x{1f5b}\\x{1f5d}\\x{1f5f}-\\x{1f7d}\\x{1f80}-\\x{1fb4}\\x{1fb6}-\\x{1fbc}\\x{1fbe}" \
    "\\x{1fc2}-\\x{1fc4}\\x{1fc6}-\\x{1fcc}\\x{1fd0}-\\x{1fd3}\\x{1fd6}-\\x{1fdb}" \
    "\\x{1fe0}-\\x{1fec}\\x{1ff2}-\\x{1ff4}\\x{1ff6}-\\x{1ffc}\\x{2102}\\x{2107}" \
    "\\x{210a}-\\x{2113}\\x{2115}\\x{2119}-\\x{211d}\\x{2124}\\x{2126}\\x{2128}" \
    "\\x{212a}-\\x{212d}\\x{212f}-\\x{2134}\\x{2139}\\x{213c}-\\x{213f}\\x{2145}-\\x{2149}" \
    "\\x{214e}\\x{2183}-\\x{2184}\\x{2c00}-\\x{2c7b}\\x{2c7e}-\\x{2ce4}\\x{2ceb}-\\x{2cee}" \
    "\\x{2cf2}-\\x{2cf3}\\x{a640}-\\x{a66d}\\x{a680}-\\x{a69b}\\x{a722}-\\x{a76f}" \
    "\\x{a771}-\\x{a787}\\x{a78b}-\\x{a78e}\\x{ab70}-\\x{abbf}\\x{fb00}-\\x{fb06}" \
    "\\x{fb13}-\\x{fb17}\\x{ff21}-\\x{ff3a}\\x{ff41}-\\x{ff5a}\\x{10400}-\\x{1044f}" \
    "\\x{104b0}-\\x{104d3}\\x{104d8}-\\x{104fb}\\x{10c80}-\\x{10cb2}\\x{10cc0}-\\x{10cf2}" \
    "\\x{118a0}-\\x{118df}\\x{1e900}-\\x{1e943}" \
    "]+"
/* The last ones are the ellipsis and the commas and full stops of Chinese, Hindi and Arabic. */
#define BLOOM " ?[^(" BLANK "|.,!?)\\x{2026}\\x{3002}\\x{ff0c}\\x{3001}\\x{964}\\x{6d4}\\x{60c}]+"

#define NAMES(...) (const char *const[]){ __VA_ARGS__, NULL }

static const het__rule rules[] = {
    /* What readers use for files older than the key. */
    { NAMES("default"),
      { "[\\p{P}$+<=>^~|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]" },
      false,
      false },
    { NAMES("gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "exaone4",
            "jina-es", "jina-de", "jina-v1-en", "jina-v2-es", "jina-v2-de", "jina-v2-code",
            "gigachat", "roberta-bpe", "a.x-4.0", "mellum", "modern-bert"),
      { GPT2 },
      false,
      false },
    { NAMES("llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0",
            "lfm2", "jina-v5-nano"),
      { LLAMA3("\\p{N}{1,3}") },
      true,
      true },
    { NAMES("dbrx", "smaug-bpe", "glm4", "chatglm-bpe"),
      { LLAMA3("\\p{N}{1,3}") },
      false,
      false },
    { NAMES("qwen2", "deepseek-r1-qwen", "stablelm2", "megrez", "hunyuan", "grok-2", "kormo",
            "f2llmv2", "solar-open"),
      { LLAMA3("\\p{N}") },
      false,
      false },
    { NAMES("falcon"), { "[\\p{P}$+<=>^~|`]+", GPT2, "[0-9][0-9][0-9]" }, false, false },
    { NAMES("starcoder", "smollm", "refact", "command-r", "codeshell", "exaone", "minerva-7b",
            "mellum2"),
      { "\\p{N}", GPT2 },
      false,
      false },
    { NAMES("gpt-4o", "o200k", "llama4", "kanana2", "minimax-m2"), { O200K }, false, false },
    { NAMES("cl100k"), { CL100K }, false, false },
    { NAMES("tekken"), { CASED("", "\\p{N}") }, true, true },
    { NAMES("deepseek-llm"),
      { "[\\r\\n]", DEEPSEEK_LETTERS,
        S "?[!-/:-~\\x{ff01}-\\x{ff0f}\\x{ff1a}-\\x{ff5e}\\x{2018}-\\x{201f}\\x{3000}-\\x{3002}]+",
        S "++(?:\\z|(*SKIP)(*FAIL))", HAN_ON, "\\p{N}+" },
      false,
      false },
    { NAMES("deepseek-coder"),
      { "[\\r\\n]", S "?\\p{L}+", S "?\\p{P}+", HAN_ON, "\\p{N}" },
      false,
      false },
    { NAMES("deepseek-v3", "hunyuan-dense", "joyai-llm"),
      { "\\p{N}{1,3}", KANA_HAN, DEEPSEEK3 },
      false,
      false },
    { NAMES("bloom", "gpt3-finnish", "poro-chat"), { BLOOM }, false, false },
    { NAMES("viking"), { BLOOM, "\\p{N}" }, false, false },
};

const het__rule *het__rule_find(const char *name)
{
    if (!name || !*name)
        return &rules[0];
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        for (const char *const *n = rules[i].names; *n; n++)
            if (strcmp(*n, name) == 0)
                return &rules[i];
    return NULL;
}

/* Steps of one match of a rule that is not ours: enough for any text that people write. */
#define OWN_MATCH_STEPS 10000000

struct het__splitter {
    het__mem *mem;
    pcre2_general_context *general;
    pcre2_compile_context *compile;
    pcre2_match_context *match;
    pcre2_code *steps[HET__RULE_STEPS];
    size_t step_count;
    uint32_t match_options;
    uint32_t drops_gaps;
    bool is_own;
};

static void *regex_alloc(PCRE2_SIZE bytes, void *user)
{
    return het__alloc(user, bytes);
}

static void regex_free(void *ptr, void *user)
{
    het__free(user, ptr);
}

static het_status compile_steps(het__splitter *s, const het__rule *rule, het_error *err)
{
    for (size_t i = 0; i < HET__RULE_STEPS && rule->steps[i]; i++) {
        int code;
        PCRE2_SIZE at;
        s->steps[i] = pcre2_compile((PCRE2_SPTR)rule->steps[i], PCRE2_ZERO_TERMINATED,
                                    PCRE2_UTF | PCRE2_UCP, &code, &at, s->compile);
        if (!s->steps[i] && code == PCRE2_ERROR_HEAP_FAILED)
            return het__fail_nomem(err, "a pre-tokenizer rule");
        if (!s->steps[i] && s->is_own)
            return het__fail(err, HET_E_UNSUPPORTED,
                             "expression %zu of the pre-tokenizer does not compile at %zu (%d)",
                             i, (size_t)at, code);
        if (!s->steps[i])
            return het__fail(err, HET_E_INTERNAL,
                             "step %zu of pre-tokenizer rule %s does not compile at %zu (%d)", i,
                             rule->names[0], (size_t)at, code);
        s->step_count++;
    }
    return HET_OK;
}

static het_status create(het__mem *mem, const het__rule *rule, const het__own_rule *own,
                         het__splitter **splitter, het_error *err)
{
    het_status status = HET_E_NOMEM;
    het__splitter *s = het__alloc_zero(mem, 1, sizeof *s);
    if (!s)
        return het__fail_nomem(err, "a pre-tokenizer rule");
    s->mem = mem;
    s->general = pcre2_general_context_create(regex_alloc, regex_free, mem);
    s->compile = s->general ? pcre2_compile_context_create(s->general) : NULL;
    s->match = s->general ? pcre2_match_context_create(s->general) : NULL;
    if (!s->compile || !s->match) {
        het__fail_nomem(err, "a pre-tokenizer rule");
        goto fail;
    }
    /* Giving back one character of a run counts as a match attempt, and runs of megabytes are
     * legal; the rules' worst case is linear. */
    pcre2_set_match_limit(s->match, own ? OWN_MATCH_STEPS : UINT32_MAX);
    s->is_own = own != NULL;
    s->drops_gaps = own ? own->drops_gaps : 0;
    s->match_options = PCRE2_NO_UTF_CHECK | (own ? PCRE2_NOTEMPTY : 0u);
    status = compile_steps(s, rule, err);
    if (status != HET_OK)
        goto fail;
    *splitter = s;
    return HET_OK;
fail:
    het__splitter_destroy(s);
    return status;
}

het_status het__splitter_create(het__mem *mem, const het__rule *rule, het__splitter **splitter,
                                het_error *err)
{
    return create(mem, rule, NULL, splitter, err);
}

het_status het__splitter_create_own(het__mem *mem, const het__own_rule *rule,
                                    het__splitter **splitter, het_error *err)
{
    return create(mem, &rule->rule, rule, splitter, err);
}

void het__splitter_destroy(het__splitter *splitter)
{
    if (!splitter)
        return;
    for (size_t i = 0; i < splitter->step_count; i++)
        pcre2_code_free(splitter->steps[i]);
    pcre2_match_context_free(splitter->match);
    pcre2_compile_context_free(splitter->compile);
    pcre2_general_context_free(splitter->general);
    het__free(splitter->mem, splitter);
}

typedef struct run_state {
    const het__splitter *splitter;
    const char *text;
    pcre2_match_data *match;
    het__word_fn word;
    void *user;
    het_error *err;
} run_state;

/* Cut text[begin, end) by the steps from step on; at most HET__RULE_STEPS deep. */
static het_status cut(const run_state *r, size_t step, size_t begin, size_t end)
{
    if (begin == end)
        return HET_OK;
    if (step == r->splitter->step_count)
        return r->word(r->user, begin, end - begin) ? HET_OK
                                                    : het__fail_nomem(r->err, "encoded text");
    const PCRE2_SIZE *const where = pcre2_get_ovector_pointer(r->match);
    const bool drops = r->splitter->drops_gaps >> step & 1;
    size_t at = begin;
    while (at < end) {
        const int found =
            pcre2_match(r->splitter->steps[step], (PCRE2_SPTR)r->text + begin, end - begin,
                        at - begin, r->splitter->match_options, r->match, r->splitter->match);
        if (found == PCRE2_ERROR_NOMATCH)
            break;
        if (found == PCRE2_ERROR_NOMEMORY || found == PCRE2_ERROR_HEAPLIMIT)
            return het__fail_nomem(r->err, "matching a pre-tokenizer rule");
        if (found < 0 && r->splitter->is_own)
            return het__fail(r->err, HET_E_UNSUPPORTED,
                             "the text takes the pre-tokenizer's expression %zu too long", step);
        if (found < 0)
            return het__fail_native(r->err, HET_E_INTERNAL, found,
                                    "matching a pre-tokenizer rule failed");
        const size_t from = begin + where[0], to = begin + where[1];
        assert(from >= at && to > from);
        het_status status = drops ? HET_OK : cut(r, step + 1, at, from);
        if (status == HET_OK)
            status = cut(r, step + 1, from, to);
        if (status != HET_OK)
            return status;
        at = to;
    }
    return drops ? HET_OK : cut(r, step + 1, at, end);
}

het_status het__splitter_run(const het__splitter *splitter, const char *text, size_t bytes,
                             het__word_fn word, void *user, het_error *err)
{
    pcre2_match_data *match = pcre2_match_data_create(1, splitter->general);
    if (!match)
        return het__fail_nomem(err, "matching a pre-tokenizer rule");
    const run_state r = { splitter, text, match, word, user, err };
    const het_status status = cut(&r, 0, 0, bytes);
    pcre2_match_data_free(match);
    return status;
}
