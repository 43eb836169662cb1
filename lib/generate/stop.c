/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/generate/stop.h"

#include <string.h>

#include "lib/base/error.h"

/* Pieces are handed out from a buffer, because they must be NUL-terminated. */
#define PIECE_BYTES 1024

het_status het__stop_init(het__stop *stop, const char *const *strings, size_t count,
                          het_error *err)
{
    memset(stop, 0, sizeof *stop);
    if (count > HET__STOP_MAX || (count && !strings))
        return het__fail(err, HET_E_INVALID, "%zu stop strings, at most %d are possible", count,
                         HET__STOP_MAX);
    for (size_t i = 0; i < count; i++) {
        const size_t n = strings[i] ? strlen(strings[i]) : 0;
        if (n == 0 || n > HET__STOP_BYTES_MAX)
            return het__fail(err, HET_E_INVALID, "stop string %zu has %zu bytes, not 1 to %d", i, n,
                             HET__STOP_BYTES_MAX);
        memcpy(stop->string[i].text, strings[i], n + 1);
        stop->string[i].bytes = n;
    }
    stop->count = count;
    return HET_OK;
}

static bool continues_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static bool give_out(const char *text, size_t bytes, het_piece_fn give, void *user)
{
    char piece[PIECE_BYTES];
    while (bytes > 0) {
        size_t n = bytes < sizeof piece ? bytes : sizeof piece - 1;
        while (n < bytes && n > 1 && continues_character(text[n]))
            n--;
        memcpy(piece, text, n);
        piece[n] = '\0';
        if (give && give(user, piece, n) != 0)
            return false;
        text += n;
        bytes -= n;
    }
    return true;
}

/* Length of the longest stop string that ends what is held, 0 if none does. It may begin behind
 * the first byte held: "bc" while "abc" is held for "abcd". */
static size_t completed(const het__stop *stop)
{
    size_t longest = 0;
    for (size_t i = 0; i < stop->count; i++) {
        const size_t n = stop->string[i].bytes;
        if (n > longest && n <= stop->held_bytes &&
            memcmp(stop->held + stop->held_bytes - n, stop->string[i].text, n) == 0)
            longest = n;
    }
    return longest;
}

static bool is_beginning(const het__stop *stop)
{
    for (size_t i = 0; i < stop->count; i++)
        if (stop->held_bytes <= stop->string[i].bytes &&
            memcmp(stop->held, stop->string[i].text, stop->held_bytes) == 0)
            return true;
    return false;
}

/* Let go of leading characters until what is held begins a stop string again. */
static size_t release_front(het__stop *stop, char *out)
{
    size_t n = 0;
    while (stop->held_bytes > 0 && !is_beginning(stop)) {
        do {
            out[n++] = stop->held[0];
            memmove(stop->held, stop->held + 1, --stop->held_bytes);
        } while (stop->held_bytes > 0 && continues_character(stop->held[0]));
    }
    return n;
}

bool het__stop_push(het__stop *stop, const char *text, size_t bytes, het_piece_fn give, void *user)
{
    /* Flushed between characters only, so up to a character more than a piece may gather. */
    char out[PIECE_BYTES + HET__STOP_BYTES_MAX + 8];
    size_t used = 0;
    if (stop->count == 0)
        return give_out(text, bytes, give, user);
    for (size_t i = 0; i < bytes; i++) {
        stop->held[stop->held_bytes++] = text[i];
        const size_t stop_bytes = completed(stop);
        if (stop_bytes > 0) {
            memcpy(out + used, stop->held, stop->held_bytes - stop_bytes);
            used += stop->held_bytes - stop_bytes;
            stop->found = true;
            stop->held_bytes = 0;
            give_out(out, used, give, user);
            return false;
        }
        used += release_front(stop, out + used);
        if (used >= PIECE_BYTES && i + 1 < bytes && !continues_character(text[i + 1])) {
            if (!give_out(out, used, give, user))
                return false;
            used = 0;
        }
    }
    return give_out(out, used, give, user);
}

bool het__stop_flush(het__stop *stop, het_piece_fn give, void *user)
{
    const size_t n = stop->held_bytes;
    stop->held_bytes = 0;
    return give_out(stop->held, n, give, user);
}
