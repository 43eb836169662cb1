/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer: the library from a shell. Everything here goes through the public header, so what the
 * command can do, an application can. Results go to stdout, everything else to stderr. */
#include "commands.h"
#include "options.h"

#include <hetinfer.h>
#include <stdio.h>
#include <string.h>

typedef struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} command;

static const command commands[] = {
    { "run", command_run, "continue a text" },
    { "eval", command_eval, "logits and perplexity of given tokens or a text" },
    { "exec", command_exec, "run a graph (ONNX) on arrays" },
    { "tokenize", command_tokenize, "text to token ids" },
    { "detokenize", command_detokenize, "token ids to text" },
    { "template", command_template, "a conversation as the model's chat template has it" },
    { "inspect", command_inspect, "what is in a model file" },
    { "devices", command_devices, "what is in this machine" },
    { "doctor", command_doctor, "what works here, what is missing, and what would help" },
    { "machine", command_machine, "machines as files: list, show, record" },
    { "calibrate", command_calibrate, "measure the devices, so that plans know them" },
    { "plan", command_plan, "which layer runs where, and why" },
    { "policy", command_policy, "what placing and running must respect" },
    { "simulate", command_simulate, "what a plan would do over time" },
    { "pack", command_pack, "pack a GGUF file or a folder, without loss" },
    { "unpack", command_unpack, "get the files of a package back" },
    { "quantize", command_quantize, "write a model with smaller weights" },
    { "groups", command_groups, "which operations of a graph would be one kernel" },
    { "analyze", command_analyze, "what a model costs on a machine, operation by operation" },
    { "sweep", command_sweep, "what models cost on machines, as a table" },
    { "bench", command_bench, "speed next to the limits of the machine" },
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static void print_usage(FILE *f)
{
    fputs("usage: hetinfer COMMAND [option ...]\n\ncommands:\n", f);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(f, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fputs("\nhetinfer COMMAND --help: options of a command; hetinfer --version: the release\n", f);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--version") == 0) {
        printf("hetinfer %s\n", het_version_string());
        return STATUS_DONE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_usage(stdout);
        return STATUS_DONE;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (argc > 1)
        fprintf(stderr, "hetinfer: no command '%s'\n\n", name);
    print_usage(stderr);
    return STATUS_USAGE;
}
