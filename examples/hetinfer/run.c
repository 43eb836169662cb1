/* SPDX-License-Identifier: Apache-2.0 */
/* hetinfer run: text in, text out. Pieces appear as they are made; with --json they are collected
 * and come out once, with the statistics. With --chat and no text every line of stdin is a message
 * of one conversation, until its end. */
#include "chat.h"
#include "commands.h"
#include "common.h"
#include "interrupt.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct request {
    const char *prompt, *file, *system;
    int64_t max_tokens, seed, top_k;
    double temperature, top_p, min_p, repeat_penalty; /* NAN: not given */
    texts stop;
    bool no_bos, ignore_eos, special, echo, chat;
    settings settings;
} request;

/* Text made so far, where it is collected. */
typedef struct output {
    bool collect, shows; /* shows: what is collected appears as well */
    char *text;
    size_t length, capacity;
} output;

static int take_piece(void *user, const char *text, size_t bytes)
{
    output *out = user;
    if ((out->shows || !out->collect) &&
        (fwrite(text, 1, bytes, stdout) != bytes || fflush(stdout) != 0))
        return 1;
    if (!out->collect)
        return interrupt_seen();
    if (out->length + bytes > out->capacity) {
        const size_t capacity = (out->length + bytes) * 2;
        char *larger = realloc(out->text, capacity);
        if (!larger)
            return 1;
        out->text = larger;
        out->capacity = capacity;
    }
    memcpy(out->text + out->length, text, bytes);
    out->length += bytes;
    return interrupt_seen();
}

static void declare(options *o, request *r)
{
    options_begin(o, "run", "MODEL",
                  "Continue a text. Reads a GGUF file or a folder; writes to stdout.");
    options_text(o, "prompt", 'p', &r->prompt, "TEXT", "Text to continue");
    options_text(o, "file", 'f', &r->file, "FILE", "The same from a file ('-': stdin)");
    options_int(o, "max-tokens", 'n', &r->max_tokens, 1, INT32_MAX, "N", "New tokens (512)");
    options_number(o, "temp", &r->temperature, 0, 100, "T", "Temperature; 0 = greedy (0.7)");
    options_int(o, "top-k", 0, &r->top_k, 0, INT32_MAX, "K", "Keep the K best; 0 = all (50)");
    options_number(o, "top-p", &r->top_p, 1e-6, 1, "P", "Keep the best of mass P (0.9)");
    options_number(o, "min-p", &r->min_p, 0, 1, "P", "Drop below P times the best (0)");
    options_number(o, "repeat-penalty", &r->repeat_penalty, 1e-3, 100, "X",
                   "Divide logits of recent tokens (1)");
    options_int(o, "seed", 's', &r->seed, 0, INT64_MAX, "S", "Random seed (from the clock)");
    options_texts(o, "stop", &r->stop, "TEXT", "End before this text; may be repeated");
    options_flag(o, "no-bos", 0, &r->no_bos, "No begin-of-sequence token");
    options_flag(o, "ignore-eos", 0, &r->ignore_eos, "Go on after an end token");
    options_flag(o, "special", 0, &r->special, "Control tokens in the text are such");
    options_flag(o, "echo", 0, &r->echo, "Print the text first");
    options_flag(o, "chat", 0, &r->chat, "The text is a message; without one: lines of stdin are");
    options_text(o, "system", 0, &r->system, "TEXT", "With --chat: the system message");
    settings_session(o, &r->settings);
    settings_trace(o, &r->settings);
    settings_output(o, &r->settings);
}

static void choose_sampler(const request *r, het_sampler_options *o)
{
    o->seed = (uint64_t)r->seed;
    if (r->temperature == 0.0)
        o->flags = HET_SAMPLER_GREEDY;
    else if (!isnan(r->temperature))
        o->temperature = (float)r->temperature;
    if (r->top_k >= 0)
        o->top_k = r->top_k ? (int32_t)r->top_k : HET_OFF;
    if (!isnan(r->top_p))
        o->top_p = r->top_p < 1.0 ? (float)r->top_p : (float)HET_OFF;
    if (!isnan(r->min_p))
        o->min_p = (float)r->min_p;
    if (!isnan(r->repeat_penalty))
        o->repeat_penalty = (float)r->repeat_penalty;
}

static double per_second(double count, uint64_t ns)
{
    return ns && count > 0 ? count * 1e9 / (double)ns : 0.0;
}

/* A cancelled call leaves its result untouched: take the session's counters instead. */
static void result_of_cancelled(const engine *e, het_generate_result *result)
{
    het_telemetry t = { .struct_size = sizeof t };
    if (het_telemetry_snapshot(e->session, &t))
        return;
    result->prompt_count = t.prefill_token_count;
    result->prompt_ns = t.prefill_ns;
    result->generated_count = t.decode_token_count + 1;
    result->generated_ns = t.decode_ns;
}

static const char *finish_name(uint32_t finish)
{
    switch (finish) {
    case HET_FINISH_LENGTH: return "length";
    case HET_FINISH_END: return "end";
    case HET_FINISH_STOP: return "stop";
    case HET_FINISH_CALLBACK: return "interrupted";
    default: return "interrupted"; /* het_generate() was cancelled */
    }
}

