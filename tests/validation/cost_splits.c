/* SPDX-License-Identifier: Apache-2.0 */
/* Whole networks predicted from the groups of others, by every choice of networks to fit on.
 *
 * Reads from stdin, one line each: "cpu NAME PEAK BANDWIDTH LAUNCH_NS CORES", then per network
 * "network NAME" and per group "group NS SPREAD/1000 COUNT" with COUNT lines "CLASS FLOPS IN OUT
 * WEIGHTS PIECES"; "end". Fails if the median error of all predictions exceeds 15 %, or if the
 * intervals that costs state hold too few of the groups. */
#include "lib/cost/cost.h"
#include "test.h"

#define NETWORKS_MAX 8
#define GROUPS_MAX 256
#define ITEMS_MAX 4096
#define SPLITS_MAX (NETWORKS_MAX << NETWORKS_MAX)
#define MEDIAN_MOST 0.15
/* Groups of one network are alike, so the share of time may be off from four in five. */
#define COVERAGE_LEAST 0.75

typedef struct network {
    char name[32];
    uint32_t group_count;
    struct { double ns, spread; uint32_t first, count; } group[GROUPS_MAX];
} network;

typedef struct guess {
    uint32_t network, chosen; /* chosen: bits of the networks fitted on */
    double error;             /* predicted over measured, less one */
} guess;

static network networks[NETWORKS_MAX];
static uint32_t network_count;
static het__work_item items[ITEMS_MAX];
static uint32_t item_count;
static char cpu[32];
static double peak, bandwidth, launch_ns, cores;
static guess guesses[SPLITS_MAX];
static uint32_t guess_count;
static double inside, outside; /* ns */

/* ---- reading ---- */

static uint32_t class_of(const char *name)
{
    uint32_t k = 0;
    while (k < HET__WORK_CLASS_COUNT && strcmp(het__work_class_name(k), name) != 0)
        k++;
    return k;
}

static bool read_item(void)
{
    char kind[32];
    het__work_item *w = &items[item_count];
    if (item_count == ITEMS_MAX ||
        scanf("%31s %lf %lf %lf %lf %lf", kind, &w->flops, &w->input_bytes, &w->output_bytes,
              &w->weight_bytes, &w->units) != 6)
        return false;
    w->work_class = class_of(kind);
    w->format = HET_DTYPE_F32;
    w->peak = HET__PEAK_F32;
    item_count++;
    return w->work_class < HET__WORK_CLASS_COUNT;
}

static bool read_group(network *n)
{
    uint32_t count;
    double ns, spread;
    if (n->group_count == GROUPS_MAX || scanf("%lf %lf %" SCNu32, &ns, &spread, &count) != 3)
        return false;
    n->group[n->group_count].ns = ns;
    n->group[n->group_count].spread = spread / 1000;
    n->group[n->group_count].first = item_count;
    n->group[n->group_count++].count = count;
    for (uint32_t i = 0; i < count; i++)
        if (!read_item())
            return false;
    return true;
}

static bool read_all(void)
{
    char word[32];
    if (scanf("cpu %31s %lf %lf %lf %lf", cpu, &peak, &bandwidth, &launch_ns, &cores) != 5)
        return false;
    while (scanf("%31s", word) == 1) {
        if (strcmp(word, "end") == 0)
            return network_count > 1;
        if (strcmp(word, "network") == 0) {
            if (network_count == NETWORKS_MAX ||
                scanf("%31s", networks[network_count++].name) != 1)
                return false;
        } else if (strcmp(word, "group") != 0 || network_count == 0 ||
                   !read_group(&networks[network_count - 1])) {
            return false;
        }
    }
    return false;
}

/* ---- splits ---- */

static bool fit(het__calibration *c, uint32_t chosen, het__mem *mem)
{
    het_error err = HET_ERROR_INIT;
    het_status s = HET_OK;
    het__calibration_init(c, mem);
    c->peak[HET__PEAK_F32] = peak;
    c->bandwidth = bandwidth;
    c->launch_ns = launch_ns;
    c->capacity = cores;
    for (uint32_t n = 0; n < network_count; n++)
        for (uint32_t g = 0; s == HET_OK && (chosen >> n & 1) && g < networks[n].group_count; g++)
            s = het__calibration_add(c, items + networks[n].group[g].first,
                                     networks[n].group[g].count, networks[n].group[g].ns,
                                     networks[n].group[g].spread, &err);
    if (s == HET_OK)
        s = het__calibration_fit(c, mem, &err);
    if (s != HET_OK)
        TEST_FAIL("%s", err.message);
    return s == HET_OK;
}

