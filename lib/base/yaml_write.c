/* SPDX-License-Identifier: Apache-2.0 */
/* Writing numbers and texts so that reading them gives the same. Neither knows the locale: the
 * decimal point is put by hand. */
#include "lib/base/yaml.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Significant digits that tell every double from its neighbours. */
#define DIGITS_MAX 17

/* ---- text ---- */

size_t het__yaml_shown(const char *text)
{
    const unsigned char *t = (const unsigned char *)text;
    if (t[0] < 0x80)
        return t[0] >= 0x20 && t[0] != 0x7f;
    const size_t n = t[0] < 0xc2 ? 0 : t[0] < 0xe0 ? 2 : t[0] < 0xf0 ? 3 : t[0] < 0xf5 ? 4 : 0;
    uint32_t point = n ? t[0] & (0x7fu >> n) : 0;
    for (size_t i = 1; i < n; i++) {
        if ((t[i] & 0xc0) != 0x80) /* the end of the text included */
            return 0;
        point = point << 6 | (t[i] & 0x3f);
    }
    const bool is_whole = n > 0 && point >= (n == 2 ? 0x80u : n == 3 ? 0x800u : 0x10000u) &&
                          point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff);
    /* Controls, marks of writing direction, line separators, and what is no character. */
    const bool is_odd = point < 0xa0 || (point >= 0x200b && point <= 0x200f) ||
                        (point >= 0x2028 && point <= 0x202e) ||
                        (point >= 0x2060 && point <= 0x206f) || point == 0xfeff ||
                        (point & 0xfffe) == 0xfffe;
    return is_whole && !is_odd ? n : 0;
}

void het__yaml_put_text(het__text *out, const char *text)
{
    het__text_append(out, "\"", 1);
    while (*text) {
        const size_t n = het__yaml_shown(text);
        if (*text == '"' || *text == '\\')
            het__text_append(out, "\\", 1);
        het__text_append(out, n ? text : "?", n ? n : 1);
        text += n ? n : 1;
    }
    het__text_append(out, "\"", 1);
}

/* ---- numbers ---- */

/* Fewest digits that read as value (> 0), which is 0.DIGITS times ten to the power returned. */
static int shortest(double value, char digits[DIGITS_MAX + 1])
{
    for (int count = 1;; count++) {
        char text[64], again[64];
        snprintf(text, sizeof text, "%.*e", count - 1, value);
        size_t n = 0;
        const char *at = text;
        for (; *at != 'e'; at++)
            if (*at >= '0' && *at <= '9')
                digits[n++] = *at;
        digits[n] = '\0';
        const int power = (int)strtol(at + 1, NULL, 10) + 1;
        snprintf(again, sizeof again, "%se%d", digits, power - (int)n);
        if (count == DIGITS_MAX || strtod(again, NULL) == value) {
            while (n > 1 && digits[n - 1] == '0')
                digits[--n] = '\0';
            return power;
        }
    }
}

/* 0.DIGITS times ten to the power, without an exponent. */
static void put_digits(het__text *out, const char *digits, int power)
{
    const int n = (int)strlen(digits);
    if (power <= 0)
        het__text_append(out, "0.", 2);
    for (int i = power; i < 0; i++)
        het__text_append(out, "0", 1);
    for (int i = 0; i < n || i < power; i++) {
        if (i == power && i > 0)
            het__text_append(out, ".", 1);
        het__text_append(out, i < n ? &digits[i] : "0", 1);
    }
}

/* Whole KiB, MiB, GiB or TiB are written as such. */
static bool put_binary(het__text *out, double value)
{
    static const char *const names[] = { "", "KiB", "MiB", "GiB", "TiB" };
    uint32_t k = 0;
    if (!(value >= 1024) || value > 0x1p53)
        return false;
    while (k < 4 && fmod(value, 1024) == 0) {
        value /= 1024;
        k++;
    }
    if (k == 0 || value >= 1e6)
        return false;
    het__text_printf(out, "%u %s", (unsigned)value, names[k]);
    return true;
}

void het__yaml_put_quantity(het__text *out, double value, const char *unit, int power)
{
    static const char *const names[] = { "p", "n", "u", "m", "", "k", "M", "G", "T", "P" };
    char digits[DIGITS_MAX + 1] = "0";
    int place = 1, prefix = 0;
    assert(isfinite(value));
    if (value < 0)
        het__text_append(out, "-", 1);
    value = fabs(value);
    if (strcmp(unit, "B") == 0 && power == 0 && put_binary(out, value))
        return;
    if (value > 0)
        place = shortest(value, digits) - power;
    if (*unit && *unit != '/' && value > 0) /* thousandths of "per hour" read badly */
        prefix = place < -11 ? -12 : place > 15 ? 15 : (place + 11) / 3 * 3 - 12;
    put_digits(out, digits, place - prefix);
    if (*unit)
        het__text_printf(out, " %s%s", names[prefix / 3 + 4], unit);
}
