/* SPDX-License-Identifier: Apache-2.0 */
/* What `hetinfer doctor` finds out about a machine, and the parts that find it. */
#ifndef HETINFER_DOCTOR_H
#define HETINFER_DOCTOR_H

#include "common.h"
#include "doctor_advice.h"

#define DOCTOR_HARDWARE_MAX 32
#define DOCTOR_DEVICES_MAX 16
#define DOCTOR_FINDINGS_MAX 24
#define DOCTOR_BACKENDS 4
#define DOCTOR_TESTS 2
#define DOCTOR_DRIVERS_MAX 16
#define DOCTOR_TOOLS 4

/* A shared library by its name, as far as its files tell. */
typedef struct library {
    const char *name; /* what programs ask the loader for, for example "libze_loader.so.1" */
    bool is_there;
    char version[32]; /* what follows its name where it is a link; or "" */
} library;

typedef struct library_set {
    library opencl, clblast, ze_loader, ze_intel, xrt, xrt_npu;
} library_set;

typedef struct piece {
    het_hardware_info info;
    het_device_state state;
} piece;

/* What files say of a machine. */
typedef struct doctor_system {
    const char *root; /* "": this machine */
    distribution distribution;
    char pretty[96], id[32];
    char kernel[64];
    unsigned kernel_major, kernel_minor; /* 0: not known */
    library_set libraries;
    bool has_tool[DOCTOR_TOOLS]; /* programs of others that look into a device */
    uint32_t opencl_driver_count;
    char opencl_drivers[DOCTOR_DRIVERS_MAX][48]; /* files of /etc/OpenCL/vendors */
    uint32_t hardware_count;
    piece hardware[DOCTOR_HARDWARE_MAX];
} doctor_system;

typedef enum weight {
    NOTE = 0, /* nothing that has to be done */
    MISSING,  /* hardware that is there cannot be used */
    BROKEN    /* what should work does not */
} weight;

/* Something to say about a backend, and what helps. */
typedef struct finding {
    weight weight;
    char text[240];
    need need;
    char name[32]; /* of the group or module that it needs; or "" */
} finding;

typedef enum verdict { NOT_RUN = 0, PASSED, FAILED } verdict;

/* A computation whose result is known. */
typedef struct known_answer {
    const char *name;
    verdict verdict;
    double setup_ms, run_ms;
    char message[240]; /* why it failed, or did not run */
} known_answer;

typedef struct doctor_device {
    het_device_info info;
    known_answer tests[DOCTOR_TESTS];
} doctor_device;

typedef enum backend_state {
    READY = 0,
    NO_DEVICE,
    NOT_LOADED, /* its module is missing or cannot be loaded */
    NOT_BUILT
} backend_state;

typedef struct doctor_backend {
    const char *name, *purpose;
    backend_state state;
    char reason[240]; /* what it said when it was probed */
    uint32_t device_count, finding_count;
    doctor_device devices[DOCTOR_DEVICES_MAX];
    finding findings[DOCTOR_FINDINGS_MAX];
} doctor_backend;

typedef struct doctor {
    doctor_system system;
    doctor_backend backends[DOCTOR_BACKENDS];
    bool all, no_run;
} doctor;

/* doctor_system.c */
extern const char *const doctor_tools[DOCTOR_TOOLS];
/* Fill system by files below root. */
int doctor_look(doctor_system *system, const char *root);

/* doctor_check.c: what the files mean for a backend, given how its probe went. */
void doctor_check(const doctor_system *system, doctor_backend *backend);
void doctor_find(doctor_backend *b, weight how_bad, need helps, const char *name,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* doctor_answer.c: run what is known on a device of a context by itself; which: of all of that
 * backend. */
void doctor_answer(het_context *context, const char *backend, uint32_t which, bool is_only,
                   doctor_device *device);

/* doctor_print.c */
int doctor_print(const doctor *d);
/* The numbers of the last line. */
typedef struct doctor_totals {
    uint32_t devices, passed, failed, missing, broken;
    bool is_well;
} doctor_totals;
doctor_totals doctor_count(const doctor *d);

/* doctor_json.c: the report, for json_decref(). */
json_t *doctor_report(const doctor *d);
const char *state_word(backend_state state);

/* Paths of a home folder become "~": reports are sent to strangers. */
void doctor_hide_home(char *text);

#endif /* HETINFER_DOCTOR_H */
