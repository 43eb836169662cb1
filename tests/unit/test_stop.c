/* SPDX-License-Identifier: Apache-2.0 */
/* Stop strings against a plain search in the whole text: however the text is cut into pieces, what
 * comes out is the text before the first stop string to be complete. */
#include "lib/generate/stop.h"

#include "test.h"

typedef struct sink {
    char text[16384];
    size_t bytes;
    uint32_t pieces, refuse_at; /* the number of the piece that is refused; 0: none */
    bool bad;                   /* a piece that was empty, not whole UTF-8 or not terminated */
} sink;

static bool continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Bytes that the lead byte asks for. */
static size_t length_of(unsigned char c)
{
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

static bool is_whole(const char *text, size_t bytes)
{
    size_t i = 0;
    while (i < bytes) {
        if (continues(text[i]))
            return false;
        i += length_of((unsigned char)text[i]);
    }
    return i == bytes;
}

static int take(void *user, const char *text, size_t bytes)
{
    sink *s = user;
    s->bad = s->bad || bytes == 0 || strlen(text) != bytes || !is_whole(text, bytes);
    memcpy(s->text + s->bytes, text, bytes);
    s->bytes += bytes;
    s->text[s->bytes] = '\0';
    return ++s->pieces == s->refuse_at;
}

/* Where the text ends: the stop string that is complete first; of those that end together, the
 * one that begins first. */
static size_t cut_of(const char *text, const char *const *stops, size_t count, bool *found)
{
    *found = false;
    for (size_t end = 1; text[end - 1]; end++) {
        size_t begin = end;
        for (size_t i = 0; i < count; i++) {
            const size_t n = strlen(stops[i]);
            if (n <= end && memcmp(text + end - n, stops[i], n) == 0 && end - n < begin)
                begin = end - n;
        }
        if (begin < end) {
            *found = true;
            return begin;
        }
    }
    return strlen(text);
}

/* Push the text in the pieces that bits of `cuts` ask for (bit i: cut before character i). */
static void push_in_pieces(const char *text, const char *const *stops, size_t count, uint64_t cuts)
{
    static het__stop stop;
    static sink s;
    memset(&s, 0, sizeof s);
    CHECK_INT(het__stop_init(&stop, stops, count, NULL), HET_OK);
    bool found, go_on = true;
    const size_t want = cut_of(text, stops, count, &found);
    size_t at = 0;
    uint32_t character = 0;
    while (text[at] && go_on) {
        size_t n = 0;
        do {
            n += length_of((unsigned char)text[at + n]);
            character++;
        } while (text[at + n] && !(cuts >> character % 64 & 1));
        go_on = het__stop_push(&stop, text + at, n, take, &s);
        at += n;
    }
    CHECK_INT(stop.found, found);
    CHECK_INT(go_on, !found);
    if (go_on)
        CHECK(het__stop_flush(&stop, take, &s));
    CHECK(!s.bad);
    if (s.bytes != want || memcmp(s.text, text, want) != 0)
        TEST_FAIL("\"%s\" cut by %llx: got \"%s\", want the first %zu bytes", text,
                  (unsigned long long)cuts, s.text, want);
}

static const struct { const char *text, *stops[4]; } cases[] = {
    { "hello world", { "wor" } },
    { "hello world", { "xyz" } },
    { "aaab", { "aab" } },
    { "aabaaab", { "aaab" } },
    { "abababac", { "ababac" } },
    { "the end", { "the end" } },
    { "the end", { "the end." } },
    { "xabcx", { "abcd", "bc" } }, /* a stop string inside the beginning of another */
    { "xabcdx", { "abcd", "bcd", "cd" } }, /* ending together */
    { "one\nUser: two", { "\nUser:", "\n\n", "</s>" } },
    { "a\n\nb", { "\nUser:", "\n\n" } },
    { "gr\xc3\xbc\xc3\x9f gott", { "\xc3\x9f" } },
    { "gr\xc3\xbc\xc3\x9f gott", { "\xc3\xbf" } }, /* same first byte */
    { "1\xe2\x82\xac" "2\xe2\x82\xad" "3", { "\xe2\x82\xad" "3" } },
    { "\xf0\x9f\x98\x80\xf0\x9f\x98\x81!", { "\xf0\x9f\x98\x82", "\xf0\x9f\x98\x81!" } },
    { "aaaaaaaa", { "aaaaaaaaa", "aaaab" } },
};

static void every_cut(void)
{
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        size_t count = 0, characters = 0;
        while (count < 4 && cases[c].stops[count])
            count++;
        for (const char *p = cases[c].text; *p; p++)
            characters += !continues(*p);
        for (uint64_t cuts = 0; cuts < UINT64_C(1) << characters; cuts++)
            push_in_pieces(cases[c].text, cases[c].stops, count, cuts);
    }
}

