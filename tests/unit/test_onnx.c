/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX files as a whole: versions, what is said about them, files beside them, broken ones, memory
 * that runs out, and every model of the shared data folder. */
#define _XOPEN_SOURCE 700 /* mkdtemp, symlink */
#include "test.h"

#include <sys/stat.h>

#include "counting_allocator.h"
#include "folder.h"
#include "lib/import/onnx.h"
#include "onnx_check.h"
#include "onnx_writer.h"

static het__mem mem;
static const float numbers[6] = { 1, 2, 3, 4, 5, 6 };

typedef struct opened {
    het__onnx onnx;
    uint8_t *bytes;
    het_status status;
    het_error err;
} opened;

/* The first bytes of a file, in a block of their own, so that a byte read too far is found. */
static void open_bytes(opened *o, const void *data, size_t bytes, const char *folder)
{
    memset(o, 0, sizeof *o);
    o->bytes = malloc(bytes ? bytes : 1);
    if (bytes)
        memcpy(o->bytes, data, bytes);
    o->err = (het_error)HET_ERROR_INIT;
    o->status = het__onnx_open(o->bytes, bytes, folder, &mem, &o->onnx, &o->err);
}

static void close_model(opened *o)
{
    het__onnx_close(&o->onnx);
    free(o->bytes);
    CHECK_INT(atomic_load(&mem.bytes), 0);
}

static void open_model(opened *o, ow model, const char *folder)
{
    open_bytes(o, model.data, model.bytes, folder);
    free(model.data);
}

static void check_opens(opened *o, ow model, const char *folder)
{
    open_model(o, model, folder);
    CHECK_INT(o->status, HET_OK);
    CHECK_STR(o->err.message, "");
    CHECK_STR(o->status == HET_OK && onnx_check_graph(&o->onnx.graph)
                  ? onnx_check_graph(&o->onnx.graph) : "", "");
}

static void refuse_in(ow model, const char *folder, het_status status, const char *part)
{
    opened o;
    open_model(&o, model, folder);
    CHECK_INT(o.status, status);
    CHECK_INT(o.err.status, status);
    if (!strstr(o.err.message, part))
        TEST_FAIL("message \"%s\" does not say \"%s\"", o.err.message, part);
    close_model(&o);
}

static void refuse(ow model, het_status status, const char *part)
{
    refuse_in(model, NULL, status, part);
}

static ow small_graph(void)
{
    ow g = ow_graph("small");
    ow_value(&g, OW_INPUT, "x", OW_FLOAT, "n,3");
    ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, "n,3");
    ow_add(&g, OW_WEIGHT, ow_tensor("w", OW_FLOAT, "2,3", numbers, sizeof numbers));
    ow_add_node(&g, "Add", "x,w", "y");
    return g;
}

/* ---- versions and properties ---- */

static void versions(void)
{
    opened o;
    check_opens(&o, ow_model(14, 27, small_graph()), NULL);
    close_model(&o);
    check_opens(&o, ow_model(3, 1, small_graph()), NULL);
    CHECK_INT(o.onnx.graph.nodes[0].attrs.tensor.opset, 1);
    close_model(&o);
    refuse(ow_model(15, 17, small_graph()), HET_E_VERSION, "version 15 of the file format");
    refuse(ow_model(0, 17, small_graph()), HET_E_FORMAT, "no version");
    refuse(ow_model(9, 28, small_graph()), HET_E_VERSION, "operation set ai.onnx 28");
    refuse(ow_model(9, -1, small_graph()), HET_E_FORMAT, "malformed operation set");
    ow m = { NULL, 0, 0 };
    ow_int(&m, OW_IR, 9);
    ow_add(&m, OW_GRAPH, small_graph());
    refuse(m, HET_E_FORMAT, "node y: the file says no version of operation set ai.onnx");
    m = ow_model(9, 17, small_graph());
    ow_add(&m, OW_GRAPH, small_graph());
    refuse(m, HET_E_FORMAT, "2 graphs");
    m = (ow){ NULL, 0, 0 };
    ow_int(&m, OW_IR, 9);
    refuse(m, HET_E_FORMAT, "0 graphs");
    m = ow_model(9, 17, small_graph());
    ow_add(&m, OW_OPSET, ow_opset("ai.onnx", 13)); /* the same set under its other name */
    check_opens(&o, m, NULL);
    CHECK_INT(o.onnx.graph.nodes[0].attrs.tensor.opset, 13);
    close_model(&o);
}