static void predict(const het__calibration *c, uint32_t chosen, uint32_t n)
{
    double predicted = 0, measured = 0;
    for (uint32_t g = 0; g < networks[n].group_count; g++) {
        double low = 0, high = 0;
        for (uint32_t i = 0; i < networks[n].group[g].count; i++) {
            het__cost cost;
            het__cost_calibrated(&items[networks[n].group[g].first + i], c, &cost);
            predicted += cost.ns;
            low += cost.low_ns;
            high += cost.high_ns;
        }
        const double ns = networks[n].group[g].ns;
        measured += ns;
        *(low <= ns && ns <= high ? &inside : &outside) += ns;
    }
    guesses[guess_count++] = (guess){ n, chosen, predicted / measured - 1 };
}

static void all_splits(void)
{
    het__mem mem;
    het__mem_init(&mem, NULL);
    for (uint32_t chosen = 1; chosen + 1 < 1u << network_count; chosen++) {
        het__calibration c;
        if (fit(&c, chosen, &mem))
            for (uint32_t n = 0; n < network_count; n++)
                if (!(chosen >> n & 1))
                    predict(&c, chosen, n);
        het__calibration_finish(&c);
    }
    CHECK_INT(mem.bytes, 0);
}

/* ---- the table ---- */

static int by_error(const void *a, const void *b)
{
    const double x = fabs(((const guess *)a)->error), y = fabs(((const guess *)b)->error);
    return x < y ? -1 : x > y;
}

/* Of the guesses that satisfy both masks: chosen networks in number, predicted network (or all). */
static double quantile(double q, uint32_t count, uint32_t n)
{
    static guess part[SPLITS_MAX];
    uint32_t k = 0;
    for (uint32_t i = 0; i < guess_count; i++)
        if ((!count || (uint32_t)__builtin_popcount(guesses[i].chosen) == count) &&
            (n == UINT32_MAX || guesses[i].network == n))
            part[k++] = guesses[i];
    qsort(part, k, sizeof *part, by_error);
    return k ? fabs(part[(uint32_t)(q * (k - 1) + 0.5)].error) : 0;
}

static void print_worst(void)
{
    printf("  worst:");
    for (uint32_t i = 0; i < 3 && i < guess_count; i++) {
        const guess *w = &guesses[guess_count - 1 - i];
        printf(" %s %+.0f %% (fitted on", networks[w->network].name, 100 * w->error);
        for (uint32_t n = 0; n < network_count; n++)
            if (w->chosen >> n & 1)
                printf(" %s", networks[n].name);
        printf(")%s", i < 2 ? ";" : "\n");
    }
}

static void report(void)
{
    const uint32_t any = UINT32_MAX;
    printf("%s: %u predictions, median %.1f %%, nine of ten within %.0f %%\n  fitted on", cpu,
           guess_count, 100 * quantile(0.5, 0, any), 100 * quantile(0.9, 0, any));
    for (uint32_t k = 1; k < network_count; k++)
        printf(" %u: %.1f %%%s", k, 100 * quantile(0.5, k, any),
               k + 1 < network_count ? "," : "\n");
    for (uint32_t n = 0; n < network_count; n++)
        printf("  %-16s median %5.1f %%, most %5.0f %%, by all others %5.1f %%\n", networks[n].name,
               100 * quantile(0.5, 0, n), 100 * quantile(1, 0, n),
               100 * quantile(0.5, network_count - 1, n));
    qsort(guesses, guess_count, sizeof *guesses, by_error);
    print_worst();
    printf("  of the time in groups within their ranges: %.0f %%\n",
           100 * inside / (inside + outside));
}

static void predicts_networks(void)
{
    all_splits();
    report();
    CHECK(quantile(0.5, 0, UINT32_MAX) <= MEDIAN_MOST);
    CHECK(inside / (inside + outside) >= COVERAGE_LEAST);
}

int main(void)
{
    if (!read_all()) {
        fprintf(stderr, "cost_splits: the input is not as it should be\n");
        return 1;
    }
    test_case(predicts_networks);
    return test_finish();
}
