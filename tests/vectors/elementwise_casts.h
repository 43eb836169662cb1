/* SPDX-License-Identifier: Apache-2.0 */
/* Made by make_elementwise.py; the type of a case stands in tests/unit/test_plain_elementwise.c. */
static const double e373[] = {
    -3.75, -1, -0, 0.0625, 0.5, 1, 2.5, 100.25,
};
static const double e374[] = {
    -3, -1, 0, 0, 0, 1, 2, 100,
};
static const double e375[] = {
    1, 1, 0, 1, 1, 1, 1, 1,
};
static const double e376[] = {
    -129, -128, 255, 256, 65537, 2147483647,
};
static const double e377[] = {
    127, -128, -1, 0, 1, -1,
};
static const double e378[] = {
    127, 128, 255, 0, 1, 255,
};
static const double e379[] = {
    -129, -128, 255, 256, 1, -1,
};
static const double e380[] = {
    65407, 65408, 255, 256, 1, 65535,
};
static const double e381[] = {
    4294967167, 4294967168, 255, 256, 65537, 2147483647,
};
static const double e382[] = {
    -129, -128, 255, 256, 65537, 2147483648,
};
static const double e383[] = {
    1, 1, 1, 1, 1, 1,
};
static const double e384[] = {
    -1, -1, -0, 0.0625, 0.5, 1, 2, 2,
};
static const double e385[] = {
    -1,
};
static const double e386[] = {
    -3.75, -1, -0, 0.0625, 0.5, 1, 2, 2,
};
static const double e387[] = {
    1, 1, 1, 1, 1, 1, 1, 1,
};
static const double e388[] = {
    -9, 0, 9,
};
static const double e389[] = {
    -3,
};
static const double e390[] = {
    -3, 0, 9,
};
static const vector_case elementwise_casts[] = {
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 1 } }, 1, { { HET_DTYPE_F32, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_F32, 1, { 8 }, e373 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 1 } }, 1, { { HET_DTYPE_F64, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_F32, 1, { 8 }, e373 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 1 } }, 1, { { HET_DTYPE_F16, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_F32, 1, { 8 }, e373 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 11 } }, 1, { { HET_DTYPE_F32, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_F64, 1, { 8 }, e373 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 11 } }, 1, { { HET_DTYPE_F64, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_F64, 1, { 8 }, e373 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 11 } }, 1, { { HET_DTYPE_F16, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_F64, 1, { 8 }, e373 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 10 } }, 1, { { HET_DTYPE_F32, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_F16, 1, { 8 }, e373 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 10 } }, 1, { { HET_DTYPE_F64, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_F16, 1, { 8 }, e373 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 10 } }, 1, { { HET_DTYPE_F16, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_F16, 1, { 8 }, e373 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 3 } }, 1, { { HET_DTYPE_F32, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_I8, 1, { 8 }, e374 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 3 } }, 1, { { HET_DTYPE_F64, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_I8, 1, { 8 }, e374 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 3 } }, 1, { { HET_DTYPE_F16, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_I8, 1, { 8 }, e374 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 6 } }, 1, { { HET_DTYPE_F32, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_I32, 1, { 8 }, e374 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 6 } }, 1, { { HET_DTYPE_F64, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_I32, 1, { 8 }, e374 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 6 } }, 1, { { HET_DTYPE_F16, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_I32, 1, { 8 }, e374 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 7 } }, 1, { { HET_DTYPE_F32, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_I64, 1, { 8 }, e374 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 7 } }, 1, { { HET_DTYPE_F64, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_I64, 1, { 8 }, e374 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 7 } }, 1, { { HET_DTYPE_F16, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_I64, 1, { 8 }, e374 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 9 } }, 1, { { HET_DTYPE_F32, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_BOOL, 1, { 8 }, e375 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 9 } }, 1, { { HET_DTYPE_F64, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_BOOL, 1, { 8 }, e375 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 9 } }, 1, { { HET_DTYPE_F16, 1, { 8 },
    e373 } }, 1, { { HET_DTYPE_BOOL, 1, { 8 }, e375 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 3 } }, 1, { { HET_DTYPE_I64, 1, { 6 },
    e376 } }, 1, { { HET_DTYPE_I8, 1, { 6 }, e377 } }, 0 },
    { "CastLike", 20, 0, { { 0 } }, 2, { { HET_DTYPE_I64, 1, { 6 }, e376 }, { HET_DTYPE_I8, 1, { 1
    }, e242 } }, 1, { { HET_DTYPE_I8, 1, { 6 }, e377 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 2 } }, 1, { { HET_DTYPE_I64, 1, { 6 },
    e376 } }, 1, { { HET_DTYPE_U8, 1, { 6 }, e378 } }, 0 },
    { "CastLike", 20, 0, { { 0 } }, 2, { { HET_DTYPE_I64, 1, { 6 }, e376 }, { HET_DTYPE_U8, 1, { 1
    }, e242 } }, 1, { { HET_DTYPE_U8, 1, { 6 }, e378 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 5 } }, 1, { { HET_DTYPE_I64, 1, { 6 },
    e376 } }, 1, { { HET_DTYPE_I16, 1, { 6 }, e379 } }, 0 },
    { "CastLike", 20, 0, { { 0 } }, 2, { { HET_DTYPE_I64, 1, { 6 }, e376 }, { HET_DTYPE_I16, 1, { 1
    }, e242 } }, 1, { { HET_DTYPE_I16, 1, { 6 }, e379 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 4 } }, 1, { { HET_DTYPE_I64, 1, { 6 },
    e376 } }, 1, { { HET_DTYPE_U16, 1, { 6 }, e380 } }, 0 },
    { "CastLike", 20, 0, { { 0 } }, 2, { { HET_DTYPE_I64, 1, { 6 }, e376 }, { HET_DTYPE_U16, 1, { 1
    }, e242 } }, 1, { { HET_DTYPE_U16, 1, { 6 }, e380 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 6 } }, 1, { { HET_DTYPE_I64, 1, { 6 },
    e376 } }, 1, { { HET_DTYPE_I32, 1, { 6 }, e376 } }, 0 },
    { "CastLike", 20, 0, { { 0 } }, 2, { { HET_DTYPE_I64, 1, { 6 }, e376 }, { HET_DTYPE_I32, 1, { 1
    }, e242 } }, 1, { { HET_DTYPE_I32, 1, { 6 }, e376 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 12 } }, 1, { { HET_DTYPE_I64, 1, { 6 },
    e376 } }, 1, { { HET_DTYPE_U32, 1, { 6 }, e381 } }, 0 },
    { "CastLike", 20, 0, { { 0 } }, 2, { { HET_DTYPE_I64, 1, { 6 }, e376 }, { HET_DTYPE_U32, 1, { 1
    }, e242 } }, 1, { { HET_DTYPE_U32, 1, { 6 }, e381 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 1 } }, 1, { { HET_DTYPE_I64, 1, { 6 },
    e376 } }, 1, { { HET_DTYPE_F32, 1, { 6 }, e382 } }, 0 },
    { "CastLike", 20, 0, { { 0 } }, 2, { { HET_DTYPE_I64, 1, { 6 }, e376 }, { HET_DTYPE_F32, 1, { 1
    }, e242 } }, 1, { { HET_DTYPE_F32, 1, { 6 }, e382 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 11 } }, 1, { { HET_DTYPE_I64, 1, { 6 },
    e376 } }, 1, { { HET_DTYPE_F64, 1, { 6 }, e376 } }, 0 },
    { "CastLike", 20, 0, { { 0 } }, 2, { { HET_DTYPE_I64, 1, { 6 }, e376 }, { HET_DTYPE_F64, 1, { 1
    }, e242 } }, 1, { { HET_DTYPE_F64, 1, { 6 }, e376 } }, 0 },
    { "Cast", 20, 1, { { "to", .kind = HET__ATTR_INT, .u.i = 9 } }, 1, { { HET_DTYPE_I64, 1, { 6 },
    e376 } }, 1, { { HET_DTYPE_BOOL, 1, { 6 }, e383 } }, 0 },
    { "CastLike", 20, 0, { { 0 } }, 2, { { HET_DTYPE_I64, 1, { 6 }, e376 }, { HET_DTYPE_BOOL, 1, { 1
    }, e242 } }, 1, { { HET_DTYPE_BOOL, 1, { 6 }, e383 } }, 0 },
    { "Clip", 6, 2, { { "min", .kind = HET__ATTR_FLOAT, .u.f = (float)-1 }, { "max", .kind =
    HET__ATTR_FLOAT, .u.f = (float)2 } }, 1, { { HET_DTYPE_F32, 1, { 8 }, e373 } }, 1, { {
    HET_DTYPE_F32, 1, { 8 }, e384 } }, 4e-07 },
    { "Clip", 20, 0, { { 0 } }, 3, { { HET_DTYPE_F32, 1, { 8 }, e373 }, { HET_DTYPE_F32, 0, { 0 },
    e385 }, { HET_DTYPE_F32, 0, { 0 }, e349 } }, 1, { { HET_DTYPE_F32, 1, { 8 }, e384 } }, 4e-07 },
    { "Clip", 20, 0, { { 0 } }, 3, { { HET_DTYPE_F32, 1, { 8 }, e373 }, { HET_DTYPE_NONE, 0, { 0 },
    NULL }, { HET_DTYPE_F32, 0, { 0 }, e349 } }, 1, { { HET_DTYPE_F32, 1, { 8 }, e386 } }, 4e-07 },
    { "Clip", 20, 0, { { 0 } }, 3, { { HET_DTYPE_F32, 1, { 8 }, e373 }, { HET_DTYPE_F32, 0, { 0 },
    e349 }, { HET_DTYPE_F32, 0, { 0 }, e227 } }, 1, { { HET_DTYPE_F32, 1, { 8 }, e387 } }, 4e-07 },
    { "Clip", 20, 0, { { 0 } }, 2, { { HET_DTYPE_I8, 1, { 3 }, e388 }, { HET_DTYPE_I8, 0, { 0 },
    e389 } }, 1, { { HET_DTYPE_I8, 1, { 3 }, e390 } }, 0 },
};
