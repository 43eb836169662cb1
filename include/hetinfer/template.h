/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file template.h
 * Chat templates: messages to the text that a model was trained on.
 *
 * Models carry a small program in the language of Jinja. What is supported is what such templates
 * use: text, print, if, for with filters, set, namespaces, macros, comments, and expressions with
 * the usual filters, tests and methods; white space is handled as transformers does. Blocks of
 * inheritance and imports are refused by name. A template runs within limits on depth, steps,
 * memory and output, and reaches neither files nor the clock.
 */
#ifndef HETINFER_TEMPLATE_H
#define HETINFER_TEMPLATE_H

#include <hetinfer/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A template that was read. Immutable: any number of threads may apply it at once. */
typedef struct het_template het_template;

/** One turn of a conversation. */
typedef struct het_chat_message {
    const char *role;         /**< "system", "user", "assistant", "tool", … May be NULL if
                                   members_json gives it. */
    const char *content;      /**< What was said. May be NULL: none, or members_json has it. */
    const char *members_json; /**< A JSON object with more members, for example tool_calls; what it
                                   names replaces role and content. May be NULL. */
} het_chat_message;

/** End the text where the model's answer begins. */
#define HET_TEMPLATE_GENERATION_PROMPT (UINT64_C(1) << 0)

/** Options of het_template_apply(). */
typedef struct het_template_options {
    uint32_t struct_size;       /**< sizeof(het_template_options). */
    uint32_t reserved;          /**< Zero. */
    uint64_t flags;             /**< HET_TEMPLATE_*. */
    const char *tools_json;     /**< A JSON list of tools. May be NULL: none. */
    const char *variables_json; /**< A JSON object of variables, for example
                                     {"enable_thinking": false}; they replace what the other
                                     fields give. May be NULL. */
    const char *bos_token;      /**< Text of the begin-of-sequence token. NULL: that of the model
                                     that the template came from, if it came from one. */
    const char *eos_token;      /**< Text of the end-of-sequence token. NULL: likewise. */
    int64_t date_s;             /**< Local time, in seconds since 1970, for templates that ask for
                                     the date; 0: such a template fails. */
} het_template_options;

/** Initial value of a het_template_options. */
#define HET_TEMPLATE_OPTIONS_INIT { sizeof(het_template_options), 0, 0, NULL, NULL, NULL, NULL, 0 }

/**
 * Read a template.
 *
 * @param context   Kept alive.
 * @param text      The template, UTF-8; copied. May be NULL if @p bytes is 0.
 * @param bytes     Bytes at @p text.
 * @param tmpl      Receives the handle.
 * @param err       May be NULL; says the line and what is wrong there.
 * @retval HET_E_FORMAT       It is malformed.
 * @retval HET_E_UNSUPPORTED  It uses a block that is not supported.
 * @retval HET_E_INVALID      It is nested too deeply or too large.
 * @retval HET_E_NOMEM        Out of memory.
 *
 * Cost: O(bytes).
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_template_create(het_context *context, const char *text,
                                                     size_t bytes, het_template **tmpl,
                                                     het_error *err);

/**
 * Read the template that a model carries (metadata entry tokenizer.chat_template: of a GGUF file,
 * or of a folder with a config.json from chat_template.jinja or tokenizer_config.json).
 *
 * @param model  Need not outlive the template.
 * @param tmpl   Receives the handle.
 * @param err    May be NULL.
 * @retval HET_E_UNSUPPORTED  The model has none, or one that uses what is not supported.
 * @retval HET_E_FORMAT       It is malformed.
 * @retval HET_E_INVALID      It is nested too deeply or too large.
 * @retval HET_E_NOMEM        Out of memory.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_template_from_model(const het_model *model,
                                                         het_template **tmpl, het_error *err);

/**
 * Turn a conversation into text. Encode it with HET_ENCODE_PARSE_SPECIAL, and without
 * HET_ENCODE_ADD_SPECIAL: what the model wants at the beginning is in the text.
 *
 * @param tmpl      Template.
 * @param messages  Messages, first to last. May be NULL if @p count is 0.
 * @param count     Number of messages.
 * @param options   May be NULL: all zero.
 * @param text      Receives at most @p capacity bytes; no NUL is added. May be NULL
 *                  if @p capacity is 0.
 * @param capacity  Room at @p text.
 * @param bytes     Receives the length of the whole text, which may exceed @p capacity:
 *                  then call again with more room.
 * @param err       May be NULL; says the line and what is wrong, or what the template says
 *                  against the conversation.
 * @retval HET_E_INVALID      The template refuses the conversation, or computes what is not
 *                            possible with it, or needs more than the limits.
 * @retval HET_E_FORMAT       What is given as JSON is malformed.
 * @retval HET_E_UNSUPPORTED  The template uses a filter or test that is not supported, or the date
 *                            without having it.
 * @retval HET_E_VERSION      The options have something that this release does not know.
 * @retval HET_E_NOMEM        Out of memory.
 *
 * Cost: runs the whole template on each call.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_template_apply(const het_template *tmpl,
                                                    const het_chat_message *messages, size_t count,
                                                    const het_template_options *options,
                                                    char *text, size_t capacity, size_t *bytes,
                                                    het_error *err);

/**
 * Give a template up.
 * @param tmpl  May be NULL.
 * @since 0.1
 */
HET_API void het_template_destroy(het_template *tmpl);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_TEMPLATE_H */
