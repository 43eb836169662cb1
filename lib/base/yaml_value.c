/* SPDX-License-Identifier: Apache-2.0 */
/* What the nodes of a YAML document mean. Numbers are read without the locale: a number is made of
 * its digits and a power of ten ("12.5 k" is "125e2"), which strtod() reads alike everywhere and
 * rounds once. */
#include "lib/base/yaml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Digits of a number; a double never needs more than 17 to come back the same. */
#define DIGITS_MAX 40
#define POWER_MAX 9999

typedef struct prefix {
    const char *name;
    int power;  /* of ten */
    int binary; /* of two */
} prefix;

static const prefix prefixes[] = {
    { "", 0, 0 },   { "k", 3, 0 },   { "M", 6, 0 },   { "G", 9, 0 },   { "T", 12, 0 },
    { "P", 15, 0 }, { "m", -3, 0 },  { "u", -6, 0 },  { "n", -9, 0 },  { "p", -12, 0 },
    { "Ki", 0, 10 }, { "Mi", 0, 20 }, { "Gi", 0, 30 }, { "Ti", 0, 40 },
};
#define PREFIX_COUNT (sizeof prefixes / sizeof *prefixes)

const het__yaml_node *het__yaml_get(const het__yaml_node *node, const char *key)
{
    if (!node || node->kind != HET__YAML_MAPPING)
        return NULL;
    for (uint32_t i = 0; i < node->count; i++)
        if (strcmp(node->children[i].key, key) == 0)
            return &node->children[i];
    return NULL;
}

/* ---- messages ---- */

/* How a message calls a node. */
static const char *name_of(const het__yaml_node *node)
{
    return node->key ? node->key : "this";
}

/* "a, b, c" as far as there is room. */
static void list_names(const char *const *names, char *list, size_t bytes)
{
    size_t n = 0;
    list[0] = '\0';
    for (; *names && n < bytes; names++) {
        const int more = snprintf(list + n, bytes - n, "%s%s", n ? ", " : "", *names);
        n += more > 0 ? (size_t)more : 0;
    }
}

static het_status fail_scalar(const char *what, const het__yaml_node *node, const char *wanted,
                              het_error *err)
{
    if (node->kind != HET__YAML_SCALAR)
        return het__yaml_fail(what, node, err, "%.60s must be %s", name_of(node), wanted);
    return het__yaml_fail(what, node, err, "%.60s must be %s, not %s%.40s%s", name_of(node), wanted,
                          node->is_quoted ? "\"" : "'", node->text, node->is_quoted ? "\"" : "'");
}

/* ---- mappings ---- */

het_status het__yaml_keys(const char *what, const het__yaml_node *node, const char *const *keys,
                          het_error *err)
{
    if (node->kind != HET__YAML_MAPPING)
        return het__yaml_fail(what, node, err, "%.60s must be a mapping with keys",
                              name_of(node));
    for (uint32_t i = 0; i < node->count; i++) {
        const het__yaml_node *child = &node->children[i];
        size_t k = 0;
        while (keys[k] && strcmp(child->key, keys[k]) != 0)
            k++;
        if (!keys[k]) {
            char list[128];
            list_names(keys, list, sizeof list);
            return het__yaml_fail(what, child, err, "unknown key '%.40s', not one of %s",
                                  child->key, list);
        }
    }
    return HET_OK;
}

het_status het__yaml_need(const char *what, const het__yaml_node *node, const char *key,
                          const het__yaml_node **value, het_error *err)
{
    *value = het__yaml_get(node, key);
    return *value ? HET_OK : het__yaml_fail(what, node, err, "the key '%s' is missing", key);
}

/* ---- numbers ---- */

/* A number at text as its sign and digits without a point, and a power of ten. Returns what stands
 * behind it; NULL: there is no number, or it is longer than any that means something. */
static const char *scan_number(const char *text, char digits[DIGITS_MAX + 2], int *power)
{
    size_t n = 0;
    bool is_fraction = false, is_number = false;
    *power = 0;
    if (*text == '-')
        digits[n++] = '-';
    text += *text == '-' || *text == '+';
    const size_t first = n;
    for (; (*text >= '0' && *text <= '9') || (*text == '.' && !is_fraction); text++) {
        if (*text == '.') {
            is_fraction = true;
            continue;
        }
        is_number = true;
        *power -= is_fraction;
        if (n == first && *text == '0') /* zeros before the first digit mean nothing */
            continue;
        if (n - first == DIGITS_MAX)
            return NULL;
        digits[n++] = *text;
    }
    if (!is_number)
        return NULL;
    if (n == first)
        digits[n++] = '0';
    digits[n] = '\0';
    if (*text == 'e' || *text == 'E') {
        const char *at = text + 1;
        const int sign = *at == '-' ? -1 : 1;
        int exponent = 0;
        at += *at == '-' || *at == '+';
        if (*at < '0' || *at > '9')
            return NULL;
        for (; *at >= '0' && *at <= '9'; at++)
            exponent = exponent > POWER_MAX ? exponent : 10 * exponent + (*at - '0');
        *power += sign * exponent;
        text = at;
    }
    return text;
}