static const char *property(const opened *o, const char *key)
{
    for (uint32_t i = 0; i < o->onnx.property_count; i++)
        if (strcmp(o->onnx.properties[i].key, key) == 0)
            return o->onnx.properties[i].value;
    return NULL;
}

static void properties(void)
{
    opened o;
    ow m = ow_model(9, 17, small_graph());
    ow_text(&m, 2, "a producer");
    ow_text(&m, 3, "1.2");
    ow_text(&m, 4, "org.example");
    ow_int(&m, 5, 42);
    ow_bytes(&m, 6, "b\xff" "d\0", 4);
    ow_add(&m, OW_OPSET, ow_opset("my.own", 2));
    ow_add(&m, OW_PROPERTY, ow_entry("labels", "cat,dog"));
    check_opens(&o, m, NULL);
    CHECK_STR(o.onnx.name, "small");
    CHECK_STR(property(&o, "ir_version"), "9");
    CHECK_STR(property(&o, "producer_name"), "a producer");
    CHECK_STR(property(&o, "producer_version"), "1.2");
    CHECK_STR(property(&o, "domain"), "org.example");
    CHECK_STR(property(&o, "model_version"), "42");
    CHECK_STR(property(&o, "doc_string"), "b?d?");
    CHECK_STR(property(&o, "opset.ai.onnx"), "17");
    CHECK_STR(property(&o, "opset.my.own"), "2");
    CHECK_STR(property(&o, "labels"), "cat,dog");
    close_model(&o);
}

static void weights(void)
{
    opened o;
    ow g = small_graph(), body = ow_graph("b"), n = ow_node("If", "c", "z");
    ow_add(&g, OW_WEIGHT, ow_tensor("q", OW_INT4, "3", "\1\2", 2));
    ow_add(&g, OW_WEIGHT, ow_tensor("shape", OW_INT64, "1", numbers, 8));
    ow_add(&g, OW_WEIGHT, ow_tensor("scalar", OW_FLOAT, "", numbers, 4));
    ow_value(&g, OW_INPUT, "c", OW_BOOL, "");
    ow_add(&body, OW_WEIGHT, ow_tensor("inner", OW_DOUBLE, "2", numbers, 16));
    ow_value(&body, OW_OUTPUT, "inner", 0, NULL);
    ow_attr_graph(&n, "then_branch", body);
    ow_add(&g, OW_NODE, n);
    check_opens(&o, ow_model(9, 17, g), NULL);
    CHECK_INT(o.onnx.weight_count, 5);
    CHECK_INT(o.onnx.weight_bytes, 24 + 2 + 8 + 4 + 16);
    CHECK_INT(o.onnx.parameter_count, 6 + 3 + 2);
    for (uint32_t i = 0; i < o.onnx.weight_count; i++) {
        const het__onnx_weight *w = &o.onnx.weights[i];
        const bool in_place = (const uint8_t *)w->tensor.data >= o.bytes &&
                              (const uint8_t *)w->tensor.data < o.bytes + 4096;
        CHECK_INT(in_place, strcmp(w->name, "q") != 0);
    }
    close_model(&o);
}

static void other_kinds(void)
{
    static const struct { uint32_t field; const char *what; } rows[] = {
        { 4, "a sequence" },      { 5, "a map" },       { 7, "an opaque value" },
        { 8, "a sparse tensor" }, { 9, "an optional" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int side = OW_INPUT; side <= OW_OUTPUT; side++) {
            ow g = ow_graph("g"), v = { NULL, 0, 0 }, kind = v;
            char text[64];
            ow_value(&g, OW_INPUT, "x", OW_FLOAT, "1");
            ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, "1");
            ow_add_node(&g, "Split", "x", "y,s");
            ow_bytes(&kind, rows[i].field, "", 0);
            ow_text(&v, 1, side == OW_INPUT ? "t" : "s");
            ow_add(&v, 2, kind);
            ow_add(&g, (uint32_t)side, v);
            snprintf(text, sizeof text, side == OW_INPUT ? "input t is %s" : "output s is %s",
                     rows[i].what);
            refuse(ow_model(9, 17, g), HET_E_UNSUPPORTED, text);
        }
    ow g = small_graph();
    ow_value(&g, OW_INPUT, "t", OW_STRING, "1");
    refuse(ow_model(9, 17, g), HET_E_UNSUPPORTED, "input t is a tensor of strings");
    g = small_graph();
    ow_value(&g, OW_INPUT, "t", 0, NULL);
    refuse(ow_model(9, 17, g), HET_E_FORMAT, "input t is of no type");
    g = small_graph();
    ow_add(&g, OW_WEIGHT, ow_tensor("t", OW_STRING, "1", "a", 1));
    refuse(ow_model(9, 17, g), HET_E_UNSUPPORTED, "t: a tensor of strings");
    g = small_graph();
    ow_bytes(&g, 15, "", 0);
    refuse(ow_model(9, 17, g), HET_E_UNSUPPORTED, "sparse");
    g = small_graph();
    ow_value(&g, OW_INPUT, "t", OW_FLOAT, "1,2,3,4,5,6,7,8,9");
    refuse(ow_model(9, 17, g), HET_E_UNSUPPORTED, "t has more than 8 extents");
}

