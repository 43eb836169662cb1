/* SPDX-License-Identifier: Apache-2.0 */
/* An analysis as comma-separated values, one row per operation. Equal analyses give equal bytes. */
#include "analyze.h"

#include <errno.h>
#include <string.h>

void csv_text(FILE *f, const char *text)
{
    if (!text[strcspn(text, ",\"\r\n")]) {
        fputs(text, f);
        return;
    }
    fputc('"', f);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', f);
        fputc(*text, f);
    }
    fputc('"', f);
}

static void put_row(FILE *f, const het_subgraph *n, uint32_t index)
{
    fprintf(f, "%u,", index);
    csv_text(f, n->name);
    fputc(',', f);
    csv_text(f, n->operations);
    fprintf(f, ",%d,%u,%d,%.15g,%.15g,%.15g,%.15g,%.15g,%.15g,%.10g,%s,%s", n->layer, n->stage,
            n->group == UINT32_MAX ? -1 : (int)n->group, n->parameter_count, n->mac_count,
            n->flop_count, n->input_bytes, n->output_bytes, n->weight_bytes, n->intensity,
            bottleneck_name(n->bottleneck), label_name(n->label));
    fprintf(f, ",%.15g,%.15g,%.15g", n->parallelism->batch_count, n->parallelism->channel_count,
            n->parallelism->spatial_count);
    fprintf(f, ",%s,%.10g,%.10g,%.10g,%.10g,%.10g,%lld,%lld,%lld,%.10g",
            unit_class_name(n->mapping->unit_class), n->mapping->item_count,
            n->mapping->used_unit_count, n->mapping->wave_count, n->mapping->occupancy,
            n->mapping->utilisation, (long long)n->mapping->tile_rows,
            (long long)n->mapping->tile_columns, (long long)n->mapping->tile_depth,
            n->mapping->tile_bytes);
    fprintf(f, ",%.10g,%.10g,%.10g,%.10g\n", n->roofline_ns, n->mapped_ns, n->predicted_ns,
            n->joules);
}

int analyze_write_csv(const analysis *a, const char *path)
{
    FILE *f = fopen(path, "w");
    int status = STATUS_GO;
    if (!f)
        return failure("%s: %s", path, strerror(errno));
    fputs("node,name,operation,layer,stage,group,parameters,macs,flops,input_bytes,output_bytes,"
          "weight_bytes,intensity,bottleneck,label,batch,channels,spatial,unit_class,items,units,"
          "waves,occupancy,utilisation,tile_rows,tile_columns,tile_depth,tile_bytes,roofline_ns,"
          "mapped_ns,predicted_ns,joules\n", f);
    for (uint32_t i = 0; status == STATUS_GO && i < a->info.node_count; i++) {
        het_subgraph node;
        status = analysis_node(a, i, &node);
        if (status == STATUS_GO)
            put_row(f, &node, i);
    }
    const bool failed = ferror(f) != 0;
    if (fclose(f) != 0 || failed)
        return failure("%s: cannot write", path);
    return status;
}
