/* SPDX-License-Identifier: Apache-2.0 */
/* Ids to text piece by piece, always whole UTF-8.
 *
 * Bytes of a character that is not yet whole wait. A byte that cannot continue what waits shows
 * that it never becomes whole: then what waits is replaced by one U+FFFD, as the Unicode standard
 * advises (one for each maximal part of a character), and so is a byte that begins nothing. */
#include "lib/base/error.h"
#include "lib/text/internal.h"
#include "lib/text/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"

struct het_detokenizer {
    const het_tokenizer *tokenizer; /* its owner is retained */
    uint64_t flags;
    bool starting; /* no text has come yet */
    size_t waiting_bytes;
    char waiting[4];
    size_t out_bytes;
    char out[]; /* room for a replacement per byte of the longest token, what waits, and a NUL */
};

het_status het__detokenizer_create(const het_tokenizer *tokenizer, uint64_t flags,
                                   het_detokenizer **detokenizer, het_error *err)
{
    const size_t room = 3 * ((size_t)tokenizer->text_bytes_max + 4) + 1;
    het_detokenizer *d = het__alloc(tokenizer->mem, sizeof *d + room);
    if (!d)
        return het__fail_nomem(err, "a detokenizer");
    d->tokenizer = tokenizer;
    d->flags = flags;
    d->starting = true;
    d->waiting_bytes = 0;
    if (tokenizer->retain)
        tokenizer->retain(tokenizer->owner);
    *detokenizer = d;
    return HET_OK;
}

void het__detokenizer_destroy(het_detokenizer *detokenizer)
{
    if (!detokenizer)
        return;
    const het_tokenizer *t = detokenizer->tokenizer;
    void (*const release)(void *) = t->release;
    void *const owner = t->owner;
    het__free(t->mem, detokenizer);
    if (release) /* the tokenizer may go with it */
        release(owner);
}

static void put(het_detokenizer *d, const char *data, size_t bytes)
{
    memcpy(d->out + d->out_bytes, data, bytes);
    d->out_bytes += bytes;
}

/* What waits will not become whole. */
static void give_up(het_detokenizer *d)
{
    if (d->waiting_bytes > 0)
        put(d, REPLACEMENT, sizeof REPLACEMENT - 1);
    d->waiting_bytes = 0;
}

static void take_byte(het_detokenizer *d, char byte)
{
    const unsigned char first = (unsigned char)d->waiting[0];
    if (d->waiting_bytes > 0 &&
        !het__utf8_continues(first, d->waiting_bytes, (unsigned char)byte))
        give_up(d);
    d->waiting[d->waiting_bytes++] = byte;
    const size_t whole = het__utf8_length((unsigned char)d->waiting[0]);
    if (whole == 0) {
        give_up(d);
    } else if (d->waiting_bytes == whole) {
        put(d, d->waiting, whole);
        d->waiting_bytes = 0;
    }
}

het_status het__detokenizer_push(het_detokenizer *d, int32_t id, const char **text, size_t *bytes)
{
    if (id < -1 || (id >= 0 && (uint32_t)id >= d->tokenizer->token_count))
        return HET_E_INVALID;
    d->out_bytes = 0;
    if (id == -1) {
        give_up(d);
        d->starting = true;
    } else {
        const het__span s = het__token_text(d->tokenizer, (uint32_t)id, d->flags, d->starting);
        if (het__token_text(d->tokenizer, (uint32_t)id, d->flags, false).bytes > 0)
            d->starting = false;
        for (size_t i = 0; i < s.bytes; i++)
            take_byte(d, s.data[i]);
    }
    d->out[d->out_bytes] = '\0';
    *text = d->out;
    if (bytes)
        *bytes = d->out_bytes;
    return HET_OK;
}
