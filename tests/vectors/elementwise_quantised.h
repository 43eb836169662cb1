/* SPDX-License-Identifier: Apache-2.0 */
/* Made by make_elementwise.py; the type of a case stands in tests/unit/test_plain_elementwise.c. */
static const double e391[] = {
    -1.75, 2.75, 6.6875, 2.5, -5.1875, 0.4375, 3.125, -5.0625, -3, -3, 3.4375, -8.4375, -0.5, 8.625,
    -5.875, 3.1875, 6.6875, 6.8125, -3.3125, -8.125, 8.4375, -2, 2.625, -7.8125,
};
static const double e392[] = {
    0.5,
};
static const double e393[] = {
    0, 7, 14, 6, 0, 2, 7, 0, 0, 0, 8, 0, 0, 18, 0, 7, 14, 15, 0, 0, 18, 0, 6, 0,
};
static const double e394[] = {
    -0.5, 3, 6.5, 2.5, -0.5, 0.5, 3, -0.5, -0.5, -0.5, 3.5, -0.5, -0.5, 8.5, -0.5, 3, 6.5, 7, -0.5,
    -0.5, 8.5, -0.5, 2.5, -0.5,
};
static const double e395[] = {
    1, 2,
};
static const double e396[] = {
    0, 1,
};
static const double e397[] = {
    0, 3, 7, 2, 0, 0, 3, 0, 0, 0, 3, 0, 1, 5, 0, 3, 4, 4, 0, 0, 5, 0, 2, 0,
};
static const double e398[] = {
    0, 3, 7, 2, 0, 0, 3, 0, 0, 0, 3, 0, 0, 8, -2, 4, 6, 6, -2, -2, 8, -2, 2, -2,
};
static const double e399[] = {
    1, 2, 4, 8,
};
static const double e400[] = {
    0, 1, 0, 1,
};
static const double e401[] = {
    0, 3, 7, 2, 0, 1, 1, 0, 0, 1, 1, 0, 0, 9, 0, 3, 4, 4, 0, 0, 2, 1, 1, 0,
};
static const double e402[] = {
    0, 3, 7, 2, -2, 0, 4, 0, 0, 0, 0, -8, 0, 9, 0, 4, 6, 6, 0, 0, 8, 0, 0, -8,
};
static const double e403[] = {
    1, 2, 4,
};
static const double e404[] = {
    0, 1, 0,
};
static const double e405[] = {
    0, 2, 2, 2, 0, 0, 3, 0, 0, 0, 3, 0, 0, 5, 0, 3, 4, 2, 0, 0, 2, 0, 2, 0,
};
static const double e406[] = {
    0, 2, 8, 2, -2, 0, 3, -2, 0, 0, 4, 0, 0, 8, 0, 3, 6, 8, 0, -2, 8, 0, 2, 0,
};
static const double e407[] = {
    -5, 5, 12, 4, -11, 0, 5, -11, -7, -7, 6, -18, -2, 16, -13, 5, 12, 13, -8, -17, 16, -5, 4, -17,
};
static const double e408[] = {
    -2, 3, 6.5, 2.5, -5, 0.5, 3, -5, -3, -3, 3.5, -8.5, -0.5, 8.5, -6, 3, 6.5, 7, -3.5, -8, 8.5, -2,
    2.5, -8,
};
static const double e409[] = {
    -2, 3, 7, 2, -5, 0, 3, -5, -3, -3, 3, -8, 1, 5, -2, 3, 4, 4, -1, -3, 5, 0, 2, -3,
};
static const double e410[] = {
    -2, 3, 7, 2, -5, 0, 3, -5, -3, -3, 3, -8, 0, 8, -6, 4, 6, 6, -4, -8, 8, -2, 2, -8,
};
static const double e411[] = {
    -2, 3, 7, 2, -2, 1, 1, -1, -1, 1, 1, 0, 0, 9, -6, 3, 4, 4, -1, -2, 2, 1, 1, 0,
};
static const double e412[] = {
    -2, 3, 7, 2, -6, 0, 4, -4, -4, 0, 0, -8, 0, 9, -6, 4, 6, 6, -4, -8, 8, 0, 0, -8,
};
static const double e413[] = {
    -2, 2, 2, 2, -2, 0, 3, -2, -1, -3, 3, -2, 0, 5, -1, 3, 4, 2, -3, -3, 2, -2, 2, -2,
};
static const double e414[] = {
    -2, 2, 8, 2, -6, 0, 3, -6, -4, -3, 4, -8, 0, 8, -4, 3, 6, 8, -3, -8, 8, -2, 2, -8,
};
static const double e415[] = {
    0, 7, 14, 6, 0, 2, 7, 0, 0, 0, 8, 0, 0, 15, 0, 7, 14, 15, 0, 0, 15, 0, 6, 0,
};
static const double e416[] = {
    -0.5, 3, 6.5, 2.5, -0.5, 0.5, 3, -0.5, -0.5, -0.5, 3.5, -0.5, -0.5, 7, -0.5, 3, 6.5, 7, -0.5,
    -0.5, 7, -0.5, 2.5, -0.5,
};
static const double e417[] = {
    -5, 5, 7, 4, -8, 0, 5, -8, -7, -7, 6, -8, -2, 7, -8, 5, 7, 7, -8, -8, 7, -5, 4, -8,
};
static const double e418[] = {
    -2, 3, 4, 2.5, -3.5, 0.5, 3, -3.5, -3, -3, 3.5, -3.5, -0.5, 4, -3.5, 3, 4, 4, -3.5, -3.5, 4, -2,
    2.5, -3.5,
};
static const double e419[] = {
    -2, 3, 7, 2, -2, 1, 1, -1, -1, 1, 1, 0, 0, 7, -6, 3, 4, 4, -1, -2, 2, 1, 1, 0,
};
static const double e420[] = {
    -2, 3, 7, 2, -6, 0, 4, -4, -4, 0, 0, -8, 0, 7, -6, 4, 6, 6, -4, -8, 8, 0, 0, -8,
};
static const double e421[] = {
    0, 3, 3, 3, 0, 2, 3, 0, 0, 0, 3, 0, 0, 3, 0, 3, 3, 3, 0, 0, 3, 0, 3, 0,
};
static const double e422[] = {
    -0.5, 1, 1, 1, -0.5, 0.5, 1, -0.5, -0.5, -0.5, 1, -0.5, -0.5, 1, -0.5, 1, 1, 1, -0.5, -0.5, 1,
    -0.5, 1, -0.5,
};
static const double e423[] = {
    0, 3, 3, 2, 0, 0, 3, 0, 0, 0, 3, 0, 1, 3, 0, 3, 3, 3, 0, 0, 3, 0, 2, 0,
};
static const double e424[] = {
    0, 3, 3, 2, 0, 0, 3, 0, 0, 0, 3, 0, 0, 4, -2, 4, 4, 4, -2, -2, 4, -2, 2, -2,
};
static const double e425[] = {
    0, 3, 3, 2, 0, 1, 1, 0, 0, 1, 1, 0, 0, 3, 0, 3, 3, 3, 0, 0, 2, 1, 1, 0,
};
static const double e426[] = {
    0, 3, 3, 2, -2, 0, 4, 0, 0, 0, 0, -8, 0, 3, 0, 4, 4, 4, 0, 0, 8, 0, 0, -8,
};
static const double e427[] = {
    0, 2, 2, 2, 0, 0, 3, 0, 0, 0, 3, 0, 0, 3, 0, 3, 3, 2, 0, 0, 2, 0, 2, 0,
};
static const double e428[] = {
    0, 2, 8, 2, -2, 0, 3, -2, 0, 0, 4, 0, 0, 4, 0, 3, 4, 8, 0, -2, 8, 0, 2, 0,
};
static const double e429[] = {
    -2, 1, 1, 1, -2, 0, 1, -2, -2, -2, 1, -2, -2, 1, -2, 1, 1, 1, -2, -2, 1, -2, 1, -2,
};
static const double e430[] = {
    -2, 1, 1, 1, -2, 0, 1, -2, -2, -2, 1, -2, 1, 1, -2, 1, 1, 1, -1, -2, 1, 0, 1, -2,
};
static const double e431[] = {
    -2, 1, 1, 1, -2, 0, 1, -2, -2, -2, 1, -2, 0, 0, -6, 0, 0, 0, -4, -6, 0, -2, 0, -6,
};
static const double e432[] = {
    -2, 1, 1, 1, -2, 1, 1, -1, -1, 1, 1, 0, 0, 1, -2, 1, 1, 1, -1, -2, 1, 1, 1, 0,
};
static const double e433[] = {
    -2, 1, 1, 0, -6, 0, 4, -4, -4, 0, 0, -8, 0, 1, -2, 0, 0, 0, -4, -8, 4, 0, 0, -8,
};
static const double e434[] = {
    -2, 1, 1, 1, -2, 0, 1, -2, -1, -2, 1, -2, 0, 1, -1, 1, 1, 1, -2, -2, 1, -2, 1, -2,
};
static const double e435[] = {
    -2, 0, 4, 1, -6, 0, 1, -6, -4, -2, 0, -8, 0, 0, -4, 1, 0, 4, -2, -6, 4, -2, 0, -8,
};
static const double e436[] = {
    2, 4, 2, 1, 0.25, 4, 2, 2, 2, 2, 4, 0.5,
};
static const double e437[] = {
    -1, 1, 3, 2, -8, 0, 2, -3, -2, -2, 1, -8, 0, 2, -3, 3, 7, 2, -2, -4, 4, -1, 1, -8,
};
static const double e438[] = {
    -2, 4, 6, 2, -2, 0, 4, -6, -4, -4, 4, -4, 0, 8, -6, 3, 1.75, 8, -4, -8, 8, -2, 4, -4,
};
static const double e439[] = {
    2, 0.5, 4, 1, 1, 4, 4, 4, 1, 0.25, 4, 0.25,
};
static const double e440[] = {
    -1, 6, 2, 1, -8, 0, 2, -8, -1, -3, 3, -2, 0, 2, -6, 1, 2, 7, -1, -2, 7, -8, 1, -8,
};
static const double e441[] = {
    -2, 3, 8, 2, -4, 0, 4, -4, -4, -3, 3, -8, 0, 8, -6, 4, 8, 7, -4, -8, 7, -2, 4, -2,
};
static const double e442[] = {
    4, 0.5, 0.5, 0.25, 1, 0.25, 1, 4, 2, 0.5, 0.5, 0.5,
};
static const double e443[] = {
    0, 6, 7, 1, -8, 1, 7, -5, -8, -8, 3, -8, 0, 2, -3, 3, 2, 3, -7, -8, 7, -4, 5, -8,
};
static const double e444[] = {
    0, 3, 3.5, 4, -4, 0.5, 1.75, -5, -2, -2, 3, -2, 0, 8, -6, 3, 8, 6, -3.5, -4, 3.5, -2, 2.5, -4,
};
static const double e445[] = {
    2, 0.25, 0.5, 0.25, 2, 2, 0.5, 1, 0.5, 2, 0.25, 0.5, 4, 4, 1, 2,
};
static const double e446[] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};
static const double e447[] = {
    -1, 1, 7, 5, -8, 2, 2, -3, -2, -6, 7, -8, -1, 7, -3, 7, 7, 7, -1, -2, 2, -2, 3, -4,
};
static const double e448[] = {
    -2, 2, 1.75, 2.5, -4, 0.5, 4, -6, -4, -3, 3.5, -8, -0.5, 3.5, -6, 1.75, 1.75, 3.5, -4, -8, 8,
    -2, 3, -8,
};
static const double e449[] = {
    4, 4, 0.25, 1, 1, 1, 1, 0.5,
};
static const double e450[] = {
    0, 0, 0, 0, 0, 0, 0, 0,
};
static const double e451[] = {
    0, 1, 2, 1, -1, 0, 7, -8, -8, -3, 3, -8, 0, 7, -6, 3, 7, 7, -3, -8, 7, -4, 5, -8,
};
static const double e452[] = {
    0, 4, 8, 4, -4, 0, 1.75, -2, -2, -3, 3, -8, 0, 7, -6, 3, 7, 7, -3, -8, 7, -2, 2.5, -4,
};
static const double e453[] = {
    0, 6, 13, 5, 0, 1, 6, 0, 0, 0, 7, 0, 0, 17, 0, 6, 13, 14, 0, 0, 17, 0, 5, 0,
};
static const double e454[] = {
    -4, 6, 13, 5, -10, 1, 6, -10, -6, -6, 7, -17, -1, 17, -12, 6, 13, 14, -7, -16, 17, -4, 5, -16,
};
static const double e455[] = {
    0.5, 1.5, 2.5, -0.5, -1.5, 300, -300, INFINITY, -INFINITY,
};
static const double e456[] = {
    0, 2, 2, 0, -2, 127, -128, 127, -128,
};
static const double e457[] = {
    -1048576, 7, 1048576,
};
static const double e458[] = {
    -262144, 1.75, 262144,
};
static const double e459[] = {
    0, 128, 255,
};
static const double e460[] = {
    128,
};
static const double e461[] = {
    -64, 0, 63.5,
};
static const double e462[] = {
    -1, 0, 4.1,
};
static const double e463[] = {
    0, 50, 255,
};
static const double e464[] = {
    0.01999999955,
};
static const double e465[] = {
    50,
};
static const double e466[] = {
    0, 0,
};
static const double e467[] = {
    95, 226, 131, 147, 6, 173, 68, 58, 194, 77, 86, 78, 192, 3, 4, 48, 188, 227, 218, 126, 183, 47,
    91, 92,
};
static const double e468[] = {
    3,
};
static const double e469[] = {
    96, 76, 238, 164, 202, 150, 190, 19, 162, 223, 159, 100, 215, 210, 173, 177, 164, 34, 31, 133,
    21, 24, 73, 224,
};
static const double e470[] = {
    5,
};
static const double e471[] = {
    75, 136, 128, 118, 57, 128, 85, 37, 141, 98, 86, 68, 153, 58, 49, 72, 138, 126, 120, 100, 100,
    33, 67, 106,
};
static const double e472[] = {
    255, 255, 255, 255, 81, 255, 255, 136, 255, 255, 255, 255, 255, 5, 27, 255, 255, 255, 255, 255,
    255, 137, 255, 255,
};
static const double e473[] = {
    25, 122, 241, 66, 129, 181, 172, 140, 14, 199, 141, 84, 64, 179, 133, 82, 245, 148, 44, 201,
    180, 67, 245, 175,
};
static const double e474[] = {
    68,
};
static const double e475[] = {
    33, 82, 141, 54, 85, 111, 106, 90, 28, 120, 91, 62, 52, 110, 87, 62, 143, 94, 42, 121, 110, 54,
    143, 108,
};
static const double e476[] = {
    192, 255, 255, 255, 255, 255, 255, 255, 99, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255,
};
static const double e477[] = {
    15,
};
static const double e478[] = {
    171, 154, 157, 219, 116,
};
static const double e479[] = {
    54, 50, 50, 66, 40,
};
static const double e480[] = {
    255, 236, 241, 255, 179,
};
static const double e481[] = {
    87, 28, 122, 167, 80, 180, 221, 153, 25, 82, 94, 75, 120, 17, 110, 58, 204, 115, 200, 161, 122,
    224, 146, 102,
};
static const double e482[] = {
    18, 203, 183, 151,
};
static const double e483[] = {
    52, 68, 110, 125, 48, 144, 160, 118, 20, 95, 96, 79, 68, 63, 104, 70, 110, 112, 149, 122, 69,
    166, 122, 92,
};
static const double e484[] = {
    194, 255, 255, 255, 178, 255, 255, 255, 55, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255,
};
static const double e485[] = {
    214, 189, 156, 175, 200, 154, 165, 5, 9, 109, 195, 23, 177, 83, 19, 94, 147, 70, 210, 187, 60,
    7, 213, 57,
};
static const double e486[] = {
    83, 122, 222,
};
static const double e487[] = {
    131, 119, 102, 112, 134, 111, 116, 36, 64, 114, 156, 70, 113, 66, 34, 71, 108, 69, 139, 128, 89,
    62, 166, 88,
};
static const double e488[] = {
    255, 255, 255, 255, 255, 255, 255, 35, 171, 255, 255, 255, 255, 255, 171, 255, 255, 255, 255,
    255, 255, 116, 255, 255,
};
static const double e489[] = {
    158, 95, 224, 92, 68, 88, 129, 28, 62, 149, 237, 0, 74, 192, 119, 10, 90, 171, 30, 77, 86, 23,
    106, 68, 183, 233, 33, 176, 130, 35, 219, 50, 60, 148, 97, 75, 193, 18, 255, 132, 245, 133, 179,
    47, 142, 200, 56, 127, 221, 179, 215, 96, 10, 202, 219, 68, 182, 60, 199, 65, 146, 60, 13, 27,
    7, 104, 105, 23, 135, 107, 17, 67, 139, 71, 157, 172, 252, 98, 250, 13, 65, 75, 181, 52, 78, 88,
    165, 237, 46, 144, 228, 179, 228, 223, 61, 186, 196, 213, 66, 80, 128, 143, 98, 157, 14, 26, 51,
    246, 191, 23, 185, 214, 32, 235, 153, 219, 237, 113, 117, 154,
};
static const double e490[] = {
    208, 231, 255, 195, 255, 255,
};
static const double e491[] = {
    158, 86, 245, 95, 23, 133, 224, 106, 179, 92, 68, 47, 68, 183, 142, 88, 233, 200, 129, 33, 56,
    28, 176, 127, 62, 130, 221, 149, 35, 179, 237, 219, 215, 0, 50, 96, 74, 60, 10, 192, 148, 202,
    119, 97, 219, 10, 75, 68, 90, 193, 182, 171, 18, 60, 30, 255, 199, 77, 132, 65, 146, 65, 128,
    60, 75, 143, 13, 181, 98, 27, 52, 157, 7, 78, 14, 104, 88, 26, 105, 165, 51, 23, 237, 246, 135,
    46, 191, 107, 144, 23, 17, 228, 185, 67, 179, 214, 139, 228, 32, 71, 223, 235, 157, 61, 153,
    172, 186, 219, 252, 196, 237, 98, 213, 113, 250, 66, 117, 13, 80, 154,
};
static const double e492[] = {
    76, 56, 44, -37, 61, 117, 64, 24, -3, -121, 36, -96, -90, -39, -23, 28, 118, -97, -30, 53, -67,
    -1, -88, -82,
};
static const double e493[] = {
    98, 37, -101, -46, 119, 35, 35, -79, -85, -23, -22, 18, -75, 64, -103, 92, -15, -28, -116, -84,
    105, -35, -65, -64,
};
static const double e494[] = {
    66, 41, 1, -26, 64, 71, 45, -4, -19, -62, 16, -40, -60, 0, -33, 41, 59, -52, -40, 10, -3, -5,
    -56, -53,
};
static const double e495[] = {
    127, 127, -128, 127, 127, 127, 127, -128, 67, 127, -77, -128, 127, -128, 127, 127, -128, 127,
    127, -128, -128, 21, 127, 127,
};
static const double e496[] = {
    -109, 33, 44, 120, 20, -32, -53, -37, 4, 109, -97, -70, -14, -73, 36, -87, -105, -47, 79, 46, 2,
    -47, -1, -5,
};
static const double e497[] = {
    -52,
};
static const double e498[] = {
    -64, 8, 13, 51, 1, -25, -36, -28, -7, 46, -58, -44, -16, -46, 9, -52, -62, -32, 30, 14, -8, -32,
    -10, -12,
};
static const double e499[] = {
    127, -128, -128, -128, -101, 127, 127, 127, -1, -128, 127, 127, 111, 127, -128, 127, 127, 127,
    -128, -128, 11, 127, 30, 55,
};
static const double e500[] = {
    107,
};
static const double e501[] = {
    26, -73, -13, 104, -68,
};
static const double e502[] = {
    64, 39, 54, 84, 40,
};
static const double e503[] = {
    127, -128, -128, 127, -128,
};
static const double e504[] = {
    -127, 40, -127, -89, 72, -2, 74, 111, -8, -84, -83, -120, 73, 49, 55, 70, -7, 1, -126, -16, 28,
    2, -91, -10,
};
static const double e505[] = {
    -92, 121, 20, -33,
};
static const double e506[] = {
    -82, 54, -54, -49, 17, 33, 46, 51, -23, -8, -32, -64, 18, 59, 36, 31, -22, 35, -54, -12, -5, 35,
    -36, -9,
};
static const double e507[] = {
    127, 127, -128, 127, -128, -72, 127, -128, 127, -128, -128, 127, -128, 127, 127, -128, 117, -26,
    -128, 79, -128, -10, -128, 55,
};
static const double e508[] = {
    72, -77, -37, -51, -43, 75, 64, 9, -26, -90, -62, -50, -92, -97, -30, -39, 103, -102, -118, -48,
    -53, 48, -17, 11,
};
static const double e509[] = {
    96, 59, -93,
};
static const double e510[] = {
    64, -10, 10, 2, -3, 56, 51, 23, -32, -64, -50, -44, -18, -20, 13, 8, 70, -32, -40, -5, -46, 5,
    -28, -14,
};
static const double e511[] = {
    127, -128, -128, -128, -128, 127, 127, 51, 127, 127, 127, 127, -128, -128, -128, -128, 127,
    -128, -128, -128, 127, -128, 127, -86,
};
static const double e512[] = {
    118, 5, 55, 35, -113, 115, 21, 48, -93, 13, 120, 13, 50, 86, -83, -23, -2, 14, 119, 105, -23, 6,
    -81, -79, 27, 126, -89, 27, 91, -115, -37, -121, 102, 121, -76, 3, 89, 101, -3, -8, 14, 99, -29,
    -8, -62, -114, -121, 97, -77, 66, 60, 116, 118, 5, -107, -90, 67, -26, 113, 90, 109, 32, -51,
    42, -79, -5, -44, -127, 26, 59, -33, -45, 66, 99, 4, 57, 57, -13, 6, 20, -39, -12, -48, -85,
    -12, -59, 6, -65, -22, 49, 42, 122, 74, 107, -11, -70, -49, 99, -6, -10, 124, 55, -111, 49, 97,
    91, -26, -78, 57, 5, -89, 40, -78, -87, -25, -125, -101, -127, -94, 126,
};
static const double e513[] = {
    59, 5, 20, 17, 0, -31,
};
static const double e514[] = {
    118, -23, 14, 5, 6, 99, 55, -81, -29, 35, -79, -8, -113, 27, -62, 115, 126, -114, 21, -89, -121,
    48, 27, 97, -93, 91, -77, 13, -115, 66, 120, -37, 60, 13, -121, 116, 50, 102, 118, 86, 121, 5,
    -83, -76, -107, -23, 3, -90, -2, 89, 67, 14, 101, -26, 119, -3, 113, 105, -8, 90, 109, -39, 124,
    32, -12, 55, -51, -48, -111, 42, -85, 49, -79, -12, 97, -5, -59, 91, -44, 6, -26, -127, -65,
    -78, 26, -22, 57, 59, 49, 5, -33, 42, -89, -45, 122, 40, 66, 74, -78, 99, 107, -87, 4, -11, -25,
    57, -70, -125, 57, -49, -101, -13, 99, -127, 6, -6, -94, 20, -10, 126,
};
static const vector_case elementwise_quantised[] = {
    { "QuantizeLinear", 20, 0, { { 0 } }, 3, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U8, 0, { 0 }, e227 } }, 1, { { HET_DTYPE_U8, 3, {
    2, 4, 3 }, e393 } }, 0 },
    { "DequantizeLinear", 20, 0, { { 0 } }, 3, { { HET_DTYPE_U8, 3, { 2, 4, 3 }, e393 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U8, 0, { 0 }, e227 } }, 1, { { HET_DTYPE_F32, 3, {
    2, 4, 3 }, e394 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 0 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 2 }, e395 }, { HET_DTYPE_U8, 1, { 2
    }, e396 } }, 1, { { HET_DTYPE_U8, 3, { 2, 4, 3 }, e397 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 0 } }, 3, { {
    HET_DTYPE_U8, 3, { 2, 4, 3 }, e397 }, { HET_DTYPE_F32, 1, { 2 }, e395 }, { HET_DTYPE_U8, 1, { 2
    }, e396 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e398 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 4 }, e399 }, { HET_DTYPE_U8, 1, { 4
    }, e400 } }, 1, { { HET_DTYPE_U8, 3, { 2, 4, 3 }, e401 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 } }, 3, { {
    HET_DTYPE_U8, 3, { 2, 4, 3 }, e401 }, { HET_DTYPE_F32, 1, { 4 }, e399 }, { HET_DTYPE_U8, 1, { 4
    }, e400 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e402 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = -1 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 3 }, e403 }, { HET_DTYPE_U8, 1, { 3
    }, e404 } }, 1, { { HET_DTYPE_U8, 3, { 2, 4, 3 }, e405 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = -1 } }, 3, { {
    HET_DTYPE_U8, 3, { 2, 4, 3 }, e405 }, { HET_DTYPE_F32, 1, { 3 }, e403 }, { HET_DTYPE_U8, 1, { 3
    }, e404 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e406 } }, 4e-07 },
    { "QuantizeLinear", 20, 0, { { 0 } }, 3, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I8, 0, { 0 }, e385 } }, 1, { { HET_DTYPE_I8, 3, {
    2, 4, 3 }, e407 } }, 0 },
    { "DequantizeLinear", 20, 0, { { 0 } }, 3, { { HET_DTYPE_I8, 3, { 2, 4, 3 }, e407 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I8, 0, { 0 }, e385 } }, 1, { { HET_DTYPE_F32, 3, {
    2, 4, 3 }, e408 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 0 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 2 }, e395 }, { HET_DTYPE_I8, 1, { 2
    }, e396 } }, 1, { { HET_DTYPE_I8, 3, { 2, 4, 3 }, e409 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 0 } }, 3, { {
    HET_DTYPE_I8, 3, { 2, 4, 3 }, e409 }, { HET_DTYPE_F32, 1, { 2 }, e395 }, { HET_DTYPE_I8, 1, { 2
    }, e396 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e410 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 4 }, e399 }, { HET_DTYPE_I8, 1, { 4
    }, e400 } }, 1, { { HET_DTYPE_I8, 3, { 2, 4, 3 }, e411 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 } }, 3, { {
    HET_DTYPE_I8, 3, { 2, 4, 3 }, e411 }, { HET_DTYPE_F32, 1, { 4 }, e399 }, { HET_DTYPE_I8, 1, { 4
    }, e400 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e412 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = -1 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 3 }, e403 }, { HET_DTYPE_I8, 1, { 3
    }, e404 } }, 1, { { HET_DTYPE_I8, 3, { 2, 4, 3 }, e413 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = -1 } }, 3, { {
    HET_DTYPE_I8, 3, { 2, 4, 3 }, e413 }, { HET_DTYPE_F32, 1, { 3 }, e403 }, { HET_DTYPE_I8, 1, { 3
    }, e404 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e414 } }, 4e-07 },
    { "QuantizeLinear", 20, 0, { { 0 } }, 3, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U16, 0, { 0 }, e227 } }, 1, { { HET_DTYPE_U16, 3, {
    2, 4, 3 }, e393 } }, 0 },
    { "DequantizeLinear", 20, 0, { { 0 } }, 3, { { HET_DTYPE_U16, 3, { 2, 4, 3 }, e393 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U16, 0, { 0 }, e227 } }, 1, { { HET_DTYPE_F32, 3, {
    2, 4, 3 }, e394 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 0 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 2 }, e395 }, { HET_DTYPE_U16, 1, {
    2 }, e396 } }, 1, { { HET_DTYPE_U16, 3, { 2, 4, 3 }, e397 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 0 } }, 3, { {
    HET_DTYPE_U16, 3, { 2, 4, 3 }, e397 }, { HET_DTYPE_F32, 1, { 2 }, e395 }, { HET_DTYPE_U16, 1, {
    2 }, e396 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e398 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 4 }, e399 }, { HET_DTYPE_U16, 1, {
    4 }, e400 } }, 1, { { HET_DTYPE_U16, 3, { 2, 4, 3 }, e401 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 } }, 3, { {
    HET_DTYPE_U16, 3, { 2, 4, 3 }, e401 }, { HET_DTYPE_F32, 1, { 4 }, e399 }, { HET_DTYPE_U16, 1, {
    4 }, e400 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e402 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = -1 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 3 }, e403 }, { HET_DTYPE_U16, 1, {
    3 }, e404 } }, 1, { { HET_DTYPE_U16, 3, { 2, 4, 3 }, e405 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = -1 } }, 3, { {
    HET_DTYPE_U16, 3, { 2, 4, 3 }, e405 }, { HET_DTYPE_F32, 1, { 3 }, e403 }, { HET_DTYPE_U16, 1, {
    3 }, e404 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e406 } }, 4e-07 },
    { "QuantizeLinear", 20, 0, { { 0 } }, 3, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I16, 0, { 0 }, e385 } }, 1, { { HET_DTYPE_I16, 3, {
    2, 4, 3 }, e407 } }, 0 },
    { "DequantizeLinear", 20, 0, { { 0 } }, 3, { { HET_DTYPE_I16, 3, { 2, 4, 3 }, e407 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I16, 0, { 0 }, e385 } }, 1, { { HET_DTYPE_F32, 3, {
    2, 4, 3 }, e408 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 0 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 2 }, e395 }, { HET_DTYPE_I16, 1, {
    2 }, e396 } }, 1, { { HET_DTYPE_I16, 3, { 2, 4, 3 }, e409 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 0 } }, 3, { {
    HET_DTYPE_I16, 3, { 2, 4, 3 }, e409 }, { HET_DTYPE_F32, 1, { 2 }, e395 }, { HET_DTYPE_I16, 1, {
    2 }, e396 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e410 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 4 }, e399 }, { HET_DTYPE_I16, 1, {
    4 }, e400 } }, 1, { { HET_DTYPE_I16, 3, { 2, 4, 3 }, e411 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 } }, 3, { {
    HET_DTYPE_I16, 3, { 2, 4, 3 }, e411 }, { HET_DTYPE_F32, 1, { 4 }, e399 }, { HET_DTYPE_I16, 1, {
    4 }, e400 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e412 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = -1 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 3 }, e403 }, { HET_DTYPE_I16, 1, {
    3 }, e404 } }, 1, { { HET_DTYPE_I16, 3, { 2, 4, 3 }, e413 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = -1 } }, 3, { {
    HET_DTYPE_I16, 3, { 2, 4, 3 }, e413 }, { HET_DTYPE_F32, 1, { 3 }, e403 }, { HET_DTYPE_I16, 1, {
    3 }, e404 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e414 } }, 4e-07 },
    { "QuantizeLinear", 20, 0, { { 0 } }, 3, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U4, 0, { 0 }, e227 } }, 1, { { HET_DTYPE_U4, 3, {
    2, 4, 3 }, e415 } }, 0 },
    { "DequantizeLinear", 20, 0, { { 0 } }, 3, { { HET_DTYPE_U4, 3, { 2, 4, 3 }, e415 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U4, 0, { 0 }, e227 } }, 1, { { HET_DTYPE_F32, 3, {
    2, 4, 3 }, e416 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 0 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 2 }, e395 }, { HET_DTYPE_U4, 1, { 2
    }, e396 } }, 1, { { HET_DTYPE_U4, 3, { 2, 4, 3 }, e397 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 0 } }, 3, { {
    HET_DTYPE_U4, 3, { 2, 4, 3 }, e397 }, { HET_DTYPE_F32, 1, { 2 }, e395 }, { HET_DTYPE_U4, 1, { 2
    }, e396 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e398 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 4 }, e399 }, { HET_DTYPE_U4, 1, { 4
    }, e400 } }, 1, { { HET_DTYPE_U4, 3, { 2, 4, 3 }, e401 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 } }, 3, { {
    HET_DTYPE_U4, 3, { 2, 4, 3 }, e401 }, { HET_DTYPE_F32, 1, { 4 }, e399 }, { HET_DTYPE_U4, 1, { 4
    }, e400 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e402 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = -1 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 3 }, e403 }, { HET_DTYPE_U4, 1, { 3
    }, e404 } }, 1, { { HET_DTYPE_U4, 3, { 2, 4, 3 }, e405 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = -1 } }, 3, { {
    HET_DTYPE_U4, 3, { 2, 4, 3 }, e405 }, { HET_DTYPE_F32, 1, { 3 }, e403 }, { HET_DTYPE_U4, 1, { 3
    }, e404 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e406 } }, 4e-07 },
    { "QuantizeLinear", 20, 0, { { 0 } }, 3, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I4, 0, { 0 }, e385 } }, 1, { { HET_DTYPE_I4, 3, {
    2, 4, 3 }, e417 } }, 0 },
    { "DequantizeLinear", 20, 0, { { 0 } }, 3, { { HET_DTYPE_I4, 3, { 2, 4, 3 }, e417 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I4, 0, { 0 }, e385 } }, 1, { { HET_DTYPE_F32, 3, {
    2, 4, 3 }, e418 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 0 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 2 }, e395 }, { HET_DTYPE_I4, 1, { 2
    }, e396 } }, 1, { { HET_DTYPE_I4, 3, { 2, 4, 3 }, e409 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 0 } }, 3, { {
    HET_DTYPE_I4, 3, { 2, 4, 3 }, e409 }, { HET_DTYPE_F32, 1, { 2 }, e395 }, { HET_DTYPE_I4, 1, { 2
    }, e396 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e410 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 4 }, e399 }, { HET_DTYPE_I4, 1, { 4
    }, e400 } }, 1, { { HET_DTYPE_I4, 3, { 2, 4, 3 }, e419 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 } }, 3, { {
    HET_DTYPE_I4, 3, { 2, 4, 3 }, e419 }, { HET_DTYPE_F32, 1, { 4 }, e399 }, { HET_DTYPE_I4, 1, { 4
    }, e400 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e420 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = -1 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 3 }, e403 }, { HET_DTYPE_I4, 1, { 3
    }, e404 } }, 1, { { HET_DTYPE_I4, 3, { 2, 4, 3 }, e413 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = -1 } }, 3, { {
    HET_DTYPE_I4, 3, { 2, 4, 3 }, e413 }, { HET_DTYPE_F32, 1, { 3 }, e403 }, { HET_DTYPE_I4, 1, { 3
    }, e404 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e414 } }, 4e-07 },
    { "QuantizeLinear", 20, 0, { { 0 } }, 3, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U2, 0, { 0 }, e227 } }, 1, { { HET_DTYPE_U2, 3, {
    2, 4, 3 }, e421 } }, 0 },
    { "DequantizeLinear", 20, 0, { { 0 } }, 3, { { HET_DTYPE_U2, 3, { 2, 4, 3 }, e421 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U2, 0, { 0 }, e227 } }, 1, { { HET_DTYPE_F32, 3, {
    2, 4, 3 }, e422 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 0 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 2 }, e395 }, { HET_DTYPE_U2, 1, { 2
    }, e396 } }, 1, { { HET_DTYPE_U2, 3, { 2, 4, 3 }, e423 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 0 } }, 3, { {
    HET_DTYPE_U2, 3, { 2, 4, 3 }, e423 }, { HET_DTYPE_F32, 1, { 2 }, e395 }, { HET_DTYPE_U2, 1, { 2
    }, e396 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e424 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 4 }, e399 }, { HET_DTYPE_U2, 1, { 4
    }, e400 } }, 1, { { HET_DTYPE_U2, 3, { 2, 4, 3 }, e425 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 } }, 3, { {
    HET_DTYPE_U2, 3, { 2, 4, 3 }, e425 }, { HET_DTYPE_F32, 1, { 4 }, e399 }, { HET_DTYPE_U2, 1, { 4
    }, e400 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e426 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = -1 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 3 }, e403 }, { HET_DTYPE_U2, 1, { 3
    }, e404 } }, 1, { { HET_DTYPE_U2, 3, { 2, 4, 3 }, e427 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = -1 } }, 3, { {
    HET_DTYPE_U2, 3, { 2, 4, 3 }, e427 }, { HET_DTYPE_F32, 1, { 3 }, e403 }, { HET_DTYPE_U2, 1, { 3
    }, e404 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e428 } }, 4e-07 },
    { "QuantizeLinear", 20, 0, { { 0 } }, 3, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I2, 0, { 0 }, e385 } }, 1, { { HET_DTYPE_I2, 3, {
    2, 4, 3 }, e429 } }, 0 },
    { "DequantizeLinear", 20, 0, { { 0 } }, 3, { { HET_DTYPE_I2, 3, { 2, 4, 3 }, e429 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I2, 0, { 0 }, e385 } }, 1, { { HET_DTYPE_F32, 3, {
    2, 4, 3 }, e422 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 0 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 2 }, e395 }, { HET_DTYPE_I2, 1, { 2
    }, e396 } }, 1, { { HET_DTYPE_I2, 3, { 2, 4, 3 }, e430 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 0 } }, 3, { {
    HET_DTYPE_I2, 3, { 2, 4, 3 }, e430 }, { HET_DTYPE_F32, 1, { 2 }, e395 }, { HET_DTYPE_I2, 1, { 2
    }, e396 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e431 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 4 }, e399 }, { HET_DTYPE_I2, 1, { 4
    }, e400 } }, 1, { { HET_DTYPE_I2, 3, { 2, 4, 3 }, e432 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 } }, 3, { {
    HET_DTYPE_I2, 3, { 2, 4, 3 }, e432 }, { HET_DTYPE_F32, 1, { 4 }, e399 }, { HET_DTYPE_I2, 1, { 4
    }, e400 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e433 } }, 4e-07 },
    { "QuantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = -1 } }, 3, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 1, { 3 }, e403 }, { HET_DTYPE_I2, 1, { 3
    }, e404 } }, 1, { { HET_DTYPE_I2, 3, { 2, 4, 3 }, e434 } }, 0 },
    { "DequantizeLinear", 20, 1, { { "axis", .kind = HET__ATTR_INT, .u.i = -1 } }, 3, { {
    HET_DTYPE_I2, 3, { 2, 4, 3 }, e434 }, { HET_DTYPE_F32, 1, { 3 }, e403 }, { HET_DTYPE_I2, 1, { 3
    }, e404 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e435 } }, 4e-07 },
    { "QuantizeLinear", 21, 2, { { "axis", .kind = HET__ATTR_INT, .u.i = 0 }, { "block_size", .kind
    = HET__ATTR_INT, .u.i = 2 } }, 3, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 3,
    { 1, 4, 3 }, e436 }, { HET_DTYPE_I4, 3, { 1, 4, 3 }, e345 } }, 1, { { HET_DTYPE_I4, 3, { 2, 4, 3
    }, e437 } }, 0 },
    { "DequantizeLinear", 21, 2, { { "axis", .kind = HET__ATTR_INT, .u.i = 0 }, { "block_size",
    .kind = HET__ATTR_INT, .u.i = 2 } }, 2, { { HET_DTYPE_I4, 3, { 2, 4, 3 }, e437 }, {
    HET_DTYPE_F32, 3, { 1, 4, 3 }, e436 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e438 } }, 4e-07
    },
    { "QuantizeLinear", 21, 2, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 }, { "block_size", .kind
    = HET__ATTR_INT, .u.i = 3 } }, 3, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 3,
    { 2, 2, 3 }, e439 }, { HET_DTYPE_I4, 3, { 2, 2, 3 }, e345 } }, 1, { { HET_DTYPE_I4, 3, { 2, 4, 3
    }, e440 } }, 0 },
    { "DequantizeLinear", 21, 2, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 }, { "block_size",
    .kind = HET__ATTR_INT, .u.i = 3 } }, 2, { { HET_DTYPE_I4, 3, { 2, 4, 3 }, e440 }, {
    HET_DTYPE_F32, 3, { 2, 2, 3 }, e439 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e441 } }, 4e-07
    },
    { "QuantizeLinear", 21, 2, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 }, { "block_size", .kind
    = HET__ATTR_INT, .u.i = 2 } }, 3, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 3,
    { 2, 2, 3 }, e442 }, { HET_DTYPE_I4, 3, { 2, 2, 3 }, e345 } }, 1, { { HET_DTYPE_I4, 3, { 2, 4, 3
    }, e443 } }, 0 },
    { "DequantizeLinear", 21, 2, { { "axis", .kind = HET__ATTR_INT, .u.i = 1 }, { "block_size",
    .kind = HET__ATTR_INT, .u.i = 2 } }, 2, { { HET_DTYPE_I4, 3, { 2, 4, 3 }, e443 }, {
    HET_DTYPE_F32, 3, { 2, 2, 3 }, e442 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e444 } }, 4e-07
    },
    { "QuantizeLinear", 21, 2, { { "axis", .kind = HET__ATTR_INT, .u.i = 2 }, { "block_size", .kind
    = HET__ATTR_INT, .u.i = 2 } }, 3, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 3,
    { 2, 4, 2 }, e445 }, { HET_DTYPE_I4, 3, { 2, 4, 2 }, e446 } }, 1, { { HET_DTYPE_I4, 3, { 2, 4, 3
    }, e447 } }, 0 },
    { "DequantizeLinear", 21, 2, { { "axis", .kind = HET__ATTR_INT, .u.i = 2 }, { "block_size",
    .kind = HET__ATTR_INT, .u.i = 2 } }, 2, { { HET_DTYPE_I4, 3, { 2, 4, 3 }, e447 }, {
    HET_DTYPE_F32, 3, { 2, 4, 2 }, e445 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e448 } }, 4e-07
    },
    { "QuantizeLinear", 21, 2, { { "axis", .kind = HET__ATTR_INT, .u.i = 2 }, { "block_size", .kind
    = HET__ATTR_INT, .u.i = 3 } }, 3, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 3,
    { 2, 4, 1 }, e449 }, { HET_DTYPE_I4, 3, { 2, 4, 1 }, e450 } }, 1, { { HET_DTYPE_I4, 3, { 2, 4, 3
    }, e451 } }, 0 },
    { "DequantizeLinear", 21, 2, { { "axis", .kind = HET__ATTR_INT, .u.i = 2 }, { "block_size",
    .kind = HET__ATTR_INT, .u.i = 3 } }, 2, { { HET_DTYPE_I4, 3, { 2, 4, 3 }, e451 }, {
    HET_DTYPE_F32, 3, { 2, 4, 1 }, e449 } }, 1, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e452 } }, 4e-07
    },
    { "QuantizeLinear", 20, 0, { { 0 } }, 2, { { HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 } }, 1, { { HET_DTYPE_U8, 3, { 2, 4, 3 }, e453 } }, 0 },
    { "QuantizeLinear", 21, 1, { { "output_dtype", .kind = HET__ATTR_INT, .u.i = 5 } }, 2, { {
    HET_DTYPE_F32, 3, { 2, 4, 3 }, e391 }, { HET_DTYPE_F32, 0, { 0 }, e392 } }, 1, { {
    HET_DTYPE_I16, 3, { 2, 4, 3 }, e454 } }, 0 },
    { "QuantizeLinear", 20, 0, { { 0 } }, 3, { { HET_DTYPE_F32, 1, { 9 }, e455 }, { HET_DTYPE_F32,
    0, { 0 }, e227 }, { HET_DTYPE_I8, 0, { 0 }, e242 } }, 1, { { HET_DTYPE_I8, 1, { 9 }, e456 } }, 0
    },
    { "DequantizeLinear", 20, 0, { { 0 } }, 2, { { HET_DTYPE_I32, 1, { 3 }, e457 }, { HET_DTYPE_F32,
    0, { 0 }, e235 } }, 1, { { HET_DTYPE_F32, 1, { 3 }, e458 } }, 4e-07 },
    { "DequantizeLinear", 20, 0, { { 0 } }, 3, { { HET_DTYPE_U8, 1, { 3 }, e459 }, { HET_DTYPE_F16,
    0, { 0 }, e392 }, { HET_DTYPE_U8, 0, { 0 }, e460 } }, 1, { { HET_DTYPE_F16, 1, { 3 }, e461 } },
    0.001 },
    { "DynamicQuantizeLinear", 20, 0, { { 0 } }, 1, { { HET_DTYPE_F32, 1, { 3 }, e462 } }, 3, { {
    HET_DTYPE_U8, 1, { 3 }, e463 }, { HET_DTYPE_F32, 0, { 0 }, e464 }, { HET_DTYPE_U8, 0, { 0 },
    e465 } }, 4e-07 },
    { "DynamicQuantizeLinear", 20, 0, { { 0 } }, 1, { { HET_DTYPE_F32, 1, { 2 }, e466 } }, 3, { {
    HET_DTYPE_U8, 1, { 2 }, e466 }, { HET_DTYPE_F32, 0, { 0 }, e227 }, { HET_DTYPE_U8, 0, { 0 },
    e242 } }, 4e-07 },
    { "com.microsoft:QLinearAdd", 1, 0, { { 0 } }, 8, { { HET_DTYPE_U8, 3, { 2, 3, 4 }, e467 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U8, 0, { 0 }, e468 }, { HET_DTYPE_U8, 3, { 2, 3, 4
    }, e469 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_U8, 0, { 0 }, e242 }, { HET_DTYPE_F32,
    0, { 0 }, e227 }, { HET_DTYPE_U8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_U8, 3, { 2, 3, 4 }, e471
    } }, 0 },
    { "com.microsoft:QLinearMul", 1, 0, { { 0 } }, 8, { { HET_DTYPE_U8, 3, { 2, 3, 4 }, e467 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U8, 0, { 0 }, e468 }, { HET_DTYPE_U8, 3, { 2, 3, 4
    }, e469 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_U8, 0, { 0 }, e242 }, { HET_DTYPE_F32,
    0, { 0 }, e227 }, { HET_DTYPE_U8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_U8, 3, { 2, 3, 4 }, e472
    } }, 0 },
    { "com.microsoft:QLinearAdd", 1, 0, { { 0 } }, 8, { { HET_DTYPE_U8, 3, { 2, 3, 4 }, e473 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U8, 0, { 0 }, e468 }, { HET_DTYPE_U8, 0, { 0 },
    e474 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_U8, 0, { 0 }, e242 }, { HET_DTYPE_F32, 0,
    { 0 }, e227 }, { HET_DTYPE_U8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_U8, 3, { 2, 3, 4 }, e475 }
    }, 0 },
    { "com.microsoft:QLinearMul", 1, 0, { { 0 } }, 8, { { HET_DTYPE_U8, 3, { 2, 3, 4 }, e473 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U8, 0, { 0 }, e468 }, { HET_DTYPE_U8, 0, { 0 },
    e474 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_U8, 0, { 0 }, e242 }, { HET_DTYPE_F32, 0,
    { 0 }, e227 }, { HET_DTYPE_U8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_U8, 3, { 2, 3, 4 }, e476 }
    }, 0 },
    { "com.microsoft:QLinearAdd", 1, 0, { { 0 } }, 8, { { HET_DTYPE_U8, 0, { 0 }, e477 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U8, 0, { 0 }, e468 }, { HET_DTYPE_U8, 1, { 5 },
    e478 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_U8, 0, { 0 }, e242 }, { HET_DTYPE_F32, 0,
    { 0 }, e227 }, { HET_DTYPE_U8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_U8, 1, { 5 }, e479 } }, 0 },
    { "com.microsoft:QLinearMul", 1, 0, { { 0 } }, 8, { { HET_DTYPE_U8, 0, { 0 }, e477 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U8, 0, { 0 }, e468 }, { HET_DTYPE_U8, 1, { 5 },
    e478 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_U8, 0, { 0 }, e242 }, { HET_DTYPE_F32, 0,
    { 0 }, e227 }, { HET_DTYPE_U8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_U8, 1, { 5 }, e480 } }, 0 },
    { "com.microsoft:QLinearAdd", 1, 0, { { 0 } }, 8, { { HET_DTYPE_U8, 3, { 2, 3, 4 }, e481 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U8, 0, { 0 }, e468 }, { HET_DTYPE_U8, 1, { 4 },
    e482 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_U8, 0, { 0 }, e242 }, { HET_DTYPE_F32, 0,
    { 0 }, e227 }, { HET_DTYPE_U8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_U8, 3, { 2, 3, 4 }, e483 }
    }, 0 },
    { "com.microsoft:QLinearMul", 1, 0, { { 0 } }, 8, { { HET_DTYPE_U8, 3, { 2, 3, 4 }, e481 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U8, 0, { 0 }, e468 }, { HET_DTYPE_U8, 1, { 4 },
    e482 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_U8, 0, { 0 }, e242 }, { HET_DTYPE_F32, 0,
    { 0 }, e227 }, { HET_DTYPE_U8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_U8, 3, { 2, 3, 4 }, e484 }
    }, 0 },
    { "com.microsoft:QLinearAdd", 1, 0, { { 0 } }, 8, { { HET_DTYPE_U8, 3, { 2, 3, 4 }, e485 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U8, 0, { 0 }, e468 }, { HET_DTYPE_U8, 2, { 3, 1 },
    e486 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_U8, 0, { 0 }, e242 }, { HET_DTYPE_F32, 0,
    { 0 }, e227 }, { HET_DTYPE_U8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_U8, 3, { 2, 3, 4 }, e487 }
    }, 0 },
    { "com.microsoft:QLinearMul", 1, 0, { { 0 } }, 8, { { HET_DTYPE_U8, 3, { 2, 3, 4 }, e485 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U8, 0, { 0 }, e468 }, { HET_DTYPE_U8, 2, { 3, 1 },
    e486 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_U8, 0, { 0 }, e242 }, { HET_DTYPE_F32, 0,
    { 0 }, e227 }, { HET_DTYPE_U8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_U8, 3, { 2, 3, 4 }, e488 }
    }, 0 },
    { "com.microsoft:QLinearGlobalAveragePool", 1, 0, { { 0 } }, 5, { { HET_DTYPE_U8, 4, { 2, 3, 4,
    5 }, e489 }, { HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_U8, 0, { 0 }, e468 }, {
    HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_U8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_U8, 4, {
    2, 3, 1, 1 }, e490 } }, 0 },
    { "com.microsoft:QLinearGlobalAveragePool", 1, 1, { { "channels_last", .kind = HET__ATTR_INT,
    .u.i = 1 } }, 5, { { HET_DTYPE_U8, 4, { 2, 4, 5, 3 }, e491 }, { HET_DTYPE_F32, 0, { 0 }, e392 },
    { HET_DTYPE_U8, 0, { 0 }, e468 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_U8, 0, { 0 },
    e470 } }, 1, { { HET_DTYPE_U8, 4, { 2, 1, 1, 3 }, e490 } }, 0 },
    { "com.microsoft:QLinearAdd", 1, 0, { { 0 } }, 8, { { HET_DTYPE_I8, 3, { 2, 3, 4 }, e492 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I8, 0, { 0 }, e468 }, { HET_DTYPE_I8, 3, { 2, 3, 4
    }, e493 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_I8, 0, { 0 }, e247 }, { HET_DTYPE_F32,
    0, { 0 }, e227 }, { HET_DTYPE_I8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_I8, 3, { 2, 3, 4 }, e494
    } }, 0 },
    { "com.microsoft:QLinearMul", 1, 0, { { 0 } }, 8, { { HET_DTYPE_I8, 3, { 2, 3, 4 }, e492 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I8, 0, { 0 }, e468 }, { HET_DTYPE_I8, 3, { 2, 3, 4
    }, e493 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_I8, 0, { 0 }, e247 }, { HET_DTYPE_F32,
    0, { 0 }, e227 }, { HET_DTYPE_I8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_I8, 3, { 2, 3, 4 }, e495
    } }, 0 },
    { "com.microsoft:QLinearAdd", 1, 0, { { 0 } }, 8, { { HET_DTYPE_I8, 3, { 2, 3, 4 }, e496 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I8, 0, { 0 }, e468 }, { HET_DTYPE_I8, 0, { 0 },
    e497 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_I8, 0, { 0 }, e247 }, { HET_DTYPE_F32, 0,
    { 0 }, e227 }, { HET_DTYPE_I8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_I8, 3, { 2, 3, 4 }, e498 }
    }, 0 },
    { "com.microsoft:QLinearMul", 1, 0, { { 0 } }, 8, { { HET_DTYPE_I8, 3, { 2, 3, 4 }, e496 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I8, 0, { 0 }, e468 }, { HET_DTYPE_I8, 0, { 0 },
    e497 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_I8, 0, { 0 }, e247 }, { HET_DTYPE_F32, 0,
    { 0 }, e227 }, { HET_DTYPE_I8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_I8, 3, { 2, 3, 4 }, e499 }
    }, 0 },
    { "com.microsoft:QLinearAdd", 1, 0, { { 0 } }, 8, { { HET_DTYPE_I8, 0, { 0 }, e500 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I8, 0, { 0 }, e468 }, { HET_DTYPE_I8, 1, { 5 },
    e501 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_I8, 0, { 0 }, e247 }, { HET_DTYPE_F32, 0,
    { 0 }, e227 }, { HET_DTYPE_I8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_I8, 1, { 5 }, e502 } }, 0 },
    { "com.microsoft:QLinearMul", 1, 0, { { 0 } }, 8, { { HET_DTYPE_I8, 0, { 0 }, e500 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I8, 0, { 0 }, e468 }, { HET_DTYPE_I8, 1, { 5 },
    e501 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_I8, 0, { 0 }, e247 }, { HET_DTYPE_F32, 0,
    { 0 }, e227 }, { HET_DTYPE_I8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_I8, 1, { 5 }, e503 } }, 0 },
    { "com.microsoft:QLinearAdd", 1, 0, { { 0 } }, 8, { { HET_DTYPE_I8, 3, { 2, 3, 4 }, e504 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I8, 0, { 0 }, e468 }, { HET_DTYPE_I8, 1, { 4 },
    e505 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_I8, 0, { 0 }, e247 }, { HET_DTYPE_F32, 0,
    { 0 }, e227 }, { HET_DTYPE_I8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_I8, 3, { 2, 3, 4 }, e506 }
    }, 0 },
    { "com.microsoft:QLinearMul", 1, 0, { { 0 } }, 8, { { HET_DTYPE_I8, 3, { 2, 3, 4 }, e504 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I8, 0, { 0 }, e468 }, { HET_DTYPE_I8, 1, { 4 },
    e505 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_I8, 0, { 0 }, e247 }, { HET_DTYPE_F32, 0,
    { 0 }, e227 }, { HET_DTYPE_I8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_I8, 3, { 2, 3, 4 }, e507 }
    }, 0 },
    { "com.microsoft:QLinearAdd", 1, 0, { { 0 } }, 8, { { HET_DTYPE_I8, 3, { 2, 3, 4 }, e508 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I8, 0, { 0 }, e468 }, { HET_DTYPE_I8, 2, { 3, 1 },
    e509 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_I8, 0, { 0 }, e247 }, { HET_DTYPE_F32, 0,
    { 0 }, e227 }, { HET_DTYPE_I8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_I8, 3, { 2, 3, 4 }, e510 }
    }, 0 },
    { "com.microsoft:QLinearMul", 1, 0, { { 0 } }, 8, { { HET_DTYPE_I8, 3, { 2, 3, 4 }, e508 }, {
    HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I8, 0, { 0 }, e468 }, { HET_DTYPE_I8, 2, { 3, 1 },
    e509 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_I8, 0, { 0 }, e247 }, { HET_DTYPE_F32, 0,
    { 0 }, e227 }, { HET_DTYPE_I8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_I8, 3, { 2, 3, 4 }, e511 }
    }, 0 },
    { "com.microsoft:QLinearGlobalAveragePool", 1, 0, { { 0 } }, 5, { { HET_DTYPE_I8, 4, { 2, 3, 4,
    5 }, e512 }, { HET_DTYPE_F32, 0, { 0 }, e392 }, { HET_DTYPE_I8, 0, { 0 }, e468 }, {
    HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_I8, 0, { 0 }, e470 } }, 1, { { HET_DTYPE_I8, 4, {
    2, 3, 1, 1 }, e513 } }, 0 },
    { "com.microsoft:QLinearGlobalAveragePool", 1, 1, { { "channels_last", .kind = HET__ATTR_INT,
    .u.i = 1 } }, 5, { { HET_DTYPE_I8, 4, { 2, 4, 5, 3 }, e514 }, { HET_DTYPE_F32, 0, { 0 }, e392 },
    { HET_DTYPE_I8, 0, { 0 }, e468 }, { HET_DTYPE_F32, 0, { 0 }, e235 }, { HET_DTYPE_I8, 0, { 0 },
    e470 } }, 1, { { HET_DTYPE_I8, 4, { 2, 1, 1, 3 }, e513 } }, 0 },
};
