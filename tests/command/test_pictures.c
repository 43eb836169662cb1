/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of examples/classify: what resampling gives for pictures whose answer is known, and
 * decoding of files that are cut off, changed or lie about their size. */
#include "examples/classify/image.h"

#include "folder.h"
#include "test.h"

static const image_layout plain = { .width = 4, .height = 4, .channels = 1, .scale = 1,
                                    .deviation = { 1, 1, 1 } };

static void same_extents_keep_pixels(void)
{
    unsigned char pixels[16];
    float values[16];
    for (int i = 0; i < 16; i++)
        pixels[i] = (unsigned char)(i * 13);
    const image p = { 4, 4, 1, pixels };
    CHECK(image_fit(&p, &plain, values));
    for (int i = 0; i < 16; i++)
        CHECK_NEAR(values[i], i * 13, 1e-4);
}

static void constants_stay_constant(void)
{
    static unsigned char pixels[37 * 11 * 3];
    memset(pixels, 200, sizeof pixels);
    const image p = { 37, 11, 3, pixels };
    for (uint32_t side = 1; side <= 64; side *= 2) {
        static float values[64 * 64 * 3];
        image_layout l = plain;
        l.width = side;
        l.height = side;
        l.channels = 3;
        l.stretch = side % 4 == 0;
        CHECK(image_fit(&p, &l, values));
        for (uint32_t i = 0; i < side * side * 3; i++)
            CHECK_NEAR(values[i], 200, 1e-3);
    }
}

/* Eight pixels to four: a slope of two pixels to each side of the centre. */
static void smaller_means_weighted(void)
{
    unsigned char pixels[64];
    float values[16];
    for (int i = 0; i < 64; i++)
        pixels[i] = (unsigned char)(i % 8 == 2 ? 160 : 0);
    const image p = { 8, 8, 1, pixels };
    CHECK(image_fit(&p, &plain, values));
    /* Centre 3: pixels 1 to 4 weigh 1/4, 3/4, 3/4, 1/4 of 2. Centre 1: the picture ends, so that
     * pixels 0 to 2 weigh 3/4, 3/4, 1/4 of 7/4. */
    for (int y = 0; y < 4; y++) {
        CHECK_NEAR(values[y * 4 + 0], 160 / 7.0, 1e-4);
        CHECK_NEAR(values[y * 4 + 1], 60, 1e-4);
        CHECK_NEAR(values[y * 4 + 2], 0, 1e-4);
        CHECK_NEAR(values[y * 4 + 3], 0, 1e-4);
    }
}

static void larger_interpolates(void)
{
    unsigned char pixels[4] = { 0, 100, 0, 100 };
    float values[16];
    const image p = { 2, 2, 1, pixels };
    CHECK(image_fit(&p, &plain, values));
    for (int y = 0; y < 4; y++) {
        CHECK_NEAR(values[y * 4 + 0], 0, 1e-4);
        CHECK_NEAR(values[y * 4 + 1], 25, 1e-4);
        CHECK_NEAR(values[y * 4 + 2], 75, 1e-4);
        CHECK_NEAR(values[y * 4 + 3], 100, 1e-4);
    }
}

/* Twice as wide as high: the middle, or all of it. */
static void shapes_are_kept_or_not(void)
{
    unsigned char pixels[32];
    float values[16];
    for (int i = 0; i < 32; i++)
        pixels[i] = (unsigned char)(i % 8 * 10);
    const image p = { 8, 4, 1, pixels };
    image_layout l = plain;
    CHECK(image_fit(&p, &l, values));
    CHECK_NEAR(values[0], 20, 1e-4);
    CHECK_NEAR(values[3], 50, 1e-4);
    l.stretch = true;
    CHECK(image_fit(&p, &l, values));
    CHECK_NEAR(values[1], 25, 1e-4);
    CHECK_NEAR(values[2], 45, 1e-4);
}