/* Prefix of a text that is one before the unit; NULL: it is not. */
static const prefix *find_prefix(const char *text, const char *unit)
{
    for (size_t i = 0; i < PREFIX_COUNT; i++) {
        const size_t n = strlen(prefixes[i].name);
        if (strncmp(text, prefixes[i].name, n) == 0 && strcmp(text + n, unit) == 0)
            return &prefixes[i];
    }
    return NULL;
}

/* False: no number with an end that the caller knows. rest receives it. */
static bool scan_scalar(const het__yaml_node *node, char digits[DIGITS_MAX + 2], int *power,
                        const char **rest)
{
    if (node->kind != HET__YAML_SCALAR || node->is_quoted)
        return false;
    *rest = scan_number(node->text, digits, power);
    if (!*rest)
        return false;
    while (**rest == ' ')
        (*rest)++;
    return true;
}

static het_status take_value(const char *what, const het__yaml_node *node, const char *digits,
                             int power, int binary, double low, double high, double *value,
                             het_error *err)
{
    char text[DIGITS_MAX + 24];
    snprintf(text, sizeof text, "%se%d", digits, power);
    const double v = ldexp(strtod(text, NULL), binary);
    if (!isfinite(v) || v < low || v > high)
        return het__yaml_fail(what, node, err, "%.60s is '%.40s', not in %g to %g", name_of(node),
                              node->text, low, high);
    *value = v;
    return HET_OK;
}

het_status het__yaml_number(const char *what, const het__yaml_node *node, double low, double high,
                            double *value, het_error *err)
{
    static const char *const units[] = { "", "B", "B/s" };
    char digits[DIGITS_MAX + 2];
    int power = 0;
    const char *rest;
    const prefix *p = NULL;
    if (!scan_scalar(node, digits, &power, &rest))
        return fail_scalar(what, node, "a number", err);
    for (size_t i = 0; !p && i < sizeof units / sizeof *units; i++)
        p = find_prefix(rest, units[i]);
    if (!p || p->power < 0 || p->power > 12)
        return het__yaml_fail(what, node, err,
                              "%.60s is '%.40s', whose unit is not k, M, G, T, Ki, Mi, Gi or Ti",
                              name_of(node), node->text);
    return take_value(what, node, digits, power + p->power, p->binary, low, high, value, err);
}

het_status het__yaml_quantity(const char *what, const het__yaml_node *node, const char *unit,
                              int power, double low, double high, double *value, het_error *err)
{
    char digits[DIGITS_MAX + 2];
    int scale = 0;
    const char *rest;
    if (!scan_scalar(node, digits, &scale, &rest))
        return fail_scalar(what, node, "a number", err);
    const prefix *p = find_prefix(rest, unit);
    if (!p || (!*unit && *rest) || (p->binary && unit[0] != 'B'))
        return het__yaml_fail(what, node, err, "%.60s is '%.40s', %s%s%s", name_of(node),
                              node->text, *unit ? "whose unit is not '" : "but has no unit",
                              unit, *unit ? "'" : "");
    return take_value(what, node, digits, scale + p->power + power, p->binary, low, high, value,
                      err);
}

/* ---- others ---- */

het_status het__yaml_flag(const char *what, const het__yaml_node *node, bool *value,
                          het_error *err)
{
    static const char *const names[] = { "false", "true", "no", "yes", "off", "on" };
    if (node->kind == HET__YAML_SCALAR && !node->is_quoted)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (strcmp(node->text, names[i]) == 0) {
                *value = i & 1;
                return HET_OK;
            }
    return fail_scalar(what, node, "true or false", err);
}

het_status het__yaml_choice(const char *what, const het__yaml_node *node, const char *const *names,
                            uint32_t *index, het_error *err)
{
    char list[128] = "one of ";
    if (node->kind == HET__YAML_SCALAR)
        for (uint32_t i = 0; names[i]; i++)
            if (strcmp(node->text, names[i]) == 0) {
                *index = i;
                return HET_OK;
            }
    list_names(names, list + strlen(list), sizeof list - strlen(list));
    return fail_scalar(what, node, list, err);
}

het_status het__yaml_text(const char *what, const het__yaml_node *node, size_t bytes_max,
                          const char **text, het_error *err)
{
    if (node->kind != HET__YAML_SCALAR || !node->text[0])
        return het__yaml_fail(what, node, err, "%.60s must be a text", name_of(node));
    if (strlen(node->text) > bytes_max)
        return het__yaml_fail(what, node, err, "%.60s has %zu bytes, more than %zu", name_of(node),
                              strlen(node->text), bytes_max);
    for (const char *at = node->text; *at;) {
        const size_t n = het__yaml_shown(at);
        if (n == 0)
            return het__yaml_fail(what, node, err, "%.60s holds a character that is not for text",
                                  name_of(node));
        at += n;
    }
    *text = node->text;
    return HET_OK;
}
