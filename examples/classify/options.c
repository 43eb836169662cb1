/* SPDX-License-Identifier: Apache-2.0 */
/* Every value is checked here, once: nothing behind it meets a zero deviation, an empty side or a
 * number that is none. */
#include "options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: classify MODEL IMAGE [options]\n"
    "Name what is in a PNG or JPEG picture.\n"
    "\n"
    "  --labels FILE      names of the classes, one per line\n"
    "  --top K            show the K most probable (5)\n"
    "  --scale S          factor of the pixels' values 0 to 255 (1/255)\n"
    "  --mean R[,G,B]     taken away after that (0)\n"
    "  --std R[,G,B]      and divided by (1)\n"
    "  --bgr              blue is the model's first channel\n"
    "  --stretch          use the whole picture, not the middle of its longer side\n"
    "  --size PIXELS      height and width where the model takes any (224)\n"
    "  --devices LIST     backends allowed\n"
    "  --threads N\n"
    "\n"
    "Networks trained on ImageNet usually want --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225;\n"
    "a dark digit on white paper is turned over by --mean 1 --std -1.\n"
    "Exit status: 0, 1 if something failed, 2 if the command line is wrong.\n";

static bool parse_count(const char *text, unsigned long max, unsigned *out)
{
    char *end;
    const unsigned long n = strtoul(text, &end, 10);
    if (end == text || *end || *text == '-' || n == 0 || n > max)
        return false;
    *out = (unsigned)n;
    return true;
}

/* One number for all channels, or three. */
static bool parse_numbers(const char *text, double out[3])
{
    unsigned count = 0;
    for (char *end; count < 3; text = end + 1) {
        out[count] = strtod(text, &end);
        if (end == text || !isfinite(out[count]))
            return false;
        count++;
        if (*end == '\0')
            break;
        if (*end != ',' || count == 3)
            return false;
    }
    if (count == 1)
        out[1] = out[2] = out[0];
    return count != 2;
}

static bool parse_deviation(const char *text, double out[3])
{
    return parse_numbers(text, out) && out[0] != 0 && out[1] != 0 && out[2] != 0;
}

static bool parse_scale(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && !*end && isfinite(*out) && *out != 0;
}

/* An option with a value. -1: no such option. */
static int parse_value(options *o, const char *name, const char *value)
{
    if (strcmp(name, "--labels") == 0)
        o->labels = value;
    else if (strcmp(name, "--devices") == 0)
        o->devices = value;
    else if (strcmp(name, "--top") == 0)
        return parse_count(value, 1000000, &o->top);
    else if (strcmp(name, "--size") == 0)
        return parse_count(value, SIDE_MAX, &o->side);
    else if (strcmp(name, "--threads") == 0)
        return parse_count(value, 1024, &o->threads);
    else if (strcmp(name, "--scale") == 0)
        return parse_scale(value, &o->layout.scale);
    else if (strcmp(name, "--mean") == 0)
        return parse_numbers(value, o->layout.mean);
    else if (strcmp(name, "--std") == 0)
        return parse_deviation(value, o->layout.deviation);
    else
        return -1;
    return 1;
}

static bool parse(options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (strcmp(a, "--bgr") == 0) {
            o->layout.blue_first = true;
        } else if (strcmp(a, "--stretch") == 0) {
            o->layout.stretch = true;
        } else if (a[0] == '-' && a[1]) {
            const int ok = i + 1 < argc ? parse_value(o, a, argv[i + 1]) : -1;
            if (ok != 1) {
                fprintf(stderr, "classify: %s %s\n", a, ok ? "is unknown or lacks a value"
                                                            : "has a value out of range");
                return false;
            }
            i++;
        } else if (!o->model) {
            o->model = a;
        } else if (!o->image) {
            o->image = a;
        } else {
            fprintf(stderr, "classify: one picture at a time\n");
            return false;
        }
    }
    if (!o->image)
        fputs(usage, stderr);
    return o->image;
}

int options_parse(options *o, int argc, char **argv)
{
    *o = (options){ .side = 224, .top = 5,
                    .layout = { .scale = 1 / 255.0, .deviation = { 1, 1, 1 } } };
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return 0;
    }
    return parse(o, argc, argv) ? OPTIONS_RUN : 2;
}
