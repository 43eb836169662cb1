/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as the Unicode standard defines it (table 3-7): no surrogates, nothing overlong, nothing
 * above U+10FFFF. */
#ifndef HET_TEXT_UTF8_H
#define HET_TEXT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that a character with this first byte has; 0 if no character begins so. */
static inline size_t het__utf8_length(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* Whether byte may stand at index (1 to 3) of a character that begins with first. */
static inline int het__utf8_continues(unsigned char first, size_t index, unsigned char byte)
{
    unsigned char low = 0x80, high = 0xbf;
    if (index == 1) {
        if (first == 0xe0)
            low = 0xa0;
        else if (first == 0xed)
            high = 0x9f;
        else if (first == 0xf0)
            low = 0x90;
        else if (first == 0xf4)
            high = 0x8f;
    }
    return byte >= low && byte <= high;
}

/* Bytes of the whole character at text, 0 if there is none (bytes >= 1). */
static inline size_t het__utf8_char(const char *text, size_t bytes)
{
    const unsigned char first = (unsigned char)text[0];
    const size_t n = het__utf8_length(first);
    if (n > bytes)
        return 0;
    for (size_t i = 1; i < n; i++)
        if (!het__utf8_continues(first, i, (unsigned char)text[i]))
            return 0;
    return n;
}

/* Code point of a character of n bytes that het__utf8_char() accepted. */
static inline uint32_t het__utf8_code(const char *text, size_t n)
{
    static const unsigned char mask[5] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    uint32_t c = (unsigned char)text[0] & mask[n];
    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)text[i] & 0x3f);
    return c;
}

#endif /* HET_TEXT_UTF8_H */
