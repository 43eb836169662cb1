/* SPDX-License-Identifier: Apache-2.0 */
/* How figures, foreign text and JSON are written. */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

uint64_t peak_memory_bytes(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (uint64_t)usage.ru_maxrss * 1024; /* Linux counts KiB here */
}

void peak_memory_forget(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (!f)
        return;
    fputs("5", f); /* reset of the high-water mark, see proc(5) */
    fclose(f);
}

const char *format_bytes(double bytes, char buffer[32])
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    size_t unit = 0;
    while (bytes >= 1024.0 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024.0;
        unit++;
    }
    snprintf(buffer, 32, unit ? "%.2f %s" : "%.0f %s", bytes, units[unit]);
    return buffer;
}

void print_safe(const char *text, int width)
{
    int column = 0;
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        putchar(c < 0x20 || c == 0x7f ? '?' : c);
        column += (c & 0xc0) != 0x80; /* continuation bytes take no room */
    }
    for (; column < width; column++)
        putchar(' ');
}

void html_text(FILE *f, const char *text)
{
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '&' || c == '<' || c == '>' || c == '"')
            fprintf(f, "&#%d;", c);
        else
            fputc(c < 0x20 || c == 0x7f ? '?' : c, f);
    }
}

json_t *json_text(const char *text, size_t bytes)
{
    json_t *value = json_stringn(text, bytes);
    if (value)
        return value;
    char *copy = malloc(bytes + 1);
    if (!copy)
        return NULL;
    for (size_t i = 0; i < bytes; i++)
        copy[i] = (char)((unsigned char)text[i] < 0x80 ? text[i] : '?');
    value = json_stringn(copy, bytes);
    free(copy);
    return value;
}

json_t *json_begin(const char *command)
{
    return json_pack("{s:s++}", "schema", "hetinfer.", command, "/1");
}

int json_end(json_t *root)
{
    const int written = root ? json_dumpf(root, stdout, JSON_INDENT(2)) : -1;
    json_decref(root);
    if (written != 0 || putchar('\n') == EOF || fflush(stdout) != 0)
        return failure("cannot write the result");
    return STATUS_DONE;
}

const char *figures_basis(bool is_profile, bool is_calibrated)
{
    return is_profile ? "profile" : is_calibrated ? "calibrated" : "probed";
}

const char *source_name(uint32_t source)
{
    switch (source) {
    case HET_SOURCE_MEASURED: return "measured";
    case HET_SOURCE_MODELLED: return "modelled";
    case HET_SOURCE_DATASHEET: return "datasheet";
    case HET_SOURCE_ASSUMED: return "assumed";
    default: return "unavailable";
    }
}

const char *kind_name(uint32_t kind)
{
    switch (kind) {
    case HET_DEVICE_CPU: return "cpu";
    case HET_DEVICE_IGPU: return "igpu";
    case HET_DEVICE_GPU: return "gpu";
    case HET_DEVICE_NPU: return "npu";
    case HET_DEVICE_REFERENCE: return "reference";
    case HET_DEVICE_SIMULATED: return "simulated";
    default: return "unknown";
    }
}