static void print_statistics(const engine *e, const request *r, const het_generate_result *result)
{
    char memory[32];
    fprintf(stderr, "\nload      %8.2f s\n", e->load_s);
    fprintf(stderr, "prompt    %8llu tokens %10.2f t/s\n",
            (unsigned long long)result->prompt_count,
            per_second((double)result->prompt_count, result->prompt_ns));
    fprintf(stderr, "generated %8llu tokens %10.2f t/s   (%s)\n",
            (unsigned long long)result->generated_count,
            per_second((double)result->generated_count - 1, result->generated_ns),
            finish_name(result->finish));
    fprintf(stderr, "memory    %s at most\n", format_bytes((double)peak_memory_bytes(), memory));
    if (r->temperature != 0.0)
        fprintf(stderr, "seed      %lld\n", (long long)r->seed);
}

static int print_json(const engine *e, const request *r, const output *out,
                      const het_generate_result *result)
{
    json_t *root = json_begin("run");
    json_object_set_new(root, "text", json_text(out->text ? out->text : "", out->length));
    json_object_set_new(root, "finish", json_string(finish_name(result->finish)));
    json_object_set_new(root, "prompt_tokens", json_integer((json_int_t)result->prompt_count));
    json_object_set_new(root, "generated_tokens",
                        json_integer((json_int_t)result->generated_count));
    json_object_set_new(root, "prompt_tokens_per_s",
                        json_real(per_second((double)result->prompt_count, result->prompt_ns)));
    json_object_set_new(root, "generated_tokens_per_s",
                        json_real(per_second((double)result->generated_count - 1,
                                             result->generated_ns)));
    json_object_set_new(root, "load_s", json_real(e->load_s));
    json_object_set_new(root, "peak_memory_bytes", json_integer((json_int_t)peak_memory_bytes()));
    json_object_set_new(root, "seed", json_integer((json_int_t)r->seed));
    return json_end(root);
}

static het_generate_options generation(const request *r, const het_sampler_options *sampler,
                                       output *out)
{
    het_generate_options o = HET_GENERATE_OPTIONS_INIT;
    o.max_tokens = (uint32_t)r->max_tokens;
    o.flags = (r->no_bos ? HET_GENERATE_NO_BOS : 0) |
              (r->special ? HET_GENERATE_PARSE_SPECIAL : 0) |
              (r->ignore_eos ? HET_GENERATE_IGNORE_END : 0);
    o.sampler = sampler;
    o.stop = r->stop.at;
    o.stop_count = r->stop.count;
    o.piece = take_piece;
    o.piece_user = out;
    return o;
}

static int generate(const engine *e, const request *r, const char *text, size_t bytes)
{
    output out = { .collect = r->settings.json };
    het_sampler_options sampler = HET_SAMPLER_OPTIONS_INIT;
    choose_sampler(r, &sampler);
    const het_generate_options o = generation(r, &sampler, &out);
    if (r->echo)
        take_piece(&out, text, bytes);

    het_generate_result result = { .struct_size = sizeof result };
    het_error err = HET_ERROR_INIT;
    const het_status status = het_generate(e->session, text, bytes, &o, &result, &err);
    if (status == HET_E_CANCELLED)
        result_of_cancelled(e, &result);
    int exit_status = STATUS_DONE;
    if (status && status != HET_E_CANCELLED)
        exit_status = failure_of(status, &err);
    else if (r->settings.json)
        exit_status = print_json(e, r, &out, &result);
    else if (isatty(STDOUT_FILENO))
        putchar('\n');
    if ((status == HET_OK || status == HET_E_CANCELLED) && !r->settings.quiet)
        print_statistics(e, r, &result);
    if (interrupt_seen())
        exit_status = failure("interrupted");
    else if (ferror(stdout))
        exit_status = failure("cannot write the text");
    free(out.text);
    return exit_status;
}

/* The text becomes that of a conversation, whose control tokens are such. */
static int use_template(const engine *e, request *r, char **text, size_t *bytes)
{
    const chat_request chat = { .prompt = *text, .system = r->system };
    het_error err = HET_ERROR_INIT;
    het_template *tmpl = NULL;
    char *whole = NULL;
    if (!r->chat)
        return STATUS_GO;
    const het_status s = het_template_from_model(e->model, &tmpl, &err);
    const int status = s ? failure_of(s, &err) : chat_render(tmpl, &chat, &whole, bytes);
    het_template_destroy(tmpl);
    free(*text);
    *text = whole;
    r->no_bos = r->special = true;
    return status;
}

/* ---- a conversation ---- */

typedef struct conversation {
    const engine *engine;
    const request *request;
    het_template *tmpl;
    het_chat_message turns[CHAT_MESSAGES_MAX];
    char *texts[CHAT_MESSAGES_MAX]; /* of the turns, for free() */
    size_t count;
} conversation;

/* A line of stdin without its end; NULL at the end of all, or once an interrupt was seen. Byte by
 * byte, because what a buffer held could not be waited for. */