static void many_symbols(void)
{
    opened o;
    for (int count = 57; count <= 58; count++) {
        ow g = ow_graph("g");
        ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, "one,more");
        for (int i = 0; i < count; i++) {
            char name[16], extent[16];
            snprintf(name, sizeof name, "x%d", i);
            snprintf(extent, sizeof extent, "n%d,n%d", i, i);
            ow_value(&g, OW_INPUT, name, OW_FLOAT, extent);
        }
        ow_add_node(&g, "Relu", "x0", "y");
        if (count == 58) {
            refuse(ow_model(9, 17, g), HET_E_UNSUPPORTED, "more than 57 extents are open");
            continue;
        }
        check_opens(&o, ow_model(9, 17, g), NULL);
        CHECK_INT(o.onnx.outputs[0].extent[1].count, -1); /* no symbol is left for it */
        close_model(&o);
    }
}

/* A message is text for whoever shows it, however long or odd the names in it. */
static void messages(void)
{
    opened o;
    char name[4098];
    for (int shift = 0; shift < 3; shift++) {
        ow g = small_graph();
        memset(name, 'a', sizeof name);
        for (size_t i = (size_t)shift; i + 3 < 400; i += 3)
            memcpy(name + i, "\xe2\x82\xac", 3);
        name[400] = '\0';
        ow_add_node(&g, "Relu", name, "z");
        open_model(&o, ow_model(9, 17, g), NULL);
        CHECK_INT(o.status, HET_E_FORMAT);
        const size_t n = strlen(o.err.message);
        CHECK(n > 200 && n < sizeof o.err.message);
        CHECK(memcmp(o.err.message + n - 3, "\xe2\x82\xac", 3) == 0);
        close_model(&o);
    }
    ow g = small_graph();
    ow_add_node(&g, "Relu", "a\nb", "z");
    refuse(ow_model(9, 17, g), HET_E_FORMAT, "z uses a?b, which");
    memset(name, 'a', sizeof name);
    for (size_t length = 4096; length <= 4097; length++) {
        ow node = ow_node("Relu", "x", "z");
        g = small_graph();
        ow_bytes(&node, OW_NODE_NAME, name, length);
        ow_add(&g, OW_NODE, node);
        if (length == 4096) {
            check_opens(&o, ow_model(9, 17, g), NULL);
            close_model(&o);
        } else {
            refuse(ow_model(9, 17, g), HET_E_FORMAT, "a name of 4097 bytes");
        }
    }
}

