/* SPDX-License-Identifier: Apache-2.0 */
/* Continue a sentence: hello MODEL [TEXT]. The shortest program that runs a language model. */
#include <hetinfer.h>
#include <stdio.h>
#include <string.h>

static int print(void *user, const char *text, size_t bytes)
{
    (void)user;
    return fwrite(text, 1, bytes, stdout) != bytes || fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
    const char *text = argc > 2 ? argv[2] : "Once upon a time";
    het_context *context = NULL;
    het_model *model = NULL;
    het_session *session = NULL;
    het_error err = HET_ERROR_INIT;
    het_generate_options options = HET_GENERATE_OPTIONS_INIT;
    options.max_tokens = 60;
    options.piece = print;

    const int failed = het_context_create(NULL, &context, &err) ||
                       het_model_load(context, argc > 1 ? argv[1] : "", NULL, &model, &err) ||
                       het_session_create(model, NULL, &session, &err) ||
                       het_generate(session, text, strlen(text), &options, NULL, &err);
    puts(failed ? err.message : "");

    het_session_destroy(session);
    het_model_destroy(model);
    het_context_destroy(context);
    return failed;
}
