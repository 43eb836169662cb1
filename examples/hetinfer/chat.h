/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations for the commands: what the template of a model makes of them. */
#ifndef HETINFER_CHAT_H
#define HETINFER_CHAT_H

#include "common.h"

#define CHAT_MESSAGES_MAX 4096

/* What to render. prompt and system are one message each; messages_file has a JSON list of them;
 * turns, if there are any, is the conversation itself. */
typedef struct chat_request {
    const char *prompt, *system;      /* may be NULL */
    const char *messages_file;        /* may be NULL: prompt and system */
    const het_chat_message *turns;    /* may be NULL */
    size_t turn_count;
    const char *tools_file, *variables; /* may be NULL; variables: a JSON object */
    bool no_generation;               /* no beginning of an answer */
} chat_request;

/* The text of a conversation, NUL-terminated, for free(). STATUS_GO, or STATUS_FAILED after a
 * sentence on stderr. */
int chat_render(const het_template *tmpl, const chat_request *request, char **text, size_t *bytes);

#endif /* HETINFER_CHAT_H */
