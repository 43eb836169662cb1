/* SPDX-License-Identifier: Apache-2.0 */
/* Reading pictures. The file is in memory before a decoder sees it, and the decoder's idea of its
 * extents is checked before there are pixels. What a file says about its orientation is not looked
 * at; transparent places of a PNG are white. */
#include "image.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* jpeglib.h wants stdio.h before it. */
#include <jpeglib.h>
#include <png.h>

#define FILE_BYTES_MAX (256L << 20)
#define EXTENT_MAX 32768u
#define PIXELS_MAX (UINT64_C(1) << 26)
/* Progressive files of cameras and tools have about ten scans. Thousands of empty ones cost hours:
 * each goes over the whole picture. */
#define SCANS_MAX 100

static bool fail(char *why, size_t why_size, const char *text)
{
    snprintf(why, why_size, "%s", text);
    return false;
}

static bool start_image(image *out, uint32_t width, uint32_t height, uint32_t channels, char *why,
                        size_t why_size)
{
    if (width == 0 || height == 0 || width > EXTENT_MAX || height > EXTENT_MAX ||
        (uint64_t)width * height > PIXELS_MAX)
        return fail(why, why_size, "the picture is empty or too large");
    *out = (image){ width, height, channels, malloc((size_t)width * height * channels) };
    return out->pixels || fail(why, why_size, "out of memory");
}

void image_free(image *picture)
{
    free(picture->pixels);
    *picture = (image){ 0 };
}

/* ---- PNG ---- */

static bool load_png(image *out, const unsigned char *data, size_t size, char *why, size_t why_size)
{
    static const png_color white = { 255, 255, 255 };
    png_image png = { .version = PNG_IMAGE_VERSION };
    if (!png_image_begin_read_from_memory(&png, data, size))
        return fail(why, why_size, png.message);
    const bool colour = png.format & PNG_FORMAT_FLAG_COLOR;
    png.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    if (!start_image(out, png.width, png.height, colour ? 3 : 1, why, why_size)) {
        png_image_free(&png);
        return false;
    }
    /* Frees what png holds, whatever happens. */
    if (!png_image_finish_read(&png, &white, out->pixels, 0, NULL)) {
        image_free(out);
        return fail(why, why_size, png.message);
    }
    return true;
}

/* ---- JPEG ---- */

/* Everything that is changed between setjmp() and a jump lies here, outside the function that calls
 * it: its own variables would be lost. */
typedef struct jpeg_reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    image *out;
    char *why;
    size_t why_size;
} jpeg_reader;

static void jpeg_failed(j_common_ptr common)
{
    jpeg_reader *r = common->client_data;
    char text[JMSG_LENGTH_MAX];
    common->err->format_message(common, text);
    fail(r->why, r->why_size, text);
    longjmp(r->jump, 1);
}

/* level < 0: the data is damaged, and the library would go on with what it makes up. */
static void jpeg_message(j_common_ptr common, int level)
{
    if (level < 0)
        jpeg_failed(common);
}

static void jpeg_progressed(j_common_ptr common)
{
    jpeg_reader *r = common->client_data;
    if (r->jpeg.input_scan_number > SCANS_MAX) {
        fail(r->why, r->why_size, "the picture has too many scans");
        longjmp(r->jump, 1);
    }
}

static bool read_jpeg(jpeg_reader *r, const unsigned char *data, size_t size)
{
    struct jpeg_decompress_struct *jpeg = &r->jpeg;
    if (setjmp(r->jump))
        return false;
    jpeg_create_decompress(jpeg); /* clears all but err and client_data */
    r->progress.progress_monitor = jpeg_progressed;
    jpeg->progress = &r->progress;
    jpeg_mem_src(jpeg, data, (unsigned long)size);
    jpeg_read_header(jpeg, TRUE);
    jpeg->out_color_space = jpeg->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_calc_output_dimensions(jpeg);
    if (!start_image(r->out, jpeg->output_width, jpeg->output_height,
                     jpeg->num_components == 1 ? 1 : 3, r->why, r->why_size))
        return false;
    jpeg_start_decompress(jpeg);
    const size_t row_bytes = (size_t)r->out->width * r->out->channels;
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = r->out->pixels + jpeg->output_scanline * row_bytes;
        jpeg_read_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_decompress(jpeg);
    return true;
}

static bool load_jpeg(image *out, const unsigned char *data, size_t size, char *why,
                      size_t why_size)
{
    jpeg_reader r = { .out = out, .why = why, .why_size = why_size };
    r.jpeg.err = jpeg_std_error(&r.errors);
    r.errors.error_exit = jpeg_failed;
    r.errors.emit_message = jpeg_message;
    r.jpeg.client_data = &r;
    const bool ok = read_jpeg(&r, data, size);
    jpeg_destroy_decompress(&r.jpeg);
    if (!ok)
        image_free(out);
    return ok;
}

/* ---- files ---- */

static unsigned char *read_file(const char *path, size_t *size, char *why, size_t why_size)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        fail(why, why_size, "cannot be opened");
        return NULL;
    }
    long length = -1;
    if (fseek(file, 0, SEEK_END) == 0)
        length = ftell(file);
    const bool fits = length > 0 && length <= FILE_BYTES_MAX;
    unsigned char *data = fits ? malloc((size_t)length) : NULL;
    rewind(file);
    if (data && fread(data, 1, (size_t)length, file) != (size_t)length) {
        free(data);
        data = NULL;
    }
    fclose(file);
    if (!data)
        fail(why, why_size, fits ? "cannot be read" : "is empty, no file or too large");
    *size = data ? (size_t)length : 0;
    return data;
}

bool image_load(image *out, const char *path, char *why, size_t why_size)
{
    static const unsigned char png[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
    static const unsigned char jpeg[] = { 0xff, 0xd8, 0xff };
    *out = (image){ 0 };
    size_t size = 0;
    unsigned char *data = read_file(path, &size, why, why_size);
    if (!data)
        return false;
    bool ok = false;
    if (size > sizeof png && memcmp(data, png, sizeof png) == 0)
        ok = load_png(out, data, size, why, why_size);
    else if (size > sizeof jpeg && memcmp(data, jpeg, sizeof jpeg) == 0)
        ok = load_jpeg(out, data, size, why, why_size);
    else
        fail(why, why_size, "is neither PNG nor JPEG");
    free(data);
    return ok;
}