/* Random texts and stop strings of two letters and one two-byte character. */
static void random_texts(void)
{
    static const char *const letters[] = { "a", "b", "\xc3\xa4" };
    uint64_t seed = 21;
    for (int round = 0; round < 5000; round++) {
        char text[128] = "", strings[3][24];
        const char *stops[3];
        for (int i = 0; i < 3; i++) {
            strings[i][0] = '\0';
            for (uint64_t n = 1 + (test_random(&seed) >> 32) % 5; n > 0; n--)
                strcat(strings[i], letters[(test_random(&seed) >> 32) % 3]);
            stops[i] = strings[i];
        }
        for (int i = 0; i < 40; i++)
            strcat(text, letters[(test_random(&seed) >> 32) % 3]);
        push_in_pieces(text, stops, (size_t)(round % 4), test_random(&seed));
    }
}

/* Pieces longer than the buffer between: 3-byte characters and a stop string at the end. */
static void long_text(void)
{
    static char text[9100];
    const char *stops[] = { "\xe2\x82\xac\xe2\x82\xac!", "###" };
    for (size_t skew = 0; skew < 4; skew++) {
        memset(text, 'x', skew);
        size_t n = skew;
        while (n < 9000) {
            memcpy(text + n, "\xe2\x82\xac", 3);
            n += 3;
        }
        strcpy(text + n, "!tail");
        for (size_t count = 0; count <= 2; count++) {
            push_in_pieces(text, stops, count, 0);
            push_in_pieces(text, stops + 1, count > 0, 0);
        }
    }
}

static void refusal(void)
{
    const char *const stops[] = { "END" };
    for (size_t count = 0; count < 2; count++)
        for (uint32_t at = 1; at <= 3; at++) {
            het__stop stop;
            sink s = { .refuse_at = at };
            CHECK_INT(het__stop_init(&stop, stops, count, NULL), HET_OK);
            uint32_t pushes = 0;
            while (pushes < 10 && het__stop_push(&stop, "word ", 5, take, &s))
                pushes++;
            CHECK_INT(pushes, at - 1);
            CHECK(!stop.found);
        }
    het__stop stop;
    sink s = { .refuse_at = 1 };
    CHECK_INT(het__stop_init(&stop, stops, 1, NULL), HET_OK);
    CHECK(het__stop_push(&stop, "EN", 2, take, &s));
    CHECK_INT(s.pieces, 0);
    CHECK(!het__stop_flush(&stop, take, &s));
    CHECK_STR(s.text, "EN");
    CHECK(het__stop_flush(&stop, take, &s)); /* nothing is left */
    CHECK(het__stop_push(&stop, "xENDy", 5, NULL, NULL) == false && stop.found);
}

static void limits(void)
{
    static char longest[HET__STOP_BYTES_MAX + 2];
    const char *many[HET__STOP_MAX + 1];
    het__stop stop;
    het_error err = HET_ERROR_INIT;
    memset(longest, 'q', HET__STOP_BYTES_MAX);
    for (size_t i = 0; i <= HET__STOP_MAX; i++)
        many[i] = longest;
    CHECK_INT(het__stop_init(&stop, many, HET__STOP_MAX, &err), HET_OK);
    CHECK_INT(het__stop_init(&stop, many, HET__STOP_MAX + 1, &err), HET_E_INVALID);
    CHECK(strstr(err.message, "17") != NULL);
    sink s = { .bytes = 0 };
    CHECK_INT(het__stop_init(&stop, many, 1, &err), HET_OK);
    CHECK(het__stop_push(&stop, longest, HET__STOP_BYTES_MAX - 1, take, &s));
    CHECK_INT(s.pieces, 0);
    CHECK(!het__stop_push(&stop, "q", 1, take, &s) && stop.found);
    CHECK_INT(s.pieces, 0);
    longest[HET__STOP_BYTES_MAX] = 'q';
    CHECK_INT(het__stop_init(&stop, many, 1, &err), HET_E_INVALID);
    const char *const empty[] = { "" }, *const null[] = { NULL };
    CHECK_INT(het__stop_init(&stop, empty, 1, &err), HET_E_INVALID);
    CHECK_INT(het__stop_init(&stop, null, 1, &err), HET_E_INVALID);
    CHECK_INT(het__stop_init(&stop, NULL, 1, &err), HET_E_INVALID);
    CHECK_INT(het__stop_init(&stop, NULL, 0, &err), HET_OK);
}

int main(void)
{
    test_case(every_cut);
    test_case(random_texts);
    test_case(long_text);
    test_case(refusal);
    test_case(limits);
    return test_finish();
}
