/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of model.h. What a model is beyond its figures depends on the file's format:
 * model_language.c (GGUF, Hugging Face folders, config.json) and model_network.c (ONNX). */
#include <string.h>

#include "lib/api/handles.h"
#include "lib/base/dtype.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/options.h"
#include "lib/quant/encode.h"

/* As much of a file as telling its format takes. */
#define SNIFF_BYTES 4096

void het__model_retain(het_model *model)
{
    atomic_fetch_add_explicit(&model->refs, 1, memory_order_relaxed);
}

void het__model_release(het_model *model)
{
    if (!model || atomic_fetch_sub_explicit(&model->refs, 1, memory_order_acq_rel) != 1)
        return;
    het_context *context = model->context;
    het__package_store_destroy(model->store); /* before the places of its files go */
    if (model->language)
        het__language_close(model);
    if (model->network)
        het__network_close(model);
    het__unmap_file(&model->mapping);
    het__free(&context->mem, model);
    het__context_release(context);
}

/* ---- load ---- */

het_status het__model_report(const het_model_options *o, double fraction, const char *what,
                             het_error *err)
{
    if (o->progress && o->progress(o->progress_user, fraction, what) != 0)
        return het__fail(err, HET_E_CANCELLED, "cancelled while loading the %s", what);
    return HET_OK;
}