static void channels_find_their_places(void)
{
    unsigned char colour[3] = { 10, 20, 30 }, grey[1] = { 50 };
    const image c = { 1, 1, 3, colour }, g = { 1, 1, 1, grey };
    image_layout l = { .width = 1, .height = 2, .channels = 3, .scale = 0.1, .stretch = true,
                       .mean = { 1, 2, 3 }, .deviation = { 1, -2, 0.5 } };
    float values[6];
    CHECK(image_fit(&c, &l, values));
    CHECK_NEAR(values[0], 0, 1e-6);
    CHECK_NEAR(values[2], 0, 1e-6);
    CHECK_NEAR(values[5], 0, 1e-6);
    l.channels_last = l.blue_first = true;
    CHECK(image_fit(&c, &l, values));
    for (int i = 0; i < 6; i += 3) {
        CHECK_NEAR(values[i + 0], 2, 1e-6);
        CHECK_NEAR(values[i + 1], 0, 1e-6);
        CHECK_NEAR(values[i + 2], -4, 1e-6);
    }
    l.blue_first = false;
    CHECK(image_fit(&g, &l, values));
    CHECK_NEAR(values[0], 4, 1e-6);
    CHECK_NEAR(values[1], -1.5, 1e-6);
    CHECK_NEAR(values[2], 4, 1e-6);
    l = plain;
    l.width = l.height = 1;
    CHECK(image_fit(&c, &l, values));
    CHECK_NEAR(values[0], 0.299 * 10 + 0.587 * 20 + 0.114 * 30, 1e-4);
}

/* ---- files ---- */

static test_folder folder;
static char why[200]; /* of the last file */

static bool load_bytes(const unsigned char *data, size_t size, image *out)
{
    const char *path = test_folder_file(&folder, "picture");
    test_file_write(path, data, size);
    why[0] = '\0';
    const bool ok = image_load(out, path, why, sizeof why);
    CHECK(ok ? out->pixels != NULL : why[0] && !out->pixels);
    return ok;
}

static unsigned char *read_example(const char *name, size_t *size)
{
    char path[512], file[128];
    snprintf(file, sizeof file, "examples/classify/%s", name);
    unsigned char *data = test_read_file(test_source_path(path, sizeof path, file), size);
    if (!data)
        TEST_FAIL("cannot read %s", path);
    return data;
}

static void damage(const char *name, size_t step)
{
    size_t size = 0;
    unsigned char *data = read_example(name, &size);
    image p;
    if (!data)
        return;
    CHECK(load_bytes(data, size, &p));
    CHECK_INT(p.width, 64);
    CHECK_INT(p.height, 64);
    CHECK_INT(p.channels, 1);
    image_free(&p);
    size_t refused = 0, tried = 0;
    for (size_t n = 0; n + 16 < size; n += step, tried++)
        refused += !load_bytes(data, n, &p);
    CHECK_INT(refused, tried);
    uint64_t seed = 7;
    for (int i = 0; i < 400; i++) {
        const size_t where = test_random(&seed) % size;
        const unsigned char old = data[where];
        data[where] = (unsigned char)test_random(&seed);
        if (load_bytes(data, size, &p))
            image_free(&p);
        data[where] = old;
    }
    free(data);
}

static void damaged_png(void)
{
    damage("seven.png", 1);
}

static void damaged_jpeg(void)
{
    damage("three.jpg", 7);
}

/* Extents in the file's head: of a PNG at byte 16, of a JPEG behind the marker of a frame. */
static void huge_extents_are_refused(void)
{
    size_t size = 0;
    image p;
    unsigned char *data = read_example("three.jpg", &size);
    for (size_t i = 0; data && i + 9 < size; i++)
        if (data[i] == 0xff && data[i + 1] == 0xc0)
            memset(data + i + 5, 0x81, 4);
    CHECK(data && !load_bytes(data, size, &p));
    CHECK(strstr(why, "too large") != NULL);
    free(data);
    /* 100000 x 100000 grey with a right check sum, and no data. */
    static const unsigned char png[] = {
        0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n',
        0, 0, 0, 13, 'I', 'H', 'D', 'R', 0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0, 8, 0, 0, 0, 0,
        0x8d, 0x39, 0x54, 0x14,
        0, 0, 0, 0, 'I', 'D', 'A', 'T', 0x35, 0xaf, 0x06, 0x1e,
        0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82
    };
    CHECK(!load_bytes(png, sizeof png, &p));
    CHECK(strstr(why, "too large") != NULL);
}

static void other_files_are_refused(void)
{
    image p;
    CHECK(!load_bytes((const unsigned char *)"", 0, &p));
    CHECK(!load_bytes((const unsigned char *)"GIF89a and more", 15, &p));
    CHECK(!image_load(&p, "/nonexistent/picture.png", why, sizeof why));
    CHECK(why[0]);
    CHECK(!image_load(&p, "/", why, sizeof why));
}

int main(void)
{
    test_folder_make(&folder);
    test_case(same_extents_keep_pixels);
    test_case(constants_stay_constant);
    test_case(smaller_means_weighted);
    test_case(larger_interpolates);
    test_case(shapes_are_kept_or_not);
    test_case(channels_find_their_places);
    test_case(damaged_png);
    test_case(damaged_jpeg);
    test_case(huge_extents_are_refused);
    test_case(other_files_are_refused);
    test_folder_remove(&folder);
    return test_finish();
}
