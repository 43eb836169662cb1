/* SPDX-License-Identifier: Apache-2.0 */
/* Machines as tables and JSON: machine_print.c. */
#ifndef HETINFER_COMMAND_MACHINE_H
#define HETINFER_COMMAND_MACHINE_H

#include "common.h"

/* Value and unit with a prefix, for example "89.6 GB/s" or "25 us". */
const char *format_figure(const het_figure *figure, char buffer[48]);

/* Print a profile or machine file; returns an exit status. */
int show_machine(const het_context *context, const char *name, bool json);
/* The same of a machine at hand. */
int print_machine(const het_machine *machine, bool json);

#endif /* HETINFER_COMMAND_MACHINE_H */
