/* SPDX-License-Identifier: Apache-2.0 */
/* What to install or do for something that is missing, by distribution. Data and its look-up alone:
 * nothing here looks at a machine. */
#ifndef HETINFER_DOCTOR_ADVICE_H
#define HETINFER_DOCTOR_ADVICE_H

#include <stddef.h>

/* Families: packages of one are those of what is made from it. */
typedef enum distribution {
    DEBIAN = 0,
    UBUNTU,
    FEDORA,
    ARCH,
    DISTRIBUTION_COUNT /* also: none of these */
} distribution;

typedef enum need {
    NEED_NONE = 0,
    NEED_OPENCL_LOADER,
    NEED_OPENCL_INTEL,
    NEED_OPENCL_AMD,
    NEED_OPENCL_NVIDIA,
    NEED_CLBLAST,
    NEED_LEVEL_ZERO_LOADER,
    NEED_LEVEL_ZERO_INTEL,
    NEED_XRT,
    NEED_XRT_PLUGIN,
    NEED_KERNEL,
    NEED_FIRMWARE,
    NEED_BUILD_OPENCL,
    NEED_BUILD_ONEDNN,
    NEED_GROUP,  /* the user in a group, which advice_command() is given */
    NEED_MODULE, /* a module of the kernel loaded; the same */
    NEED_COUNT
} need;

/* "debian", "ubuntu", "fedora", "arch"; "other" for DISTRIBUTION_COUNT. */
const char *distribution_word(distribution d);
/* "Debian", … */
const char *distribution_title(distribution d);
/* By ID and ID_LIKE of /etc/os-release: the first word that is known. */
distribution distribution_of(const char *id, const char *id_like);

/* One word for machines to read, for example "level-zero-loader". */
const char *need_word(need what);
/* Packages, separated by blanks; "" where a distribution has none. */
const char *need_packages(need what, distribution d);
/* What goes with it: from which release on, or what else to do; "" if there is nothing to say. */
const char *need_note(need what, distribution d);
/* The line for a shell that does it, with the name of a group or module where the need is one; ""
 * where no package does. */
const char *need_command(need what, distribution d, const char *name, char *text, size_t bytes);

#endif /* HETINFER_DOCTOR_ADVICE_H */
