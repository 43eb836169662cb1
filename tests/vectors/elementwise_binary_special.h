/* SPDX-License-Identifier: Apache-2.0 */
/* Made by make_elementwise.py; the type of a case stands in tests/unit/test_plain_elementwise.c. */
static const double e338[] = {
    -2.8125, -2.5625, -2.75, 1, -0.375, 0.8125, 0.625, 2.4375, -0.875, 3.5, 0.125, 3.625,
};
static const double e339[] = {
    8.375, 11.9375, 7.8125, 10.25,
};
static const double e340[] = {
    0.375, 3.9375, -0.1875, 2.25,
};
static const double e341[] = {
    -1.0546875, -10.08984375, 0.515625, 1, -0.140625, 0.8125, 0.625, 2.4375, -0.328125, 3.5, 0.125,
    3.625,
};
static const double e342[] = {
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
};
static const double e343[] = {
    2, 3, 4,
};
static const double e344[] = {
    -2, -2, -3, -3, -4, -4, -2, -2, -3, -3, -4, -4,
};
static const double e345[] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};
static const double e346[] = {
    2, 2, 3, 3, 4, 4, 2, 2, 3, 3, 4, 4,
};
static const double e347[] = {
    2.8125, 2.5625, 2.75, 1, 0.375, 0.8125, 0.625, 2.4375, 0.875, 3.5, 0.125, 3.625,
};
static const double e348[] = {
    1.473702089, 40.65500363, 0.8272277979, 1, 0.692248025, 0.4414987903, 1.092125372, 7.423785325,
    0.9511587772, 138.7611609, 1.476826146, 18.13188787,
};
static const double e349[] = {
    2,
};
static const double e350[] = {
    7.91015625, 6.56640625, 7.5625, 1, 0.140625, 0.66015625, 0.390625, 5.94140625, 0.765625, 12.25,
    0.015625, 13.140625,
};
static const double e351[] = {
    2, -3, 7,
};
static const double e352[] = {
    3, 2, 0.5,
};
static const double e353[] = {
    8, 9, 2,
};
static const double e354[] = {
    2, -3, 1, -1, 5,
};
static const double e355[] = {
    40, 3, -4, -3, -1,
};
static const double e356[] = {
    1099511627776, -27, 1, -1, 0,
};
static const double e357[] = {
    1.4375, -3.3125, 0.3125,
};
static const double e358[] = {
    1.4375, 3.9375, 1.4375, 2.25, 0.375, 3.9375, 0.625, 2.4375, 0.375, 3.9375, 0.3125, 3.625,
};
static const double e359[] = {
    0.5, -1.25, 3.5,
};
static const double e360[] = {
    -2.8125, -2.5625, -2.75, 0.5, -1.25, -1.25, -1.25, -1.25, -0.875, 3.5, -0.1875, 2.25,
};
static const double e361[] = {
    2.125, 0.25, -1.375,
};
static const double e362[] = {
    -0.3125, 3.5, -0.8125, 5.375, 0.25, 5, 0.6875, 4.9375, -1.875, 6.0625, -1.4375, 4.5,
};
static const double e363[] = {
    -1.21875, 0.6875, -1.46875, 1.625, 0, 2.375, 0.21875, 2.34375, -0.25, 3.71875, -0.03125, 2.9375,
};
static const double e364[] = {
    1, NAN, 3,
};
static const double e365[] = {
    2, NAN, 3,
};
static const double e366[] = {
    1, NAN, 2,
};
static const double e367[] = {
    1, 255, 3,
};
static const double e368[] = {
    7, 1, 9,
};
static const double e369[] = {
    128, 254, 0,
};
static const double e370[] = {
    65535, 9, 8,
};
static const double e371[] = {
    8, 3, 17,
};
static const double e372[] = {
    255, 1, 0,
};
static const vector_case elementwise_binary_special[] = {
    { "Mod", 20, 1, { { "fmod", .kind = HET__ATTR_INT, .u.i = 1 } }, 2, { { HET_DTYPE_F32, 2, { 3, 4
    }, e338 }, { HET_DTYPE_F32, 1, { 4 }, e339 } }, 1, { { HET_DTYPE_F32, 2, { 3, 4 }, e338 } },
    4e-07 },
    { "PRelu", 20, 0, { { 0 } }, 2, { { HET_DTYPE_F32, 2, { 3, 4 }, e338 }, { HET_DTYPE_F32, 1, { 4
    }, e340 } }, 1, { { HET_DTYPE_F32, 2, { 3, 4 }, e341 } }, 4e-07 },
    { "PRelu", 6, 0, { { 0 } }, 2, { { HET_DTYPE_F32, 3, { 2, 3, 2 }, e342 }, { HET_DTYPE_F32, 1, {
    3 }, e343 } }, 1, { { HET_DTYPE_F32, 3, { 2, 3, 2 }, e344 } }, 4e-07 },
    { "Add", 6, 2, { { "broadcast", .kind = HET__ATTR_INT, .u.i = 1 }, { "axis", .kind =
    HET__ATTR_INT, .u.i = 1 } }, 2, { { HET_DTYPE_F32, 3, { 2, 3, 2 }, e345 }, { HET_DTYPE_F32, 1, {
    3 }, e343 } }, 1, { { HET_DTYPE_F32, 3, { 2, 3, 2 }, e346 } }, 4e-07 },
    { "Pow", 20, 0, { { 0 } }, 2, { { HET_DTYPE_F32, 2, { 3, 4 }, e347 }, { HET_DTYPE_F32, 1, { 4 },
    e340 } }, 1, { { HET_DTYPE_F32, 2, { 3, 4 }, e348 } }, 2e-06 },
    { "Pow", 20, 0, { { 0 } }, 2, { { HET_DTYPE_F32, 2, { 3, 4 }, e338 }, { HET_DTYPE_I64, 0, { 0 },
    e349 } }, 1, { { HET_DTYPE_F32, 2, { 3, 4 }, e350 } }, 4e-07 },
    { "Pow", 20, 0, { { 0 } }, 2, { { HET_DTYPE_I32, 1, { 3 }, e351 }, { HET_DTYPE_F32, 1, { 3 },
    e352 } }, 1, { { HET_DTYPE_I32, 1, { 3 }, e353 } }, 0 },
    { "Pow", 20, 0, { { 0 } }, 2, { { HET_DTYPE_I64, 1, { 5 }, e354 }, { HET_DTYPE_I32, 1, { 5 },
    e355 } }, 1, { { HET_DTYPE_I64, 1, { 5 }, e356 } }, 0 },
    { "Max", 20, 0, { { 0 } }, 3, { { HET_DTYPE_F32, 2, { 3, 4 }, e338 }, { HET_DTYPE_F32, 1, { 4 },
    e340 }, { HET_DTYPE_F32, 2, { 3, 1 }, e357 } }, 1, { { HET_DTYPE_F32, 2, { 3, 4 }, e358 } },
    4e-07 },
    { "Max", 20, 0, { { 0 } }, 1, { { HET_DTYPE_F32, 2, { 3, 4 }, e338 } }, 1, { { HET_DTYPE_F32, 2,
    { 3, 4 }, e338 } }, 4e-07 },
    { "Min", 20, 0, { { 0 } }, 3, { { HET_DTYPE_F32, 2, { 3, 4 }, e338 }, { HET_DTYPE_F32, 1, { 4 },
    e340 }, { HET_DTYPE_F32, 2, { 3, 1 }, e359 } }, 1, { { HET_DTYPE_F32, 2, { 3, 4 }, e360 } },
    4e-07 },
    { "Min", 20, 0, { { 0 } }, 1, { { HET_DTYPE_F32, 2, { 3, 4 }, e338 } }, 1, { { HET_DTYPE_F32, 2,
    { 3, 4 }, e338 } }, 4e-07 },
    { "Sum", 20, 0, { { 0 } }, 3, { { HET_DTYPE_F32, 2, { 3, 4 }, e338 }, { HET_DTYPE_F32, 1, { 4 },
    e340 }, { HET_DTYPE_F32, 2, { 3, 1 }, e361 } }, 1, { { HET_DTYPE_F32, 2, { 3, 4 }, e362 } },
    4e-07 },
    { "Sum", 20, 0, { { 0 } }, 1, { { HET_DTYPE_F32, 2, { 3, 4 }, e338 } }, 1, { { HET_DTYPE_F32, 2,
    { 3, 4 }, e338 } }, 4e-07 },
    { "Mean", 20, 0, { { 0 } }, 2, { { HET_DTYPE_F32, 2, { 3, 4 }, e338 }, { HET_DTYPE_F32, 1, { 4
    }, e340 } }, 1, { { HET_DTYPE_F32, 2, { 3, 4 }, e363 } }, 4e-07 },
    { "Max", 20, 0, { { 0 } }, 2, { { HET_DTYPE_F32, 1, { 3 }, e364 }, { HET_DTYPE_F32, 0, { 0 },
    e349 } }, 1, { { HET_DTYPE_F32, 1, { 3 }, e365 } }, 4e-07 },
    { "Min", 20, 0, { { 0 } }, 2, { { HET_DTYPE_F32, 0, { 0 }, e349 }, { HET_DTYPE_F32, 1, { 3 },
    e364 } }, 1, { { HET_DTYPE_F32, 1, { 3 }, e366 } }, 4e-07 },
    { "BitShift", 20, 1, { { "direction", .kind = HET__ATTR_STRING, .u.string = "LEFT" } }, 2, { {
    HET_DTYPE_U8, 1, { 3 }, e367 }, { HET_DTYPE_U8, 1, { 3 }, e368 } }, 1, { { HET_DTYPE_U8, 1, { 3
    }, e369 } }, 0 },
    { "BitShift", 20, 1, { { "direction", .kind = HET__ATTR_STRING, .u.string = "RIGHT" } }, 2, { {
    HET_DTYPE_U16, 1, { 3 }, e370 }, { HET_DTYPE_U16, 1, { 3 }, e371 } }, 1, { { HET_DTYPE_U16, 1, {
    3 }, e372 } }, 0 },
};
