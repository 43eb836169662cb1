/* SPDX-License-Identifier: Apache-2.0 */
/* What was measured of a device by class of work, and what follows from it.
 *
 * A calibration holds samples (a few operations each, with the time that they took) and the
 * ceilings of the device they were taken on. From them lib/cost fits rates: how many times what the
 * ceilings say an operation of a class takes. It is kept as a YAML file in the user's cache
 * directory and belongs to one device under one version of library and driver with one number of
 * threads. */
#ifndef HET_MACHINE_CALIBRATION_H
#define HET_MACHINE_CALIBRATION_H

#include "lib/base/arena.h"

#include <hetinfer/device.h>

/* Classes of work that are measured apart: what limits them differs. */
typedef enum het__work_class {
    HET__WORK_MATMUL_ONE = 0, /* one column: weights are read once and used once */
    HET__WORK_MATMUL,         /* many columns */
    HET__WORK_CONV,           /* dense windows */
    HET__WORK_CONV_POINT,     /* windows of one place */
    HET__WORK_CONV_DEPTH,     /* a channel by itself */
    HET__WORK_CONV_UP,        /* transposed, or with offsets */
    HET__WORK_ATTENTION,
    HET__WORK_MOE,
    HET__WORK_NORM,           /* along rows */
    HET__WORK_SOFTMAX,        /* the same, with exponentials */
    HET__WORK_POOL,
    HET__WORK_REDUCE,         /* over whole axes, windows as large as their image too */
    HET__WORK_ELEMENTWISE,
    HET__WORK_RESIZE,         /* images of another size */
    HET__WORK_GATHER,         /* embeddings and the like: reads by index */
    HET__WORK_MOVE,           /* transposes, concatenations, copies */
    HET__WORK_RECURRENT,      /* LSTM, GRU, RNN: step behind step */
    HET__WORK_OTHER,
    HET__WORK_CLASS_COUNT
} het__work_class;

/* "matmul_one", "conv_point", …: as files and tables name a class. */
const char *het__work_class_name(uint32_t work_class);

/* One operation as costs see it. */
typedef struct het__work_item {
    uint32_t work_class; /* het__work_class */
    uint32_t format;     /* het_dtype of the weights, or of the input where there are none */
    uint32_t peak;       /* het__peak: the arithmetic that it may use */
    double flops;
    double input_bytes, output_bytes, weight_bytes;
    double units; /* independent pieces of work; 0: not known */
    uint32_t times; /* in a sample: operations like this one; 0 is 1 */
} het__work_item;

/* Operations that were timed together. */
typedef struct het__calibration_sample {
    uint32_t first_item, item_count;
    double ns;     /* median of one run of them all */
    double spread; /* half the distance of the quartiles over the median */
} het__calibration_sample;

/* A cost is the sum or the greater of terms, each one of these times a factor. */
typedef enum het__cost_term {
    HET__TERM_LAUNCH = 0,
    HET__TERM_COMPUTE,
    HET__TERM_INPUT,
    HET__TERM_OUTPUT,
    HET__TERM_WEIGHT,
    HET__TERM_COUNT
} het__cost_term;

#define HET__RATE_ANY UINT32_MAX

/* Factors of one class, or of one format within a class. */
typedef struct het__calibration_rate {
    uint32_t work_class, format, peak; /* format and peak HET__RATE_ANY: all of the class */
    uint32_t sample_count;             /* behind it */
    double log_factor[HET__TERM_COUNT];
    double covariance[HET__TERM_COUNT][HET__TERM_COUNT]; /* of log_factor */
} het__calibration_rate;

#define HET__CALIBRATION_SAMPLES_MAX 4096
#define HET__CALIBRATION_ITEMS_MAX 32768
/* Of 18 classes, and of 16 formats in each of three: products of one column, of many, and reads by
 * index; small products and other classes have some of their own. */
#define HET__CALIBRATION_RATES_MAX 128

typedef struct het__calibration {
    het__arena arena;
    /* What it belongs to. */
    uint32_t library; /* HETINFER_VERSION */
    uint32_t threads;
    char backend[16], name[64], features[128], driver[64];
    /* Ceilings: ops/s per het__peak, bytes/s, ns. copy_*: into the memory that it works in. */
    double peak[4], bandwidth, launch_ns, copy_bandwidth, copy_ns;
    double capacity; /* pieces of work at a time; 0: not known */
    bool in_waves;   /* pieces come in full waves of capacity */
    uint32_t sample_count, item_count;
    het__calibration_sample *samples;
    het__work_item *items;
    uint32_t sample_room, item_room;
    /* Fitted by het__calibration_fit() (lib/cost): first a rate per class, in order of classes. */
    uint32_t rate_count;
    het__calibration_rate rates[HET__CALIBRATION_RATES_MAX];
    double residual; /* standard deviation of the logarithm of time around the fit */
} het__calibration;

void het__calibration_init(het__calibration *c, het__mem *mem);
void het__calibration_finish(het__calibration *c);

/* Whose it is. */
void het__calibration_key(het__calibration *c, const het_device_info *info, uint32_t threads);
/* Measured by this library on this device with this many threads; if not, reason says what differs
 * (may be NULL). */
bool het__calibration_fits(const het__calibration *c, const het_device_info *info, uint32_t threads,
                           char *reason, size_t reason_bytes);

/* Its ceilings, as measured figures. figures->struct_size stays. */
void het__calibration_figures(const het__calibration *c, het_device_figures *figures);

/* Add a sample. HET_E_INVALID for a time or an item that no measurement gives; HET_E_NOMEM. */
het_status het__calibration_add(het__calibration *c, const het__work_item *items, uint32_t count,
                                double ns, double spread, het_error *err);

/* The file's name within its folder: depends on whose it is. Freed by het__free(). */
char *het__calibration_file(het__mem *mem, const het_device_info *info, uint32_t threads);
/* The folder: HETINFER_CALIBRATION, else hetinfer in XDG_CACHE_HOME, else .cache/hetinfer in HOME;
 * NULL if there is none, or the first is empty or "off". Freed by het__free(). */
char *het__calibration_folder(het__mem *mem);

/* As text, to be freed by het__free(); NULL when out of memory. */
char *het__calibration_write(const het__calibration *c, het__mem *mem);
/* From text; what names it in messages. c is initialised by this and finished on failure. */
het_status het__calibration_read(het__calibration *c, const char *text, size_t bytes,
                                 const char *what, het__mem *mem, het_error *err);

#endif /* HET_MACHINE_CALIBRATION_H */
