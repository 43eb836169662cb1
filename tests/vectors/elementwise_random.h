/* SPDX-License-Identifier: Apache-2.0 */
/* Made by make_elementwise.py; the type of a case stands in tests/unit/test_plain_elementwise.c. */
static const double e515[] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};
static const double e516[] = {
    -0.7710751319, 1.339756377, 0.3152276943, 1.170395533, 1.933968536, 0.6154876112, 0.503361391,
    -0.7838465999, -0.1946830597, 0.4996475025, 1.037689988, 1.411217108, 0.1428233994,
    -0.8021909593, -0.1355632021,
};
static const double e517[] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};
static const double e518[] = {
    1.1824094332396395, 3.1825654665442209, -2.8939406180450926, -1.7726990644738785,
    -3.5929831484043273, 5.8196686066830825, 4.4556723371598386, 5.4091125691122697,
    2.5896552786968021, 2.9528421928018806, -1.3668542946660298, 4.8327272210709591,
    -1.2466536011022771, -0.32807093916821084, 0.24328285926288218, -0.58323054299267252,
    2.7190962183607463, 0.53842200902883008, 0.86867794379041574, 0.58272753053568782,
    3.6937371402280994, -0.21390559471424675,
};
static const double e519[] = {
    2.1875, -1.4375, 0.3125, 3.1875, 1.5625, -0.5625, -1.5625, 2.8125, 0.375, -2.125, 2.25, -1.3125,
    1.6875, 0.375, 2.875, 3, -2.3125, 0.75, -0.25, 1.9375,
};
static const double e520[] = {
    0.75,
};
static const double e521[] = {
    0, -5.75, 0, 12.75, 0, 0, -6.25, 0, 0, 0, 0, 0, 0, 0, 11.5, 0, 0, 0, 0, 0,
};
static const double e522[] = {
    0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0,
};
static const double e523[] = {
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
};
static const vector_case elementwise_random[] = {
    { "RandomUniformLike", 20, 3, { { "seed", .kind = HET__ATTR_FLOAT, .u.f = (float)7 }, { "low",
    .kind = HET__ATTR_FLOAT, .u.f = (float)-1 }, { "high", .kind = HET__ATTR_FLOAT, .u.f = (float)2
    } }, 1, { { HET_DTYPE_F32, 2, { 3, 5 }, e515 } }, 1, { { HET_DTYPE_F32, 2, { 3, 5 }, e516 } },
    4e-07 },
    { "RandomNormalLike", 20, 3, { { "seed", .kind = HET__ATTR_FLOAT, .u.f = (float)8 }, { "mean",
    .kind = HET__ATTR_FLOAT, .u.f = (float)1 }, { "scale", .kind = HET__ATTR_FLOAT, .u.f = (float)2
    } }, 1, { { HET_DTYPE_F64, 2, { 11, 2 }, e517 } }, 1, { { HET_DTYPE_F64, 2, { 11, 2 }, e518 } },
    1e-13 },
    { "Dropout", 20, 1, { { "seed", .kind = HET__ATTR_INT, .u.i = 5 } }, 3, { { HET_DTYPE_F32, 2, {
    4, 5 }, e519 }, { HET_DTYPE_F32, 0, { 0 }, e520 }, { HET_DTYPE_BOOL, 0, { 0 }, e227 } }, 2, { {
    HET_DTYPE_F32, 2, { 4, 5 }, e521 }, { HET_DTYPE_BOOL, 2, { 4, 5 }, e522 } }, 4e-07 },
    { "Dropout", 20, 1, { { "seed", .kind = HET__ATTR_INT, .u.i = 5 } }, 3, { { HET_DTYPE_F32, 2, {
    4, 5 }, e519 }, { HET_DTYPE_F32, 0, { 0 }, e520 }, { HET_DTYPE_BOOL, 0, { 0 }, e242 } }, 2, { {
    HET_DTYPE_F32, 2, { 4, 5 }, e519 }, { HET_DTYPE_BOOL, 2, { 4, 5 }, e523 } }, 4e-07 },
    { "Dropout", 7, 1, { { "ratio", .kind = HET__ATTR_FLOAT, .u.f = (float)0.5 } }, 1, { {
    HET_DTYPE_F32, 2, { 4, 5 }, e519 } }, 2, { { HET_DTYPE_F32, 2, { 4, 5 }, e519 }, {
    HET_DTYPE_F32, 2, { 4, 5 }, e523 } }, 4e-07 },
};