void het__model_copy(char *target, size_t bytes, const char *text, size_t length)
{
    size_t n = length < bytes - 1 ? length : bytes - 1;
    while (n > 0 && n < length && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--; /* not in the middle of a character */
    memcpy(target, text, n);
    target[n] = '\0';
}

/* A floating type, or a block format that weights are kept in. */
static bool is_weight_type(het_dtype dtype)
{
    return dtype == HET_DTYPE_F32 || dtype == HET_DTYPE_F16 || dtype == HET_DTYPE_BF16 ||
           (het__dtype_is_block(dtype) && het__decoder(dtype));
}

static het_status check_options(const het_model_options *options, het_model_options *o,
                                het_error *err)
{
    const uint64_t known = HET_MODEL_INSPECT_ONLY | HET_MODEL_TOKENIZER_ONLY;
    const het_status s = het__options_read(o, sizeof *o, options, "het_model_options", err);
    if (s == HET_OK && ((o->flags & ~known) != 0 || o->reserved || o->reserved2))
        return het__fail(err, HET_E_VERSION, "het_model_options has an unknown flag");
    if (s == HET_OK && o->weight_dtype && !is_weight_type((het_dtype)o->weight_dtype))
        return het__fail(err, HET_E_INVALID,
                         "het_model_options.weight_dtype: weights of type %u do not exist",
                         o->weight_dtype);
    if (s == HET_OK && o->quantize_type && o->quantize_type != HET_MODEL_QUANTIZE_AUTO &&
        o->quantize_type != HET_DTYPE_I8 && !het__encoder((het_dtype)o->quantize_type))
        return het__fail(err, HET_E_INVALID,
                         "het_model_options.quantize_type: weights of type %u cannot be made",
                         o->quantize_type);
    if (s == HET_OK && o->threads > HET__THREADS_MAX)
        return het__fail(err, HET_E_INVALID, "het_model_options.threads is %u, not in 0 to %d",
                         o->threads, HET__THREADS_MAX);
    return s;
}

/* Where the bytes of a model are. */
typedef struct origin {
    het__mapping mapping; /* of a file; data NULL: memory of the caller, or a folder */
    const void *data;
    size_t bytes;
    const char *path;           /* NULL: memory */
    const het__hf_place *place; /* NULL: no folder with weights or a tokenizer */
    const het__hf_packed *packed; /* NULL: no package of a GGUF file */
    het__package_store *store;    /* of the package that it is; NULL: none, or one in memory */
} origin;

static het_status read_model(het_model *m, const origin *from, const het_model_options *o,
                             het_error *err)
{
    const void *data = from->data;
    const size_t bytes = from->bytes;
    m->info.struct_size = sizeof m->info;
    if (from->packed)
        return het__language_package(m, from->packed, o, err);
    if (from->place)
        return het__language_folder(m, from->place, o, err);
    if (het__onnx_sniff(data, bytes < SNIFF_BYTES ? bytes : SNIFF_BYTES))
        return het__network_open(m, data, bytes, from->path, o, err);
    if (het__config_sniff(data, bytes))
        return het__language_outline(m, data, bytes, o, err);
    if ((uintptr_t)data % 32 != 0)
        return het__fail(err, HET_E_INVALID, "a GGUF file in memory must be aligned to 32 bytes");
    if (bytes < 4 || memcmp(data, "GGUF", 4) != 0)
        return het__fail(err, HET_E_FORMAT, "neither a GGUF nor an ONNX file nor a config.json");
    return het__language_open(m, data, bytes, o, err);
}

/* Takes over the mapping and the store. */
static het_status create_model(het_context *context, origin *from, const het_model_options *o,
                               het_model **model, het_error *err)
{
    het_model *m = het__alloc_zero(&context->mem, 1, sizeof *m);
    if (!m) {
        het__unmap_file(&from->mapping);
        het__package_store_destroy(from->store);
        return het__fail_nomem(err, "a model");
    }
    atomic_init(&m->refs, 1);
    m->context = context;
    m->mapping = from->mapping;
    m->store = from->store;
    het__context_retain(context);
    het_status s = read_model(m, from, o, err);
    if (s == HET_OK)
        s = het__model_report(o, 1.0, "model", err);
    if (s != HET_OK) {
        het__model_release(m);
        return s;
    }
    *model = m;
    return HET_OK;
}

/* Weights make a folder a model; without them its configuration is one, or its tokenizer. A type of
 * weights that are not there asks for the configuration. */
static bool is_whole_folder(const het__hf_place *place, const het_model_options *o)
{
    if (!place->folder || o->weight_dtype)
        return false;
    return place->weights || ((o->flags & HET_MODEL_TOKENIZER_ONLY) &&
                              (het__hf_place_has(place, "tokenizer.json") ||
                               het__hf_place_has(place, "tokenizer.model")));
}

/* ---- packages ---- */

/* More threads than this only wait for memory. */
#define UNPACK_THREADS 16

static uint32_t unpack_threads(const het_model_options *o)
{
    const uint32_t cpus = het__cpu_count();
    return o->threads ? o->threads : cpus < UNPACK_THREADS ? cpus : UNPACK_THREADS;
}

/* Takes over the store. */
static het_status load_packed_folder(het_context *context, const het__hf_place *place,
                                     const char *path, const het_model_options *o,
                                     het_model **model, het_error *err)
{
    origin from = { .path = path, .place = place, .store = place->packed->store };
    if (is_whole_folder(place, o))
        return create_model(context, &from, o, model, err);
    from.place = NULL;
    het_status s = het__hf_map(place, "config.json", &from.mapping, err);
    if (s == HET_OK && !from.mapping.data)
        s = het__fail(err, HET_E_UNSUPPORTED, "the package of a folder has no config.json");
    if (s != HET_OK) {
        het__package_store_destroy(from.store);
        return s;
    }
    from.data = from.mapping.data;
    from.bytes = from.mapping.bytes;
    return create_model(context, &from, o, model, err);
}

/* Takes over the store. */
static het_status load_packed(het_context *context, het__hf_packed *packed, const char *path,
                              const het_model_options *o, het_model **model, het_error *err)
{
    packed->threads = unpack_threads(o);
    packed->progress = o->progress;
    packed->progress_user = o->progress_user;
    packed->from = 0.2;
    packed->to = 0.4;
    if (packed->package->kind == HET_PACKAGE_GGUF) {
        origin from = { .path = path, .packed = packed, .store = packed->store };
        return create_model(context, &from, o, model, err);
    }
    het__hf_place place;
    het_status s = het__hf_place_of(&context->mem, packed, path ? path : "package", &place, err);
    if (s == HET_OK)
        s = load_packed_folder(context, &place, path, o, model, err);
    else
        het__package_store_destroy(packed->store);
    het__hf_place_finish(&place);
    return s;
}

/* Of memory that the caller may do without afterwards: all is unpacked at once. */
static het_status load_package(het_context *context, const void *data, size_t bytes,
                               const het_model_options *o, het_model **model, het_error *err)
{
    het__arena arena;
    het__package package;
    het__hf_packed packed = { .package = &package };
    het__arena_init(&arena, &context->mem);
    het_status s = het__package_open(&package, &arena, data, bytes, err);
    if (s == HET_OK)
        s = load_packed(context, &packed, NULL, o, model, err);
    het__arena_finish(&arena);
    return s;
}

/* Takes over the mapping. The weights stay packed. */
static het_status load_package_file(het_context *context, het__mapping *file, const char *path,
                                    const het_model_options *o, het_model **model, het_error *err)
{
    het__hf_packed packed = { .state = file->state };
    const het_status s = het__package_store_create(&context->mem, file, unpack_threads(o),
                                                   &packed.store, err);
    if (s != HET_OK)
        return s;
    packed.package = het__package_store_package(packed.store);
    return load_packed(context, &packed, path, o, model, err);
}

/* ---- what a path means ---- */

static het_status load_file(het_context *context, const char *path, const het_model_options *o,
                            het_model **model, het_error *err)
{
    origin from = { .path = path };
    het_status s = het__map_file(path, &from.mapping, err);
    if (s != HET_OK)
        return s;
    from.data = from.mapping.data;
    from.bytes = from.mapping.bytes;
    if (!het__package_sniff(from.data, from.bytes))
        return create_model(context, &from, o, model, err);
    return load_package_file(context, &from.mapping, path, o, model, err);
}

static het_status load_place(het_context *context, const char *path, const het__hf_place *place,
                             const het_model_options *o, het_model **model, het_error *err)
{
    origin from = { .path = path, .place = place };
    if (is_whole_folder(place, o))
        return create_model(context, &from, o, model, err);
    if (!het__is_folder(path))
        return load_file(context, path, o, model, err);
    char *inner = het__path_join(&context->mem, path, "config.json");
    if (!inner)
        return het__fail_nomem(err, "a model");
    const het_status s = load_file(context, inner, o, model, err);
    het__free(&context->mem, inner);
    return s;
}

het_status het_model_load(het_context *context, const char *path, const het_model_options *options,
                          het_model **model, het_error *err)
{
    het_model_options o;
    het__hf_place place;
    HET_REQUIRE(model != NULL, err);
    *model = NULL;
    HET_REQUIRE(context != NULL && path != NULL, err);
    het_status s = check_options(options, &o, err);
    if (s != HET_OK)
        return s;
    s = het__hf_place_find(&context->mem, path, &place, err);
    if (s == HET_OK)
        s = load_place(context, path, &place, &o, model, err);
    het__hf_place_finish(&place);
    return s;
}

het_status het_model_load_memory(het_context *context, const void *data, size_t size_bytes,
                                 const het_model_options *options, het_model **model,
                                 het_error *err)
{
    het_model_options o;
    HET_REQUIRE(model != NULL, err);
    *model = NULL;
    HET_REQUIRE(context != NULL && data != NULL, err);
    const het_status s = check_options(options, &o, err);
    if (s != HET_OK)
        return s;
    if (het__package_sniff(data, size_bytes))
        return load_package(context, data, size_bytes, &o, model, err);
    origin from = { .data = data, .bytes = size_bytes };
    return create_model(context, &from, &o, model, err);
}

/* ---- use ---- */

het_status het_model_get_info(const het_model *model, het_model_info *info)
{
    return het__result_write(info, &model->info, sizeof *info);
}

size_t het_model_metadata_count(const het_model *model)
{
    return model->network ? model->network->entry_count
                          : het__language_metadata_count(model->language);
}

het_status het_model_metadata_at(const het_model *model, size_t index, het_metadata *entry)
{
    if (index >= het_model_metadata_count(model))
        return HET_E_INVALID;
    het_metadata out = { .struct_size = sizeof out };
    if (model->network)
        out = model->network->entries[index];
    else
        het__language_metadata(model->language, index, &out);
    return het__result_write(entry, &out, sizeof out);
}

size_t het_model_weight_count(const het_model *model)
{
    return model->network ? model->network->onnx.weight_count
                          : het__language_weight_count(model->language);
}

het_status het_model_weight_at(const het_model *model, size_t index, het_weight *weight)
{
    if (index >= het_model_weight_count(model))
        return HET_E_INVALID;
    het_weight out = { .struct_size = sizeof out, .desc = HET_TENSOR_DESC_INIT };
    if (model->network)
        het__network_weight(model->network, index, &out);
    else
        het__language_weight(model->language, index, &out);
    return het__result_write(weight, &out, sizeof out);
}

const het_tokenizer *het_model_tokenizer(const het_model *model)
{
    return model->tokenizer;
}

size_t het_model_input_count(const het_model *model)
{
    return model->network ? model->network->input_count : 0;
}

het_status het_model_input_at(const het_model *model, size_t index, het_port *port)
{
    if (index >= het_model_input_count(model))
        return HET_E_INVALID;
    het_port out = { .struct_size = sizeof out, .desc = HET_TENSOR_DESC_INIT };
    het__network_input(model->network, (uint32_t)index, &out);
    return het__result_write(port, &out, sizeof out);
}

size_t het_model_output_count(const het_model *model)
{
    return model->network ? model->network->onnx.graph.output_count : 0;
}

het_status het_model_output_at(const het_model *model, size_t index, het_port *port)
{
    if (index >= het_model_output_count(model))
        return HET_E_INVALID;
    het_port out = { .struct_size = sizeof out, .desc = HET_TENSOR_DESC_INIT };
    het__network_output(model->network, (uint32_t)index, &out);
    return het__result_write(port, &out, sizeof out);
}

void het_model_destroy(het_model *model)
{
    het__model_release(model);
}