static void sniffing(void)
{
    ow m = ow_model(9, 17, small_graph());
    CHECK(het__onnx_sniff(m.data, m.bytes));
    CHECK(het__onnx_sniff(m.data, m.bytes - 10)); /* the graph goes on behind what is there */
    CHECK(het__onnx_sniff(m.data, 20));
    CHECK(!het__onnx_sniff(m.data, 0));
    CHECK(!het__onnx_sniff(m.data + 2, m.bytes - 2));
    CHECK(!het__onnx_sniff("GGUF\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24));
    CHECK(!het__onnx_sniff("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16));
    CHECK(!het__onnx_sniff("PK\3\4\24\0\0\0\10\0", 10));
    CHECK(!het__onnx_sniff("{\"a\": 1}", 8));
    free(m.data);
}

/* ---- files beside the model ---- */

static ow external_model(const char *location, const char *offset, const char *length)
{
    ow g = ow_graph("g"), t = ow_bare_tensor("w", OW_FLOAT, "2,3");
    ow_value(&g, OW_INPUT, "x", OW_FLOAT, "3");
    ow_value(&g, OW_OUTPUT, "y", OW_FLOAT, NULL);
    ow_int(&t, OW_T_LOCATION, 1);
    if (location)
        ow_add(&t, OW_T_EXTERNAL, ow_entry("location", location));
    if (offset)
        ow_add(&t, OW_T_EXTERNAL, ow_entry("offset", offset));
    if (length)
        ow_add(&t, OW_T_EXTERNAL, ow_entry("length", length));
    ow_add(&t, OW_T_EXTERNAL, ow_entry("checksum", "?"));
    ow_add(&g, OW_WEIGHT, t);
    t = ow_bare_tensor("q", OW_INT4, "3");
    ow_int(&t, OW_T_LOCATION, 1);
    ow_add(&t, OW_T_EXTERNAL, ow_entry("location", location ? location : "w.bin"));
    ow_add(&g, OW_WEIGHT, t);
    ow_add_node(&g, "Add", "x,w", "y");
    return ow_model(9, 17, g);
}

static void write_file(const char *path)
{
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite("\x21\x0f\0\0", 1, 4, f) == 4);
    CHECK(f && fwrite(numbers, 1, sizeof numbers, f) == sizeof numbers);
    if (f)
        fclose(f);
}

static void external_data(void)
{
    static const char *const good[] = { "w.bin", "./w.bin", "sub/w.bin", ".//sub//./w.bin" };
    test_folder folder;
    opened o;
    test_folder_make(&folder);
    const char *f = folder.path;
    write_file(test_folder_file(&folder, "w.bin"));
    CHECK_INT(mkdir(test_folder_file(&folder, "sub"), 0700), 0);
    write_file(test_folder_file(&folder, "sub/w.bin"));
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        check_opens(&o, external_model(good[i], "4", i % 2 ? "24" : NULL), f);
        const het__onnx_weight *w = o.onnx.weights;
        CHECK_INT(o.onnx.external_count, 1); /* both weights lie in it */
        if (o.onnx.weight_count == 2) {
            CHECK_INT(memcmp(w[0].tensor.data, numbers, sizeof numbers), 0);
            CHECK_INT(memcmp(w[1].tensor.data, "\1\2\xff", 3), 0);
        }
        close_model(&o);
    }
    refuse_in(external_model("w.bin", "5", NULL), f, HET_E_FORMAT,
              "w ends behind the end of w.bin");
    refuse_in(external_model("w.bin", "18446744073709551615", NULL), f, HET_E_FORMAT,
              "malformed place in another file: offset");
    refuse_in(external_model("w.bin", "1844674407370955160", NULL), f, HET_E_FORMAT, "behind");
    refuse_in(external_model("w.bin", "-1", NULL), f, HET_E_FORMAT, "offset");
    refuse_in(external_model("w.bin", "", NULL), f, HET_E_FORMAT, "offset");
    refuse_in(external_model("w.bin", "4", "0x18"), f, HET_E_FORMAT, "length");
    refuse_in(external_model("w.bin", "4", "23"), f, HET_E_FORMAT, "23 bytes of contents, not 24");
    refuse_in(external_model("w.bin", "0", "25"), f, HET_E_FORMAT, "25 bytes of contents, not 24");
    refuse_in(external_model(NULL, NULL, NULL), f, HET_E_FORMAT, "without a name");
    refuse_in(external_model("none.bin", "4", NULL), f, HET_E_IO, "cannot open none.bin");
    refuse_in(external_model("sub", "4", NULL), f, HET_E_IO, "sub is not a regular file");
    refuse_in(external_model("w.bin/w.bin", "4", NULL), f, HET_E_IO, "cannot open");
    refuse(external_model("w.bin", "4", NULL), HET_E_UNSUPPORTED, "there is no folder");
    remove(test_folder_file(&folder, "sub/w.bin"));
    test_folder_empty(&folder);
    rmdir(f);
}

static void paths_outside(void)
{
    static const char *const outside[] = { "/etc/passwd", "../w.bin",      "sub/../../w.bin", "..",
                                           "",            "sub/../w.bin", ".",               "/" };
    test_folder folder;
    char target[512];
    test_folder_make(&folder);
    const char *f = folder.path;
    write_file(test_folder_file(&folder, "w.bin"));
    CHECK_INT(mkdir(test_folder_file(&folder, "sub"), 0700), 0);
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
        refuse_in(external_model(outside[i], "4", NULL), f, HET_E_FORMAT,
                  "no path of a file below");
    snprintf(target, sizeof target, "%s", test_folder_file(&folder, "w.bin"));
    CHECK_INT(symlink(target, test_folder_file(&folder, "link.bin")), 0);
    CHECK_INT(symlink("sub", test_folder_file(&folder, "link")), 0);
    write_file(test_folder_file(&folder, "sub/w.bin"));
    refuse_in(external_model("link.bin", "4", NULL), f, HET_E_IO, "cannot open link.bin");
    refuse_in(external_model("link/w.bin", "4", NULL), f, HET_E_IO, "cannot open link/w.bin");
    remove(test_folder_file(&folder, "sub/w.bin"));
    test_folder_empty(&folder);
    rmdir(f);
}

/* ---- broken files ---- */

/* A model with something of everything. */
static ow rich_model(void)
{
    const int64_t ints[] = { 1, 0 };
    ow g = small_graph(), b = ow_graph("b"), n;
    ow_value(&g, OW_INPUT, "c", OW_BOOL, "");
    ow_value(&g, OW_OUTPUT, "z", OW_FLOAT, NULL);
    ow t = ow_bare_tensor("k", OW_INT64, "2");
    ow_int(&t, OW_T_INT64S, 2);
    ow_int(&t, OW_T_INT64S, -1);
    ow_add(&g, OW_WEIGHT, t);
    ow_add(&g, OW_WEIGHT, ow_tensor("q", OW_UINT4, "3", "\1\2", 2));
    n = ow_node("Transpose", "u", "v"); /* not in order */
    ow_attr_ints(&n, "perm", ints, 2);
    ow_add(&g, OW_NODE, n);
    ow_value(&b, OW_OUTPUT, "t", 0, NULL);
    ow_add_node(&b, "f:Scale", "x,w", "t");
    n = ow_node("If", "c", "u");
    ow_attr_graph(&n, "then_branch", b);
    b = ow_graph("b");
    ow_value(&b, OW_OUTPUT, "x", 0, NULL);
    ow_attr_graph(&n, "else_branch", b);
    ow_add(&g, OW_NODE, n);
    n = ow_node("Constant", "", "one");
    ow_attr_float(&n, "value_float", 1);
    ow_add(&g, OW_NODE, n);
    n = ow_node("my.own:Thing", "v,,one", "z");
    ow_attr_tensor(&n, "tensor", ow_tensor("", OW_UINT8, "3", "abc", 3));
    ow_attr_text(&n, "text", "some text");
    b = ow_attr("texts", 8);
    ow_text(&b, 9, "one");
    ow_text(&b, 9, "two");
    ow_add(&n, OW_NODE_ATTR, b);
    ow_add(&g, OW_NODE, n);
    ow m = ow_model(9, 17, g), f = ow_function("f", "Scale", "p,r", "q");
    n = ow_node("Elu", "p", "e");
    ow_attr_reference(&n, "alpha", 1, "by");
    ow_add(&f, OW_FN_NODE, n);
    ow_add(&f, OW_FN_NODE, ow_node("Mul", "e,r", "q"));
    ow_add(&f, OW_FN_OPSET, ow_opset("", 13));
    ow_add(&m, OW_FUNCTION, f);
    ow_add(&m, OW_PROPERTY, ow_entry("key", "value"));
    return m;
}

static void look(opened *o)
{
    CHECK(o->status == HET_OK || o->err.message[0]);
    if (o->status == HET_OK && onnx_check_graph(&o->onnx.graph))
        TEST_FAIL("%s", onnx_check_graph(&o->onnx.graph));
    close_model(o);
}

static void truncated(void)
{
    opened o;
    const ow m = rich_model();
    for (size_t bytes = 0; bytes < m.bytes; bytes++) {
        open_bytes(&o, m.data, bytes, NULL);
        look(&o);
    }
    open_bytes(&o, m.data, m.bytes, NULL);
    CHECK_INT(o.status, HET_OK);
    CHECK_STR(o.err.message, "");
    look(&o);
    free(m.data);
}

/* Each byte with another value: lengths, types and names that lie. */
static void damaged(void)
{
    static const uint8_t flips[] = { 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0xff };
    opened o;
    const ow m = rich_model();
    for (size_t at = 0; at < m.bytes; at++)
        for (size_t i = 0; i < sizeof flips; i++) {
            m.data[at] ^= flips[i];
            open_bytes(&o, m.data, m.bytes, NULL);
            look(&o);
            m.data[at] ^= flips[i];
        }
    free(m.data);
}

/* Every allocation fails once; how many there are. */
static uint64_t fail_each(const ow m)
{
    counting_allocator counter = { 0 };
    const het_allocator allocator = counting_allocator_of(&counter);
    het__mem limited;
    het_status s = HET_E_NOMEM;
    uint64_t n = 0;
    het__mem_init(&limited, &allocator);
    while (s == HET_E_NOMEM && ++n < 1000) {
        het_error err = HET_ERROR_INIT;
        het__onnx onnx;
        counting_allocator_fail(&counter, n);
        s = het__onnx_open(m.data, m.bytes, NULL, &limited, &onnx, &err);
        CHECK_INT(s == HET_OK, atomic_load(&counter.failed) == 0);
        CHECK_INT(err.status, s);
        if (s == HET_OK)
            het__onnx_close(&onnx);
        CHECK_INT(atomic_load(&counter.blocks), 0);
    }
    CHECK_INT(s, HET_OK);
    return n - 1;
}

/* Memory for small things comes in blocks of 16 KiB: fillers move their ends, so that each of the
 * things is once the one that needs a new block. */
static void out_of_memory(void)
{
    char filler[1 << 14];
    uint64_t count = 0, most = 0;
    memset(filler, 'x', sizeof filler);
    for (size_t bytes = 9000; bytes < sizeof filler; bytes += 16) {
        ow m = rich_model();
        ow_bytes(&m, 6, filler, bytes); /* a description, kept with the model */
        ow f = ow_function("f", "Filler", "p", "q"), n = ow_node("Sum", "", "q");
        for (size_t i = 0; i < bytes / 8; i++)
            ow_text(&n, OW_NODE_INPUT, "p"); /* a list, kept while it is read */
        ow_add(&f, OW_FN_NODE, n);
        ow_add(&m, OW_FUNCTION, f);
        const uint64_t here = fail_each(m);
        count += here;
        most = here > most ? here : most;
        free(m.data);
    }
    CHECK(most > 30);
    printf("       %llu failures, %llu of one model\n", (unsigned long long)count,
           (unsigned long long)most);
}

/* ---- the shared data folder ---- */

typedef struct tally {
    uint32_t models, refused, tensors;
} tally;

static void visit_model(const char *path, tally *t)
{
    opened o;
    size_t bytes = 0;
    uint8_t *data = test_read_file(path, &bytes);
    CHECK(data);
    CHECK(het__onnx_sniff(data, bytes < 4096 ? bytes : 4096));
    open_bytes(&o, data, bytes, NULL);
    free(data);
    t->models++;
    t->refused += o.status != HET_OK;
    if (o.status != HET_OK && (o.status != HET_E_UNSUPPORTED || strstr(path, "/models/")))
        TEST_FAIL("%s: %s", path, o.err.message);
    if (strstr(path, "/models/"))
        CHECK_INT(o.onnx.unknown_count, 0);
    look(&o);
}

static void visit_tensor(const char *path, tally *t)
{
    het__tensor tensor;
    het_error err = HET_ERROR_INIT;
    size_t bytes = 0;
    uint8_t *data = test_read_file(path, &bytes);
    if (het__onnx_tensor(data, bytes, &mem, &tensor, NULL, &err) == HET_OK) {
        t->tensors++;
        het__free(&mem, tensor.data);
    }
    free(data);
}

static void visit(const char *folder, tally *t)
{
    DIR *d = opendir(folder);
    for (const struct dirent *e; d && (e = readdir(d)) != NULL;) {
        char path[1024];
        struct stat st;
        const char *dot = strrchr(e->d_name, '.');
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.' || stat(path, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode))
            visit(path, t);
        else if (dot && strcmp(dot, ".onnx") == 0)
            visit_model(path, t);
        else if (dot && strcmp(dot, ".pb") == 0)
            visit_tensor(path, t);
    }
    if (d)
        closedir(d);
}

static void shared_data(void)
{
    char path[1024];
    tally t = { 0, 0, 0 };
    visit(test_data_path(path, sizeof path, "onnx"), &t);
    printf("       %u models, %u of them refused, %u tensors\n", t.models, t.refused, t.tensors);
    CHECK(t.models > 1000);
    CHECK(t.refused < t.models / 20);
    CHECK(t.tensors > 5000);
}

int main(void)
{
    het__mem_init(&mem, NULL);
    test_case(versions);
    test_case(properties);
    test_case(weights);
    test_case(other_kinds);
    test_case(many_symbols);
    test_case(messages);
    test_case(sniffing);
    test_case(external_data);
    test_case(paths_outside);
    test_case(truncated);
    test_case(damaged);
    test_case(out_of_memory);
    if (!test_failures)
        test_case(shared_data);
    return test_finish();
}