static char *read_line(void)
{
    size_t length = 0, capacity = 128;
    char *line = malloc(capacity), byte = 0;
    while (line && !interrupt_seen()) {
        struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
        if (poll(&in, 1, 100) == 0)
            continue;
        const ssize_t got = interrupt_seen() ? 0 : read(STDIN_FILENO, &byte, 1);
        if (got != 1 && length == 0)
            break;
        if (got != 1 || byte == '\n') {
            line[length] = '\0';
            return line;
        }
        if (length + 2 > capacity) {
            char *larger = realloc(line, capacity *= 2);
            if (!larger)
                break;
            line = larger;
        }
        line[length++] = byte;
    }
    free(line);
    return NULL;
}

/* Owns text from now on. */
static int add_turn(conversation *c, const char *role, char *text)
{
    if (!text || c->count == CHAT_MESSAGES_MAX) {
        free(text);
        return failure(c->count == CHAT_MESSAGES_MAX ? "too many messages" : "out of memory");
    }
    c->texts[c->count] = text;
    c->turns[c->count++] = (het_chat_message){ role, text, NULL };
    return STATUS_GO;
}

static int answer(conversation *c)
{
    const chat_request chat = { .turns = c->turns, .turn_count = c->count };
    output out = { .collect = true, .shows = true };
    het_error err = HET_ERROR_INIT;
    het_sampler_options sampler = HET_SAMPLER_OPTIONS_INIT;
    size_t bytes = 0;
    char *text = NULL;
    choose_sampler(c->request, &sampler);
    const het_generate_options o = generation(c->request, &sampler, &out);
    int status = chat_render(c->tmpl, &chat, &text, &bytes);
    if (status == STATUS_GO) {
        const het_status made = het_generate(c->engine->session, text, bytes, &o, NULL, &err);
        status = made && made != HET_E_CANCELLED ? failure_of(made, &err) : STATUS_GO;
    }
    free(text);
    if (status == STATUS_GO && (putchar('\n') == EOF || fflush(stdout) != 0))
        status = failure("cannot write the text");
    if (status == STATUS_GO && interrupt_seen())
        status = failure("interrupted");
    char *said = status == STATUS_GO ? strndup(out.text ? out.text : "", out.length) : NULL;
    free(out.text);
    return status == STATUS_GO ? add_turn(c, "assistant", said) : status;
}

static int take_turns(conversation *c)
{
    const bool asks = isatty(STDIN_FILENO) && !c->request->settings.quiet;
    int status = STATUS_GO;
    if (c->request->system)
        status = add_turn(c, "system", strdup(c->request->system));
    while (status == STATUS_GO) {
        if (asks)
            fputs("> ", stderr);
        char *line = read_line();
        if (!line)
            return interrupt_seen() ? failure("interrupted") : STATUS_DONE;
        status = add_turn(c, "user", line);
        if (status == STATUS_GO)
            status = answer(c);
    }
    return status;
}

static int converse(const engine *e, request *r)
{
    het_error err = HET_ERROR_INIT;
    conversation *c = calloc(1, sizeof *c);
    if (!c)
        return failure("out of memory");
    c->engine = e;
    c->request = r;
    r->no_bos = r->special = true;
    const het_status s = het_template_from_model(e->model, &c->tmpl, &err);
    const int status = s ? failure_of(s, &err) : take_turns(c);
    het_template_destroy(c->tmpl);
    for (size_t i = 0; i < c->count; i++)
        free(c->texts[i]);
    free(c);
    return status;
}

/* ---- command ---- */

int command_run(int argc, char **argv)
{
    request r = { .seed = -1, .top_k = -1, .temperature = (double)NAN, .top_p = (double)NAN,
                  .min_p = (double)NAN, .repeat_penalty = (double)NAN };
    options o;
    declare(&o, &r);
    const char *path = NULL;
    char *text = NULL;
    size_t bytes = 0;
    int status = options_parse(&o, argc, argv, &path);
    if (status == STATUS_GO && r.system && !r.chat)
        status = usage_error("run", "--system goes with --chat");
    const bool converses = r.chat && !r.prompt && !r.file;
    if (status == STATUS_GO && converses && (r.settings.json || r.echo))
        status = usage_error("run", "a conversation has no --json and no --echo");
    if (status == STATUS_GO && !converses)
        status = read_text("run", r.prompt, r.file, &text, &bytes);
    if (status != STATUS_GO)
        return status;
    if (r.seed < 0)
        r.seed = (int64_t)time(NULL);

    interrupt_begin();
    engine e = { 0 };
    status = engine_model(&e, &r.settings, path, 0);
    if (status == STATUS_GO)
        status = engine_need_language(&e, path);
    if (status == STATUS_GO && !converses)
        status = use_template(&e, &r, &text, &bytes);
    if (status == STATUS_GO)
        status = engine_session(&e, &r.settings, NULL);
    if (status == STATUS_GO)
        status = converses ? converse(&e, &r) : generate(&e, &r, text, bytes);
    const int traced = engine_trace(&e, &r.settings);
    status = status == STATUS_DONE && traced != STATUS_GO ? traced : status;
    engine_close(&e);
    interrupt_end();
    free(text);
    return status;
}
